"""Where reviews come from: the hub, a folder, the IMDb release, a table with labels, or the embedded sample."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.archive import find_release, read_release_archive, read_release_folder
from pipeline.artifacts import sha256_of_file, sha256_of_text, to_json
from pipeline.columns import ColumnChoice, LabelReader
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.hub import HubDataset, read_hub
from pipeline.review_tables import TABLE_SUFFIXES, read_reviews
from pipeline.reviews import NEGATIVE, POSITIVE, SPLITS, ReviewRows, SourceReviews

SAMPLE_SOURCE = "sample"
SAMPLE_NAME = "demo"
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")
SPLIT_FILE = re.compile(r"(train|test|unsupervised)(?:-(\d{5})-of-(\d{5}))?\.(?:parquet|csv|tsv)", re.IGNORECASE)
FILES_NAMED = 10
"""How many files a message names."""
HUB_ID = re.compile(r"([\w.-]+/[\w.-]+?)(?:@([\w.-]+))?")
EXPECTED = (
    "a source is a hub id such as stanfordnlp/imdb, a folder with train and test as .parquet or .csv, aclImdb/, "
    "aclImdb_v1.tar.gz, or a .csv, .tsv or .parquet file with text and label columns"
)


def slug_of(name: str) -> str:
    """Return a name in lower case, everything but a-z and 0-9 turned into single hyphens.

    Raises:
        UsageError: nothing is left of it.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug:
        raise UsageError(f"{name!r}: holds no letter a-z or digit to name the corpus by; say --name")
    return slug


def read_source(source: str, columns: ColumnChoice, console: Console, *, name: str | None, seed: int) -> SourceReviews:
    """Read a source.

    Args:
        source: hub id (``OWNER/NAME`` or ``OWNER/NAME@REVISION``), path, or ``sample``.
        columns: which columns, where the source has columns.
        console: told about progress and about rows left out.
        name: slug of the corpus; None takes it from the source.
        seed: seed of the sample.

    Raises:
        SentimentError: the source is missing, damaged, or not as it must be; the message is one line.
    """
    slug = None if name is None else slug_of(name)
    path = Path(source).expanduser()
    if source == SAMPLE_SOURCE:
        reviews = read_sample(seed)
    elif path.is_dir():
        reviews = read_folder(path, source, columns, console)
    elif path.is_file():
        reviews = read_file(path, source, columns, console)
    else:
        reviews = read_from_hub(source, path, columns, console)
    require_both_classes(reviews, columns)
    reviews.name = slug or reviews.name
    for split, blank in reviews.blank.items():
        console.say(f"{source}: {blank:,} rows of {split} left out, for their text is blank")
    return reviews


def require_both_classes(reviews: SourceReviews, columns: ColumnChoice) -> None:
    """Check that train has positive and negative reviews.

    Raises:
        SentimentError: it has not.
    """
    labels = set(reviews.tables["train"].column("label").unique().to_pylist())
    for label, kind in ((POSITIVE, "positive"), (NEGATIVE, "negative")):
        if label not in labels:
            hint = "" if columns.positive is None else f" with {columns.positive!r} taken as positive"
            remedy = "say which label means positive with --label-positive"
            raise SentimentError(f"{reviews.description}: no {kind} review in train{hint}; {remedy}")


def read_sample(seed: int) -> SourceReviews:
    """Return the embedded sample, which is no data of anybody's."""
    from pipeline.sample import sample_corpus

    parts = sample_corpus(seed)
    fingerprint = sha256_of_text(to_json(parts))
    reviews = SourceReviews(SAMPLE_NAME, f"embedded sample, seed {seed}", fingerprint, sample=True)
    for split in SPLITS:
        if split in parts:
            rows = ReviewRows()
            for text, label in parts[split]:
                rows.append(text, label)
            reviews.add(split, rows)
    return reviews


def read_file(path: Path, source: str, columns: ColumnChoice, console: Console) -> SourceReviews:
    """Read one file: the archive of the IMDb release, or a table.

    Raises:
        SentimentError: it is neither, or it is damaged.
    """
    lowered = path.name.lower()
    archive_suffix = next((suffix for suffix in ARCHIVE_SUFFIXES if lowered.endswith(suffix)), None)
    if archive_suffix is not None:
        release = read_release_archive(path, console)
        reviews = SourceReviews(slug_of(path.name[: -len(archive_suffix)]), source, release.fingerprint)
        for split, rows in release.rows.items():
            reviews.add(split, rows)
        return reviews
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise SentimentError(f"{path}: of no kind that can be read; {EXPECTED}")
    reviews = SourceReviews(slug_of(path.stem), source, sha256_of_file(path))
    reviews.add("train", read_reviews(path, columns, LabelReader(columns.positive)))
    return reviews


def read_folder(folder: Path, source: str, columns: ColumnChoice, console: Console) -> SourceReviews:
    """Read a folder: the unpacked IMDb release, or one laid out as on the hub.

    Raises:
        SentimentError: it is neither, or a file in it is damaged.
    """
    name = slug_of(folder.resolve().name)
    release_folder = find_release(folder)
    if release_folder is not None:
        release = read_release_folder(release_folder, console)
        reviews = SourceReviews(name, source, release.fingerprint)
        for split, rows in release.rows.items():
            reviews.add(split, rows)
        return reviews
    files = split_files(folder, console)
    reviews = SourceReviews(name, source, fingerprint_of(folder, files))
    labels = LabelReader(columns.positive)
    for split, paths in files.items():
        rows = ReviewRows()
        for path in paths:
            rows.extend(read_reviews(path, columns, None if split == "unsupervised" else labels))
        reviews.add(split, rows)
    return reviews


def split_files(folder: Path, console: Console) -> dict[str, list[Path]]:
    """Find the files of each split in a folder laid out as on the hub, whatever its README says or lacks.

    The files are found by their names and read as they are: `datasets` would drop a split that the README does not
    list, and copy the rest into its cache first. Tables of other names, such as a validation split, are named on the
    console.

    Raises:
        SentimentError: there is no train split; parts of a split are missing, or stand there twice.
    """
    files: dict[str, list[Path]] = {}
    others: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
            match = SPLIT_FILE.fullmatch(path.name)
            (files.setdefault(match[1].lower(), []) if match else others).append(path)
    if "train" not in files:
        raise SentimentError(f"{folder}: no train split (no train.csv or train-00000-of-00001.parquet); {EXPECTED}")
    for split, paths in files.items():
        require_whole(folder, split, paths)
    if others:
        console.say(f"{folder}: left out {names_of(folder, others)}; the splits read are {', '.join(SPLITS)}")
    return {split: files[split] for split in SPLITS if split in files}


def names_of(folder: Path, paths: Sequence[Path]) -> str:
    """Return the first names of files in a folder, for a message."""
    names = ", ".join(path.relative_to(folder).as_posix() for path in paths[:FILES_NAMED])
    return names + (f" and {len(paths) - FILES_NAMED} more" if len(paths) > FILES_NAMED else "")


def require_whole(folder: Path, split: str, paths: Sequence[Path]) -> None:
    """Check that a split's parts are all there, once, by the numbers in their names.

    Raises:
        SentimentError: they are not.
    """
    matches = [match for path in paths if (match := SPLIT_FILE.fullmatch(path.name))]
    numbered = sorted((int(match[2] or 0), int(match[3] or 1)) for match in matches)
    if numbered != [(number, numbered[0][1]) for number in range(numbered[0][1])]:
        found = names_of(folder, paths)
        raise SentimentError(f"{folder}: the {split} split must be there whole and once; found {found}")


def fingerprint_of(folder: Path, files: Mapping[str, Sequence[Path]]) -> str:
    """Return the SHA-256 over the names and contents of the files of a folder."""
    digest = hashlib.sha256()
    for path in (path for paths in files.values() for path in paths):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_of_file(path)}\n".encode())
    return digest.hexdigest()


def read_from_hub(source: str, path: Path, columns: ColumnChoice, console: Console) -> SourceReviews:
    """Read a data set of the hub.

    Raises:
        SentimentError: the source is no id of the hub, or the hub or the data set cannot be had.
    """
    match = HUB_ID.fullmatch(source)
    is_path = path.suffix.lower() in (*TABLE_SUFFIXES, ".gz", ".tgz", ".tar") or Path(source.split("/")[0]).exists()
    if match is None or is_path:
        raise SentimentError(f"{source}: not found; {EXPECTED}")
    dataset = HubDataset.parse(match[1], match[2])
    splits, revision = read_hub(dataset, columns, console)
    reviews = SourceReviews(slug_of(match[1].split("/")[1]), f"{dataset.identifier}@{revision}", revision)
    for split, rows in splits.items():
        reviews.add(split, rows)
    return reviews
