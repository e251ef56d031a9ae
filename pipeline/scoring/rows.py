"""One row of a table on its way from the input to the output, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.dialect import count_marks, original_bytes, replace_marks

NO_OBJECT = "not a JSON object"
"""The kind of problem of a line of JSON lines that holds no row."""


@dataclass(slots=True, frozen=True)
class Problem:
    """What is wrong with a row, or worth knowing of it.

    Attributes:
        kind: for counting.
        detail: the particulars.
        is_note: the row was scored and nothing of it is broken; ``--strict`` lets it pass.
    """

    kind: str
    detail: str = ""
    is_note: bool = False

    def __str__(self) -> str:
        """Return the text for the ``score_error`` column."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class RawValue(str):
    """A field whose value is no text in a table that knows types: a number of a JSON object, as it is written there.

    An empty one (:data:`NO_VALUE`) is no value at all: ``null``, or a key that is missing. In CSV it is as empty as an
    empty text; JSON lines and Parquet tell the two apart.
    """

    __slots__ = ()


NO_VALUE = RawValue("")


class Base64Value(str):
    """A field whose value is bytes that are no text, in base 64."""

    __slots__ = ()


@dataclass(slots=True)
class Row:
    """One row as it goes out: as many fields as the table has columns, and what was wrong with it.

    Attributes:
        number: 1 for the first row of the input, the header not counted; it runs on through several files.
        line: the line of its file on which the row begins, from 1; the row's number where a format has no lines.
        fields: the values as text; may be made only when one is asked for.
        problems: empty where all is well.
        original: all fields as they stood, where ``fields`` cannot hold them; undecodable bytes still marked.
        native: the row as its format has it, for an output of the same format; None of CSV.
        characters: of all fields together, as far as memory goes; 0 where they are still to be counted.
        encoding: of the file, where ``original`` marks undecodable bytes.
        file: the row's file as messages call it, where the input is several; else empty.
        row_of_file: the row's number in that file; 0 where the input is one file.
    """

    number: int
    line: int
    fields: Sequence[str]
    problems: list[Problem] = field(default_factory=list)
    original: Sequence[str] | None = None
    native: Any = None
    characters: int = 0
    encoding: str = "utf-8"
    file: str = ""
    row_of_file: int = 0

    def place(self) -> str:
        """Return where the row stands, for messages: ``row 28 (line 30)``, of several files ``row 28 (b.csv, line 6)``.

        The line goes unsaid where it is the row's number too: a format without lines, a table without a header.
        """
        if not self.file:
            return f"row {self.number}" + (f" (line {self.line})" if self.line != self.number else "")
        at = f"line {self.line}" if self.line != self.row_of_file else f"row {self.row_of_file}"
        return f"row {self.number} ({self.file}, {at})"


def reject_record(row: Row) -> dict[str, Any]:
    """Return what a row held that its output cannot: all fields, and the bytes of those that could not be decoded.

    Args:
        row: a row whose ``original`` is set.

    Returns:
        ``row``, ``line``, ``problems``, ``fields``; where the input is several files, also ``file``; where bytes were
        replaced, also ``base64``: the original bytes by the field's position from 0.
    """
    fields = row.original or []
    record: dict[str, Any] = {
        "row": row.number,
        **({"file": row.file} if row.file else {}),
        "line": row.line,
        "problems": [str(problem) for problem in row.problems],
        "fields": [replace_marks(value) for value in fields],
    }
    marked = {str(i): original_bytes(value, row.encoding) for i, value in enumerate(fields) if count_marks(value)}
    if marked:
        record["base64"] = marked
    return record
