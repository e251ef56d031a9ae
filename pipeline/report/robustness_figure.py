"""The figure of the section on changed texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.plots import Theme

KINDS: Mapping[str, str] = {
    "harmless": "Same words",
    "shortened": "Part of the review",
    "meaning": "Other meaning",
}
"""Titles of the kinds of changes, from the top."""
SIZE = (5.4, 6.2)
"""Inches."""


def placed(entries: list[Mapping[str, Any]]) -> tuple[dict[float, Mapping[str, Any]], dict[float, str]]:
    """Return the entries and the titles of their kinds by height, 0 on top and growing downwards."""
    rows: dict[float, Mapping[str, Any]] = {}
    titles: dict[float, str] = {}
    height = 0.0
    for kind, title in KINDS.items():
        titles[height] = title
        for entry in (entry for entry in entries if entry["kind"] == kind):
            height += 1
            rows[height] = entry
        height += 1.4
    return rows, titles


def draw_share(axes: Axes, height: float, value: float, interval: list[float], color: str, marker: str) -> None:
    """Draw a share with its interval at a height."""
    axes.plot(interval, [height, height], color=color, linewidth=2.2, solid_capstyle="butt")
    axes.plot(value, height, marker, color=color, markersize=5.5, clip_on=False)


def dressed(axes: Axes, xlabel: str, theme: Theme) -> None:
    """Give axes the colours and the ticks that both panels share."""
    axes.set_facecolor(theme.background)
    axes.set_xlabel(xlabel, color=theme.ink)
    axes.tick_params(colors=theme.ink, length=3, width=0.8)
    axes.tick_params(axis="y", length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.other)
    axes.grid(color=theme.faint, linewidth=0.6, axis="x")
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def robustness_figure(robustness: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw accuracy and the share of other answers on changed texts, with 95% intervals.

    Where the meaning was changed there is no accuracy: the review's class is no longer the text's.

    Args:
        robustness: the entry of ``metrics.json``.
        theme: colours.
    """
    rows, titles = placed(robustness["perturbations"])
    figure = Figure(figsize=SIZE, facecolor=theme.background, layout="constrained")
    FigureCanvasAgg(figure)
    accuracy, flips = figure.subplots(1, 2, sharey=True)
    dressed(accuracy, "Right answers", theme)
    dressed(flips, "Other answer than before", theme)
    for height, entry in rows.items():
        wanted = entry["kind"] == "meaning"
        color, marker = (theme.positive, "s") if wanted else (theme.model, "o")
        if not wanted:
            draw_share(accuracy, height, entry["accuracy"], entry["accuracy_interval"], color, marker)
        draw_share(flips, height, entry["flipped_share"], entry["flipped_interval"], color, marker)
    accuracy.axvline(robustness["accuracy_unchanged"], color=theme.other, linewidth=1, linestyle=":")
    heights = sorted([*rows, *titles])
    names = [rows[height]["title"] if height in rows else titles[height] for height in heights]
    accuracy.set_yticks(heights, names)
    for height, label in zip(heights, accuracy.get_yticklabels(), strict=True):
        label.set_fontweight("bold" if height in titles else "normal")
    accuracy.set_ylim(max(heights) + 0.6, -0.6)
    flips.set_xlim(left=0)
    return figure
