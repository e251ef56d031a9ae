"""The report's figures, drawn from the entries of ``metrics.json`` alone.

Each function takes entries and a :class:`pipeline.plots.Theme`, and returns a ``Figure``; the same input gives the same
bytes (:func:`pipeline.plots.render`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.metrics import THRESHOLD
from pipeline.plots import HEIGHT, WIDTH, Theme, add_legend_above, new_axes


def accuracy_comparison(entries: Sequence[Mapping[str, Any]], theme: Theme) -> Figure:
    """Draw accuracy with its 95% interval, a line for each entry.

    Args:
        entries: ``title, accuracy, accuracy_interval`` and ``is_model``; drawn from the top.
        theme: colours.
    """
    figure, axes = new_axes(theme, "Accuracy, with 95% interval", "", (WIDTH, 0.8 + 0.45 * len(entries)))
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
    figure, axes = new_axes(theme, "Predicted class", "True class", (3.9, 3.4))
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


def curve_style(index: int, theme: Theme) -> dict[str, Any]:
    """Return the line style of a curve: the model's (index 0) solid, the others told apart by their dashes."""
    if index == 0:
        return {"color": theme.model, "linewidth": 2.2}
    return {"color": theme.other, "linewidth": 1.4, "linestyle": ("--", "-.", (0, (6, 1)))[(index - 1) % 3]}


def curves_size(curves: Mapping[str, Any]) -> tuple[float, float]:
    """Return width and height of a figure whose legend has a line for each curve."""
    return WIDTH, HEIGHT + 0.2 * len(curves)


def roc_figure(curves: Mapping[str, Mapping[str, Any]], theme: Theme) -> Figure:
    """Draw ROC curves.

    Args:
        curves: by title, the model's first: entries with ``roc_curve`` and, where known, ``roc_auc`` for the legend.
        theme: colours.
    """
    figure, axes = new_axes(theme, "False positive rate", "True positive rate", curves_size(curves))
    for index, (title, entry) in enumerate(curves.items()):
        curve, area = entry["roc_curve"], entry.get("roc_auc")
        axes.plot(
            curve["false_positive_rate"],
            curve["true_positive_rate"],
            **curve_style(index, theme),
            label=title if area is None else f"{title} (area {area:.4f})",
        )
    axes.plot([0, 1], [0, 1], color=theme.other, linewidth=1, linestyle=":", label="chance")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    add_legend_above(figure, theme, columns=1)
    return figure


def precision_recall_figure(curves: Mapping[str, Mapping[str, Any]], share: float, theme: Theme) -> Figure:
    """Draw precision against recall.

    Args:
        curves: by title, the model's first: entries with ``precision_recall_curve`` and, where known,
            ``average_precision`` for the legend.
        share: of positive reviews, which is what chance would reach.
        theme: colours.
    """
    figure, axes = new_axes(theme, "Recall of the positive class", "Precision", curves_size(curves))
    for index, (title, entry) in enumerate(curves.items()):
        curve, area = entry["precision_recall_curve"], entry.get("average_precision")
        axes.plot(
            curve["recall"],
            curve["precision"],
            **curve_style(index, theme),
            label=title if area is None else f"{title} (average {area:.4f})",
        )
    axes.axhline(share, color=theme.other, linewidth=1, linestyle=":", label=f"chance ({share:.2f})")
    axes.set_xlim(0, 1)
    axes.set_ylim(max(0.0, min(0.45, share - 0.05)), 1.005)
    add_legend_above(figure, theme, columns=1)
    return figure


def reliability_figure(before: Mapping[str, Any], after: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw the reliability diagram: share of positives against probability, before and after the temperature."""
    figure, axes = new_axes(
        theme, "Mean predicted probability of positive", "Share that is positive", (WIDTH, HEIGHT + 0.4)
    )
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
            label=f"{name} (error {summary['calibration_error']:.4f})",
        )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    add_legend_above(figure, theme, columns=1)
    return figure


def score_histogram_figure(histogram: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw how many reviews of each true class got which probability; the wrong side is shaded."""
    figure, axes = new_axes(theme, "Predicted probability of positive", "Reviews (logarithmic)")
    edges = np.array(histogram["edges"])
    for name, label, color in (("negative", 0, theme.negative), ("positive", 1, theme.positive)):
        counts = np.array(histogram[name])
        axes.stairs(counts, edges, color=color, linewidth=1.8, label=f"truly {name}")
        wrong = np.where((edges[:-1] >= THRESHOLD) == (label == 0), counts, 0)
        axes.stairs(wrong, edges, color=color, alpha=0.3, fill=True)
    axes.axvline(THRESHOLD, color=theme.other, linewidth=1, linestyle=":")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    add_legend_above(figure, theme)
    return figure


def accuracy_by_group_figure(slicing: Mapping[str, Any], overall: float, theme: Theme) -> Figure:
    """Draw accuracy with its 95% interval for each group of a slicing that has reviews, and the overall accuracy.

    Args:
        slicing: an entry of ``slices``; its first group is drawn on top.
        overall: accuracy of all reviews.
        theme: colours.
    """
    filled = [entry for entry in slicing["groups"] if entry["rows"]]
    figure, axes = new_axes(theme, "Right answers, with 95% interval", "", (WIDTH, 1.2 + 0.36 * len(filled)))
    for position, entry in enumerate(filled):
        low, high = entry["accuracy_interval"]
        axes.plot([low, high], [position, position], color=theme.model, linewidth=2.5, solid_capstyle="butt")
        axes.plot(entry["accuracy"], position, "o", color=theme.model, markersize=7)
    axes.axvline(overall, color=theme.other, linewidth=1, linestyle=":", label=f"all reviews: {overall:.2%}")
    axes.set_yticks(range(len(filled)), [entry["name"] for entry in filled])
    axes.set_ylim(len(filled) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    add_legend_above(figure, theme)
    return figure
