"""How well a language model predicts reviews that it has not read."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.language_model import LanguageModel
from pipeline.padding import pad
from pipeline.review_streams import END_ID

REVIEWS_PER_BATCH = 32
TOKENS_PER_SOFTMAX = 2048
"""The logits of so many tokens over the whole vocabulary are in memory at a time."""


@torch.no_grad()
def perplexities(model: LanguageModel, reviews: list[NDArray[np.int32]]) -> list[float]:
    """Return the perplexity a token of each direction, over the whole vocabulary, the ends of reviews included.

    Args:
        model: the language model.
        reviews: int32 token ids, none empty.
    """
    device = model.embedding.weight.device
    results = []
    for direction, gru in enumerate(model.directions()):
        loss, tokens = 0.0, 0
        for start in range(0, len(reviews), REVIEWS_PER_BATCH):
            batch = [review[:: -1 if direction else 1] for review in reviews[start : start + REVIEWS_PER_BATCH]]
            token_ids, lengths = (part.to(device) for part in pad(batch))  # (B, T), (B,)
            states, _ = gru(model.embedding(token_ids))  # (B, T, H)
            following = torch.cat([token_ids[:, 1:], torch.full_like(token_ids[:, :1], END_ID)], dim=1)
            real = torch.arange(token_ids.shape[1], device=device) < lengths[:, None]  # (B, T)
            parts = [torch.split(part[real], TOKENS_PER_SOFTMAX) for part in (states, following)]
            for some_states, targets in zip(*parts, strict=True):
                logits = model.logits(some_states, direction)  # (n, V)
                loss += float(nn.functional.cross_entropy(logits, targets, reduction="sum"))
            tokens += int(real.sum())
        results.append(math.exp(loss / tokens))
    return results
