"""Two numbers that make probabilities mean what they say: temperature (Guo et al. 2017) and intercept (Platt 1999).

The temperature is kept beside the weights. The intercept moves the bias of the output layer, since a network that leans
to one class on held-out reviews also calls the wrong ones by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

LOWEST, HIGHEST = 0.2, 20.0
FEWEST_REVIEWS = 100
"""Below this the fit follows chance: a handful of reviews that are all right would ask for certainty."""
MOST_SHIFT = 3.0
"""The largest intercept, in units of the temperature."""
PENALTY = 1e-4
"""Of the squared intercept: where the classes are apart any intercept would do, and none is right."""


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


def fit_bias(logits: NDArray[np.float32], labels: NDArray[np.int8]) -> float:
    """Return what must be added to the logits, with the temperature that then fits best, for the lowest log loss.

    0 for fewer than 100 reviews.

    Args:
        logits: (N,), of held-out reviews.
        labels: (N,), 0 or 1.
    """
    if len(labels) < FEWEST_REVIEWS:
        return 0.0
    start = np.array([0.0, np.log(fit_temperature(logits, labels))])

    def loss(fitted: NDArray[np.float64]) -> float:
        shift, temperature = fitted[0], float(np.exp(fitted[1]))  # in units of the temperature, whatever the scale
        log_loss = log_loss_of_logits(logits / np.float32(temperature) + np.float32(shift), labels)
        return log_loss + PENALTY * float(shift) ** 2

    result = minimize(
        loss,
        start,
        method="Nelder-Mead",
        bounds=[(-MOST_SHIFT, MOST_SHIFT), (np.log(LOWEST) - 0.5, np.log(HIGHEST) + 0.5)],
        options={"xatol": 1e-5, "fatol": 1e-10, "initial_simplex": start + np.array([[0, 0], [0.1, 0], [0, 0.1]])},
    )
    return float(result.x[0] * np.exp(result.x[1]))
