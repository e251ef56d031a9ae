"""From a white-space chunk to spaCy's English tokens, lower-cased, without spaCy as long as its rules are known.

Most chunks are a word with punctuation around it, and spaCy's rules tell no two letters of one case apart, but for the
words that they spell out. So what stands around a word is taken apart once, around a stand-in, and the cut is kept:
``(Costner,`` is cut as ``(Qqq,`` is. All other chunks go through :class:`~pipeline.tokenizer_rules.RuleTokenizer`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.tokenizer_rules import RuleTokenizer, TokenizerRules

FormsOfChunk = Callable[[str], list[str]]
"""From a chunk without white space to its lower-cased tokens."""

LONGEST_PLAIN_CHUNK = 40
"""Characters. The rule for web addresses counts to 62; below that, no rule depends on the length of a word."""
MOST_SURROUNDINGS = 20_000
ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

_JOINT = re.compile(r"(-{1,3}|\.{2,}|[,/:=<>~]|(?<=[a-z])\.(?=[A-Z]))")  # between two letters each is a token


def _stand_in(word: str) -> str:
    """Return a word with the case of another's first letter and last two: nothing else of a word matters to a rule."""
    if word.islower():
        return "qqq"
    return ("Q" if word[0].isupper() else "q") + ("qq" if word[-1].islower() else "QQ" if word[-2].isupper() else "qQ")


@dataclass(frozen=True)
class Surroundings:
    """The tokens of what stands around a word; all lower-cased.

    Attributes:
        before: tokens in front of the word.
        left: what sticks to the word in front.
        right: what sticks to it behind.
        after: tokens behind the word.
    """

    before: tuple[str, ...]
    left: str
    right: str
    after: tuple[str, ...]


class ChunkRules:
    """A tokenizer's lower-cased tokens of a chunk, found by a shorter way where that is certain.

    Args:
        rules: of the language. Taken for granted: letters matter by their case, but for what the rules spell out.
        tokenizer: follows them.
    """

    def __init__(self, rules: TokenizerRules, tokenizer: RuleTokenizer) -> None:
        self._tokenizer = tokenizer
        self._spelled_out = frozenset(word.lower() for word in rules.spelled_out())
        self._surroundings: dict[str, Surroundings] = {}

    def __call__(self, chunk: str) -> list[str]:
        """Return the lower-cased tokens of a chunk without white space."""
        if chunk.isascii() and len(chunk) <= LONGEST_PLAIN_CHUNK:
            form = chunk.lower()
            if form.isalpha() and form not in self._spelled_out:
                return [form]
            forms = self._plain_forms(chunk)
            if forms is not None:
                return forms
        return [token.lower() for token in self._tokenizer(chunk)]

    def _plain_forms(self, chunk: str) -> list[str] | None:
        """Return the forms of a word, or of joined words, between punctuation; None where that is not certain."""
        core = chunk.strip(ASCII_PUNCTUATION).removesuffix("'s")
        if len(core) < 2:
            return None
        if core.isalpha():
            forms = [core.lower()]
            if forms[0] in self._spelled_out:
                return None
        else:
            forms = [part.lower() for part in _JOINT.split(core)]
            words = forms[::2]
            if not (all(map(str.isalpha, words)) and len(words[-1]) > 1 and self._spelled_out.isdisjoint(words)):
                return None
        before, _, after = chunk.partition(core)
        around = self._around(before, _stand_in(core), after)
        if around is None:
            return None
        forms[0] = around.left + forms[0]
        forms[-1] += around.right
        return [*around.before, *forms, *around.after]

    def _around(self, before: str, stand_in: str, after: str) -> Surroundings | None:
        """Return the tokens around a stand-in; None where a rule cuts the stand-in itself."""
        chunk = before + stand_in + after
        around = self._surroundings.get(chunk)
        if around is None:
            tokens = self._tokenizer(chunk)
            position = next((position for position, token in enumerate(tokens) if stand_in in token), None)
            if position is None:
                return None
            left, _, right = tokens[position].partition(stand_in)
            lowered = [token.lower() for token in tokens]
            around = Surroundings(tuple(lowered[:position]), left, right.lower(), tuple(lowered[position + 1 :]))
            if len(self._surroundings) >= MOST_SURROUNDINGS:
                self._surroundings.clear()
            self._surroundings[chunk] = around
        return around
