"""Which unlabelled reviews may be read, and pieces of them: what a teacher is asked about."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pretraining_data import SPLITS, duplicate_groups
from pipeline.tokens import read_form_ids, read_forms

UNSUPERVISED = SPLITS.index("unsupervised")
ENDS_OF_SENTENCES = (".", "!", "?", "...")
MOST_SENTENCES = 4
"""Of a piece."""
FEWEST_TOKENS = 3
"""Of a piece."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """Stretches of reviews, in tokens.

    Attributes:
        splits: int32, (N,); places in ``SPLITS``.
        rows: int32, (N,).
        starts: int32, (N,).
        ends: int32, (N,).
    """

    splits: NDArray[np.int32]
    rows: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.rows)


def readable_rows(corpus_folder: Path, validation_rows: Rows) -> dict[str, Rows]:
    """Return the rows of each of ``SPLITS`` that have no near duplicate in test or in the validation part."""
    groups = {split: duplicate_groups(corpus_folder, split) for split in (*SPLITS, "test")}
    unread = np.concatenate([groups["test"], groups["train"][validation_rows]])
    return {split: np.flatnonzero(~np.isin(groups[split], unread)) for split in SPLITS}


class TokenisedReviews:
    """The reviews of ``SPLITS``, as the tokens stage left them.

    Args:
        tokens_folder: what ``sentiment tokens`` wrote.
        splits: those that are there.
    """

    def __init__(self, tokens_folder: Path, splits: Sequence[str]) -> None:
        self.forms = read_forms(tokens_folder)
        self._form_ids: dict[str, list[NDArray[np.int32]]] = {split: [] for split in SPLITS}
        for split in splits:
            form_ids, offsets = read_form_ids(tokens_folder, split)
            self._form_ids[split] = [form_ids[start:end] for start, end in itertools.pairwise(offsets)]

    def lengths(self, split: str) -> NDArray[np.int64]:
        """Return the number of tokens of each review, (N,)."""
        return np.asarray([len(form_ids) for form_ids in self._form_ids[split]], dtype=np.int64)

    def span(self, values_of_forms: NDArray[Any], split: str, row: int, start: int, end: int) -> NDArray[Any]:
        """Return a value for each token of a stretch of a review, from a value for each form."""
        return values_of_forms[self._form_ids[split][row][start:end]]

    def spans(self, values_of_forms: NDArray[Any], spans: Spans) -> list[NDArray[Any]]:
        """Return :meth:`span` of each."""
        columns = (spans.rows.tolist(), spans.starts.tolist(), spans.ends.tolist())
        return [
            self.span(values_of_forms, SPLITS[split], row, start, end)
            for split, row, start, end in zip(spans.splits.tolist(), *columns, strict=True)
        ]


def piece_of(ends_sentence: NDArray[np.bool_], generator: np.random.Generator) -> tuple[int, int]:
    """Draw a piece of one review, (start, end): some of its sentences in a row, from one up to ``MOST_SENTENCES``.

    Args:
        ends_sentence: (T,); which tokens end a sentence.
        generator: draws it.
    """
    edges = np.unique(np.concatenate([[0], np.flatnonzero(ends_sentence) + 1, [len(ends_sentence)]]))
    first = int(generator.integers(len(edges) - 1))
    last = min(first + int(generator.integers(1, MOST_SENTENCES + 1)), len(edges) - 1)
    return int(edges[first]), int(edges[last])


def whole_reviews(reviews: TokenisedReviews, readable: Mapping[str, Rows]) -> Spans:
    """Return the unsupervised reviews that may be read."""
    rows = readable[SPLITS[UNSUPERVISED]].astype(np.int32)
    ends = reviews.lengths(SPLITS[UNSUPERVISED])[rows].astype(np.int32)
    return Spans(np.full_like(rows, UNSUPERVISED), rows, np.zeros_like(rows), ends)


def drawn_pieces(reviews: TokenisedReviews, readable: Mapping[str, Rows], count: int, seed: int) -> Spans:
    """Return pieces of reviews of all splits; those shorter than ``FEWEST_TOKENS`` are dropped.

    Args:
        reviews: their tokens.
        readable: rows that may be read.
        count: how many are drawn.
        seed: of the draw.
    """
    generator = np.random.default_rng(seed)
    ends_sentence = np.isin(np.asarray(reviews.forms, dtype=np.str_), ENDS_OF_SENTENCES)
    owners = np.repeat(np.arange(len(SPLITS)), [len(readable[split]) for split in SPLITS])
    rows = np.concatenate([readable[split] for split in SPLITS])
    found: list[tuple[int, int, int, int]] = []
    lengths = {split: reviews.lengths(split) for split in SPLITS}
    for place in generator.integers(len(rows), size=count):
        split, row = int(owners[place]), int(rows[place])
        length = int(lengths[SPLITS[split]][row])
        if length:
            start, end = piece_of(reviews.span(ends_sentence, SPLITS[split], row, 0, length), generator)
            if end - start >= FEWEST_TOKENS:
                found.append((split, row, start, end))
    table = np.asarray(found, dtype=np.int32).reshape(-1, 4)
    return Spans(*(np.ascontiguousarray(column) for column in table.T))
