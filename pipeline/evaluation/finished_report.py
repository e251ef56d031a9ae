"""A report that stands on the disk: its figures, and what its model answered on each review.

Reports of every version since the first are read: what is taken of them has kept its meaning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.artifacts import read_json
from pipeline.errors import SentimentError
from pipeline.evaluation.predictions import PREDICTIONS_NAME, SLICE_PREFIX
from pipeline.metrics import Labels, Mask, Probabilities, predictions

METRICS_NAME = "metrics.json"
READABLE_VERSIONS = (1, 2)
DIGESTS = ("texts_sha256", "labels_sha256")
"""Keys of the ``data`` entry that tell whether reviews and classes are the same; the first version has none."""
AGAIN = "run `sentiment evaluate` for this model again"


@dataclass(frozen=True)
class Groups:
    """Which group of a slicing each of N reviews falls into.

    Attributes:
        names: of the groups that hold a review, sorted.
        membership: int32 (N,), position in ``names``; -1 in none of them.
    """

    names: tuple[str, ...]
    membership: NDArray[np.int32]

    def same_as(self, other: Groups) -> bool:
        """Say whether every review falls into the same group."""
        return self.names == other.names and np.array_equal(self.membership, other.membership)

    def within(self, name: str) -> Mask:
        """Return which reviews fall into a group, bool (N,)."""
        position = self.names.index(name) if name in self.names else len(self.names)
        return np.asarray(self.membership == position)


@dataclass(frozen=True)
class Answers:
    """What a model answered on N reviews, by rising row.

    Attributes:
        rows: int64 (N,), each once.
        labels: int8 (N,), 1 positive, 0 negative.
        probabilities: float64 (N,), of positive.
        leak_free: bool (N,); None where that is not known of every review.
        groups: by slicing.
    """

    rows: NDArray[np.int64]
    labels: Labels
    probabilities: Probabilities
    leak_free: Mask | None = None
    groups: Mapping[str, Groups] = field(default_factory=dict)

    @property
    def predicted(self) -> Labels:
        """Return the predicted classes, int8 (N,)."""
        return predictions(self.probabilities)


@dataclass(frozen=True)
class FinishedReport:
    """A report as it was found.

    Attributes:
        folder: that holds it.
        metrics: the content of its ``metrics.json``.
    """

    folder: Path
    metrics: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return the name of its folder."""
        return self.folder.resolve().name

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the data that was scored."""
        return str(self.metrics["data"]["fingerprint"])

    def other_reviews(self, data: Mapping[str, Any]) -> list[str]:
        """Return the keys by which it is about other texts or classes than those of a ``data`` entry.

        One file may be evaluated by several of its columns, and with another label as the positive one.
        """
        mine = self.metrics["data"]
        both = [name for name in ("fingerprint", *DIGESTS) if name in mine and name in data]
        return [name for name in both if mine[name] != data[name]]

    def answers(self) -> Answers:
        """Return what the model answered.

        Raises:
            SentimentError: ``predictions.parquet`` is missing, damaged, or of another run than ``metrics.json``.
        """
        answers = read_answers(self.folder / PREDICTIONS_NAME)
        right = int((answers.predicted == answers.labels).sum())
        if (answers.rows.size, right) != (self.metrics["all"]["rows"], self.metrics["all"]["correct"]):
            raise SentimentError(
                f"{self.folder / PREDICTIONS_NAME}: does not go with {METRICS_NAME} beside it; {AGAIN}"
            )
        return answers


def has_figures(whole: Mapping[str, Any]) -> bool:
    """Say whether the ``all`` entry of a ``metrics.json`` has counts, and an accuracy and interval that can be theirs.

    Raises:
        KeyError, TypeError, ValueError: an entry is missing, or of another type or length.
    """
    rows, correct = whole["rows"], whole["correct"]
    low, high = whole["accuracy_interval"]
    counts = isinstance(rows, int) and isinstance(correct, int) and 0 <= correct <= rows and rows > 0
    return counts and math.isclose(whole["accuracy"], correct / rows, abs_tol=1e-6) and 0 <= low <= high <= 1


def has_names(metrics: Mapping[str, Any]) -> bool:
    """Say whether what names the data, the model and the run is text.

    Raises:
        AttributeError, KeyError, TypeError: an entry is missing or of another type.
    """
    data, model = metrics["data"], metrics["model"]
    required = [data["fingerprint"], data["kind"], data["name"], model["name"]]
    required += [metrics["evaluated_at"], metrics["command"]]
    optional = [model.get("weights_sha256"), *(data.get(name) for name in (*DIGESTS, "text_column"))]
    return all(isinstance(name, str) for name in required + [name for name in optional if name is not None])


def has_groups(slices: Mapping[str, Any]) -> bool:
    """Say whether each slicing of a ``metrics.json`` has a plain name, a title, a definition and names of its groups.

    Raises:
        AttributeError, KeyError, TypeError: an entry is missing or of another type.
    """
    return all(name.isidentifier() for name in slices) and all(
        isinstance(words, str)
        for entry in slices.values()
        for words in (entry["title"], entry["definition"], *(group["name"] for group in entry["groups"]))
    )


def read_report(folder: Path) -> FinishedReport:
    """Read a report's ``metrics.json``.

    Raises:
        SentimentError: it is missing, damaged, or of a version that is not known.
    """
    path = folder / METRICS_NAME
    metrics = read_json(path, AGAIN)
    if metrics.get("schema_version") not in READABLE_VERSIONS:
        raise SentimentError(f"{path}: written by another version of this program; {AGAIN}")
    try:
        sound = has_figures(metrics["all"]) and has_names(metrics) and has_groups(metrics["all"].get("slices", {}))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SentimentError(f"{path}: damaged ({type(error).__name__} {error}); {AGAIN}") from error
    if not sound:
        raise SentimentError(f"{path}: damaged (a value that cannot be right); {AGAIN}")
    return FinishedReport(folder, metrics)


def read_answers(path: Path) -> Answers:
    """Read a ``predictions.parquet``.

    Raises:
        SentimentError: it is missing or damaged.
    """
    try:
        with path.open("rb") as stream:
            table = pq.read_table(stream)
        rows = table.column("row").cast(pa.int64()).to_numpy()
        labels = table.column("label").cast(pa.int8()).to_numpy()
        probabilities = table.column("probability").cast(pa.float64()).to_numpy()
        order = np.argsort(rows, kind="stable")
        groups = {
            name.removeprefix(SLICE_PREFIX): groups_of(table.column(name), order)
            for name in table.column_names
            if name.startswith(SLICE_PREFIX)
        }
        found = Answers(rows[order], labels[order], probabilities[order], leak_free_of(table, order), groups)
    except FileNotFoundError:
        raise SentimentError(f"{path}: not found; {AGAIN}") from None
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise SentimentError(f"{path}: damaged ({reason}); {AGAIN}") from error
    fault = fault_of(found)
    if fault:
        raise SentimentError(f"{path}: damaged ({fault}); {AGAIN}")
    return found


def groups_of(column: pa.ChunkedArray, order: NDArray[np.int64]) -> Groups:
    """Return a slicing that is written as the name of each review's group, in this order of the reviews."""
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    by_name = np.argsort(names, kind="stable")
    positions = np.full(names.size + 1, -1, dtype=np.int32)  # the last is that of a review in no group
    positions[by_name] = np.arange(names.size)
    return Groups(tuple(names[by_name]), positions[encoded.indices.fill_null(names.size).to_numpy()[order]])


def leak_free_of(table: pa.Table, order: NDArray[np.int64]) -> Mask | None:
    """Return which reviews are leak-free, in this order, bool (N,); None where that is not known of each."""
    if "leak_free" not in table.column_names or table.column("leak_free").null_count:
        return None
    return np.asarray(table.column("leak_free").to_numpy()).astype(np.bool_)[order]


def fault_of(answers: Answers) -> str:
    """Return what is wrong with answers that were read; empty where nothing is."""
    if answers.rows.size == 0:
        return "no rows"
    if (np.diff(answers.rows) <= 0).any():
        return "a row twice"
    if not np.isin(answers.labels, (0, 1)).all():
        return "a label that is neither 0 nor 1"
    if not ((answers.probabilities >= 0) & (answers.probabilities <= 1)).all():
        return "a probability that is not between 0 and 1"
    return ""
