"""What the section on changed texts says in words, judged from the entry ``robustness`` of ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.verdict import LEAST_REVIEWS, SIGNIFICANCE


def keyed(robustness: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the changes of a kind, each with its ``key`` in ``metrics.json``."""
    return [
        {"key": f"robustness.perturbations.{position}", **entry}
        for position, entry in enumerate(robustness["perturbations"])
        if entry["kind"] == kind
    ]


def losing(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the changes after which fewer answers are right by more than chance explains, the worst first.

    That is McNemar's test at 5%, divided by the number of changes looked at (Bonferroni).
    """
    level = SIGNIFICANCE / max(len(entries), 1)
    found = [
        entry for entry in entries if entry["p_value"] < level and entry["right_to_wrong"] > entry["wrong_to_right"]
    ]
    return sorted(found, key=lambda entry: float(entry["accuracy"]))


def robustness_verdict(robustness: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the section says in words; every change has its ``key``.

    Args:
        robustness: the entry of ``metrics.json``.

    Returns:
        ``few`` (too few reviews to judge by), ``harmless``, ``shortened`` and ``meaning`` (the changes), ``losing``
        (the harmless ones that cost accuracy), ``most_flips`` (the harmless one with the most other answers),
        ``best_part`` and ``worst_part`` (of the shortened ones, by accuracy). Nothing is judged of the changes of the
        meaning: how many reviews they turn is not known.
    """
    harmless, shortened, meaning = (keyed(robustness, kind) for kind in ("harmless", "shortened", "meaning"))
    return {
        "few": robustness["rows"] < LEAST_REVIEWS,
        "harmless": harmless,
        "shortened": shortened,
        "meaning": meaning,
        "losing": losing(harmless),
        "most_flips": max(harmless, key=lambda entry: int(entry["flipped"])),
        "best_part": max(shortened, key=lambda entry: float(entry["accuracy"])),
        "worst_part": min(shortened, key=lambda entry: float(entry["accuracy"])),
    }
