"""The accuracy ladder: from the majority class over linear models to each recipe, with intervals, cost and speed.

Accuracies are those of ``metrics.json`` files that ``sentiment evaluate`` wrote: no label of a test split is read here.
Costs come from what training recorded. Speeds are measured by the command itself, all side by side in one run.
``LADDER_KEYS`` documents ``ladder.json``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import exclusive, read_manifest, to_json
from pipeline.baselines import NB_SVM, TFIDF, TITLES
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.inference import SentimentModel
from pipeline.ladder_linear import FittedLinear, fit_linear, training_part
from pipeline.ladder_output import write_together
from pipeline.ladder_plot import ladder_figure
from pipeline.ladder_rungs import make_rungs, newest_baselines, timed_key
from pipeline.ladder_runs import Run, Runs, find_evaluated, grouped
from pipeline.ladder_speed import Scoring, measure_speeds, timing_texts
from pipeline.ladder_table import (
    LADDER_NAME,
    SCHEMA_VERSION,
    cells,
    ladder_markdown,
    readme_block,
    require_markers,
    with_block,
)
from pipeline.machine import machine_description, versions_in_use
from pipeline.plots import LIGHT, render

MARKDOWN_NAME, PICTURE_NAME = "ladder.md", "ladder.png"
TEXTS, ROUNDS = 2_000, 5
BUSY_LOAD = 1.0
"""Load average at the start from which speeds are not to be trusted."""
LADDER_KEYS: Mapping[str, str] = {
    "schema_version": "version of this layout; raised when a key changes its meaning or goes",
    "made_at": "time, UTC, ISO 8601",
    "command": "the command that made it",
    "corpus": "name, fingerprint, test_reviews, and whether it is the generated sample",
    "rungs": "by rising accuracy: name, kind (majority, linear, recipe, published), figures, runs, cost, speed, source",
    "timing": "texts of a round, rounds, and the load of the machine before it began (1 a busy core)",
    "left_out": "evaluated models that stand on no rung, with the reason",
    "machine": "processor, its instruction sets, cores, memory, operating system",
    "versions": "versions of Python and of the packages that shape the figures",
}
"""Top-level keys of ``ladder.json``."""


@dataclass(frozen=True)
class LadderSettings:
    """How the speeds are measured.

    Attributes:
        texts: reviews of a round.
        rounds: how many rounds.
        fit_reviews: fit the linear models on so many reviews only, where their speed alone is wanted; None for all.
    """

    texts: int = TEXTS
    rounds: int = ROUNDS
    fit_reviews: int | None = None


def chosen_runs(runs: Sequence[Run], models: Sequence[str]) -> list[Run]:
    """Return the runs of the models named, or all where none is.

    Raises:
        SentimentError: one has not been evaluated.
    """
    by_name = {run.name: run for run in runs}
    for model in models:
        if Path(model).name not in by_name:
            raise SentimentError(f"{model}: not evaluated; run `sentiment evaluate --model {model}` first")
    return [by_name[Path(model).name] for model in dict.fromkeys(models)] or list(runs)


def runs_of_corpus(reports: Path, data: Path, models: Sequence[str]) -> tuple[Runs, dict[str, Any]]:
    """Return the evaluated runs of the corpus in ``data``, and its manifest.

    Raises:
        SentimentError: there are none, or there is no corpus.
    """
    runs = chosen_runs(find_evaluated(reports, data / "models"), models)
    corpus = read_manifest(data / "corpus", "data")
    found = grouped(runs, corpus["fingerprint"])
    if not found.rungs:
        name = corpus.get("name", "this corpus")
        raise SentimentError(
            f"{reports}: no evaluated model of {name}; run `make evaluate` (or `sentiment evaluate`) first"
        )
    return found, corpus


def fit_baselines(
    runs: Runs, baselines: Mapping[str, Any], corpus_folder: Path, settings: LadderSettings, console: Console
) -> dict[str, FittedLinear]:
    """Return the linear models that were evaluated, fitted on the part of train that the models were fitted on."""
    folder = next((run.folder for run in runs.all() if run.folder is not None), None)
    wanted = [name for name in (TFIDF, NB_SVM) if name in baselines]
    if not wanted:
        return {}
    train, labels = training_part(corpus_folder, folder, settings.fit_reviews)
    if np.unique(labels).size < 2:
        return {}
    fitted = {}
    for name in wanted:
        console.say(f"ladder: fitting {TITLES[name]} on {len(train):,} reviews")
        fitted[name] = fit_linear(name, train, labels)
    return fitted


def scorers_of(runs: Runs, fitted: Mapping[str, FittedLinear], console: Console) -> dict[str, Scoring]:
    """Return what is to be timed, by name.

    Raises:
        SentimentError: a model folder is damaged.
    """
    scorers: dict[str, Scoring] = {}
    for run in runs.all():
        if run.folder is None:
            console.say(f"ladder: {run.name}: the weights that were evaluated are not here; its speed is not measured")
        elif timed_key(run) not in scorers:
            model = SentimentModel.load(run.folder)
            if model.notice:
                console.say(f"ladder: {run.name}: {model.notice}")
            scorers[timed_key(run)] = model.probabilities
    return {**scorers, **{name: entry.probabilities for name, entry in fitted.items()}}


def ladder_command(reports: Path, data: Path, settings: LadderSettings, models: Sequence[str]) -> str:
    """Return the command line that makes the ladder again."""
    words = ["sentiment", "ladder", *models]
    options = {
        "--data-dir": (data, Path("data")),
        "--reports-dir": (reports, Path("reports")),
        "--texts": (settings.texts, TEXTS),
        "--rounds": (settings.rounds, ROUNDS),
        "--fit-reviews": (settings.fit_reviews, None),
    }
    for flag, (value, default) in options.items():
        if value != default:
            words += [flag, str(value)]
    return shlex.join(words)


def build_ladder(
    reports: Path,
    data: Path,
    console: Console,
    *,
    settings: LadderSettings = LadderSettings(),
    models: Sequence[str] = (),
    readme: Path | None = None,
) -> dict[str, Any]:
    """Make the ladder and write ``ladder.json``, ``ladder.md`` and ``ladder.png``, all or none.

    Args:
        reports: holds the evaluated models' ``metrics.json``, and receives the files.
        data: what the stages leave: corpus, models, encoders, teachers.
        console: told about progress and the result.
        settings: how speeds are measured.
        models: which evaluated models stand on it; none for all.
        readme: a Markdown file that receives the table between its markers, or None.

    Returns:
        The content of ``ladder.json`` (``LADDER_KEYS``).

    Raises:
        SentimentError: nothing has been evaluated, a file is damaged, or the README has no markers.
    """
    runs, corpus = runs_of_corpus(reports, data, models)
    text = None if readme is None else read_readme(readme)
    with exclusive(reports / LADDER_NAME):
        load = os.getloadavg()[0]
        baselines, _ = newest_baselines(runs)
        if load > BUSY_LOAD:
            console.say(f"ladder: other programs keep the machine busy (load {load:.1f}); the speeds will be too low")
        fitted = fit_baselines(runs, baselines, data / "corpus", settings, console)
        scorers = scorers_of(runs, fitted, console)
        warm_up, rounds = timing_texts(data / "corpus", settings.texts, settings.rounds)
        console.say(f"ladder: timing {len(scorers)} scorers, {len(rounds[0]):,} reviews a round, {len(rounds)} rounds")
        speeds = measure_speeds(scorers, warm_up, rounds)
        rungs = make_rungs(runs, corpus, reports, data, speeds, fitted)
        ladder = {
            "schema_version": SCHEMA_VERSION,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": ladder_command(reports, data, settings, models),
            "corpus": {
                "name": corpus.get("name", ""),
                "fingerprint": corpus["fingerprint"],
                "test_reviews": max(rung["rows"] for rung in rungs),
                "sample": bool(corpus.get("sample", False)),
            },
            "rungs": rungs,
            "timing": {"texts": len(rounds[0]), "rounds": len(rounds), "load_average_at_start": round(load, 2)},
            "left_out": runs.left_out,
            "machine": machine_description(),
            "versions": versions_in_use(),
        }
        write_ladder(ladder, reports, readme, text)
    show_on_console(ladder, reports / MARKDOWN_NAME, console)
    return ladder


def read_readme(path: Path) -> str:
    """Return a README that has a place for the ladder.

    Raises:
        SentimentError: it has none, or cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SentimentError(f"{path}: not readable ({error}); name a Markdown file with --readme") from error
    require_markers(text, str(path))
    return text


def write_ladder(ladder: Mapping[str, Any], reports: Path, readme: Path | None, text: str | None) -> None:
    """Write the ladder's files, and the block of a README whose text is given.

    Raises:
        SentimentError: the disk refused.
    """
    contents = {
        reports / PICTURE_NAME: render(ladder_figure(ladder, LIGHT), "png"),
        reports / MARKDOWN_NAME: ladder_markdown(ladder, PICTURE_NAME).encode("utf-8"),
    }
    if readme is not None and text is not None:
        picture = Path(os.path.relpath(reports / PICTURE_NAME, readme.parent)).as_posix()
        contents[readme] = with_block(text, readme_block(ladder, picture)).encode("utf-8")
    contents[reports / LADDER_NAME] = to_json(ladder).encode("utf-8")
    write_together(contents)


def show_on_console(ladder: Mapping[str, Any], page: Path, console: Console) -> None:
    """Print each rung's accuracy, interval and speed, and where the page lies."""
    width = max(len(rung["name"]) for rung in ladder["rungs"])
    for rung in ladder["rungs"]:
        accuracy, interval, *_, rate = cells(rung)
        speed = f"{rate} reviews/s" if rate else ""
        console.say(f"{rung['name']:<{width}}  {accuracy}  [{interval}]  {speed}".rstrip())
    for name, reason in ladder["left_out"].items():
        console.say(f"ladder: left out {name}: {reason}")
    console.say(f"ladder: {page}")
