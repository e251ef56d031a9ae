"""Embeddings of a batch's tokens on the compiled kernels, and the gradients of the words seen, without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.kernel_library import Kernels, address
from pipeline.packing import padded_to_lanes
from pipeline.workspace import Array, Workspace


@dataclass(frozen=True)
class SeenWords:
    """Which words a batch holds, each once.

    Attributes:
        token_ids: int32, (U,), rising.
        rows: int32, (N,); for each token its place in ``token_ids``.
        order: int32, (N,); the tokens, those of the first word first, each word's in the order of the batch.
        first: int32, (U + 1,); where each word starts in ``order``.
    """

    token_ids: NDArray[np.int32]
    rows: NDArray[np.int32]
    order: NDArray[np.int32]
    first: NDArray[np.int32]


def seen_words(token_ids: NDArray[np.int32]) -> SeenWords:
    """Sort the tokens of a batch by word."""
    small = token_ids.astype(np.uint16) if token_ids.max(initial=0) < 1 << 16 else token_ids  # a radix sort
    order = np.argsort(small, kind="stable").astype(np.int32)
    in_order = token_ids[order]
    starts = np.flatnonzero(np.diff(in_order, prepend=-1))
    rows = np.empty(len(token_ids), dtype=np.int32)
    rows[order] = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff(starts, append=len(token_ids)))
    return SeenWords(in_order[starts], rows, order, np.append(starts, len(token_ids)).astype(np.int32))


class CompiledEmbedding:
    """Embeddings of a batch's tokens, with dropout.

    Args:
        kernels: for one kind of stored number.
        workspace: keeps the activations.
        threads: of each call.
    """

    def __init__(self, kernels: Kernels, workspace: Workspace, threads: int) -> None:
        self.kernels = kernels
        self.threads = threads
        self._workspace = workspace

    def forward(self, table: Array, rows: NDArray[np.int32], random: NDArray[np.uint8], dropped: int) -> Array:
        """Return table[rows], (N, E padded to lanes), an entry zeroed where its random byte is below ``dropped``.

        Args:
            table: (U, E), in the ``sums`` type.
            rows: (N,).
            random: (N * E,) bytes; not read if ``dropped`` is 0.
            dropped: of 256; the others are scaled by 256 / (256 - dropped).
        """
        size = table.shape[1]
        width = padded_to_lanes(size)
        out = self._workspace.array("embedded", (len(rows), width), self.kernels.kind.stored)
        self.kernels.embed(
            *(address(table), size, address(rows), len(rows), address(random), dropped),
            *(address(out), width, self.threads),
        )
        return out

    def backward(self, gradients: Array, seen: SeenWords, random: Array, dropped: int, size: int) -> Array:
        """Return the gradients of the rows seen, (U, E), from those of the tokens, (N, E padded)."""
        out = np.empty((len(seen.token_ids), size), dtype=self.kernels.kind.sums)
        self.kernels.embed_backward(
            *(address(gradients), gradients.shape[1], size, address(seen.order), address(seen.first)),
            *(len(seen.token_ids), address(random), dropped, address(out), self.threads),
        )
        return out
