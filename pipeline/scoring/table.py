"""What scoring asks of a table, whatever its format: ``csv_table``, ``json_lines_table``, ``parquet_table``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pipeline.scoring.rows import Row


class Position(NamedTuple):
    """How far a table has been read, in a unit of its own; ``total`` is None where the end is not known."""

    done: int
    total: int | None
    unit: str


@dataclass
class InputFacts:
    """What reading found, for the summary and for an output of the same format.

    Attributes:
        format: ``csv``, ``jsonl`` or ``parquet``.
        encoding: Python's name for it; ``ascii`` as long as nothing else was needed.
        delimiter: between fields of an output in CSV.
        line_end: ``\\n`` or ``\\r\\n``, of an output in CSV.
        bytes_replaced: undecodable bytes so far.
        blank_lines: lines passed over that are no rows, so far.
        schema: of Parquet, the ``pyarrow.Schema`` of the input; None of other formats.
    """

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\n"
    bytes_replaced: int = 0
    blank_lines: int = 0
    schema: Any = None


class Table(Protocol):
    """A header and a stream of rows, read once from the start to the end."""

    @property
    def name(self) -> str:
        """The table as messages call it."""

    @property
    def header(self) -> Sequence[str]:
        """The names of the columns; ``column_1`` and so on where the file has none."""

    @property
    def has_header(self) -> bool:
        """Whether the names stand in the file; an output in CSV has a header line where they do."""

    @property
    def hint(self) -> str:
        """What the user should know of how it was read; empty where there is nothing."""

    @property
    def rows_read(self) -> int:
        """Rows handed out so far."""

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the order of the file.

        Raises:
            SentimentError: the file cannot be read further; the rows before are good.
        """

    def facts(self) -> InputFacts:
        """Return what reading has found so far."""

    def position(self) -> Position:
        """Return how far the table has been read."""
