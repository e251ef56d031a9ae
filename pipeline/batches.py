"""Which reviews meet in a batch: those of like length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BATCHES_PER_POOL = 50
"""Reviews are sorted by length inside pools of this many batches: little padding, and batches that stay random."""


def shuffled_batches(
    lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return the indices of each batch of one epoch: every review once, reviews of like length together.

    Args:
        lengths: (N,), tokens of each review.
        batch_size: reviews in a batch; the last batch may be smaller.
        generator: decides which reviews meet and in which order the batches come.
    """
    order = generator.permutation(len(lengths))
    pool_size = batch_size * BATCHES_PER_POOL
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), pool_size):
        pool = order[start : start + pool_size]
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        batches.extend(by_length[first : first + batch_size] for first in range(0, len(by_length), batch_size))
    return [batches[index] for index in generator.permutation(len(batches))]


def batches_by_length(lengths: NDArray[np.int64], max_tokens_per_batch: int) -> list[NDArray[np.int64]]:
    """Return the indices of batches for scoring: longest first, each of at most so many tokens with its padding.

    Args:
        lengths: (N,), tokens of each review.
        max_tokens_per_batch: bound on reviews x longest review; a single longer review is a batch of its own.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        size = max(max_tokens_per_batch // longest, 1)
        batches.append(order[start : start + size])
        start += size
    return batches
