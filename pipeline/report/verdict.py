"""What a newcomer asks of a report, answered from ``metrics.json`` alone: how good, how far to trust, what fails.

The functions choose and judge; the figures themselves are named by their keys, for the page to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scipy.stats import norm

from pipeline.metrics import wilson_interval

LEAST_REVIEWS = 30
"""Below it a group says too little to be judged by."""
SIGNIFICANCE = 0.05
MARGIN = 0.03
"""By which the interval of a band's share of right answers may reach out of the band, on either side: a wider one fits
many shares, so that it bears nothing out."""
EXAMPLE_SCORE = 0.97

KINDS: Mapping[str, tuple[str, str]] = {
    "length": ("{} words", "no words"),
    "negation": ("{} negations in 100 words", "no negation"),
    "contrast": ("{} words of contrast in 100", "no word of contrast"),
    "stated_score": ("a score {} in the text", "no score in the text"),
    "stars": ("{} stars", "no stars"),
}
"""What the reviews of a group are, by the slicing: with the group's name, and where that is "none"."""

Honesty = Literal["empty", "few", "unclear", "too sure", "too modest", "holds"]
Comparison = Literal["better", "worse", "no clear difference"]


def band_bounds(name: str) -> tuple[float, float]:
    """Return the lower and upper bound of a band of confidence from its name, such as ``0.95-0.99``."""
    low, high = name.split("-")
    return float(low), float(high)


def band_honesty(group: Mapping[str, Any]) -> Honesty:
    """Judge a band of confidence by the interval of its share of right answers.

    It holds where the interval meets the band and reaches out of it by ``MARGIN`` at most; one that reaches further
    leaves the answer open.

    Args:
        group: ``name, rows, accuracy_interval`` of an entry of ``slices.confidence.groups``.
    """
    if not group["rows"]:
        return "empty"
    if group["rows"] < LEAST_REVIEWS:
        return "few"
    (low, high), (least, most) = band_bounds(group["name"]), group["accuracy_interval"]
    if most < low:
        return "too sure"
    if least > high:
        return "too modest"
    return "holds" if least >= low - MARGIN and most <= high + MARGIN else "unclear"


def example_band(metrics: Mapping[str, Any], score: float = EXAMPLE_SCORE) -> dict[str, Any]:
    """Return the band of confidence that holds a score of 0.5 or more, among the positive answers.

    Returns:
        ``key, name, honesty``, its bounds ``low, high``, and the ``opposite`` key of the same band of negative answers.

    Raises:
        ValueError: none holds it.
    """
    answers = metrics["all"]["confidence_by_answer"]
    for position, group in enumerate(answers["positive"]):
        low, high = band_bounds(group["name"])
        if low <= score < high:
            key, opposite = (f"all.confidence_by_answer.{answer}.{position}" for answer in ("positive", "negative"))
            honesty = band_honesty(group)
            return {"key": key, "opposite": opposite, "name": group["name"], "honesty": honesty} | {
                "low": low,
                "high": high,
                "rows": group["rows"],
                "opposite_rows": answers["negative"][position]["rows"],
            }
    raise ValueError(f"no band of confidence holds {score}")


def against_all(group: Mapping[str, Any], overall: float) -> Literal["lower", "higher", ""]:
    """Say whether the interval of a group of ``LEAST_REVIEWS`` or more lies wholly below or above an accuracy."""
    if group["rows"] < LEAST_REVIEWS:
        return ""
    low, high = group["accuracy_interval"]
    return "lower" if high < overall else "higher" if low > overall else ""


def kind_of_review(slicing: str, title: str, name: str) -> str:
    """Return what a group's reviews have, for a sentence: "800 and more words"."""
    some, none = KINDS.get(slicing, (f"{title.lower()}: {{}}", f"{title.lower()}: none"))
    return none if name == "none" else some.format(name)


def judged_groups(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the groups that do not depend on the model, with ``key``, ``slicing`` (its title) and ``kind``.

    Groups of fewer than ``LEAST_REVIEWS`` are left out, and those that hold all reviews.
    """
    whole = metrics["all"]
    return [
        {"key": f"all.slices.{name}.groups.{position}", "slicing": entry["title"], **group}
        | {"kind": kind_of_review(name, entry["title"], group["name"])}
        for name, entry in whole["slices"].items()
        if name != "confidence"
        for position, group in enumerate(entry["groups"])
        if LEAST_REVIEWS <= group["rows"] < whole["rows"]
    ]


def failing_groups(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the groups that are answered right less often than all reviews, the worst first.

    Of so many groups some lie below by chance: the interval that has to lie there is of 95% for all of them together
    (Bonferroni), wider than the one that the page shows.
    """
    groups, overall = judged_groups(metrics), metrics["all"]["accuracy"]
    z = float(norm.isf(SIGNIFICANCE / 2 / max(len(groups), 1)))
    intervals = (wilson_interval(group["correct"], group["rows"], z) for group in groups)
    failing = [group for group, found in zip(groups, intervals, strict=True) if found and found[1] < overall]
    return sorted(failing, key=lambda group: float(group["accuracy"]))


def failing_probes(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the kinds of labelled probes whose interval lies wholly below the accuracy of all, the worst first.

    Each has its ``key`` beside its figures; none where the model's probes are not known.
    """
    probes = metrics.get("probes")
    if not probes:
        return []
    groups = [{"key": f"probes.groups.{place}", **group} for place, group in enumerate(probes["groups"])]
    failing = [group for group in groups if against_all(group, probes["accuracy"]) == "lower"]
    return sorted(failing, key=lambda group: float(group["accuracy"]))


def compared(test: Mapping[str, Any] | None, first: float, second: float) -> Comparison | None:
    """Judge two accuracies on the same reviews by McNemar's test; None where there is no test."""
    if test is None:
        return None
    if test["p_value"] >= SIGNIFICANCE or first == second:
        return "no clear difference"
    return "better" if first > second else "worse"


def only_class(metrics: Mapping[str, Any]) -> str | None:
    """Return the class that all reviews have; None where there are both."""
    present = [name for name, count in metrics["all"]["support"].items() if count]
    return present[0] if len(present) == 1 else None


def verdict(metrics: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the head of the page says in words.

    Args:
        metrics: the content of ``metrics.json``.
        entries: the model and the baselines by falling accuracy (:func:`pipeline.report.pictures.comparison`).

    Returns:
        ``baseline`` (the best one, with ``judgement``) or None, ``previous`` (a ``judgement`` or None), ``only_class``,
        ``few`` reviews, ``band`` (of a score of 0.97), ``failing`` groups and ``failing_probes``, ``groups`` (how many
        were looked at) and ``slicings`` (their titles).
    """
    whole = metrics["all"]
    best = next((entry for entry in entries if not entry["is_model"]), None)
    previous, groups = metrics.get("previous"), judged_groups(metrics)
    return {
        "few": whole["rows"] < LEAST_REVIEWS,
        "only_class": only_class(metrics),
        "baseline": best and {**best, "judgement": compared(best["mcnemar"], whole["accuracy"], best["accuracy"])},
        "previous": previous and compared(previous.get("mcnemar"), whole["accuracy"], previous["accuracy"]),
        "band": example_band(metrics),
        "failing": failing_groups(metrics),
        "failing_probes": failing_probes(metrics),
        "groups": len(groups),
        "slicings": list(dict.fromkeys(group["slicing"] for group in groups)),
    }
