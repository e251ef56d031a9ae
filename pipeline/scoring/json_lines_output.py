"""Scored rows as JSON lines: one object a line, its own keys first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring, encode_basestring_ascii

from pipeline.scoring.json_object import written_values
from pipeline.scoring.output_format import OutputColumns
from pipeline.scoring.rows import RawValue, Row

PROBABILITY_CELL = 1
"""Which of the appended cells is a number."""


class JsonLinesEncoder:
    """Turns rows into JSON lines.

    A row that was JSON before keeps its text, digit for digit, and gets the new keys at its end. The values of CSV are
    strings; those of Parquet keep their numbers, and ``null``. An empty appended value is ``null``.

    Args:
        columns: of the output.
    """

    def __init__(self, columns: OutputColumns) -> None:
        self._all_columns = columns.kept is None
        self._kept_names = [columns.header[place] for place in columns.places()]
        self._kept = [(_sound_json_text(columns.header[place]), place) for place in columns.places()]
        self._appended_names = frozenset(columns.appended)
        self._appended = [_sound_json_text(name) for name in columns.appended]

    def header(self, names: Sequence[str]) -> bytes:
        """Return nothing: the keys stand in every row."""
        return b""

    def rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> Iterator[bytes]:
        """Yield the lines of rows with what is appended to each."""
        for row, added in zip(rows, cells, strict=True):
            try:
                line = self._line(row, added, _json_text).encode("utf-8")
            except UnicodeEncodeError:
                line = self._line(row, added, _sound_json_text).encode("utf-8", "replace")
            yield line

    def _line(self, row: Row, added: Sequence[str], json_text: Callable[[str], str]) -> str:
        own = self._own_text(row, json_text)
        new = ", ".join(
            f"{name}: {_appended_value(value, place, json_text)}"
            for place, (name, value) in enumerate(zip(self._appended, added, strict=True))
        )
        return f"{{{own}{', ' if own else ''}{new}}}\n"

    def _own_text(self, row: Row, json_text: Callable[[str], str]) -> str:
        """Return the row's own keys and values, without the braces."""
        if isinstance(row.native, str):
            # Keys that the first lines lacked may be called like the new ones; such a row is among the rejects too.
            written = written_values(row.native) if row.original is not None or not self._all_columns else {}
            if self._all_columns and self._appended_names.isdisjoint(written):
                return row.native.strip()[1:-1].strip()
            wanted = written if self._all_columns else self._kept_names
            names = [name for name in wanted if name in written and name not in self._appended_names]
            return ", ".join(f"{json_text(name)}: {written[name]}" for name in names)
        fields = row.fields
        return ", ".join([f"{key}: {json_text(fields[place])}" for key, place in self._kept])


def _json_text(value: str) -> str:
    """Return a value as JSON, which UTF-8 may be unable to hold."""
    if isinstance(value, RawValue):
        return value or "null"
    return encode_basestring(value)


def _sound_json_text(value: str) -> str:
    """Return a value as JSON: a text with code points that UTF-8 cannot hold, and some encodings decode to, escaped."""
    text = _json_text(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text if isinstance(value, RawValue) else encode_basestring_ascii(value)
    return text


def _appended_value(value: str, place: int, json_text: Callable[[str], str]) -> str:
    if not value:
        return "null"
    return value if place == PROBABILITY_CELL else json_text(value)
