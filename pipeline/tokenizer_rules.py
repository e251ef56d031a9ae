"""spaCy's way of tokenising one white-space chunk, and the rules of a language that it follows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

_NOT_SPELLED_OUT = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\[uU][0-9A-Fa-f]+|\\.", re.DOTALL)  # character classes, escapes
_ASCII_LETTERS = re.compile("[A-Za-z]+")
_LONGEST_SUFFIX = 8  # characters; but for dots, of which any number may follow each other
_LETTERS_OF_SUFFIX = re.compile(r"'[sS]$|[0-9][A-Za-z/]{1,5}$")  # at least: a unit is a suffix of a number only


@dataclass(frozen=True)
class TokenizerRules:
    """What spaCy's procedure needs to know of a language.

    Attributes:
        prefix: finds what is cut off in front, one piece at a time; every alternative begins with ``^``.
        suffix: finds what is cut off behind, one piece at a time.
        infix: finds where the rest is cut.
        url: matches what stays whole as a web address; it always holds a dot.
        exceptions: chunks with tokens of their own; none holds white space, since no chunk does.
    """

    prefix: str
    suffix: str
    infix: str
    url: str
    exceptions: Mapping[str, tuple[str, ...]]

    def spelled_out(self) -> frozenset[str]:
        """Return the runs of ASCII letters that stand in the rules as such: of exceptions, units, ``'s``, ``US$``."""
        patterns = (_NOT_SPELLED_OUT.sub(" ", pattern) for pattern in (self.prefix, self.suffix, self.infix, self.url))
        return frozenset(_ASCII_LETTERS.findall(" ".join([*self.exceptions, *patterns])))


class RuleTokenizer:
    """spaCy's procedure (``spacy.tokenizer.Tokenizer``) for one chunk, step by step.

    Args:
        rules: of the language.
        rejoined: how the affix rules alone would cut those exceptions that they cut; spaCy puts such neighbours
            together again, so that ``great:)`` is ``great`` and ``:)``. None works them out from the rules.
    """

    def __init__(self, rules: TokenizerRules, rejoined: Iterable[tuple[str, ...]] | None = None) -> None:
        self._rules = rules
        self._find_prefix = re.compile(rules.prefix).match  # search finds the same, more slowly
        self._find_suffix = re.compile(rules.suffix).search
        self._find_infixes = re.compile(rules.infix).finditer
        self.rejoined = frozenset(self._work_out_rejoined() if rejoined is None else rejoined)
        self._first_rejoined = frozenset(tokens[0] for tokens in self.rejoined)
        self._most_rejoined = max(map(len, self.rejoined), default=0)

    @cached_property
    def _match_url(self) -> Callable[[str], re.Match[str] | None]:
        return re.compile(self._rules.url).match  # compiling takes a while, and few chunks need it

    def __call__(self, chunk: str) -> list[str]:
        """Return the tokens of a chunk without white space; they add up to it."""
        tokens = self._cut(chunk, self._rules.exceptions)
        return tokens if self._first_rejoined.isdisjoint(tokens) else self._rejoin(tokens)

    def _work_out_rejoined(self) -> list[tuple[str, ...]]:
        return [
            tuple(self._cut(text, {}))
            for text in self._rules.exceptions
            if self._end_of_prefix(text) or self._start_of_suffix(text) < len(text) or any(self._find_infixes(text))
        ]

    def _end_of_prefix(self, text: str) -> int:
        match = self._find_prefix(text)
        return match.end() if match else 0

    def _start_of_suffix(self, text: str) -> int:
        """Return where a suffix begins, else the length; spares the slow search what it cannot find."""
        if text[-1:].isalnum() and text.isascii() and not _LETTERS_OF_SUFFIX.search(text):
            return len(text)
        match = self._find_suffix(text, min(max(0, len(text) - _LONGEST_SUFFIX), len(text.rstrip("."))))
        return match.start() if match else len(text)

    def _cut(self, rest: str, exceptions: Mapping[str, tuple[str, ...]]) -> list[str]:
        """Cut off affixes until an exception or nothing to cut off is left; cut that at its infixes."""
        tokens: list[str] = []
        suffixes: list[str] = []
        while rest and rest not in exceptions:
            start = self._end_of_prefix(rest)
            if start and rest[start:] in exceptions:
                tokens.append(rest[:start])
                rest = rest[start:]
                break
            end = start + self._start_of_suffix(rest[start:])
            if end < len(rest) and rest[:end] in exceptions:
                suffixes.append(rest[end:])
                rest = rest[:end]
                break
            if start == 0 and end == len(rest):
                break
            if start > 0:
                tokens.append(rest[:start])
            if end < len(rest):
                suffixes.append(rest[end:])
            rest = rest[start:end]
        tokens += exceptions[rest] if rest in exceptions else self._cut_at_infixes(rest)
        return tokens + suffixes[::-1]

    def _cut_at_infixes(self, rest: str) -> list[str]:
        if "." in rest and self._match_url(rest):
            return [rest]
        tokens = []
        done = 0
        for match in self._find_infixes(rest):
            start, end = match.span()
            if start > 0:
                tokens += [rest[done:start], rest[start:end]]
                done = end
        return [token for token in (*tokens, rest[done:]) if token]

    def _rejoin(self, tokens: list[str]) -> list[str]:
        """Put neighbours together that are an exception: the longest first, of equally long ones the leftmost."""
        spans = [
            (start, end)
            for start, token in enumerate(tokens)
            if token in self._first_rejoined
            for end in range(start + 1, min(start + self._most_rejoined, len(tokens)) + 1)
            if tuple(tokens[start:end]) in self.rejoined
        ]
        seen: set[int] = set()
        end_of_span: dict[int, int] = {}
        for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
            if start not in seen and end - 1 not in seen:
                end_of_span[start] = end
            seen.update(range(start, end))
        joined: list[str] = []
        position = 0
        while position < len(tokens):
            end = end_of_span.get(position, position + 1)
            exception = self._rules.exceptions.get("".join(tokens[position:end])) if position in end_of_span else None
            joined += tokens[position:end] if exception is None else exception
            position = end
        return joined
