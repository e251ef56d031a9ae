"""From ragged token ids to padded batches of reviews of like length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.special_tokens import PAD_ID

BATCHES_PER_POOL = 50
"""Reviews are sorted by length inside pools of this many batches: little padding, and batches that stay random."""


def cut_to_head_and_tail(token_ids: NDArray[np.int32], max_tokens: int) -> NDArray[np.int32]:
    """Return at most ``max_tokens`` token ids: the first half and the last half of a longer review; 0 never cuts."""
    if max_tokens == 0 or len(token_ids) <= max_tokens:
        return token_ids
    head = max_tokens // 2
    return np.concatenate([token_ids[:head], token_ids[len(token_ids) - (max_tokens - head) :]])


def pad(sequences: Sequence[NDArray[np.int32]]) -> tuple[Tensor, Tensor]:
    """Return a padded batch.

    An empty sequence becomes one ``<pad>`` of length 1, so that every review has a state to pool.

    Returns:
        token_ids: int64, (B, T), ``<pad>`` after each review's end.
        lengths: int64, (B,), all at least 1.
    """
    lengths = np.asarray([max(len(sequence), 1) for sequence in sequences], dtype=np.int64)
    token_ids = np.full((len(sequences), int(lengths.max())), PAD_ID, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        token_ids[row, : len(sequence)] = sequence
    return torch.from_numpy(token_ids), torch.from_numpy(lengths)


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
