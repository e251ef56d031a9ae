"""Common words in place of their misspellings: one letter more, one less, one other, or two in the wrong order.

Letters doubled or not doubled (``dissapointing``) count as nothing. Names are far more often unknown than misspellings
are, and some misspellings lie between words of opposite meaning (``griping``: ``gripping`` or ``gripe``). So the first
letter must be right, the word found must be a frequent one and clearly the likeliest, and slips that fingers make are
believed more than those that they rarely make.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

LIKELY, POSSIBLE, RARE = range(3)
"""Letters doubled or not, or two in the wrong order; a wrong, missing or needless vowel; a missing or needless
consonant. One consonant for another is no slip: ``defective`` is no ``detective``."""
SHORTEST = {LIKELY: 6, POSSIBLE: 7, RARE: 9}
"""Letters of a form that may be such a misspelling; but for likely ones, an ending is not counted. Between short words
(``mutters``, ``matters``) one letter is all that tells them apart."""
MOST_FREQUENT = {LIKELY: 12_000, POSSIBLE: 8_000, RARE: 8_000}
"""Words of the vocabulary that are misspelt so often enough to be met."""
CLEARLY = 4
"""The likeliest word must stand so many times further to the front of the vocabulary than the next of its kind."""
LONGEST_FOR_DOUBLING = 8
"""Letters of the longer of two words that a doubled consonant tells apart, as in ``griping`` and ``gripping``."""
_VOWELS = frozenset("aeiouy")
_DOUBLED = re.compile(r"([a-z])\1+")
_ENDING = re.compile(r"(?:ing|ed|ers?|s|y)$")

Known = dict[str, list[str]]


def deletions(word: str) -> list[str]:
    """Return what a word gives without one of its letters; the first one stays."""
    return [word[:place] + word[place + 1 :] for place in range(1, len(word)) if word[place] != word[place - 1]]


def likelihood(form: str, word: str) -> int | None:
    """Return how likely the slip is that makes ``form`` of ``word``; None where it takes more than one.

    Doubled letters are another matter: :func:`without_doubles`.
    """
    if len(form) == len(word):
        places = [place for place, (a, b) in enumerate(zip(form, word, strict=True)) if a != b]
        if len(places) == 1:
            return POSSIBLE if {form[places[0]], word[places[0]]} <= _VOWELS else None
        if len(places) == 2 and places[1] == places[0] + 1:
            first, second = places
            return LIKELY if form[first] == word[second] and form[second] == word[first] else None
        return None
    long, short = (form, word) if len(form) > len(word) else (word, form)
    place = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    if long[:place] + long[place + 1 :] != short:
        return None
    return POSSIBLE if long[place] in _VOWELS else RARE


def without_doubles(word: str) -> str:
    """Return a word with each doubled letter once."""
    return _DOUBLED.sub(r"\1", word)


def doubling_matters(form: str, word: str) -> bool:
    """Say whether a consonant doubled before an ending makes two words of what is else the same."""
    stems = [_ENDING.sub("", of) for of in (form, word)]
    doubled = [len(stem) > 1 and stem[-1] == stem[-2] for stem in stems]
    return max(len(form), len(word)) <= LONGEST_FOR_DOUBLING and doubled[0] != doubled[1] and stems != [form, word]


class Misspellings:
    """Finds the word that a form was meant to be.

    Args:
        words: of the vocabulary, most frequent first.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._rank = {
            word: rank
            for rank, word in enumerate(words[: max(MOST_FREQUENT.values())], start=1)
            if len(word) >= min(SHORTEST.values()) - 1 and word.isascii() and word.isalpha()
        }
        self._by_start: dict[tuple[str, int], list[str]] = {}
        for word in self._rank:
            self._by_start.setdefault((word[0], len(word)), []).append(word)
        self._by_deletion: dict[tuple[str, int], Known] = {}

    def _known_by_deletion(self, first_letter: str, length: int) -> Known:
        """Return the words that begin so and are so long by what they give without a letter; made when first asked."""
        known = self._by_deletion.get((first_letter, length))
        if known is None:
            known = {}
            for word in self._by_start.get((first_letter, length), ()):
                for deletion in deletions(word):
                    known.setdefault(deletion, []).append(word)
            self._by_deletion[first_letter, length] = known
        return known

    @cached_property
    def _by_single_letters(self) -> Known:
        known: Known = {}
        for word in self._rank:
            known.setdefault(without_doubles(word), []).append(word)
        return known

    def _one_slip_away(self, form: str) -> Iterator[str]:
        without_a_letter = deletions(form)
        yield from (word for word in without_a_letter if word in self._rank)
        yield from self._known_by_deletion(form[0], len(form) + 1).get(form, ())
        as_long = self._known_by_deletion(form[0], len(form))
        for deletion in without_a_letter:
            yield from as_long.get(deletion, ())

    def meant(self, form: str) -> str | None:
        """Return the word that a form of ASCII letters was meant to be; None where none is clearly the likeliest."""
        if len(form) < min(SHORTEST.values()):
            return None
        doubled = self._by_single_letters.get(without_doubles(form), ())
        found: dict[int, set[str]] = {LIKELY: {word for word in doubled if not doubling_matters(form, word)}}
        length_of_stem = len(_ENDING.sub("", form))
        for word in self._one_slip_away(form):
            kind = likelihood(form, word)
            if kind is None or self._rank[word] > MOST_FREQUENT[kind] or word in doubled:
                continue
            if (len(form) if kind == LIKELY else length_of_stem) >= SHORTEST[kind]:
                found.setdefault(kind, set()).add(word)
        words = next(filter(None, map(found.get, (LIKELY, POSSIBLE, RARE))), None)
        if words is None:
            return None
        likeliest, *others = sorted(words, key=self._rank.__getitem__)
        if others and self._rank[others[0]] < CLEARLY * self._rank[likeliest]:
            return None
        return likeliest
