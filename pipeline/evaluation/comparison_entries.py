"""The content of ``comparison.json``: what two reports say about the same reviews. ``COMPARISON_KEYS`` documents it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.evaluation import comparison
from pipeline.evaluation.finished_report import Answers, FinishedReport
from pipeline.evaluation.regression_gate import Gate
from pipeline.machine import versions_in_use

SCHEMA_VERSION = 1
COMPARISON_KEYS: Mapping[str, str] = {
    "schema_version": "version of this layout; raised when a key changes its meaning or goes",
    "compared_at": "time of the comparison, UTC, ISO 8601",
    "command": "the command that repeats it",
    "data": "the reviews, as the reports name them: kind, name, fingerprint, rows, and whether it is the sample",
    "a": "the model in place: report, model, weights (SHA-256), when and by which command it was evaluated; accuracy "
    "with 95% interval (Wilson), ROC AUC, log loss in nats, calibration error, Brier score",
    "b": "the same of the candidate",
    "difference": "B less A of each figure; accuracy_interval is the 95% score interval of paired data (Tango 1998)",
    "agreement": "how many reviews both, one or none of them gets right",
    "p_value": "of McNemar's exact test, two-sided",
    "leak_free": "the comparison on the reviews that are leak-free for both, or null: rows, a, b, difference, "
    "difference_interval, only_a_right, only_b_right, p_value",
    "slices": "by slicing: title, definition and groups, each group as leak_free and with p_value_holm: the p-value "
    "corrected for the number of groups of all slicings (Holm 1979)",
    "slices_left_out": "slicings that could not be compared, with the reason",
    "tests": "how many groups were tested",
    "probabilities": "mean absolute change of the probability, and reviews by both models' probability",
    "examples": "reviews to look at, by the change of probability: row, label and both probabilities of those that "
    "only one gets right, and of those whose predicted class is the same",
    "gate": "the regression gate: significance, tolerance and loss in points, the largest loss in its 95% "
    "interval, worse (more than the tolerance is lost, beyond chance), no_worse (even the largest loss is within the "
    "tolerance), and whether worse is an error",
    "versions": "versions of Python and of the packages that shape the figures",
}
"""Top-level keys of ``comparison.json``."""
CLASSES = ("negative", "positive")


def compared_slices(
    metrics: Mapping[str, Any], a: Answers, b: Answers
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the ``slices`` and ``slices_left_out`` entries of ``comparison.json``.

    Args:
        metrics: of A's report, for titles and the order of groups.
        a: A's answers on N reviews.
        b: B's answers on the same reviews.
    """
    labels, first, second = a.labels, a.predicted, b.predicted
    slices: dict[str, dict[str, Any]] = {
        "class": {
            "title": "True class",
            "definition": "The class that the review is labelled with",
            "groups": comparison.compared_groups(
                {name: labels == label for label, name in enumerate(CLASSES)}, labels, first, second
            ),
        }
    }
    left_out = {}
    known = metrics["all"].get("slices", {})
    for name in sorted(a.groups.keys() | b.groups.keys()):
        if not (name in a.groups and name in b.groups and name in known):
            left_out[name] = "one of the reports does not have it; evaluate that model again"
        elif not a.groups[name].same_as(b.groups[name]):
            left_out[name] = "the reports put reviews into different groups; evaluate both models again"
        else:
            inside = {group["name"]: a.groups[name].within(group["name"]) for group in known[name]["groups"]}
            slices[name] = {
                "title": known[name]["title"],
                "definition": known[name]["definition"],
                "groups": comparison.compared_groups(inside, labels, first, second),
            }
    for name, entry in list(slices.items()):
        holding_all = [str(group["name"]) for group in entry["groups"] if group["rows"] == labels.size]
        if holding_all:
            left_out[name] = f"all reviews fall into one group ({holding_all[0]!r})"
            del slices[name]
    if not a.groups and not b.groups:
        left_out["length"] = "the reports are by an earlier version, which kept no groups; evaluate both models again"
    return slices, left_out


def leak_free_comparison(a: Answers, b: Answers) -> dict[str, Any] | None:
    """Return the comparison on the reviews that are leak-free for both; None where that is unknown of one."""
    if a.leak_free is None or b.leak_free is None:
        return None
    inside = a.leak_free & b.leak_free
    return comparison.paired_accuracy(a.labels[inside], a.predicted[inside], b.predicted[inside])


def report_entry(report: FinishedReport, answers: Answers) -> dict[str, Any]:
    """Return the ``a`` or ``b`` entry of ``comparison.json``."""
    metrics = report.metrics
    return {
        "report": report.name,
        "model": metrics["model"]["name"],
        "weights_sha256": metrics["model"].get("weights_sha256"),
        "evaluated_at": metrics["evaluated_at"],
        "command": metrics["command"],
        **comparison.quality(answers.labels, answers.probabilities),
    }


def examples(a: Answers, b: Answers) -> dict[str, list[dict[str, Any]]]:
    """Return the ``examples`` entry of ``comparison.json``."""
    found = comparison.example_positions(a.labels, a.probabilities, b.probabilities)
    return {
        kind: [
            {
                "row": int(a.rows[position]),
                "label": int(a.labels[position]),
                "probability_a": float(a.probabilities[position]),
                "probability_b": float(b.probabilities[position]),
            }
            for position in positions
        ]
        for kind, positions in found.items()
    }


def compared(
    first: FinishedReport, second: FinishedReport, a: Answers, b: Answers, gate: Gate, command: str
) -> dict[str, Any]:
    """Return the content of ``comparison.json`` (``COMPARISON_KEYS``).

    Args:
        first: the report in place.
        second: the candidate's.
        a: what the model in place answered on N reviews.
        b: what the candidate answered on the same.
        gate: judges the candidate.
        command: repeats the comparison.
    """
    data = first.metrics["data"]
    whole = comparison.paired_accuracy(a.labels, a.predicted, b.predicted)
    entries = {"a": report_entry(first, a), "b": report_entry(second, b)}
    slices, left_out = compared_slices(first.metrics, a, b)
    tests = comparison.correct_for_their_number(slices)
    return {
        "schema_version": SCHEMA_VERSION,
        "compared_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "data": {key: data[key] for key in ("kind", "name", "fingerprint")}
        | {"rows": whole["rows"], "sample": bool(data.get("sample", False))},
        **entries,
        "difference": {
            **comparison.differences(entries["a"], entries["b"]),
            "accuracy": whole["difference"],
            "accuracy_interval": whole["difference_interval"],
        },
        "agreement": comparison.agreement(a.labels, a.predicted, b.predicted),
        "p_value": whole["p_value"],
        "leak_free": leak_free_comparison(a, b),
        "slices": slices,
        "slices_left_out": left_out,
        "tests": tests,
        "probabilities": comparison.probability_change(a.probabilities, b.probabilities),
        "examples": examples(a, b),
        "gate": gate.verdict(whole["rows"], whole["only_a_right"], whole["only_b_right"], whole["p_value"]),
        "versions": versions_in_use(),
    }
