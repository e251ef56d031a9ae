"""How a language model is made."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PretrainingSettings:
    """How the language model is made.

    Attributes:
        epochs: passes over the text.
        hidden_size: units of each direction.
        embedding_size: size of a word vector; where the vocabulary's vectors are shorter, the rest starts at random.
        bidirectional: whether a second model reads each review from its end.
        streams: rows of a chunk.
        chunk_length: tokens of a row, the length of backpropagation through time.
        draws: wrong answers of a step, drawn with replacement.
        embedding_dropout: probability of zeroing an entry of a token's embedding.
        learning_rate: Adam's step size at its highest.
        warmup_steps: over which the rate rises, at most a tenth of all; it falls with half a cosine afterwards, to a
            fiftieth.
        gradient_clip: largest L2 norm of a step's gradient.
    """

    epochs: int = 6
    hidden_size: int = 512
    embedding_size: int = 128
    bidirectional: bool = True
    streams: int = 64
    chunk_length: int = 128
    draws: int = 1200
    embedding_dropout: float = 0.1
    learning_rate: float = 3e-3
    warmup_steps: int = 400
    gradient_clip: float = 1.0


def learning_rate_at(step: int, steps: int, settings: PretrainingSettings) -> float:
    """Return the learning rate of a step, counted from 0."""
    warmup = max(1, min(settings.warmup_steps, steps // 10))  # a short run has better things to do
    rise = min(1.0, (step + 1) / warmup)
    fall = (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2
    return settings.learning_rate * rise * (0.02 + 0.98 * fall)
