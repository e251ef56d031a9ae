"""Streams of Parquet rows: a batch of a row group in memory at a time, values made into text only when asked for.

Beside the batch, a page of each column is in memory; how long pages are is up to who wrote the file.

A row's ``native`` is its record batch and its place there, so that an output in Parquet keeps every type. A text that
is no UTF-8, which lax writers leave, is kept with its problem named, its bytes in the rejects file. Anything else that
is damaged ends the file with one line; the rows before are good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dialect import count_marks
from pipeline.errors import SentimentError
from pipeline.scoring.arrow_text import UNDECODABLE, bytes_of, is_text, texts_of
from pipeline.scoring.input_bytes import DamagedInputError
from pipeline.scoring.rows import Problem, Row
from pipeline.scoring.table import InputFacts, Position

BATCH_BYTES = 1 << 23
"""Of the values of a batch, as far as the file tells beforehand."""
BATCH_ROWS = 256
"""Values that the file keeps once for many rows take their room for each of these."""
_BUFFER_BYTES = 1 << 16  # of each column, read at a time
_REMEDY = "get the file again, or write it anew"


class ParquetTable:
    """A Parquet file as a header and a stream of rows; see the module.

    Args:
        source: its path, or a stream that can seek.
        name: the file as messages shall call it.

    Attributes:
        header: the column names, as they stand.
        rows_read: rows handed out so far.
        bytes_replaced: of texts that are no UTF-8, so far.

    Raises:
        SentimentError: the file is damaged or encrypted.
    """

    def __init__(self, source: Any, name: str) -> None:
        self.name = name
        self.has_header = True
        self.hint = ""
        self.rows_read = self.bytes_replaced = 0
        with self._one_line_errors():
            self._file = pq.ParquetFile(
                source, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
            )
            self.schema = self._file.schema_arrow
            self.header: list[str] = list(self.schema.names)
            self._rows = int(self._file.metadata.num_rows)

    def facts(self) -> InputFacts:
        """Return what reading has found so far."""
        return InputFacts("parquet", bytes_replaced=self.bytes_replaced, schema=self.schema)

    def position(self) -> Position:
        """Return how far the file has been read."""
        return Position(self.rows_read, self._rows, "rows")

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the order of the file.

        Raises:
            SentimentError: the file cannot be read further; the rows before are good.
        """
        for batch in self._batches():
            yield from self._rows_of(batch)
            del batch  # the next one may be large too
        if self.rows_read != self._rows:
            raise DamagedInputError(
                self.name, f"holds {self.rows_read:,} rows and not {self._rows:,}, as its end says", _REMEDY
            )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for group in range(self._file.num_row_groups):
            with self._one_line_errors():
                batches = self._file.iter_batches(self._batch_rows(group), row_groups=[group], use_threads=False)
            while True:
                with self._one_line_errors():
                    batch = next(batches, None)
                if batch is None:
                    break
                yield batch
                del batch

    def _batch_rows(self, group: int) -> int:
        """Return how many rows of a row group are read at a time."""
        facts = self._file.metadata.row_group(group)
        row_bytes = float(facts.total_byte_size) / max(int(facts.num_rows), 1)
        return max(1, min(BATCH_ROWS, int(BATCH_BYTES / max(row_bytes, 1))))

    def _rows_of(self, batch: pa.RecordBatch) -> Iterator[Row]:
        with self._one_line_errors():
            unsound = _unsound_texts(batch)
        columns = _BatchTexts(batch)
        characters = batch.nbytes // max(batch.num_rows, 1) + 1
        broken = {place for values in unsound.values() for place in values}
        for place in range(batch.num_rows):
            self.rows_read += 1
            fields = _RowTexts(columns, place)
            row = Row(self.rows_read, self.rows_read, fields, native=(batch, place), characters=characters)
            if place in broken:
                self._note_undecodable(row, {column: values.get(place) for column, values in unsound.items()})
            yield row
            del row, fields

    def _note_undecodable(self, row: Row, marked: dict[int, str | None]) -> None:
        row.original = [marked.get(column) or value for column, value in enumerate(row.fields)]
        count = sum(count_marks(value) for value in row.original)
        self.bytes_replaced += count
        row.problems.append(Problem("undecodable bytes", f"{count} replaced"))

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Turn whatever pyarrow raises into one line; a damaged file can make it raise almost anything."""
        try:
            yield
        except SentimentError:
            raise
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            if "crypt" in reason.lower():
                raise SentimentError(
                    f"{self.name}: is an encrypted Parquet file ({reason}); decrypt it first"
                ) from error
            raise DamagedInputError(self.name, f"cannot be read as Parquet ({reason})", _REMEDY) from error


class _BatchTexts:
    """The columns of a batch as text, each made when it is first asked for."""

    __slots__ = ("_batch", "_texts", "width")

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.width: int = batch.num_columns
        self._batch = batch
        self._texts: list[list[str] | None] = [None] * self.width

    def column(self, index: int) -> list[str]:
        texts = self._texts[index]
        if texts is None:
            texts = self._texts[index] = texts_of(self._batch.column(index))
        return texts


class _RowTexts(Sequence[str]):
    """The fields of one row of a batch."""

    __slots__ = ("_columns", "_place")

    def __init__(self, columns: _BatchTexts, place: int) -> None:
        self._columns = columns
        self._place = place

    def __len__(self) -> int:
        """Return the number of columns."""
        return self._columns.width

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return a field's text."""
        if isinstance(index, slice):
            return [self._columns.column(place)[self._place] for place in range(*index.indices(len(self)))]
        return self._columns.column(index)[self._place]


def _unsound_texts(batch: pa.RecordBatch) -> dict[int, dict[int, str]]:
    """Return the texts that are no UTF-8, their bytes marked, by column and place.

    Raises:
        pa.ArrowInvalid: the batch is damaged in another way.
    """
    unsound: dict[int, dict[int, str]] = {}
    for index, column in enumerate(batch.columns):
        values = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            if not is_text(values.type):
                raise
            decoded = enumerate(bytes_of(values))
            marked = ((place, value.decode("utf-8", UNDECODABLE)) for place, value in decoded if value is not None)
            unsound[index] = {place: text for place, text in marked if count_marks(text)}
            if not unsound[index]:
                raise
    return unsound
