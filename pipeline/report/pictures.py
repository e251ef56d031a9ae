"""The figures of one report: which there are, what a reader who cannot see them is told, and how each is drawn."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from pipeline.artifacts import StageOutput
from pipeline.baselines import MAJORITY
from pipeline.curves import training_curves
from pipeline.plots import DARK, LIGHT, Theme, render
from pipeline.report import figures
from pipeline.report.robustness_figure import robustness_figure


@dataclass(frozen=True)
class Picture:
    """A figure of the report: what a reader who cannot see it is told, and how to draw it."""

    alt: str
    draw: Callable[[Theme], Figure]


def comparison(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the model and its baselines by falling accuracy, with the keys of their entries in ``metrics.json``."""
    entries = [{"title": "This model", "is_model": True, "key": "all", **metrics["all"]}]
    for name, entry in metrics["baselines"].items():
        entries.append({"is_model": False, "key": f"baselines.{name}", **entry})
    return sorted(entries, key=lambda entry: -float(entry["accuracy"]))


def curves_of(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the entries that have ROC and precision-recall curves, by title, the model's first."""
    found: dict[str, Mapping[str, Any]] = {"this model": metrics["all"]}
    found |= {entry["title"]: entry for entry in metrics["baselines"].values() if entry.get("roc_curve")}
    return found


def slice_picture(entry: Mapping[str, Any], overall: float) -> Picture:
    """Return the picture of a slicing's entry in ``metrics.json``."""
    return Picture(
        f"Accuracy by {entry['title'].lower()}; the figures stand in the table beside it",
        lambda theme: figures.accuracy_by_group_figure(entry, overall, theme),
    )


def pictures(metrics: Mapping[str, Any]) -> dict[str, Picture]:
    """Return the figures of the report by file name; those that need both classes only where both are there."""
    whole = metrics["all"]
    calibration = whole["calibration"]
    found = {
        "confusion_matrix": Picture(
            "Confusion matrix; its counts stand in the table beside it",
            lambda theme: figures.confusion_figure(whole["confusion_matrix"], theme),
        ),
        "reliability": Picture(
            "Reliability diagram before and after the temperature; a calibrated model follows the diagonal",
            lambda theme: figures.reliability_figure(
                calibration["before_temperature"], calibration["after_temperature"], theme
            ),
        ),
        "score_histogram": Picture(
            "Histogram of the predicted probability for truly negative and truly positive reviews",
            lambda theme: figures.score_histogram_figure(whole["score_histogram"], theme),
        ),
    }
    for name, entry in whole["slices"].items():
        if any(group["rows"] for group in entry["groups"]):
            found[f"accuracy_by_{name}"] = slice_picture(entry, whole["accuracy"])
    compared = [entry for entry in comparison(metrics) if entry["key"] != f"baselines.{MAJORITY}"]
    if len(compared) > 1:
        found["accuracy_comparison"] = Picture(
            "Accuracy of the model and the linear baselines with 95% intervals; the figures stand in the table",
            lambda theme: figures.accuracy_comparison(compared, theme),
        )
    if whole["roc_curve"] is not None:
        curves = curves_of(metrics)
        share = whole["support"]["positive"] / whole["rows"]
        found["roc_curve"] = Picture(
            "ROC curve: true against false positive rate over all thresholds",
            lambda theme: figures.roc_figure(curves, theme),
        )
        found["precision_recall_curve"] = Picture(
            "Precision against recall over all thresholds",
            lambda theme: figures.precision_recall_figure(curves, share, theme),
        )
    robustness = metrics.get("robustness")
    if robustness:
        found["robustness"] = Picture(
            "Accuracy and the share of other answers on changed texts, with intervals; the figures stand in the table",
            lambda theme: robustness_figure(robustness, theme),
        )
    history = metrics["training_history"]
    if history:
        found["training"] = Picture(
            "Training curves: losses and validation accuracy by epoch",
            lambda theme: training_curves(history["epochs"], history["best_epoch"], theme),
        )
    return found


def data_address(content: bytes, media_type: str) -> str:
    """Return a ``data:`` address that holds the content."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def write_pictures(output: StageOutput, drawn: Mapping[str, Picture]) -> dict[str, dict[str, str]]:
    """Write figures as PNG and SVG under their names; return what a page shows: ``alt, light, dark`` (addresses)."""
    shown = {}
    for name, picture in drawn.items():
        light, dark = picture.draw(LIGHT), picture.draw(DARK)
        vector = render(light, "svg")
        output.path(f"{name}.png").write_bytes(render(light, "png"))
        output.path(f"{name}.svg").write_bytes(vector)
        shown[name] = {
            "alt": picture.alt,
            "light": data_address(vector, "image/svg+xml"),
            "dark": data_address(render(dark, "svg"), "image/svg+xml"),
        }
    return shown
