"""One training run: the network, its moving average, the optimiser and where the run stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from pipeline.batches import cut_to_head_and_tail, pad, shuffled_batches
from pipeline.calibration import log_loss_of_logits
from pipeline.checkpoints import TrainingState
from pipeline.config import Recipe, TrainingSettings
from pipeline.errors import SentimentError
from pipeline.inference import compute_logits
from pipeline.machine import machine_description
from pipeline.model import SentimentClassifier
from pipeline.training_data import TrainingData

BFLOAT16_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16", "arm_bf16"})
LOWEST_RATE = 0.1
"""Share of the highest learning rate at which the cosine schedule ends."""


def learning_rate_at(step: int, steps: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a step, counted from 0."""
    if settings.schedule == "constant":
        return settings.learning_rate
    share = (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2
    return settings.learning_rate * (LOWEST_RATE + (1 - LOWEST_RATE) * share)


def average_with_warm_up(decay: float) -> Any:
    """Return the update of an exponential moving average whose decay starts low, min(decay, (1 + n) / (10 + n)).

    The warm-up keeps the random start of the weights out of the average.
    """

    @torch.no_grad()
    def update(averaged: Any, current: Any, updates: Tensor | int) -> None:
        count = int(updates)
        weight = 1 - min(decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(averaged, current, weight)

    return update


class Trainer:
    """One run: the network, its moving average, the optimiser and where the run stands.

    Args:
        recipe: what to train.
        vectors: float32, (V, D); the embeddings at the start.
        data: the training split.
        seed: decides the initial weights, the batches and the dropout.
        device: where to train.
    """

    def __init__(
        self, recipe: Recipe, vectors: NDArray[np.float32], data: TrainingData, seed: int, device: torch.device
    ) -> None:
        self.settings = recipe.training
        self.data = data
        self.seed = seed
        self.device = device
        torch.manual_seed(seed)
        classifier = SentimentClassifier(vectors.shape[0], vectors.shape[1], recipe.model)
        with torch.no_grad():
            classifier.embedding.weight.copy_(torch.from_numpy(vectors))
        self.classifier = classifier.to(device)
        self.average: AveragedModel | None = None
        if self.settings.weight_average > 0:
            self.average = AveragedModel(
                self.classifier, multi_avg_fn=average_with_warm_up(self.settings.weight_average), use_buffers=False
            )
        self.optimizer = self._optimizer()
        self.state = TrainingState()
        self.best: dict[str, Tensor] = {}
        self.low_precision = self.settings.precision == "bfloat16" and has_fast_bfloat16(device)
        cut = self.settings.max_tokens
        self._sequences = [cut_to_head_and_tail(data.sequences[row], cut) for row in data.training_rows]
        self._lengths = np.asarray([len(sequence) for sequence in self._sequences], dtype=np.int64)
        self._labels = data.labels[data.training_rows].astype(np.float32)
        self.steps_per_epoch = math.ceil(len(self._lengths) / self.settings.batch_size)

    def _optimizer(self) -> torch.optim.Optimizer:
        """AdamW, which is Adam where the weight decay is 0; embeddings are never decayed: most get no gradient."""
        embeddings = [self.classifier.embedding.weight]
        others = [weight for name, weight in self.classifier.named_parameters() if name != "embedding.weight"]
        groups = [
            {"params": others, "weight_decay": self.settings.weight_decay},
            {"params": embeddings, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True)

    def modules(self) -> dict[str, torch.nn.Module]:
        """Return what a checkpoint must hold beside the optimiser."""
        average = {} if self.average is None else {"average": self.average}
        return {"classifier": self.classifier, **average}

    def evaluated(self) -> SentimentClassifier:
        """Return the network that is evaluated and kept: the moving average where there is one."""
        module = self.classifier if self.average is None else self.average.module
        assert isinstance(module, SentimentClassifier)
        return module

    def batches(self) -> list[NDArray[np.int64]]:
        """Return the batches of the epoch under way; the same ones when asked again."""
        generator = np.random.default_rng([self.seed, self.state.epoch])
        return shuffled_batches(self._lengths, self.settings.batch_size, generator)

    def train_on(self, batch: NDArray[np.int64]) -> float:
        """Take one optimiser step on a batch; return its mean loss.

        Raises:
            SentimentError: the loss is no longer a number.
        """
        state, settings = self.state, self.settings
        torch.manual_seed(seed_of_step(self.seed, state.step))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(state.step, settings.epochs * self.steps_per_epoch, settings)
        token_ids, lengths = pad([self._sequences[index] for index in batch])  # (B, T), (B,)
        targets = torch.from_numpy(self._labels[batch]).to(self.device)  # (B,)
        self.classifier.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            logits = self.classifier(token_ids.to(self.device), lengths.to(self.device))  # (B,)
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if settings.gradient_clip > 0:
            torch.nn.utils.clip_grad_norm_(self.classifier.parameters(), settings.gradient_clip)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.classifier)
        value = loss.item()
        if not math.isfinite(value):
            raise SentimentError(
                f"step {state.step + 1}: the training loss is {value}; lower learning_rate in the recipe"
            )
        state.step += 1
        state.batch += 1
        state.reviews_seen += len(batch)
        state.loss_sum += value * len(batch)
        return value

    def validation_logits(self) -> NDArray[np.float32]:
        """Return the logits of the validation part in float32 precision, uncut and without dropout."""
        return score_sequences(
            self.evaluated(), [self.data.sequences[row] for row in self.data.validation_rows], self.device
        )

    def finish_epoch(self, logits: NDArray[np.float32]) -> dict[str, float]:
        """Remember the weights if they are the best so far, and open the next epoch; return the log line.

        Args:
            logits: of the validation part under the weights of now.
        """
        state = self.state
        labels = self.data.labels[self.data.validation_rows]
        line = {
            "epoch": state.epoch + 1,
            "training_loss": state.loss_sum / state.reviews_seen,
            "validation_accuracy": float(np.mean((logits >= 0) == labels)),
            "validation_log_loss": log_loss_of_logits(logits, labels),
            "seconds": state.epoch_seconds,
            "reviews_per_second": state.reviews_seen / max(state.epoch_seconds, 1e-9),
        }
        state.history.append(line)
        state.epoch += 1
        state.batch, state.reviews_seen, state.loss_sum, state.epoch_seconds = 0, 0, 0.0, 0.0
        if best_epoch(state.history, self.settings.select_by) == state.epoch:
            state.best_epoch = state.epoch
            self.best = {name: tensor.clone() for name, tensor in self.evaluated().state_dict().items()}
        return line

    def finished(self) -> bool:
        """Say whether the last epoch is done, or ``patience`` epochs in a row brought nothing better."""
        state = self.state
        waited = state.epoch - state.best_epoch
        return state.epoch >= self.settings.epochs or (state.epoch > 0 and waited >= self.settings.patience)


def seed_of_step(seed: int, step: int) -> int:
    """Return the generator's seed for one step; any seed, however large, gives a number that torch takes."""
    return (seed * 1_000_003 + step) % 2**63


def best_epoch(history: Sequence[dict[str, float]], select_by: str) -> int:
    """Return the best epoch, counted from 1; of equal ones the first (by accuracy: the one with the lower log loss)."""
    if select_by == "log_loss":
        keys = [(line["validation_log_loss"], 0.0) for line in history]
    else:
        keys = [(-line["validation_accuracy"], line["validation_log_loss"]) for line in history]
    return keys.index(min(keys)) + 1


def has_fast_bfloat16(device: torch.device) -> bool:
    """Say whether bfloat16 is faster than float32 here; on a CPU without its instructions it is slower."""
    if device.type == "cpu":
        instruction_sets = machine_description()["instruction_sets"]
        has_onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
        return has_onednn and not BFLOAT16_INSTRUCTIONS.isdisjoint(instruction_sets)
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def score_sequences(
    classifier: SentimentClassifier, sequences: list[NDArray[np.int32]], device: torch.device
) -> NDArray[np.float32]:
    """Return logits as the scorer computes them, float32, (N,)."""
    cut = classifier.settings.max_tokens
    classifier.eval()
    return compute_logits(classifier, [cut_to_head_and_tail(sequence, cut) for sequence in sequences], device)
