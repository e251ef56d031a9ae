"""Everything the report says about one set of reviews: the entries ``all`` and ``leak_free`` of ``metrics.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.slices import Slicing, accuracy_by_group
from pipeline.metrics import (
    Labels,
    Mask,
    Probabilities,
    calibration_summary,
    classification_summary,
    predictions,
)


def subset_summary(
    labels: Labels,
    probabilities: Probabilities,
    before: Probabilities,
    slicings: Sequence[Slicing],
    bins: int,
    within: Mask | None = None,
) -> dict[str, Any]:
    """Return the figures of a set of reviews.

    Args:
        labels: (N,).
        probabilities: float64 (N,), after the temperature.
        before: float64 (N,), before the temperature.
        slicings: of the N reviews.
        bins: number of equal-mass bins of the calibration error.
        within: bool (N,), the set, at least one review; None for all.
    """
    chosen: Mask | slice = slice(None) if within is None else within
    predicted = predictions(probabilities)
    return {
        **classification_summary(labels[chosen], probabilities[chosen]),
        "calibration": {
            "after_temperature": calibration_summary(labels[chosen], probabilities[chosen], bins),
            "before_temperature": calibration_summary(labels[chosen], before[chosen], bins),
        },
        "slices": {slicing.name: accuracy_by_group(slicing, labels, predicted, within) for slicing in slicings},
    }
