"""Puts labels into a figure so that none lies on another: beside points in a plane, or in a column at the right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

LABEL_SIZE = 9.5
"""Points."""
SIDES = ((1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1))
DISTANCES = (9.0, 15.0, 24.0, 36.0, 50.0, 66.0, 84.0)
"""Of a label from its point, in points."""
NEAR = 15.0
"""Farther labels are tied to their point by a line."""
HORIZONTAL: dict[int, Literal["left", "center", "right"]] = {1: "left", 0: "center", -1: "right"}
VERTICAL: dict[int, Literal["bottom", "center", "top"]] = {1: "bottom", 0: "center", -1: "top"}


@dataclass(frozen=True)
class Point:
    """A point with an upright interval, to be labelled; in the axes' own numbers."""

    text: str
    x: float
    y: float
    low: float
    high: float
    color: str


def spread_out(wanted: Sequence[float], heights: Sequence[float]) -> NDArray[np.float64]:
    """Return middles of things that do not overlap, in the order of the wanted ones and as near to them as can be.

    Args:
        wanted: middles, ascending.
        heights: of each, at least 0.
    """
    sizes = np.asarray(heights, dtype=np.float64)
    offsets = np.cumsum(sizes) - (sizes + sizes[:1].sum()) / 2  # of the middles, were all stacked on the first
    groups: list[tuple[float, int]] = []  # of neighbours that touch: mean of wanted - offset, and how many
    for position, offset in zip(wanted, offsets, strict=True):
        mean, size = position - float(offset), 1
        while groups and groups[-1][0] >= mean:
            before, count = groups.pop()
            mean, size = (mean * size + before * count) / (size + count), size + count
        groups.append((mean, size))
    starts = [mean for mean, size in groups for _ in range(size)]
    return np.asarray(np.asarray(starts) + offsets, dtype=np.float64)


def overlap(first: Bbox, second: Bbox) -> float:
    """Return the area that two boxes share."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return float(max(width, 0.0) * max(height, 0.0))


def outside(box: Bbox, frame: Bbox) -> float:
    """Return the area of a box beyond a frame."""
    return float(box.width * box.height) - overlap(box, frame)


def boxes_of(axes: Axes, point: Point) -> tuple[Bbox, Bbox]:
    """Return the boxes, in pixels, of a point's marker and interval."""
    pixels = axes.figure.dpi / 72
    x, y = axes.transData.transform((point.x, point.y))
    ends = axes.transData.transform([(point.x, point.low), (point.x, point.high)])
    marker = Bbox([[x - 6 * pixels, y - 6 * pixels], [x + 6 * pixels, y + 6 * pixels]])
    return marker, Bbox([[x - 2 * pixels, ends[0][1]], [x + 2 * pixels, ends[1][1]]])


def put(label: Annotation, side: tuple[int, int], distance: float) -> None:
    """Put a label on one side of its point, ``distance`` points away."""
    label.set_position((side[0] * distance, side[1] * distance))
    label.set_horizontalalignment(HORIZONTAL[side[0]])
    label.set_verticalalignment(VERTICAL[side[1]])


def box_beside(x: float, y: float, size: Bbox, side: tuple[int, int], distance: float) -> Bbox:
    """Return the box, with a little room around it, of a text that :func:`put` puts beside (x, y); all in pixels."""
    corners = []
    for position, extent, towards in ((x, size.width, side[0]), (y, size.height, side[1])):
        start = position + towards * distance - extent * (1 - towards) / 2
        corners.append((start - 2, start + extent + 2))
    return Bbox([[corners[0][0], corners[1][0]], [corners[0][1], corners[1][1]]])


def place_labels(axes: Axes, points: Sequence[Point], heights: Sequence[float]) -> list[Annotation]:
    """Label each point, from the highest down, near it and where its label covers least.

    It does not cover another label or a point as long as there is any room; an interval or a line it may, for nearness.

    Args:
        axes: of a figure whose layout is settled.
        points: to be labelled.
        heights: where lines run across, which labels had better not cover.

    Returns:
        The labels, in the order they were placed.
    """
    frame = axes.get_window_extent()
    taken, intervals = map(list, zip(*(boxes_of(axes, point) for point in points), strict=True)) if points else ([], [])
    pixels = [float(axes.transData.transform((1, height))[1]) for height in heights]
    lines = [Bbox([[frame.x0, y - 1], [frame.x1, y + 1]]) for y in pixels]
    labels = []
    for point in sorted(points, key=lambda point: -point.y):
        label = axes.annotate(
            point.text, (point.x, point.y), (0, 0), textcoords="offset points", color=point.color, fontsize=LABEL_SIZE
        )
        label.set_in_layout(False)
        label.set_linespacing(1.0)
        size, (x, y) = label.get_window_extent(), axes.transData.transform((point.x, point.y))
        best, least = (SIDES[0], DISTANCES[0]), math.inf
        for distance, side in itertools.product(DISTANCES, SIDES):
            box = box_beside(x, y, size, side, distance * axes.figure.dpi / 72)
            covered = 1000 * (sum(overlap(box, other) for other in taken) + outside(box, frame))
            covered += 10 * sum(overlap(box, interval) for interval in intervals)
            covered += 0.3 * sum(overlap(box, line) for line in lines) + distance * distance / 12
            if covered < least:
                best, least = (side, distance), covered
        put(label, *best)
        if best[1] > NEAR:
            tie(axes, point, label)
        taken.append(label.get_window_extent().padded(2))
        labels.append(label)
    return labels


def tie(axes: Axes, point: Point, label: Annotation) -> None:
    """Draw a thin line from a point to its label."""
    style = {"arrowstyle": "-", "color": point.color, "linewidth": 0.7, "alpha": 0.7, "shrinkA": 0, "shrinkB": 5}
    line = axes.annotate("", (point.x, point.y), label.get_position(), textcoords="offset points", arrowprops=style)
    line.set_in_layout(False)


def label_lines(axes: Axes, lines: Sequence[tuple[float, str, str]], line_height: float) -> list[Annotation]:
    """Name lines that run across in a column at the right of the axes; return the names, from the lowest up.

    Args:
        axes: whose layout is to make room for them.
        lines: height, name and colour of each.
        line_height: of a line of text, in the axes' numbers.
    """
    lines = sorted(lines)
    across = axes.get_yaxis_transform()
    names = []
    tall = [line_height * (name.count("\n") + 1) for _, name, _ in lines]
    for (height, name, color), position in zip(lines, spread_out([line[0] for line in lines], tall), strict=True):
        names.append(
            axes.annotate(
                name,
                (1, height),
                (1.035, position),
                xycoords=across,
                textcoords=across,
                va="center",
                color=color,
                fontsize=LABEL_SIZE,
                arrowprops={
                    "arrowstyle": "-",
                    "color": color,
                    "linewidth": 0.8,
                    "shrinkA": 1,
                    "shrinkB": 0,
                    "relpos": (0, 0.5),
                },
            )
        )
    return names
