"""Write one evaluation as files: figures, tables, the worst errors as text, and a page that shows them together.

``report.html`` is one file: styles and pictures stand in it, it loads nothing and runs nothing, and its content
security policy says so. Every number on it comes out of ``metrics.json`` by its key (``<data data-key=...>``), but
for the section on the ladder, which shows the ``ladder.json`` beside the reports where there is one of the same data.
The page's sections are the ``<section>`` blocks of ``templates/report.html.j2``.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline import plots
from pipeline.artifacts import StageOutput, to_json
from pipeline.baselines import MAJORITY
from pipeline.errors import SentimentError
from pipeline.evaluation_data import LabelledTexts
from pipeline.ladder_section import ladder_section
from pipeline.metrics import Probabilities, predictions
from pipeline.mistakes import errors_text, most_confident_mistakes


@dataclass(frozen=True)
class Evaluated:
    """One evaluation, ready to be written.

    Attributes:
        metrics: the content of ``metrics.json``.
        data: the N reviews with their true classes.
        probabilities: float64 (N,), after the temperature.
        baseline_scores: decision scores of the fitted baselines by title, (N,) each.
        training_curves: the model's ``training.png``, or None.
    """

    metrics: dict[str, Any]
    data: LabelledTexts
    probabilities: Probabilities
    baseline_scores: Mapping[str, NDArray[np.float64]]
    training_curves: bytes | None


@dataclass(frozen=True)
class Picture:
    """A figure of the report: what a reader who cannot see it is told, and how to draw it."""

    alt: str
    draw: Callable[[plots.Theme], Figure]


def confusion_csv(matrix: Mapping[str, int]) -> str:
    """Return ``confusion_matrix.csv``: a row for each true class, a column for each predicted one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["true_class", "predicted_negative", "predicted_positive"])
    writer.writerow(["negative", matrix["true_negative"], matrix["false_positive"]])
    writer.writerow(["positive", matrix["false_negative"], matrix["true_positive"]])
    return buffer.getvalue()


def predictions_table(evaluated: Evaluated) -> pa.Table:
    """Return ``predictions.parquet``: row, label, probability, predicted, leak_free (null where unknown)."""
    leak_free = pa.nulls(len(evaluated.data.texts), pa.bool_())
    if evaluated.data.leak_free is not None:
        leak_free = pa.array(evaluated.data.leak_free)
    return pa.table(
        {
            "row": pa.array(evaluated.data.rows, pa.int64()),
            "label": pa.array(evaluated.data.labels, pa.int8()),
            "probability": pa.array(evaluated.probabilities, pa.float64()),
            "predicted": pa.array(predictions(evaluated.probabilities), pa.int8()),
            "leak_free": leak_free,
        }
    )


def comparison(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the model and its baselines by falling accuracy, with the keys of their entries in ``metrics.json``."""
    entries = [{"title": "This model", "is_model": True, "key": "all", **metrics["all"]}]
    for name, entry in metrics["baselines"].items():
        entries.append({"is_model": False, "key": f"baselines.{name}", **entry})
    return sorted(entries, key=lambda entry: -float(entry["accuracy"]))


def pictures(evaluated: Evaluated) -> dict[str, Picture]:
    """Return the figures of the report by file name; those that need both classes only where both are there."""
    metrics, whole = evaluated.metrics, evaluated.metrics["all"]
    labels, probabilities = evaluated.data.labels, evaluated.probabilities
    calibration = whole["calibration"]
    found = {
        "confusion_matrix": Picture(
            "Confusion matrix; its counts stand in the table beside it",
            lambda theme: plots.confusion_figure(whole["confusion_matrix"], theme),
        ),
        "reliability": Picture(
            "Reliability diagram before and after the temperature; a calibrated model follows the diagonal",
            lambda theme: plots.reliability_figure(
                calibration["before_temperature"], calibration["after_temperature"], theme
            ),
        ),
        "score_histogram": Picture(
            "Histogram of the predicted probability for truly negative and truly positive reviews",
            lambda theme: plots.score_histogram(labels, probabilities, theme),
        ),
        "accuracy_by_length": Picture(
            "Accuracy by length of review; the figures stand in the table beside it",
            lambda theme: plots.accuracy_by_length_figure(whole["by_length"], whole["accuracy"], theme),
        ),
    }
    compared = [entry for entry in comparison(metrics) if entry["key"] != f"baselines.{MAJORITY}"]
    if len(compared) > 1:
        found["accuracy_comparison"] = Picture(
            "Accuracy of the model and the linear baselines with 95% intervals; the figures stand in the table",
            lambda theme: plots.accuracy_comparison(compared, theme),
        )
    if whole["roc_auc"] is not None:
        scores = {"this model": probabilities, **evaluated.baseline_scores}
        found["roc_curve"] = Picture(
            "ROC curve: true against false positive rate over all thresholds",
            lambda theme: plots.roc_figure(labels, scores, {"this model": whole["roc_auc"]}, theme),
        )
        found["precision_recall_curve"] = Picture(
            "Precision against recall over all thresholds",
            lambda theme: plots.precision_recall_figure(
                labels, scores, {"this model": whole["average_precision"]}, theme
            ),
        )
    return found


FORMATS: Mapping[str, Callable[[Any], str]] = {
    "percent": lambda value: f"{value:.2%}",
    "count": lambda value: f"{value:,}",
    "decimal": lambda value: f"{value:.4f}",
    "p_value": lambda value: "< 0.0001" if value < 0.0001 else f"{value:.4f}",
    "short": lambda value: f"{value:,.4g}",
}


class Numbers:
    """Looks figures up in ``metrics.json`` for the page, so that the page cannot say anything else."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._metrics = metrics

    def value(self, key: str) -> Any:
        """Return the value at a dotted key; a number in it is a position in a list."""
        value: Any = self._metrics
        for part in key.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value

    def show(self, key: str, form: str) -> Markup:
        """Return a figure as a ``<data>`` element that names its key and carries the full value."""
        value = self.value(key)
        if value is None:
            return Markup('<span class="none" title="undefined here">&ndash;</span>')
        return Markup('<data data-key="{}" value="{}">{}</data>').format(key, repr(value), FORMATS[form](value))

    def interval(self, key: str) -> Markup:
        """Return a proportion's interval as "low to high" in percent."""
        if self.value(key) is None:
            return Markup('<span class="none">&ndash;</span>')
        return Markup('<span class="interval">{} to {}</span>').format(
            self.show(f"{key}.0", "percent"), self.show(f"{key}.1", "percent")
        )


def flattened(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the entries of nested settings or findings as (name, text), in their order."""
    for key, entry in value.items():
        name = prefix + str(key).replace("_", " ").replace("|", " and ")
        if isinstance(entry, Mapping):
            yield from flattened(entry, f"{name}, ")
        elif isinstance(entry, bool) or entry is None:
            yield name, {True: "yes", False: "no", None: "-"}[entry]
        elif isinstance(entry, int):
            yield name, f"{entry:,}" if abs(entry) >= 10_000 else str(entry)
        elif isinstance(entry, float):
            yield name, f"{entry:.6g}"
        elif isinstance(entry, list | tuple):
            if len(entry) <= 12 and not any(isinstance(item, Mapping) for item in entry):
                yield name, ", ".join(map(str, entry))
        else:
            yield name, str(entry)


def data_address(content: bytes, media_type: str) -> str:
    """Return a ``data:`` address that holds the content."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def page(evaluated: Evaluated, shown: Mapping[str, Mapping[str, Any]], ladder: Mapping[str, Any] | None = None) -> str:
    """Return ``report.html``.

    Args:
        evaluated: what to show.
        shown: pictures by name, each with ``alt, light, dark`` (addresses).
        ladder: what :func:`pipeline.ladder_section.ladder_section` returns.
    """
    if ladder is not None:
        addresses = {name: data_address(ladder[name], "image/svg+xml") for name in ("light", "dark")}
        shown = {**shown, "ladder": {"alt": ladder["alt"], **addresses}}
    environment = Environment(
        loader=PackageLoader("pipeline", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    numbers = Numbers(evaluated.metrics)
    environment.globals.update(show=numbers.show, interval=numbers.interval, flattened=flattened)
    style = resources.files("pipeline").joinpath("templates/report.css").read_text(encoding="utf-8")
    entries = comparison(evaluated.metrics)
    return environment.get_template("report.html.j2").render(
        metrics=evaluated.metrics,
        style=Markup(style),
        pictures=shown,
        ladder=ladder,
        entries=entries,
        best_baseline=next((entry for entry in entries if not entry["is_model"]), None),
        mistakes=most_confident_mistakes(evaluated.data, evaluated.probabilities),
        training_curves=evaluated.training_curves and data_address(evaluated.training_curves, "image/png"),
    )


def write_report(output: StageOutput, evaluated: Evaluated) -> None:
    """Write all files of the report into a stage's output; the caller commits.

    Raises:
        SentimentError: the disk refused.
    """
    try:
        shown = write_pictures(output, evaluated)
        metrics = evaluated.metrics
        texts = {
            "metrics.json": to_json(metrics),
            "confusion_matrix.csv": confusion_csv(metrics["all"]["confusion_matrix"]),
            "errors.txt": errors_text(most_confident_mistakes(evaluated.data, evaluated.probabilities), metrics),
            "report.html": page(evaluated, shown, ladder_section(output.folder.parent, metrics)),
        }
        for name, text in texts.items():
            output.path(name).write_bytes(text.encode("utf-8"))
        pq.write_table(predictions_table(evaluated), output.path("predictions.parquet"))
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise SentimentError(f"{output.folder}: cannot be written ({reason}); nothing was changed") from error


def write_pictures(output: StageOutput, evaluated: Evaluated) -> dict[str, dict[str, str]]:
    """Write each figure as PNG and SVG; return what the page shows of it: ``alt, light, dark``."""
    shown = {}
    for name, picture in pictures(evaluated).items():
        light, dark = picture.draw(plots.LIGHT), picture.draw(plots.DARK)
        vector = plots.render(light, "svg")
        output.path(f"{name}.png").write_bytes(plots.render(light, "png"))
        output.path(f"{name}.svg").write_bytes(vector)
        shown[name] = {
            "alt": picture.alt,
            "light": data_address(vector, "image/svg+xml"),
            "dark": data_address(plots.render(dark, "svg"), "image/svg+xml"),
        }
    return shown
