"""Reads the IMDb release as its authors publish it: ``aclImdb_v1.tar.gz``, or the folder it unpacks to.

``{train,test}/{neg,pos}/ID_STARS.txt`` hold one review each, ``train/unsup/ID_0.txt`` the unlabelled ones. Nothing of
an archive is ever unpacked: the bytes of plain files whose names are exactly of this form are read from the stream,
and links, devices and names that lead elsewhere are left alone.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.reviews import NEGATIVE, POSITIVE, SPLITS, UNLABELLED, ReviewRows

REVIEW_NAME = re.compile(r"(train|test)/(neg|pos|unsup)/([0-9]{1,9})_([0-9]{1,2})\.txt")
ARCHIVE_ROOT = re.compile(r"(?:\./)?aclImdb/")
LABEL_OF_FOLDER = {"neg": NEGATIVE, "pos": POSITIVE, "unsup": UNLABELLED}
END_OF_ARCHIVE = bytes(1024)
LARGEST_REVIEW = 10_000_000
"""Bytes; the longest review of IMDb has 14,000. A larger member is no review."""


class ReviewKey(NamedTuple):
    """Where a review stands; the order of the fields is the order of the corpus (as on the hub: neg before pos)."""

    split: int
    label: int
    identifier: int
    stars: int


@dataclass(frozen=True)
class ReleasedReviews:
    """The reviews of a release.

    Attributes:
        rows: the reviews of each split, by split and label and then by the number in the file name.
        fingerprint: SHA-256 over names and bytes; the archive and the folder it unpacks to have the same.
    """

    rows: dict[str, ReviewRows]
    fingerprint: str


def find_release(folder: Path) -> Path | None:
    """Return the folder that holds ``train/neg`` and ``train/pos`` (itself or its ``aclImdb``), or None."""
    for candidate in (folder, folder / "aclImdb"):
        if all((candidate / "train" / sentiment).is_dir() for sentiment in ("neg", "pos")):
            return candidate
    return None


def review_key(name: str) -> ReviewKey | None:
    """Parse a name such as ``train/pos/12_9.txt``; None where it is not the name of a review."""
    match = REVIEW_NAME.fullmatch(name)
    if match is None or (match[1] == "test" and match[2] == "unsup"):
        return None
    split = "unsupervised" if match[2] == "unsup" else match[1]
    return ReviewKey(SPLITS.index(split), LABEL_OF_FOLDER[match[2]], int(match[3]), int(match[4]))


def read_release_folder(folder: Path, console: Console) -> ReleasedReviews:
    """Read the reviews of an unpacked release.

    Raises:
        SentimentError: a file is not UTF-8 or cannot be read; a class is missing.
    """
    reviews: dict[ReviewKey, bytes] = {}
    with console.progress(None, f"reading {folder}") as progress:
        for path in sorted(folder.glob("*/*/*.txt")):
            key = review_key(path.relative_to(folder).as_posix())
            if key is None:
                continue
            try:
                reviews[key] = path.read_bytes()
            except OSError as error:
                raise SentimentError(f"{path}: cannot be read ({error.strerror})") from error
            progress.update()
    return released_reviews(reviews, str(folder))


def read_release_archive(path: Path, console: Console) -> ReleasedReviews:
    """Read the reviews of ``aclImdb_v1.tar.gz`` (or ``.tgz``, ``.tar``) without unpacking it.

    Raises:
        SentimentError: the archive is damaged or cut short; it holds no reviews; a review is not UTF-8.
    """
    reviews: dict[ReviewKey, bytes] = {}
    ignored = 0
    try:
        with open_archive(path) as stream, console.progress(None, f"reading {path.name}") as progress:
            for member, content in plain_members(stream):
                root = ARCHIVE_ROOT.match(member.name)
                key = review_key(member.name[root.end() :]) if root else None
                if content is None or ".." in member.name or member.name.startswith("/"):
                    ignored += 1
                elif key is not None:
                    if key in reviews or member.size > LARGEST_REVIEW:
                        raise SentimentError(f"{path}: {member.name} is there twice or is too large for a review")
                    reviews[key] = content.read()
                    progress.update()
            drain(stream)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SentimentError(f"{path}: damaged or cut short ({error}); download it again") from error
    except OSError as error:
        raise SentimentError(f"{path}: cannot be read ({error.strerror or error})") from error
    if ignored:
        console.say(f"{path}: left alone {ignored} members that are links, devices or lead out of the archive")
    return released_reviews(reviews, str(path))


def open_archive(path: Path) -> IO[bytes]:
    """Open an archive for reading from start to end; gzip is told by its first two bytes.

    Raises:
        tarfile.ReadError: it is not compressed and does not end in zeros, as an archive must. (A compressed one has a
            checksum at its end; ``tarfile`` itself takes one that is cut between two members for whole.)
    """
    with path.open("rb") as stream:
        if stream.read(2) == b"\x1f\x8b":
            return cast(IO[bytes], gzip.open(path, "rb"))
        stream.seek(max(0, path.stat().st_size - len(END_OF_ARCHIVE)))
        if stream.read() != END_OF_ARCHIVE:
            raise tarfile.ReadError("no end of an archive")
    return path.open("rb")


def plain_members(stream: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield each member but folders, with its bytes to read; None for what is not a plain file."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        while (member := archive.next()) is not None:
            # The archive would remember each of its 100,000 members; typeshed does not know the list.
            archive.members.clear()  # type: ignore[attr-defined]
            if not member.isdir():
                yield member, archive.extractfile(member) if member.isreg() else None


def drain(stream: IO[bytes]) -> None:
    """Read on to the end, where gzip keeps the checksum of the whole."""
    while stream.read(1 << 20):
        pass


def released_reviews(reviews: dict[ReviewKey, bytes], where: str) -> ReleasedReviews:
    """Put reviews in order, decode them and fingerprint them.

    Raises:
        SentimentError: a review is not UTF-8; train or test lacks a class.
    """
    rows: dict[str, ReviewRows] = {}
    digest = hashlib.sha256()
    for key in sorted(reviews):
        split = SPLITS[key.split]
        content = reviews[key]
        digest.update(f"{tuple(key)} {len(content)}\n".encode() + content)
        rows.setdefault(split, ReviewRows()).append(decode(content, key, where), key.label, key.stars or None)
    classes = {(SPLITS[key.split], key.label) for key in reviews}
    needed = {"train", "test"} if "test" in rows else {"train"}
    for split in sorted(needed):
        for name in ("neg", "pos"):
            if (split, LABEL_OF_FOLDER[name]) not in classes:
                raise SentimentError(f"{where}: no reviews under aclImdb/{split}/{name}; is this aclImdb, whole?")
    return ReleasedReviews(rows, digest.hexdigest())


def decode(content: bytes, key: ReviewKey, where: str) -> str:
    """Decode a review.

    Raises:
        SentimentError: it is not UTF-8; the message has the file and the byte.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        split = "train" if SPLITS[key.split] == "unsupervised" else SPLITS[key.split]
        folder = {label: name for name, label in LABEL_OF_FOLDER.items()}[key.label]
        name = f"{split}/{folder}/{key.identifier}_{key.stars}.txt"
        raise SentimentError(f"{where}: {name} is not UTF-8 at byte {error.start}; convert it first") from None
