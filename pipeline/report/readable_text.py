"""A review as a reader sees it, and where each of its characters stood in the raw text."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from pipeline.review_text import HTML_BREAK

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, direction overrides and halves of characters: they would act on a terminal, reorder a page or
keep it from being written."""


def printable_character(match: re.Match[str]) -> str:
    """Return the one character that is shown for an unprintable one.

    Bytes of Windows-1252 that were read as Latin-1 (the ellipsis at U+0085, say) become what they were meant as.
    """
    character = match.group()
    if "\x80" <= character <= "\x9f":
        return character.encode("latin-1").decode("cp1252", "replace")
    return " " if character == "\r" else "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Return a text of the same length with no character that acts instead of being shown."""
    return UNPRINTABLE.sub(printable_character, text)


@dataclass(frozen=True)
class ReadableText:
    """A review for reading: HTML breaks as line breaks, no unprintable characters, no white space around.

    Attributes:
        text: what is read.
        break_starts: where the raw text's HTML breaks start.
        characters_lost: how many characters the first k of them lose, k from 0.
        leading: how many characters of white space before the text are left out.
    """

    text: str
    break_starts: list[int]
    characters_lost: list[int]
    leading: int

    @classmethod
    def of(cls, raw: str) -> ReadableText:
        """Make a raw text readable."""
        breaks = [found.span() for found in HTML_BREAK.finditer(raw)]
        lines = printable(HTML_BREAK.sub("\n", raw))
        started = lines.lstrip()
        lost = accumulate((end - start - 1 for start, end in breaks), initial=0)
        return cls(started.rstrip(), [start for start, _ in breaks], list(lost), len(lines) - len(started))

    def place(self, raw_place: int) -> int:
        """Return where the character at a place of the raw text stands in the readable one, from 0 to its length.

        The place is between two characters of the raw text; none is inside an HTML break.
        """
        passed = bisect_right(self.break_starts, raw_place - 1)
        return min(max(raw_place - self.characters_lost[passed] - self.leading, 0), len(self.text))


def readable(text: str) -> str:
    """Return a review for reading: HTML breaks as line breaks, no control characters, no white space around."""
    return ReadableText.of(text).text


@dataclass(frozen=True)
class ShortenedText:
    """The beginning and the end of a long text.

    Attributes:
        head: its beginning; all of it where nothing is left out.
        tail: its end.
        left_out: how many characters between them are left out.
    """

    head: str
    tail: str
    left_out: int


def shortened(text: str, characters: int) -> ShortenedText:
    """Cut a text in the middle, where the model too cuts long ones, to at most ``characters``."""
    if len(text) <= characters:
        return ShortenedText(text, "", 0)
    tail = characters // 3
    head = characters - tail
    return ShortenedText(text[:head], text[len(text) - tail :], len(text) - characters)
