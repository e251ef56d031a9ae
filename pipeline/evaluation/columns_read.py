"""Which columns of a labelled file were evaluated and what their labels mean, so that a wrong guess is seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.columns import LABEL_NAMES, ColumnChoice, choose_columns, shortened
from pipeline.text_column import TEXT_NAMES, plain_name

NAMED = "named"
BY_NAME = "found by its name"
ONLY_OTHER = "the only other column"


def how_found(column: str, chosen: str | None, known: Collection[str]) -> str:
    """Return how a column was found.

    Args:
        column: the one that was taken.
        chosen: what the user said.
        known: names that need no choosing.
    """
    if chosen is not None:
        return NAMED
    return BY_NAME if plain_name(column) in known else ONLY_OTHER


def columns_read(names: Sequence[str], choice: ColumnChoice, labels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what the ``data`` entry of ``metrics.json`` says of the columns of a labelled file.

    Args:
        names: all columns.
        choice: what the user said.
        labels: of :meth:`pipeline.columns.LabelReader.read_as`.

    Raises:
        SentimentError: a column is not there or not plain by name.
    """
    text, label = choose_columns(names, choice, labelled=True)
    return {
        "text_column": text,
        "text_column_found": how_found(text, choice.text, TEXT_NAMES),
        "label_column": label,
        "label_column_found": how_found(str(label), choice.label, LABEL_NAMES),
        "label_positive": choice.positive,
        "labels_read": {name: list(values) for name, values in labels.items()},
    }


def columns_in_words(data: Mapping[str, Any]) -> str:
    """Return one line on the columns of a labelled file; empty where the ``data`` entry says nothing of them."""
    if "labels_read" not in data:
        return ""
    columns = [
        f"{kind} column {shortened(data[f'{kind}_column'])} ({data[f'{kind}_column_found']})"
        for kind in ("text", "label")
    ]
    classes = [
        f"{', '.join(map(shortened, values))} {'is' if len(values) == 1 else 'are'} {name}"
        for name, values in data["labels_read"].items()
        if values
    ]
    return f"{', '.join(columns)}: {', '.join(classes)}"
