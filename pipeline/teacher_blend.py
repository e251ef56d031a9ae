"""How much each of several teachers is believed: logistic regression on their scores, fitted on validation reviews."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """A weighted sum of the teachers' scores.

    Attributes:
        weights: float64, (M,), of the scores as they are.
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
    model = LogisticRegression(C=1.0).fit(scores / scale, labels)
    return Blend(model.coef_[0] / scale, float(model.intercept_[0]))
