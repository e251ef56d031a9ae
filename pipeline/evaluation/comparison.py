"""Figures about two models on the same reviews, as pure functions over arrays.

A is the model in place, B the candidate; every difference is B minus A. Each review counts once for both, so that the
tests and intervals are those for paired data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score

from pipeline.metrics import (
    Z_95,
    Labels,
    Mask,
    Probabilities,
    accuracy_summary,
    calibration_summary,
    mcnemar,
    predictions,
)

JOINT_BINS = 20
"""Bins of each model's probability in the joint histogram."""
EXAMPLES = 20
"""Reviews listed of each kind."""
QUALITIES = ("accuracy", "roc_auc", "log_loss", "calibration_error", "brier")
"""Figures of one model whose difference is told."""


def paired_score(difference: float, gained: int, lost: int, rows: int, z: float) -> float:
    """Return the numerator of Tango's score statistic less ``z`` standard errors under this difference.

    The standard error is that of the chance of a loss which is likeliest under the difference: the larger root of a
    quadratic (Tango 1998).
    """
    twice = 2 * rows
    linear = (twice - gained + lost) * difference - gained - lost
    constant = -lost * difference * (1 - difference)
    chance = (math.sqrt(max(linear * linear - 4 * twice * constant, 0.0)) - linear) / (2 * twice)
    variance = rows * (2 * chance + difference * (1 - difference))
    return gained - lost - rows * difference - z * math.sqrt(max(variance, 0.0))


def paired_interval(gained: int, lost: int, rows: int, z: float = Z_95) -> list[float] | None:
    """Return the score interval of a difference of paired proportions (Tango 1998), [low, high]; None without rows.

    It holds the differences that the score test does not refuse, and 0 where the asymptotic McNemar test is not
    significant; the exact one is a little stricter.

    Args:
        gained: reviews that only the second gets right.
        lost: reviews that only the first gets right.
        rows: all reviews, N.
        z: two-sided quantile of the standard normal.

    Returns:
        Limits of (gained - lost) / N, within -1 and 1.
    """
    if rows == 0:
        return None

    def lower_limit(gained: int, lost: int) -> float:
        highest = (gained - lost) / rows - 1e-12  # at the difference itself the statistic may be 0 too
        if gained - lost == -rows:
            return -1.0
        return float(brentq(paired_score, -1.0, highest, args=(gained, lost, rows, z), xtol=1e-12))

    return [lower_limit(gained, lost), 0.0 - lower_limit(lost, gained)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down procedure (Holm 1979), in the order given."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(steps, 1.0)
    return [float(value) for value in corrected]


def right_answers(labels: Labels, predicted: Labels) -> dict[str, Any]:
    """Return ``correct, accuracy, accuracy_interval`` of one model."""
    figures = accuracy_summary(labels, predicted)
    return {name: figures[name] for name in ("correct", "accuracy", "accuracy_interval")}


def paired_accuracy(labels: Labels, first: Labels, second: Labels) -> dict[str, Any]:
    """Compare the accuracy of two models on the same reviews.

    Args:
        labels: (N,).
        first: int8 (N,), predicted by A.
        second: int8 (N,), predicted by B.

    Returns:
        ``rows``; ``a`` and ``b`` (correct, accuracy, accuracy_interval); ``difference`` and ``difference_interval``
        (:func:`paired_interval`); ``only_a_right``, ``only_b_right``; ``p_value`` of McNemar's exact test. Without
        reviews figures are None, and the p-value is 1.
    """
    rows = int(labels.size)
    test = mcnemar(labels, first, second)
    lost, gained = test["only_first"], test["only_second"]
    return {
        "rows": rows,
        "a": right_answers(labels, first),
        "b": right_answers(labels, second),
        "difference": (gained - lost) / rows if rows else None,
        "difference_interval": paired_interval(gained, lost, rows),
        "only_a_right": lost,
        "only_b_right": gained,
        "p_value": test["p_value"],
    }


def quality(labels: Labels, probabilities: Probabilities) -> dict[str, Any]:
    """Return one model's figures: accuracy with interval, ROC AUC, calibration error, log loss and Brier score."""
    calibration = calibration_summary(labels, probabilities)
    del calibration["bins"]
    both = 0 < int(labels.sum()) < labels.size
    return {
        **right_answers(labels, predictions(probabilities)),
        "roc_auc": float(roc_auc_score(labels, probabilities)) if both else None,
        **calibration,
    }


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, float | None]:
    """Return B's figure less A's, for each of ``QUALITIES``; None where one is undefined."""
    return {
        name: None if first[name] is None or second[name] is None else second[name] - first[name] for name in QUALITIES
    }


def agreement(labels: Labels, first: Labels, second: Labels) -> dict[str, int]:
    """Return how many reviews both, one or none of the models gets right."""
    right, right_too = first == labels, second == labels
    return {
        "both_right": int((right & right_too).sum()),
        "only_a_right": int((right & ~right_too).sum()),
        "only_b_right": int((~right & right_too).sum()),
        "both_wrong": int((~right & ~right_too).sum()),
    }


def compared_groups(groups: Mapping[str, Mask], labels: Labels, first: Labels, second: Labels) -> list[dict[str, Any]]:
    """Return the comparison within each group of a slicing.

    Args:
        groups: which reviews fall into each, bool (N,), in order.
        labels: (N,).
        first: (N,), predicted by A.
        second: (N,), predicted by B.
    """
    return [
        {"name": name, **paired_accuracy(labels[inside], first[inside], second[inside])}
        for name, inside in groups.items()
    ]


def correct_for_their_number(slices: Mapping[str, Mapping[str, Any]]) -> int:
    """Add ``p_value_holm`` to every group of all slicings; return how many tests there were.

    A group without reviews has nothing to test and does not count.
    """
    groups = [group for entry in slices.values() for group in entry["groups"] if group["rows"]]
    for group, corrected in zip(groups, holm([group["p_value"] for group in groups]), strict=True):
        group["p_value_holm"] = corrected
    for entry in slices.values():
        for group in entry["groups"]:
            group.setdefault("p_value_holm", None)
    return len(groups)


def joint_histogram(first: Probabilities, second: Probabilities) -> dict[str, Any]:
    """Return ``edges`` and ``counts``: of the reviews by A's probability (outer list) and B's (inner)."""
    edges = np.linspace(0, 1, JOINT_BINS + 1)
    counts, _, _ = np.histogram2d(first, second, bins=[edges, edges])
    return {"edges": edges.tolist(), "counts": counts.astype(np.int64).tolist()}


def probability_change(first: Probabilities, second: Probabilities) -> dict[str, Any]:
    """Return how far the probabilities lie apart: mean absolute change, and the joint histogram."""
    return {
        "mean_absolute": float(np.abs(second - first).mean()),
        "joint_histogram": joint_histogram(first, second),
    }


def largest_changes(first: Probabilities, second: Probabilities, within: Mask, count: int) -> NDArray[np.int64]:
    """Return the positions within a set whose probability differs most, the largest first, ties by position."""
    positions = np.flatnonzero(within)
    order = np.argsort(-np.abs(second[positions] - first[positions]), kind="stable")
    return positions[order[:count]]


def example_positions(
    labels: Labels, first: Probabilities, second: Probabilities, count: int = EXAMPLES
) -> dict[str, NDArray[np.int64]]:
    """Return the reviews to look at, by the change of probability: ``only_a_right``, ``only_b_right``, ``same_class``.

    The last are those whose predicted class did not change.
    """
    right, right_too = predictions(first) == labels, predictions(second) == labels
    kinds = {"only_a_right": right & ~right_too, "only_b_right": ~right & right_too, "same_class": right == right_too}
    return {name: largest_changes(first, second, within, count) for name, within in kinds.items()}
