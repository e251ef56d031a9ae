"""Streams of CSV rows: no row lost, no value changed, one row in memory at a time.

Reading leans on Python's ``csv`` module and adds what it does not do: a row that is broken is repaired or kept with its
problems named, and never takes the rows after it along. What happens to a broken row:

- **too many fields**: kept with the header's number of fields; all of them go to the rejects file;
- **too few fields**: padded with empty ones;
- **undecodable bytes**: each sequence becomes U+FFFD; the field's bytes go to the rejects file;
- **unterminated quote**: a quote that opens a field and is not closed before the file ends, or whose end only comes in
  the quote of a later row. Where the lines it would swallow look like rows by themselves, the quote is taken as a
  character, the row ends with its line and reading goes on with the next; otherwise (a file cut short) the field keeps
  all that follows. A quoted field of more than 64 Mi characters counts as unterminated, and each such quote halves that
  bound (down to 64 Ki), so that a file full of them is still read in linear time and bounded memory;
- **stray quote**: text follows a closing quote; the field loses its first pair of quotes, as ``csv`` reads it, and the
  row as written goes to the rejects file;
- **blank lines** are no rows, but in a file of one column those before the last value are: an empty cell looks so.

Carriage returns in a file whose header ends in LF or CRLF end no row, unless the row only fits when they do.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO, Self

from pipeline.dialect import (
    MASKED_RETURN,
    DecodedText,
    count_marks,
    detect_dialect,
    replace_marks,
    row_widths,
    split_into_lines,
    usual_width,
)
from pipeline.errors import SentimentError
from pipeline.scoring.rows import Problem, Row
from pipeline.scoring.table import InputFacts, Position

LONGEST_FIELD = 1 << 26  # characters; the csv module needs 4 bytes for each, twice while it grows
SHORTEST_LOOKAHEAD = 1 << 16
SAMPLE_CHARACTERS = 1 << 20
_LINES_TO_JUDGE = 100
_WORDS_OF_PROSE = 8
_NUMBER = re.compile(r"\s*[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)\s*")


class _OpenQuoteError(Exception):
    """The CSV parser wants a further line within a quoted field and there is none, or one too many."""

    def __init__(self, at_end: bool) -> None:
        super().__init__()
        self.at_end = at_end


class _Lines:
    """The lines of a file for ``csv.reader``, which remembers those of the row being read and can take them back."""

    def __init__(self, source: Iterator[str]) -> None:
        self.row: list[str] = []
        self.first = 1  # the number of the row's first line
        self.characters = 0  # of the row so far
        self.longest = LONGEST_FIELD
        self._source = source
        self._ahead: deque[str] = deque()
        self._number = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self.characters > self.longest and self.row:
            raise _OpenQuoteError(at_end=False)
        line = self._ahead.popleft() if self._ahead else next(self._source, None)
        if line is None:
            if self.row:
                raise _OpenQuoteError(at_end=True)
            raise StopIteration
        self.row.append(line)
        self.characters += len(line)
        self._number += 1
        return line

    def begin_row(self) -> None:
        self.row = []
        self.characters = 0
        self.first = self._number + 1

    def take_back(self, lines: list[str]) -> None:
        self._ahead.extendleft(reversed(lines))
        self._number -= len(lines)


def _lines_of(chunks: Iterable[str], name: str, splits_at_return: bool) -> Iterator[str]:
    """Yield the lines of a text that comes in chunks, with their ends; mask carriage returns that end no line."""
    number = 0
    held: list[str] = []  # the beginning of a line whose end has not come yet
    characters = 0
    for chunk in chunks:
        end = chunk.rfind("\n") + 1
        if splits_at_return:  # a final CR may be half of a CRLF
            end = max(end, chunk.rfind("\r", 0, -1) + 1)
        if not end:
            held.append(chunk)
            characters += len(chunk)
            if characters > LONGEST_FIELD:
                raise SentimentError(
                    f"{name}: line {number + 1:,} is longer than {LONGEST_FIELD:,} characters; is this a CSV file?"
                )
            continue
        text = "".join([*held, chunk[:end]])
        held, characters = [chunk[end:]], len(chunk) - end
        for line in split_into_lines(text, splits_at_return):
            number += 1
            yield line
        del text, line  # may be large
    yield from split_into_lines("".join(held), splits_at_return)


class CsvTable:
    """A CSV file as a header and a stream of rows; see the module for what becomes of broken ones.

    Args:
        stream: the file's bytes.
        name: the file as messages shall call it.
        delimiter: one character; found from the file where None.
        encoding: a Python codec; found from the file where None.
        text_column: the name or number of the column asked for, as a hint for the delimiter.
        has_header: the first row holds the names of the columns; else they are ``column_1`` and so on, as many as
            most rows have.
        size: of the file in bytes, where it is known.

    Attributes:
        text: the decoder, with the encoding in use and the bytes read so far.
        dialect: how the file is written.
        header: the column names, as they stand.
        hint: what deserves a word before the run, a header that looks like a row; empty where nothing does.
        rows_read: rows handed out so far.
        blank_lines: lines passed over that are no rows.
        bytes_replaced: undecodable bytes in the header and the rows so far.

    Raises:
        SentimentError: the file is empty or cannot be read.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        *,
        delimiter: str | None = None,
        encoding: str | None = None,
        text_column: str | None = None,
        has_header: bool = True,
        size: int | None = None,
    ) -> None:
        self.name = name
        self.has_header = has_header
        self._size = size
        self.text = DecodedText(stream, name, encoding)
        self.rows_read = self.blank_lines = self.bytes_replaced = 0
        chunks = iter(self.text)
        sample, complete, chunks = _take(chunks, SAMPLE_CHARACTERS)
        self.dialect = detect_dialect(sample, complete, delimiter, text_column, has_header)
        self._lines = _Lines(_lines_of(chain([sample], chunks), name, self.dialect.splits_at_return))
        for _ in range(self.dialect.skipped_lines):
            next(self._lines)
        self._reader = self._new_reader(strict=True)
        self._written: list[str] | None = None  # the row as it is written, where its fields do not say
        self.header: list[str] = []
        self.header = self._read_header() if has_header else self._numbered_columns(sample, complete)
        self.hint = ""
        if has_header and looks_like_a_row(self.header):
            self.hint = (
                "the first line looks like a row, not like the names of columns; if it is one, score with --no-header"
            )

    @property
    def width(self) -> int:
        """The number of fields of a sound row."""
        return len(self.header)

    def facts(self) -> InputFacts:
        """Return what reading has found so far."""
        dialect = self.dialect
        return InputFacts(
            "csv", self.text.encoding, dialect.delimiter, dialect.line_end, self.bytes_replaced, self.blank_lines
        )

    def position(self) -> Position:
        """Return how far the file has been read."""
        return Position(self.text.bytes_read, self._size, "bytes")

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the order of the file."""
        blank = 0
        while (read := self._next_fields()) is not None:
            fields, problem = read
            if not fields:
                blank += 1
                continue
            line = self._lines.first
            if self.width == 1:
                yield from (self._row([""], None, line - before) for before in range(blank, 0, -1))
            else:
                self.blank_lines += blank
            blank = 0
            del read  # a field may be large
            yield self._row(fields, problem, line)
            del fields
        self.blank_lines += blank

    def _read_header(self) -> list[str]:
        while (read := self._next_fields()) is not None:
            header = read[0]
            if header:
                self.bytes_replaced += sum(count_marks(name) for name in header)
                return [replace_marks(name) for name in header]
            self.blank_lines += 1
        raise SentimentError(f"{self.name}: is empty; it needs a line with the column names, then the rows")

    def _numbered_columns(self, sample: str, complete: bool) -> list[str]:
        lines = split_into_lines(sample, self.dialect.splits_at_return)[self.dialect.skipped_lines :]
        widths = row_widths(lines, self.dialect.reading_delimiter, complete)
        if not widths:
            raise SentimentError(f"{self.name}: is empty; there is nothing to score")
        return [f"column_{number}" for number in range(1, usual_width(widths) + 1)]

    def _row(self, fields: list[str], problem: Problem | None, line: int) -> Row:
        self.rows_read += 1
        problems = [] if problem is None else [problem]
        original, self._written = self._written, None
        if len(fields) > self.width:
            problems.append(Problem("surplus fields", f"{len(fields)} instead of {self.width}"))
            original, fields = original or fields, fields[: self.width]
        elif len(fields) < self.width:
            problems.append(Problem("too few fields", f"{len(fields)} instead of {self.width}"))
            fields = fields + [""] * (self.width - len(fields))
        if self.text.has_marks:
            count = sum(count_marks(value) for value in original or fields)
            if count:
                problems.append(Problem("undecodable bytes", f"{count} replaced"))
                self.bytes_replaced += count
                original = original or fields
            fields = [replace_marks(value) for value in fields]
        characters = sum(map(len, fields))
        return Row(self.rows_read, line, fields, problems, original, characters=characters, encoding=self.text.encoding)

    def _new_reader(self, strict: bool) -> Iterator[list[str]]:
        return csv.reader(self._lines, delimiter=self.dialect.reading_delimiter, strict=strict)

    def _next_fields(self) -> tuple[list[str], Problem | None] | None:
        """Return the next row's fields (none of a blank line) and what was wrong with its quotes; None at the end."""
        self._lines.begin_row()
        self._written = None
        try:
            fields, problem = next(self._reader), None
        except StopIteration:
            return None
        except _OpenQuoteError as error:
            fields, problem = self._repair_open_quote(error.at_end)
        except csv.Error:  # something other than a delimiter follows a closing quote
            if self._look_like_rows(self._lines.row[1:]):
                fields, problem = self._split_off_first_line()
            else:
                fields, problem = self._read_leniently()
        if any(MASKED_RETURN in line for line in self._lines.row):
            return self._settle_returns(fields, problem)
        if self._lines.characters > SHORTEST_LOOKAHEAD:  # give back what a large field took
            self._reader = self._new_reader(strict=True)
            self._lines.row = []
        return fields, problem

    def _read_leniently(self) -> tuple[list[str], Problem | None]:
        """Read the row again as ``csv`` does by default: a stray quote is a character."""
        self._lines.take_back(self._lines.row)
        self._lines.begin_row()
        try:
            fields = next(self._new_reader(strict=False))
            self._written = ["".join(self._lines.row).rstrip("\r\n").replace(MASKED_RETURN, "\r")]
            return fields, Problem("stray quote", "text follows a closing quote")
        except _OpenQuoteError as error:
            return self._repair_open_quote(error.at_end)

    def _repair_open_quote(self, at_end: bool) -> tuple[list[str], Problem | None]:
        row = self._lines.row
        if self.header and at_end and len(row) > 1 and not self._look_like_rows(row[1:]):
            return self._parse(row), Problem("unterminated quote", "the last field runs to the end of the file")
        return self._split_off_first_line()

    def _split_off_first_line(self) -> tuple[list[str], Problem | None]:
        """End the row with its first line, the open quote being a character; give the other lines back."""
        first, *others = self._lines.row
        self._lines.take_back(others)
        self._lines.row = [first]
        self._lines.longest = max(SHORTEST_LOOKAHEAD, self._lines.longest // 2)
        return self._parse_open_quote(first), Problem("unterminated quote", "taken as a character")

    def _parse_open_quote(self, line: str) -> list[str]:
        """Return the fields of a line that leaves a quote open, the quote being a character.

        The delimiters after it count, unless the row has the right number of fields only when they do not.
        """
        *sound, last = self._parse([line.rstrip("\r\n")])
        rest = '"' + last.replace('"', '""')  # the field as it stands
        split = next(csv.reader([rest], delimiter=self.dialect.reading_delimiter, quoting=csv.QUOTE_NONE))
        if len(sound) + 1 == self.width != len(sound) + len(split):
            return [*sound, rest]
        return sound + split

    def _settle_returns(self, fields: list[str], problem: Problem | None) -> tuple[list[str], Problem | None] | None:
        """Decide whether carriage returns within a row's lines are part of its values or end rows of their own."""
        text = "".join(self._lines.row).replace(MASKED_RETURN, "\r")
        lines = split_into_lines(text, splits_at_return=True)
        if self.header and len(fields) != self.width and self._look_like_rows(lines):
            self._lines.take_back(lines)
            return self._next_fields()
        return [value.replace(MASKED_RETURN, "\r") for value in fields], problem

    def _look_like_rows(self, lines: list[str]) -> bool:
        """Whether at least half of the lines have, each by itself, as many fields as the header."""
        width = self.width or len(self._parse_open_quote(self._lines.row[0]))
        judged = [fields for line in lines[:_LINES_TO_JUDGE] if (fields := self._parse([line]))]
        return bool(judged) and sum(len(fields) == width for fields in judged) * 2 >= len(judged)

    def _parse(self, lines: list[str]) -> list[str]:
        return next(csv.reader(lines, delimiter=self.dialect.reading_delimiter), [])


def looks_like_a_row(header: Sequence[str]) -> bool:
    """Return whether the names of columns look like values: a number, or a text of many words, is among them."""
    if list(header) == [str(number) for number in range(len(header))]:
        return False  # as programs number columns without names
    return any(_NUMBER.fullmatch(name) or len(name.split()) >= _WORDS_OF_PROSE for name in header)


def _take(chunks: Iterator[str], characters: int) -> tuple[str, bool, Iterator[str]]:
    """Return the beginning of a text, at least so many characters, whether that is all of it, and what follows.

    Where the text cannot be read so far, what follows is the error.
    """
    taken: list[str] = []
    try:
        while sum(map(len, taken)) < characters:
            chunk = next(chunks, None)
            if chunk is None:
                return "".join(taken), True, chunks
            taken.append(chunk)
    except SentimentError as failure:
        if not taken:
            raise
        return "".join(taken), False, _failing(failure)
    return "".join(taken), False, chunks


def _failing(failure: SentimentError) -> Iterator[str]:
    raise failure
    yield  # makes it an iterator
