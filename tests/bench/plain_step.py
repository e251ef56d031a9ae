"""The tutorials' training step, with nothing of this project's but the network: what a person writes first."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from pipeline.config import Recipe
from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.model import SentimentClassifier
from pipeline.padding import pad
from tests.bench.material import Material


class Stepper(Protocol):
    """What takes training steps."""

    def train_on(self, batch: NDArray[np.int64]) -> float:
        """Take one step on the reviews of a batch; return its loss."""


class PlainTrainer:
    """Float32, padded ``nn.GRU``, AdamW over all parameters, no clipping and no moving average.

    Args:
        recipe: the network and the learning rate.
        material: reviews and embeddings.
    """

    def __init__(self, recipe: Recipe, material: Material) -> None:
        data, cut = material.training_data, recipe.training.max_tokens
        self._sequences = [cut_to_head_and_tail(data.sequences[row], cut) for row in data.training_rows]
        self._labels = data.labels[data.training_rows].astype(np.float32)
        vectors = material.vectors
        self._classifier = SentimentClassifier(vectors.shape[0], vectors.shape[1], recipe.model)
        with torch.no_grad():
            self._classifier.embedding.weight.copy_(torch.from_numpy(vectors))
        rate = recipe.training.learning_rate
        self._optimizer = torch.optim.AdamW(self._classifier.parameters(), lr=rate, fused=True)

    def train_on(self, batch: NDArray[np.int64]) -> float:
        """Take one step on the reviews of a batch; return its loss."""
        token_ids, lengths = pad([self._sequences[index] for index in batch])
        self._classifier.train()
        logits = self._classifier(token_ids, lengths)
        loss = F.binary_cross_entropy_with_logits(logits, torch.from_numpy(self._labels[batch]))
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return loss.item()
