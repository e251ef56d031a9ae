"""The classifier: embeddings, GRU, pooling over time, one logit."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.config import ModelSettings
from pipeline.gru import GRULayer
from pipeline.special_tokens import PAD_ID, UNKNOWN_ID


class PooledStates(nn.Module):
    """Summaries of a review's states over its real tokens, concatenated.

    ``last`` is the final state of the forward direction beside the final state of the backward one (at the first
    token); ``attention`` is a learned average, weights softmax(tanh(h W) v) (Yang et al. 2016, without context levels).
    """

    def __init__(self, state_size: int, settings: ModelSettings) -> None:
        super().__init__()
        self.pooling = settings.pooling
        self.forward_size = settings.hidden_size
        self.output_size = state_size * len(self.pooling)
        if "attention" in self.pooling:
            self.attention = nn.Sequential(
                nn.Linear(state_size, settings.hidden_size), nn.Tanh(), nn.Linear(settings.hidden_size, 1, bias=False)
            )

    def forward(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool the states.

        Args:
            states: (B, T, S).
            lengths: int64, (B,).

        Returns:
            (B, S * number of summaries).
        """
        positions = torch.arange(states.shape[1], device=states.device)
        padding_mask = (positions >= lengths[:, None])[:, :, None]  # (B, T, 1), True at padding
        summaries = {
            "last": lambda: self._last(states, lengths),
            "max": lambda: states.masked_fill(padding_mask, float("-inf")).amax(dim=1),
            "mean": lambda: states.masked_fill(padding_mask, 0.0).sum(dim=1) / lengths[:, None],
            "attention": lambda: self._attend(states, padding_mask),
        }
        return torch.cat([summaries[name]() for name in self.pooling], dim=1)

    def _last(self, states: Tensor, lengths: Tensor) -> Tensor:
        rows = torch.arange(len(lengths), device=states.device)
        forward_last = states[rows, lengths - 1, : self.forward_size]  # (B, H)
        return torch.cat([forward_last, states[:, 0, self.forward_size :]], dim=1)  # (B, S)

    def _attend(self, states: Tensor, padding_mask: Tensor) -> Tensor:
        scores = self.attention(states).masked_fill(padding_mask, float("-inf"))  # (B, T, 1)
        weights = torch.softmax(scores, dim=1)
        return (states.masked_fill(padding_mask, 0.0) * weights).sum(dim=1)  # (B, S)


class SentimentClassifier(nn.Module):
    """A GRU classifier with one logit: positive above zero.

    Args:
        vocabulary_size: rows of the embedding table.
        embedding_size: size of a word vector.
        settings: see :class:`pipeline.config.ModelSettings`.
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=PAD_ID)
        sizes = [embedding_size] + [settings.hidden_size * (1 + settings.bidirectional)] * settings.layers
        self.layers = nn.ModuleList(
            GRULayer(input_size, settings.hidden_size, settings.bidirectional) for input_size in sizes[:-1]
        )
        self.pooled = PooledStates(sizes[-1], settings)
        self.output = nn.Linear(self.pooled.output_size, 1)

    def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits of a padded batch.

        Args:
            token_ids: int64, (B, T).
            lengths: int64, (B,), each at least 1.

        Returns:
            float32, (B,).
        """
        embedded = self.embedding(self.with_word_dropout(token_ids))  # (B, T, E)
        return self.of_embedded(self.with_embedding_dropout(embedded), lengths)

    def with_word_dropout(self, token_ids: Tensor) -> Tensor:
        """Return token ids (B, T) with some replaced by ``<unk>`` in training."""
        if not self.training or self.settings.word_dropout == 0:
            return token_ids
        dropped = torch.rand(token_ids.shape, device=token_ids.device) < self.settings.word_dropout
        return torch.where(dropped & (token_ids != PAD_ID), UNKNOWN_ID, token_ids)

    def with_embedding_dropout(self, embedded: Tensor) -> Tensor:
        """Return embeddings (B, T, E) with some entries zeroed in training, and the others made larger."""
        return F.dropout(embedded, self.settings.embedding_dropout, self.training)

    def of_embedded(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits, float32, (B,), of a padded batch's embeddings, (B, T, E), after their dropout."""
        settings = self.settings
        if self.training and not settings.masked_in_training:
            lengths = torch.full_like(lengths, embedded.shape[1])
        states = embedded
        for layer in self.layers:
            states = layer(states, lengths)  # (B, T, S)
        with torch.autocast(states.device.type, enabled=False):  # the recurrence alone may run in low precision
            return self.of_pooled(self.pooled(states.to(self.output.weight.dtype), lengths))

    def of_pooled(self, pooled: Tensor) -> Tensor:
        """Return the logits, (B,), of pooled states, (B, P)."""
        logits: Tensor = self.output(F.dropout(pooled, self.settings.output_dropout, self.training)).squeeze(1)
        return logits
