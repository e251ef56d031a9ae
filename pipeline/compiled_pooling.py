"""Summaries of the states over time on the compiled kernels, with their gradients, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.kernel_library import Kernels, Pooling, address
from pipeline.packing import packed
from pipeline.time_major import TimeMajorBatch, pointer
from pipeline.workspace import Array, Workspace


@dataclass(frozen=True)
class AttentionWeights:
    """Weights of the attention, in the kernels' ``sums`` type.

    Attributes:
        projection: (A, S).
        bias: (A,).
        vector: (A,).
    """

    projection: Array
    bias: Array
    vector: Array


@dataclass(frozen=True)
class Summaries:
    """Summaries of each review's states, (B, S) each, in the sorted order and the ``sums`` type."""

    maximum: Array
    mean: Array
    attended: Array


class CompiledPooling:
    """Maximum, mean and attention over time.

    Args:
        kernels: for one kind of stored number.
        attention: None computes no attention, ``attended`` is zero then.
        workspace: keeps the activations.
        threads: of each call.
    """

    def __init__(
        self, kernels: Kernels, attention: AttentionWeights | None, workspace: Workspace, threads: int
    ) -> None:
        self.kernels = kernels
        self.attention = attention
        self.threads = threads
        self._workspace = workspace

    def _array(self, name: str, shape: tuple[int, ...], dtype: type[Any]) -> Array:
        return self._workspace.array(f"pooling {name}", shape, dtype)

    def forward(self, batch: TimeMajorBatch, states: Array, *, training: bool) -> Summaries:
        """Return the summaries of states (N, S)."""
        kernels, kind = self.kernels, self.kernels.kind
        (tokens, size), rows, attention = states.shape, len(batch.lengths), self.attention
        width = 0 if attention is None else len(attention.vector)
        summaries = Summaries(*(np.empty((rows, size), dtype=kind.sums) for _ in range(3)))
        projected = self._array("projected", (tokens, width), kind.stored)
        self._kept = {
            "projected": projected,
            "weights": self._array("weights", (tokens,), kind.sums),
            "times": np.empty((rows, size), dtype=kind.sums),
        }
        self._batch, self._states, self._summaries = batch, states, summaries
        if attention is not None:
            projection = packed(kernels, attention.projection, transposed=True)
            kernels.product(
                *(address(states), size, tokens, size, address(projection), width, address(attention.bias), False),
                *(address(projected), width, self.threads),
            )
        self._pooling = Pooling(
            size=size,
            attention_size=width,
            states=address(states),
            projected=address(projected),
            vector=None if attention is None else address(attention.vector),
            weights=address(self._kept["weights"]),
            maximum=address(summaries.maximum),
            maximum_time=address(self._kept["times"]) if training else None,
            mean=address(summaries.mean),
            attended=address(summaries.attended),
        )
        structure = batch.structure()
        kernels.pool(pointer(structure), pointer(self._pooling), self.threads)
        return summaries

    def backward(self, gradients: Summaries) -> tuple[Array, AttentionWeights | None]:
        """Return the gradients of the states, (N, S), and of the attention's weights."""
        kernels, kind, attention = self.kernels, self.kernels.kind, self.attention
        (tokens, size), rows = self._states.shape, len(self._batch.lengths)
        width = 0 if attention is None else len(attention.vector)
        of_states = self._array("state gradients", (tokens, size), kind.stored)
        of_projected = self._array("projected gradients", (tokens, width), kind.stored)
        of_vector, of_bias = np.empty((2, rows, width), dtype=kind.sums)
        self._pooling.maximum_gradient = address(gradients.maximum)
        self._pooling.mean_gradient = address(gradients.mean)
        self._pooling.attended_gradient = address(gradients.attended)
        self._pooling.state_gradients = address(of_states)
        self._pooling.projected_gradients = address(of_projected)
        self._pooling.vector_gradients = address(of_vector)
        self._pooling.bias_gradients = address(of_bias)
        structure = self._batch.structure()
        kernels.pool_backward(pointer(structure), pointer(self._pooling), self.threads)
        if attention is None:
            return of_states, None
        projection = packed(kernels, attention.projection, transposed=False)
        kernels.product(
            *(address(of_projected), width, tokens, width, address(projection), size, None, True),
            *(address(of_states), size, self.threads),
        )
        of_projection = np.empty((width, size), dtype=kind.sums)
        kernels.sum_of_outer_products(
            *(address(of_projected), width, width, address(self._states), size, size, tokens),
            *(address(of_projection), self.threads),
        )
        return of_states, AttentionWeights(of_projection, of_bias.sum(axis=0), of_vector.sum(axis=0))
