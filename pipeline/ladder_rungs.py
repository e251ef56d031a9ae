"""The ladder's rungs: the majority class, the linear models, each recipe over its seeds, and published results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pipeline.baselines import MAJORITY, NB_SVM
from pipeline.ladder_costs import NB_SVM_TEACHER, Bill, Cost, cost_entry, training_cost
from pipeline.ladder_linear import FittedLinear
from pipeline.ladder_peers import PUBLISHED, benchmark_speed, is_imdb, published_rung
from pipeline.ladder_runs import Run, Runs, rung_figures
from pipeline.machine import machine_description

Rung = dict[str, Any]


def timed_key(run: Run) -> str:
    """Return what decides a run's speed: seeds of one recipe that score in the same numbers are timed once."""
    return f"{run.recipe}, {run.precision}"


def newest_baselines(runs: Runs) -> tuple[dict[str, Any], Run | None]:
    """Return the baselines' entries of the latest run that has them, and that run."""
    having = [run for run in runs.all() if run.metrics["baselines"]]
    latest = max(having, key=lambda run: str(run.metrics["evaluated_at"]), default=None)
    return (dict(latest.metrics["baselines"]), latest) if latest else ({}, None)


def linear_cost(entry: Mapping[str, Any], name: str, fitted: FittedLinear | None, source: str) -> Cost:
    """Return the cost of a baseline: fitting in this run, where it saw all reviews, else as evaluation recorded it."""
    if fitted is not None and fitted.training_rows == entry["training_rows"]:
        threads = round(max(fitted.cpu_seconds / max(fitted.seconds, 1e-9), 1.0), 2)
        return Cost("training", name, fitted.seconds, threads, source="measured in this run")
    return Cost("training", name, entry["seconds"], source=f"{source}, fitting and predicting")


def linear_rungs(
    baselines: Mapping[str, Any], source: str, fitted: Mapping[str, FittedLinear], speeds: Mapping[str, Any]
) -> list[Rung]:
    """Return the rungs of the majority class and the linear models."""
    rungs = []
    for name, entry in baselines.items():
        rung: Rung = {
            "name": entry["title"],
            "kind": "majority" if name == MAJORITY else "linear",
            **{key: entry[key] for key in ("rows", "accuracy", "accuracy_interval")},
            "interval_of": "one fit, over reviews",
            "leak_free": entry.get("leak_free"),
            "speed": speeds.get(name),
            "source": source,
        }
        if name != MAJORITY:
            cost = linear_cost(entry, entry["title"], fitted.get(name), source)
            rung |= {"settings": entry["settings"], "cost": cost_entry([cost], [])}
            if name in fitted and fitted[name].training_rows != entry["training_rows"]:
                rung["timed_on_rows"] = fitted[name].training_rows
        rungs.append(rung)
    return rungs


def run_entry(run: Run, speeds: Mapping[str, Any]) -> dict[str, Any]:
    """Return one run's entry of a recipe's rung."""
    metrics, model = run.metrics, run.metrics["model"]
    return {
        "model": run.name,
        "seed": model.get("seed"),
        "weights_sha256": model["weights_sha256"],
        "accuracy": metrics["all"]["accuracy"],
        "accuracy_interval": metrics["all"]["accuracy_interval"],
        "leak_free_accuracy": (metrics["leak_free"] or {}).get("accuracy"),
        "calibration_error": metrics["all"]["calibration"]["after_temperature"]["calibration_error"],
        "validation_accuracy": (model.get("validation") or {}).get("accuracy"),
        "scoring_precision": run.precision or None,
        "speed": speeds.get(timed_key(run)) if run.folder is not None else None,
        "evaluated_at": metrics["evaluated_at"],
        "source": run.source,
    }


def recipe_rung(name: str, runs: Sequence[Run], data: Path, bill: Bill, speeds: Mapping[str, Any]) -> Rung:
    """Return the rung of a recipe.

    Args:
        name: of the recipe.
        runs: its runs, at least one.
        data: what the stages leave.
        bill: an empty one.
        speeds: by :func:`timed_key`.
    """
    entries = [run_entry(run, speeds) for run in runs]
    rates = [entry["speed"] for entry in entries if entry["speed"]]
    own = [training_cost("training", run.name, run.metrics["model"].get("training"), run.source) for run in runs]
    bill.add_origins(runs[0].settings)
    config = next((run.config for run in runs if run.config), {})
    return {
        "name": name,
        "kind": "recipe",
        **rung_figures(runs),
        "runs": entries,
        "cost": cost_entry(own, list(bill.paid.values())),
        "parameters": config.get("parameters"),
        "bytes": config.get("bytes"),
        "speed": {
            "reviews_per_second": median(rate["reviews_per_second"] for rate in rates),
            "lowest": min(rate["lowest"] for rate in rates),
            "highest": max(rate["highest"] for rate in rates),
            "source": "measured in this run",
        }
        if rates
        else None,
        "source": ", ".join(run.source for run in runs),
    }


def make_rungs(
    runs: Runs,
    corpus: Mapping[str, Any],
    reports: Path,
    data: Path,
    speeds: Mapping[str, Any],
    fitted: Mapping[str, FittedLinear],
) -> list[Rung]:
    """Return all rungs, by rising accuracy.

    Args:
        runs: at least one.
        corpus: its manifest.
        reports: holds ``benchmark.json``, where there is one.
        data: what the stages leave.
        speeds: by :func:`timed_key`, and by the baselines' names.
        fitted: the linear models, by the same names.
    """
    baselines, latest = newest_baselines(runs)
    rungs = linear_rungs(baselines, latest.source if latest else "", fitted, speeds)
    nb_svm = Cost("teacher", NB_SVM_TEACHER, None)
    if latest is not None and NB_SVM in baselines:
        cost = linear_cost(baselines[NB_SVM], NB_SVM_TEACHER, fitted.get(NB_SVM), latest.source)
        nb_svm = Cost("teacher", NB_SVM_TEACHER, cost.seconds, cost.threads, source=cost.source)
    models = {run.name: run.metrics["model"] for run in runs.all()}
    for name, of_recipe in runs.rungs.items():
        rungs.append(recipe_rung(name, of_recipe, data, Bill(data, models, nb_svm), speeds))
    if is_imdb(corpus, max(rung["rows"] for rung in rungs)):
        machine = machine_description()
        rungs += [published_rung(peer, benchmark_speed(reports, peer, machine)) for peer in PUBLISHED]
    return sorted(rungs, key=lambda rung: (rung["accuracy"], rung["name"]))
