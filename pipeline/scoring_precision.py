"""How precisely a model is scored: as roughly as its validation reviews show to be harmless.

Rounding costs little on most networks and more on some, so it is measured on each, against float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRECISIONS = ("int8", "bfloat16", "float32")
"""Roughest and fastest first: of the recurrent product, of all products, of nothing."""
QUANTILE, LARGEST_DIFFERENCE = 0.999, 2.5e-3
"""Of the differences in probability, this quantile must not be larger. Half of the 0.005 that is wanted of all reviews:
validation reviews are few, and a quantile of few is too small rather than too large."""
MOST_FLIPS = 5e-4
"""Share of reviews whose label may change; one review always may."""


def differences(logits: NDArray[np.float32], exact: NDArray[np.float32], temperature: float) -> dict[str, Any]:
    """Return how far probabilities are from the exact ones.

    Args:
        logits: (N,), of reviews.
        exact: (N,), the same in float32.
        temperature: divides both.

    Returns:
        ``quantile_999`` of the absolute differences in probability, and how many ``labels_flipped``.
    """
    rough, fine = (1 / (1 + np.exp(-np.clip(of / temperature, -80, 80).astype(np.float64))) for of in (logits, exact))
    return {
        "quantile_999": float(np.quantile(np.abs(rough - fine), QUANTILE)),
        "labels_flipped": int(np.sum((logits >= 0) != (exact >= 0))),
    }


def choose_precision(
    logits: Mapping[str, NDArray[np.float32]], temperature: float
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the roughest precision that is near enough to float32, and the differences of each.

    Args:
        logits: by precision, (N,) each; float32 among them.
        temperature: of the model.
    """
    exact = logits["float32"]
    found = {name: differences(logits[name], exact, temperature) for name in PRECISIONS if name in logits}
    most_flips = max(1, int(MOST_FLIPS * len(exact)))
    for name, difference in found.items():
        if difference["quantile_999"] <= LARGEST_DIFFERENCE and difference["labels_flipped"] <= most_flips:
            return name, found
    return "float32", found  # reached only where a logit is no number
