"""Notes on texts that a model of English reviews cannot read well: mostly unknown words, or hardly English.

A note never changes a prediction. It is given where there is no doubt alone: of 50,000 reviews of IMDb two get one.
All texts are counted at once by their token ids; the few that look strange are then looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from pipeline.scoring.rows import Problem
from pipeline.special_tokens import UNKNOWN_ID

_FUNCTION_WORDS = """
    the and to that this it with for you but not be have are they his from by she who what there would about which
    their him them if when because than out up been has can could should just very more most only into after before
    too how why where while your its these those some any other our us my or really much many here being himself
    herself myself itself themselves does did doing never always through though although however off again such own
    same both each few nor until against between during without within upon yet ever also every something nothing
    anything everything everyone someone another since whether enough almost often 's n't 've 're 'll 'd 'm
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""Common English words that are common in no neighbouring language: ``in``, ``was``, ``so`` and others are left out.
They are a third of an English text's tokens, and hardly ever less than a tenth."""
FRONT_WORDS = ("the", "and", "to", "that", "this", "it", "with", "for")
FRONT = 100
"""A vocabulary begins with its most frequent words; it is of English where most of ``FRONT_WORDS`` are among these."""
PLAIN_MARKS = frozenset(".,!?'\"-*…’“”")
LEAST_WORDS = 9  # a shorter text is too short to tell
LEAST_CHARACTERS = 100  # of a text that has fewer words than that because nothing parts them
CHARACTERS_A_WORD = 25
LEAST_DISTINCT_CHARACTERS = 20
LEAST_LETTERS = 16  # of a writing that puts no space between words
ENGLISH_SHARE = 0.03
ODD_SHARE, ENGLISH_SHARE_OF_ODD = 0.3, 0.25
ODD_UNKNOWN_SHARE = 1 / 3
PLAIN_WORDS = 30  # so many words without a function word are no English, known or not
_LAST_LATIN = "\u036f"
_BITS = 16
_MOST_TOKENS = (1 << _BITS) - 1

Encoded = Sequence[NDArray[np.int32]]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Reading:
    """Texts as the network takes them, and what reading them has shown.

    Attributes:
        sequences: the token ids of each text, int32, cut where the recipe says so.
        notes: for each text what is worth knowing of it, None where all is well.
        cut: how many of the texts were cut.
    """

    sequences: Encoded
    notes: list[Problem | None]
    cut: int


class ReadingNotes:
    """Finds the texts to note.

    Args:
        forms: the vocabulary: the form of each token id.
        plain_ids: the token ids of texts without words that stand in for others; None where there are no such.
    """

    def __init__(self, forms: Sequence[str], plain_ids: Callable[[Sequence[str]], Encoded] | None) -> None:
        self._plain_ids = plain_ids
        kinds = np.fromiter(map(_kind_of, forms), dtype=np.int64, count=len(forms))
        kinds[: UNKNOWN_ID + 1] = 0, _UNKNOWN
        self._kinds = kinds
        front = forms[:FRONT]
        self._of_english = sum(word in front for word in FRONT_WORDS) > len(FRONT_WORDS) // 2

    def of(self, texts: Sequence[str], sequences: Encoded) -> list[Problem | None]:
        """Return a note, or None, for each text.

        Args:
            texts: N texts.
            sequences: their token ids, uncut.
        """
        notes: list[Problem | None] = [None] * len(texts)
        if not len(texts):
            return notes
        tokens, words, known, function, odd = self._counts(sequences)
        enough = words >= LEAST_WORDS
        mostly_unknown = enough & (2 * known < words)
        for place in np.flatnonzero(mostly_unknown).tolist():
            detail = f"{words[place] - known[place]} of {words[place]} words unknown to the model"
            notes[place] = Problem("mostly unknown words", detail, is_note=True)
        if not self._of_english:
            return notes
        hardly = function < np.maximum(1, ENGLISH_SHARE * tokens)
        signs = (odd > ODD_SHARE * tokens) & (function < ENGLISH_SHARE_OF_ODD * words)
        for place in np.flatnonzero(enough & ~mostly_unknown & (hardly | signs)).tolist():
            if signs[place] or words[place] >= PLAIN_WORDS or self._many_unknown(texts[place], sequences[place]):
                detail = f"{function[place]} of {words[place]} words common in English"
                notes[place] = Problem("hardly English", detail, is_note=True)
        for place in np.flatnonzero(~enough & (function == 0)).tolist():
            notes[place] = note_of_unparted(texts[place], int(tokens[place]))
        return notes

    def _counts(self, sequences: Encoded) -> tuple[Counts, Counts, Counts, Counts, Counts]:
        """Return tokens, words, those of them that are known, function words and odd signs, each int64, (N,)."""
        lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
        if lengths.max() > _MOST_TOKENS:
            sequences = [token_ids[:_MOST_TOKENS] for token_ids in sequences]
            lengths = np.minimum(lengths, _MOST_TOKENS)
        packed = np.zeros(len(sequences), dtype=np.int64)
        filled = lengths > 0  # reduceat knows no empty stretch
        if filled.any():
            of_tokens = self._kinds.take(np.concatenate(list(compress(sequences, filled))))  # faster than an index
            ends = np.cumsum(lengths[filled])
            packed[filled] = np.add.reduceat(of_tokens, ends - lengths[filled])
        words, unknown, function, odd = ((packed >> shift) & _MOST_TOKENS for shift in range(0, 4 * _BITS, _BITS))
        return lengths, words, words - unknown, function, odd

    def _many_unknown(self, text: str, token_ids: NDArray[np.int32]) -> bool:
        """Whether a third of the words are none of the vocabulary, what stands in for them aside."""
        sequences = [token_ids] if self._plain_ids is None else self._plain_ids([text])
        _, words, known, _, _ = self._counts(sequences)
        return bool(words[0] - known[0] >= ODD_UNKNOWN_SHARE * words[0])


_WORD, _UNKNOWN = 1, 1 | 1 << _BITS
_FUNCTION, _ODD = 1 | 1 << 2 * _BITS, 1 << 3 * _BITS


def _kind_of(form: str) -> int:
    """Return what a token of a form adds to the counts, packed."""
    if form in FUNCTION_WORDS:
        return _FUNCTION
    if form.isalpha() or form.lower() != form.upper():
        return _WORD
    return 0 if PLAIN_MARKS.issuperset(form) else _ODD


def note_of_unparted(text: str, tokens: int) -> Problem | None:
    """Return the note on a text of few tokens that is long all the same: Chinese, Thai, base64."""
    if not text.isascii():
        letters = sum(map(str.isalpha, text))
        if LEAST_LETTERS <= letters < 2 * sum(letter > _LAST_LATIN for letter in text if letter.isalpha()):
            return Problem("hardly English", f"{letters} letters mostly of another alphabet", is_note=True)
    is_long = len(text) >= max(LEAST_CHARACTERS, CHARACTERS_A_WORD * tokens)
    if is_long and len(set(text[: 10 * LEAST_CHARACTERS])) >= LEAST_DISTINCT_CHARACTERS:
        return Problem("hardly English", f"{len(text)} characters in {tokens} words", is_note=True)
    return None
