"""Adversarial training: the perturbation is the worst small one, of the length asked for, on both kinds of network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipeline.adversarial import adversarial_perturbation, root_mean_square
from pipeline.config import ModelSettings, Recipe
from pipeline.kernel_library import FLOAT32, load_kernels
from pipeline.model import SentimentClassifier
from pipeline.trainer import Trainer
from pipeline.training_data import TrainingData
from pipeline.training_networks import CompiledNetwork, ForwardPass, PaddedNetwork, TrainingNetwork

MODEL = ModelSettings(16, pooling=("last", "max", "mean", "attention"), embedding_dropout=0, output_dropout=0)
NETWORKS = ["padded", pytest.param("compiled", marks=pytest.mark.skipif(load_kernels() is None, reason="no kernels"))]
LENGTHS = (9, 1, 30, 4)


def batch() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(2, 60, size=length).astype(np.int32) for length in LENGTHS]


def nothing(token_ids: torch.Tensor) -> None:
    pass


def network_of(kind: str) -> TrainingNetwork:
    torch.manual_seed(1)
    classifier = SentimentClassifier(60, 20, MODEL).train()
    if kind == "padded":
        return PaddedNetwork(classifier, torch.device("cpu"), False)
    kernels = load_kernels(FLOAT32)
    assert kernels is not None
    return CompiledNetwork(classifier, kernels, 1)


def losses(forward: ForwardPass) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(forward.logits, torch.tensor([1.0, 0, 1, 0]), reduction="none")


def clean_pass(network: TrainingNetwork) -> ForwardPass:
    forward = network(batch(), 5, nothing)
    losses(forward).mean().backward()
    return forward


def lengths_of(perturbation: torch.Tensor, reviews: torch.Tensor) -> torch.Tensor:
    squares = torch.zeros(len(LENGTHS) + 1)
    return squares.index_add(0, reviews.flatten(), perturbation.square().sum(dim=-1).flatten()).sqrt()


@pytest.mark.parametrize("kind", NETWORKS)
def test_each_review_is_moved_by_the_length_and_padding_is_not(kind: str) -> None:
    forward = clean_pass(network_of(kind))
    perturbation = adversarial_perturbation(forward.token_gradients(), forward.reviews, len(LENGTHS), 0.25)
    found = lengths_of(perturbation, forward.reviews)
    torch.testing.assert_close(found, torch.tensor([0.25] * len(LENGTHS) + [0.0]))
    cosine = F.cosine_similarity(perturbation.flatten(), forward.token_gradients().flatten(), dim=0)
    assert cosine > 0.5  # reviews are scaled, none is turned
    shares = torch.bincount(forward.reviews.flatten(), minlength=len(LENGTHS) + 1)
    assert shares[:-1].tolist() == list(LENGTHS)


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_reviews_loss_rises_by_what_its_gradient_says(kind: str) -> None:
    network = network_of(kind)
    forward = clean_pass(network)
    before = losses(forward).detach()
    small = 1e-2
    perturbation = adversarial_perturbation(forward.token_gradients(), forward.reviews, len(LENGTHS), small)
    after = losses(network(batch(), 5, nothing, perturbation)).detach()
    slopes = lengths_of(forward.token_gradients(), forward.reviews)[:-1] * len(LENGTHS)  # of the sum, not the mean
    torch.testing.assert_close(after - before, slopes * small, rtol=0.05, atol=1e-6)
    turned = losses(network(batch(), 5, nothing, -perturbation)).detach()
    assert (turned < before).all()


@pytest.mark.skipif(load_kernels() is None, reason="no kernels")
def test_both_networks_take_the_same_perturbed_step() -> None:
    found = []
    for kind in ("padded", "compiled"):
        network = network_of(kind)
        forward = clean_pass(network)
        length = 0.5 * root_mean_square(forward.rows, forward.counts * (forward.token_ids > 0))
        perturbation = adversarial_perturbation(forward.token_gradients(), forward.reviews, len(LENGTHS), length)
        perturbed = network(batch(), 5, nothing, perturbation)
        losses(perturbed).mean().backward()
        words = perturbed.token_ids > 0
        assert perturbed.rows.grad is not None
        found.append((perturbed.logits.detach(), perturbed.rows.grad[words]))
    for padded, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, padded, rtol=1e-3, atol=1e-6)


def test_root_mean_square_counts_each_word_as_often_as_it_stands() -> None:
    rows = torch.randn(5, 3)
    counts = torch.tensor([1, 4, 2, 1, 7])
    tokens = rows.repeat_interleave(counts, dim=0)
    assert root_mean_square(rows, counts) == pytest.approx(float(tokens.square().mean().sqrt()))


@pytest.mark.parametrize("compiled", [False, None])
def test_the_trainer_adds_the_adversarial_loss(tiny_recipe: Recipe, compiled: bool | None) -> None:
    generator = np.random.default_rng(2)
    data = TrainingData(
        [generator.integers(2, 40, size=12).astype(np.int32) for _ in range(8)],
        np.asarray([0, 1] * 4, dtype=np.int8),
        np.arange(6),
        np.arange(6, 8),
    )
    vectors = generator.normal(size=(40, 10)).astype(np.float32)
    found = []
    for length in (0.0, 3.0):
        model = replace(tiny_recipe.model, embedding_dropout=0.0, output_dropout=0.0, word_dropout=0.0)
        training = replace(tiny_recipe.training, adversarial_length=length)
        recipe = replace(tiny_recipe, model=model, training=training)
        trainer = Trainer(recipe, vectors, data, 1, torch.device("cpu"), compiled=compiled)
        gradients = trainer.gradients_of(np.arange(6))
        assert trainer.classifier.output.bias.grad is not None
        found.append((gradients.loss, gradients.rows, trainer.classifier.output.bias.grad))
    clean, adversarial = found
    torch.testing.assert_close(clean[0], adversarial[0])  # what is reported is the clean loss
    assert not torch.allclose(clean[1], adversarial[1], rtol=0.1)
    assert not torch.allclose(clean[2], adversarial[2], rtol=0.01)
