"""Which columns of a table are the text and the label, and which class a label means."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.errors import SentimentError
from pipeline.reviews import NEGATIVE, POSITIVE
from pipeline.text_column import TEXT_NAMES, columns_named, plain_name

LABEL_NAMES = ("label", "sentiment", "class", "target", "polarity")
CLASS_OF_VALUE = {
    **dict.fromkeys(("1", "positive", "pos", "true"), POSITIVE),
    **dict.fromkeys(("0", "negative", "neg", "false"), NEGATIVE),
}
WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")
LONGEST_QUOTE = 40
"""Characters of a value or name that an error message repeats."""


@dataclass(frozen=True)
class ColumnChoice:
    """What the user said about the columns; None is found by name.

    Attributes:
        text: name of the column of texts.
        label: name of the column of labels.
        positive: the label that means positive; the one other label then means negative.
    """

    text: str | None = None
    label: str | None = None
    positive: str | None = None


class Record(NamedTuple):
    """One row as the file has it: its number from 1, the line it starts on (CSV), text, label and stars."""

    row: int
    line: int | None
    text: str | None
    label: Any
    rating: Any = None

    def place(self) -> str:
        """Return where the row stands, for a message."""
        return f"row {self.row}" if self.line is None else f"row {self.row} (line {self.line})"


def shortened(value: object) -> str:
    """Return a value in quotation marks on one line, cut where it is long."""
    text = repr(str(value))
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 4] + "...'"


def listed(names: Sequence[str]) -> str:
    """Return column names for a message."""
    return ", ".join(shortened(name) for name in names)


def named_column(names: Sequence[str], chosen: str, kind: str) -> str:
    """Return the column that the user chose; its case may differ.

    Args:
        names: all columns.
        chosen: what the user said.
        kind: "text" or "label".

    Raises:
        SentimentError: it is not there, or more than once.
    """
    found = columns_named(names, chosen)
    if len(found) != 1:
        reason = "stands there more than once" if found else "is not there"
        raise SentimentError(f"{kind} column {chosen!r} {reason}; the columns are {listed(names)}")
    return names[found[0]]


def known_column(names: Sequence[str], known: Collection[str], kind: str, taken: str | None) -> str | None:
    """Return the only column with a known name; None where there is none.

    Args:
        names: all columns.
        known: names that need no choosing, as :func:`plain_name` gives them.
        kind: "text" or "label".
        taken: column that is something else already.

    Raises:
        SentimentError: several columns have a known name.
    """
    found = [name for name in names if name != taken and plain_name(name) in known]
    if len(found) > 1:
        raise SentimentError(f"several {kind} columns: {listed(found)}; choose one with --{kind}-column")
    return found[0] if found else None


def choose_columns(names: Sequence[str], choice: ColumnChoice, *, labelled: bool) -> tuple[str, str | None]:
    """Return the names of the text column and, where there are labels, of the label column.

    Of two columns with one known the other is the other.

    Raises:
        SentimentError: a column is not there or not plain by name; the message has the candidates and the flag.
    """
    text = None if choice.text is None else named_column(names, choice.text, "text")
    label = None if choice.label is None or not labelled else named_column(names, choice.label, "label")
    if text is not None and text == label:
        raise SentimentError(f"column {text!r} cannot be both text and label; the columns are {listed(names)}")
    if label is None and labelled:
        label = known_column(names, LABEL_NAMES, "label", text)
    if text is None:
        text = known_column(names, TEXT_NAMES, "text", label)
    if labelled and len(names) == 2 and (text is None) != (label is None):
        other = names[1 - names.index(text or label or "")]
        text, label = text or other, label or other
    if text is None:
        raise SentimentError(
            f"which column is the text? say --text-column (make: TEXT_COLUMN=), one of {listed(names)}"
        )
    if labelled and label is None:
        raise SentimentError(
            f"which column is the label? say --label-column (make: LABEL_COLUMN=), one of {listed(names)}"
        )
    return text, label


def label_key(value: object) -> str:
    """Return a label without case and blanks, and a whole number without its zeros (``1.0``)."""
    text = str(value).strip().casefold()
    number = WHOLE_NUMBER.fullmatch(text)
    return number[1] if number else text


def telling_names(names: Sequence[str], positive: str | None) -> Sequence[str]:
    """Return the names that a source gives to the labels 0, 1, ... where they tell the classes; else none.

    They do where the label that means positive is among them, or, where none was named, a word such as ``pos`` is.
    Other names (``LABEL_0``) leave it to the numbers.
    """
    keys = {label_key(name) for name in names}
    told = not keys.isdisjoint(CLASS_OF_VALUE) if positive is None else label_key(positive) in keys
    return names if told else ()


class LabelReader:
    """Tells the class of a label; remembers across files which value means negative."""

    def __init__(self, positive: str | None) -> None:
        self._positive = None if positive is None else label_key(positive)
        self._negative: str | None = None
        self._known: dict[Any, int] = {}

    def read(self, record: Record) -> int:
        """Return 1 or 0 for a row's label.

        Raises:
            SentimentError: the label is missing or is neither class.
        """
        value = record.label
        label = self._known.get(value)
        if label is None:
            label = self._classify(record)
            self._known[value] = label
        return label

    def read_as(self) -> dict[str, list[str]]:
        """Return the labels read as ``positive`` and as ``negative``, sorted, as :func:`label_key` gives them."""
        labels: dict[str, set[str]] = {"positive": set(), "negative": set()}
        for value, number in self._known.items():
            labels["positive" if number == POSITIVE else "negative"].add(label_key(value))
        return {name: sorted(values) for name, values in labels.items()}

    def _classify(self, record: Record) -> int:
        value = record.label
        if value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip():
            raise SentimentError(f"{record.place()} has no label; give it one or leave the row out")
        key = label_key(value)
        if self._positive is None:
            if key in CLASS_OF_VALUE:
                return CLASS_OF_VALUE[key]
            remedy = "name the positive one of two labels with --label-positive (make: LABEL_POSITIVE=)"
        else:
            if key == self._positive:
                return POSITIVE
            self._negative = self._negative or key
            if key == self._negative:
                return NEGATIVE
            remedy = (
                f"--label-positive says {self._positive!r}, and {self._negative!r} was taken for negative; "
                "name another positive label, or leave such rows out"
            )
        raise SentimentError(f"{record.place()}: label {shortened(value)} is neither positive nor negative; {remedy}")
