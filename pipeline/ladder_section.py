"""The ladder as the report of one model shows it: a section with picture and table, from the ``ladder.json`` beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json
from pipeline.errors import SentimentError
from pipeline.ladder_peers import NOT_RUN_HERE
from pipeline.ladder_plot import ladder_figure
from pipeline.ladder_table import (
    LADDER_NAME,
    PICTURE_ALT,
    SCHEMA_VERSION,
    Ladder,
    Rung,
    cost,
    lost_costs,
    megabytes,
    rate,
    speed_note,
)
from pipeline.plots import DARK, LIGHT, render

HEADER = ("Accuracy", "95% interval", "Training, CPU min", "MB", "Reviews/s")


def percent(value: float | None) -> str:
    """Return a proportion as the report writes it; empty for None."""
    return "" if value is None else f"{value:.2%}"


def section_cells(rung: Rung) -> list[str]:
    """Return a rung's cells in the order of ``HEADER``; the cost is that of all it took."""
    bounds = rung["accuracy_interval"]
    return [
        percent(rung["accuracy"]),
        "" if bounds is None else f"{percent(bounds[0])} to {percent(bounds[1])}",
        cost((rung.get("cost") or {}).get("in_all")),
        megabytes(rung.get("bytes")),
        rate(rung.get("speed")),
    ]


def section_notes(ladder: Ladder) -> list[str]:
    """Return what a reader of the section's columns has to know, a paragraph each."""
    corpus = ladder["corpus"]
    found = [
        f"Accuracy on the {corpus['test_reviews']:,} test reviews of {corpus['name']}, with Wilson's interval; of a "
        "recipe with several seeds that of their mean.",
        "Training is wall time x threads, with all that the model started or learnt from, each once."
        + lost_costs(ladder),
        speed_note(ladder).replace("`", "") + " The speed under Reproduce is that of the run which made this page.",
    ]
    papers = {rung["name"]: rung["source"] for rung in ladder["rungs"] if rung["kind"] == "published"}
    sources = "; ".join(f"{name}: {source.removeprefix(f'{NOT_RUN_HERE}: ')}" for name, source in papers.items())
    return [*found, *([f"{NOT_RUN_HERE.capitalize()}: {sources}."] if sources else [])]


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
            "notes": section_notes(ladder),
            "alt": PICTURE_ALT,
            "light": render(ladder_figure(ladder, LIGHT), "svg"),
            "dark": render(ladder_figure(ladder, DARK), "svg"),
        }
    except (SentimentError, KeyError, TypeError, ValueError):
        return None  # an evaluation is not to fail for a file that it only shows
