"""The text that a language model may read: train and unsupervised reviews, without what choices and tests need."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.errors import SentimentError
from pipeline.splits import SPLIT_SEED, held_out_rows
from pipeline.tokens import read_form_ids, read_forms
from pipeline.vocabulary import Vocabulary

SPLITS = ("train", "unsupervised")


@dataclass(frozen=True)
class PretrainingText:
    """Reviews as token ids, without labels.

    Attributes:
        reviews: int32 arrays, none empty: what is learnt from.
        held_out: likewise: the validation part of train, which perplexity is measured on.
        left_out: rows of each split that have a near duplicate in test or in the validation part.
    """

    reviews: list[NDArray[np.int32]]
    held_out: list[NDArray[np.int32]]
    left_out: dict[str, int]


def duplicate_groups(corpus_folder: Path, split: str) -> NDArray[np.int64]:
    """Return the duplicate group of each row of a split, int64; none where the corpus lacks the split."""
    path = corpus_folder / f"{split}.arrow"
    if not path.exists():
        return np.zeros(0, dtype=np.int64)
    groups: NDArray[np.int64] = read_arrow(path, ["duplicate_group"], "data")["duplicate_group"].to_numpy()
    return groups


def load_pretraining_text(
    corpus_folder: Path, tokens_folder: Path, vocabulary: Vocabulary, validation_fraction: float
) -> PretrainingText:
    """Read the unlabelled text. Near duplicates of test reviews and of validation reviews are left out.

    The validation part is the classifier's own, so that its validation figures are of reviews that no stage has read.

    Raises:
        SentimentError: a file is missing or damaged, or nothing is left to read.
    """
    labels = read_arrow(corpus_folder / "train.arrow", ["label"], "data")["label"].to_numpy()
    groups = {split: duplicate_groups(corpus_folder, split) for split in (*SPLITS, "test")}
    validation = held_out_rows(labels, groups["train"], validation_fraction, SPLIT_SEED)
    unread = np.concatenate([groups["test"], groups["train"][validation]])
    ids_of_forms = vocabulary.token_ids(read_forms(tokens_folder))
    reviews: list[NDArray[np.int32]] = []
    held_out: list[NDArray[np.int32]] = []
    left_out: dict[str, int] = {}
    for split in SPLITS:
        if not len(groups[split]):
            continue
        form_ids, offsets = read_form_ids(tokens_folder, split)
        token_ids = ids_of_forms[form_ids]
        sequences = [token_ids[start:end] for start, end in itertools.pairwise(offsets)]
        readable = ~np.isin(groups[split], unread)
        reviews += [sequence for sequence, kept in zip(sequences, readable, strict=True) if kept and len(sequence)]
        left_out[split] = int((~readable).sum())
        if split == "train":
            left_out[split] -= len(validation)
            held_out = [sequences[row] for row in validation if len(sequences[row])]
    if not reviews or not held_out:
        raise SentimentError(f"{corpus_folder}: too few reviews to learn from; give a source with more")
    return PretrainingText(reviews, held_out, left_out)
