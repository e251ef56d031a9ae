"""A model that adds up the weights of the words it knows, so that a test can say what the page has to show."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.browser.reviews import WEIGHTS

WORD = re.compile("[a-z]+")
TEMPERATURE = 1.25
BIAS = 0.05


class WordModel:
    """What :func:`pipeline.evaluation.evaluate.evaluate_model` asks of a model.

    Args:
        config: as a model folder has it.
        bias: what a text without a known word has as its logit.
    """

    def __init__(self, config: dict[str, Any], bias: float = BIAS) -> None:
        self.name: str = config["name"]
        self.config = config
        self.temperature = TEMPERATURE
        self._bias = bias

    def logits(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        if on_batch is not None:
            on_batch(len(texts))
        return np.array([self._bias + sum(push for _, _, push in known_words(text)) for text in texts], np.float32)


def known_words(text: str) -> list[tuple[int, int, float]]:
    """Return where each word that the model knows starts and ends, and its weight."""
    found = ((match.start(), match.end(), WEIGHTS.get(match.group())) for match in WORD.finditer(text))
    return [(start, end, weight) for start, end, weight in found if weight is not None]


def pushes_in_place(text: str) -> list[tuple[int, int, float]]:
    """Return every word with its push on the calibrated logit, 0 for the words that the model does not know."""
    return [
        (match.start(), match.end(), WEIGHTS.get(match.group(), 0.0) / TEMPERATURE) for match in WORD.finditer(text)
    ]


def probabilities_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the probability of positive after the temperature, float64 (N,)."""
    logits = WordModel({"name": "recomputed"}).logits(texts).astype(np.float64)
    return np.asarray(1 / (1 + np.exp(-logits / TEMPERATURE)))
