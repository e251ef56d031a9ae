"""How much each of several teachers is believed: logistic regression on their scores, fitted on validation reviews.

No weight is negative: between teachers that mostly agree, a fit on few reviews else believes one in reverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Scores = NDArray[np.float64]

PENALTY = 0.5
"""Of the squared weights, the scores being of unit variance; the losses are summed over the reviews."""


@dataclass(frozen=True)
class Blend:
    """A weighted sum of the teachers' scores.

    Attributes:
        weights: float64, (M,), of the scores as they are; none negative.
        intercept: added to the sum.
    """

    weights: Scores
    intercept: float

    def logits(self, scores: Scores) -> Scores:
        """Return the logits, (N,), of the teachers' scores, (N, M)."""
        return np.asarray(scores @ self.weights + self.intercept)


def fit_blend(scores: Scores, labels: NDArray[np.int8]) -> Blend:
    """Return the blend with the lowest regularised log loss.

    The scores are scaled to unit variance first, so that the regularisation treats all teachers alike.

    Args:
        scores: float64, (N, M), of held-out reviews.
        labels: (N,), 0 or 1.
    """
    scale = scores.std(axis=0)
    scale[scale == 0] = 1.0
    scaled = scores / scale

    def loss(fitted: Scores) -> float:
        logits = scaled @ fitted[:-1] + fitted[-1]
        return float(np.sum(np.logaddexp(0.0, logits) - labels * logits) + PENALTY * np.sum(fitted[:-1] ** 2))

    teachers = scores.shape[1]
    bounds = [(0.0, None)] * teachers + [(None, None)]
    fitted = minimize(loss, np.append(np.ones(teachers), 0.0), method="L-BFGS-B", bounds=bounds).x
    return Blend(fitted[:-1] / scale, float(fitted[-1]))
