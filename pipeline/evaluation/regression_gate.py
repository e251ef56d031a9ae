"""The regression gate: when a model counts as worse than the one in place, so that a build may stop there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RegressionError

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Gate:
    """What is accepted.

    Attributes:
        significance: McNemar's p-value below which a difference is no chance.
        tolerance: loss of accuracy that is accepted, in percentage points, from 0.
        enforced: a worse model is an error.
    """

    significance: float = SIGNIFICANCE
    tolerance: float = 0.0
    enforced: bool = False

    def verdict(self, rows: int, lost: int, gained: int, p_value: float) -> dict[str, Any]:
        """Judge a model beside the one in place.

        Args:
            rows: reviews that both answered, N >= 1.
            lost: reviews that only the one in place gets right.
            gained: reviews that only the new one gets right.
            p_value: of McNemar's test.

        Returns:
            ``significance, tolerance_points, enforced``; ``loss_points``, the accuracy lost, negative where it rose;
            ``largest_loss_points``, the loss at the far end of its 95% interval, at least 0; ``worse``: more than the
            tolerance is lost, and the p-value is below the significance; ``no_worse``: even the largest loss is within
            the tolerance. Where neither holds the reviews are too few to tell.
        """
        from pipeline.evaluation.comparison import paired_interval

        low = (paired_interval(gained, lost, rows) or [-1.0])[0]
        largest = max(0.0, -100 * low)
        loss = 100 * (lost - gained) / rows  # of whole numbers: the same float as the tolerance that is typed
        return {
            "significance": self.significance,
            "tolerance_points": self.tolerance,
            "enforced": self.enforced,
            "loss_points": loss,
            "largest_loss_points": largest,
            "worse": loss > self.tolerance and p_value < self.significance,
            "no_worse": largest <= self.tolerance,
        }


NOT_ENFORCED = Gate()
"""Judges, and stops nothing."""


def regression(verdict: Mapping[str, Any], new: str, old: str, p_value: float) -> RegressionError | None:
    """Return the error for a new model that an enforced gate found worse; None for any other.

    Args:
        verdict: of :meth:`Gate.verdict`.
        new: what the message calls the new model.
        old: what it calls the one in place.
        p_value: of McNemar's test.
    """
    if not (verdict["enforced"] and verdict["worse"]):
        return None
    tolerance = verdict["tolerance_points"]
    accepted = f", and {tolerance:g} are accepted" if tolerance else ""
    chance = f"p {p_text(p_value)}, below {verdict['significance']:g}"
    return RegressionError(f"{new} is worse than {old}: {verdict['loss_points']:.2f} points lost{accepted} ({chance})")


def gate_in_words(verdict: Mapping[str, Any], p_value: float) -> str:
    """Return what the gate says, and what it could have seen.

    Args:
        verdict: of :meth:`Gate.verdict`.
        p_value: of McNemar's test.
    """
    tolerance, loss = verdict["tolerance_points"], verdict["loss_points"]
    accepted = f", and {tolerance:g} are accepted" if tolerance else ""
    far_end = f"the loss may be as large as {verdict['largest_loss_points']:.2f} points (95% interval){accepted}"
    if verdict["worse"]:
        chance = f"McNemar's p {p_text(p_value)} is below {verdict['significance']:g}"
        return f"fails: {loss:.2f} points are lost{accepted}; {chance}"
    if verdict["no_worse"]:
        return f"passes: {far_end}" if verdict["largest_loss_points"] else "passes: the 95% interval holds no loss"
    if loss > 0 and p_value < verdict["significance"]:
        return f"passes, for a loss of {loss:.2f} points is accepted: {far_end}"
    return f"passes: not shown to be worse, yet these reviews do not rule it out: {far_end}"


def p_text(p_value: float) -> str:
    """Return a p-value for reading."""
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.4f}"
