"""Streams of reviews for a language model: chunks of text in order, each going on where the one before stopped.

The reviews of an epoch are laid end to end in a random order and cut into as many equal streams as there are rows. A
chunk takes the next tokens of every stream. Where a review ends inside a chunk the row is cut too: a segment is part of
one review, and starts from the state that the review's earlier chunk left, or from zeros if the review starts there. So
the network never sees a state that comes from another review, as in classification. (A review that lies across two
streams is read as two: its later part starts from zeros too.)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.special_tokens import PAD_ID
from pipeline.time_major import TimeMajorBatch, time_major

END_ID = PAD_ID
"""What follows a review's last token: padding, which nothing else predicts."""


@dataclass(frozen=True)
class Chunk:
    """The next tokens of every stream.

    Attributes:
        batch: the segments, longest first.
        targets: int32, (N,); for each token of ``batch`` the one that follows in its review.
        entered_from: int64, (R,); for each sorted segment the stream whose carried state it starts from, or -1.
        carried_to: int64, (R,); for each sorted segment the stream whose next chunk goes on from its last state, or -1.
    """

    batch: TimeMajorBatch
    targets: NDArray[np.int32]
    entered_from: NDArray[np.int64]
    carried_to: NDArray[np.int64]


class ReviewStreams:
    """An epoch's reviews in streams.

    Args:
        reviews: int32 token ids of each review, none empty.
        order: int64; the reviews' order in this epoch.
        streams: how many run side by side.
        chunk_length: tokens of each stream in a chunk.
        reversed_in_time: whether each review is read from its last token to its first.
    """

    def __init__(
        self,
        reviews: Sequence[NDArray[np.int32]],
        order: NDArray[np.int64],
        *,
        streams: int,
        chunk_length: int,
        reversed_in_time: bool,
    ) -> None:
        step = -1 if reversed_in_time else 1
        in_order = [reviews[row][::step] for row in order]
        lengths = np.asarray([len(review) for review in in_order], dtype=np.int64)
        self._tokens = np.concatenate(in_order)
        self._targets = np.append(self._tokens[1:], np.int32(END_ID))
        ends = np.cumsum(lengths)
        self._targets[ends - 1] = END_ID
        self._starts = np.zeros(len(self._tokens) + 1, dtype=np.bool_)  # where a review starts
        self._starts[0] = True
        self._starts[ends] = True
        bounds = np.linspace(0, len(self._tokens), streams + 1).astype(np.int64)
        self._first, self._end = bounds[:-1], bounds[1:]
        self.chunk_length = chunk_length
        self.chunks = int(np.ceil((self._end - self._first).max() / chunk_length))

    def chunk(self, index: int) -> Chunk:
        """Return a chunk, counted from 0; the last one may be shorter in some streams."""
        tokens, targets, entered_from, carried_to = [], [], [], []
        for stream, (first, end) in enumerate(zip(self._first, self._end, strict=True)):
            start = min(first + index * self.chunk_length, end)
            stop = min(start + self.chunk_length, end)
            cuts = start + np.flatnonzero(self._starts[start:stop])
            edges = np.unique(np.concatenate([[start], cuts, [stop]]))
            for left, right in itertools.pairwise(edges):
                tokens.append(self._tokens[left:right])
                targets.append(self._targets[left:right])
                entered_from.append(-1 if self._starts[left] or index == 0 else stream)
                carried_to.append(stream if right == stop else -1)
        batch = time_major(tokens)
        return Chunk(
            batch,
            time_major(targets).token_ids,
            np.asarray(entered_from, dtype=np.int64)[batch.order],
            np.asarray(carried_to, dtype=np.int64)[batch.order],
        )
