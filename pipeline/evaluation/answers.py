"""How often positive answers and negative answers of one confidence come true, each for itself.

Over both, a model whose scores are all too low can look calibrated: what its positive answers promise too little, its
negative ones promise too much.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.evaluation.slices import CONFIDENCE_BANDS, NO_GROUP, bands_of, names_of
from pipeline.metrics import Labels, Probabilities, accuracy_summary, predictions

ANSWERS = (("positive", 1), ("negative", 0))


def confidence_by_answer(labels: Labels, probabilities: Probabilities) -> dict[str, list[dict[str, Any]]]:
    """Return the right answers among the positive and among the negative ones, by bands of confidence.

    Args:
        labels: (N,).
        probabilities: float64 (N,), of positive.

    Returns:
        ``positive`` and ``negative``: of each band ``name, rows, correct, accuracy, accuracy_interval``.
    """
    predicted = predictions(probabilities)
    bands = bands_of(np.maximum(probabilities, 1 - probabilities), CONFIDENCE_BANDS)
    found: dict[str, list[dict[str, Any]]] = {}
    for name, answer in ANSWERS:
        of_answer = np.where(predicted == answer, bands, NO_GROUP)
        inside = [of_answer == position for position in range(len(CONFIDENCE_BANDS))]
        found[name] = [
            {"name": band, **accuracy_summary(labels[rows], predicted[rows])}
            for band, rows in zip(names_of(CONFIDENCE_BANDS), inside, strict=True)
        ]
    return found
