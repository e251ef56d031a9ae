"""GloVe 6B from its mirrors: only the wanted table's bytes out of the zip, or the whole zip where nothing else works.

A server that grants byte ranges is asked for the zip's directory and then for the one member's compressed bytes, which
are unpacked and checked against the member's CRC: about 130 MB of 862 for 100 dimensions. Another server's zip is
fetched whole and checked against its published size and SHA-256. Either way the bytes gather in a hidden ``.partial``
file that the next attempt, or the next run, goes on from; the finished table appears by rename.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests

from pipeline.artifacts import exclusive, sha256_of_file, sync_file, sync_folder
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.mirror import BLOCK, ZIP_START, Mirror, MirrorError, Patience, RemoteFile, size_of

GLOVE_TABLES = {f"glove.6B.{dimension}d": dimension for dimension in (50, 100, 200, 300)}
"""The tables that can be fetched by name, and their dimensions."""

ZIP_NAME = "glove.6B.zip"
DIRECTORY_BLOCK = 1 << 16
LOCAL_HEADER_BYTES = 30
"""A zip member's own header before its name; the lengths of its name and extra field stand at 26 and 28."""
ENCRYPTED = 1
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Archive:
    """A published zip: where it lies and how to know it."""

    mirrors: tuple[str, ...]
    size: int
    sha256: str


GLOVE_6B = Archive(
    mirrors=(
        "https://nlp.stanford.edu/data/glove.6B.zip",
        "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.6B.zip",
    ),
    size=862_182_613,
    sha256="617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
)


def _read_directory(mirror: Mirror, member_name: str) -> tuple[zipfile.ZipInfo, int]:
    """Return a member of the remote zip and where its compressed bytes begin."""
    try:
        with (
            io.BufferedReader(RemoteFile(mirror), DIRECTORY_BLOCK) as stream,
            zipfile.ZipFile(stream) as archive,
        ):
            member = archive.getinfo(member_name)
            stream.seek(member.header_offset)
            header = stream.read(LOCAL_HEADER_BYTES)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, struct.error) as error:
        raise MirrorError(f"its zip has no readable {member_name}") from error
    packed = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not header.startswith(ZIP_START) or not packed or member.flag_bits & ENCRYPTED:
        raise MirrorError(f"its zip has no readable {member_name}")
    return member, member.header_offset + LOCAL_HEADER_BYTES + sum(struct.unpack_from("<HH", header, 26))


def _unpacked(packed: IO[bytes], member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member's content from its compressed bytes; fail at the end unless size and CRC are right."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if member.compress_type == zipfile.ZIP_DEFLATED else None
    checksum = size = 0
    try:
        while block := packed.read(BLOCK):
            content = inflater.decompress(block) if inflater else block
            checksum = zlib.crc32(content, checksum)
            size += len(content)
            yield content
    except zlib.error as error:
        raise MirrorError("sent damaged bytes") from error
    if (size, checksum) != (member.file_size, member.CRC):
        raise MirrorError("sent bytes that do not fit the zip's checksum")


def _write_whole(target: Path, blocks: Iterator[bytes]) -> None:
    temporary = target.with_name(f".{target.name}.unpacking")
    try:
        with temporary.open("wb") as stream:
            stream.writelines(blocks)
        sync_file(temporary)
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def fetch_glove(
    name: str,
    cache_folder: Path,
    console: Console,
    *,
    archive: Archive = GLOVE_6B,
    patience: Patience = Patience(),  # noqa: B008 (frozen)
) -> Path:
    """Return the path of a GloVe 6B table, fetched unless the cache has it.

    Args:
        name: one of ``GLOVE_TABLES``.
        cache_folder: keeps the table (``NAME.txt``) and what an interrupted download has brought so far; a
            ``glove.6B.zip`` that lies there already is used.
        console: told about progress and about mirrors that fail.
        archive: the zip and its mirrors, tried in order.
        patience: timeouts and attempts.

    Raises:
        SentimentError: no mirror delivered it, the disk refused, or another run is fetching it.
    """
    target = cache_folder / f"{name}.txt"
    try:
        if not target.is_file():
            with exclusive(target):
                if not target.is_file():
                    _fetch(target, archive, patience, console)
    except OSError as error:
        raise SentimentError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _fetch(target: Path, archive: Archive, patience: Patience, console: Console) -> None:
    zip_path = target.parent / ZIP_NAME
    if zip_path.is_file():
        if _is_published(zip_path, archive):
            return _unpack_local(zip_path, target)
        console.say(f"{zip_path}: not the published zip (its SHA-256 differs); left aside")
    failures = []
    with requests.Session() as session:
        for url in archive.mirrors:
            mirror = Mirror(url, archive.size, patience, session)
            console.say(f"{target.stem}: fetching it from {mirror.host}")
            try:
                if mirror.grants_ranges():
                    return _fetch_member(mirror, target, console)
                return _fetch_zip(mirror, zip_path, target, archive, console)
            except MirrorError as error:
                failures.append(f"{mirror.host} {error}")
                console.say(f"{target.stem}: {failures[-1]}")
    resume = "run again to go on from what has arrived, or " if any(target.parent.glob(".*.partial")) else ""
    raise SentimentError(
        f"{target.stem}: no mirror delivered it ({'; '.join(failures)}); {resume}"
        "give a local table or zip with --vectors FILE (make: VECTORS=FILE), or do without: --vectors none"
    )


def _fetch_member(mirror: Mirror, target: Path, console: Console) -> None:
    member, first = _read_directory(mirror, target.name)
    partial = target.with_name(f".{target.name}.{member.CRC:08x}-{member.compress_size}.partial")
    _complete(mirror, partial, first, member.compress_size, console)
    try:
        with partial.open("rb") as packed:
            _write_whole(target, _unpacked(packed, member))
    except MirrorError:
        partial.unlink()
        raise
    partial.unlink()


def _fetch_zip(mirror: Mirror, zip_path: Path, target: Path, archive: Archive, console: Console) -> None:
    console.say(f"{target.stem}: {mirror.host} sends whole files only; fetching all of {ZIP_NAME}")
    partial = zip_path.with_name(f".{ZIP_NAME}.partial")
    with exclusive(zip_path):
        _complete(mirror, partial, 0, archive.size, console)
        if not _is_published(partial, archive):
            partial.unlink()
            raise MirrorError("sent a zip whose SHA-256 is not the published one")
        sync_file(partial)
        partial.replace(zip_path)
    _unpack_local(zip_path, target)


def _complete(mirror: Mirror, partial: Path, first: int, size: int, console: Console) -> None:
    have = size_of(partial)
    if have > size:
        partial.unlink()
    elif have:
        console.say(f"{mirror.host}: {have / MEGABYTE:,.1f} of {size / MEGABYTE:,.1f} MB are here already")
    with console.progress(-(-size // MEGABYTE), "download", unit="MB") as bar:
        mirror.complete(partial, first, size, _advance(bar))


def _advance(bar: Any) -> Callable[[int], None]:
    """Return what moves a progress bar to a size in bytes."""
    return lambda size: bar.update(size // MEGABYTE - bar.n)


def _is_published(path: Path, archive: Archive) -> bool:
    return size_of(path) == archive.size and sha256_of_file(path) == archive.sha256


def _unpack_local(zip_path: Path, target: Path) -> None:
    with zipfile.ZipFile(zip_path) as archive, archive.open(target.name) as stream:
        _write_whole(target, iter(lambda: stream.read(BLOCK), b""))
