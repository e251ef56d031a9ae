"""What the error browser of the page shows: lists of reviews, each with the pushes of its words, in few bytes.

The size is bounded whatever was evaluated: long reviews are cut first, then the lists get shorter. Places in a text are
counted in UTF-16 code units, as JavaScript counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.metrics import THRESHOLD
from pipeline.report.chosen_reviews import LARGEST_LIST, ReviewList, chosen_reviews
from pipeline.report.evaluated import Evaluated
from pipeline.report.page_json import page_json
from pipeline.report.readable_text import ReadableText, shortened
from pipeline.scoring.explanation import strongest

LARGEST_JSON = 1_300_000
"""Bytes."""
SIZES = ((20_000, LARGEST_LIST), (6_000, 100), (3_000, 100), (2_000, 100), (1_000, 100), (1_000, 50), (1_000, 20))
"""Characters of a review and reviews of a list, tried in turn. The last always fits: no character takes more than six
bytes, no word's place more than eight for two characters."""
SMALLEST_SHADED = 0.1
"""Words of weaker pushes are left unshaded; they are about five of six."""
PUSH_STEPS = 100
"""Pushes are kept in steps of 1 / PUSH_STEPS."""
STRONGEST_WORDS = 10
LONGEST_WORD = 40
"""Characters of a strongest word that are shown."""

Span = tuple[int, int, float]


def utf16_length(text: str) -> int:
    """Return how many UTF-16 code units a text takes."""
    return len(text) + sum(character > "\uffff" for character in text)


def readable_spans(text: ReadableText, spans: Iterable[Span]) -> list[Span]:
    """Return spans of a raw text as spans of the readable one, in order; those that vanish or overlap are left out."""
    found: list[Span] = []
    passed = 0
    for start, end, push in sorted(spans):
        start, end = text.place(start), text.place(end)
        if passed <= start < end:
            found.append((start, end, push))
            passed = end
    return found


def shortened_spans(spans: Iterable[Span], head: int, left_out: int) -> list[Span]:
    """Return the spans that lie in the first ``head`` characters or behind the ``left_out`` ones after them."""
    found: list[Span] = []
    for start, end, push in spans:
        if end <= head:
            found.append((start, end, push))
        elif start >= head + left_out:
            found.append((start - left_out, end - left_out, push))
    return found


def coded_spans(text: str, spans: Iterable[Span]) -> list[int]:
    """Return shaded words as a flat list: of each the code units since the one before, its own, its push in steps."""
    coded: list[int] = []
    passed = 0
    for start, end, push in spans:
        if abs(push) >= SMALLEST_SHADED:
            coded += [utf16_length(text[passed:start]), utf16_length(text[start:end]), round(push * PUSH_STEPS)]
            passed = end
    return coded


def strongest_words(text: str, spans: Sequence[Span]) -> list[list[Any]]:
    """Return the words that pushed most, those of one spelling added up, each as ``[word, push]``."""
    words = [text[start:end] for start, end, _ in spans]
    found = strongest(words, [push for _, _, push in spans], STRONGEST_WORDS)
    return [[shown_word(word_push.word), round(word_push.push, 2)] for word_push in found]


def shown_word(word: str) -> str:
    """Return a word, a very long one cut."""
    return word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "\N{HORIZONTAL ELLIPSIS}"


class ReviewEntries:
    """Makes the entries of reviews in the page's data, and explains each review once.

    Args:
        evaluated: what they come from.
    """

    def __init__(self, evaluated: Evaluated) -> None:
        self._evaluated = evaluated
        self._known: dict[int, tuple[ReadableText, list[Span]]] = {}

    def entry(self, position: int, characters: int) -> dict[str, Any]:
        """Return the entry of the review at a position, its text cut to at most ``characters``.

        ``cut`` says after how many code units of ``text`` how many characters are left out; null where none are.
        """
        evaluated, data = self._evaluated, self._evaluated.data
        readable, spans = self._explained(position)
        parts = shortened(readable.text, characters)
        text = parts.head + parts.tail
        shown = shortened_spans(spans, len(parts.head), parts.left_out)
        probability = float(evaluated.probabilities[position])
        return {
            "row": int(data.rows[position]),
            "truth": int(data.labels[position]),
            "predicted": int(probability >= THRESHOLD),
            "probability": round(probability, 6),
            "words": len(readable.text.split()),
            "leak_free": None if data.leak_free is None else bool(data.leak_free[position]),
            "groups": [int(slicing.membership[position]) for slicing in evaluated.slicings],
            "text": text,
            "cut": [utf16_length(parts.head), parts.left_out] if parts.left_out else None,
            "strongest": strongest_words(readable.text, spans),
            "spans": coded_spans(text, shown),
        }

    def _explained(self, position: int) -> tuple[ReadableText, list[Span]]:
        if position not in self._known:
            raw = self._evaluated.data.texts[position]
            readable = ReadableText.of(raw)
            spans = self._evaluated.explain(raw) if self._evaluated.explain else []
            self._known[position] = readable, readable_spans(readable, spans)
        return self._known[position]


def browser_data(
    evaluated: Evaluated, lists: Sequence[ReviewList], entry: Callable[[int], dict[str, Any]]
) -> dict[str, Any]:
    """Return the page's data with these lists."""
    places = {position: place for place, position in enumerate(sorted({p for each in lists for p in each.positions}))}
    return {
        "explained": evaluated.explain is not None,
        "push_steps": PUSH_STEPS,
        "lists": [
            {
                "name": each.name,
                "title": each.title,
                "among": each.among,
                "reviews": [places[position] for position in each.positions],
            }
            for each in lists
        ],
        "slicings": [
            {"name": slicing.name, "title": slicing.title, "groups": list(slicing.groups)}
            for slicing in evaluated.slicings
        ],
        "reviews": [entry(position) for position in places],
    }


def error_browser(evaluated: Evaluated, largest_json: int = LARGEST_JSON) -> dict[str, Any]:
    """Return the data of the error browser, at most ``largest_json`` bytes as :func:`page_json` writes them.

    Returns:
        ``explained`` (whether words have pushes), ``push_steps``, ``lists`` (places among the reviews, in order),
        ``slicings`` (titles and names of the groups), ``reviews`` (:meth:`ReviewEntries.entry`).
    """
    entries = ReviewEntries(evaluated)
    lists = chosen_reviews(evaluated.data.texts, evaluated.data.labels, evaluated.probabilities)
    found: dict[str, Any] = {}
    for characters, count in SIZES:
        shorter = [replace(each, positions=each.positions[:count]) for each in lists]
        found = browser_data(evaluated, shorter, partial(entries.entry, characters=characters))
        if len(page_json(found).encode("utf-8")) <= largest_json:
            break
    return found
