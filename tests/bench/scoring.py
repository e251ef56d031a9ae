"""CSV to CSV: whole commands on the test reviews, ours beside what people run, and the floor under both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pipeline.baselines import SETTINGS, TFIDF
from pipeline.errors import SentimentError
from tests.bench.material import Material, rows_of_csv
from tests.bench.options import Options
from tests.bench.processes import MEBIBYTE, CommandRun, peer_program, run_command, sentiment
from tests.bench.results import Goal, Section

OURS = "ours"
LINEAR = "TF-IDF(1,2) + logistic regression"
LINEAR_TWO = "TF-IDF(1,2) + logistic regression, two processes"
FLOOR_OURS = "floor: our CSV reader and writer"
FLOOR_PANDAS = "floor: pandas reading and writing"
TRANSFORMER = "DistilBERT's architecture"
TRANSFORMER_TOKENS = 320
TRANSFORMER_BATCH = 16
SECONDS_BETWEEN = 0.05
"""Of looks at the memory, in the runs that are not timed."""
NOTES = (
    "Whole commands in processes of their own, wall time with start-up, on a CSV of the test reviews. One run of each "
    "to warm up, whose memory is sampled; then timed repeats in turn.",
    "Ours: `sentiment score`. TF-IDF: a script of its own that loads a joblib pickle of the fitted pipeline, "
    "pandas.read_csv, predict_proba, to_csv; TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), "
    "LogisticRegression(C=10), fitted on the whole train split outside the timing. Two processes: the rows in two "
    "halves to a multiprocessing pool that shares the loaded model by fork.",
    "DistilBERT: transformers' DistilBertForSequenceClassification from the default configuration with random weights, "
    "on random token ids, every review 320 tokens, batches of 16, all cores; the network alone, without start-up, "
    "tokenising and CSV. A few batches are timed and the time of all rows is extrapolated.",
)


def fit_linear(material: Material, path: Path, rows: int | None) -> None:
    """Fit the linear pipeline on the train split, or on some of its rows, and pickle it for its own program."""
    texts, labels = material.texts("train"), material.labels("train")
    chosen = np.arange(len(texts)) if rows is None else np.random.default_rng(1).permutation(len(texts))[:rows]
    settings = SETTINGS[TFIDF]
    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=tuple(settings["ngrams"]), sublinear_tf=settings["sublinear"]),
        LogisticRegression(C=settings["C"], solver=settings["solver"], max_iter=1000),
    )
    pipeline.fit([texts[row] for row in chosen], labels[chosen])
    joblib.dump(pipeline, path)


def score_arguments(reviews: Path, output: Path, model_folder: Path, *more: str) -> list[str]:
    """Return the command line that scores a CSV with ours."""
    return sentiment("--quiet", "score", str(reviews), "-o", str(output), "--model", str(model_folder), *more)


def checked_run(arguments: list[str], output: Path, rows: int, *, seconds_between: float | None = None) -> CommandRun:
    """Run a command that must write so many rows; its output is removed.

    Raises:
        SentimentError: it failed, or wrote another number of rows.
    """
    run = run_command(arguments, seconds_between=seconds_between)
    written = rows_of_csv(output)
    output.unlink()
    if written != rows:
        raise SentimentError(f"wrote {written} rows for {rows}")
    return run


def commands(material: Material, section: Section, reviews: Path, output: Path, quick: bool) -> dict[str, list[str]]:
    """Return the command lines by name; what cannot be made ready is noted as failed."""
    ready: dict[str, list[str]] = {}
    with section.attempt(OURS):
        ready[OURS] = score_arguments(reviews, output, material.model_folder)
    files = (str(reviews), str(output))
    with section.attempt(LINEAR):
        material.console.say("scoring: fitting TF-IDF + logistic regression")
        pickle = material.work / "linear.joblib"
        fit_linear(material, pickle, 500 if quick else None)
        ready[LINEAR] = peer_program("linear_scorer", str(pickle), *files)
        ready[LINEAR_TWO] = peer_program("linear_scorer", str(pickle), *files, "--processes", "2")
    if LINEAR in section.failures:
        section.failures[LINEAR_TWO] = section.failures[LINEAR]
    ready[FLOOR_OURS] = peer_program("csv_floor", "ours", *files)
    ready[FLOOR_PANDAS] = peer_program("csv_floor", "pandas", *files)
    return ready


def add_memory(section: Section, name: str, runs: Sequence[CommandRun]) -> None:
    """Keep the peak memory of runs."""
    tree = [run.tree_bytes / MEBIBYTE for run in runs if run.tree_bytes is not None]
    section.add(f"{name}, peak memory of the process tree", "MiB", tree)
    largest = [run.process_bytes / MEBIBYTE for run in runs if run.process_bytes is not None]
    section.add(f"{name}, peak memory of the largest process", "MiB", largest)


def run_in_turn(
    section: Section, material: Material, ready: Mapping[str, list[str]], output: Path, rows: int, repeats: int
) -> dict[str, list[CommandRun]]:
    """Run each command once to warm up with its memory watched, then all of them in turn; return the timed runs."""
    runs: dict[str, list[CommandRun]] = {name: [] for name in ready}
    for repeat in range(repeats + 1):
        for name, arguments in ready.items():
            if name in section.failures:
                continue
            with section.attempt(name):
                run = checked_run(arguments, output, rows, seconds_between=None if repeat else SECONDS_BETWEEN)
                material.console.say(
                    f"scoring: {f'repeat {repeat} of {repeats}' if repeat else 'warm-up'}, {name}: {run.seconds:.2f} s"
                )
                if repeat:
                    runs[name].append(run)
                else:
                    add_memory(section, name, [run])
    return runs


def measure_transformer(section: Section, material: Material, options: Options, rows: int) -> None:
    """Time a few batches of the transformer in both precisions."""
    batches, batch_size = (1, 2) if options.quick else (3, TRANSFORMER_BATCH)
    for precision in ("float32", "bfloat16"):
        name = f"{TRANSFORMER}, {precision}"
        with section.attempt(name):
            numbers = (batches, batch_size, TRANSFORMER_TOKENS, options.threads)
            run = run_command(peer_program("distilbert", precision, *map(str, numbers)))
            seconds = [float(value) / batch_size for value in json.loads(run.output)]
            section.add(f"{name}, seconds (extrapolated)", "s", [value * rows for value in seconds])
            section.add(f"{name}, rows/s", "rows/s", [1 / value for value in seconds])
            material.console.say(f"scoring: {name}: {1 / np.median(seconds):.1f} rows/s")


def measure(material: Material, options: Options) -> Section:
    """Measure every command."""
    section = Section("scoring", "Scoring a CSV")
    section.notes.extend(NOTES)
    reviews, output = material.test_reviews, material.work / "scored.csv"
    rows = rows_of_csv(reviews)
    section.details["rows"] = rows
    section.details["input_bytes"] = reviews.stat().st_size
    ready = commands(material, section, reviews, output, options.quick)
    for name, runs in run_in_turn(section, material, ready, output, rows, options.repeats).items():
        section.add(f"{name}, seconds", "s", [run.seconds for run in runs])
        section.add(f"{name}, CPU seconds", "s", [run.cpu_seconds for run in runs])
        section.add(f"{name}, rows/s", "rows/s", [rows / run.seconds for run in runs])
    measure_transformer(section, material, options, rows)
    ours = f"{OURS}, seconds"
    for name, goal in ((LINEAR, Goal(">=", 1.0)), (LINEAR_TWO, None)):
        section.find(f"CSV to CSV: {name} / ours", f"{name}, seconds", ours, goal)
        section.find(f"CSV to CSV, CPU time: {name} / ours", f"{name}, CPU seconds", f"{OURS}, CPU seconds")
    for precision, goal in (("float32", Goal(">=", 500.0)), ("bfloat16", None)):
        name = f"{TRANSFORMER}, {precision}"
        section.find(f"CSV to CSV: {name} (extrapolated) / ours", f"{name}, seconds (extrapolated)", ours, goal)
    for name in (FLOOR_OURS, FLOOR_PANDAS):
        section.find(f"CSV to CSV: ours / {name}", ours, f"{name}, seconds")
    return section
