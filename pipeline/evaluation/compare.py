"""Compare two reports: two models on the same reviews, with a regression gate.

Answers and labels come from the ``predictions.parquet`` of the reports: no label of a test split is read here.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import StageOutput, require_no_other_stage
from pipeline.console import Console, counted
from pipeline.errors import SentimentError, UsageError
from pipeline.evaluation.compared_texts import TextSource
from pipeline.evaluation.comparison_entries import compared
from pipeline.evaluation.finished_report import Answers, FinishedReport, read_report
from pipeline.evaluation.regression_gate import NOT_ENFORCED, Gate, gate_in_words, p_text, regression
from pipeline.evaluation.report_folders import find_report
from pipeline.report.comparison_page import printable_names, write_comparison


def require_same_reviews(first: FinishedReport, second: FinishedReport) -> None:
    """Check that two reports are about the same data.

    Raises:
        UsageError: both are one report.
        SentimentError: they are about different data.
    """
    if first.folder.resolve() == second.folder.resolve():
        raise UsageError(f"{first.folder}: named twice; name the report in place and the candidate's")
    if first.fingerprint != second.fingerprint:
        name, other = (report.metrics["data"]["name"] for report in (first, second))
        names = "same name, other content" if name == other else f"{other}, not {name}"
        raise SentimentError(
            f"{second.folder}: about other reviews than {first.folder} ({names}); run `sentiment evaluate "
            "[FILE] --model ...` for both models on the same ones"
        )
    if first.other_reviews(second.metrics["data"]):
        columns, others = (evaluated_columns(report.metrics["data"]) for report in (first, second))
        raise SentimentError(
            f"{second.folder}: other texts or classes{others} than {first.folder}{columns}, though of the same file; "
            "run `sentiment evaluate FILE --model ...` for both models with the same columns"
        )


def evaluated_columns(data: Mapping[str, Any]) -> str:
    """Return which columns of a file were evaluated, in brackets; empty for a test split."""
    if "text_column" not in data:
        return ""
    positive = data.get("label_positive")
    said = "" if positive is None else f", {positive!r} positive"
    return f" (columns {data['text_column']!r} and {data.get('label_column')!r}{said})"


def require_same_rows(first: FinishedReport, second: FinishedReport, a: Answers, b: Answers) -> None:
    """Check that two models answered the same reviews with the same true classes.

    Raises:
        SentimentError: they did not.
    """
    if not (np.array_equal(a.rows, b.rows) and np.array_equal(a.labels, b.labels)):
        raise SentimentError(
            f"{second.folder}: other rows or labels than {first.folder}, though of the same file; run `sentiment "
            "evaluate --model ...` for both models with the same columns"
        )


def comparison_command(names: tuple[str, str], options: Mapping[str, str | None], gate: Gate) -> str:
    """Return the command line that repeats a comparison."""
    words = ["sentiment", "compare", *names]
    for flag, value in options.items():
        if value is not None:
            words += [flag, value]
    if gate.enforced:
        words.append("--fail-if-worse")
    for flag, number, default in (
        ("--significance", gate.significance, NOT_ENFORCED.significance),
        ("--tolerance", gate.tolerance, NOT_ENFORCED.tolerance),
    ):
        if number != default:
            words += [flag, f"{number:g}"]
    return shlex.join(words)


def worse_groups(result: Mapping[str, Any]) -> list[str]:
    """Return in words the groups on which B is worse after the correction for their number."""
    limit = result["gate"]["significance"]
    return [
        f"{entry['title'].lower()} {group['name']}: {100 * group['difference']:+.2f} points on "
        f"{counted(group['rows'])} (p {p_text(group['p_value_holm'])}, corrected for "
        f"{counted(result['tests'], 'group')})"
        for entry in result["slices"].values()
        for group in entry["groups"]
        if group["rows"] and group["difference"] < 0 and group["p_value_holm"] < limit
    ]


def show_on_console(result: Mapping[str, Any], page: Path, console: Console) -> None:
    """Print both models' figures, the difference, where B is worse, and where the page lies."""
    if result["data"]["sample"]:
        console.say("compare: this is the generated sample, not IMDb; its figures say nothing about real reviews")
    names = {key: f"{key.upper()} {result[key]['report']}" for key in ("a", "b")}
    width = max(map(len, names.values()))
    console.say(f"{'':<{width}}  accuracy  95% interval        AUC     log loss  calibration error")
    for key, name in names.items():
        entry = result[key]
        low, high = entry["accuracy_interval"]
        area = "-" if entry["roc_auc"] is None else f"{entry['roc_auc']:.4f}"
        console.say(
            f"{name:<{width}}  {entry['accuracy']:8.2%}  {f'{low:.2%} to {high:.2%}':<18}  {area:<6}  "
            f"{entry['log_loss']:<8.4f}  {entry['calibration_error']:.4f}"
        )
    low, high = (100 * limit for limit in result["difference"]["accuracy_interval"])
    table = result["agreement"]
    console.say(
        f"B less A: {100 * result['difference']['accuracy']:+.2f} points, 95% interval {low:+.2f} to {high:+.2f}; only "
        f"A right on {counted(table['only_a_right'])}, only B on {table['only_b_right']:,}; McNemar p "
        f"{p_text(result['p_value'])}"
    )
    console.say(f"gate: {gate_in_words(result['gate'], result['p_value'])}")
    for name, reason in result["slices_left_out"].items():
        console.say(f"compare: not by {name}: {reason}")
    for line in worse_groups(result):
        console.say(f"compare: warning: B is worse on {line}")
    console.say(f"comparison: {page}")


def compare_reports(
    names: tuple[str, str],
    reports_folder: Path,
    source: TextSource,
    console: Console,
    *,
    gate: Gate = NOT_ENFORCED,
    options: Mapping[str, str | None] | None = None,
) -> dict[str, Any]:
    """Compare two reports and write ``reports_folder/A-vs-B/``, the manifest last.

    Args:
        names: of the report in place (A) and the candidate's (B): folders, or names in ``reports_folder``.
        reports_folder: holds the reports, and receives the comparison.
        source: where the texts of reviews may be found.
        console: told the result.
        gate: judges the candidate.
        options: flags and values that repeat the command.

    Returns:
        The content of ``comparison.json`` (:data:`pipeline.evaluation.comparison_entries.COMPARISON_KEYS`).

    Raises:
        UsageError: both names are of one report, or a file of texts was given for a test split.
        SentimentError: a report is missing, damaged, or about other reviews; the folder holds what another command
            wrote; another run writes this comparison.
        RegressionError: the gate is enforced and B is worse; everything is written.
    """
    first, second = (read_report(find_report(reports_folder, name)) for name in names)
    require_same_reviews(first, second)
    source.check(first.metrics["data"])
    folder = reports_folder / f"{first.name}-vs-{second.name}"
    require_no_other_stage(folder, "compare")
    with StageOutput(folder, "compare") as output:
        a, b = first.answers(), second.answers()
        require_same_rows(first, second, a, b)
        result = compared(first, second, a, b, gate, comparison_command(names, options or {}, gate))
        rows = sorted({entry["row"] for entries in result["examples"].values() for entry in entries})
        write_comparison(output, result, a, b, source.texts(first.metrics["data"], rows))
        output.commit(
            inputs={"a": first.metrics["model"].get("weights_sha256") or "", "data": first.fingerprint},
            settings={},
            details={"rows": result["data"]["rows"], "p_value": result["p_value"]},
        )
    show_on_console(printable_names(result), folder / "comparison.html", console)
    failure = regression(result["gate"], f"B ({second.name})", f"A ({first.name})", result["p_value"])
    if failure is not None:
        raise failure
    return result
