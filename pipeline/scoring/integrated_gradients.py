"""How far each token pushes the logit: integrated gradients (Sundararajan et al. 2017) on the compiled kernels.

The network is read at a few points on the straight way from a review of unknown words to the review itself; a token's
push is its embedding's difference from that of ``<unk>`` times the mean gradient on the way. The pushes of a review add
up to what its logit is above that of as many unknown words, but for the error of so few points. An unknown word gets 0.

The first layer reads an embedding through its share of the gates alone, which is linear in it. So the same pushes come
from the gates: the difference of two words' gates, which the scorer has in a table, times the gradient of the gates.
What is left to compute is the recurrence, there and back; no product with the input weights, no embedding.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import batches_by_length
from pipeline.compiled_embedding import seen_words
from pipeline.compiled_gru import CompiledGRU
from pipeline.compiled_pooling import CompiledPooling, Summaries
from pipeline.folded import FoldedClassifier
from pipeline.kernel_library import FLOAT32, Kernels, address
from pipeline.packing import narrowed, packed, widened
from pipeline.special_tokens import UNKNOWN_ID
from pipeline.time_major import TimeMajorBatch, time_major
from pipeline.workspace import Array, Workspace

STEPS = 4
"""Points on the way, each in the middle of its stretch. More do not name better words (`reports/experiments.md`)."""
SHARES_OF_THE_WAY = tuple((step + 0.5) / STEPS for step in range(STEPS))
MAX_TOKENS_PER_BATCH = 4096
"""Reviews x longest review; what is kept for the way back should stay in the cache."""
_TOKENS_AT_A_TIME = 1024

Pushes = list[NDArray[np.float32]]
"""Of each text the pushes of its tokens, float32, (tokens,)."""


class TokenPushes(Protocol):
    """What gives the pushes of tokens."""

    def __call__(self, sequences: Sequence[NDArray[np.int32]], check: Callable[[int], None] | None = None) -> Pushes:
        """Return the pushes on the uncalibrated logit, + towards positive; no text's depend on the others.

        Args:
            sequences: N int32 arrays of token ids.
            check: told the number of texts after each batch; its exceptions go through.
        """


class FirstLayer(CompiledGRU):
    """A layer of GRU that is given its gates and gives their gradients."""

    def forward_gates(self, batch: TimeMajorBatch, gates: list[Array], rows: NDArray[np.int32]) -> Array:
        """Return the state after each token, (N, output_size), and keep what :meth:`gate_gradients` needs.

        Args:
            batch: whose tokens these are.
            gates: for each direction the input's share of the gates, biases included, (U, 3H); held until the gradients
                were asked for.
            rows: for each token its row of ``gates``, (N,).
        """
        return self._forward(batch, gates, rows, training=True)

    def gate_gradients(self, state_gradients: Array) -> list[Array]:
        """Return for each direction the gradients of the gates n, r, z and of q, (N, 4H), from those of the states."""
        hidden, tokens = self.hidden, len(state_gradients)
        for index, weights in enumerate(self.weights):
            kept = self._kept[index]
            kept["recurrent backward"] = packed(self.kernels, weights.recurrent, transposed=False)
            kept["gradients"] = self._array(f"gradients {index}", tokens, 4 * hidden)
            direction = self._directions[index]
            direction.recurrent_backward = address(kept["recurrent backward"])
            direction.state_gradients = state_gradients.ctypes.data + index * hidden * state_gradients.itemsize
            direction.gate_gradients = address(kept["gradients"])
        self._run(backward=True)
        return [kept["gradients"] for kept in self._kept]


def widened_view(kernels: Kernels, numbers: Array) -> Array:
    """Return stored numbers in the ``sums`` type, without a copy where they are."""
    return numbers if kernels.kind is FLOAT32 else widened(kernels, numbers)


class CompiledTokenPushes:
    """The pushes of tokens by the kernels and in the numbers that the scorer computes in; several threads may call it.

    Args:
        network: the scorer's.
    """

    def __init__(self, network: FoldedClassifier) -> None:
        self._network = network
        self._kernels = network.kernels
        self._gates_of_unknown = [
            widened_view(self._kernels, table[UNKNOWN_ID : UNKNOWN_ID + 1]) for table in network.gates_of_word
        ]  # (1, 3H) each
        self._of_thread = threading.local()

    def __call__(self, sequences: Sequence[NDArray[np.int32]], check: Callable[[int], None] | None = None) -> Pushes:
        """Return the pushes of each text's tokens; see :class:`TokenPushes`."""
        pushes: Pushes = [np.empty(0, dtype=np.float32)] * len(sequences)
        lengths = np.asarray([len(sequence) for sequence in sequences], dtype=np.int64)
        for rows in batches_by_length(lengths, MAX_TOKENS_PER_BATCH):
            batch = time_major([sequences[row] for row in rows])
            of_tokens = self._pushes_of_batch(batch, self._workspace(len(batch.token_ids)))
            for place, index in enumerate(batch.order):
                times = batch.offsets[: lengths[rows[index]]]
                pushes[rows[index]] = of_tokens[times + place]
            if check is not None:
                check(len(rows))
        return pushes

    def _workspace(self, tokens: int) -> Workspace:
        """Return this thread's memory; for an uncommonly long text one that is given back."""
        if tokens > MAX_TOKENS_PER_BATCH:
            return Workspace()
        if not hasattr(self._of_thread, "workspace"):
            self._of_thread.workspace = Workspace()
        workspace: Workspace = self._of_thread.workspace
        return workspace

    def _pushes_of_batch(self, batch: TimeMajorBatch, workspace: Workspace) -> NDArray[np.float32]:
        """Return the pushes of a batch's tokens, float32, (N,), laid out as the batch is."""
        network, kernels = self._network, self._kernels
        first = FirstLayer(kernels, network.weights[0], workspace, "first layer", threads=1)
        further = [
            CompiledGRU(kernels, weights, workspace, f"layer {index}", threads=1)
            for index, weights in enumerate(network.weights[1:], start=1)
        ]
        pooling = CompiledPooling(kernels, network.attention, workspace, threads=1)
        seen = seen_words(batch.token_ids)
        differences = [
            widened_view(kernels, table[seen.token_ids]) - unknown
            for table, unknown in zip(network.gates_of_word, self._gates_of_unknown, strict=True)
        ]  # (U, 3H) each
        in_kernel_order = [np.roll(difference, first.hidden, axis=1) for difference in differences]  # n, r, z
        pushes = np.zeros(len(seen.rows), dtype=np.float32)
        for share in SHARES_OF_THE_WAY:
            gates = [
                narrowed(kernels, unknown + np.float32(share) * difference)
                for unknown, difference in zip(self._gates_of_unknown, differences, strict=True)
            ]
            states = first.forward_gates(batch, gates, seen.rows)
            for layer in further:
                states = layer.forward(batch, states, training=True)
            of_states = self._gradients_of_states(batch, states, pooling, [first, *further][-1])
            for layer in reversed(further):
                of_states, _ = layer.backward(of_states)
            for gradients, difference in zip(first.gate_gradients(of_states), in_kernel_order, strict=True):
                add_products(kernels, gradients, difference, seen.rows, pushes)
        return pushes / np.float32(len(SHARES_OF_THE_WAY))

    def _gradients_of_states(
        self, batch: TimeMajorBatch, states: Array, pooling: CompiledPooling, last: CompiledGRU
    ) -> Array:
        """Return the gradients of the last layer's states, (N, S), each of its own review's logit."""
        names, size = self._network.settings.pooling, states.shape[1]
        pooling.forward(batch, states, training=True)
        output = self._network.output.astype(self._kernels.kind.sums)  # (P,)
        parts = {name: output[place * size : (place + 1) * size] for place, name in enumerate(names)}
        shape = (len(batch.lengths), size)
        zeros = np.zeros(size, dtype=output.dtype)
        of_summaries = Summaries(
            *(
                np.ascontiguousarray(np.broadcast_to(parts.get(name, zeros), shape))
                for name in ("max", "mean", "attention")
            )
        )
        of_states, _ = pooling.backward(of_summaries)
        if "last" in parts:
            last.add_to_last_states(of_states, np.ascontiguousarray(np.broadcast_to(parts["last"], shape)))
        return of_states


def add_products(
    kernels: Kernels,
    gradients: Array,
    differences: NDArray[np.float32],
    rows: NDArray[np.int32],
    pushes: NDArray[np.float32],
) -> None:
    """Add to each token's push the product of its gates' gradients with their differences from the unknown word's.

    Args:
        kernels: for the kind of number of the gradients.
        gradients: (N, 4H); the first 3H are those of the gates.
        differences: float32, (U, 3H), in the order of the gradients.
        rows: for each token its row of ``differences``, (N,).
        pushes: float32, (N,); changed in place.
    """
    width = differences.shape[1]
    for start in range(0, len(rows), _TOKENS_AT_A_TIME):
        some = slice(start, start + _TOKENS_AT_A_TIME)
        of_gates = widened_view(kernels, gradients[some, :width])
        pushes[some] += np.einsum("ij,ij->i", of_gates, differences[rows[some]])
