"""Sampled softmax: the loss of a language model over a large vocabulary, from a few words drawn for each step.

The words of a step are drawn without replacement, frequent ones more often, and serve all its tokens as wrong answers.
Each counts by the inverse of the probability that it was drawn (Jean et al. 2015; Horvitz and Thompson 1952), so that
the sum in the denominator has the full softmax's as its expectation. The gradient is written out: a block of tokens
stays in the cache from its logits to its gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FLATTENING = 0.75
"""Words are drawn by their frequency to this power (Mikolov et al. 2013)."""
TOKENS_PER_BLOCK = 512
"""On the CPU; an accelerator takes all tokens at once."""


@dataclass(frozen=True)
class WrongAnswers:
    """The words drawn for a step.

    Attributes:
        token_ids: int64, (K,), rising, each once.
        log_inclusion: float32, (K,); logarithm of the probability that the word is among them.
    """

    token_ids: NDArray[np.int64]
    log_inclusion: NDArray[np.float32]


class WordSampler:
    """Draws wrong answers.

    Args:
        counts: int64, (V,); of each word in the training text. A word without any counts as seen once.
        draws: with replacement; the distinct words among them are kept, which are fewer.
    """

    def __init__(self, counts: NDArray[np.int64], draws: int) -> None:
        shares = np.maximum(counts, 1).astype(np.float64) ** FLATTENING
        shares /= shares.sum()
        self._cumulative = np.cumsum(shares)
        self._log_inclusion = np.log(-np.expm1(draws * np.log1p(-shares))).astype(np.float32)
        self.draws = draws

    def draw(self, generator: np.random.Generator) -> WrongAnswers:
        """Draw the words of a step."""
        points = generator.random(self.draws) * self._cumulative[-1]
        token_ids = np.unique(np.searchsorted(self._cumulative, points, side="right"))
        return WrongAnswers(token_ids, self._log_inclusion[token_ids])


@dataclass(frozen=True)
class SoftmaxGradients:
    """Sum of the losses and its gradients.

    Attributes:
        loss: sum over the tokens, in nats.
        of_projected: (N, E), in the type of the projected states.
        of_words: float32, (U, E).
        of_bias: float32, (U,).
    """

    loss: float
    of_projected: Tensor
    of_words: Tensor
    of_bias: Tensor


@dataclass(frozen=True)
class RightAnswers:
    """The right answers of a block of tokens.

    Attributes:
        words: float32, (n, E); their embeddings.
        bias: float32, (n,).
        among_wrong: int64, (n,); where each is among the wrong answers, or -1.
    """

    words: Tensor
    bias: Tensor
    among_wrong: Tensor


@dataclass(frozen=True)
class BlockGradients:
    """Sum of a block's losses and its gradients.

    Attributes:
        loss: a scalar.
        of_states: (n, E), in the type of the states.
        of_right: float32, (n,); of the right answers' logits.
        of_wrong: float32, (n, K); of the wrong ones', which are their probabilities.
    """

    loss: Tensor
    of_states: Tensor
    of_right: Tensor
    of_wrong: Tensor


def softmax_of_block(states: Tensor, right: RightAnswers, wrong_words: Tensor, shift: Tensor) -> BlockGradients:
    """Return a block's loss and gradients.

    Args:
        states: (n, E), float32 or bfloat16.
        right: the right answers.
        wrong_words: (K, E), in the type of the states.
        shift: float32, (K,); what is added to the logits of the wrong answers.
    """
    right_logits = (states.float() * right.words).sum(dim=1) + right.bias  # (n,)
    logits = (states @ wrong_words.T).float().add_(shift)  # (n, K)
    rows = torch.nonzero(right.among_wrong >= 0).squeeze(1)
    logits[rows, right.among_wrong[rows]] = -torch.inf  # a right answer is counted once, and surely
    largest = torch.maximum(logits.amax(dim=1), right_logits)
    logits.sub_(largest[:, None]).exp_()
    right_share = (right_logits - largest).exp_()
    total = logits.sum(dim=1).add_(right_share)
    loss = (total.log() + largest - right_logits).sum()
    logits.div_(total[:, None])  # now the wrong answers' probabilities
    of_right = (right_share / total).sub_(1)  # (n,)
    of_states = (logits.to(states.dtype) @ wrong_words).float().addcmul_(of_right[:, None], right.words)
    return BlockGradients(loss, of_states.to(states.dtype), of_right, logits)


def sampled_softmax(
    projected: Tensor, words: Tensor, bias: Tensor, targets: Tensor, wrong: Tensor, log_inclusion: Tensor
) -> SoftmaxGradients:
    """Return the sum of the losses and its gradients. All tensors are on one device.

    Args:
        projected: (N, E), float32 or bfloat16; the states in the space of the words.
        words: float32, (U, E); embeddings of the words that this step needs.
        bias: float32, (U,); of those words.
        targets: int64, (N,); places of the right answers among them.
        wrong: int64, (K,); places of the wrong ones, each once.
        log_inclusion: float32, (K,); see :class:`WrongAnswers`.
    """
    tokens, device = len(projected), projected.device
    wrong_words = words[wrong].to(projected.dtype)  # (K, E)
    shift = bias[wrong] - log_inclusion  # (K,)
    place = torch.full((len(words),), -1, dtype=torch.int64, device=device)
    place[wrong] = torch.arange(len(wrong), device=device)
    of_projected = torch.empty_like(projected)
    of_wrong = torch.zeros(len(wrong), projected.shape[1], device=device)
    of_wrong_bias = torch.zeros(len(wrong), device=device)
    of_words, of_bias = torch.zeros_like(words), torch.zeros_like(bias)
    loss = 0.0
    step = TOKENS_PER_BLOCK if device.type == "cpu" else tokens
    for start in range(0, tokens, step):
        states, right = projected[start : start + step], targets[start : start + step]  # (n, E), (n,)
        block = softmax_of_block(states, RightAnswers(words[right], bias[right], place[right]), wrong_words, shift)
        loss += float(block.loss)
        of_projected[start : start + step] = block.of_states
        of_wrong += block.of_wrong.to(projected.dtype).T @ states
        of_wrong_bias += block.of_wrong.sum(dim=0)
        of_words.index_add_(0, right, block.of_right[:, None] * states.float())
        of_bias.index_add_(0, right, block.of_right)
    of_words[wrong] += of_wrong
    of_bias[wrong] += of_wrong_bias
    return SoftmaxGradients(loss, of_projected, of_words, of_bias)
