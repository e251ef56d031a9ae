"""``comparison.html`` and the files beside it: two models on the same reviews.

As in ``report.html`` every number comes out of the figures by its key, here those of ``comparison.json``; the page
loads nothing and runs nothing. Reviews are shown as text, the longest cut in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from markupsafe import Markup
from pyarrow import csv

from pipeline.artifacts import StageOutput, to_json, to_utf8
from pipeline.evaluation.finished_report import Answers
from pipeline.report.comparison_figures import compared_sets, differences_figure, probabilities_figure
from pipeline.report.numbers import Numbers
from pipeline.report.pictures import Picture, write_pictures
from pipeline.report.readable_text import printable, readable, shortened
from pipeline.report.templates_of_pages import content_security_policy, template_text, templates

STYLES = ("report.css", "comparison.css")
CHARACTERS_SHOWN = 4_000
"""Of a review: sixty of them, each character escaped, stay far below the page's 3 MB."""
EXAMPLE_TITLES: Mapping[str, str] = {
    "only_a_right": "Only A gets right",
    "only_b_right": "Only B gets right",
    "same_class": "The same answer, the surest change",
}


def pictures(result: Mapping[str, Any]) -> dict[str, Picture]:
    """Return the figures of the comparison by file name."""
    return {
        "differences": Picture(
            "Difference of accuracy with 95% interval, for all reviews and for each group; the figures stand in the "
            "tables",
            lambda theme: differences_figure(compared_sets(printable_names(result)), theme),
        ),
        "probabilities": Picture(
            "Reviews by the probability that A and that B gives; those on the diagonal did not change",
            lambda theme: probabilities_figure(result["probabilities"]["joint_histogram"], theme),
        ),
    }


def only_one_right(a: Answers, b: Answers) -> pa.Table:
    """Return the reviews that only one model gets right: row, label, right (a or b), and both probabilities.

    Args:
        a: A's answers on N reviews.
        b: B's answers on the same.
    """
    right = a.predicted == a.labels
    chosen = np.flatnonzero(right != (b.predicted == b.labels))
    return pa.table(
        {
            "row": a.rows[chosen],
            "label": a.labels[chosen],
            "right": np.where(right[chosen], "a", "b"),
            "probability_a": a.probabilities[chosen],
            "probability_b": b.probabilities[chosen],
        }
    )


def verdict(result: Mapping[str, Any]) -> str:
    """Return ``better`` or ``worse`` where B's difference is significant; empty where it is not."""
    if result["p_value"] >= result["gate"]["significance"]:
        return ""
    return "better" if result["difference"]["accuracy"] > 0 else "worse"


def example_texts(texts: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """Return what the page shows of each review: head, tail, and how many characters between them are left out."""
    shown = {}
    for row, raw in texts.items():
        parts = shortened(readable(raw), CHARACTERS_SHOWN)
        shown[row] = {"head": parts.head, "tail": parts.tail, "left_out": parts.left_out}
    return shown


def printable_names(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with names, titles and commands that cannot reorder the page or act on a terminal."""

    def shown(value: Any) -> Any:
        if isinstance(value, str):
            return printable(value)
        if isinstance(value, list):
            return [shown(entry) for entry in value]
        if isinstance(value, Mapping):
            return {printable(key): shown(entry) for key, entry in value.items()}
        return value

    named = {key: shown(result[key]) for key in ("a", "b", "data", "command", "slices", "slices_left_out")}
    return {**result, **named}


def comparison_page(result: Mapping[str, Any], texts: Mapping[int, str], shown: Mapping[str, Mapping[str, str]]) -> str:
    """Return ``comparison.html``.

    Args:
        result: the content of ``comparison.json``.
        texts: of the reviews in its examples, by row; empty where they are not to be had.
        shown: pictures by name, each with ``alt, light, dark`` (addresses).
    """
    result = printable_names(result)
    numbers = Numbers(result)
    styles = [template_text(name) for name in STYLES]
    return (
        templates()
        .get_template("comparison.html.j2")
        .render(
            result=result,
            show=numbers.show,
            interval=numbers.interval,
            policy=content_security_policy(styles, ()),
            styles=[Markup(text) for text in styles],
            pictures=shown,
            verdict=verdict(result),
            texts=example_texts(texts),
            example_titles=EXAMPLE_TITLES,
        )
    )


def write_comparison(
    output: StageOutput, result: Mapping[str, Any], a: Answers, b: Answers, texts: Mapping[int, str]
) -> None:
    """Write all files of a comparison into a stage's output; the caller commits.

    Args:
        output: receives the files.
        result: the content of ``comparison.json``.
        a: A's answers on N reviews.
        b: B's answers on the same.
        texts: of the reviews in the examples, by row.
    """
    page = comparison_page(result, texts, write_pictures(output, pictures(result)))
    output.path("comparison.html").write_bytes(to_utf8(page))
    output.path("comparison.json").write_bytes(to_utf8(to_json(result)))
    with output.path("only_one_right.csv").open("wb") as stream:  # pyarrow takes no path that is not UTF-8
        csv.write_csv(only_one_right(a, b), stream)
