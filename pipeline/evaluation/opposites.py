"""Judging words of a review swapped for their opposites, by a list of pairs of our own: good and bad, best and worst.

Where that turns the verdict another answer is wanted. How often it does was not counted: many a review judges in other
words, too.
"""

from __future__ import annotations

import random
import re

from pipeline.evaluation.surface_changes import outside_tags

PAIRS = (
    ("good", "bad"),
    ("better", "worse"),
    ("best", "worst"),
    ("great", "terrible"),
    ("excellent", "awful"),
    ("wonderful", "horrible"),
    ("amazing", "dreadful"),
    ("brilliant", "stupid"),
    ("fantastic", "pathetic"),
    ("superb", "lousy"),
    ("perfect", "flawed"),
    ("perfectly", "poorly"),
    ("beautiful", "ugly"),
    ("beautifully", "badly"),
    ("interesting", "boring"),
    ("exciting", "tiresome"),
    ("gripping", "tedious"),
    ("funny", "unfunny"),
    ("hilarious", "lame"),
    ("fun", "dull"),
    ("clever", "silly"),
    ("smart", "dumb"),
    ("intelligent", "idiotic"),
    ("surprising", "predictable"),
    ("fresh", "stale"),
    ("strong", "weak"),
    ("solid", "poor"),
    ("convincing", "unconvincing"),
    ("realistic", "unrealistic"),
    ("memorable", "forgettable"),
    ("impressive", "disappointing"),
    ("impressed", "disappointed"),
    ("enjoyable", "annoying"),
    ("entertaining", "mediocre"),
    ("charming", "irritating"),
    ("delightful", "painful"),
    ("pleasant", "unpleasant"),
    ("likeable", "unlikeable"),
    ("talented", "untalented"),
    ("masterpiece", "disaster"),
    ("classic", "garbage"),
    ("gem", "mess"),
    ("success", "failure"),
    ("succeeds", "fails"),
    ("joy", "pain"),
    ("treat", "waste"),
    ("love", "hate"),
    ("loved", "hated"),
    ("loves", "hates"),
    ("liked", "disliked"),
    ("enjoy", "dislike"),
    ("enjoyed", "despised"),
    ("recommended", "overrated"),
)
"""Positive word, negative word; each word stands in one pair, so that swapping twice gives the text again."""
OPPOSITE = {word: other for pair in PAIRS for word, other in (pair, pair[::-1])}
WORD = re.compile(r"(?<!\w)(?:([Aa][Nn]?)(\s+))?([A-Za-z]{3,})(?![\w'\u2019])")


def in_case_of(word: str, other: str) -> str:
    """Return ``other`` in capitals, or with a capital, as ``word`` is."""
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def swapped(match: re.Match[str]) -> str:
    """Return the opposite of a word, with the article that goes with it; the word itself where it has none."""
    article, blank, word = match.groups()
    opposite = OPPOSITE.get(word.lower())
    if opposite is None:
        return match[0]
    other = in_case_of(word, opposite)
    if article is None:
        return other
    fitting = "an" if other[0].lower() in "aeiou" else "a"
    if article[0].isupper():
        fitting = fitting.upper() if word.isupper() else fitting.capitalize()
    return f"{fitting}{blank}{other}"


def opposites(text: str, _: random.Random) -> str:
    """Return the text with each judging word of :data:`PAIRS` swapped for its opposite; HTML tags stay."""
    return outside_tags(text, lambda part: WORD.sub(swapped, part))
