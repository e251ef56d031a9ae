"""A layer of GRU on the compiled kernels: forward and backward passes over NumPy arrays, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.kernel_library import Direction, Kernels, RecurrentBytes, address
from pipeline.packing import narrowed, packed, packed_recurrent, widened
from pipeline.time_major import TimeMajorBatch, pointer
from pipeline.workspace import Array, Workspace

ROWS_PER_TASK = 64
"""Reviews that one thread carries through time together: enough to reuse the weights that it loads, few enough that
several threads share a batch, and that the states stay in the cache."""


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
        rows_per_task: reviews that one thread carries through time together.
    """

    def __init__(
        self,
        kernels: Kernels,
        weights: list[DirectionWeights],
        workspace: Workspace,
        name: str,
        threads: int,
        rows_per_task: int = ROWS_PER_TASK,
    ) -> None:
        self.rows_per_task = rows_per_task
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

    def forward(self, batch: TimeMajorBatch, inputs: Array, *, training: bool, initial: Sequence[Array] = ()) -> Array:
        """Return the state after each token, (N, output_size), from inputs (N, D padded to lanes).

        Args:
            batch: whose tokens these are.
            inputs: see above; ``training`` keeps them until :meth:`backward`.
            training: whether a gradient will be wanted.
            initial: for each direction the states before the first tokens, (B, H), in the ``sums`` type and the sorted
                order; no gradient reaches them. Zeros where not given.
        """
        self._inputs = inputs
        gates = [
            self.gates(inputs, weights, self._array(f"gates {index}", len(inputs), 3 * self.hidden))
            for index, weights in enumerate(self.weights)
        ]
        return self._forward(batch, gates, None, training=training, initial=initial)

    def use_bytes(self) -> None:
        """Multiply in eight bits from now on; for scoring only."""
        self._bytes = [PackedBytes.of_weights(self.kernels, weights) for weights in self.weights]

    def forward_folded(self, batch: TimeMajorBatch, gates_of_word: list[Array]) -> Array:
        """Return the state after each token, (N, output_size); for scoring only.

        Args:
            batch: of token ids.
            gates_of_word: for each direction the input's share of the gates of every word, biases included, (V, 3H).
        """
        return self._forward(batch, gates_of_word, batch.token_ids, training=False)

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

    def _forward(
        self,
        batch: TimeMajorBatch,
        gates: list[Array],
        gate_rows: Array | None,
        *,
        training: bool,
        initial: Sequence[Array] = (),
    ) -> Array:
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
            if initial:
                kept["initial"] = initial[index]
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
                initial=address(initial[index]) if initial else None,
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
            *(self.rows_per_task, self.threads),
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
