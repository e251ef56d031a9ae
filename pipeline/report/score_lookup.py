"""How often a score comes true: the reviews that scored about the same, from the counts in ``metrics.json``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.metrics import wilson_interval

FEWEST_REVIEWS = 200
"""With fewer, the interval of a share near 0.97 would be wider than five points."""
WIDEST_RANGE = 0.1
"""Of a range that still says something about a score in it."""
WIDEST_INTERVAL = 0.1
"""Of an interval that bears a score out: a wider one fits many scores."""
SCORES_SHOWN = (0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99)

Worth = Literal["few", "wide", "holds", "agrees", "too low", "too high"]


@dataclass(frozen=True)
class Neighbourhood:
    """Reviews whose probability of positive lies from ``low`` to below ``high`` (1 belongs to the last).

    ``mean`` is their mean probability, each taken for the middle of its step of the grid, ``step`` wide.
    """

    score: float
    low: float
    high: float
    rows: int
    positive: int
    mean: float
    step: float
    fewest: int = FEWEST_REVIEWS

    @property
    def positive_share(self) -> float | None:
        """Share of the truly positive ones."""
        return self.positive / self.rows if self.rows else None

    @property
    def interval(self) -> list[float] | None:
        """Its 95% interval."""
        return wilson_interval(self.positive, self.rows)

    @property
    def worth(self) -> Worth:
        """What these reviews say of the scores among them: do as many turn out positive as they say?"""
        if self.interval is None or self.rows < self.fewest:
            return "few"
        if self.high - self.low > WIDEST_RANGE + 1e-9:
            return "wide"
        least, most = self.interval
        if most < self.mean - self.step / 2:
            return "too high"
        if least > self.mean + self.step / 2:
            return "too low"
        return "holds" if most - least <= WIDEST_INTERVAL else "agrees"


def neighbourhood(counts: Mapping[str, Any], score: float, fewest: int = FEWEST_REVIEWS) -> Neighbourhood:
    """Return the narrowest range about a score, equally wide on both sides, that has at least ``fewest`` reviews.

    It ends at points of the grid, and at 0 and 1; where there are fewer reviews in all, it is the whole range.

    Args:
        counts: what :func:`pipeline.evaluation.score_curves.threshold_counts` returns.
        score: from 0 to 1.
        fewest: reviews.
    """
    steps = len(counts["thresholds"]) - 1
    above = [*counts["at_least"]["negative"][:-1], 0], [*counts["at_least"]["positive"][:-1], 0]
    # a score on the grid is its own floor and ceiling, whatever its binary fraction
    first, last = math.floor(score * steps + 1e-6), math.ceil(score * steps - 1e-6)
    for wider in range(steps + 1):
        low, high = max(0, first - wider), min(steps, last + wider)
        negative, positive = (of_class[low] - of_class[high] for of_class in above)
        if negative + positive >= fewest:
            break
    rows = negative + positive
    in_step = [sum(of_class[place] - of_class[place + 1] for of_class in above) for place in range(low, high)]
    mean = sum(count * (place + 0.5) for place, count in enumerate(in_step, low)) / steps / max(rows, 1)
    return Neighbourhood(score, low / steps, high / steps, rows, positive, mean, 1 / steps, fewest)


def score_rows(counts: Mapping[str, Any]) -> Sequence[Neighbourhood]:
    """Return how often some scores come true, of those that enough reviews are near to."""
    found = [neighbourhood(counts, score) for score in SCORES_SHOWN]
    return [row for row in found if row.worth not in ("few", "wide")]
