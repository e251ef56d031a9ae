"""What all figures share: themes, axes, legends, and bytes of PNG or SVG; never pyplot's global state."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.compact_svg import compact_svg

WIDTH, HEIGHT = 4.8, 3.6
"""Inches. In a page column of 460 pixels the text is a little smaller than the page's own, on a phone still legible."""
PNG_DOTS_PER_INCH = 150


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


def add_legend_above(figure: Figure, theme: Theme, columns: int = 2) -> None:
    """Add a legend without a frame over the axes, where no data can lie under it."""
    figure.legend(loc="outside upper left", ncol=columns, frameon=False, labelcolor=theme.ink, fontsize=10)


def render(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return a figure as the bytes of a PNG or SVG file, the same for the same figure."""
    buffer = io.BytesIO()
    unwanted = ("Date", "Creator", "Format", "Type") if kind == "svg" else ("Software",)
    with mpl.rc_context({"svg.hashsalt": "gru-sentiment", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=kind, dpi=PNG_DOTS_PER_INCH, metadata=dict.fromkeys(unwanted))
    figure.set_layout_engine("none")  # it is laid out now; a second format takes the same places
    return compact_svg(buffer.getvalue().decode("utf-8")).encode("utf-8") if kind == "svg" else buffer.getvalue()
