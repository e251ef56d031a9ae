"""What the installed spaCy says: its English tokenizer rules, kept in a file of ours, and its own tokens.

Importing spaCy takes longer than scoring a small file, and its rules never change while it is installed. So they are
read once, proved to be followed here as spaCy follows them, and kept beside the compiled kernels. ``make setup`` does
that, by ``python -m pipeline.spacy_rules``; whatever needs them first does it otherwise. Importing this module imports
neither spaCy nor torch.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any

from pipeline.artifacts import sha256_of_text, write_json_atomically
from pipeline.chunk_rules import ASCII_PUNCTUATION, ChunkRules, FormsOfChunk
from pipeline.errors import SentimentError
from pipeline.kernel_library import find_built
from pipeline.tokenizer_rules import RuleTokenizer, TokenizerRules

RULES_FORMAT = 1
"""In the name of the file. To be raised with its contents, the procedure that follows the rules, and the probes."""
CHUNKS_PER_ZONE = 20_000
"""spaCy's string store keeps each new string until its memory zone ends."""
PATTERNS = {"prefix": "search", "suffix": "search", "infix": "finditer", "url": "match"}
PROBES = """
word Word, (WORD. word's 'tis it's), don't!! I'm. U.S. e.g., a.m.) 10km 5-minute $9.99 US$ well-known up/down one.Two
three...four imdb.com http://a.bc/d?e=f great:) :-)) ;) <3 xD :o) «non» café’s … 10°C. a,b 1+1 --- '' ''
"""


@dataclass(frozen=True)
class KnownRules:
    """The English rules of the installed spaCy, as far as they can be followed without it.

    Attributes:
        rules: None where only spaCy itself can follow them.
        rejoined: what a :class:`~pipeline.tokenizer_rules.RuleTokenizer` would have to work out.
        problem: why there are no rules, for the user; empty where there are.
    """

    rules: TokenizerRules | None
    rejoined: frozenset[tuple[str, ...]] = frozenset()
    problem: str = ""


class SpacyChunks:
    """spaCy's own tokens of a chunk, lower-cased, in flat memory.

    Raises:
        SentimentError: spaCy cannot be imported.
    """

    def __init__(self) -> None:
        try:
            import spacy  # imports torch
        except ImportError as error:
            raise SentimentError(f"spaCy cannot be imported ({error}); run `make setup` again") from error
        self._language = spacy.blank("en")
        self._zone = ExitStack()
        self._chunks_left = 0

    def __call__(self, chunk: str) -> list[str]:
        """Return the lower-cased tokens of a chunk without white space."""
        if self._chunks_left == 0:
            self._zone.close()
            self._zone.enter_context(self._language.memory_zone())
            self._chunks_left = CHUNKS_PER_ZONE
        self._chunks_left -= 1
        return [token.lower_ for token in self._language.tokenizer(chunk)]

    @property
    def rules(self) -> TokenizerRules | None:
        """The rules that it follows; None where there are others than those that its procedure here knows."""
        return rules_of(self._language.tokenizer)


def rules_of(tokenizer: Any) -> TokenizerRules | None:
    """Return the rules of a spaCy tokenizer; None where it has others than those that its procedure here knows."""
    from spacy.attrs import ORTH  # type: ignore[import-not-found]  # compiled, without stubs

    patterns = {}
    try:
        if tokenizer.token_match is not None or not tokenizer.faster_heuristics:
            return None
        for name, method in PATTERNS.items():
            bound = getattr(tokenizer, f"{name}_{method}")
            pattern = bound.__self__
            if not isinstance(pattern, re.Pattern) or bound != getattr(pattern, method) or pattern.flags != re.UNICODE:
                return None
            patterns[name] = pattern.pattern
        exceptions = {
            text: tuple(token[ORTH] for token in tokens)
            for text, tokens in sorted(tokenizer.rules.items())
            if text.split() == [text]
        }
    except AttributeError:  # another spaCy, put together in another way
        return None
    return TokenizerRules(**patterns, exceptions=exceptions)


def probes(rules: TokenizerRules) -> Iterator[str]:
    """Yield the chunks that prove rules: each short cut that is taken here has some that would show a difference."""
    printable = [chr(code) for code in range(33, 127)]
    words = ["qz", "Qz", "QZ", "qZ", "qz's"]
    affixes = ["", *ASCII_PUNCTUATION, "...", "--", "'.", ").", "?!"]
    yield from PROBES.split()
    yield from map("".join, product(printable, ["", *printable]))
    yield from map("".join, product(affixes, words, affixes))
    yield from map("".join, product(words, [*affixes, "---", "://"], words))
    yield from map("".join, product(["", "("], rules.exceptions, ["", ".", "'s", "-film"]))
    spelled_out = {spelling for word in rules.spelled_out() for spelling in (word, word.lower(), word.upper())}
    yield from map("".join, product(["", "5", "$", "'", "film"], sorted(spelled_out), ["", ".", "/film"]))


def work_out_known_rules() -> KnownRules:
    """Ask spaCy for its rules, and prove that they give its tokens here.

    Raises:
        SentimentError: spaCy cannot be imported.
    """
    spacy_chunks = SpacyChunks()
    rules = spacy_chunks.rules
    if rules is None:
        return KnownRules(None, problem="its tokenizer is put together in a way not known here")
    tokenizer = RuleTokenizer(rules)
    forms_of_chunk = ChunkRules(rules, tokenizer)
    for chunk in probes(rules):
        if not forms_of_chunk(chunk) == [token.lower() for token in tokenizer(chunk)] == spacy_chunks(chunk):
            return KnownRules(None, problem=f"its rules, as known here, cut {chunk!r} in another way than it does")
    return KnownRules(rules, tokenizer.rejoined)


def _token_lines(sequences: Iterable[tuple[str, ...]]) -> list[str]:
    return list(map(" ".join, sequences))  # no token holds white space


def _tokens(lines: Iterable[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(line.split(" ")) for line in lines)


def _digest(content: Any) -> str:
    return sha256_of_text(json.dumps(content, sort_keys=True))


def write_known_rules(path: Path, known: KnownRules) -> None:
    """Keep rules in a JSON file.

    Raises:
        SentimentError: the disk refused.
    """
    content: dict[str, Any] = {"follows": known.rules is not None, "problem": known.problem}
    if known.rules is not None:
        content["patterns"] = {name: getattr(known.rules, name) for name in PATTERNS}
        content["exceptions"] = _token_lines(known.rules.exceptions.values())
        content["rejoined"] = _token_lines(sorted(known.rejoined))
    write_json_atomically(path, {"content": content, "sha256": _digest(content)})


def read_known_rules(path: Path) -> KnownRules | None:
    """Return the rules that a file keeps; None where it is missing, unreadable or not as it was written."""
    try:
        kept = json.loads(path.read_bytes())
        content = kept["content"]
        if kept["sha256"] != _digest(content):
            return None
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not content["follows"]:
        return KnownRules(None, problem=content["problem"])
    exceptions = {"".join(tokens): tokens for tokens in _tokens(content["exceptions"])}
    rules = TokenizerRules(**content["patterns"], exceptions=exceptions)
    return KnownRules(rules, frozenset(_tokens(content["rejoined"])))


def rules_path() -> Path | None:
    """Return where the rules of the installed spaCy are kept; None where there is no place, or spaCy has no version."""
    try:
        return find_built(f"english-rules-{version('spacy')}-{RULES_FORMAT}.json")
    except (PackageNotFoundError, OSError, RuntimeError):  # the last: the user has no home
        return None


def known_rules() -> KnownRules:
    """Return the rules of the installed spaCy: those that are kept, else worked out and kept where that is possible.

    Raises:
        SentimentError: nothing is kept, and spaCy cannot be imported.
    """
    return _known_rules(rules_path())


@functools.cache  # for the place that cannot be written
def _known_rules(path: Path | None) -> KnownRules:
    known = None if path is None else read_known_rules(path)
    if known is None:
        known = work_out_known_rules()
        if path is not None:
            with suppress(SentimentError, OSError):  # the next process works them out again
                write_known_rules(path, known)
    return known


def english_chunk_rules() -> FormsOfChunk:
    """Return the tokenizer of a blank English spaCy pipeline, lower-casing, for chunks without white space.

    Its rules are followed here where that gives the same tokens. Otherwise spaCy itself does the work: as exact, but
    an order of magnitude slower.

    Raises:
        SentimentError: spaCy is needed and cannot be imported.
    """
    known = known_rules()
    return SpacyChunks() if known.rules is None else ChunkRules(known.rules, RuleTokenizer(known.rules, known.rejoined))


def main() -> int:
    """Keep the rules and say so; a failure is told, and no reason to stop an installation."""
    try:
        known, path = known_rules(), rules_path()
        if known.rules is None:
            print(f"tokenizer: spaCy itself does the work, slower: {known.problem}")
        elif path is None or read_known_rules(path) != known:
            print("tokenizer: the rules of spaCy cannot be kept; each start works them out anew, slower")
        else:
            print(f"tokenizer: rules of spaCy {version('spacy')} kept")
    except Exception as error:  # whatever importing spaCy may raise
        print(f"tokenizer: nothing kept ({error})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
