"""Writes a benchmark as JSON, as a Markdown table with the ratios first, and as a picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from pipeline.artifacts import write_bytes_atomically, write_json_atomically, write_text_atomically
from pipeline.plots import LIGHT, render

JSON_NAME, MARKDOWN_NAME, PICTURE_NAME = "benchmark.json", "benchmark.md", "benchmark.png"
QUICK_WARNING = "a quick run, which shows that everything runs; its figures mean nothing"
SAMPLE_WARNING = "measured on the generated sample of short made-up reviews; figures say nothing about real ones"
Table = Mapping[str, Any]


def number(value: float) -> str:
    """Return a number with three significant figures, or its whole part where it has more digits."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def with_unit(value: float, unit: str) -> str:
    """Return a number with its unit; ``x`` stands right behind it."""
    return f"{number(value)}x" if unit == "x" else f"{number(value)} {unit}".rstrip()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]


def findings_table(findings: Sequence[Table]) -> list[str]:
    """Return the table of headlines; one without a value says so."""
    rows = []
    for finding in findings:
        value = "not measured" if finding["value"] is None else with_unit(finding["value"], finding["unit"])
        spread = "" if finding["spread"] is None else " to ".join(map(number, finding["spread"]))
        met = {True: "yes", False: "no", None: ""}[finding["met"]]
        rows.append([finding["title"], value, spread, finding["goal"] or "", met])
    return table(["what", "value", "from ... to", "goal", "met"], rows)


def section_lines(section: Table) -> list[str]:
    """Return one section: measures, failures, notes."""
    rows = [
        [
            name,
            with_unit(measure["median"], measure["unit"]),
            number(measure["min"]),
            number(measure["max"]),
            str(measure["repeats"]),
        ]
        for name, measure in section["measures"].items()
    ]
    lines = [f"## {section['title']}", "", *table(["measure", "median", "min", "max", "repeats"], rows), ""]
    if section["failures"]:
        lines += ["Not measured:", ""]
        lines += [f"- {peer}: {reason}" for peer, reason in section["failures"].items()] + [""]
    lines += [f"- {note}" for note in section["notes"]]
    others = section.get("cores_used_by_others")
    busy = "" if others is None else f"; other programs kept {others:.2f} cores busy meanwhile"
    return [*lines, f"- The section took {section['seconds']:.0f} s{busy}.", ""]


def conditions_lines(conditions: Table) -> list[str]:
    """Return what the figures were measured under."""
    machine, corpus = conditions["machine"], conditions["corpus"]
    rows = ", ".join(f"{count:,} {split}" for split, count in corpus["rows"].items())
    versions = ", ".join(f"{name} {version}" for name, version in conditions["versions"].items())
    load = conditions["load_average_at_start"]
    memory = machine.get("memory_bytes")
    lines = [
        f"- Command: `{conditions['command']}`, {conditions['date']}, {conditions['seconds']:.0f} s in all.",
        f"- Machine: {machine['processor']}, {', '.join(machine['instruction_sets'])}; {conditions['threads']} of "
        f"{machine['cores']} cores used" + (f"; {memory / (1 << 30):.0f} GiB." if memory else "."),
        f"- Corpus: {corpus['name']} ({rows}). Model: {conditions['model'] or 'none'}.",
        f"- Compiled kernels: {conditions['kernels']}.",
        f"- Versions: {versions}.",
    ]
    if load is not None:
        lines.append(f"- Load average at the start: {load:.2f}.")
    return [*lines, *(f"- **Warning:** {warning}." for warning in conditions["warnings"])]


def markdown(result: Table) -> str:
    """Return the whole report, ratios first."""
    lines = ["# Benchmark", ""]
    lines += [f"**{warning[0].upper()}{warning[1:]}.**\n" for warning in result["conditions"]["warnings"]]
    lines += ["Medians of the repeats; `a / b` is the median of a over the median of b, both from this one run.", ""]
    lines += [*findings_table(result["findings"]), "", "## Conditions", "", *conditions_lines(result["conditions"]), ""]
    for section in result["sections"].values():
        lines += section_lines(section)
    return "\n".join(lines).rstrip() + "\n"


def draw_ratios(axes: Axes, findings: Sequence[Table]) -> None:
    """Draw the ratios on a logarithmic axis, with their goals."""
    shown = [finding for finding in reversed(findings) if finding["denominator"] and finding["value"]]
    for place, finding in enumerate(shown):
        color = LIGHT.negative if finding["met"] is False else LIGHT.model
        axes.plot([1, finding["value"]], [place, place], color=color, linewidth=5, solid_capstyle="butt")
        label = f"  {number(finding['value'])}x"
        axes.text(max(finding["value"], 1), place, label, va="center", fontsize=8, color=LIGHT.ink)
        if finding["goal"]:
            axes.plot(float(finding["goal"].split()[1]), place, "|", color=LIGHT.ink, markersize=12)
    axes.set_yticks(range(len(shown)), [finding["title"] for finding in shown], fontsize=8)
    axes.set_ylim(-0.7, max(len(shown), 1) - 0.3)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: number(value))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.15)
    axes.axvline(1, color=LIGHT.other, linewidth=1)
    axes.set_xlabel("ratio of medians (logarithmic); | is the goal", color=LIGHT.ink)


def curve(section: Table, pattern: str) -> tuple[list[float], list[float]]:
    """Return a curve from a section's measures: the number in their names and their medians."""
    points = []
    for name, measure in section["measures"].items():
        match = re.fullmatch(pattern, name)
        if match:
            points.append((float(match[1].replace(",", "")), measure["median"]))
    points.sort()
    return [x for x, _ in points], [y for _, y in points]


def draw_curve(axes: Axes, x: Sequence[float], y: Sequence[float], xlabel: str, ylabel: str) -> None:
    """Draw one growth curve from zero."""
    axes.plot(x, y, "o-", color=LIGHT.model)
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{value:,.0f}" for value in x], fontsize=7)
    axes.minorticks_off()
    axes.set_ylim(bottom=0, top=max([1e-9, *y]) * 1.15)
    axes.set_xlabel(xlabel, color=LIGHT.ink)
    axes.set_ylabel(ylabel, color=LIGHT.ink)


GROWTH_CURVES = (
    (r"([\d,]+) rows, CPU microseconds a row", "rows", "CPU microseconds a row"),
    (r"([\d,]+) rows, peak memory of the process tree", "rows", "peak memory, MiB"),
    (r"([\d,]+) tokens a review, CPU seconds a million.*", "tokens a review", "CPU s a million tokens"),
)


def picture(result: Table) -> Figure:
    """Draw the ratios, and below them the growth curves where they were measured."""
    growth = result["sections"].get("growth", {"measures": {}})
    curves = [(curve(growth, pattern), xlabel, ylabel) for pattern, xlabel, ylabel in GROWTH_CURVES]
    curves = [entry for entry in curves if entry[0][0]]
    ratios = sum(1 for finding in result["findings"] if finding["denominator"] and finding["value"])
    above = 1.2 + 0.3 * max(ratios, 1)
    figure = Figure(figsize=(11, above + (3 if curves else 0)), facecolor=LIGHT.background, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2 if curves else 1, max(len(curves), 1), height_ratios=[above, 3] if curves else None)
    top = figure.add_subplot(grid[0, :])
    draw_ratios(top, result["findings"])
    for place, ((x, y), xlabel, ylabel) in enumerate(curves):
        draw_curve(figure.add_subplot(grid[1, place]), x, y, xlabel, ylabel)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color=LIGHT.faint, linewidth=0.6)
        axes.set_axisbelow(True)
    warnings = "; ".join(result["conditions"]["warnings"])
    title = result["conditions"]["machine"]["processor"] + f", {result['conditions']['threads']} cores"
    figure.suptitle(title + (f"\n{warnings}" if warnings else ""), fontsize=9, color=LIGHT.ink)
    return figure


def write_report(result: Table, folder: Path) -> list[Path]:
    """Write the three files, each whole or not at all; return their paths.

    Raises:
        SentimentError: the disk refused.
    """
    write_bytes_atomically(folder / PICTURE_NAME, render(picture(result), "png"))
    write_text_atomically(folder / MARKDOWN_NAME, markdown(result))
    write_json_atomically(folder / JSON_NAME, result)
    return [folder / name for name in (JSON_NAME, MARKDOWN_NAME, PICTURE_NAME)]
