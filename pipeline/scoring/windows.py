"""Windows: stretches of consecutive rows that go through the network together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.review_text import HTML_TAG, is_blank
from pipeline.scoring.reading_notes import Reading
from pipeline.scoring.rows import NO_OBJECT, Base64Value, Problem, RawValue, Row

WINDOW_ROWS = 256
"""Enough for batches of like length, few enough that all cores have work from the start to the end."""
WINDOW_CHARACTERS = 1 << 22
LONGEST_TEXT = 20_000  # characters; the longest review of IMDb has 14,282. It bounds the time and memory of one row
_ROW_CHARACTERS = 512  # what a row takes in memory beside its characters


class ProbabilityModel(Protocol):
    """What scoring asks of a model."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def threads(self) -> int:
        """How many threads beside the calling one may run :meth:`probabilities_of` at a time."""

    @property
    def fingerprint(self) -> str:
        """Changes with whatever the model answers."""

    def read(self, texts: Sequence[str]) -> Reading:
        """Return the texts as :meth:`probabilities_of` takes them, and what reading them has shown."""

    def probabilities_of(
        self, sequences: Sequence[Any], on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float64]:
        """Return the calibrated probabilities of the positive class, float64, (N,), in the order of the texts.

        Args:
            sequences: N encoded texts.
            on_batch: called now and then; its exceptions go through.
        """


@dataclass(slots=True)
class Window:
    """Consecutive rows that are scored together.

    Attributes:
        rows: as they go out.
        places: which of them have a text to score.
        sequences: those texts, encoded.
        characters: of the rows, what else they take in memory included.
        cut: how many texts were longer than the network reads.
        texts: those texts, where they are wanted again; else empty.
    """

    rows: list[Row]
    places: list[int]
    sequences: Sequence[Any]
    characters: int
    cut: int = 0
    texts: Sequence[str] = ()


def windows(rows: Iterable[Row], window_rows: int, window_characters: int) -> Iterator[list[Row]]:
    """Yield consecutive rows in lists of at most so many, fewer where they take many characters."""
    window: list[Row] = []
    characters = 0
    for row in rows:
        window.append(row)
        characters += _characters_of(row)
        if len(window) >= window_rows or characters >= window_characters:
            full, window, characters = window, [], 0
            del row
            yield full
            del full
    if window:
        yield window


def _characters_of(row: Row) -> int:
    return (row.characters or sum(map(len, row.fields))) + _ROW_CHARACTERS


def text_to_score(row: Row, text_index: int) -> str | None:
    """Return a row's text as the model gets it, None of one that has none; note on the row why it is not the cell's."""
    text = row.fields[text_index]
    if isinstance(text, Base64Value):
        row.problems.append(Problem("not a text", "bytes that are no UTF-8"))
        return None
    if isinstance(text, RawValue) and text:  # an empty one is no value
        row.problems.append(Problem("not a text", text if len(text) <= 40 else text[:37] + "..."))
        return None
    if is_blank(text):
        if NO_OBJECT not in (problem.kind for problem in row.problems):  # which says it all
            row.problems.append(Problem("blank text"))
        return None
    if len(text) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        detail = f"of {len(text)} characters the first and last {half} were scored"
        row.problems.append(Problem("long text", detail, is_note=True))
        text = f"{text[:half]} {text[-half:]}"
    if "<" in text and HTML_TAG.search(text):
        row.problems.append(Problem("HTML tags", "read as words; strip them first", is_note=True))
    return text


def encoded_windows(
    rows: Iterable[Row], text_index: int, model: ProbabilityModel, window_rows: int, *, keep_texts: bool = False
) -> Iterator[Window]:
    """Yield the rows in windows, their texts encoded."""
    for window in windows(rows, window_rows, WINDOW_CHARACTERS):
        maybe_texts = [text_to_score(row, text_index) for row in window]
        places = [place for place, text in enumerate(maybe_texts) if text is not None]
        texts = [text for text in maybe_texts if text is not None]
        reading = model.read(texts)
        for place, note in zip(places, reading.notes, strict=True):
            if note is not None:
                window[place].problems.append(note)
        characters = sum(map(_characters_of, window))
        del maybe_texts
        yield Window(window, places, reading.sequences, characters, reading.cut, texts if keep_texts else ())
        del window, texts, reading  # the next ones may be large too
