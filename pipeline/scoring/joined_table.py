"""Several files as one table: read one after another, their row numbers running on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from pipeline.errors import SentimentError
from pipeline.scoring.input_bytes import DamagedInputError
from pipeline.scoring.rows import Row
from pipeline.scoring.table import InputFacts, Position, Table


@dataclass
class OpenFile:
    """One file being read.

    Attributes:
        table: its rows.
        position: how far the file has been read.
    """

    table: Table
    position: Callable[[], Position]


class JoinedTable:
    """Files with the same columns as one table; a context manager, which closes them.

    Args:
        names: of the files, as messages shall call them.
        open_file: opens one by its index.
        total: of all files together, in the unit of their positions, where it is known.

    Attributes:
        hint: what deserves a word before the run; empty where nothing does.

    Raises:
        SentimentError: the first file cannot be read.
    """

    def __init__(
        self, names: Sequence[str], open_file: Callable[[int], AbstractContextManager[OpenFile]], total: int | None
    ) -> None:
        self._names = names
        self._open_file = open_file
        self._total = total
        self._rows_before = self._done_before = 0
        self._facts_before: list[InputFacts] = []
        self._held = ExitStack()
        self._file = self._held.enter_context(open_file(0))
        self._first = self._file.table
        self.header: Sequence[str] = self._file.table.header
        self.has_header = self._file.table.has_header
        self.hint = self._file.table.hint

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file that is being read."""
        self._held.close()

    @property
    def name(self) -> str:
        """The first file's name, and how many there are more."""
        more = len(self._names) - 1
        return self._names[0] + (f" and {more} more" if more else "")

    @property
    def rows_read(self) -> int:
        """Rows handed out so far."""
        return self._rows_before + self._file.table.rows_read

    def rows(self) -> Iterator[Row]:
        """Yield the rows of all files.

        Raises:
            SentimentError: a file cannot be read further, or has other columns than the first.
        """
        if len(self._names) == 1:
            yield from self._rows_of_file()
            return
        for index, name in enumerate(self._names):
            if index:
                self._go_on_to(index)
            for row in self._rows_of_file():
                row.file, row.row_of_file = name, row.number
                row.number += self._rows_before
                yield row
                del row  # may be large

    def facts(self) -> InputFacts:
        """Return what reading has found so far: how the first file is written, and the counts of all.

        The encoding is that of the last file that needed more than UTF-8, if any did.
        """
        parts = [*self._facts_before, self._file.table.facts()]
        telling = [part.encoding for part in parts if part.encoding not in ("ascii", "utf-8")]
        return replace(
            parts[0],
            encoding=telling[-1] if telling else max(part.encoding for part in parts),  # utf-8 before ascii
            bytes_replaced=sum(part.bytes_replaced for part in parts),
            blank_lines=sum(part.blank_lines for part in parts),
        )

    def position(self) -> Position:
        """Return how far the files have been read, all together."""
        part = self._file.position()
        total = part.total if len(self._names) == 1 else self._total
        return Position(self._done_before + part.done, total, part.unit)

    def _rows_of_file(self) -> Iterator[Row]:
        try:
            yield from self._file.table.rows()
        except DamagedInputError as damage:
            raise damage.after_row(self._file.table.rows_read) from damage.__cause__

    def _go_on_to(self, index: int) -> None:
        self._rows_before += self._file.table.rows_read
        self._done_before += self._file.position().done
        self._facts_before.append(self._file.table.facts())
        self._held.close()
        self._file = self._held.enter_context(self._open_file(index))
        check_same_columns(self._first, self._file.table, self._names[0], self._names[index])


def check_same_columns(table: Table, other_table: Table, name: str, other_name: str) -> None:
    """Refuse files of different columns; of Parquet also of different types.

    Raises:
        SentimentError: with the two files and the first difference.
    """
    header, other = table.header, other_table.header
    if list(header) == list(other):
        difference = _different_type(table.facts().schema, other_table.facts().schema)
        if difference:
            raise SentimentError(f"{other_name}: {difference} in {name}; write both with the same types")
        return
    missing = [column for column in header if column not in other]
    surplus = [column for column in other if column not in header]
    if missing:
        difference = f"lacks the column {missing[0]!r}"
    elif surplus:
        difference = f"has a column {surplus[0]!r} more"
    elif len(header) != len(other):
        difference = f"has {len(other)} columns instead of {len(header)}"
    else:
        difference = "has the same columns in another order (bring them in one order, or score it apart)"
    raise SentimentError(
        f"{other_name}: {difference} in comparison with {name}; files that are scored together need the same columns"
    )


def _different_type(schema: Any, other: Any) -> str:
    """Return which type differs between two schemas of the same names; nothing where none does."""
    if schema is None:
        return ""
    for field, other_field in zip(schema, other, strict=True):
        if field.type != other_field.type:
            return f"its column {field.name!r} is of type {other_field.type}, and of type {field.type}"
    return ""
