"""The ladder as text: the table's cells, the notes under it, ``ladder.md``, and the block in a README.

Everything is made from the content of ``ladder.json`` alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import SentimentError

LADDER_NAME = "ladder.json"
SCHEMA_VERSION = 1
BEGIN, END = "<!-- ladder -->", "<!-- /ladder -->"
HEADER = (
    "model",
    "accuracy",
    "95% interval",
    "seeds: from ... to",
    "leak-free",
    "calibration error",
    "training, CPU min",
    "before it, CPU min",
    "parameters",
    "MB",
    "reviews/s",
)
PICTURE_ALT = (
    "Accuracy with 95% intervals against reviews scored a second: the recipes, linear models, published results"
)

Ladder = Mapping[str, Any]
Rung = Mapping[str, Any]


def fraction(value: float | None) -> str:
    """Return a proportion with four digits; empty for None."""
    return "" if value is None else f"{value:.4f}"


def interval(bounds: Sequence[float] | None) -> str:
    """Return "low to high" with four digits; empty for None."""
    return "" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def minutes(value: float) -> str:
    """Return minutes with two significant figures, or in full from ten on."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"


def cost(entry: Mapping[str, Any] | None) -> str:
    """Return CPU minutes, minutes elsewhere apart, and a question mark where a part is not known."""
    if entry is None:
        return ""
    parts = [minutes(entry["cpu_minutes"])] if entry["cpu_minutes"] else []
    if entry["other_minutes"]:
        parts.append(f"{minutes(entry['other_minutes'])} on a GPU")
    if not entry["complete"]:
        parts.append("?")
    return " + ".join(parts) or "0"


def rate(speed: Mapping[str, Any] | None) -> str:
    """Return reviews a second with two significant figures at least; empty where it was not measured."""
    if speed is None:
        return ""
    value = float(speed["reviews_per_second"])
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


def megabytes(size: int | None) -> str:
    """Return bytes in millions; empty for None."""
    return "" if size is None else f"{size / 1e6:.1f}"


def cells(rung: Rung) -> list[str]:
    """Return a rung's cells of the table but its name, in the order of ``HEADER[1:]``."""
    spread = rung.get("accuracy_spread")
    costs = rung.get("cost") or {}
    parameters = rung.get("parameters")
    return [
        fraction(rung["accuracy"]),
        interval(rung["accuracy_interval"]),
        f"{len(rung['runs'])}: {interval(spread)}" if spread else "",
        fraction((rung.get("leak_free") or {}).get("accuracy")),
        fraction(rung.get("calibration_error")),
        cost(costs.get("own")),
        cost(costs.get("before")),
        "" if parameters is None else f"{parameters:,}",
        megabytes(rung.get("bytes")),
        rate(rung.get("speed")),
    ]


def label(rung: Rung) -> str:
    """Return a rung's name in Markdown: recipes as code, published results in italics."""
    forms = {"recipe": "`{}`", "published": "*{}*"}
    return forms.get(rung["kind"], "{}").format(rung["name"])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]


def ladder_table(ladder: Ladder) -> list[str]:
    """Return the lines of the ladder's table, the lowest rung first."""
    return table(HEADER, [[label(rung), *cells(rung)] for rung in ladder["rungs"]])


def accuracy_note(ladder: Ladder) -> str:
    """Return what the accuracies are of."""
    corpus = ladder["corpus"]
    note = (
        f"Accuracy on the {corpus['test_reviews']:,} test reviews of {corpus['name']}. The interval is Wilson's, for "
        "one draw of so many reviews; of several seeds it is that of their mean, beside the lowest and the highest. "
        "Leak-free leaves out test reviews with a near duplicate in training."
    )
    if corpus["sample"]:
        note += " This is the generated sample: its figures say nothing about real reviews."
    return note


def cost_note(ladder: Ladder) -> str:
    """Return what the costs hold."""
    note = (
        "Training is wall time x threads, the mean of the seeds. What comes *before it* is what the model started or "
        "learnt from, each once: its language model, the models that taught it, and theirs."
    )
    return note + lost_costs(ladder)


def lost_costs(ladder: Ladder) -> str:
    """Return what a question mark stands for; empty where there is none."""
    costs = [rung["cost"] for rung in ladder["rungs"] if rung.get("cost")]
    if all(entry["in_all"]["complete"] for entry in costs):
        return ""
    return " A question mark stands for a part whose cost is not recorded here."


def speed_note(ladder: Ladder) -> str:
    """Return how the speeds were measured."""
    timing, machine = ladder["timing"], ladder["machine"]
    cores = ", ".join([f"{machine['cores']} cores of {machine['processor']}", *machine["instruction_sets"]])
    note = (
        f"Speed is from text to probability ({cores}): all in turn on the same texts, {timing['rounds']} rounds of "
        f"{timing['texts']:,} other test reviews each, after a warm-up; medians. The linear models ran as scikit-learn "
        "runs them, on one core."
    )
    partly = [rung["timed_on_rows"] for rung in ladder["rungs"] if rung.get("timed_on_rows")]
    if partly:
        note += f" For their speed they were fitted on {partly[0]:,} reviews only."
    if any(rung["kind"] == "published" and rung.get("speed") for rung in ladder["rungs"]):
        note += " DistilBERT's is its architecture's from `make bench`: the network alone, in the faster precision."
    return note


def notes(ladder: Ladder) -> list[str]:
    """Return what a reader of the table has to know, a paragraph each, in Markdown."""
    lines = [accuracy_note(ladder), cost_note(ladder), speed_note(ladder)]
    if any(rung["kind"] == "published" for rung in ladder["rungs"]):
        lines.append("In italics: published, not run here; `ladder.json` names the papers.")
    return lines


def paragraphs(ladder: Ladder) -> list[str]:
    """Return the lines of the notes, an empty one after each."""
    return [line for note in notes(ladder) for line in (*textwrap.wrap(note, 120, break_on_hyphens=False), "")]


def ladder_markdown(ladder: Ladder, picture: str) -> str:
    """Return ``ladder.md``.

    Args:
        ladder: the content of ``ladder.json``.
        picture: address of the picture from where the page lies.
    """
    parts = [
        [
            rung["name"],
            part["what"],
            part["name"],
            "?" if part["minutes"] is None else minutes(part["minutes"]),
            f"{part['threads']:g}",
            part["device"],
            part["source"],
        ]
        for rung in ladder["rungs"]
        for part in (rung.get("cost") or {}).get("parts", ())
    ]
    validation = [
        [label(rung), fraction(rung["validation_accuracy"]), ", ".join(run["model"] for run in rung["runs"])]
        for rung in ladder["rungs"]
        if rung["kind"] == "recipe"
    ]
    conditions = [
        f"- Command: `{ladder['command']}`, {ladder['made_at']}.",
        f"- Load of the machine at the start: {ladder['timing']['load_average_at_start']}.",
        "- Versions: " + ", ".join(f"{name} {version}" for name, version in ladder["versions"].items()) + ".",
        *[f"- Left out: {name}, {reason}." for name, reason in ladder["left_out"].items()],
    ]
    sources = [f"- {rung['name']}: {rung['source']}." for rung in ladder["rungs"] if rung["kind"] == "published"]
    lines = ["# Accuracy ladder", "", f"![{PICTURE_ALT}]({picture})", "", *ladder_table(ladder), ""]
    lines += [*paragraphs(ladder), "## Runs", "", *table(("recipe", "validation accuracy", "models"), validation), ""]
    header = ("model", "what", "of", "minutes", "threads", "device", "source")
    lines += ["## Costs", "", *table(header, parts), ""]
    if sources:
        lines += ["## Published", "", *sources, ""]
    return "\n".join([*lines, "## Conditions", "", *conditions]) + "\n"


def readme_block(ladder: Ladder, picture: str) -> str:
    """Return what stands between the markers of a README: table, picture, notes."""
    return "\n".join(["", *ladder_table(ladder), "", f"![{PICTURE_ALT}]({picture})", "", *paragraphs(ladder), ""])


def require_markers(readme: str, name: str) -> None:
    """Check that a README has the two markers, once each, on lines of their own, in order.

    Raises:
        SentimentError: naming what to write.
    """
    lines = readme.split("\n")
    if lines.count(BEGIN) != 1 or lines.count(END) != 1 or lines.index(BEGIN) > lines.index(END):
        raise SentimentError(
            f"{name}: has no place for the ladder; write the lines {BEGIN} and {END} where it is to stand"
        )


def with_block(readme: str, block: str) -> str:
    """Return a README with the text between its markers replaced; they are known to be there."""
    before, rest = readme.split(f"{BEGIN}\n", 1)
    after = rest[rest.index(END) :]
    return f"{before}{BEGIN}\n{block}{after}"


def block_of(readme: str) -> str:
    """Return the text between a README's markers, which are known to be there."""
    return readme.split(f"{BEGIN}\n", 1)[1].split(END, 1)[0]
