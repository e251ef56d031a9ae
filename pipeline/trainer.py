"""One training run: the network, its moving average, the optimiser and where the run stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pipeline.adversarial import adversarial_perturbation, root_mean_square
from pipeline.batches import shuffled_batches
from pipeline.calibration import log_loss_of_logits
from pipeline.checkpoints import TrainingState
from pipeline.config import Recipe, TrainingSettings
from pipeline.distributed import Processes
from pipeline.errors import SentimentError
from pipeline.folded import FoldedClassifier, available_precisions, folded_available
from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.kernel_library import BFLOAT16, FLOAT32, load_kernels
from pipeline.machine import machine_description
from pipeline.model import SentimentClassifier
from pipeline.moving_average import MovingAverage
from pipeline.seen_rows_adam import SeenRowsAdam
from pipeline.special_tokens import PAD_ID
from pipeline.step_gradients import StepGradients
from pipeline.torch_inference import compute_logits
from pipeline.training_data import TrainingData
from pipeline.training_networks import CompiledNetwork, PaddedNetwork, TrainingNetwork

BFLOAT16_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16", "arm_bf16"})
LOWEST_RATE = 0.1
"""Share of the highest learning rate at which the cosine schedule ends."""


def learning_rate_at(step: int, steps: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a step, counted from 0."""
    highest = settings.learning_rate * min(1.0, (step + 1) / max(settings.warmup_steps, 1))
    if settings.schedule == "constant":
        return highest
    share = (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2
    return highest * (LOWEST_RATE + (1 - LOWEST_RATE) * share)


class Trainer:
    """One run: the network, its moving average, the optimiser and where the run stands.

    Args:
        recipe: what to train.
        vectors: float32, (V, D); the embeddings at the start.
        data: the training split.
        seed: decides the initial weights, the batches and the dropout.
        device: where to train.
        compiled: False leaves the compiled kernels alone; None takes them on the CPU where they can be had.
        processes: those of this run; each has a trainer, and all of them take the same steps.
        encoder: weights of the classifier to start from, by name, in place of random ones.
    """

    def __init__(
        self,
        recipe: Recipe,
        vectors: NDArray[np.float32],
        data: TrainingData,
        seed: int,
        device: torch.device,
        *,
        compiled: bool | None = None,
        processes: Processes | None = None,
        encoder: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.processes = processes or Processes()
        self.settings = recipe.training
        self.data = data
        self.seed = seed
        self.device = device
        torch.manual_seed(seed)
        classifier = SentimentClassifier(vectors.shape[0], vectors.shape[1], recipe.model)
        with torch.no_grad():
            classifier.embedding.weight.copy_(torch.from_numpy(vectors))
            for name, weight in (encoder or {}).items():
                classifier.get_parameter(name).copy_(weight)
        self.classifier = classifier.to(device)
        for weight in self.classifier.parameters():
            self.processes.broadcast(weight)
        decay = self.settings.weight_average
        self.average = MovingAverage(self.classifier, decay) if decay > 0 else None
        self.optimizer = self._optimizer()
        self.state = TrainingState()
        self.best: dict[str, Tensor] = {}
        self.low_precision = self.settings.precision == "bfloat16" and has_fast_bfloat16(device)
        self.network = self._network(compiled is not False)
        self.forward = self.processes.wrapped(self.network, self.classifier)
        cut = self.settings.max_tokens
        taught = data.taught
        whole = [data.sequences[row] for row in data.training_rows] + taught.sequences
        self._sequences = [cut_to_head_and_tail(sequence, cut) for sequence in whole]
        self._lengths = np.asarray([len(sequence) for sequence in self._sequences], dtype=np.int64)
        self._labels = np.concatenate([data.labels[data.training_rows].astype(np.float32), taught.probabilities])
        self.reviews = len(self._lengths)
        """In an epoch: labelled ones and taught ones."""
        self.steps_per_epoch = math.ceil(len(self._lengths) / self.settings.batch_size)
        steps = self.settings.epochs * self.steps_per_epoch
        self.embedding_optimizer = SeenRowsAdam(self.classifier.embedding.weight, steps)

    def _optimizer(self) -> torch.optim.Optimizer:
        """AdamW, which is Adam where the weight decay is 0, of all but the embeddings; those are never decayed."""
        named = [(name, weight) for name, weight in self.classifier.named_parameters() if name != "embedding.weight"]
        settings = self.settings
        weights = [
            {
                "params": [weight for name, weight in named if name.startswith("layers.")],
                "share": settings.encoder_rate,
            },
            {"params": [weight for name, weight in named if not name.startswith("layers.")], "share": 1.0},
        ]
        return torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)

    def _network(self, compiled: bool) -> TrainingNetwork:
        if compiled and self.device.type == "cpu" and folded_available(self.classifier.settings):
            kernels = (load_kernels(BFLOAT16) if self.low_precision else None) or load_kernels(FLOAT32)
            if kernels is not None:
                self.low_precision = kernels.kind is BFLOAT16
                return CompiledNetwork(self.classifier, kernels, torch.get_num_threads())
        return PaddedNetwork(self.classifier, self.device, self.low_precision)

    def modules(self) -> dict[str, torch.nn.Module]:
        """Return what a checkpoint must hold beside the optimiser."""
        average = {} if self.average is None else {"average": self.average}
        return {"classifier": self.classifier, "embedding_optimizer": self.embedding_optimizer, **average}

    def evaluated(self) -> SentimentClassifier:
        """Return the network that is evaluated and kept: the moving average, brought up to date, where there is one."""
        self._catch_up(None)
        if self.average is None:
            return self.classifier
        assert isinstance(self.average.module, SentimentClassifier)
        return self.average.module

    def _catch_up(self, token_ids: Tensor | None) -> None:
        """Bring embeddings, (U,), and their average to where all steps so far leave them; all of them if None."""
        self.embedding_optimizer.catch_up(token_ids)
        if self.average is not None:
            self.average.catch_up(self.classifier, token_ids)

    def recurrence(self) -> str:
        """Return what computes the recurrence and how precisely, for people and for the identity of a run."""
        precision = "bfloat16" if self.low_precision else "float32"
        return f"{'compiled kernels' if isinstance(self.network, CompiledNetwork) else 'torch.nn.GRU'}, {precision}"

    def batches(self) -> list[NDArray[np.int64]]:
        """Return the batches of the epoch under way; the same ones when asked again."""
        generator = np.random.default_rng([self.seed, self.state.epoch])
        return shuffled_batches(self._lengths, self.settings.batch_size, generator)

    def train_on(self, batch: NDArray[np.int64]) -> float:
        """Take one optimiser step on a batch; return its mean loss.

        Raises:
            SentimentError: the loss is no longer a number.
        """
        gradients = self.exchange(self.gradients_of(batch))
        self.apply(gradients)
        value = gradients.loss.item()
        state = self.state
        if not math.isfinite(value):
            raise SentimentError(
                f"step {state.step + 1}: the training loss is {value}; lower learning_rate in the recipe"
            )
        state.step += 1
        state.batch += 1
        state.reviews_seen += len(batch)
        state.loss_sum += value * len(batch)
        return value

    def gradients_of(self, batch: NDArray[np.int64]) -> StepGradients:
        """Compute the gradients of the loss of this process's share of a batch.

        The dense weights' are left in their ``grad``; those of several processes are averaged in the backward pass.
        """
        share = self.processes.share(batch)
        targets = torch.from_numpy(self._labels[share.reviews]).to(self.device)  # (S,)
        self.classifier.train()
        sequences = [self._sequences[index] for index in share.reviews]
        forward = self.forward(sequences, self._seed_of_step(), self._prepare)
        loss = F.binary_cross_entropy_with_logits(forward.logits, targets) * share.weight
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert forward.rows.grad is not None
        rows = forward.rows.grad
        if self.settings.adversarial_length > 0:
            real = forward.counts * (forward.token_ids != PAD_ID)
            length = self.settings.adversarial_length * root_mean_square(forward.rows, real)
            perturbation = adversarial_perturbation(forward.token_gradients(), forward.reviews, len(targets), length)
            perturbed = self.forward(sequences, self._seed_of_step(), self._prepare, perturbation)
            adversarial_loss = F.binary_cross_entropy_with_logits(perturbed.logits, targets) * share.weight
            adversarial_loss.backward()  # type: ignore[no-untyped-call]
            assert perturbed.rows.grad is not None
            rows = rows + perturbed.rows.grad
        rows[forward.token_ids == PAD_ID] = 0  # padding stays what it is: zeros
        return StepGradients(loss.detach(), forward.token_ids, rows)

    def _seed_of_step(self) -> int:
        """Return what decides the dropout of a step, in each process something else."""
        return seed_of_step(self.seed, self.state.step * self.processes.count + self.processes.rank)

    def _prepare(self, token_ids: Tensor) -> None:
        """Bring the words that any process is about to read, (U,), up to date, on each process in the same way."""
        self._catch_up(self.processes.union(token_ids, len(self.classifier.embedding.weight)))

    def exchange(self, gradients: StepGradients) -> StepGradients:
        """Return the gradients of the whole batch from those of each process's share of it."""
        return self.processes.exchange(gradients, len(self.classifier.embedding.weight))

    def apply(self, gradients: StepGradients) -> None:
        """Clip the gradients, take a step of both optimisers and update the moving average."""
        state, settings = self.state, self.settings
        learning_rate = learning_rate_at(state.step, settings.epochs * self.steps_per_epoch, settings)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["share"]
        if settings.gradient_clip > 0:
            rows = torch.empty_like(gradients.rows)
            rows.grad = gradients.rows  # shared, so that it is scaled in place like the others
            weights = [weight for weight in self.classifier.parameters() if weight.grad is not None]
            torch.nn.utils.clip_grad_norm_([*weights, rows], settings.gradient_clip)
        self.optimizer.step()
        self.embedding_optimizer.step(gradients.token_ids, gradients.rows, learning_rate * settings.encoder_rate)
        if self.average is not None:
            self.average.update(self.classifier, gradients.token_ids)

    def validation_logits(self, precision: str = "int8") -> NDArray[np.float32]:
        """Return the logits of the validation part as the scorer computes them in a precision, without dropout."""
        sequences = [self.data.sequences[row] for row in self.data.validation_rows]
        return score_sequences(self.evaluated(), sequences, self.device, precision)

    def agreed_logits(self) -> NDArray[np.float32]:
        """Return the logits of the validation part as the first process computes them, on all."""
        if self.processes.first:
            logits = torch.from_numpy(self.validation_logits())
        else:
            self.evaluated()  # brings the embeddings up to date here too
            logits = torch.empty(len(self.data.validation_rows))
        self.processes.broadcast(logits)
        return logits.numpy()

    def scoring_precisions(self) -> tuple[str, ...]:
        """Return the precisions that can be tried here."""
        settings = self.classifier.settings
        on_kernels = self.device.type == "cpu" and folded_available(settings)
        return available_precisions() if on_kernels else ("float32",)

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
    classifier: SentimentClassifier, sequences: list[NDArray[np.int32]], device: torch.device, precision: str
) -> NDArray[np.float32]:
    """Return logits as the scorer computes them, float32, (N,); without the kernels the precision is float32."""
    cut = classifier.settings.max_tokens
    whole = [cut_to_head_and_tail(sequence, cut) for sequence in sequences]
    if device.type == "cpu" and folded_available(classifier.settings):
        weights = {name: tensor.numpy() for name, tensor in classifier.state_dict().items()}
        threads = torch.get_num_threads()
        return FoldedClassifier.from_weights(weights, classifier.settings, precision, threads=threads).logits(whole)
    classifier.eval()
    return compute_logits(classifier, whole, device)
