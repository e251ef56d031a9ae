"""Ways to cut the reviews into groups whose accuracy is told apart: by length, wording, stars and confidence.

A :class:`Slicing` says of each review which group it falls into. Which groups there are is fixed beforehand and
the same for every model, so that two reports can be laid side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.wording import (
    CONTRAST,
    CONTRAST_WORDS,
    NEGATION,
    NEGATION_WITHOUT_APOSTROPHE,
    NEGATION_WORDS,
    STATED_SCORE,
    occurrences,
    per_100_words,
    word_counts,
)
from pipeline.metrics import Labels, Mask, Probabilities, accuracy_summary
from pipeline.star_ratings import MOST_STARS

Band = tuple[str, float, float]
"""Name, lower bound (included) and upper bound (excluded)."""

LENGTH_BANDS: tuple[Band, ...] = (
    ("under 100", 0, 100),
    ("100-199", 100, 200),
    ("200-399", 200, 400),
    ("400-799", 400, 800),
    ("800 and more", 800, math.inf),
)
"""In white-space-separated words."""

SMALLEST_DENSITY = math.nextafter(0, 1)
NEGATION_BANDS: tuple[Band, ...] = (
    ("none", 0, SMALLEST_DENSITY),
    ("under 1", SMALLEST_DENSITY, 1),
    ("1 to 2", 1, 2),
    ("2 to 3", 2, 3),
    ("3 and more", 3, math.inf),
)
"""In negations for each 100 words."""

CONTRAST_BANDS: tuple[Band, ...] = (
    ("none", 0, SMALLEST_DENSITY),
    ("under 1", SMALLEST_DENSITY, 1),
    ("1 to 2", 1, 2),
    ("2 and more", 2, math.inf),
)
"""In words of contrast for each 100 words."""

NEGATION_DEFINITION = (
    f"Negations for each 100 words of the review, the lower bound of a group included: {', '.join(NEGATION_WORDS)}, "
    f"all that ends in n't, and {', '.join(NEGATION_WITHOUT_APOSTROPHE)}. A short review is likelier to have none"
)
CONTRAST_DEFINITION = (
    "Words of contrast for each 100 words of the review, the lower bound of a group included: "
    f"{', '.join(CONTRAST_WORDS)}. A short review is likelier to have none"
)

STATED_SCORE_GROUPS = ("stated", "none")
STATED_SCORE_DEFINITION = (
    "Whether the review itself states a score in figures: a number up to 10, such as 8 or 7.5, before /10, /5, out of "
    "10, out of 5, star or stars. What the figure is about was not read: 4/5 of a film counts too"
)

CONFIDENCE_BANDS: tuple[Band, ...] = (
    ("0.50-0.60", 0.5, 0.6),
    ("0.60-0.70", 0.6, 0.7),
    ("0.70-0.80", 0.7, 0.8),
    ("0.80-0.90", 0.8, 0.9),
    ("0.90-0.95", 0.9, 0.95),
    ("0.95-0.99", 0.95, 0.99),
    ("0.99-1.00", 0.99, math.inf),
)
"""Of the probability of the predicted class, max(p, 1 - p)."""

NO_GROUP = -1


@dataclass(frozen=True)
class Slicing:
    """One way to cut N reviews into groups.

    Attributes:
        name: its key in ``metrics.json``.
        title: what a reader calls it.
        definition: what puts a review into a group, in a sentence.
        groups: names, in order.
        membership: int8 (N,), position in ``groups``; -1 in none of them.
    """

    name: str
    title: str
    definition: str
    groups: tuple[str, ...]
    membership: NDArray[np.int8]


def bands_of(values: NDArray[Any], bands: Sequence[Band]) -> NDArray[np.int8]:
    """Return the position of the band that each value lies in, int8 (N,); -1 where it lies in none."""
    found = np.full(values.size, NO_GROUP, dtype=np.int8)
    for position, (_, low, high) in enumerate(bands):
        found[(values >= low) & (values < high)] = position
    return found


def names_of(bands: Sequence[Band]) -> tuple[str, ...]:
    """Return the names of bands."""
    return tuple(name for name, _, _ in bands)


def slicings_of(texts: Sequence[str], ratings: NDArray[np.int8] | None = None) -> list[Slicing]:
    """Return the ways to cut reviews that do not depend on a model, by text and by what the source says of it.

    Args:
        texts: N raw texts.
        ratings: stars 1 to 10, (N,), -1 where the source has none; None where it has none at all.
    """
    words = word_counts(texts)
    *counts, scores = occurrences(texts, (NEGATION, CONTRAST, STATED_SCORE))
    negations, contrasts = (per_100_words(of_words, words) for of_words in counts)
    slicings = [
        banded("length", "Length", "White-space-separated words of the review", words, LENGTH_BANDS),
        banded("negation", "Negation", NEGATION_DEFINITION, negations, NEGATION_BANDS),
        banded("contrast", "Contrast", CONTRAST_DEFINITION, contrasts, CONTRAST_BANDS),
        Slicing(
            "stated_score",
            "Score in the text",
            STATED_SCORE_DEFINITION,
            STATED_SCORE_GROUPS,
            np.where(scores > 0, 0, 1).astype(np.int8),
        ),
    ]
    return slicings if ratings is None else [*slicings, stars_slicing(ratings)]


def banded(name: str, title: str, definition: str, values: NDArray[Any], bands: Sequence[Band]) -> Slicing:
    """Return the reviews by the band that a value (N,) of theirs lies in."""
    return Slicing(name, title, definition, names_of(bands), bands_of(values, bands))


def stars_slicing(ratings: NDArray[np.int8]) -> Slicing:
    """Return the reviews by their stars, (N,), 1 to 10; those without (-1) are in no group."""
    return Slicing(
        "stars",
        "Stars",
        "Stars that the source gives with the review, as it gives them; reviews without are left out here",
        tuple(str(stars) for stars in range(1, MOST_STARS + 1)),
        np.where((ratings >= 1) & (ratings <= MOST_STARS), ratings - 1, NO_GROUP).astype(np.int8),
    )


def confidence_slicing(probabilities: Probabilities) -> Slicing:
    """Return the reviews by the probability of the predicted class."""
    return banded(
        "confidence",
        "Confidence",
        "Probability that the model gives to the class it predicts",
        np.maximum(probabilities, 1 - probabilities),
        CONFIDENCE_BANDS,
    )


def accuracy_by_group(
    slicing: Slicing, labels: Labels, predicted: Labels, within: Mask | None = None
) -> dict[str, Any]:
    """Return a slicing's entry of ``metrics.json``: title, definition, and of each group rows, accuracy and interval.

    Args:
        slicing: of the N reviews.
        labels: (N,).
        predicted: (N,).
        within: bool (N,); the reviews that count; None for all.
    """
    groups = []
    for position, name in enumerate(slicing.groups):
        inside = slicing.membership == position
        if within is not None:
            inside &= within
        groups.append({"name": name, **accuracy_summary(labels[inside], predicted[inside])})
    return {"title": slicing.title, "definition": slicing.definition, "groups": groups}
