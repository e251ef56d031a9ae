"""Ragged batches without padding, time by time: the layout that the compiled kernels read.

Reviews are sorted by length, longest first, so that those which still run at a time are a prefix. The token at time t
of review b stands at position ``offsets[t] + b``: each time is a contiguous block, and no padding is ever computed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.kernel_library import Batch, address
from pipeline.special_tokens import PAD_ID


@dataclass(frozen=True)
class TimeMajorBatch:
    """Token ids of a batch, time by time.

    Attributes:
        order: int64, (B,); the batch's row for each place in the sorted order.
        lengths: int32, (B,); not rising, all at least 1.
        offsets: int32, (T + 1,); where each time starts.
        token_ids: int32, (N,); N = sum of the lengths.
    """

    order: NDArray[np.int64]
    lengths: NDArray[np.int32]
    offsets: NDArray[np.int32]
    token_ids: NDArray[np.int32]

    def structure(self) -> Batch:
        """Return what the kernels take; it points into this batch, which must live as long."""
        return Batch(len(self.lengths), len(self.offsets) - 1, address(self.offsets), address(self.lengths))

    def last_positions(self) -> NDArray[np.int64]:
        """Return the position of each sorted review's last token, int64, (B,)."""
        return self.offsets[self.lengths - 1].astype(np.int64) + np.arange(len(self.lengths))


def time_major(sequences: Sequence[NDArray[np.int32]]) -> TimeMajorBatch:
    """Lay out sequences of token ids; an empty one becomes one ``<pad>``, as in :func:`pipeline.batches.pad`."""
    given = np.asarray([len(sequence) for sequence in sequences], dtype=np.int64)
    order = np.argsort(-given, kind="stable")
    lengths = np.maximum(given[order], 1).astype(np.int32)
    padded = np.full((len(sequences), int(lengths[0])), PAD_ID, dtype=np.int32)  # (B, T)
    for place, row in enumerate(order):
        padded[place, : given[row]] = sequences[row]
    running = np.arange(padded.shape[1])[:, None] < lengths  # (T, B)
    offsets = np.concatenate([[0], np.cumsum(running.sum(axis=1))]).astype(np.int32)
    return TimeMajorBatch(order, lengths, offsets, padded.T[running])


def pointer(structure: ctypes.Structure | ctypes.Array[Any]) -> int:
    """Return the address of a structure, for a kernel."""
    return ctypes.addressof(structure)
