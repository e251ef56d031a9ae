"""The report's figures, as matplotlib figures that never touch pyplot's global state.

Each function takes plain arrays or the entries of ``metrics.json`` and a :class:`Theme`, and returns a ``Figure``.
:func:`render` turns one into PNG or SVG bytes; the same input gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.metrics import THRESHOLD, Labels, Probabilities

WIDTH, HEIGHT = 6.0, 4.2
"""Inches. At a page column of 600 pixels the text has the size of the page's own."""
PNG_DOTS_PER_INCH = 150
CURVE_POINTS = 500


@dataclass(frozen=True)
class Theme:
    """Colours of a figure; the hues are Okabe and Ito's, told apart by the colour-blind."""

    background: str
    ink: str
    faint: str
    model: str
    other: str
    positive: str
    negative: str
    shade: str


LIGHT = Theme("#ffffff", "#1d2530", "#d5dae1", "#0b62a8", "#717a86", "#00795a", "#c05300", "#a9cbe8")
DARK = Theme("#171c24", "#e6e9ee", "#3a424e", "#62b0ee", "#97a1ae", "#2fc79c", "#f0934a", "#1f4b70")


def new_axes(
    theme: Theme, xlabel: str, ylabel: str, size: tuple[float, float] = (WIDTH, HEIGHT)
) -> tuple[Figure, Axes]:
    """Return a figure with one pair of labelled axes in the theme's colours, without chart junk."""
    figure = Figure(figsize=size, facecolor=theme.background, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=theme.background)
    axes.set_xlabel(xlabel, color=theme.ink)
    axes.set_ylabel(ylabel, color=theme.ink)
    axes.tick_params(colors=theme.ink, length=3, width=0.8)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.other)
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


Corner = Literal["best", "upper left", "upper center", "lower left", "lower right"]


def add_legend(axes: Axes, theme: Theme, location: Corner = "best") -> None:
    """Add a legend without a frame."""
    axes.legend(loc=location, frameon=False, labelcolor=theme.ink, fontsize=10)


def accuracy_comparison(entries: Sequence[Mapping[str, Any]], theme: Theme) -> Figure:
    """Draw accuracy with its 95% interval, a line for each entry.

    Args:
        entries: ``title, accuracy, accuracy_interval`` and ``is_model``; drawn from the top.
        theme: colours.
    """
    figure, axes = new_axes(theme, "Accuracy, with 95% interval", "", (4.6, 1.1 + 0.5 * len(entries)))
    for position, entry in enumerate(reversed(entries)):
        low, high = entry["accuracy_interval"]
        color = theme.model if entry["is_model"] else theme.other
        axes.plot([low, high], [position, position], color=color, linewidth=2.5, solid_capstyle="butt")
        axes.plot(entry["accuracy"], position, "o", color=color, markersize=7)
    axes.set_yticks(range(len(entries)), [entry["title"].replace(", ", ",\n") for entry in reversed(entries)])
    axes.set_ylim(-0.6, len(entries) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    return figure


def confusion_figure(matrix: Mapping[str, int], theme: Theme) -> Figure:
    """Draw the confusion matrix: counts, and shares of each true class."""
    table = np.array(
        [
            [matrix["true_negative"], matrix["false_positive"]],
            [matrix["false_negative"], matrix["true_positive"]],
        ]
    )
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = new_axes(theme, "Predicted class", "True class", (4.6, 4.0))
    colors = LinearSegmentedColormap.from_list("counts", [theme.background, theme.shade])
    axes.imshow(shares, cmap=colors, vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(table):
        axes.text(j, i - 0.08, f"{count:,}", ha="center", va="center", color=theme.ink, fontsize=15)
        axes.text(j, i + 0.16, f"{shares[i, j]:.1%} of row", ha="center", va="center", color=theme.ink, fontsize=10)
    axes.set_xticks([0, 1], ["negative", "positive"])
    axes.set_yticks([0, 1], ["negative", "positive"], rotation=90, va="center")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def thinned(x: NDArray[Any], y: NDArray[Any], points: int = CURVE_POINTS) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return at most ``points`` of a curve's points, its ends among them."""
    if x.size <= points:
        return x, y
    kept = np.unique(np.linspace(0, x.size - 1, points).round().astype(np.int64))
    return x[kept], y[kept]


def curve_style(index: int, theme: Theme) -> dict[str, Any]:
    """Return the line style of a curve: the model's (index 0) solid, the others told apart by their dashes."""
    if index == 0:
        return {"color": theme.model, "linewidth": 2.2}
    return {"color": theme.other, "linewidth": 1.4, "linestyle": ("--", "-.", (0, (6, 1)))[(index - 1) % 3]}


def roc_figure(
    labels: Labels, scores: Mapping[str, NDArray[np.float64]], areas: Mapping[str, float | None], theme: Theme
) -> Figure:
    """Draw ROC curves; ``scores`` by title, the model's first, ``areas`` in the legend where known."""
    figure, axes = new_axes(theme, "False positive rate", "True positive rate")
    for index, (title, values) in enumerate(scores.items()):
        false_positive, true_positive, _ = roc_curve(labels, values)
        area = areas.get(title)
        axes.plot(
            *thinned(false_positive, true_positive),
            **curve_style(index, theme),
            label=title if area is None else f"{title} (area {area:.4f})",
        )
    axes.plot([0, 1], [0, 1], color=theme.other, linewidth=1, linestyle=":", label="chance")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    add_legend(axes, theme, "lower right")
    return figure


def precision_recall_figure(
    labels: Labels, scores: Mapping[str, NDArray[np.float64]], areas: Mapping[str, float | None], theme: Theme
) -> Figure:
    """Draw precision against recall; arguments as in :func:`roc_figure`."""
    figure, axes = new_axes(theme, "Recall of the positive class", "Precision")
    for index, (title, values) in enumerate(scores.items()):
        precision, recall, _ = precision_recall_curve(labels, values, drop_intermediate=True)
        area = areas.get(title)
        axes.plot(
            *thinned(recall, precision),
            **curve_style(index, theme),
            label=title if area is None else f"{title} (average {area:.4f})",
        )
    share = float(labels.mean())
    axes.axhline(share, color=theme.other, linewidth=1, linestyle=":", label=f"chance ({share:.2f})")
    axes.set_xlim(0, 1)
    axes.set_ylim(max(0.0, min(0.45, share - 0.05)), 1.005)
    add_legend(axes, theme, "lower left")
    return figure


def reliability_figure(before: Mapping[str, Any], after: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw the reliability diagram: share of positives against probability, before and after the temperature."""
    figure, axes = new_axes(theme, "Mean predicted probability of positive", "Share that is positive")
    axes.plot([0, 1], [0, 1], color=theme.other, linewidth=1, linestyle=":", label="perfect calibration")
    styles: tuple[tuple[str, Mapping[str, Any], str, str], ...] = (
        ("before temperature", before, theme.negative, "s--"),
        ("after temperature", after, theme.model, "o-"),
    )
    for name, summary, color, style in styles:
        axes.plot(
            [entry["mean_probability"] for entry in summary["bins"]],
            [entry["positive_share"] for entry in summary["bins"]],
            style,
            color=color,
            linewidth=1.6,
            markersize=5,
            label=f"{name} (calibration error {summary['calibration_error']:.4f})",
        )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    add_legend(axes, theme, "upper left")
    return figure


def score_histogram(labels: Labels, probabilities: Probabilities, theme: Theme) -> Figure:
    """Draw how many reviews of each true class got which probability; the wrong side is shaded."""
    figure, axes = new_axes(theme, "Predicted probability of positive", "Reviews (logarithmic)")
    edges = np.linspace(0, 1, 41)
    for name, label, color in (("negative", 0, theme.negative), ("positive", 1, theme.positive)):
        counts, _ = np.histogram(probabilities[labels == label], edges)
        axes.stairs(counts, edges, color=color, linewidth=1.8, label=f"truly {name}")
        wrong = np.where((edges[:-1] >= THRESHOLD) == (label == 0), counts, 0)
        axes.stairs(wrong, edges, color=color, alpha=0.3, fill=True)
    axes.axvline(THRESHOLD, color=theme.other, linewidth=1, linestyle=":")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    add_legend(axes, theme, "upper center")
    return figure


def accuracy_by_length_figure(table: Sequence[Mapping[str, Any]], overall: float, theme: Theme) -> Figure:
    """Draw accuracy with its 95% interval for each length bucket that has reviews, and the overall accuracy."""
    filled = [entry for entry in table if entry["rows"]]
    figure, axes = new_axes(theme, "Words in the review", "Accuracy, with 95% interval")
    for position, entry in enumerate(filled):
        low, high = entry["accuracy_interval"]
        axes.plot([position, position], [low, high], color=theme.model, linewidth=2.5, solid_capstyle="butt")
        axes.plot(position, entry["accuracy"], "o", color=theme.model, markersize=7)
    axes.axhline(overall, color=theme.other, linewidth=1, linestyle=":", label=f"all reviews {overall:.2%}")
    axes.set_xticks(range(len(filled)), [f"{entry['name']}\n({entry['rows']:,})" for entry in filled])
    axes.set_xlim(-0.6, len(filled) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    add_legend(axes, theme)
    return figure


def render(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return a figure as the bytes of a PNG or SVG file, the same for the same figure."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context({"svg.hashsalt": "gru-sentiment"}):
        figure.savefig(buffer, format=kind, dpi=PNG_DOTS_PER_INCH, metadata=metadata)
    return buffer.getvalue()
