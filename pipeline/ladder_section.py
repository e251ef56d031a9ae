"""The ladder as the report of one model shows it: a section with picture and table, from the ``ladder.json`` beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json
from pipeline.errors import SentimentError
from pipeline.ladder_plot import ladder_figure
from pipeline.ladder_table import (
    LADDER_NAME,
    PICTURE_ALT,
    SCHEMA_VERSION,
    Rung,
    cost,
    fraction,
    interval,
    megabytes,
    notes,
    rate,
)
from pipeline.plots import DARK, LIGHT, render

HEADER = ("Accuracy", "95% interval", "Training, CPU min", "MB", "Reviews/s")


def section_cells(rung: Rung) -> list[str]:
    """Return a rung's cells in the order of ``HEADER``; the cost is that of all it took."""
    return [
        fraction(rung["accuracy"]),
        interval(rung["accuracy_interval"]),
        cost((rung.get("cost") or {}).get("in_all")),
        megabytes(rung.get("bytes")),
        rate(rung.get("speed")),
    ]


def holds_model(rung: Rung, name: str) -> bool:
    """Say whether a rung is that of a model."""
    return any(run["model"] == name for run in rung.get("runs", ()))


def ladder_section(reports_folder: Path, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the report shows of the ladder.

    Args:
        reports_folder: may hold ``ladder.json``.
        metrics: of the report's model.

    Returns:
        ``header``, ``rows`` (name, is_model, published, cells), ``notes``, ``alt`` and the picture as ``light`` and
        ``dark`` SVG; None without a ladder, with one of other data than the report's, or a damaged one.
    """
    path = reports_folder / LADDER_NAME
    if not path.is_file():
        return None
    try:
        ladder = read_json(path, "run `sentiment ladder` again")
        if ladder["schema_version"] != SCHEMA_VERSION:
            return None
        if ladder["corpus"]["fingerprint"] != metrics["data"].get("fingerprint"):
            return None
        rows = [
            {
                "name": rung["name"],
                "is_model": holds_model(rung, metrics["model"]["name"]),
                "published": rung["kind"] == "published",
                "cells": section_cells(rung),
            }
            for rung in ladder["rungs"]
        ]
        return {
            "header": HEADER,
            "rows": rows,
            "notes": [note.replace("`", "").replace("*", "") for note in notes(ladder)],
            "alt": PICTURE_ALT,
            "light": render(ladder_figure(ladder, LIGHT), "svg"),
            "dark": render(ladder_figure(ladder, DARK), "svg"),
        }
    except (SentimentError, KeyError, TypeError, ValueError):
        return None  # an evaluation is not to fail for a file that it only shows
