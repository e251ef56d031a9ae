"""What a decision threshold does, and what leaving uncertain reviews open does, from the counts in ``metrics.json``.

The rule is that of ``sentiment score --threshold t --abstain-below c`` (:func:`pipeline.scoring.answers.answer`):
positive from the probability t on; left open where the answer's own probability is below c. So answered positive are
the probabilities from max(t, c) on, and answered negative those below t that are at most 1 - c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.metrics import wilson_interval

THRESHOLDS_SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CONFIDENCES_SHOWN = (0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class ThresholdEffect:
    """Answers at a threshold and a confidence to answer from; reviews left open are in none of the four counts."""

    threshold: float
    confidence: float | None
    rows: int
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def answered(self) -> int:
        """Reviews that get an answer."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    @property
    def correct(self) -> int:
        """Right answers."""
        return self.true_positive + self.true_negative

    @property
    def accuracy(self) -> float | None:
        """Share of right answers."""
        return share(self.correct, self.answered)

    @property
    def accuracy_interval(self) -> list[float] | None:
        """Its 95% interval."""
        return wilson_interval(self.correct, self.answered)

    @property
    def precision(self) -> float | None:
        """Share of truly positive reviews among those answered positive."""
        return share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float | None:
        """Share answered positive among the answered reviews that are truly positive."""
        return share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None where no answered review is or is called positive."""
        return share(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)

    @property
    def abstained_share(self) -> float | None:
        """Share of all reviews that are left open."""
        return share(self.rows - self.answered, self.rows)


def share(part: int, whole: int) -> float | None:
    """Return a share; None of nothing."""
    return part / whole if whole else None


def threshold_effect(counts: Mapping[str, Any], threshold: float, confidence: float | None = None) -> ThresholdEffect:
    """Return what a threshold does.

    Args:
        counts: what :func:`pipeline.evaluation.score_curves.threshold_counts` returns.
        threshold: one of its thresholds.
        confidence: the lowest confidence to answer with, 1 minus one of its thresholds; None leaves nothing open.
    """
    steps = len(counts["thresholds"]) - 1
    cut = round(threshold * steps)
    lowest = max(cut, 0 if confidence is None else round(confidence * steps))
    highest = steps if confidence is None else steps - round(confidence * steps)

    def positive(name: str) -> int:
        return int(counts["at_least"][name][lowest])

    def negative(name: str) -> int:
        below_threshold = counts["at_least"][name][0] - counts["at_least"][name][cut]
        return int(min(below_threshold, counts["at_most"][name][highest]))

    return ThresholdEffect(
        threshold,
        confidence,
        counts["at_least"]["negative"][0] + counts["at_least"]["positive"][0],
        positive("positive"),
        positive("negative"),
        negative("positive"),
        negative("negative"),
    )


def threshold_rows(counts: Mapping[str, Any]) -> Sequence[ThresholdEffect]:
    """Return what some thresholds do, nothing left open."""
    return [threshold_effect(counts, threshold) for threshold in THRESHOLDS_SHOWN]


def abstention_rows(counts: Mapping[str, Any]) -> Sequence[ThresholdEffect]:
    """Return what leaving open does below some confidences, at the threshold 0.5."""
    return [threshold_effect(counts, 0.5, confidence) for confidence in CONFIDENCES_SHOWN]
