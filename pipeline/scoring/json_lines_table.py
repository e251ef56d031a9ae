"""Streams of JSON lines: one object a line, every line a row.

The columns are the keys of a sample, in the order in which they are first seen. A row holds a string's text as it is;
numbers, booleans and nested values as they are written (:class:`pipeline.scoring.rows.RawValue`, an empty one where a
key is missing or null). What a row cannot hold goes with its whole line to the rejects file:

- **a key that is no column**, for the sample lacked it; a **key that stands there twice**, of which the last counts;
- **no JSON object**: kept as a row without values;
- **undecodable bytes**, each sequence replaced by U+FFFD; **lone surrogates** (``\\ud800``), which no text can hold.

Blank lines are no rows. An output in JSON lines takes the line itself and loses none of these but undecodable bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from pipeline.dialect import DecodedText, count_marks, replace_marks
from pipeline.errors import SentimentError
from pipeline.scoring.json_object import parse_object
from pipeline.scoring.rows import NO_OBJECT, NO_VALUE, Problem, RawValue, Row
from pipeline.scoring.table import InputFacts, Position

LONGEST_LINE = 1 << 26  # characters
SAMPLE_LINES = 1000
SAMPLE_CHARACTERS = 1 << 20
_BLANKS = " \t\r\n\ufeff"  # a byte-order mark stands where files were put together
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_KEY_SHOWN = 40


class JsonLinesTable:
    """A file of JSON lines as columns and a stream of rows; see the module for what becomes of broken ones.

    Args:
        stream: the file's bytes.
        name: the file as messages shall call it.
        encoding: a Python codec; found from the file where None.
        columns: those that are known from elsewhere; they come first.
        adds_columns: the keys of the sample are columns too; else there are none but ``columns``.
        size: of the file in bytes, where it is known.

    Attributes:
        header: the columns; none in a file without objects.
        rows_read: rows handed out so far.
        blank_lines: lines passed over that are no rows.
        bytes_replaced: undecodable bytes so far.

    Raises:
        SentimentError: the file cannot be read, or is something else than JSON lines.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        *,
        encoding: str | None = None,
        columns: Sequence[str] = (),
        adds_columns: bool = True,
        size: int | None = None,
    ) -> None:
        self.name = name
        self.has_header = True
        self.hint = ""
        self.text = DecodedText(stream, name, encoding)
        self.rows_read = self.blank_lines = self.bytes_replaced = 0
        self._size = size
        self._places = {column: place for place, column in enumerate(columns)}
        self._lines = self._sampled(_lines_of(iter(self.text), name), adds_columns)
        self.header = [_SURROGATE.sub("\ufffd", column) for column in self._places]

    def facts(self) -> InputFacts:
        """Return what reading has found so far."""
        return InputFacts("jsonl", self.text.encoding, bytes_replaced=self.bytes_replaced, blank_lines=self.blank_lines)

    def position(self) -> Position:
        """Return how far the file has been read."""
        return Position(self.text.bytes_read, self._size, "bytes")

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the order of the file.

        Raises:
            SentimentError: the file cannot be read further; the rows before are good.
        """
        for number, line in enumerate(self._lines, start=1):
            text = line.strip(_BLANKS)
            if text:
                yield self._row(text, number)
            else:
                self.blank_lines += 1
            del line, text  # may be large

    def _sampled(self, lines: Iterator[str], adds_columns: bool) -> Iterator[str]:
        """Take the columns from the first lines; return all lines, and then the error where they cannot be read."""
        sample: list[str] = []
        characters = objects = 0
        failure: SentimentError | None = None
        try:
            while len(sample) < SAMPLE_LINES and characters < SAMPLE_CHARACTERS:
                sample.append(next(lines))
                characters += len(sample[-1])
        except StopIteration:
            pass
        except SentimentError as error:
            if not sample:
                raise
            failure = error
        texts = [text for line in sample if (text := line.strip(_BLANKS))]
        for text in texts:
            keys = _keys_of(replace_marks(text) if self.text.has_marks else text)
            objects += keys is not None
            if adds_columns:
                for key in keys or ():
                    self._places.setdefault(key, len(self._places))
        if texts and not objects:
            raise _no_json_lines(self.name, texts)
        return chain(_handed_over(sample), lines if failure is None else _failing(failure))

    def _row(self, text: str, line: int) -> Row:
        self.rows_read += 1
        problems: list[Problem] = []
        original = text
        if self.text.has_marks and (count := count_marks(text)):
            problems.append(Problem("undecodable bytes", f"{count} replaced"))
            self.bytes_replaced += count
        if self.text.has_marks:
            text = replace_marks(text)
        fields: list[str] = [NO_VALUE] * len(self._places)
        native: str | None = text
        try:
            self._fill(fields, text, problems)
        except ValueError as error:
            problems.insert(0, Problem(NO_OBJECT, str(error)))
            native = None
        kept = [original] if problems else None
        return Row(
            self.rows_read, line, fields, problems, kept, native, characters=2 * len(text), encoding=self.text.encoding
        )

    def _fill(self, fields: list[str], text: str, problems: list[Problem]) -> None:
        """Put an object's values where they belong; note what does not fit."""
        surplus: list[str] = []
        seen: set[str] = set()
        twice: list[str] = []
        for key, value in parse_object(text):
            if key in seen:
                twice.append(key)
            seen.add(key)
            place = self._places.get(key)
            if place is None:
                surplus.append(key)
            else:
                fields[place] = value
        if surplus:
            problems.append(Problem("surplus fields", f"{_shown(surplus)}, which the first lines lacked"))
        if twice:
            problems.append(Problem("repeated key", f"{_shown(twice)}, whose last value counts"))
        if _SURROGATE_ESCAPE.search(text):
            count = _replace_surrogates(fields)
            if count:
                problems.append(Problem("lone surrogates", f"{count} replaced"))


def _lines_of(chunks: Iterator[str], name: str) -> Iterator[str]:
    """Yield the lines of a text that comes in chunks, without their ends."""
    number = characters = 0
    held: list[str] = []  # the beginning of a line whose end has not come yet
    for chunk in chunks:
        first, *others = chunk.split("\n")
        held.append(first)
        characters += len(first)
        if characters > LONGEST_LINE:
            raise SentimentError(
                f"{name}: line {number + 1:,} is longer than {LONGEST_LINE:,} characters; is this JSON lines?"
            )
        if others:
            line, held = "".join(held), others[-1:]
            characters = len(others[-1])
            number += len(others)
            del first
            yield line
            del line  # may be large
            yield from others[:-1]
    if any(held):
        yield "".join(held)


def _keys_of(text: str) -> list[str] | None:
    try:
        return [key for key, _ in parse_object(text)]
    except ValueError:
        return None


def _no_json_lines(name: str, texts: list[str]) -> SentimentError:
    if texts[0].startswith("["):
        return SentimentError(
            f"{name}: is a JSON array, not JSON lines; write one object a line, as with jq -c '.[]' FILE"
        )
    if texts[0] == "{":
        return SentimentError(
            f"{name}: its objects go over several lines; write one object a line, as with jq -c . FILE"
        )
    return SentimentError(f"{name}: none of the first {len(texts):,} lines is a JSON object; is this JSON lines?")


def _replace_surrogates(fields: list[str]) -> int:
    count = 0
    for place, value in enumerate(fields):
        if not isinstance(value, RawValue):
            fields[place], replaced = _SURROGATE.subn("\ufffd", value)
            count += replaced
    return count


def _shown(keys: list[str]) -> str:
    shown = [repr(key if len(key) <= _LONGEST_KEY_SHOWN else key[: _LONGEST_KEY_SHOWN - 3] + "...") for key in keys[:3]]
    return ", ".join(shown) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _handed_over(lines: list[str]) -> Iterator[str]:
    """Yield lines and keep none of them."""
    lines.reverse()
    while lines:
        yield lines.pop()


def _failing(failure: SentimentError) -> Iterator[str]:
    raise failure
    yield  # makes it an iterator
