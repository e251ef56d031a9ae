"""Seeded splits that keep duplicates together and the label balance as it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import sha256_of_text

SPLIT_SEED = 20_110_619
"""Seed of the validation split. Fixed, so that recipes and seeds are compared on the same reviews."""


def held_out_rows(
    labels: NDArray[np.int8], duplicate_groups: NDArray[np.int64], fraction: float, seed: int
) -> NDArray[np.int64]:
    """Choose rows to hold out: about ``fraction`` of each label, whole duplicate groups at a time.

    A group goes by the label of its first row. Groups are drawn in random order until the label's share is reached, so
    that the share is exceeded by less than one group.

    Args:
        labels: (N,).
        duplicate_groups: (N,); rows with the same number stay on one side.
        fraction: share to hold out, in (0, 1).
        seed: the same seed gives the same rows.

    Returns:
        int64, sorted row numbers.
    """
    generator = np.random.default_rng(seed)
    groups, first_rows, group_of_row, group_sizes = np.unique(
        duplicate_groups, return_index=True, return_inverse=True, return_counts=True
    )
    label_of_group = labels[first_rows]
    held_out = np.zeros(len(groups), dtype=bool)
    for label in np.unique(label_of_group):
        of_label = generator.permutation(np.flatnonzero(label_of_group == label))
        wanted = fraction * group_sizes[of_label].sum()
        before = np.cumsum(group_sizes[of_label]) - group_sizes[of_label]
        held_out[of_label[before < wanted - 0.5]] = True
    return np.flatnonzero(held_out[group_of_row]).astype(np.int64)


def fingerprint_of_rows(rows: NDArray[np.int64]) -> str:
    """Return what tells one set of held-out rows from another."""
    return sha256_of_text(",".join(map(str, rows.tolist())))
