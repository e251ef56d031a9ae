"""The ladder's picture: accuracy against reviews a second, every point labelled, no label on another.

A rung whose speed was not measured has no place along the axis: it is a line across, named at the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from pipeline.ladder_labels import LABEL_SIZE, Point, label_lines, place_labels
from pipeline.plots import Theme, new_axes

SIZE = (8.4, 5.2)
"""Inches."""
AXES_HEIGHT = 265.0
"""Points, about; what is left of it beside legend and axis."""
KINDS: Mapping[str, tuple[str, str]] = {
    "recipe": ("o", "recipes (strokes: each seed)"),
    "linear": ("s", "linear models (one core)"),
    "published": ("^", "published (dashed: speed not measured)"),
}
"""Marker and legend of each kind of rung that is drawn."""

Rung = Mapping[str, Any]


def color_of(kind: str, theme: Theme) -> str:
    """Return the colour of a kind of rung."""
    return {"recipe": theme.model, "linear": theme.positive}.get(kind, theme.negative)


def label_of(rung: Rung) -> str:
    """Return a rung's name, over two lines where it has a comma, and its accuracy."""
    return f"{rung['name'].replace(', ', ',' + chr(10))} {rung['accuracy']:.2%}"


def short_label_of(rung: Rung) -> str:
    """Return a rung's name up to a comma, and its accuracy."""
    return f"{rung['name'].partition(', ')[0]} {rung['accuracy']:.2%}"


def rate_of(rung: Rung) -> float | None:
    """Return reviews a second; None where that was not measured."""
    speed = rung.get("speed")
    return float(speed["reviews_per_second"]) if speed else None


def rate_limits(rates: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the logarithmic axis, with room for labels."""
    if not rates:
        return 1.0, 10_000.0
    span = max(np.log10(max(rates) / min(rates)), 1.0)
    return min(rates) / 10 ** (0.1 * span), max(rates) * 10 ** (0.28 * span)


def draw_rung(axes: Axes, rung: Rung, rate: float, theme: Theme) -> None:
    """Draw a point with its interval, and its seeds where it stands for several."""
    marker, _ = KINDS[rung["kind"]]
    color = color_of(rung["kind"], theme)
    axes.plot([rate, rate], rung["accuracy_interval"], color=color, linewidth=1.6, solid_capstyle="butt", zorder=2)
    if rung.get("accuracy_spread"):
        for run in rung["runs"]:
            axes.plot(rate, run["accuracy"], "_", color=color, markersize=10, markeredgewidth=1.4, zorder=3)
    axes.plot(rate, rung["accuracy"], marker, color=color, markersize=7.5, markeredgewidth=0, zorder=4)


def draw_lines(axes: Axes, rungs: Sequence[Rung], theme: Theme) -> None:
    """Draw the rungs without a speed as dashed lines, named at the right."""
    low, high = axes.get_ylim()
    line_height = (high - low) / AXES_HEIGHT * LABEL_SIZE * 1.3
    for rung in rungs:
        color = color_of(rung["kind"], theme)
        axes.axhline(rung["accuracy"], color=color, linewidth=1, linestyle=(0, (5, 4)), alpha=0.8, zorder=1)
    label_lines(
        axes, [(rung["accuracy"], label_of(rung), color_of(rung["kind"], theme)) for rung in rungs], line_height
    )


def point_of(rung: Rung, rate: float, theme: Theme) -> Point:
    """Return what is to be labelled of a rung."""
    low, high = rung["accuracy_interval"]
    return Point(short_label_of(rung), rate, rung["accuracy"], low, high, color_of(rung["kind"], theme))


def axes_for(ladder: Mapping[str, Any], rungs: Sequence[Rung], theme: Theme) -> tuple[Figure, Axes]:
    """Return a figure with axes for these rungs: reviews a second, logarithmic, and accuracy."""
    floor = next((rung for rung in ladder["rungs"] if rung["kind"] == "majority"), None)
    beside = f" (majority class: {floor['accuracy']:.2%})" if floor else ""
    cores = ladder["machine"]["cores"]
    figure, axes = new_axes(theme, f"Reviews scored a second, on {cores} cores", f"Test accuracy{beside}", SIZE)
    axes.set_xscale("log")
    axes.set_xlim(*rate_limits([rate for rung in rungs if (rate := rate_of(rung)) is not None]))
    axes.xaxis.set_major_locator(LogLocator(10, (1.0, 3.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    lows, highs = zip(*(rung["accuracy_interval"] for rung in rungs), strict=True)
    room = 0.06 * (max(highs) - min(lows)) or 0.01
    axes.set_ylim(min(lows) - room, max(highs) + room)
    axes.yaxis.set_major_locator(MaxNLocator(7))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    return figure, axes


def add_key(figure: Figure, rungs: Sequence[Rung], theme: Theme) -> None:
    """Add the legend of the kinds that are there, above the axes."""
    kinds = [kind for kind in KINDS if any(rung["kind"] == kind for rung in rungs)]
    handles = [
        Line2D([], [], linestyle="", marker=KINDS[kind][0], color=color_of(kind, theme), markersize=7) for kind in kinds
    ]
    figure.legend(
        handles,
        [KINDS[kind][1] for kind in kinds],
        loc="outside upper left",
        ncols=len(kinds),
        frameon=False,
        labelcolor=theme.ink,
        fontsize=LABEL_SIZE,
        handletextpad=0.2,
        columnspacing=1.2,
    )


def ladder_figure(ladder: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw the ladder.

    Args:
        ladder: the content of ``ladder.json``.
        theme: colours.
    """
    rungs = [rung for rung in ladder["rungs"] if rung["kind"] in KINDS]
    figure, axes = axes_for(ladder, rungs, theme)
    points, unmeasured = [], []
    for rung in rungs:
        rate = rate_of(rung)
        if rate is None:
            unmeasured.append(rung)
        else:
            draw_rung(axes, rung, rate, theme)
            points.append(point_of(rung, rate, theme))
    draw_lines(axes, unmeasured, theme)
    add_key(figure, rungs, theme)
    figure.set_layout_engine("constrained", rect=(0, 0, 0.985, 1))
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels are placed in pixels of this layout
    place_labels(axes, points, [rung["accuracy"] for rung in unmeasured])
    return figure
