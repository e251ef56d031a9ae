"""Words by which reviews are told apart: negations and words of contrast, counted for each 100 words of a review.

A long review has some of either, so that their number alone would say how long a review is; their density does not. Of
scores that a review states only whether there is one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.review_text import HTML_BREAK

NEGATION_WORDS = (
    *("not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "cannot", "without"),
    *("hardly", "barely", "scarcely"),
)
NEGATION_WITHOUT_APOSTROPHE = (
    *("aint", "arent", "cant", "couldnt", "didnt", "doesnt", "dont", "hadnt", "hasnt", "havent", "isnt", "shouldnt"),
    *("wasnt", "werent", "wont", "wouldnt"),
)
"""Contractions as they are often typed."""
CONTRAST_WORDS = (
    *("but", "although", "though", "however", "despite", "in spite of", "yet", "nevertheless", "nonetheless"),
    "whereas",
)
TEXTS_PER_WINDOW = 5_000


def whole_words(words: Sequence[str]) -> str:
    """Return a pattern of any of the words, not inside a longer one (letters, digits and _ of ASCII)."""
    return rf"\b(?:{'|'.join(map(re.escape, words))})\b".replace(r"\ ", " ")


SCORE_FIGURES = r"(?:10|[0-9])(?:[.,][0-9]{1,2}| ?½| 1/2)?"
STATED_SCORE = (
    rf"(?:^|[^0-9A-Za-z/]){SCORE_FIGURES}"
    r"(?: ?/ ?(?:10|5)(?:$|[^0-9A-Za-z_/])|[ -]out[ -]of[ -](?:10|5)\b|[ -]?stars?\b)"
)
"""A score in figures: ``8/10``, ``7.5 out of 10``, ``4 stars``. A date such as ``9/10/2001`` is none, nor ``24/5``."""
NEGATION = whole_words([*NEGATION_WORDS, *NEGATION_WITHOUT_APOSTROPHE]) + r"|n['’]t\b"
CONTRAST = whole_words(CONTRAST_WORDS)


def windows_of(texts: Sequence[str]) -> list[slice]:
    """Return the slices in which long sequences of texts are gone through, so that few texts are held at a time."""
    return [slice(start, start + TEXTS_PER_WINDOW) for start in range(0, len(texts), TEXTS_PER_WINDOW)]


def word_counts(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of white-space-separated words of each text, HTML breaks being white space, (N,)."""
    counts = np.zeros(len(texts), dtype=np.int64)
    for window in windows_of(texts):
        counts[window] = [len(HTML_BREAK.sub(" ", text).split()) for text in texts[window]]
    return counts


def occurrences(texts: Sequence[str], patterns: Sequence[str]) -> list[NDArray[np.int64]]:
    """Return how often each pattern stands in each text, capitals or not; (N,) for each pattern.

    Args:
        texts: N texts.
        patterns: regular expressions in what RE2 and Python have in common.
    """
    counts = [np.zeros(len(texts), dtype=np.int64) for _ in patterns]
    for window in windows_of(texts):
        column = pa.array(texts[window], pa.large_string())  # offsets of 64 bits: a window may hold over 2 GiB
        for pattern, of_pattern in zip(patterns, counts, strict=True):
            of_pattern[window] = pc.count_substring_regex(column, pattern, ignore_case=True).to_numpy()
    return counts


def per_100_words(counts: NDArray[np.int64], words: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return counts for each 100 words, float64 (N,); 0 for a text without words."""
    return np.asarray(100.0 * counts / np.maximum(words, 1), dtype=np.float64)
