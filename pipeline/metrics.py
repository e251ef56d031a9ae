"""Figures about predictions, as pure functions over arrays; scikit-learn computes what it has a function for.

Conventions: ``labels`` are 1 (positive) or 0 (negative), ``probabilities`` are of the positive class, a review is
predicted positive where its probability is at least 0.5, and every figure is over all reviews at once. A figure
that is undefined (the ROC AUC of one class, the precision of a class never predicted) is ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

Labels = NDArray[np.int8]
Probabilities = NDArray[np.float64]
Mask = NDArray[np.bool_]

THRESHOLD = 0.5
CALIBRATION_BINS = 15
Z_95 = 1.959963984540054
"""Two-sided 95% quantile of the standard normal."""


def predictions(probabilities: Probabilities) -> Labels:
    """Return 1 where the probability is at least 0.5, else 0; int8 (N,)."""
    return (probabilities >= THRESHOLD).astype(np.int8)


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> list[float] | None:
    """Return Wilson's score interval of a proportion (Wilson 1927), [low, high]; None without trials."""
    if trials == 0:
        return None
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return [max(0.0, centre - half), min(1.0, centre + half)]


def accuracy_summary(labels: Labels, predicted: Labels) -> dict[str, Any]:
    """Return rows, correct, accuracy and its 95% interval."""
    correct = int((labels == predicted).sum())
    rows = int(labels.size)
    return {
        "rows": rows,
        "correct": correct,
        "accuracy": correct / rows if rows else None,
        "accuracy_interval": wilson_interval(correct, rows),
    }


def reliability_bins(
    labels: Labels, probabilities: Probabilities, bins: int = CALIBRATION_BINS
) -> list[dict[str, Any]]:
    """Return equal-mass bins of the probability: rows, mean probability, share of positives.

    Reviews with the same probability share their mean label first, so that the order of rows does not decide which
    of them falls into which bin. With fewer reviews than bins, each has a bin of its own.
    """
    if labels.size == 0:
        return []
    values, group, sizes = np.unique(probabilities, return_inverse=True, return_counts=True)
    mean_label = np.bincount(group, weights=labels) / sizes
    order = np.argsort(probabilities, kind="stable")
    parts = np.array_split(order, min(bins, labels.size))
    return [
        {
            "rows": int(part.size),
            "mean_probability": float(values[group[part]].mean()),
            "positive_share": float(mean_label[group[part]].mean()),
        }
        for part in parts
    ]


def calibration_error(bins: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the expected calibration error: mean gap of probability and outcome, weighted by rows (Naeini 2015)."""
    rows = sum(entry["rows"] for entry in bins)
    if rows == 0:
        return None
    gaps = (entry["rows"] * abs(entry["mean_probability"] - entry["positive_share"]) for entry in bins)
    return float(sum(gaps) / rows)


def calibration_summary(labels: Labels, probabilities: Probabilities, bins: int = CALIBRATION_BINS) -> dict[str, Any]:
    """Return calibration error with its bins, log loss (nats) and Brier score."""
    table = reliability_bins(labels, probabilities, bins)
    return {
        "calibration_error": calibration_error(table),
        "log_loss": float(log_loss(labels, probabilities, labels=[0, 1])) if labels.size else None,
        "brier": float(brier_score_loss(labels, probabilities, pos_label=1)) if labels.size else None,
        "bins": table,
    }


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def classification_summary(labels: Labels, probabilities: Probabilities) -> dict[str, Any]:
    """Return the figures of one set of reviews.

    Args:
        labels: (N,), N >= 1.
        probabilities: float64 (N,).

    Returns:
        ``rows, correct, accuracy, accuracy_interval, support, precision, recall, f1`` (positive class),
        ``macro_f1, roc_auc, average_precision, confusion_matrix``.
    """
    predicted = predictions(probabilities)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=[0, 1], average=None, zero_division=np.nan
    )
    matrix = confusion_matrix(labels, predicted, labels=[0, 1])
    both = 0 < int(labels.sum()) < labels.size
    return {
        **accuracy_summary(labels, predicted),
        "support": {"negative": int((labels == 0).sum()), "positive": int((labels == 1).sum())},
        "precision": _defined(precision[1]),
        "recall": _defined(recall[1]),
        "f1": _defined(f1[1]),
        "macro_f1": float(f1_score(labels, predicted, labels=[0, 1], average="macro")) if both else None,
        "roc_auc": float(roc_auc_score(labels, probabilities)) if both else None,
        "average_precision": float(average_precision_score(labels, probabilities)) if both else None,
        "confusion_matrix": {
            "true_negative": int(matrix[0, 0]),
            "false_positive": int(matrix[0, 1]),
            "false_negative": int(matrix[1, 0]),
            "true_positive": int(matrix[1, 1]),
        },
    }


def mcnemar(labels: Labels, first: Labels, second: Labels) -> dict[str, Any]:
    """Compare two classifiers on the same reviews with McNemar's exact test (McNemar 1947).

    Returns:
        ``only_first`` and ``only_second`` (reviews that only one of them gets right) and the two-sided ``p_value``
        of a fair coin falling that unevenly (1.0 where they never differ).
    """
    right, right_too = first == labels, second == labels
    only_first, only_second = int((right & ~right_too).sum()), int((~right & right_too).sum())
    differing = only_first + only_second
    p_value = float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0
    return {"only_first": only_first, "only_second": only_second, "p_value": p_value}


def most_confident_errors(labels: Labels, probabilities: Probabilities, count: int) -> NDArray[np.int64]:
    """Return the positions of the wrong predictions with the highest confidence, worst first, ties by position."""
    wrong = np.flatnonzero(predictions(probabilities) != labels)
    order = np.argsort(-np.abs(probabilities[wrong] - THRESHOLD), kind="stable")
    return wrong[order[:count]]
