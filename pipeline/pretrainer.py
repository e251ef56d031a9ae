"""One run of language-model pretraining: the networks, the optimisers, and where the run stands.

The two directions share the embeddings alone. Each runs in a thread of its own, on its own chunk of text, and they
meet once a step, when their gradients are added up: threads that share a product would wait for each other hundreds of
times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.direction_networks import (
    BYTE_VALUES,
    CompiledDirectionNetwork,
    DirectionGradients,
    DirectionNetwork,
    StepWords,
    TorchDirectionNetwork,
)
from pipeline.errors import SentimentError
from pipeline.kernel_library import Kernels
from pipeline.language_model import LanguageModel
from pipeline.pretraining_settings import PretrainingSettings, learning_rate_at
from pipeline.review_streams import END_ID, Chunk, ReviewStreams
from pipeline.sampled_softmax import WordSampler
from pipeline.seen_rows_adam import SeenRowsAdam


@dataclass
class PretrainingState:
    """Where a run stands, apart from its tensors.

    Attributes:
        step: optimiser steps taken.
        epoch: epochs finished.
        chunk: chunks done in the epoch under way.
        loss_sum: sum of the losses of the tokens seen since the last report, in nats.
        tokens: seen since the last report.
        seconds: spent so far.
        history: one entry for each finished epoch.
    """

    step: int = 0
    epoch: int = 0
    chunk: int = 0
    loss_sum: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class Carried(nn.Module):
    """The state that each stream has reached, (directions, S, H), in a module so that checkpoints hold it.

    Args:
        directions: of the language model.
        streams: rows of a chunk.
        hidden_size: units of each direction.
    """

    def __init__(self, directions: int, streams: int, hidden_size: int) -> None:
        super().__init__()
        self.states: Tensor
        self.register_buffer("states", torch.zeros(directions, streams, hidden_size))


class Pretrainer:
    """One run.

    Args:
        settings: how the model is made.
        vectors: float32, (V, D); where the embeddings start.
        reviews: int32 token ids of each review, none empty.
        seed: decides all that is random.
        kernels: that compute the recurrence; None for torch's GRU.
        device: where the model is; the CPU for the kernels.
    """

    def __init__(
        self,
        settings: PretrainingSettings,
        vectors: NDArray[np.float32],
        reviews: Sequence[NDArray[np.int32]],
        seed: int,
        kernels: Kernels | None,
        device: torch.device,
    ) -> None:
        self.settings, self.reviews, self.seed, self.device = settings, reviews, seed, device
        counts = np.bincount(np.concatenate(reviews), minlength=len(vectors))
        counts[END_ID] = len(reviews)  # each review ends once
        self.sampler = WordSampler(counts, settings.draws)
        self.model = self._new_model(vectors, counts)
        self.networks = self._networks(kernels)
        tokens = sum(map(len, reviews))
        self.steps_per_epoch = math.ceil(math.ceil(tokens / settings.streams) / settings.chunk_length)
        self.steps = settings.epochs * self.steps_per_epoch
        dense: list[Tensor] = [weight for gru in self.model.directions() for weight in gru.parameters()]
        dense += [projection.weight for projection in self.model.heads()]
        self.optimizer = torch.optim.Adam(dense, lr=settings.learning_rate, fused=True)
        self.embedding_optimizer = SeenRowsAdam(self.model.embedding.weight, self.steps + settings.epochs)
        self._bias = self.model.output_bias.detach()[:, None]  # (V, 1), over the same memory
        self.bias_optimizer = SeenRowsAdam(self._bias, self.steps + settings.epochs)
        self.state = PretrainingState()
        self.carried = Carried(len(self.networks), settings.streams, settings.hidden_size).to(device)
        self._pool = ThreadPoolExecutor(len(self.networks))
        self._streams: list[ReviewStreams] = []
        self._streams_of = -1

    @torch.no_grad()
    def _new_model(self, vectors: NDArray[np.float32], counts: NDArray[np.int64]) -> LanguageModel:
        """Return a model with the vocabulary's vectors as embeddings and the words' log frequencies as biases."""
        settings = self.settings
        torch.manual_seed(self.seed)
        model = LanguageModel(len(vectors), settings.embedding_size, settings.hidden_size, settings.bidirectional)
        table = model.embedding.weight
        width = min(vectors.shape[1], table.shape[1])
        scale = float(vectors[2:, :width].std())
        table.normal_(0, scale / 4)
        table[:, :width] = torch.from_numpy(vectors[:, :width])
        shares = torch.from_numpy(np.maximum(counts, 1) / counts.sum())
        model.output_bias.copy_(shares.log())
        return model.to(self.device)

    def _networks(self, kernels: Kernels | None) -> list[DirectionNetwork]:
        """Return what computes each direction."""
        dropped = round(self.settings.embedding_dropout * BYTE_VALUES)
        parts = list(zip(self.model.directions(), self.model.heads(), strict=True))
        if kernels is None:
            return [TorchDirectionNetwork(gru, projection, dropped) for gru, projection in parts]
        return [CompiledDirectionNetwork(gru, projection, kernels, dropped) for gru, projection in parts]

    def modules(self) -> dict[str, nn.Module]:
        """Return what a checkpoint must hold beside the optimiser."""
        return {
            "model": self.model,
            "embedding_optimizer": self.embedding_optimizer,
            "bias_optimizer": self.bias_optimizer,
            "carried": self.carried,
        }

    def catch_up(self) -> None:
        """Bring all embeddings and biases to where the steps so far leave them."""
        self.embedding_optimizer.catch_up()
        self.bias_optimizer.catch_up()

    def streams(self) -> list[ReviewStreams]:
        """Return the epoch under way in streams, for each direction."""
        if self._streams_of != self.state.epoch:
            order = np.random.default_rng([self.seed, self.state.epoch]).permutation(len(self.reviews))
            settings = self.settings
            self._streams = [
                ReviewStreams(
                    self.reviews,
                    order,
                    streams=settings.streams,
                    chunk_length=settings.chunk_length,
                    reversed_in_time=direction > 0,
                )
                for direction in range(len(self.networks))
            ]
            self._streams_of = self.state.epoch
        return self._streams

    @torch.no_grad()
    def train_on_next_chunk(self) -> float:
        """Take one step; return its mean loss a token, in nats.

        Raises:
            SentimentError: the loss is no longer a number.
        """
        state = self.state
        chunks = [streams.chunk(state.chunk) for streams in self.streams()]
        words = self._words(chunks)

        def gradients(direction: int) -> DirectionGradients:
            seed = (self.seed, 2 + direction, state.step)
            return self.networks[direction](chunks[direction], self.carried.states[direction], words, seed)

        results = list(self._pool.map(gradients, range(len(self.networks))))
        loss, tokens = sum(result.loss for result in results), sum(result.tokens for result in results)
        if not math.isfinite(loss):
            raise SentimentError(f"step {state.step + 1}: the loss is {loss}; lower the learning rate")
        self._apply(results, words.token_ids, tokens)
        self._carry(chunks, results)
        state.step += 1
        state.chunk += 1
        state.loss_sum += loss
        state.tokens += tokens
        if state.chunk >= min(streams.chunks for streams in self.streams()):
            state.epoch, state.chunk = state.epoch + 1, 0
            self.carried.states.zero_()
        return loss / tokens

    def _words(self, chunks: Sequence[Chunk]) -> StepWords:
        """Draw the wrong answers of a step; return all words that it needs, brought to where they stand by now."""
        wrong = self.sampler.draw(np.random.default_rng([self.seed, 1, self.state.step]))
        read = [part for chunk in chunks for part in (chunk.batch.token_ids, chunk.targets)]
        words = np.unique(np.concatenate([wrong.token_ids, *read]))
        places = np.zeros(len(self._bias), dtype=np.int64)
        places[words] = np.arange(len(words))
        token_ids = torch.from_numpy(words.astype(np.int64)).to(self.device)
        self.embedding_optimizer.catch_up(token_ids)
        self.bias_optimizer.catch_up(token_ids)
        rows = self.model.embedding.weight.detach()[token_ids]
        return StepWords(token_ids, places, rows, self._bias[token_ids].squeeze(1), wrong)

    def _apply(self, results: Sequence[DirectionGradients], token_ids: Tensor, tokens: int) -> None:
        """Clip the gradients of the mean loss and step."""
        learning_rate = learning_rate_at(self.state.step, self.steps, self.settings)
        per_direction = tokens / len(results)  # each direction's mean loss counts the same, and they add up
        dense = [part for result in results for part in result.of_gru] + [result.of_projection for result in results]
        of_rows = torch.stack([result.of_rows for result in results]).sum(dim=0)
        of_bias = torch.stack([result.of_bias for result in results]).sum(dim=0)
        gradients = [*dense, of_rows, of_bias]
        norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(part) for part in gradients])))
        norm /= per_direction
        scale = min(1.0, self.settings.gradient_clip / max(norm, 1e-12)) / per_direction
        for part in gradients:
            part.mul_(scale)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
            for weight, gradient in zip(group["params"], dense, strict=True):
                weight.grad = gradient
        self.optimizer.step()
        self.embedding_optimizer.step(token_ids, of_rows, learning_rate)
        self.bias_optimizer.step(token_ids, of_bias[:, None], learning_rate)

    def _carry(self, chunks: Sequence[Chunk], results: Sequence[DirectionGradients]) -> None:
        """Keep the states from which the next chunks go on."""
        for direction, (chunk, result) in enumerate(zip(chunks, results, strict=True)):
            goes_on = chunk.carried_to >= 0
            streams, segments = torch.from_numpy(chunk.carried_to[goes_on]), torch.from_numpy(np.flatnonzero(goes_on))
            last_states = result.last_states[segments.to(self.device)]
            self.carried.states[direction, streams.to(self.device)] = last_states
