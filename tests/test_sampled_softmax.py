"""Promise: with all words drawn it is torch's cross-entropy, gradients too; with a few its sum is so on average."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pipeline.sampled_softmax import TOKENS_PER_BLOCK, SoftmaxGradients, WordSampler, sampled_softmax

Leaves = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def some_leaves(tokens: int, size: int, words: int, seed: int) -> Leaves:
    """Projected states, embeddings and biases."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((tokens, size), (words, size), (words,))
    return tuple(torch.randn(shape, generator=generator).requires_grad_() for shape in shapes)  # type: ignore[return-value]


def ours(leaves: Leaves, targets: torch.Tensor, wrong: torch.Tensor, log_inclusion: torch.Tensor) -> SoftmaxGradients:
    projected, words, bias = (leaf.detach() for leaf in leaves)
    return sampled_softmax(projected, words, bias, targets, wrong, log_inclusion)


def assert_gradients(found: SoftmaxGradients, loss: torch.Tensor, leaves: Leaves, tolerance: float = 1e-4) -> None:
    loss.backward()
    assert found.loss == pytest.approx(loss.item(), rel=tolerance, abs=1e-6)  # zero but for rounding
    for gradient, leaf in zip((found.of_projected, found.of_words, found.of_bias), leaves, strict=True):
        assert leaf.grad is not None
        torch.testing.assert_close(gradient.float(), leaf.grad, rtol=tolerance, atol=tolerance * 10)


@settings(max_examples=25)
@given(
    tokens=st.integers(1, 40) | st.integers(TOKENS_PER_BLOCK - 1, 2 * TOKENS_PER_BLOCK + 2),
    size=st.integers(1, 20),
    words=st.integers(1, 60),
    seed=st.integers(0, 99),
)
def test_with_every_word_drawn_surely_it_is_cross_entropy(tokens: int, size: int, words: int, seed: int) -> None:
    leaves = some_leaves(tokens, size, words, seed)
    targets = torch.randint(words, (tokens,), generator=torch.Generator().manual_seed(seed))
    found = ours(leaves, targets, torch.randperm(words), torch.zeros(words))
    projected, table, bias = leaves
    assert_gradients(found, F.cross_entropy(projected @ table.T + bias, targets, reduction="sum"), leaves)


@settings(max_examples=25)
@given(tokens=st.integers(1, 30), words=st.integers(2, 40), drawn=st.integers(1, 20), seed=st.integers(0, 99))
def test_each_wrong_answer_counts_by_the_inverse_of_its_probability(
    tokens: int, words: int, drawn: int, seed: int
) -> None:
    leaves = some_leaves(tokens, 8, words, seed)
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(words, (tokens,), generator=generator)
    wrong = torch.randperm(words, generator=generator)[:drawn]
    inclusion = torch.rand(len(wrong), generator=generator) * 0.9 + 0.1
    found = ours(leaves, targets, wrong, inclusion.log())
    projected, table, bias = leaves
    logits = projected @ table.T + bias  # (N, V)
    weights = torch.zeros(words).index_put((wrong,), 1 / inclusion).expand(tokens, -1)
    weights = weights.scatter(1, targets[:, None], 1.0)  # the right answer counts once
    right = logits.gather(1, targets[:, None]).squeeze(1)
    assert_gradients(found, ((weights * logits.exp()).sum(dim=1).log() - right).sum(), leaves)


def test_the_expectation_of_the_sum_over_draws_is_the_whole_sum() -> None:
    words, rounds = 30, 2_000
    leaves = some_leaves(1, 4, words, seed=7)
    leaves[0].data.mul_(0.5)
    counts = np.random.default_rng(1).integers(0, 500, size=words)
    sampler = WordSampler(counts, draws=20)
    generator = np.random.default_rng(2)
    target = torch.tensor([3])
    sums = np.empty(rounds)
    for index in range(rounds):
        wrong = sampler.draw(generator)
        found = ours(leaves, target, torch.from_numpy(wrong.token_ids), torch.from_numpy(wrong.log_inclusion))
        sums[index] = np.exp(found.loss)  # the sum over the right answer's share
    projected, table, bias = (leaf.detach() for leaf in leaves)
    whole = F.cross_entropy(projected @ table.T + bias, target).exp().item()
    assert abs(sums.mean() - whole) < 4 * sums.std() / rounds**0.5
    assert sums.std() / rounds**0.5 < 0.02 * whole  # else the line above would say little


def test_words_are_drawn_as_often_as_is_said_and_each_once() -> None:
    rounds = 2_000
    sampler = WordSampler(np.array([0, 1, 10, 100, 1_000, 0]), draws=5)
    generator = np.random.default_rng(3)
    drawn = np.zeros(6)
    inclusion = np.full(6, np.nan)
    for _ in range(rounds):
        wrong = sampler.draw(generator)
        assert (np.diff(wrong.token_ids) > 0).all()
        drawn[wrong.token_ids] += 1
        inclusion[wrong.token_ids] = np.exp(wrong.log_inclusion)
    error = np.sqrt(inclusion * (1 - inclusion) / rounds)
    assert (np.abs(drawn / rounds - inclusion) < 4 * error + 1e-6).all()
    assert inclusion[0] == inclusion[1] == inclusion[5]  # never seen counts as seen once


def test_bfloat16_is_near() -> None:
    leaves = some_leaves(700, 32, 90, seed=5)
    with torch.no_grad():
        for leaf in leaves:
            leaf.mul_(0.3)
    targets = torch.randint(90, (700,), generator=torch.Generator().manual_seed(0))
    wrong = torch.arange(0, 90, 2)
    exact = ours(leaves, targets, wrong, torch.zeros(45))
    projected, words, bias = (leaf.detach() for leaf in leaves)
    rough = sampled_softmax(projected.bfloat16(), words, bias, targets, wrong, torch.zeros(45))
    assert rough.of_projected.dtype == torch.bfloat16
    assert rough.loss == pytest.approx(exact.loss, rel=1e-3)
    for name in ("of_projected", "of_words", "of_bias"):
        a, b = getattr(rough, name).float(), getattr(exact, name)
        assert torch.linalg.vector_norm(a - b) < 0.02 * torch.linalg.vector_norm(b)
