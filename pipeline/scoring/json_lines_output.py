"""Scored rows as JSON lines: one object a line, its own keys first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pipeline.scoring.json_object import written_values
from pipeline.scoring.output_format import OutputColumns
from pipeline.scoring.rows import RawValue, Row

PROBABILITY_CELL = 1
"""Which of the appended cells is a number."""


class JsonLinesEncoder:
    """Turns rows into JSON lines.

    A row that was JSON before keeps its text, digit for digit, and gets the new keys at its end. The values of other
    formats are strings. An empty appended value is ``null``.

    Args:
        columns: of the output.
    """

    def __init__(self, columns: OutputColumns) -> None:
        self._all_columns = columns.kept is None
        self._names = columns.header
        self._kept = list(columns.places())
        self._keys = {place: _json_text(columns.header[place]) for place in self._kept}
        self._appended_names = frozenset(columns.appended)
        self._appended = [_json_text(name) for name in columns.appended]

    def header(self, names: Sequence[str]) -> bytes:
        """Return nothing: the keys stand in every row."""
        return b""

    def rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> Iterator[bytes]:
        """Yield the lines of rows with what is appended to each."""
        for row, added in zip(rows, cells, strict=True):
            own = self._own_text(row)
            new = ", ".join(
                f"{name}: {_appended_value(value, place)}"
                for place, (name, value) in enumerate(zip(self._appended, added, strict=True))
            )
            yield f"{{{own}{', ' if own else ''}{new}}}\n".encode("utf-8", "replace")

    def _own_text(self, row: Row) -> str:
        """Return the row's own keys and values, without the braces."""
        if isinstance(row.native, str):
            # Keys that the first lines lacked may be called like the new ones; such a row is among the rejects too.
            written = written_values(row.native) if row.original is not None or not self._all_columns else {}
            if self._all_columns and self._appended_names.isdisjoint(written):
                return row.native.strip()[1:-1].strip()
            wanted = written if self._all_columns else [self._names[place] for place in self._kept]
            names = [name for name in wanted if name in written and name not in self._appended_names]
            return ", ".join(f"{_json_text(name)}: {written[name]}" for name in names)
        return ", ".join(f"{self._keys[place]}: {_json_text(row.fields[place])}" for place in self._kept)


def _json_text(value: str) -> str:
    if isinstance(value, RawValue):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if _encodable(text) else json.dumps(value)


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _appended_value(value: str, place: int) -> str:
    if not value:
        return "null"
    return value if place == PROBABILITY_CELL else _json_text(value)
