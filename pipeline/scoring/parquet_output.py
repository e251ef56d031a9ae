"""Scored rows as Parquet: parts that are whole files by themselves, put together at the end.

A Parquet file can be read only when its end is there, so what has been scored is kept in parts: a folder
``NAME.partial`` with one small Parquet file for each checkpoint. At the end they become one file with large row groups.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.scoring import disk
from pipeline.scoring.growing_file import clear, is_whole
from pipeline.scoring.json_lines_output import PROBABILITY_CELL
from pipeline.scoring.output_format import OutputColumns
from pipeline.scoring.rows import RawValue, Row

ROW_GROUP_BYTES = 1 << 26
"""Of a row group of the finished file, in memory; also what putting the parts together takes."""
_WHOLE_NAME = "whole.parquet"
_SCHEMAS_OF_OTHERS = frozenset((b"org.apache.spark.sql.parquet.row.metadata", b"iceberg.schema"))
"""Metadata that lists the columns of the input: who goes by them would not see the new ones."""


class _DiskFile(io.RawIOBase):
    """What ``pyarrow`` writes to: a new file, every byte through :mod:`pipeline.scoring.disk`."""

    def __init__(self, path: Path, mode: int | None, crc32: int = 0) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        if mode is not None:
            os.fchmod(self._descriptor, mode)
        self.length = 0
        self.crc32 = crc32

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.length

    def write(self, content: Any) -> int:
        disk.write_all(self._descriptor, content)
        self.length += len(content)
        self.crc32 = zlib.crc32(content, self.crc32)
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
        source.field(place).with_nullable(True) if source is not None else pa.field(columns.header[place], pa.string())
        for place in columns.places()  # a further file may lack values that the first one must have
    ]
    types = [pa.float64() if place == PROBABILITY_CELL else pa.string() for place in range(len(columns.appended))]
    new = [pa.field(name, kind) for name, kind in zip(columns.appended, types, strict=True)]
    described = None if source is None else source.metadata or {}
    metadata = described and {key: value for key, value in described.items() if key not in _SCHEMAS_OF_OTHERS}
    return pa.schema([*own, *new], metadata=metadata)


class ParquetParts:
    """A growing Parquet file, kept in parts; see the module.

    Args:
        target: the name.
        columns: of the output.
        source: the schema of a Parquet input.
        mode: permissions of the files; None for what is usual.

    Attributes:
        rows: rows in the parts, and those taken since the last flush; after :meth:`finish` those of the whole file.
    """

    def __init__(self, target: Path, columns: OutputColumns, source: pa.Schema | None, mode: int | None = None) -> None:
        self.target = target
        self.partial = target.with_name(target.name + ".partial")
        self.rows = 0
        self._mode = mode
        self._places = list(columns.places())
        self._schema = output_schema(columns, source)
        self._typed = source is not None
        self._forget()

    def _forget(self) -> None:
        self.rows = self._parts = self._length = self._crc32 = 0
        self._pending: list[pa.Table] = []
        self._whole: dict[str, int] | None = None

    def open(self) -> None:
        """Make the folder of parts, empty."""
        self._forget()
        clear(self.partial)
        self.partial.mkdir()
        if self._mode is not None:
            self.partial.chmod(self._mode | 0o300 | (self._mode & 0o044) >> 2)

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
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._pending.append(table)
        self.rows += table.num_rows

    def _text_columns(self, rows: Sequence[Row]) -> Iterator[pa.Array]:
        for place in self._places:
            values = (row.fields[place] for row in rows)  # an empty RawValue is no value
            yield _strings([None if isinstance(value, RawValue) and not value else value for value in values])

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
        with _DiskFile(self._part_path(self._parts), self._mode, self._crc32) as file:
            pq.write_table(pa.concat_tables(self._pending), file)
            file.sync()
        disk.sync_folder(self.partial)
        self._length, self._crc32 = self._length + file.length, file.crc32
        self._pending = []
        self._parts += 1

    def mark(self) -> dict[str, int]:
        """Return what :meth:`resume` needs to go on from here, or :meth:`is_finished` after the end."""
        facts = {"parts": self._parts, "rows": self.rows, "length": self._length, "crc32": self._crc32}
        return self._whole or facts

    def resume(self, mark: dict[str, int]) -> bool:
        """Go on from a mark; False where the parts do not hold what they held then."""
        length = crc32 = 0
        wanted = [self._part_path(place) for place in range(mark["parts"])]
        for path in wanted:
            try:
                content = path.read_bytes()
            except OSError:
                return False
            length, crc32 = length + len(content), zlib.crc32(content, crc32)
        if (length, crc32) != (mark["length"], mark["crc32"]):
            return False
        for path in self.partial.iterdir():
            if path not in wanted:
                disk.remove(path)
        self._parts, self.rows, self._length, self._crc32 = mark["parts"], mark["rows"], length, crc32
        return True

    def finish(self) -> None:
        """Put the parts together, on the disk."""
        self.flush()
        whole = self.partial / _WHOLE_NAME
        self.rows = 0
        try:
            with _DiskFile(whole, self._mode) as file:
                with pq.ParquetWriter(file, self._schema) as writer:
                    for row_group in self._row_groups():
                        writer.write_table(row_group, row_group_size=row_group.num_rows)
                        self.rows += row_group.num_rows
                file.sync()
        except OSError:
            disk.remove(whole)  # it takes room that the next run wants
            raise
        self._whole = {"length": file.length, "crc32": file.crc32}
        disk.sync_folder(self.partial)

    def is_finished(self, mark: dict[str, int]) -> bool:
        """Whether the finished file is there as it was then, under its name or not yet."""
        whole = self.partial / _WHOLE_NAME
        return is_whole(whole if whole.exists() else self.target, mark)

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
        if gathered:
            yield pa.concat_tables(gathered)

    def publish(self) -> None:
        """Give the finished file its name, where that has not been done yet; remove the parts."""
        whole = self.partial / _WHOLE_NAME
        if whole.exists():
            disk.rename(whole, self.target)
            disk.sync_folder(self.target.parent)
        clear(self.partial)

    def close(self) -> None:
        """Forget what is not on the disk; the parts stay."""
        self._pending = []

    def discard(self) -> None:
        """Remove the parts."""
        self.close()
        with suppress(OSError):
            clear(self.partial)

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
