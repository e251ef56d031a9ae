"""Measure a trained model: on the test split of its corpus, or on any labelled file.

The labels of the test split are read in this module and nowhere else. Every run that measures by them adds a
line to ``test-evaluations.csv`` in the reports folder, so that anyone can count how often the test was looked at.
``metrics.schema.json`` documents ``metrics.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.artifacts import StageOutput, read_manifest, require_no_other_stage
from pipeline.console import Console, counted
from pipeline.errors import RegressionError
from pipeline.evaluation.baseline_entries import add_baselines
from pipeline.evaluation.columns_read import columns_in_words
from pipeline.evaluation.held_out import baseline_corpus
from pipeline.evaluation.labelled_texts import LabelledTexts, read_labelled_file, read_test_split
from pipeline.evaluation.ledger import LEDGER_NAME, append_to_ledger, ledger_entry, lines_of_corpus
from pipeline.evaluation.metrics_schema import SCHEMA_VERSION
from pipeline.evaluation.previous_report import (
    named_report,
    regression_from,
    report_in_place,
    require_comparable,
    tell_of_other_reviews,
)
from pipeline.evaluation.probed import probe_figures
from pipeline.evaluation.provenance import (
    corpus_audit,
    evaluation_command,
    model_entry,
    training_history,
    vectors_entry,
)
from pipeline.evaluation.regression_gate import NOT_ENFORCED, Gate
from pipeline.evaluation.report_folders import (
    AT_HOME,
    FAILED_GATE,
    failed_the_gate,
    folder_if_worse,
    report_name,
    require_failed_report,
    shown_name,
)
from pipeline.evaluation.robustness import CHANGES, robustness
from pipeline.evaluation.score_curves import score_curves
from pipeline.evaluation.scorer import Scorer, load_scorer, pushes_of, score_texts
from pipeline.evaluation.slices import Slicing, confidence_slicing, slicings_of
from pipeline.evaluation.summary import subset_summary
from pipeline.inference import sigmoid
from pipeline.machine import machine_description, versions_in_use
from pipeline.metrics import (
    CALIBRATION_BINS,
    Probabilities,
    predictions,
)
from pipeline.report.data_card import data_card
from pipeline.report.evaluated import Evaluated
from pipeline.report.model_card import model_card
from pipeline.report.write import write_report


def measure(
    model: Scorer, data: LabelledTexts, slicings: Sequence[Slicing], command: str, bins: int, console: Console
) -> tuple[Probabilities, dict[str, Any]]:
    """Score the texts; return the probabilities, float64 (N,), and ``metrics.json`` without audit and baselines."""
    logits, scoring = score_texts(model, data.texts, console)
    before, probabilities = sigmoid(logits, 1.0), sigmoid(logits, model.temperature)
    slicings = [*slicings, confidence_slicing(probabilities)]
    leak_free = None
    if data.leak_free is not None and data.leak_free.any():
        leak_free = subset_summary(data.labels, probabilities, before, slicings, bins, data.leak_free)
    return probabilities, {
        "schema_version": SCHEMA_VERSION,
        "evaluated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "model": model_entry(model),
        "data": data.description,
        "all": {
            **subset_summary(data.labels, probabilities, before, slicings, bins),
            **score_curves(data.labels, probabilities),
        },
        "leak_free": leak_free,
        "leakage": data.leakage,
        "baselines": {},
        "previous": None,
        "robustness": None,
        "probes": None,
        "training_history": None,
        "vectors": vectors_entry(model.config),
        "corpus_audit": None,
        "data_card": None,
        "model_card": None,
        "scoring": scoring,
        "versions": versions_in_use(),
        "machine": machine_description(),
    }


def add_robustness(
    metrics: dict[str, Any], model: Scorer, data: LabelledTexts, probabilities: Probabilities, console: Console
) -> None:
    """Fill the ``robustness`` entry of ``metrics.json``."""
    with console.progress(CHANGES, "changed texts", "changes") as bar:
        metrics["robustness"] = robustness(
            model, data.texts, data.labels, probabilities, data.rows, on_done=lambda: bar.update(1)
        )


def show_on_console(metrics: Mapping[str, Any], page: Path, console: Console) -> None:
    """Print accuracy with interval, leak-free accuracy, baselines, the previous report, and where the page lies."""
    if metrics["data"]["sample"]:
        console.say("evaluate: this is the generated sample, not IMDb; its figures say nothing about real reviews")
    lines = [("accuracy", metrics["all"])]
    if metrics["leak_free"] is not None:
        lines.append(("  on leak-free reviews", metrics["leak_free"]))
    lines += [(entry["title"], entry) for entry in metrics["baselines"].values()]
    if metrics["previous"] is not None:
        same = metrics["previous"]["same_reviews"]
        other = "" if same else ", perhaps of other reviews" if same is None else ", of other reviews"
        lines.append((f"previous report{other}", metrics["previous"]))
    width = max(len(title) for title, _ in lines)
    for title, entry in lines:
        low, high = entry["accuracy_interval"]
        console.say(f"{title:<{width}}  {entry['accuracy']:7.2%}  [{low:.2%}, {high:.2%}]  {counted(entry['rows'])}")
    console.say(f"report: {page}")


def evaluate_model(
    model_folder: Path,
    corpus_folder: Path,
    reports_folder: Path,
    console: Console,
    *,
    labelled_file: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    label_positive: str | None = None,
    baselines: bool = True,
    with_robustness: bool = True,
    previous: str | None = None,
    gate: Gate = NOT_ENFORCED,
    cache_folder: Path,
    bins: int = CALIBRATION_BINS,
    model: Scorer | None = None,
) -> dict[str, Any]:
    """Measure a model and write ``reports_folder/<model>/`` (or ``<model>-on-<file>/``), the manifest last.

    A report that fails the gate goes into ``<that name>-worse/``: what stands in its place stays, so that the same
    command fails again.

    Args:
        model_folder: of the model.
        corpus_folder: of the corpus whose test split is scored; not read where a file is given.
        reports_folder: receives the report, and a line in ``test-evaluations.csv`` where test labels were read.
        console: told about progress and the result.
        labelled_file: a CSV, TSV or Parquet file to score instead of the test split.
        text_column: its text column; None is found by name.
        label_column: its label column; None is found by name.
        label_positive: its label that means positive; None reads the usual names.
        baselines: fit the linear baselines too (never for a file: they would need its training part).
        with_robustness: score changed copies of the reviews too (:mod:`pipeline.evaluation.robustness`).
        previous: the report that the model is held against; None takes the one that stood in its place, if any.
        gate: judges the model beside the previous report.
        cache_folder: keeps the baselines' scores.
        bins: equal-mass bins of the calibration error.
        model: the loaded model, where the caller has it; else it is loaded from ``model_folder``.

    Returns:
        The content of ``metrics.json`` (:mod:`pipeline.evaluation.metrics_schema`).

    Raises:
        SentimentError: the model, the corpus, the file or the previous report that was named is missing or damaged; the
            gate is enforced and there is nothing to compare with; the folder holds what another command wrote; another
            run writes this report.
        RegressionError: the gate is enforced and the model is worse than the previous report's; all is written.
    """
    before = None if previous is None else named_report(previous, reports_folder)
    model = load_scorer(model_folder, console) if model is None else model
    if labelled_file is None:
        data = read_test_split(corpus_folder, model.config)
    else:
        data = read_labelled_file(labelled_file, text_column, label_column, label_positive)
    options = {
        "--data-dir": None if corpus_folder.parent == Path("data") else str(corpus_folder.parent),
        "--reports-dir": None if reports_folder == Path("reports") else str(reports_folder),
        "--text-column": text_column,
        "--label-column": label_column,
        "--label-positive": label_positive,
        "--previous": previous,
    }
    command = evaluation_command(model_folder, labelled_file, options, baselines, with_robustness)
    console.say(f"evaluate: {model.name} on {data.description['name']}, {counted(len(data.texts))}")
    if labelled_file is not None:
        console.say(f"evaluate: {columns_in_words(data.description)}")
    place = folder = reports_folder / report_name(shown_name(model.name, model.config), data.description)
    require_no_other_stage(place, "evaluate")
    if gate.enforced:
        require_failed_report(folder_if_worse(place))
    with StageOutput(place, "evaluate") as output, ExitStack() as beside:
        if previous is None:
            before = report_in_place(place, gate, console)
            tell_of_other_reviews(before, data, gate, console)
        if gate.enforced:
            require_comparable(before, data, place, named=previous is not None)
        slicings = slicings_of(data.texts, data.ratings)
        probabilities, metrics = measure(model, data, slicings, command, bins, console)
        metrics["training_history"] = training_history(model_folder, model.config)
        manifest = read_manifest(corpus_folder, "data") if labelled_file is None else None
        metrics["data_card"], metrics["model_card"] = data_card(data, manifest), model_card(model.config)
        weights, name = metrics["model"]["weights_sha256"], shown_name(model.name, model.config)
        metrics["probes"] = probe_figures(reports_folder / report_name(name, AT_HOME), weights)
        if before is not None:
            metrics["previous"] = before.entry(data, predictions(probabilities), weights)
        if labelled_file is None:
            ledger = reports_folder / LEDGER_NAME
            append_to_ledger(ledger, ledger_entry(metrics))
            evaluations = lines_of_corpus(ledger, data.description["fingerprint"])
            metrics["leakage"] = {**metrics["leakage"], "test_evaluations": evaluations}
            metrics["corpus_audit"] = corpus_audit(corpus_folder)
            if baselines:
                corpus = baseline_corpus(model_folder, model.config, corpus_folder, data)
                if corpus is None:
                    console.say("evaluate: what this model held out of training is not known; no linear baselines")
                else:
                    add_baselines(metrics, data, predictions(probabilities), corpus, cache_folder, console)
        if with_robustness:
            add_robustness(metrics, model, data, probabilities, console)
        failure = regression_from(gate, metrics["previous"], len(data.texts), place.name, console)
        if failure is not None:
            folder = folder_if_worse(place)
            output = beside.enter_context(StageOutput(folder, "evaluate"))
        write_report(output, Evaluated(metrics, data, probabilities, slicings, pushes_of(model)))
        output.commit(
            inputs={"model": metrics["model"]["weights_sha256"] or "", "data": data.description["fingerprint"]},
            settings={"bins": bins, "baselines": bool(metrics["baselines"])},
            details={"rows": len(data.texts), "accuracy": metrics["all"]["accuracy"], FAILED_GATE: failure is not None},
        )
    show_on_console(metrics, folder / "report.html", console)
    if failure is None and failed_the_gate(folder_if_worse(place)):
        console.say(f"evaluate: {folder_if_worse(place)} is of an earlier run, which failed the regression gate")
    if failure is not None:
        raise RegressionError(f"{failure}; its report is {folder}, and {place} is as it was")
    return metrics
