"""Reviews with their true classes, as evaluation reads them: the test split of a corpus, or any labelled file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import read_manifest, sha256_of_file
from pipeline.columns import ColumnChoice, LabelReader
from pipeline.errors import SentimentError
from pipeline.evaluation.columns_read import columns_read
from pipeline.evaluation.stored_texts import StoredTexts, store_reviews
from pipeline.evaluation.wording import windows_of
from pipeline.metrics import Labels, Mask
from pipeline.review_tables import column_names, read_reviews


@dataclass(frozen=True)
class LabelledTexts:
    """Reviews with their true classes.

    Attributes:
        texts: N raw texts; those of a file stay on the disk (:class:`~pipeline.evaluation.stored_texts.StoredTexts`).
        labels: int8 (N,), 1 positive, 0 negative.
        rows: int64 (N,), row in the split, or position among a file's reviews that have text; from 0.
        description: the ``data`` entry of ``metrics.json``.
        leak_free: bool (N,), or None where that is unknown.
        leakage: the ``leakage`` entry of ``metrics.json``; None for a file.
        ratings: int8 (N,), stars 1 to 10, -1 where a review has none; None where the source has none at all.
    """

    texts: Sequence[str]
    labels: Labels
    rows: NDArray[np.int64]
    description: dict[str, Any]
    leak_free: Mask | None = None
    leakage: dict[str, Any] | None = None
    ratings: NDArray[np.int8] | None = None


def column(table: pa.Table, name: str) -> NDArray[Any]:
    """Return a numeric column without nulls as a NumPy array."""
    return np.asarray(table.column(name).to_numpy())


def ratings_of(table: pa.Table) -> NDArray[np.int8] | None:
    """Return the stars of each review, int8 (N,), -1 for none; None where no review has any."""
    ratings = table.column("rating")
    if ratings.null_count == len(ratings):
        return None
    return np.asarray(ratings.fill_null(-1).to_numpy()).astype(np.int8)


def require_labels(path: Path, labels: NDArray[Any]) -> Labels:
    """Return the labels as int8 after checking that there are some and that all are 0 or 1.

    Raises:
        SentimentError: no rows, or a row without a class.
    """
    if labels.size == 0:
        raise SentimentError(f"{path}: no labelled reviews; there is nothing to evaluate")
    strange = np.flatnonzero((labels != 0) & (labels != 1))
    if strange.size:
        row = int(strange[0])
        raise SentimentError(f"{path}: row {row} has label {labels[row]}, neither 0 nor 1; build the corpus again")
    return labels.astype(np.int8)


def digests_of(texts: Sequence[str], labels: Labels) -> dict[str, str]:
    """Return what tells whether two evaluations are of the same reviews and classes in the same order.

    Args:
        texts: N texts; each goes in with its length before it, so that none runs into the next.
        labels: int8 (N,).

    Returns:
        ``texts_sha256`` and ``labels_sha256``, hexadecimal.
    """
    digest = hashlib.sha256()
    for window in windows_of(texts):
        for text in texts[window]:
            content = text.encode("utf-8", "surrogatepass")
            digest.update(len(content).to_bytes(8, "little") + content)
    return {"texts_sha256": digest.hexdigest(), "labels_sha256": hashlib.sha256(labels.tobytes()).hexdigest()}


def same_corpus(config: Mapping[str, Any], corpus_fingerprint: str) -> bool:
    """Say whether the model was trained on this very corpus."""
    return bool(config.get("corpus", {}).get("fingerprint") == corpus_fingerprint)


def leak_free_rows(corpus_folder: Path, test_groups: NDArray[np.int64]) -> tuple[Mask, dict[str, Any]]:
    """Find the test reviews with no near duplicate in what the model was trained on.

    That is train alone: what the unsupervised split shares with test is left out before any stage learns from it.

    Args:
        corpus_folder: of the corpus the model was trained on.
        test_groups: duplicate group of each test review, (N,).

    Returns:
        bool (N,), True where no group is shared, and the ``leakage`` entry of ``metrics.json``.
    """
    table = read_arrow(corpus_folder / "train.arrow", ["duplicate_group"], "data")
    seen = np.isin(test_groups, column(table, "duplicate_group"))
    rows = int(seen.sum())
    leakage = {"known": True, "compared_with": ["train"], "shared_with": {"train": rows}, "rows": rows}
    return ~seen, leakage


def name_of_source(source: str | None) -> str | None:
    """Return a source as a report may name it: a hub id as it is, of a local path the last part alone."""
    is_path = source is not None and (source.startswith((".", "/", "~")) or source.count("/") > 1)
    return Path(source).name if source is not None and is_path else source


def read_test_split(corpus_folder: Path, config: Mapping[str, Any]) -> LabelledTexts:
    """Read the test split of a corpus with its labels and find its leak-free part.

    Raises:
        SentimentError: the corpus is unfinished or damaged.
    """
    manifest = read_manifest(corpus_folder, "data")
    path = corpus_folder / "test.arrow"
    table = read_arrow(path, ["row", "text", "label", "rating", "duplicate_group"], "data")
    labels = require_labels(path, column(table, "label"))
    texts = StoredTexts(path.open("rb"), [len(chunk) for chunk in table.column("text").chunks])
    description = {
        "kind": "test split",
        "name": str(manifest.get("name", corpus_folder.name)),
        "fingerprint": manifest["fingerprint"],
        "rows": labels.size,
        "source": name_of_source(manifest.get("source")),
        "split": manifest.get("split"),
        "sample": bool(manifest.get("sample", False)),
        "trained_on_this_corpus": same_corpus(config, manifest["fingerprint"]),
        **digests_of(texts, labels),
    }
    leak_free: Mask | None = None
    leakage: dict[str, Any] = {"known": False, "reason": "the model was trained on another corpus"}
    if description["trained_on_this_corpus"]:
        leak_free, leakage = leak_free_rows(corpus_folder, column(table, "duplicate_group"))
    return LabelledTexts(
        texts,
        labels,
        column(table, "row"),
        description,
        leak_free,
        leakage,
        ratings_of(table),
    )


def read_labelled_file(
    path: Path, text_column: str | None, label_column: str | None, label_positive: str | None
) -> LabelledTexts:
    """Read a CSV, TSV or Parquet file of reviews with labels, and stars where :func:`read_reviews` finds them.

    Rows without text are left out and counted.

    Raises:
        SentimentError: the file, a column or a label is at fault.
    """
    if not path.is_file():
        fault = "a folder" if path.is_dir() else "not found"
        raise SentimentError(f"{path}: {fault}; give a CSV, TSV or Parquet file with a text and a label column")
    choice = ColumnChoice(text=text_column, label=label_column, positive=label_positive)
    reader = LabelReader(label_positive)
    table, texts, blank = store_reviews(lambda rows: read_reviews(path, choice, reader, rows))
    labels = require_labels(path, column(table, "label"))
    description = {
        "kind": "labelled file",
        "name": path.name,
        "slug": re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "file",
        "fingerprint": sha256_of_file(path),
        "rows": labels.size,
        "rows_without_text": blank,
        "sample": False,
        **columns_read(column_names(path), choice, reader.read_as()),
        **digests_of(texts, labels),
    }
    return LabelledTexts(texts, labels, np.arange(labels.size), description, ratings=ratings_of(table))
