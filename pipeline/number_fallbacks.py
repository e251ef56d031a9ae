"""Which number of the vocabulary stands for one that it lacks: a year for a year, a score for a score.

Numbers are compared within their shape: ``1911`` with years, ``34th`` with ordinals, ``1880s`` with decades, whole
numbers by magnitude. Scores out of 5, 10 and 100 are compared as shares, and what is below 0 or above full marks counts
as that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])|\d*\.\d+|\d+")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)$")
_SCORE = re.compile(r"(?<![\d./:-])(-?\d+(?:\.\d+)?)/(100|10|5)(?![\d/])")
_YEAR = re.compile(r"(?:1[89]|20)\d\d$")
_WITH_UNIT = re.compile(r"\d+([a-z]{2,})$|([a-z]{3,})\d+$")
SMALLEST_SCORED_PART = 10
"""Scores of the vocabulary that stand for others are those out of 10 alone, which are many."""

Shape = tuple[str, tuple[float, ...]]


def shape_of(form: str) -> Shape:
    """Return a form with its numbers taken out, and the numbers."""
    kind = "year" if _YEAR.match(form) else ""
    numbers = [found.replace(",", "") for found in _NUMBER.findall(form)]
    shape = _ORDINAL.sub("th", _NUMBER.sub(lambda found: "0.0" if "." in found[0] else "0", form))
    return kind + shape, tuple(map(float, numbers))


def score_of(form: str) -> float | None:
    """Return the share of full marks, 0 to 1, that a form gives; None where it gives none, or several."""
    found = _SCORE.findall(form)
    if len(found) != 1:
        return None
    return min(max(float(found[0][0]) / float(found[0][1]), 0.0), 1.0)


def _distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(abs(math.log1p(a) - math.log1p(b)) for a, b in zip(one, other, strict=True))


class NumberFallbacks:
    """Finds the number that stands for another.

    Args:
        words: of the vocabulary, most frequent first; of equally near ones the first is taken.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = list(words)
        self._of_shape: dict[str, list[tuple[tuple[float, ...], str]]] = {}
        self._scores: list[tuple[float, str]] = []
        for word in self._words:
            if not any(map(str.isdecimal, word)) or not word.isascii():
                continue
            score = score_of(word)
            if score is not None and word.endswith(f"/{SMALLEST_SCORED_PART}"):
                self._scores.append((score, word))
            shape, numbers = shape_of(word)
            self._of_shape.setdefault(shape, []).append((numbers, word))

    def stand_in(self, form: str) -> str | None:
        """Return the word that stands for a form with digits; None where there is none of its shape."""
        score = score_of(form)
        if score is not None and self._scores:
            return min(self._scores, key=lambda known: abs(known[0] - score))[1]
        shape, numbers = shape_of(form)
        alike = self._of_shape.get(shape) or (self._of_shape.get("0") if shape == "0.0" else None)
        if not alike or not all(map(math.isfinite, numbers)):
            return None
        return min(alike, key=lambda known: _distance(known[0], numbers))[1]


def unit_of(form: str) -> str | None:
    """Return the letters behind or before a number, as in ``90mins`` and ``part1``; None for other forms."""
    found = _WITH_UNIT.match(form)
    return (found[1] or found[2]) if found else None
