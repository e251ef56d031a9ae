"""What a report draws of scores, as short lists that stand in ``metrics.json`` however many reviews there are.

Everything is counted exactly at the points that are kept; only which points are kept is a choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.evaluation.answers import confidence_by_answer
from pipeline.metrics import Labels, Probabilities

CURVE_POINTS = 200
THRESHOLD_STEPS = 200
HISTOGRAM_BINS = 40


def thinned(*arrays: NDArray[Any], points: int = CURVE_POINTS) -> list[list[float]]:
    """Return at most ``points`` of a curve's points, its ends among them; one list for each coordinate."""
    size = arrays[0].size
    kept = np.unique(np.linspace(0, size - 1, min(points, size)).round().astype(np.int64))
    return [[float(value) for value in array[kept]] for array in arrays]


def roc_points(labels: Labels, scores: NDArray[np.float64]) -> dict[str, list[float]] | None:
    """Return points of the ROC curve; None where there is only one class.

    Args:
        labels: (N,).
        scores: (N,), higher for positive.
    """
    if labels.min() == labels.max():
        return None
    false_positive, true_positive, _ = roc_curve(labels, scores)
    x, y = thinned(false_positive, true_positive)
    return {"false_positive_rate": x, "true_positive_rate": y}


def precision_recall_points(labels: Labels, scores: NDArray[np.float64]) -> dict[str, list[float]] | None:
    """Return points of precision against recall; None where there is only one class. Arguments as above."""
    if labels.min() == labels.max():
        return None
    precision, recall, _ = precision_recall_curve(labels, scores, drop_intermediate=True)
    x, y = thinned(recall, precision)
    return {"recall": x, "precision": y}


def score_histogram(labels: Labels, probabilities: Probabilities, bins: int = HISTOGRAM_BINS) -> dict[str, Any]:
    """Return how many reviews of each true class have which probability, in bins of equal width over [0, 1]."""
    edges = np.linspace(0, 1, bins + 1)
    return {
        "edges": [float(edge) for edge in edges],
        "negative": [int(count) for count in np.histogram(probabilities[labels == 0], edges)[0]],
        "positive": [int(count) for count in np.histogram(probabilities[labels == 1], edges)[0]],
    }


def threshold_counts(labels: Labels, probabilities: Probabilities, steps: int = THRESHOLD_STEPS) -> dict[str, Any]:
    """Return how many reviews of each true class lie at or above, and at or below, each of ``steps`` + 1 probabilities.

    From these follows what ``sentiment score --threshold t --abstain-below c`` would do, without the reviews: answered
    positive are those at or above max(t, c); answered negative are those below t that are at or below 1 - c, which is
    the smaller of the two counts, for one set holds the other.

    Returns:
        ``thresholds`` (0 to 1), ``at_least`` and ``at_most``, each with ``negative`` and ``positive`` counts.
    """
    thresholds = np.arange(steps + 1) / steps
    counts: dict[str, Any] = {"thresholds": [float(value) for value in thresholds], "at_least": {}, "at_most": {}}
    for name, label in (("negative", 0), ("positive", 1)):
        ordered = np.sort(probabilities[labels == label])
        below = np.searchsorted(ordered, thresholds, side="left")
        counts["at_least"][name] = [int(ordered.size - count) for count in below]
        counts["at_most"][name] = [int(count) for count in np.searchsorted(ordered, thresholds, side="right")]
    return counts


def score_curves(labels: Labels, probabilities: Probabilities) -> dict[str, Any]:
    """Return all of the above under their keys of ``metrics.json``."""
    return {
        "roc_curve": roc_points(labels, probabilities),
        "precision_recall_curve": precision_recall_points(labels, probabilities),
        "score_histogram": score_histogram(labels, probabilities),
        "thresholds": threshold_counts(labels, probabilities),
        "confidence_by_answer": confidence_by_answer(labels, probabilities),
    }
