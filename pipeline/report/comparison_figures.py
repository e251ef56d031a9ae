"""The figures of a comparison, drawn from the entries of ``comparison.json`` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from pipeline.metrics import THRESHOLD
from pipeline.plots import Theme, new_axes


def compared_sets(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the figure of differences shows: ``title, rows, difference, difference_interval``, from the top."""
    whole = {
        "title": "All reviews",
        "rows": result["data"]["rows"],
        "difference": result["difference"]["accuracy"],
        "difference_interval": result["difference"]["accuracy_interval"],
    }
    sets = [whole]
    if result["leak_free"] and result["leak_free"]["rows"]:
        sets.append({"title": "Leak-free reviews", **result["leak_free"]})
    for entry in result["slices"].values():
        sets += [{"title": f"{entry['title']}: {group['name']}", **group} for group in entry["groups"] if group["rows"]]
    return sets


def differences_figure(sets: Sequence[Mapping[str, Any]], theme: Theme) -> Figure:
    """Draw the difference of accuracy with its 95% interval for each set of reviews, and a line at no difference.

    Args:
        sets: of :func:`compared_sets`; drawn from the top.
        theme: colours.
    """
    figure, axes = new_axes(theme, "B less A, points of accuracy, with 95% interval", "", (7.4, 1.0 + 0.27 * len(sets)))
    for position, entry in enumerate(reversed(sets)):
        low, high = (100 * limit for limit in entry["difference_interval"])
        color = theme.positive if low > 0 else theme.negative if high < 0 else theme.other
        axes.plot([low, high], [position, position], color=color, linewidth=2.2, solid_capstyle="butt")
        axes.plot(100 * entry["difference"], position, "o", color=color, markersize=6)
    axes.axvline(0, color=theme.ink, linewidth=0.9)
    names = [f"{entry['title']} ({entry['rows']:,})" for entry in reversed(sets)]
    axes.set_yticks(range(len(sets)), names, parse_math=False)  # a title with a $ is no formula
    axes.set_ylim(-0.6, len(sets) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+g}" if value else "0")
    return figure


def probabilities_figure(histogram: Mapping[str, Any], theme: Theme) -> Figure:
    """Draw how many reviews got which pair of probabilities; off the diagonal the models do not agree."""
    counts = np.array(histogram["counts"], dtype=np.float64)
    edges = np.array(histogram["edges"])
    figure, axes = new_axes(theme, "Probability of positive by A", "Probability of positive by B", (5.6, 4.6))
    colors = LinearSegmentedColormap.from_list("reviews", [theme.shade, theme.model, theme.ink])
    shown = np.ma.masked_equal(counts.T, 0)
    norm = LogNorm(vmin=1, vmax=max(float(counts.max()), 2.0))
    axes.grid(visible=False)
    mesh = axes.pcolormesh(edges, edges, shown, cmap=colors, norm=norm, rasterized=True)
    for draw in (axes.axhline, axes.axvline):
        draw(THRESHOLD, color=theme.other, linewidth=1, linestyle=":")
    whole = FuncFormatter(lambda value, _: f"{value:,.0f}")
    bar = figure.colorbar(mesh, ax=axes, ticks=LogLocator(subs=(1, 2, 5)), format=whole)
    bar.minorticks_off()
    bar.set_label("Reviews (logarithmic)", color=theme.ink)
    bar.ax.tick_params(colors=theme.ink)
    bar.outline.set_visible(False)
    return figure
