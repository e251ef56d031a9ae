"""The report that an evaluation is held against: the one that stood in its place before, or one that was named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.console import Console
from pipeline.errors import RegressionError, SentimentError
from pipeline.evaluation.finished_report import AGAIN, DIGESTS, METRICS_NAME, Answers, FinishedReport, read_report
from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.evaluation.regression_gate import Gate, gate_in_words, regression
from pipeline.evaluation.report_folders import find_report
from pipeline.metrics import Labels, mcnemar
from pipeline.report.readable_text import printable


@dataclass(frozen=True)
class PreviousReport:
    """A report, and what its model answered, read before anything takes its place.

    Attributes:
        report: its figures.
        answers: None where they are missing or damaged.
    """

    report: FinishedReport
    answers: Answers | None

    @classmethod
    def read(cls, folder: Path) -> PreviousReport:
        """Read the report in a folder.

        Raises:
            SentimentError: its ``metrics.json`` is missing, damaged or of a version that is not known.
        """
        report = read_report(folder)
        try:
            return cls(report, report.answers())
        except SentimentError:
            return cls(report, None)

    def same_reviews(self, data: LabelledTexts) -> bool | None:
        """Say whether it is about these very reviews and true classes; None where nothing tells."""
        if self.report.other_reviews(data.description) or self.report.metrics["all"]["rows"] != data.labels.size:
            return False
        answers = self.answers
        if answers is None:
            known = all(name in entry for entry in (self.report.metrics["data"], data.description) for name in DIGESTS)
            return True if known else None
        order = np.argsort(data.rows, kind="stable")
        return np.array_equal(answers.rows, data.rows[order]) and np.array_equal(answers.labels, data.labels[order])

    def entry(self, data: LabelledTexts, predicted: Labels, weights_sha256: str | None) -> dict[str, Any]:
        """Return the ``previous`` entry of ``metrics.json``.

        Args:
            data: the N reviews of the new evaluation.
            predicted: int8 (N,), by the new model.
            weights_sha256: of the new model.

        Returns:
            ``name, evaluated_at, command, weights_sha256, rows, accuracy, accuracy_interval`` of the previous report;
            ``same_reviews`` and ``same_weights``; ``mcnemar`` of the new model (first) against it (second), None where
            the reviews are others or its answers are not there.
        """
        metrics, same = self.report.metrics, self.same_reviews(data)
        weights = metrics["model"].get("weights_sha256")
        test = None
        if same and self.answers is not None:
            order = np.argsort(data.rows, kind="stable")
            test = mcnemar(self.answers.labels, predicted[order], self.answers.predicted)
        return {
            "name": self.report.name,
            "evaluated_at": metrics["evaluated_at"],
            "command": metrics["command"],
            "weights_sha256": weights,
            "rows": metrics["all"]["rows"],
            "accuracy": metrics["all"]["accuracy"],
            "accuracy_interval": metrics["all"]["accuracy_interval"],
            "same_reviews": same,
            "same_weights": weights is not None and weights == weights_sha256,
            "mcnemar": test,
        }


def named_report(name: str, reports_folder: Path) -> PreviousReport:
    """Return the report that the user named.

    Args:
        name: a report's folder, its name in ``reports_folder``, or the model folder that it is the report of.
        reports_folder: holds the reports.

    Raises:
        SentimentError: it is missing or damaged.
    """
    return PreviousReport.read(find_report(reports_folder, name))


def report_in_place(place: Path, gate: Gate, console: Console) -> PreviousReport | None:
    """Return the report that stands where the new one goes.

    Args:
        place: the folder.
        gate: where it is enforced, a damaged report is an error; else an evaluation is not to fail for what it
            replaces.
        console: told of a damaged one.

    Returns:
        None where there is none, or a damaged one.

    Raises:
        SentimentError: it is damaged, and the gate is enforced.
    """
    if not (place / METRICS_NAME).exists():
        return None
    try:
        return PreviousReport.read(place)
    except SentimentError as error:
        reason = str(error).removesuffix(f"; {AGAIN}")
        if gate.enforced:
            raise SentimentError(
                f"{reason}, so nothing tells whether the model is worse; bring the file back, or name a report with "
                "--previous"
            ) from error
        console.say(f"evaluate: {reason}; this report takes its place, without a comparison")
        return None


def tell_of_other_reviews(standing: PreviousReport | None, data: LabelledTexts, gate: Gate, console: Console) -> None:
    """Say that the report in place is about other reviews and goes, as where two files have one name.

    Args:
        standing: the report in place.
        data: the reviews of the new evaluation.
        gate: where it is enforced, such a report is an error instead.
        console: told.
    """
    if standing is None or gate.enforced or standing.same_reviews(data) is not False:
        return
    theirs, mine = standing.report.metrics["data"], data.description
    another = "another " if theirs["fingerprint"] != mine["fingerprint"] else "other columns or labels of "
    console.say(
        f"evaluate: replaces the report of {another}{printable(theirs['name'])} in {standing.report.folder}; "
        "another --reports-dir keeps both"
    )


def require_comparable(
    previous: PreviousReport | None, data: LabelledTexts, place: Path, *, named: bool = False
) -> None:
    """Check, before anything is scored, that the regression gate will have something to hold the model against.

    Args:
        previous: the report.
        data: the reviews of the new evaluation.
        place: where the new report goes.
        named: the user named the previous one.

    Raises:
        SentimentError: there is no previous report, it is about other reviews, or its answers are not there.
    """
    way_out = "evaluate once without --fail-if-worse, or name a report with --previous"
    if named:
        way_out = f"name a report of {data.description.get('name', 'these reviews')} with --previous"
    if previous is None:
        raise SentimentError(f"{place}: no report here that the model could be worse than; {way_out}")
    if previous.same_reviews(data) is False:
        theirs = previous.report.metrics["data"]
        same_name = (
            theirs["name"] == data.description.get("name") and theirs["fingerprint"] != data.description["fingerprint"]
        )
        same = " (same name, other content)" if same_name else ""
        raise SentimentError(
            f"{previous.report.folder}: about other reviews{same}, so nothing tells which is worse; {way_out}"
        )
    if previous.answers is None:
        raise SentimentError(f"{previous.report.folder}: its predictions.parquet is missing or damaged; {way_out}")


def regression_from(
    gate: Gate, entry: dict[str, Any] | None, rows: int, new: str, console: Console
) -> RegressionError | None:
    """Return the error for a model that an enforced gate found worse than the previous report's; None for any other.

    Args:
        gate: says when.
        entry: the ``previous`` entry of ``metrics.json``.
        rows: reviews that both answered.
        new: name of the new report.
        console: told what an enforced gate says.
    """
    if entry is None or entry["mcnemar"] is None:
        return None
    test = entry["mcnemar"]
    verdict = gate.verdict(rows, test["only_second"], test["only_first"], test["p_value"])
    if gate.enforced:
        console.say(f"gate: {gate_in_words(verdict, test['p_value'])}")
    old = f"the report of {entry['evaluated_at'][:10]} ({entry['name']})"
    return regression(verdict, new, old, test["p_value"])
