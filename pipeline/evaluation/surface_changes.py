"""Changes to how a review is written that leave what it says: slips of the finger, letter case, marks, breaks.

Each function takes a text and a random generator, and returns the changed text; HTML tags stay as they are unless the
function says otherwise. Of the generator only ``random()`` is called, whose sequence Python keeps across versions.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from pipeline.review_text import HTML_BREAK

TAG = re.compile(r"(</?[a-z][^<>]*>)", re.IGNORECASE)
"""An HTML tag, line breaks included."""
LONG_WORD = re.compile(r"(?<!\w)[^\W\d_]{4,}(?!\w)")
"""Four letters or more without digits: a slip in a shorter word often makes another word (``not``, ``now``)."""
LAST_VOWEL = re.compile(r"[aeiou](?=[^aeiou]*$)", re.IGNORECASE)
MARKS = re.compile(
    r"(?<=\d)([.,/:-])(?=\d)|([][.,;:!?\"(){}*~/\\_\u2026\u2013\u2014\u201c\u201d\u00ab\u00bb\u00bf\u00a1-]+)"
)
"""Punctuation: first what stands between digits (``7.5/10``), which is part of a number, then all else."""
APOSTROPHE = re.compile(r"(?<=[^\W\d_])['\u2019`\u00b4](?=[^\W\d_])")
BREAKS = re.compile(rf"(?:{HTML_BREAK.pattern}|[\r\n])+", re.IGNORECASE)
KEY_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
STRETCHED = (3, 4, 5)
"""How often a stretched vowel is written."""


def _keys_beside() -> dict[str, str]:
    found = {}
    for row in KEY_ROWS:
        for place, key in enumerate(row):
            found[key] = row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    return found


KEYS_BESIDE = _keys_beside()
"""Left and right neighbours of each letter on an English keyboard."""


def below(limit: int, generator: random.Random) -> int:
    """Draw a whole number from 0 to ``limit - 1``."""
    return int(generator.random() * limit)


def outside_tags(text: str, change: Callable[[str], str]) -> str:
    """Return the text with every stretch between HTML tags changed and the tags as they are."""
    if "<" not in text:
        return change(text)
    return "".join(part if place % 2 else change(part) for place, part in enumerate(TAG.split(text)))


def slip(word: str, generator: random.Random) -> str:
    """Return a word with one slip: a neighbouring key, two letters in the wrong order, one left out, or one twice.

    Where the letter drawn allows no such slip (it has no neighbouring key, or equals the next one), it is left out.
    """
    kind, place = below(4, generator), below(len(word) - 1, generator)
    letter, following = word[place], word[place + 1]
    if kind == 0 and letter.lower() in KEYS_BESIDE:
        keys = KEYS_BESIDE[letter.lower()]
        key = keys[below(len(keys), generator)]
        return word[:place] + (key.upper() if letter.isupper() else key) + word[place + 1 :]
    if kind == 1 and letter != following:
        return word[:place] + following + letter + word[place + 2 :]
    if kind == 2:
        return word[: place + 1] + word[place:]
    return word[:place] + word[place + 1 :]


def typos(share: float) -> Callable[[str, random.Random], str]:
    """Return the change that makes one slip in each word of four letters or more with probability ``share``.

    Words that hold a digit, and HTML tags, stay.
    """

    def change(text: str, generator: random.Random) -> str:
        def replaced(match: re.Match[str]) -> str:
            return slip(match[0], generator) if generator.random() < share else match[0]

        return outside_tags(text, lambda part: LONG_WORD.sub(replaced, part))

    return change


def lower_case(text: str, _: random.Random) -> str:
    """Return the text in small letters."""
    return outside_tags(text, str.lower)


def upper_case(text: str, _: random.Random) -> str:
    """Return the text in capitals."""
    return outside_tags(text, str.upper)


def random_case(text: str, generator: random.Random) -> str:
    """Return the text with each letter a small one or a capital, as a coin falls."""
    draw = generator.random

    def change(part: str) -> str:
        return "".join([letter.upper() if draw() < 0.5 else letter.lower() for letter in part])

    return outside_tags(text, change)


def no_punctuation(text: str, _: random.Random) -> str:
    """Return the text without punctuation; apostrophes, and marks between digits (``7.5/10``), stay.

    Marks between two letters leave a blank, so that no two words become one.
    """

    def change(part: str) -> str:
        def replaced(match: re.Match[str]) -> str:
            if match[1]:
                return match[1]
            before, after = part[match.start() - 1 : match.start()], part[match.end() : match.end() + 1]
            return " " if before.strip() and after.strip() else ""

        return MARKS.sub(replaced, part)

    return outside_tags(text, change)


def no_apostrophes(text: str, _: random.Random) -> str:
    """Return the text without the apostrophes inside words: ``dont``, ``its``, ``the films end``."""
    return outside_tags(text, lambda part: APOSTROPHE.sub("", part))


def no_line_breaks(text: str, _: random.Random) -> str:
    """Return the text in one line: HTML breaks and line feeds become one blank."""
    return BREAKS.sub(" ", text)


def stretched_letters(share: float) -> Callable[[str, random.Random], str]:
    """Return the change that writes the last vowel of a word of four letters or more three to five times.

    Each word is so changed with probability ``share``.
    """

    def change(text: str, generator: random.Random) -> str:
        def replaced(match: re.Match[str]) -> str:
            if generator.random() >= share:
                return match[0]
            times = STRETCHED[below(len(STRETCHED), generator)]
            return LAST_VOWEL.sub(lambda vowel: vowel[0] * times, match[0])

        return outside_tags(text, lambda part: LONG_WORD.sub(replaced, part))

    return change
