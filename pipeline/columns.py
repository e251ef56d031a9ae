"""Which columns of a table are the text and the label, and which class a label means."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.errors import SentimentError
from pipeline.reviews import NEGATIVE, POSITIVE

TEXT_NAMES = ("text", "review", "review_text", "comment", "content", "sentence", "body", "message", "document")
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
    """One row as the file has it: its number from 1, the line it starts on (CSV), text and label."""

    row: int
    line: int | None
    text: str | None
    label: Any

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


def choose_column(
    names: Sequence[str], chosen: str | None, known: Sequence[str], kind: str, taken: str | None
) -> str | None:
    """Return the column that was chosen, or the only one with a known name; None where no name is known.

    Args:
        names: all columns.
        chosen: what the user said, if anything.
        known: names that need no choosing, in lower case.
        kind: "text" or "label".
        taken: column that is something else already.

    Raises:
        SentimentError: the chosen column is not there; several columns have a known name.
    """
    if chosen is not None:
        if names.count(chosen) != 1:
            reason = "stands there more than once" if chosen in names else "is not there"
            raise SentimentError(f"{kind} column {chosen!r} {reason}; the columns are {listed(names)}")
        return chosen
    found = [name for name in names if name != taken and name.strip().casefold() in known]
    if len(found) > 1:
        raise SentimentError(f"several {kind} columns: {listed(found)}; choose one with --{kind}-column")
    return found[0] if found else None


def choose_columns(names: Sequence[str], choice: ColumnChoice, *, labelled: bool) -> tuple[str, str | None]:
    """Return the names of the text column and, where there are labels, of the label column.

    Of two columns with one known the other is the other.

    Raises:
        SentimentError: a column is not there or not plain by name; the message has the candidates and the flag.
    """
    if labelled and choice.text is not None and choice.text == choice.label:
        raise SentimentError(f"column {choice.text!r} cannot be both text and label; the columns are {listed(names)}")
    label = choose_column(names, choice.label, LABEL_NAMES, "label", choice.text) if labelled else None
    text = choose_column(names, choice.text, TEXT_NAMES, "text", label)
    if labelled and len(names) == 2 and (text is None) != (label is None):
        other = names[1 - names.index(text or label or "")]
        text, label = text or other, label or other
    if text is None:
        raise SentimentError(f"which column is the text? say --text-column, one of {listed(names)}")
    if labelled and label is None:
        raise SentimentError(f"which column is the label? say --label-column, one of {listed(names)}")
    return text, label


class LabelReader:
    """Tells the class of a label; remembers across files which value means negative."""

    def __init__(self, positive: str | None) -> None:
        self._positive = None if positive is None else self._key(positive)
        self._negative: str | None = None
        self._known: dict[Any, int] = {}

    @staticmethod
    def _key(value: object) -> str:
        text = str(value).strip().casefold()
        number = WHOLE_NUMBER.fullmatch(text)
        return number[1] if number else text

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

    def _classify(self, record: Record) -> int:
        value = record.label
        if value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip():
            raise SentimentError(f"{record.place()} has no label; give it one or leave the row out")
        key = self._key(value)
        if self._positive is None:
            if key in CLASS_OF_VALUE:
                return CLASS_OF_VALUE[key]
            remedy = "say which label means positive with --label-positive"
        else:
            if key == self._positive:
                return POSITIVE
            self._negative = self._negative or key
            if key == self._negative:
                return NEGATIVE
            remedy = f"positive is {self._positive!r} and negative {self._negative!r}; leave other rows out"
        raise SentimentError(f"{record.place()}: label {shortened(value)} is neither positive nor negative; {remedy}")
