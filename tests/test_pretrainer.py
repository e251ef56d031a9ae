"""Promise: its steps are those of dense Adam on the mean losses of both directions, clipped, by the schedule."""

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.language_model import LanguageModel
from pipeline.pretrainer import Pretrainer
from pipeline.pretraining_settings import PretrainingSettings, learning_rate_at
from pipeline.review_streams import Chunk

WORDS = 60
SETTINGS = PretrainingSettings(
    epochs=4,
    hidden_size=16,
    embedding_size=12,
    streams=3,
    chunk_length=6,
    draws=12,
    embedding_dropout=0.0,
    learning_rate=0.02,
    warmup_steps=4,
    gradient_clip=1.6,
)


def some_reviews() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    lengths = [9, 3, 14, 1, 8, 11, 2]
    return [(generator.integers(0, WORDS - 2, size=length) ** 2 // WORDS + 2).astype(np.int32) for length in lengths]


def new_trainer() -> Pretrainer:
    vectors = np.random.default_rng(1).normal(size=(WORDS, 8)).astype(np.float32)
    return Pretrainer(SETTINGS, vectors, some_reviews(), 5, None, torch.device("cpu"))


class DenseReference:
    """The same training by autograd, segment by segment, with dense gradients and torch's own Adam and clipping."""

    def __init__(self, trainer: Pretrainer) -> None:
        self.trainer = trainer
        self.model = LanguageModel(WORDS, SETTINGS.embedding_size, SETTINGS.hidden_size, True)
        self.model.load_state_dict(trainer.model.state_dict())
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.carried = torch.zeros(2, SETTINGS.streams, SETTINGS.hidden_size)
        self.clipped = 0

    def loss(self, chunk: Chunk, direction: int, weights: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """The sum of the losses, and the states that go on."""
        batch, gru = chunk.batch, self.model.directions()[direction]
        loss, goes_on = torch.zeros(()), {}
        for row, length in enumerate(batch.lengths):
            positions = batch.offsets[:length].astype(np.int64) + row
            entered = chunk.entered_from[row]
            initial = self.carried[direction, entered] if entered >= 0 else torch.zeros(SETTINGS.hidden_size)
            states, last = gru(self.model.embedding(torch.from_numpy(batch.token_ids[positions]).long()), initial[None])
            logits = self.model.logits(states, direction)
            right = torch.from_numpy(chunk.targets[positions]).long()[:, None]
            shares = weights.expand(len(right), -1).scatter(1, right, 1.0)
            loss = loss + ((shares * logits.exp()).sum(dim=1).log() - logits.gather(1, right).squeeze(1)).sum()
            if chunk.carried_to[row] >= 0:
                goes_on[int(chunk.carried_to[row])] = last[0].detach()
        return loss, goes_on

    def step(self) -> float:
        """Take the step that the trainer is about to take; return the mean loss."""
        state = self.trainer.state
        wrong = self.trainer.sampler.draw(np.random.default_rng([5, 1, state.step]))
        weights = torch.zeros(WORDS)
        weights[torch.from_numpy(wrong.token_ids)] = 1 / torch.from_numpy(np.exp(wrong.log_inclusion))
        chunks = [streams.chunk(state.chunk) for streams in self.trainer.streams()]
        losses, states = zip(*(self.loss(chunk, index, weights) for index, chunk in enumerate(chunks)), strict=True)
        tokens = [len(chunk.targets) for chunk in chunks]
        assert tokens[0] == tokens[1]
        self.optimizer.zero_grad()
        sum(losses).div(tokens[0]).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), SETTINGS.gradient_clip)
        self.clipped += bool(norm > SETTINGS.gradient_clip)
        self.optimizer.param_groups[0]["lr"] = learning_rate_at(state.step, self.trainer.steps, SETTINGS)
        self.optimizer.step()
        for direction, goes_on in enumerate(states):
            for stream, last in goes_on.items():
                self.carried[direction, stream] = last
        if state.chunk == self.trainer.steps_per_epoch - 1:
            self.carried.zero_()
        return sum(losses).item() / sum(tokens)


def test_the_steps_are_those_of_dense_adam() -> None:
    trainer = new_trainer()
    reference = DenseReference(trainer)
    start = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}
    assert trainer.steps == 4 * trainer.steps_per_epoch == 12
    for step in range(trainer.steps):
        expected = reference.step()
        assert trainer.train_on_next_chunk() == pytest.approx(expected, rel=1e-3), step
    assert 0 < reference.clipped < trainer.steps  # so that both ways of scaling were taken
    assert trainer.state.epoch == 4
    trainer.catch_up()
    for name, weight in reference.model.state_dict().items():
        moved = (weight - start[name]).norm()
        assert moved > 0
        assert (trainer.model.state_dict()[name] - weight).norm() < 0.01 * moved, name


def test_the_start_is_the_vectors_and_the_frequencies() -> None:
    trainer = new_trainer()
    vectors = np.random.default_rng(1).normal(size=(WORDS, 8)).astype(np.float32)
    table = trainer.model.embedding.weight.detach().numpy()
    assert np.array_equal(table[:, :8], vectors)
    assert 0 < table[:, 8:].std() < vectors.std()
    counts = np.bincount(np.concatenate(some_reviews()), minlength=WORDS)
    shares = np.exp(trainer.model.output_bias.detach().numpy())
    assert shares[0] / shares[2] == pytest.approx(7 / counts[2])  # seven reviews end
    assert shares[counts == 0][1:] == pytest.approx(shares[counts == 1].mean())
