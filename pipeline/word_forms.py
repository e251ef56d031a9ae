"""Other forms of a word: less stretched, of the other side of the Atlantic, with or without an ending.

None of them turns a meaning round: prefixes (``un-``, ``dis-``) and ``-less`` are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

SHORTEST_STEM = 4
SHORTEST_RESPELT = 5
MOST_STRETCHES = 3
_STRETCH = re.compile(r"([a-z])\1{2,}")
_SPELLINGS = (
    ("isation", "ization"),
    ("ise", "ize"),
    ("ising", "izing"),
    ("yse", "yze"),
    ("ysing", "yzing"),
    ("our", "or"),
    ("tre", "ter"),
    ("ence", "ense"),
    ("ogue", "og"),
    ("lled", "led"),
    ("lling", "ling"),
    ("eable", "able"),
    ("amme", "am"),
    ("grey", "gray"),
    ("aesth", "esth"),
)
_ENDINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ies", ("y", "ie")),
    ("es", ("e", "")),
    ("s", ("",)),
    ("ied", ("y",)),
    ("ed", ("e", "")),
    ("ing", ("e", "")),
    ("ily", ("y",)),
    ("ically", ("ic",)),
    ("bly", ("ble",)),
    ("ly", ("", "le")),
    ("iness", ("y",)),
    ("ness", ("",)),
    ("ier", ("y",)),
    ("iest", ("y",)),
    ("est", ("e", "")),
)
_ROMAN_DIGITS = frozenset("ivx")
_DOUBLING = frozenset({"ed", "ing", "est"})
_GIVEN_ENDINGS = ("s", "ed", "d", "ing", "ly", "ness")


def unstretched(form: str) -> Iterator[tuple[str, int]]:
    """Yield a form with each letter that stands three times or more standing twice or once, and how many stand once."""
    stretches = _STRETCH.findall(form)
    if not 0 < len(stretches) <= MOST_STRETCHES or set(form) <= _ROMAN_DIGITS:
        return
    for counts in product((2, 1), repeat=len(stretches)):
        left = iter(counts)
        yield _STRETCH.sub(lambda found, left=left: found[1] * next(left), form), counts.count(1)  # type: ignore[misc]


def respelt(form: str) -> Iterator[str]:
    """Yield a form in British spelling where it is in American, and the other way round."""
    if len(form) < SHORTEST_RESPELT:
        return
    for british, american in _SPELLINGS:
        if british in form:
            yield form.replace(british, american)
        if american in form:
            yield form.replace(american, british)


def inflected(form: str) -> Iterator[str]:
    """Yield a form without its ending, then with another; the likelier first."""
    for ending, replacements in _ENDINGS:
        if not form.endswith(ending):
            continue
        stem = form.removesuffix(ending)
        shortest = SHORTEST_STEM - 1 if ending == "s" else SHORTEST_STEM
        if ending in _DOUBLING and len(stem) > SHORTEST_STEM and stem[-1] == stem[-2] and stem[-1] not in "aeiou":
            yield stem[:-1]
        yield from (stem + replacement for replacement in replacements if len(stem + replacement) >= shortest)
    if len(form) >= SHORTEST_STEM:
        yield from (form + ending for ending in _GIVEN_ENDINGS if ending != "d" or form[-1] == "e" != form[-2])
        if form[-1] == "e" != form[-2]:
            yield form[:-1] + "ing"
        if form[-1] == "y":
            yield form[:-1] + "ies"
