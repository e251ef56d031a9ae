"""From lower-cased tokens back to text that reads well: blanks where they belong, capitals where sentences begin."""

from __future__ import annotations

import re
from collections.abc import Sequence

BEFORE = frozenset("([{$#“‘")
"""Tokens that no blank follows."""
BETWEEN = frozenset("-/")
"""Tokens with no blank on either side, after a word."""
QUOTES = frozenset("\"'`")
"""Tokens that open and close; a blank stands outside."""
CLOSING = re.compile(r"[.,;:!?…%)\]}”’]+")
SUFFIX = re.compile(r"n['’]t|['’](?!n$)[a-z]{1,2}")
"""What spaCy cuts off a word: it's, don't, they've; not 'n, which stands alone."""
SECOND_HALVES = {("gon", "na"), ("wan", "na"), ("got", "ta"), ("can", "not"), ("let", "'s")}
SENTENCE_ENDS = frozenset({".", "!", "?", "?!", "!!", "!!!"})
KEEPS_SENTENCE_OPEN = BEFORE | QUOTES | {")"}
TITLES = frozenset({"i", "mr.", "mrs.", "ms.", "dr.", "st.", "jr.", "sr."})
INITIALS = re.compile(r"(?!i\.e\.|e\.g\.|a\.m\.|p\.m\.)([a-z]\.){2,}")


def printable(token: str) -> str:
    """Return a token without control characters, as a terminal may show it; Windows' dashes and quotes come right."""
    if token.isprintable():
        return token
    windows = (
        bytes([ord(letter)]).decode("cp1252", "ignore") if "\x80" <= letter <= "\x9f" else letter for letter in token
    )
    return "".join(letter for letter in windows if letter.isprintable())


def with_capitals(token: str, new_sentence: bool) -> str:
    """Return a token as it is written: Mr., U.S., I, and the first word of a sentence."""
    if INITIALS.fullmatch(token):
        return token.upper()
    return token[:1].upper() + token[1:] if new_sentence or token in TITLES else token


def quotes_left_open(text: str) -> set[str]:
    """Return the quotes that open in a text and do not close; an apostrophe within a word is none."""
    return {quote for quote in QUOTES if len(re.findall(rf"(?<!\w){quote}|{quote}(?!\w)", text)) % 2}


def joined(tokens: Sequence[str], start: str = "") -> str:
    """Return a text that goes on from ``start`` with the tokens.

    Args:
        tokens: lower-cased, as the pipeline's tokenizer gives them.
        start: what stands before them, kept as it is.
    """
    text, before = start, ""
    glued = not start or start[-1] in BEFORE | BETWEEN  # whether no blank comes next
    open_quotes = quotes_left_open(start)
    new_sentence = not start or start[-1] in SENTENCE_ENDS
    for token in map(printable, tokens):
        closes = token in open_quotes
        between = token in BETWEEN and text[-1:].isalnum()
        attached = closes or between or CLOSING.fullmatch(token) or SUFFIX.fullmatch(token)
        if not (glued or attached or (before, token) in SECOND_HALVES):
            text += " "
        text += with_capitals(token, new_sentence)
        new_sentence = token in SENTENCE_ENDS or (new_sentence and token in KEEPS_SENTENCE_OPEN)
        if token in QUOTES:
            open_quotes ^= {token}
        glued = between or token in BEFORE or (token in QUOTES and not closes)
        before = token
    return text
