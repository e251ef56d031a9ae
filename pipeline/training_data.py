"""The training split as token ids, with its validation part held out."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.config import UnknownWords
from pipeline.errors import SentimentError
from pipeline.splits import SPLIT_SEED, held_out_rows
from pipeline.tokens import read_form_ids, read_forms
from pipeline.vocabulary import Vocabulary


@dataclass(frozen=True)
class TaughtReviews:
    """Reviews without a true label, and how sure a teacher is that each is positive.

    Attributes:
        sequences: int32 token ids, uncut.
        probabilities: float32, (N,).
    """

    sequences: list[NDArray[np.int32]] = field(default_factory=list)
    probabilities: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))


@dataclass(frozen=True)
class TrainingData:
    """The training split in memory, as token ids.

    Attributes:
        sequences: int32 token ids of each row of the training split, uncut.
        labels: int8, (N,).
        training_rows: int64, sorted; the rows that weights are fitted on.
        validation_rows: int64, sorted; the rows that every choice is made on.
        taught: further reviews to learn from.
    """

    sequences: list[NDArray[np.int32]]
    labels: NDArray[np.int8]
    training_rows: NDArray[np.int64]
    validation_rows: NDArray[np.int64]
    taught: TaughtReviews = field(default_factory=TaughtReviews)


def read_labels_and_groups(corpus_folder: Path) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Return the labels, int8, (N,), and duplicate groups, int64, (N,), of the training split.

    Raises:
        SentimentError: the split is missing or damaged.
    """
    table = read_arrow(corpus_folder / "train.arrow", ["label", "duplicate_group"], "data")
    return table["label"].to_numpy().copy(), table["duplicate_group"].to_numpy().copy()


def load_training_data(
    corpus_folder: Path,
    tokens_folder: Path,
    vocabulary: Vocabulary,
    validation_fraction: float,
    unknown_words: UnknownWords = "unk",
) -> TrainingData:
    """Read the training split and hold out its validation part.

    Args:
        corpus_folder: what ``sentiment data`` wrote.
        tokens_folder: what ``sentiment tokens`` wrote.
        vocabulary: gives the token ids.
        validation_fraction: share of the split that is held out.
        unknown_words: what becomes of words that the vocabulary lacks, as the model's settings say.

    Raises:
        SentimentError: a file is missing or damaged; a side of the split would be empty or of one class.
    """
    labels, groups = read_labels_and_groups(corpus_folder)
    form_ids, offsets = read_form_ids(tokens_folder, "train")
    token_ids = vocabulary.token_ids(read_forms(tokens_folder), unknown_words)[form_ids]
    validation_rows = held_out_rows(labels, groups, validation_fraction, SPLIT_SEED)
    training_rows = np.setdiff1d(np.arange(len(labels)), validation_rows)
    for side, rows in (("training", training_rows), ("validation", validation_rows)):
        if len(np.unique(labels[rows])) < 2:
            raise SentimentError(
                f"{corpus_folder}/train.arrow: the {side} part has {len(rows)} reviews and not both classes; "
                "give a source with more labelled reviews"
            )
    sequences = [token_ids[start:end] for start, end in itertools.pairwise(offsets)]
    return TrainingData(sequences, labels, training_rows, validation_rows)
