"""Adversarial training of a text classifier: the small change of the embeddings that the loss minds most.

Miyato, Dai and Goodfellow 2017, "Adversarial Training Methods for Semi-Supervised Text Classification", equation 5: the
loss of a review is also taken after its embeddings were moved along their gradient, all tokens of the review together,
by a fixed length. They normalise the embeddings, lest they grow until such a step means nothing; here the length is in
units of the embeddings' root mean square, measured at each step, which comes to the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-12


def adversarial_perturbation(token_gradients: Tensor, reviews: Tensor, count: int, lengths: float | Tensor) -> Tensor:
    """Return the change of each token's embedding, of the gradients' shape.

    Args:
        token_gradients: float32, (..., E); of the loss.
        reviews: int64, (...); which review each token is of, ``count`` for padding, which is not changed.
        count: of reviews, B.
        lengths: of each review's change, all its tokens together (L2): a number, or float32, (B,).
    """
    squares = token_gradients.square().sum(dim=-1)  # (...)
    of_review = torch.zeros(count + 1, dtype=squares.dtype, device=squares.device)
    of_review.index_add_(0, reviews.flatten(), squares.flatten())
    scale = torch.zeros_like(of_review)
    scale[:count] = torch.as_tensor(lengths, device=squares.device) / of_review[:count].clamp_min(TINY).sqrt()
    return token_gradients * scale[reviews][..., None]


def root_mean_square(rows: Tensor, counts: Tensor) -> float:
    """Return the root mean square of the entries of a batch's embeddings.

    Args:
        rows: float32, (U, E); of the words.
        counts: (U,); how often each stands in the batch.
    """
    squares = rows.detach().square().mean(dim=1)  # (U,)
    return float(((squares * counts).sum() / counts.sum().clamp_min(1)).sqrt())
