"""The layers of the classifier on the compiled kernels: forward and backward passes over NumPy arrays.

Nothing here imports torch, so that scoring needs none. All activations live in a :class:`Workspace` that is reused from
step to step: fresh arrays of this size would cost as much time in page faults as the arithmetic does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.kernel_library import (
    BFLOAT16,
    FLOAT32,
    FLOAT64,
    SIZE_MULTIPLE,
    Direction,
    Kernels,
    Pooling,
    RecurrentBytes,
    address,
    load_kernels,
)
from pipeline.time_major import TimeMajorBatch, pointer

ROWS_PER_TASK = 64
"""Reviews that one thread carries through time together: enough to reuse the weights that it loads, few enough that
several threads share a batch, and that the states stay in the cache."""

CACHE_LINE = 64
"""Bytes."""

Array = NDArray[Any]


def padded_to_lanes(size: int) -> int:
    """Return the next multiple of the kernels' vector length."""
    return (size + SIZE_MULTIPLE - 1) // SIZE_MULTIPLE * SIZE_MULTIPLE


class Workspace:
    """Arrays by name, kept and grown; asking again for a name gives the same memory."""

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[Any]) -> Array:
        """Return an array of unspecified content; its memory is that of the last array of this name."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < size:
            memory = np.empty(size + size // 4 + CACHE_LINE, dtype=np.uint8)
            memory = self._memory[name] = memory[-memory.ctypes.data % CACHE_LINE :]
        array: Array = memory[:size].view(dtype).reshape(shape)
        return array


@dataclass(frozen=True)
class DirectionWeights:
    """Weights of one direction in torch's order of gates (r, z, n), in the kernels' ``sums`` type.

    Attributes:
        of_input: (3H, D).
        recurrent: (3H, H).
        input_bias: (3H,).
        recurrent_bias: (3H,).
    """

    of_input: Array
    recurrent: Array
    input_bias: Array
    recurrent_bias: Array

    def gate_bias(self) -> Array:
        """Return the biases that join the input's share of the gates, (3H,): all but that inside the reset product."""
        bias = self.input_bias.copy()
        hidden = self.recurrent.shape[1]
        bias[: 2 * hidden] += self.recurrent_bias[: 2 * hidden]
        return bias


def packed(kernels: Kernels, matrix: Array, *, transposed: bool) -> Array:
    """Pack a matrix as the right side of a product.

    Args:
        kernels: for the kind of stored number.
        matrix: (depth, columns), or (columns, depth) if ``transposed``; made larger by zeros to multiples of the lanes.
        transposed: see above.
    """
    missing = [(0, -size % SIZE_MULTIPLE) for size in matrix.shape]
    if any(after for _, after in missing):
        matrix = np.pad(matrix, missing)
    depth, columns = matrix.shape[::-1] if transposed else matrix.shape
    result = np.empty(matrix.size, dtype=kernels.kind.stored)
    kernels.pack(address(matrix), matrix.shape[1], transposed, depth, columns, address(result))
    return result


def packed_recurrent(kernels: Kernels, weights: Array) -> Array:
    """Pack W_hh, (3H, H), for the forward pass."""
    hidden = weights.shape[1]
    result = np.empty(weights.size, dtype=kernels.kind.stored)
    kernels.pack_recurrent(address(weights), hidden, address(result))
    return result


def widened(kernels: Kernels, numbers: Array) -> Array:
    """Return stored numbers in the ``sums`` type."""
    if kernels.kind is BFLOAT16:
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(kernels.kind.sums)


@dataclass(frozen=True)
class FoldedInputs:
    """For each direction, the input's share of the gates of every word, biases included.

    Attributes:
        gates: (V, 3H) each, stored numbers.
    """

    gates: list[Array]

    @classmethod
    def of_table(cls, kernels: Kernels, table: Array, weights: list[DirectionWeights], threads: int) -> FoldedInputs:
        """Fold an embedding table, (V, E) in the ``sums`` type, into the input weights.

        The product is computed in single precision at least and rounded once.
        """
        exact = load_kernels(FLOAT64 if kernels.kind is FLOAT64 else FLOAT32)
        assert exact is not None
        embedding = CompiledEmbedding(exact, Workspace(), threads)
        inputs = embedding.forward(table, np.arange(len(table), dtype=np.int32), np.zeros(1, dtype=np.uint8), 0)
        layer = CompiledGRU(exact, weights, Workspace(), "fold", threads)
        folded = []
        for direction in weights:
            gates = np.empty((len(table), len(direction.of_input)), dtype=exact.kind.stored)
            folded.append(narrowed(kernels, layer.gates(inputs, direction, gates)))
        return cls(folded)


def narrowed(kernels: Kernels, numbers: Array) -> Array:
    """Return numbers of the ``sums`` type, (rows, columns), as stored ones, rounded to nearest."""
    if kernels.kind is not BFLOAT16:
        return numbers.astype(kernels.kind.stored)
    result = np.empty(numbers.shape, dtype=kernels.kind.stored)
    rows = np.arange(len(numbers), dtype=np.int32)
    width = numbers.shape[1]
    kernels.embed(
        *(address(numbers), width, address(rows), len(rows), None, 0),
        *(address(result), width, 1),
    )
    return result


@dataclass(frozen=True)
class PackedBytes:
    """One direction's recurrent weights in eight bits, for scoring.

    Attributes:
        structure: what the kernel reads; it points into the arrays.
        arrays: the bytes, and the factors and constants that undo the rounding.
    """

    structure: RecurrentBytes
    arrays: tuple[Array, Array, Array]

    @classmethod
    def of_weights(cls, kernels: Kernels, weights: DirectionWeights) -> PackedBytes:
        """Round W_hh to 1/127 of the largest weight in each of its columns."""
        hidden = weights.recurrent.shape[1]
        packed_bytes = np.empty(3 * hidden * hidden, dtype=np.int8)
        factors, constants = np.empty((2, 3 * hidden), dtype=np.float32)
        bias = np.ascontiguousarray(weights.recurrent_bias[2 * hidden :])
        arrays = (packed_bytes, factors, constants)
        kernels.pack_recurrent_bytes(address(weights.recurrent), address(bias), hidden, *map(address, arrays))
        return cls(RecurrentBytes(*map(address, arrays)), arrays)


class CompiledGRU:
    """One layer of GRU in one direction or two.

    Args:
        kernels: for one kind of stored number.
        weights: of the forward direction, then of the backward one if there is one.
        workspace: keeps the activations between forward and backward pass.
        name: of this layer in the workspace.
        threads: of each call.
    """

    def __init__(
        self, kernels: Kernels, weights: list[DirectionWeights], workspace: Workspace, name: str, threads: int
    ) -> None:
        self.kernels = kernels
        self.weights = weights
        self.threads = threads
        self.hidden = weights[0].recurrent.shape[1]
        self.output_size = self.hidden * len(weights)
        self._workspace = workspace
        self._name = name
        self._recurrent: list[Array] = []
        self._bytes: list[PackedBytes] = []

    def _array(self, name: str, *shape: int) -> Array:
        return self._workspace.array(f"{self._name} {name}", shape, self.kernels.kind.stored)

    def forward(self, batch: TimeMajorBatch, inputs: Array, *, training: bool) -> Array:
        """Return the state after each token, (N, output_size), from inputs (N, D padded to lanes).

        Args:
            batch: whose tokens these are.
            inputs: see above; ``training`` keeps them until :meth:`backward`.
            training: whether a gradient will be wanted.
        """
        self._inputs = inputs
        gates = [
            self.gates(inputs, weights, self._array(f"gates {index}", len(inputs), 3 * self.hidden))
            for index, weights in enumerate(self.weights)
        ]
        return self._forward(batch, gates, None, training=training)

    def use_bytes(self) -> None:
        """Multiply in eight bits from now on; for scoring only."""
        self._bytes = [PackedBytes.of_weights(self.kernels, weights) for weights in self.weights]

    def forward_folded(self, batch: TimeMajorBatch, folded: FoldedInputs) -> Array:
        """Return the state after each token, (N, output_size), from tables of the input's share; for scoring only."""
        return self._forward(batch, folded.gates, batch.token_ids, training=False)

    def gates(self, inputs: Array, weights: DirectionWeights, gates: Array) -> Array:
        """Fill (N, 3H) with the input's share of the gates of one direction, biases included; return it."""
        tokens, width = inputs.shape
        of_input = packed(self.kernels, weights.of_input, transposed=True)
        bias = weights.gate_bias()  # held by a name: the kernel sees an address only
        self.kernels.product(
            *(address(inputs), width, tokens, width, address(of_input), gates.shape[1]),
            *(address(bias), False, address(gates), gates.shape[1], self.threads),
        )
        return gates

    def _forward(self, batch: TimeMajorBatch, gates: list[Array], gate_rows: Array | None, *, training: bool) -> Array:
        hidden, tokens = self.hidden, len(batch.token_ids)
        self._batch = batch
        self._states = self._array("states", tokens, self.output_size)
        self._directions = (Direction * len(self.weights))()
        self._kept: list[dict[str, Array]] = []
        for index, recurrent in enumerate(self._packed_recurrent(reuse=not training)):
            kept = {
                "gates": gates[index],
                "recurrent": recurrent,
                "bias": np.ascontiguousarray(self.weights[index].recurrent_bias[2 * hidden :]),
            }
            if training:
                kept["saved"] = self._array(f"saved {index}", tokens, 4 * hidden)
                kept["earlier"] = self._array(f"earlier {index}", tokens, hidden)
            self._kept.append(kept)
            self._directions[index] = Direction(
                reversed=index,
                gates=address(gates[index]),
                gate_rows=address(gate_rows),
                gate_stride=3 * hidden,
                recurrent=address(recurrent),
                bias=address(kept["bias"]),
                states=self._states.ctypes.data + index * hidden * self._states.itemsize,
                state_stride=self.output_size,
                saved=address(kept.get("saved")),
                earlier=address(kept.get("earlier")),
                bytes=pointer(self._bytes[index].structure) if self._bytes else None,
            )
        self._run(backward=False)
        return self._states

    def _packed_recurrent(self, *, reuse: bool) -> list[Array]:
        if not reuse or not self._recurrent:  # weights that are trained change from call to call
            self._recurrent = [packed_recurrent(self.kernels, weights.recurrent) for weights in self.weights]
        return self._recurrent

    def last_states(self) -> Array:
        """Return each review's final state of the forward direction beside that of the backward one, (B, output_size).

        The backward direction ends at the first token. In the ``sums`` type and the sorted order.
        """
        rows = np.arange(len(self._batch.lengths))
        last = widened(self.kernels, self._states[self._batch.last_positions()])
        last[:, self.hidden :] = widened(self.kernels, self._states[rows])[:, self.hidden :]
        return last

    def add_to_last_states(self, state_gradients: Array, of_last: Array) -> None:
        """Add the gradients of :meth:`last_states`, (B, output_size), to those of the states, (N, output_size)."""
        kernels, hidden, rows = self.kernels, self.hidden, np.arange(len(self._batch.lengths))
        last = self._batch.last_positions()
        for places, part in ((last, slice(hidden)), (rows, slice(hidden, None))):
            if of_last[:, part].size:
                sums = widened(kernels, state_gradients[places, part]) + of_last[:, part]
                state_gradients[places, part] = narrowed(kernels, np.ascontiguousarray(sums))

    def _run(self, *, backward: bool) -> None:
        batch = self._batch.structure()
        self.kernels.recurrence(
            *(pointer(batch), pointer(self._directions), len(self.weights), self.hidden, backward),
            *(ROWS_PER_TASK, self.threads),
        )

    def backward(self, state_gradients: Array, *, inputs_wanted: bool = True) -> tuple[Array, list[DirectionWeights]]:
        """Return the gradients of the inputs, (N, D padded), and of the weights, from those of the states."""
        kernels, hidden, tokens, width = self.kernels, self.hidden, len(self._inputs), self._inputs.shape[1]
        for index, weights in enumerate(self.weights):
            kept = self._kept[index]
            kept["recurrent backward"] = packed(kernels, weights.recurrent, transposed=False)
            kept["gradients"] = self._array(f"gradients {index}", tokens, 4 * hidden)
            direction = self._directions[index]
            direction.recurrent_backward = address(kept["recurrent backward"])
            direction.state_gradients = state_gradients.ctypes.data + index * hidden * state_gradients.itemsize
            direction.gate_gradients = address(kept["gradients"])
        self._run(backward=True)
        input_gradients = self._array("input gradients", tokens, width)
        weight_gradients = []
        for index, weights in enumerate(self.weights):
            gradients = self._kept[index]["gradients"]  # (N, 4H): n, r, z, q
            weight_gradients.append(self._weight_gradients(gradients, self._kept[index]["earlier"], weights))
            if inputs_wanted:
                n_r_z = np.ascontiguousarray(np.roll(weights.of_input, hidden, axis=0))  # (3H, D)
                of_input = packed(kernels, n_r_z, transposed=False)
                kernels.product(
                    *(address(gradients), 4 * hidden, tokens, 3 * hidden, address(of_input), width, None, index > 0),
                    *(address(input_gradients), width, self.threads),
                )
        return input_gradients, weight_gradients

    def _weight_gradients(self, gradients: Array, earlier: Array, weights: DirectionWeights) -> DirectionWeights:
        kernels, hidden, tokens, width = self.kernels, self.hidden, len(self._inputs), self._inputs.shape[1]
        sums = kernels.kind.sums
        of_input = np.empty((3 * hidden, width), dtype=sums)
        recurrent = np.empty((3 * hidden, hidden), dtype=sums)
        of_bias = np.empty(4 * hidden, dtype=sums)
        r_z_q = gradients.ctypes.data + hidden * gradients.itemsize
        for left, right, columns, result in (
            (gradients.ctypes.data, self._inputs, width, of_input),
            (r_z_q, earlier, hidden, recurrent),
        ):
            kernels.sum_of_outer_products(
                *(left, 4 * hidden, 3 * hidden, address(right), columns, columns, tokens),
                *(address(result), self.threads),
            )
        kernels.column_sums(address(gradients), 4 * hidden, tokens, 4 * hidden, address(of_bias), self.threads)
        r_z_n = np.roll(of_input, -hidden, axis=0)[:, : weights.of_input.shape[1]]
        return DirectionWeights(
            np.ascontiguousarray(r_z_n), recurrent, np.roll(of_bias[: 3 * hidden], -hidden), of_bias[hidden:]
        )


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
