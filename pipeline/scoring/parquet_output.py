"""Scored rows as Parquet: parts that are whole files by themselves, put together at the end.

A Parquet file can be read only when its end is there, so what has been scored is kept in parts: a folder
``NAME.partial`` with one small Parquet file for each checkpoint. At the end they become one file with large row groups.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.scoring import disk
from pipeline.scoring.json_lines_output import PROBABILITY_CELL
from pipeline.scoring.output_format import OutputColumns
from pipeline.scoring.rows import Row

ROW_GROUP_BYTES = 1 << 26
"""Of a row group of the finished file, in memory; also what putting the parts together takes."""
_WHOLE_NAME = "whole.parquet"


class _DiskFile(io.RawIOBase):
    """What ``pyarrow`` writes to: a new file, every byte through :mod:`pipeline.scoring.disk`."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, content: Any) -> int:
        disk.write_all(self._descriptor, content)
        self._position += len(content)
        return len(content)

    def sync(self) -> None:
        disk.sync(self._descriptor)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def output_schema(columns: OutputColumns, source: pa.Schema | None) -> pa.Schema:
    """Return the schema of the output: the input's own types where it has some, else strings, and the new columns.

    Args:
        columns: of the output.
        source: the schema of a Parquet input.
    """
    own = [
        source.field(place) if source is not None else pa.field(columns.header[place], pa.string())
        for place in columns.places()
    ]
    types = [pa.float64() if place == PROBABILITY_CELL else pa.string() for place in range(len(columns.appended))]
    new = [pa.field(name, kind) for name, kind in zip(columns.appended, types, strict=True)]
    return pa.schema([*own, *new], metadata=None if source is None else source.metadata)


class ParquetParts:
    """A growing Parquet file, kept in parts; see the module.

    Args:
        target: the name.
        columns: of the output.
        source: the schema of a Parquet input.
    """

    def __init__(self, target: Path, columns: OutputColumns, source: pa.Schema | None) -> None:
        self.target = target
        self.partial = target.with_name(target.name + ".partial")
        self._places = list(columns.places())
        self._schema = output_schema(columns, source)
        self._typed = source is not None
        self._pending: list[pa.Table] = []
        self._parts = 0

    def open(self) -> None:
        """Make the folder of parts, empty."""
        self.discard()
        self.partial.mkdir()

    def write_header(self, names: Sequence[str]) -> None:
        """Do nothing: the names stand in the schema."""

    def write_rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> None:
        """Take rows with what is appended to each; they are written at the next flush."""
        columns = list(self._typed_columns(rows) if self._typed else self._text_columns(rows))
        for place, values in enumerate(zip(*cells, strict=True)):
            if place == PROBABILITY_CELL:
                columns.append(pa.array([float(value) if value else None for value in values], pa.float64()))
            else:
                columns.append(_strings([value or None for value in values]))
        self._pending.append(pa.Table.from_arrays(columns, schema=self._schema))

    def _text_columns(self, rows: Sequence[Row]) -> Iterator[pa.Array]:
        for place in self._places:
            yield _strings([row.fields[place] for row in rows])

    def _typed_columns(self, rows: Sequence[Row]) -> Iterator[pa.ChunkedArray]:
        """Yield the columns as they came, cut from their batches."""
        slices = []
        for _, of_batch in groupby(rows, key=lambda row: id(row.native[0])):
            together = list(of_batch)
            batch, first = together[0].native
            slices.append(batch.slice(first, len(together)))
        is_broken = any(row.original is not None for row in rows)
        for field, place in zip(self._schema, self._places, strict=False):
            column = pa.chunked_array([part.column(place) for part in slices], type=field.type)
            yield _sound_texts(column, [row.fields[place] for row in rows]) if is_broken else column

    def flush(self) -> None:
        """Write what was taken since the last flush as a part, and bring it to the disk."""
        if not self._pending:
            return
        path = self._part_path(self._parts)
        with _DiskFile(path) as file:
            pq.write_table(pa.concat_tables(self._pending), file)
            file.sync()
        disk.sync_folder(self.partial)
        self._pending = []
        self._parts += 1

    def mark(self) -> dict[str, Any]:
        """Return what :meth:`resume` needs to go on from here."""
        return {"parts": self._parts}

    def resume(self, mark: dict[str, Any]) -> bool:
        """Go on from a mark; False where a part is missing or damaged."""
        for place in range(mark["parts"]):
            try:
                if not pq.read_schema(self._part_path(place)).equals(self._schema):
                    return False
            except (OSError, pa.ArrowException):
                return False
        self._parts = mark["parts"]
        wanted = {self._part_path(place) for place in range(self._parts)}
        for path in self.partial.iterdir():
            if path not in wanted:
                disk.remove(path)
        return True

    def finish(self) -> None:
        """Put the parts together, on the disk."""
        self.flush()
        with _DiskFile(self.partial / _WHOLE_NAME) as file:
            with pq.ParquetWriter(file, self._schema) as writer:
                for row_group in self._row_groups():
                    writer.write_table(row_group, row_group_size=max(row_group.num_rows, 1))
            file.sync()
        disk.sync_folder(self.partial)

    def _row_groups(self) -> Iterator[pa.Table]:
        gathered: list[pa.Table] = []
        size = 0
        for place in range(self._parts):
            table = pq.ParquetFile(self._part_path(place)).read()  # which takes columns of one name
            gathered.append(table)
            size += table.nbytes
            if size >= ROW_GROUP_BYTES:
                yield pa.concat_tables(gathered)
                gathered, size = [], 0
        if gathered or not self._parts:
            yield pa.concat_tables([*gathered, self._schema.empty_table()])

    def publish(self) -> None:
        """Give the finished file its name, where that has not been done yet; remove the parts."""
        whole = self.partial / _WHOLE_NAME
        if whole.exists():
            disk.rename(whole, self.target)
            disk.sync_folder(self.target.parent)
        disk.remove_folder(self.partial)

    def close(self) -> None:
        """Forget what is not on the disk; the parts stay."""
        self._pending = []

    def discard(self) -> None:
        """Remove the parts."""
        self.close()
        with suppress(OSError):
            if self.partial.is_dir():
                disk.remove_folder(self.partial)
            else:
                disk.remove(self.partial)

    def _part_path(self, place: int) -> Path:
        return self.partial / f"part-{place:06d}.parquet"


def _sound_texts(column: pa.ChunkedArray, texts: Sequence[str]) -> pa.ChunkedArray:
    """Return a column of texts as they were read: bytes that are no UTF-8 would make the whole file unreadable.

    Args:
        column: any column.
        texts: its values as text.
    """
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        return column
    there = column.is_valid().to_pylist()
    return _strings([text if is_there else None for text, is_there in zip(texts, there, strict=True)]).cast(column.type)


def _strings(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # code points that UTF-8 cannot hold, and that some encodings decode to
        sound = [None if value is None else value.encode("utf-8", "replace").decode("utf-8") for value in values]
        return pa.array(sound, pa.string())
