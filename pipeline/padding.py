"""From ragged token ids to a padded batch, for torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.special_tokens import PAD_ID


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
