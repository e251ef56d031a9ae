"""Temperature scaling: one number that makes probabilities mean what they say (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

LOWEST, HIGHEST = 0.2, 20.0
FEWEST_REVIEWS = 100
"""Below this the fit follows chance: a handful of reviews that are all right would ask for certainty."""


def log_loss_of_logits(logits: NDArray[np.float32], labels: NDArray[np.int8], temperature: float = 1.0) -> float:
    """Return the mean negative log likelihood, in nats, of labels 0 and 1 under sigmoid(logits / temperature)."""
    scaled = logits.astype(np.float64) / temperature
    return float(np.mean(np.logaddexp(0.0, scaled) - labels * scaled))


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int8]) -> float:
    """Return the temperature with the lowest log loss, between 0.2 and 20; 1 for fewer than 100 reviews.

    Args:
        logits: (N,), of held-out reviews.
        labels: (N,), 0 or 1.
    """
    if len(labels) < FEWEST_REVIEWS:
        return 1.0
    result = minimize_scalar(
        lambda log_temperature: log_loss_of_logits(logits, labels, float(np.exp(log_temperature))),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
    )
    return float(np.exp(result.x))
