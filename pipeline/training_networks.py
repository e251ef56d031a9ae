"""The forward pass of a training step, in two ways with one meaning: the compiled kernels, and torch's padded GRU.

Both take a batch's token ids and return its logits as a graph that torch differentiates. The embedding enters as the
rows of the words that the batch holds, a small leaf of the graph: no gradient is as large as the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pipeline.compiled_embedding import CompiledEmbedding, SeenWords, seen_words
from pipeline.compiled_gru import CompiledGRU, DirectionWeights
from pipeline.compiled_pooling import AttentionWeights, CompiledPooling, Summaries
from pipeline.gru import GRULayer
from pipeline.kernel_library import Kernels
from pipeline.model import SentimentClassifier
from pipeline.packing import narrowed, widened
from pipeline.padding import pad
from pipeline.special_tokens import PAD_ID, UNKNOWN_ID
from pipeline.time_major import TimeMajorBatch, time_major
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class ForwardPass:
    """What a step needs of a batch's forward pass.

    Attributes:
        logits: float32, (B,), in the order given.
        token_ids: int64, (U,); the words of the batch, each once.
        rows: float32, (U, E); their embeddings, a leaf that gets the gradient.
        counts: int64, (U,); how often each stands in the batch.
        token_gradients: after the backward pass, the gradient of each token's embedding as the recurrence reads it,
            laid out as the network lays out its tokens.
        reviews: int64, laid out likewise; which review each token is of, B where it is padding.
    """

    logits: Tensor
    token_ids: Tensor
    rows: Tensor
    counts: Tensor
    token_gradients: Callable[[], Tensor]
    reviews: Tensor


class TrainingNetwork(Protocol):
    """One way to compute the forward pass."""

    def __call__(
        self,
        sequences: Sequence[NDArray[np.int32]],
        seed: int,
        prepare: Callable[[Tensor], None],
        perturbation: Tensor | None = None,
    ) -> ForwardPass:
        """Return the forward pass of a batch.

        Args:
            sequences: B int32 arrays of token ids.
            seed: decides the dropout.
            prepare: told the words, int64, (U,), before their embeddings are read.
            perturbation: added to the tokens' embeddings after their dropout; laid out as an earlier pass over the same
                sequences laid out its ``token_gradients``.
        """


def leaf_rows(classifier: SentimentClassifier, token_ids: Tensor, prepare: Callable[[Tensor], None]) -> Tensor:
    """Return the embeddings of words, (U, E), as a leaf that gets a gradient, once they are prepared to be read."""
    prepare(token_ids)
    return classifier.embedding.weight.detach()[token_ids].requires_grad_()


class PaddedNetwork:
    """The classifier's own forward pass over padded batches, on any device.

    Args:
        classifier: what is trained.
        device: where it is.
        low_precision: whether the recurrence runs under bfloat16 autocast.
    """

    def __init__(self, classifier: SentimentClassifier, device: torch.device, low_precision: bool) -> None:
        self.classifier = classifier
        self.device = device
        self.low_precision = low_precision

    def __call__(
        self,
        sequences: Sequence[NDArray[np.int32]],
        seed: int,
        prepare: Callable[[Tensor], None],
        perturbation: Tensor | None = None,
    ) -> ForwardPass:
        """Return the forward pass of a batch; see :class:`TrainingNetwork`."""
        torch.manual_seed(seed)
        token_ids, lengths = (tensor.to(self.device) for tensor in pad(sequences))  # (B, T), (B,)
        token_ids = self.classifier.with_word_dropout(token_ids)
        words, places, counts = torch.unique(token_ids, return_inverse=True, return_counts=True)  # (U,), (B, T), (U,)
        rows = leaf_rows(self.classifier, words, prepare)
        embedded = self.classifier.with_embedding_dropout(F.embedding(places, rows))  # (B, T, E)
        if perturbation is not None:
            embedded = embedded + perturbation
        embedded.retain_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            logits = self.classifier.of_embedded(embedded, lengths)
        reviews = torch.arange(len(lengths), device=self.device)[:, None].expand(token_ids.shape)  # (B, T)
        padding = torch.arange(token_ids.shape[1], device=self.device) >= lengths[:, None]

        def token_gradients() -> Tensor:
            assert embedded.grad is not None
            return embedded.grad

        return ForwardPass(logits, words, rows, counts, token_gradients, reviews.masked_fill(padding, len(lengths)))


class CompiledNetwork:
    """The same on the compiled kernels, without padding, on the CPU.

    Args:
        classifier: what is trained; its weights are read at each step.
        kernels: for one kind of stored number; float32 or bfloat16.
        threads: of each call.
    """

    def __init__(self, classifier: SentimentClassifier, kernels: Kernels, threads: int) -> None:
        self.classifier = classifier
        self.kernels = kernels
        self.threads = threads
        self.workspace = Workspace()
        settings = classifier.settings
        self.dropped = round(settings.embedding_dropout * 256)
        """Of 256: what is drawn is a byte for each entry."""

    def __call__(
        self,
        sequences: Sequence[NDArray[np.int32]],
        seed: int,
        prepare: Callable[[Tensor], None],
        perturbation: Tensor | None = None,
    ) -> ForwardPass:
        """Return the forward pass of a batch; see :class:`TrainingNetwork`."""
        settings = self.classifier.settings
        torch.manual_seed(seed)
        generator = np.random.Generator(np.random.SFC64(seed))
        if not settings.masked_in_training:  # the textbook's way: padding is read like any token
            longest = max(map(len, sequences))
            sequences = [np.pad(ids, (0, longest - len(ids)), constant_values=PAD_ID) for ids in sequences]
        batch = time_major(sequences)
        token_ids = batch.token_ids
        if settings.word_dropout > 0:
            dropped = generator.random(len(token_ids), dtype=np.float32) < settings.word_dropout
            token_ids = np.where(dropped & (token_ids != PAD_ID), np.int32(UNKNOWN_ID), token_ids)
        seen = seen_words(token_ids)
        size = self.classifier.embedding.embedding_dim if self.dropped else 0
        random = np.frombuffer(generator.bytes(len(token_ids) * size or 1), dtype=np.uint8)
        words = torch.from_numpy(seen.token_ids.astype(np.int64))
        rows = leaf_rows(self.classifier, words, prepare)
        weights = [weight for name, weight in self.classifier.named_parameters() if trained_by_kernels(name)]
        pass_ = CompiledPass(self, batch, seen, random, perturbation)
        pooled = PooledByKernels.apply(pass_, rows, *weights)  # type: ignore[no-untyped-call]
        logits = self.classifier.of_pooled(pooled)  # (B,), longest first
        inverse = np.empty(len(batch.order), dtype=np.int64)
        inverse[batch.order] = np.arange(len(batch.order))
        time = np.repeat(np.arange(len(batch.offsets) - 1), np.diff(batch.offsets))
        reviews = torch.from_numpy(batch.order[np.arange(len(time)) - batch.offsets[time]])  # (N,)
        counts = torch.from_numpy(np.diff(seen.first).astype(np.int64))
        return ForwardPass(logits[torch.from_numpy(inverse)], words, rows, counts, pass_.token_gradients, reviews)


def trained_by_kernels(name: str) -> bool:
    """Say whether the gradient of a classifier's weight comes from the kernels, and not from torch."""
    return name.startswith(("layers.", "pooled."))


class CompiledPass:
    """One batch's way through the kernels, there and back.

    Args:
        network: whose classifier, kernels and workspace are used.
        batch: the tokens' layout.
        seen: the words after word dropout.
        random: bytes for the embedding dropout.
        perturbation: float32, (N, E), added to the tokens' embeddings; None for nothing.
    """

    def __init__(
        self,
        network: CompiledNetwork,
        batch: TimeMajorBatch,
        seen: SeenWords,
        random: NDArray[np.uint8],
        perturbation: Tensor | None,
    ) -> None:
        self.kernels, self.perturbation = network.kernels, perturbation
        kernels, workspace, threads = network.kernels, network.workspace, network.threads
        self.settings = network.classifier.settings
        self.batch, self.seen, self.random, self.dropped = batch, seen, random, network.dropped
        self.embedding = CompiledEmbedding(kernels, workspace, threads)
        self.layers = []
        for index, layer in enumerate(network.classifier.layers):
            assert isinstance(layer, GRULayer)
            directions = [gru for gru in (layer.forward_gru, layer.backward_gru) if gru is not None]
            weights = [direction_weights(gru) for gru in directions]
            self.layers.append(CompiledGRU(kernels, weights, workspace, f"layer {index}", threads))
        attention = None
        if "attention" in self.settings.pooling:
            of_pooled = dict(network.classifier.pooled.named_parameters())
            attention = AttentionWeights(
                projection=numbers(of_pooled["attention.0.weight"]),
                bias=numbers(of_pooled["attention.0.bias"]),
                vector=numbers(of_pooled["attention.2.weight"]).ravel(),
            )
        self.pooling = CompiledPooling(kernels, attention, workspace, threads)

    def forward(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the pooled states, (B, P), longest review first, from the embeddings of the words seen, (U, E)."""
        self.embedding_size = rows.shape[1]
        states = self.embedding.forward(rows, self.seen.rows, self.random, self.dropped)  # (N, E padded)
        if self.perturbation is not None:
            sums = widened(self.kernels, states)
            sums[:, : self.embedding_size] += self.perturbation.numpy()
            states = narrowed(self.kernels, sums)
        for layer in self.layers:
            states = layer.forward(self.batch, states, training=True)
        self.state_size = states.shape[1]
        summaries = self.pooling.forward(self.batch, states, training=True)
        parts = {"max": summaries.maximum, "mean": summaries.mean, "attention": summaries.attended}
        if "last" in self.settings.pooling:
            parts["last"] = self.layers[-1].last_states()
        return np.concatenate([parts[name] for name in self.settings.pooling], axis=1)

    def backward(self, gradient: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return the gradients of the rows and of the weights in the classifier's order, from that of the result."""
        size = self.state_size
        parts = {
            name: np.ascontiguousarray(gradient[:, place * size : (place + 1) * size])
            for place, name in enumerate(self.settings.pooling)
        }
        zeros = np.zeros((len(gradient), size), dtype=gradient.dtype)
        summaries = Summaries(*(parts.get(name, zeros) for name in ("max", "mean", "attention")))
        of_states, of_attention = self.pooling.backward(summaries)
        if "last" in parts:
            self.layers[-1].add_to_last_states(of_states, parts["last"])
        of_weights: list[NDArray[np.float32]] = []
        for layer in reversed(self.layers):
            of_states, of_layer = layer.backward(of_states)
            of_weights[:0] = [
                part
                for weights in of_layer
                for part in (weights.of_input, weights.recurrent, weights.input_bias, weights.recurrent_bias)
            ]
        if of_attention is not None:
            of_weights += [of_attention.projection, of_attention.bias, of_attention.vector[None]]
        self._of_tokens = of_states
        rows = self.embedding.backward(of_states, self.seen, self.random, self.dropped, self.embedding_size)
        return [rows, *of_weights]

    def token_gradients(self) -> Tensor:
        """Return the gradients of the tokens' embeddings, float32, (N, E), once :meth:`backward` is done."""
        return torch.from_numpy(widened(self.kernels, self._of_tokens)[:, : self.embedding_size])


class PooledByKernels(torch.autograd.Function):
    """From the embeddings of the words seen to the pooled states, as one node of torch's graph."""

    @staticmethod
    def forward(ctx: Any, compiled: CompiledPass, rows: Tensor, *weights: Tensor) -> Tensor:
        """Return the pooled states, float32, (B, P); ``weights`` are named for their gradients' sake."""
        ctx.compiled = compiled
        return torch.from_numpy(compiled.forward(rows.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the rows and of each weight."""
        (gradient,) = gradients
        results = ctx.compiled.backward(gradient.contiguous().numpy())
        return (None, *map(torch.from_numpy, results))


def numbers(weight: Tensor) -> NDArray[np.float32]:
    """Return a weight as a NumPy array over the same memory."""
    return weight.detach().contiguous().numpy()


def direction_weights(gru: torch.nn.GRU) -> DirectionWeights:
    """Return the weights of a one-layer GRU over the same memory."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return DirectionWeights(*(numbers(gru.get_parameter(name)) for name in names))
