"""Evaluated models as the ladder sees them: the ``metrics.json`` of each, and several seeds of a recipe as one rung.

Only figures are read here, never a label.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline.artifacts import read_json
from pipeline.config import ModelSettings, TrainingSettings
from pipeline.errors import SentimentError
from pipeline.inference import BUNDLED_FOLDER, CONFIG_NAME, WEIGHTS_NAME
from pipeline.metrics import wilson_interval

METRICS_VERSIONS = (1, 2)
"""In which what the ladder reads stands in the same place."""
METRICS_NAME = "metrics.json"
PLACES = (f"*/{METRICS_NAME}", f"reference/*/{METRICS_NAME}")
"""Where evaluated models lie in the reports folder."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One evaluated model.

    Attributes:
        name: the model's.
        metrics: the content of its ``metrics.json``.
        source: where that lies in the reports folder.
        folder: the model folder that holds the weights that were evaluated; None where there is none here.
        config: the ``config.json`` of that folder; empty where there is none.
    """

    name: str
    metrics: Mapping[str, Any]
    source: str
    folder: Path | None
    config: Mapping[str, Any]

    @property
    def recipe(self) -> str:
        """Return the name of the recipe."""
        return str(self.metrics["model"]["recipe"]["name"])

    @property
    def settings(self) -> dict[str, Any]:
        """Return the recipe's settings, those that are younger than the run at their defaults."""
        recipe = self.metrics["model"]["recipe"]
        return {
            table: {name: listed(value) for name, value in {**defaults_of(kind), **recipe[table]}.items()}
            for table, kind in (("model", ModelSettings), ("training", TrainingSettings))
        }

    @property
    def precision(self) -> str:
        """Return in which numbers it scores; empty where that is not known."""
        return str(self.config.get("scoring_precision", ""))


@dataclass(frozen=True)
class Runs:
    """What was found.

    Attributes:
        rungs: the runs of each recipe, by seed.
        left_out: names of the other runs, with the reason.
    """

    rungs: dict[str, list[Run]]
    left_out: dict[str, str]

    def all(self) -> list[Run]:
        """Return the runs of all recipes."""
        return [run for runs in self.rungs.values() for run in runs]


def listed(value: object) -> object:
    """Return a tuple as a list, as JSON gives it back, and anything else as it is."""
    return list(value) if isinstance(value, tuple) else value


def defaults_of(kind: type[ModelSettings] | type[TrainingSettings]) -> dict[str, Any]:
    """Return the settings that have a default, with it."""
    return {field.name: field.default for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING}


def evaluated_folder(models_folder: Path, name: str, weights_sha256: str | None) -> tuple[Path | None, dict[str, Any]]:
    """Return the model folder with these weights, of models trained here or bundled, and its configuration.

    Returns:
        None and nothing where there is no such folder, or one of other weights.
    """
    for folder in (models_folder / name, BUNDLED_FOLDER / name):
        if (folder / CONFIG_NAME).is_file():
            config = read_json(folder / CONFIG_NAME, "train again")
            if weights_sha256 is not None and config.get("files", {}).get(WEIGHTS_NAME) == weights_sha256:
                return folder, config
    return None, {}


def read_run(path: Path, reports_folder: Path, models_folder: Path) -> Run | None:
    """Return the run of a ``metrics.json``; None for one of a labelled file or by another version.

    Raises:
        SentimentError: the file is damaged.
    """
    remedy = "run `sentiment evaluate` again, or remove the folder"
    metrics = read_json(path, remedy)
    if metrics.get("schema_version") not in METRICS_VERSIONS:
        return None
    try:
        if metrics["data"]["kind"] != "test split":
            return None
        name = str(metrics["model"]["name"])
        folder, config = evaluated_folder(models_folder, name, metrics["model"]["weights_sha256"])
        run = Run(name, metrics, path.relative_to(reports_folder).as_posix(), folder, config)
        _ = run.recipe, run.settings, rung_figures([run]), metrics["evaluated_at"], metrics["data"]["fingerprint"]
    except (KeyError, TypeError) as error:
        raise SentimentError(f"{path}: damaged ({type(error).__name__} {error}); {remedy}") from error
    return run


def best_of_name(runs: Sequence[Run]) -> Run:
    """Return of several evaluations of one model that of the weights which are here, else the latest.

    Of two copies of one evaluation it is the one among the reference runs.
    """
    return max(
        runs,
        key=lambda run: (run.folder is not None, run.metrics["evaluated_at"], run.source.startswith("reference/")),
    )


def find_evaluated(reports_folder: Path, models_folder: Path) -> list[Run]:
    """Return one run for each model that was evaluated on a test split, by name.

    Raises:
        SentimentError: a ``metrics.json`` is damaged, or there is none.
    """
    found: dict[str, list[Run]] = {}
    for place in PLACES:
        for path in sorted(reports_folder.glob(place)):
            run = read_run(path, reports_folder, models_folder)
            if run is not None:
                found.setdefault(run.name, []).append(run)
    if not found:
        raise SentimentError(
            f"{reports_folder}: no evaluated model; run `make evaluate` (or `sentiment evaluate`) first"
        )
    return [best_of_name(found[name]) for name in sorted(found)]


def grouped(runs: Sequence[Run], fingerprint: str) -> Runs:
    """Group runs by recipe; those of other corpora, or of other settings than their recipe's latest run, are left out.

    Args:
        runs: of different names.
        fingerprint: of the corpus.
    """
    rungs: dict[str, list[Run]] = {}
    left_out: dict[str, str] = {}
    latest: dict[str, Run] = {}
    for run in sorted(runs, key=lambda run: str(run.metrics["evaluated_at"]), reverse=True):
        data = run.metrics["data"]
        if data["fingerprint"] != fingerprint:
            left_out[run.name] = f"evaluated on another corpus ({data['name']})"
        elif not data.get("trained_on_this_corpus"):
            left_out[run.name] = "trained on another corpus"
        elif latest.setdefault(run.recipe, run).settings != run.settings:
            left_out[run.name] = f"other settings than {latest[run.recipe].name}, the latest of its recipe"
        else:
            rungs.setdefault(run.recipe, []).append(run)
    for of_recipe in rungs.values():
        of_recipe.sort(key=lambda run: (run.metrics["model"].get("seed") or 0, run.name))
    return Runs(dict(sorted(rungs.items())), dict(sorted(left_out.items())))


def pooled(entries: Sequence[Mapping[str, Any]]) -> Figures:
    """Return the mean accuracy of runs on the same reviews, and Wilson's 95% interval of it.

    The interval takes the mean for one proportion of the reviews: it says how far another draw of reviews could move
    it. How far another seed could is another question, which the spread of the seeds answers.
    """
    rows = int(entries[0]["rows"])
    accuracy = fmean(entry["accuracy"] for entry in entries)
    return {"rows": rows, "accuracy": accuracy, "accuracy_interval": wilson_interval(round(accuracy * rows), rows)}


def mean_where_all(values: Sequence[float | None]) -> float | None:
    """Return the mean; None where a value is missing."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def rung_figures(runs: Sequence[Run]) -> Figures:
    """Return the figures of a recipe over its runs.

    Returns:
        ``rows, accuracy, accuracy_interval, interval_of, accuracy_spread`` (lowest and highest, None of one run),
        ``leak_free`` (rows, accuracy, accuracy_interval; None where a run has none), ``calibration_error`` and
        ``validation_accuracy`` (means).
    """
    everything = [run.metrics["all"] for run in runs]
    accuracies = [float(entry["accuracy"]) for entry in everything]
    leak_free = [run.metrics["leak_free"] for run in runs]
    several = len(runs) > 1
    return {
        **pooled(everything),
        "interval_of": f"the mean of {len(runs)} seeds, over reviews" if several else "one seed, over reviews",
        "accuracy_spread": [min(accuracies), max(accuracies)] if several else None,
        "leak_free": pooled(leak_free) if all(leak_free) else None,
        "calibration_error": mean_where_all(
            [entry["calibration"]["after_temperature"]["calibration_error"] for entry in everything]
        ),
        "validation_accuracy": mean_where_all(
            [(run.metrics["model"].get("validation") or {}).get("accuracy") for run in runs]
        ),
    }
