"""Cuts of a review: some of its words in a row, or one of its sentences.

Words are white-space-separated, HTML breaks being white space. What is kept is kept letter by letter, the breaks inside
it included; a text that has no more than what is to be kept stays as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import islice, pairwise

from pipeline.review_text import HTML_BREAK

GAP = re.compile(rf"(?:\s+|(?i:{HTML_BREAK.pattern}))+")
SENTENCE_END = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*$")
ABBREVIATION = re.compile(r"\W?(?:[a-z]|mr|mrs|ms|dr|st|vs|jr|sr|etc)\.$", re.IGNORECASE)
FEWEST_WORDS = 3
"""Of a sentence; a shorter one (``Wow!``) counts as part of its neighbour."""

Spans = Sequence[tuple[int, int]]
Cut = Callable[[str, random.Random], str]


def word_spans(text: str, enough: int | None = None) -> Spans:
    """Return where each word of a text starts and ends; past the first ``enough`` the rest may count as one word."""
    gaps = [gap.span() for gap in islice(GAP.finditer(text), None if enough is None else enough + 1)]
    starts, ends = [0, *(end for _, end in gaps)], [*(start for start, _ in gaps), len(text)]
    return [span for span in zip(starts, ends, strict=True) if span[0] < span[1]]


def stretch(text: str, spans: Spans, kept: slice) -> str:
    """Return the text from the first to the last of the words kept; all of it where all are kept, or none is."""
    chosen = spans[kept]
    return text if len(chosen) in (0, len(spans)) else text[chosen[0][0] : chosen[-1][1]]


def first_words(count: int) -> Cut:
    """Return the cut that keeps the first ``count`` words."""
    return lambda text, _: stretch(text, word_spans(text, count), slice(count))


def last_words(count: int) -> Cut:
    """Return the cut that keeps the last ``count`` words."""
    return lambda text, _: stretch(text, word_spans(text), slice(-count, None))


def middle_third(text: str, _: random.Random) -> str:
    """Return the middle third of the words; a text of fewer than three words stays."""
    spans = word_spans(text)
    return stretch(text, spans, slice(len(spans) // 3, len(spans) - len(spans) // 3))


def sentence_edges(text: str, spans: Spans) -> list[int]:
    """Return how many words stand before each end of a sentence inside the text: marks after a word, or a break."""
    edges = []
    for count, ((start, end), (following, _)) in enumerate(pairwise(spans), start=1):
        word = text[start:end]
        marked = SENTENCE_END.search(word) and not ABBREVIATION.match(word)
        if marked or HTML_BREAK.search(text, end, following):
            edges.append(count)
    return edges


def first_sentence(text: str, _: random.Random) -> str:
    """Return the first sentence of three words or more, with what stands before it."""
    spans = word_spans(text)
    edges = (edge for edge in sentence_edges(text, spans) if edge >= FEWEST_WORDS)
    return stretch(text, spans, slice(next(edges, None)))


def last_sentence(text: str, _: random.Random) -> str:
    """Return the last sentence of three words or more, with what stands after it."""
    spans = word_spans(text)
    edges = (edge for edge in reversed(sentence_edges(text, spans)) if len(spans) - edge >= FEWEST_WORDS)
    return stretch(text, spans, slice(next(edges, None), None))
