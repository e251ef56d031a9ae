"""One direction of the language model over a chunk of text, in two ways with one meaning: compiled kernels, and torch.

Both return the loss and the gradients of its sum, written out but for torch's way through the recurrence. The two
directions run in a thread each, so neither way uses more than one itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.compiled_embedding import CompiledEmbedding, seen_words
from pipeline.compiled_gru import CompiledGRU
from pipeline.kernel_library import BFLOAT16, Kernels
from pipeline.review_streams import Chunk
from pipeline.sampled_softmax import SoftmaxGradients, WrongAnswers, sampled_softmax
from pipeline.time_major import TimeMajorBatch
from pipeline.training_networks import direction_weights
from pipeline.workspace import Workspace

ROWS_PER_TASK = 256
"""All segments of a chunk go through time together, so that they share each load of the weights."""
BYTE_VALUES = 256


@dataclass(frozen=True)
class StepWords:
    """The words that a step needs: read, right answers and wrong ones.

    Attributes:
        token_ids: int64, (U,), rising, each once.
        places: int64, (V,); where each of them stands in the other attributes.
        rows: float32, (U, E); their embeddings.
        bias: float32, (U,).
        wrong: the wrong answers.
    """

    token_ids: Tensor
    places: NDArray[np.int64]
    rows: Tensor
    bias: Tensor
    wrong: WrongAnswers


@dataclass(frozen=True)
class DirectionGradients:
    """What one direction hands over after a chunk: its loss, summed, and the gradients of that sum.

    Attributes:
        loss: in nats.
        tokens: how many were predicted.
        of_rows: float32, (U, E).
        of_bias: float32, (U,).
        of_gru: in the order of the GRU's parameters.
        of_projection: float32, (E, H).
        last_states: float32, (R, H); of the chunk's segments, from which nothing is learnt.
    """

    loss: float
    tokens: int
    of_rows: Tensor
    of_bias: Tensor
    of_gru: list[Tensor]
    of_projection: Tensor
    last_states: Tensor


class DirectionNetwork(Protocol):
    """One way to compute a direction."""

    def __call__(self, chunk: Chunk, carried: Tensor, words: StepWords, seed: Sequence[int]) -> DirectionGradients:
        """Return the gradients of a chunk.

        Args:
            chunk: what to read.
            carried: float32, (S, H); the state that each stream has reached.
            words: those of the step.
            seed: of the dropout.
        """


def dropout_bytes(seed: Sequence[int], count: int) -> NDArray[np.uint8]:
    """Return random bytes, one for each entry of the embeddings of a chunk."""
    return np.frombuffer(np.random.Generator(np.random.SFC64(list(seed))).bytes(count), dtype=np.uint8)


def loss_of_states(projected: Tensor, targets: NDArray[np.int32], words: StepWords) -> SoftmaxGradients:
    """Return the sampled softmax of projected states, (N, E), and what follows each token, int32, (N,)."""
    given = (words.places[targets], words.places[words.wrong.token_ids], words.wrong.log_inclusion)
    return sampled_softmax(
        projected, words.rows, words.bias, *(torch.from_numpy(array).to(projected.device) for array in given)
    )


class CompiledDirectionNetwork:
    """A direction on the compiled kernels, on the CPU.

    Args:
        gru: weights of the recurrence, read at each step.
        projection: likewise.
        kernels: for one kind of stored number; float32 or bfloat16.
        dropped: of 256; share of the embeddings' entries that is zeroed.
    """

    def __init__(self, gru: nn.GRU, projection: nn.Linear, kernels: Kernels, dropped: int) -> None:
        self.gru, self.projection, self.kernels, self.dropped = gru, projection, kernels, dropped
        self.workspace = Workspace()
        self.type = torch.bfloat16 if kernels.kind is BFLOAT16 else torch.float32

    def __call__(self, chunk: Chunk, carried: Tensor, words: StepWords, seed: Sequence[int]) -> DirectionGradients:
        """Return the gradients of a chunk; see :class:`DirectionNetwork`."""
        layer = CompiledGRU(self.kernels, [direction_weights(self.gru)], self.workspace, "gru", 1, ROWS_PER_TASK)
        embedding = CompiledEmbedding(self.kernels, self.workspace, 1)
        tokens, (rows, size) = len(chunk.batch.token_ids), words.rows.shape
        places = words.places[chunk.batch.token_ids].astype(np.int32)
        random = dropout_bytes(seed, tokens * size if self.dropped else 1)
        inputs = embedding.forward(words.rows.numpy(), places, random, self.dropped)
        entered = chunk.entered_from[:, None] >= 0
        initial = np.where(entered, carried.numpy()[chunk.entered_from], np.float32(0))  # (R, H)
        states = layer.forward(chunk.batch, inputs, training=True, initial=[initial])
        seen_states = torch.from_numpy(states).view(self.type)  # (N, H)
        weight = self.projection.weight.detach().to(self.type)  # (E, H)
        softmax = loss_of_states(seen_states @ weight.T, chunk.targets, words)
        of_states = softmax.of_projected @ weight  # (N, H)
        stored = torch.uint16 if self.type is torch.bfloat16 else self.type
        of_inputs, (of_layer,) = layer.backward(of_states.view(stored).numpy())
        of_rows = np.zeros((rows, size), dtype=np.float32)
        seen = seen_words(places)
        of_rows[seen.token_ids] = embedding.backward(of_inputs, seen, random, self.dropped, size)
        of_rows += softmax.of_words.numpy()
        of_gru = (of_layer.of_input, of_layer.recurrent, of_layer.input_bias, of_layer.recurrent_bias)
        return DirectionGradients(
            softmax.loss,
            tokens,
            torch.from_numpy(of_rows),
            softmax.of_bias,
            [torch.from_numpy(part) for part in of_gru],
            (softmax.of_projected.T @ seen_states).float(),
            torch.from_numpy(layer.last_states()),
        )


def padded_places(batch: TimeMajorBatch) -> NDArray[np.int64]:
    """Return where each token of a batch stands in a padded one that is flattened, int64, (N,): row * T + time."""
    steps = len(batch.offsets) - 1
    times = np.repeat(np.arange(steps), np.diff(batch.offsets))
    rows = np.arange(len(batch.token_ids)) - batch.offsets[times]
    places: NDArray[np.int64] = rows * steps + times
    return places


class TorchDirectionNetwork:
    """A direction on torch's GRU over padded segments, on any device.

    On an accelerator the products of the softmax are in bfloat16. The recurrence is not put under autocast: cuDNN's
    would run in float16 there, whose range the gradient of a sum may leave, while float32 has the tensor cores too.

    Args:
        gru: weights of the recurrence, read at each step.
        projection: likewise.
        dropped: of 256; share of the embeddings' entries that is zeroed.
    """

    def __init__(self, gru: nn.GRU, projection: nn.Linear, dropped: int) -> None:
        self.gru, self.projection, self.dropped = gru, projection, dropped
        self.device = projection.weight.device
        self.type = torch.float32 if self.device.type == "cpu" else torch.bfloat16

    def __call__(self, chunk: Chunk, carried: Tensor, words: StepWords, seed: Sequence[int]) -> DirectionGradients:
        """Return the gradients of a chunk; see :class:`DirectionNetwork`."""
        batch = chunk.batch
        rows = words.rows.detach().requires_grad_()
        with torch.enable_grad():  # a thread of its own has a mode of its own
            states = self._states(chunk, carried, self._embedded(batch, rows, words.places, seed))  # (N, H)
        seen_states = states.detach().to(self.type)
        weight = self.projection.weight.detach().to(self.type)  # (E, H)
        softmax = loss_of_states(seen_states @ weight.T, chunk.targets, words)
        of_states = (softmax.of_projected @ weight).float()  # (N, H)
        of_rows, *of_gru = torch.autograd.grad(states, [rows, *self.gru.parameters()], of_states)
        return DirectionGradients(
            softmax.loss,
            len(batch.token_ids),
            of_rows + softmax.of_words,
            softmax.of_bias,
            of_gru,
            (softmax.of_projected.T @ seen_states).float(),
            states.detach()[self._on_device(batch.last_positions())],
        )

    def _on_device(self, array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _embedded(self, batch: TimeMajorBatch, rows: Tensor, places: NDArray[np.int64], seed: Sequence[int]) -> Tensor:
        """Return the embeddings of the tokens after dropout, (N, E)."""
        embedded = F.embedding(self._on_device(places[batch.token_ids]), rows)
        if not self.dropped:
            return embedded
        kept = dropout_bytes(seed, embedded.numel()).reshape(embedded.shape) >= self.dropped
        scale = BYTE_VALUES / (BYTE_VALUES - self.dropped)
        return embedded * (torch.from_numpy(kept).to(self.device) * scale)

    def _states(self, chunk: Chunk, carried: Tensor, embedded: Tensor) -> Tensor:
        """Return the state after each token, (N, H)."""
        batch = chunk.batch
        flat = self._on_device(padded_places(batch))
        segments, steps = len(batch.lengths), len(batch.offsets) - 1
        padded = embedded.new_zeros(segments * steps, embedded.shape[1]).index_copy(0, flat, embedded)
        entered_from = self._on_device(chunk.entered_from)
        initial = torch.where(entered_from[:, None] >= 0, carried[entered_from], 0.0)  # (R, H)
        padded_states, _ = self.gru(padded.view(segments, steps, -1), initial[None])  # (R, T, H)
        states: Tensor = padded_states.reshape(segments * steps, -1).index_select(0, flat)
        return states
