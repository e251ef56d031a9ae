"""Which word of the vocabulary stands in for a form that it lacks: ``so`` for ``sooooo``, ``1912`` for ``1911``.

People stretch words, write emoji and scores, leave out spaces and misspell. Where a word of the vocabulary means about
the same, its token id says more than that of ``<unk>``. Forms that the vocabulary holds are never touched, most names
stay unknown, and what could turn a meaning round (``un-``, ``-less``, a ``not`` in a compound) is left alone. What
stands in depends on the form and the vocabulary alone, so that training and scoring agree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from pipeline.config import UnknownWords
from pipeline.emoji_words import EMOJI_WORDS, FORM_WORDS, FUNCTION_WORDS, SWEAR_WORDS
from pipeline.misspellings import Misspellings
from pipeline.number_fallbacks import NumberFallbacks, score_of, unit_of
from pipeline.special_tokens import PAD, UNKNOWN, UNKNOWN_ID
from pipeline.word_forms import inflected, respelt, unstretched

LONGEST_FORM = 40
"""Characters. Longer ones are addresses and rows of letters."""
ONCE_RATHER_THAN_TWICE = 100
"""A stretched letter stands for itself where that word is so many times further to the front of the vocabulary than the
word in which it stands twice: ``too`` is read in ``tooooo``, and ``so`` in ``sooooo``."""
_SINGLE_QUOTES, _DOUBLE_QUOTES, _DASHES = "’‘ʼ`´＇‛", "“”„«»‟", "‐‑‒–—―"
_PLAIN = str.maketrans(
    {
        **dict.fromkeys(_SINGLE_QUOTES, "'"),
        **dict.fromkeys(_DOUBLE_QUOTES, '"'),
        **dict.fromkeys(_DASHES, "-"),
    }
)
_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]|\\s")
"""Joiners, variation selectors and skin tones; and white space, which the normal form of some accents brings along."""
_SIGNS_IN_A_ROW = re.compile(r"([^\w\s])\1+")
_CONTRACTED = re.compile(r"([a-z]{2,}|i)[^\w\s](s|ll|d|ve|re|m|)$")
_NOT = re.compile(r"n[^\w\s]t$|'nt$")
_ENDS = re.compile(r"^[\W_]+|[\W_]+$")
_PART = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_DECADE = re.compile(r"(?<=-)\d+'?s$")
_INITIALS = re.compile(r"(?:[a-z]\.){2,}[a-z]?$")
_ADDRESS = re.compile(r"://|^www\.|\.(?:com|net|org|html?)\b|.@.+\.")
_NEGATORS = frozenset(("no", "not", "nor", "never", "non", "without", "neither", "cannot", "hardly", "n't", "nt"))
_LOOK_ALIKES = str.maketrans("@$!", "asi")
_CENSORED = re.compile(r"[a-z@$!]*[*@$!#%][a-z@$!*#%]*$")


class WordFallbacks:
    """Finds the word that stands in for a form.

    Args:
        id_of_word: token id of each word of the vocabulary, lower-cased; the most frequent word comes first and has the
            smallest.
    """

    def __init__(self, id_of_word: Mapping[str, int]) -> None:
        self._id_of_word = id_of_word

    @cached_property
    def _numbers(self) -> NumberFallbacks:
        return NumberFallbacks(list(self._id_of_word))

    @cached_property
    def _misspellings(self) -> Misspellings:
        return Misspellings(list(self._id_of_word))

    def stand_in(self, form: str) -> str | None:
        """Return the word that stands in for a lower-cased form; the form itself where it is one; None for none."""
        if form in self._id_of_word:
            return form
        if not form or len(form) > LONGEST_FORM or form in (PAD, UNKNOWN):
            return None
        return self._of_letters(form) if form.isascii() and form.isalpha() else self._of_signs(form)

    def _first_known(self, candidates: Iterable[str]) -> str | None:
        return next((candidate for candidate in candidates if candidate in self._id_of_word), None)

    def _of_letters(self, form: str) -> str | None:
        """Return the stand-in of a form of ASCII letters."""
        return (
            self._first_known(FORM_WORDS.get(form, ()))
            or self._unstretched(form)
            or self._first_known(inflected(form))
            or self._first_known(respelt(form))
            or self._misspellings.meant(form)
        )

    def _unstretched(self, form: str) -> str | None:
        known = [
            (self._id_of_word[candidate] * ONCE_RATHER_THAN_TWICE**once, candidate)
            for candidate, once in unstretched(form)
            if len(candidate) > 1 and candidate in self._id_of_word
        ]
        return min(known)[1] if known else None

    def _of_signs(self, form: str) -> str | None:
        """Return the stand-in of a form that has other characters than ASCII letters."""
        plain = without_accents(form)
        if plain != form:
            return self.stand_in(plain) or self._of_emoji(form)
        if _ADDRESS.search(plain):
            return None
        return (
            self._first_known(FORM_WORDS.get(plain, ()))
            or self._of_emoji(plain)
            or self._of_rows_of_signs(plain)
            or self._of_contraction(plain)
            or self._uncensored(plain)
            or (self._of_number(plain) if any(map(str.isdecimal, plain)) else self._of_parts(plain))
        )

    def _of_emoji(self, form: str) -> str | None:
        if any(map(str.isalnum, form)):
            return None
        return self._first_known(word for sign in form for word in EMOJI_WORDS.get(sign, ()))

    def _of_rows_of_signs(self, form: str) -> str | None:
        """Return what a form gives with three, two or one of each row of equal signs: ``:)`` for ``:))))``."""
        if sum(map(str.isalnum, form)) > 1:
            return None
        for count in (3, 2, 1):
            shorter = _SIGNS_IN_A_ROW.sub(lambda found, count=count: found[1] * count, form)  # type: ignore[misc]
            known = self._first_known((shorter, *FORM_WORDS.get(shorter, ())))
            if known and len(shorter) < len(form):
                return known
        return None

    def _of_contraction(self, form: str) -> str | None:
        """Return ``n't`` for what ends so, and the word before ``'s``, ``'ve`` and the like."""
        if _NOT.search(form):
            return self._first_known((f"{form[:-3]}n't", "n't", "not"))
        if form.endswith("in'"):
            return self._first_known((form[:-1] + "g",))
        found = _CONTRACTED.match(form)
        return self._first_known((f"{found[1]}'{found[2]}", found[1])) if found and found[2] else None

    def _uncensored(self, form: str) -> str | None:
        """Return the swear word that a form with signs in place of letters means."""
        if not _CENSORED.match(form) or not any(map(str.isalpha, form)):
            return None
        looks_like = form.translate(_LOOK_ALIKES)
        if looks_like.isalpha() and looks_like in self._id_of_word:
            return looks_like
        pattern = re.compile("".join(letter if letter.isalpha() else "." for letter in form))
        return self._first_known(word for word in SWEAR_WORDS if pattern.fullmatch(word))

    def _of_number(self, form: str) -> str | None:
        """Return the stand-in of a form with digits: a number of its shape, or the word beside it."""
        core = _ENDS.sub("", form)
        if score_of(form) is None and core in self._id_of_word:
            return core
        alike = self._numbers.stand_in(form) or self._numbers.stand_in(core)
        if alike is not None or core.isalnum():
            return alike or self._first_known((unit_of(core) or "",))
        decade = _DECADE.search(core)
        return (self.stand_in(decade[0]) if decade else None) or self._of_parts(core)

    def _of_parts(self, form: str) -> str | None:
        """Return the word between signs, or of words joined by signs the first that is more than a function word."""
        core = _ENDS.sub("", form)
        if core != form:
            return self.stand_in(core)
        if _INITIALS.match(form):
            joined = form.replace(".", "")
            return joined if len(joined) > 2 and joined in self._id_of_word else None
        parts = [part for part in _PART.findall(form) if len(part) > 1 and part != form]
        telling = [part for part in parts if part not in FUNCTION_WORDS and (len(part) > 2 or part in _NEGATORS)]
        negators = [part for part in telling if part in _NEGATORS or part.endswith("n't")]
        if negators:
            return self._first_known(negators) if negators == telling and not any(map(str.isdecimal, form)) else None
        known = self._first_known(telling)
        return (
            known
            or next(filter(None, map(self.stand_in, telling)), None)
            or self._first_known(part for part in parts if part in FUNCTION_WORDS)
        )


def without_accents(form: str) -> str:
    """Return a form in plain characters: typographic signs, accents, ligatures, full width, skin tones taken out."""
    composed = unicodedata.normalize("NFKD", _INVISIBLE.sub("", form.translate(_PLAIN)))
    kept = "".join(character for character in composed if not unicodedata.combining(character))
    return _INVISIBLE.sub("", kept).lower()


def id_lookup(id_of_word: Mapping[str, int], unknown_words: UnknownWords) -> Callable[[str], int]:
    """Return what gives each form its token id.

    Args:
        id_of_word: as in :class:`WordFallbacks`.
        unknown_words: what becomes of other forms: ``unk``, or ``fallback`` to a word that stands in.
    """
    if unknown_words == "unk":
        return lambda form: id_of_word.get(form, UNKNOWN_ID)
    fallbacks = WordFallbacks(id_of_word)

    def token_id(form: str) -> int:
        known = id_of_word.get(form)
        return known if known is not None else id_of_word.get(fallbacks.stand_in(form) or "", UNKNOWN_ID)

    return token_id
