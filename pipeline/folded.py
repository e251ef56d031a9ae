"""The classifier as it scores: embeddings and input weights folded into one table, the rest on the compiled kernels.

A token's share of the gates depends on the token alone, so it is computed once for each word of the vocabulary and
looked up from then on. What is left for each token is the recurrent product. Needs neither torch nor a gradient.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import batches_by_length
from pipeline.compiled_embedding import CompiledEmbedding
from pipeline.compiled_gru import CompiledGRU, DirectionWeights
from pipeline.compiled_pooling import AttentionWeights, CompiledPooling
from pipeline.config import ModelSettings
from pipeline.kernel_library import BFLOAT16, FLOAT32, FLOAT64, SIZE_MULTIPLE, Kernels, kernel_problem, load_kernels
from pipeline.packing import narrowed
from pipeline.scoring_precision import PRECISIONS
from pipeline.time_major import time_major
from pipeline.workspace import Array, Workspace

MAX_TOKENS_PER_BATCH = 16_384
"""Reviews x longest review: its states and gates stay in the last-level cache."""


def obstacle(settings: ModelSettings) -> str:
    """Return why the kernels do not compute this network, for the user; empty where they do."""
    if settings.hidden_size % SIZE_MULTIPLE:
        return f"the compiled kernels need a hidden_size that is a multiple of {SIZE_MULTIPLE}"
    problem = kernel_problem()
    return f"no compiled kernels ({problem})" if problem else ""


def folded_available(settings: ModelSettings) -> bool:
    """Say whether the kernels are there and compute this network."""
    return not obstacle(settings)


def available_precisions() -> tuple[str, ...]:
    """Return those of :data:`pipeline.scoring_precision.PRECISIONS` that this processor has, where the kernels are."""
    kernels = load_kernels(BFLOAT16)
    if kernels is None:
        return PRECISIONS[2:]
    return PRECISIONS if kernels.has_int8 else PRECISIONS[1:]


def direction_weights(weights: Mapping[str, Array], layer: int, name: str, sums: type[Any]) -> DirectionWeights:
    """Return one direction's weights from those of a :class:`pipeline.model.SentimentClassifier`."""
    parts = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return DirectionWeights(
        *(np.ascontiguousarray(weights[f"layers.{layer}.{name}.{part}"], dtype=sums) for part in parts)
    )


def gates_of_words(kernels: Kernels, table: Array, weights: list[DirectionWeights], threads: int) -> list[Array]:
    """Fold an embedding table into the input weights: the input's share of the gates of every word, biases included.

    The product is computed in single precision at least and rounded once.

    Args:
        kernels: for the kind of number that the result holds.
        table: (V, E), in the ``sums`` type.
        weights: of each direction.
        threads: of each call.

    Returns:
        for each direction (V, 3H), stored numbers.
    """
    exact = load_kernels(FLOAT64 if kernels.kind is FLOAT64 else FLOAT32)
    assert exact is not None
    no_dropout = np.zeros(1, dtype=np.uint8)
    embedding = CompiledEmbedding(exact, Workspace(), threads)
    inputs = embedding.forward(table, np.arange(len(table), dtype=np.int32), no_dropout, 0)
    layer = CompiledGRU(exact, weights, Workspace(), "fold", threads)
    folded = []
    for direction in weights:
        gates = np.empty((len(table), len(direction.of_input)), dtype=exact.kind.stored)
        folded.append(narrowed(kernels, layer.gates(inputs, direction, gates)))
    return folded


class FoldedClassifier:
    """A trained classifier on the CPU, for scoring.

    Args:
        kernels: for one kind of stored number.
        weights: by name, as in ``model.safetensors``.
        settings: of the network.
        threads: of each call.
        eight_bits: whether the recurrent product is rounded to eight bits.

    Attributes:
        kernels: as given.
        weights: of each layer, of each direction.
        gates_of_word: of each direction (V, 3H), stored numbers: the input's share of the gates of every word.
        attention: of the pooling; None where it has none.
        output: weights of the output layer, float64, (P,).
    """

    def __init__(
        self, kernels: Kernels, weights: Mapping[str, Array], settings: ModelSettings, *, threads: int, eight_bits: bool
    ) -> None:
        self.settings = settings
        self.kernels = kernels
        self._threads = threads
        self._eight_bits = eight_bits
        sums = kernels.kind.sums
        names = ("forward_gru", "backward_gru") if settings.bidirectional else ("forward_gru",)
        self.weights = [
            [direction_weights(weights, layer, name, sums) for name in names] for layer in range(settings.layers)
        ]
        table = np.ascontiguousarray(weights["embedding.weight"], dtype=sums)  # (V, E)
        self.gates_of_word = gates_of_words(kernels, table, self.weights[0], threads)
        self.attention = None
        if "attention" in settings.pooling:
            self.attention = AttentionWeights(
                np.ascontiguousarray(weights["pooled.attention.0.weight"], dtype=sums),
                np.ascontiguousarray(weights["pooled.attention.0.bias"], dtype=sums),
                np.ascontiguousarray(weights["pooled.attention.2.weight"], dtype=sums).ravel(),
            )
        self.output = np.asarray(weights["output.weight"], dtype=np.float64).ravel()  # (P,)
        self._output_bias = float(np.asarray(weights["output.bias"], dtype=np.float64)[0])
        self._of_thread = threading.local()  # activations: several threads may score at a time

    def _layers(self) -> tuple[list[CompiledGRU], CompiledPooling]:
        if not hasattr(self._of_thread, "layers"):
            workspace = Workspace()
            self._of_thread.layers = [
                CompiledGRU(self.kernels, weights, workspace, f"layer {layer}", self._threads)
                for layer, weights in enumerate(self.weights)
            ]
            for layer in self._of_thread.layers if self._eight_bits else ():
                layer.use_bytes()
            self._of_thread.pooling = CompiledPooling(self.kernels, self.attention, workspace, self._threads)
        return self._of_thread.layers, self._of_thread.pooling

    @classmethod
    def from_weights(
        cls, weights: Mapping[str, Array], settings: ModelSettings, precision: str, *, threads: int
    ) -> FoldedClassifier:
        """Return the classifier; ask :func:`folded_available` first.

        Args:
            weights: by name, float32, as in ``model.safetensors``.
            settings: of the network.
            precision: one of :data:`pipeline.scoring_precision.PRECISIONS`; what the processor lacks becomes the next
                finer one.
            threads: of each call.
        """
        kernels = (None if precision == "float32" else load_kernels(BFLOAT16)) or load_kernels(FLOAT32)
        assert kernels is not None, kernel_problem()
        eight_bits = precision == "int8" and kernels.has_int8
        return cls(kernels, weights, settings, threads=threads, eight_bits=eight_bits)

    def logits(
        self, sequences: Sequence[NDArray[np.int32]], on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the logits of reviews, in the order given; no review's logit depends on the others.

        Args:
            sequences: N int32 arrays of token ids.
            on_batch: told the number of reviews after each batch.

        Returns:
            float32, (N,).
        """
        logits = np.empty(len(sequences), dtype=np.float32)
        lengths = np.asarray([len(sequence) for sequence in sequences], dtype=np.int64)
        for rows in batches_by_length(lengths, MAX_TOKENS_PER_BATCH):
            logits[rows] = self._logits_of_batch([sequences[row] for row in rows])
            if on_batch is not None:
                on_batch(len(rows))
        return logits

    def _logits_of_batch(self, sequences: Sequence[NDArray[np.int32]]) -> NDArray[np.float32]:
        batch = time_major(sequences)
        layers, pooling = self._layers()
        states = layers[0].forward_folded(batch, self.gates_of_word)  # (N, S)
        for layer in layers[1:]:
            states = layer.forward(batch, states, training=False)
        summaries = pooling.forward(batch, states, training=False)
        parts = {"max": summaries.maximum, "mean": summaries.mean, "attention": summaries.attended}
        if "last" in self.settings.pooling:
            parts["last"] = layers[-1].last_states()
        pooled = np.concatenate([parts[name] for name in self.settings.pooling], axis=1)  # (B, P)
        logits = np.empty(len(sequences), dtype=np.float32)
        # Row by row: a matrix product would sum in another order for another number of rows.
        logits[batch.order] = (pooled * self.output).sum(axis=1) + self._output_bias
        return logits
