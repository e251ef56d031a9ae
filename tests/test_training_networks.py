"""Training on the compiled kernels and on torch's padded GRU: the same steps, and what they cost the embeddings."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from pipeline.config import ModelSettings
from pipeline.kernel_library import FLOAT32, load_kernels
from pipeline.model import SentimentClassifier
from pipeline.moving_average import MovingAverage, decay_at
from pipeline.seen_rows_adam import SeenRowsAdam
from pipeline.training_networks import CompiledNetwork, PaddedNetwork, TrainingNetwork

needs_kernels = pytest.mark.skipif(load_kernels() is None, reason="no compiled kernels")
CASES = [
    ModelSettings(32, pooling=("max", "mean", "attention"), embedding_dropout=0, output_dropout=0),
    ModelSettings(16, pooling=("last",), bidirectional=False, embedding_dropout=0, output_dropout=0),
    ModelSettings(
        *(16, 2), pooling=("attention", "last"), masked_in_training=False, embedding_dropout=0, output_dropout=0
    ),
]


def sequences(seed: int, count: int = 30) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(2, 60, size=n).astype(np.int32) for n in generator.integers(0, 40, size=count)]


def nothing(token_ids: torch.Tensor) -> None:
    pass


def gradients(network: TrainingNetwork, classifier: SentimentClassifier) -> dict[str, np.ndarray]:
    classifier.train()
    classifier.zero_grad()
    forward = network(sequences(1), 7, nothing)
    forward.logits.square().sum().backward()
    found = {name: weight.grad.numpy() for name, weight in classifier.named_parameters() if weight.grad is not None}
    rows = np.zeros(tuple(classifier.embedding.weight.shape), dtype=np.float32)
    rows[forward.token_ids] = forward.rows.grad
    rows[0] = 0  # padding, which the trainer leaves alone
    return {"logits": forward.logits.detach().numpy(), "rows": rows, **found}


@needs_kernels
@pytest.mark.parametrize("model", CASES, ids=["pooled", "last", "two layers, unmasked"])
def test_compiled_and_padded_networks_agree(model: ModelSettings) -> None:
    torch.manual_seed(0)
    classifier = SentimentClassifier(60, 20, model)
    kernels = load_kernels(FLOAT32)
    assert kernels is not None
    compiled = gradients(CompiledNetwork(classifier, kernels, 2), classifier)
    padded = gradients(PaddedNetwork(classifier, torch.device("cpu"), False), classifier)
    assert compiled.keys() == padded.keys()
    for name, expected in padded.items():
        np.testing.assert_allclose(
            compiled[name], expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max(), err_msg=name
        )


@needs_kernels
def test_compiled_dropout_follows_its_seed_alone() -> None:
    model = ModelSettings(16, pooling=("max",), embedding_dropout=0.5, word_dropout=0.3, output_dropout=0.5)
    classifier = SentimentClassifier(60, 20, model).train()
    kernels = load_kernels(FLOAT32)
    assert kernels is not None
    network = CompiledNetwork(classifier, kernels, 1)
    first, again, other = (network(sequences(2), seed, nothing).logits.detach() for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@needs_kernels
def test_embedding_dropout_leaves_the_mean_alone() -> None:
    model = ModelSettings(16, pooling=("mean",), embedding_dropout=0.5, output_dropout=0)
    torch.manual_seed(3)
    classifier = SentimentClassifier(60, 20, model).train()
    with torch.no_grad():
        classifier.embedding.weight.mul_(0.02)  # so small that the network is linear, and means can be compared
    kernels = load_kernels(FLOAT32)
    assert kernels is not None
    network = CompiledNetwork(classifier, kernels, 1)
    drawn = torch.stack([network(sequences(2), seed, nothing).logits.detach() for seed in range(300)])
    expected = classifier.eval()(*_padded(sequences(2))).detach()
    error = drawn.std(dim=0) / 300**0.5
    assert ((drawn.mean(dim=0) - expected).abs() < 5 * error + 1e-6).all()


def _padded(batch: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    from pipeline.padding import pad

    return pad(batch)


def test_adam_on_seen_rows_is_adam_on_all() -> None:
    torch.manual_seed(0)
    table = torch.randn(50, 4)
    weight = torch.nn.Parameter(table.clone())
    dense, ours = torch.optim.Adam([weight]), SeenRowsAdam(table, steps=400)
    for step in range(400):
        rate = 0.01 * (1 + np.cos(step / 130)) / 2
        rows = torch.randperm(50)[: 1 + step % 4].sort().values if step < 395 else torch.tensor([0])
        gradient = torch.randn(len(rows), 4)
        weight.grad = torch.zeros(50, 4).index_add(0, rows, gradient)
        dense.param_groups[0]["lr"] = rate
        dense.step()
        ours.catch_up(rows)
        ours.step(rows, gradient, rate)
        if step % 90 == 0:
            ours.catch_up()
            torch.testing.assert_close(table, weight.detach(), rtol=1e-4, atol=1e-5)
    ours.catch_up()
    torch.testing.assert_close(table, weight.detach(), rtol=1e-4, atol=1e-5)


def test_lazy_average_is_the_average_of_every_step() -> None:
    torch.manual_seed(0)
    classifier = SentimentClassifier(12, 4, ModelSettings(16, pooling=("max",)))
    lazy = MovingAverage(classifier, 0.9)

    def move(averaged, current, updates) -> None:  # type: ignore[no-untyped-def]
        torch._foreach_lerp_(averaged, current, 1 - decay_at(int(updates), 0.9))

    dense = AveragedModel(copy.deepcopy(classifier), multi_avg_fn=move)
    for step in range(40):
        rows = torch.randperm(12)[:3]
        lazy.catch_up(classifier, rows)
        with torch.no_grad():
            classifier.embedding.weight[rows] += torch.randn(3, 4)
            classifier.output.weight += 0.1
        lazy.update(classifier, rows)
        dense.update_parameters(classifier)
        if step % 13 == 0:
            lazy.catch_up(classifier)
    lazy.catch_up(classifier)
    for ours, theirs in zip(lazy.module.parameters(), dense.module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-5)
