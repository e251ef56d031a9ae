"""Texts that stay on the disk: a million reviews of 1.3 KB each would take 1.3 GB, twice that as Python strings.

They are read, not mapped into memory, for the kernel counts pages of a mapped file to the process that touched them.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from threading import Lock
from typing import IO, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.errors import SentimentError
from pipeline.reviews import REVIEW_SCHEMA, ReviewRows

TEXT = "text"
REMEMBERED = ["label", "rating"]
SCHEMA = pa.schema([(TEXT, pa.string())])
ROWS_PER_BATCH = 1_000
"""Of a temporary file: what is read for one text."""
BATCHES_HELD = 8


class StoredTexts(Sequence[str]):
    """The texts of an Arrow IPC file with a column ``text`` without nulls, read when they are asked for.

    Args:
        file: open for reading; closed when nobody holds the texts any more.
        batch_rows: number of rows of each record batch of the file.
    """

    def __init__(self, file: IO[bytes], batch_rows: Sequence[int]) -> None:
        names = pa.ipc.open_file(file).schema.names
        options = pa.ipc.IpcReadOptions(included_fields=[names.index(TEXT)])
        self._reader = pa.ipc.open_file(file, options=options)
        self._ends: NDArray[np.int64] = np.cumsum(np.asarray(batch_rows, dtype=np.int64))
        self._lock = Lock()
        self._batch = lru_cache(maxsize=BATCHES_HELD)(self._reader.get_batch)
        weakref.finalize(self, file.close)

    def __len__(self) -> int:
        """Return the number of texts."""
        return int(self._ends[-1]) if self._ends.size else 0

    def _between(self, start: int, stop: int) -> Iterator[str]:
        while start < stop:
            number = int(np.searchsorted(self._ends, start, side="right"))
            before = int(self._ends[number - 1]) if number else 0
            with self._lock:  # the file has one position for all who read it
                batch = self._batch(number)
            yield from batch.column(0).slice(start - before, stop - start).to_pylist()
            start = int(self._ends[number])

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return one text, or those of a slice as a list."""
        positions = range(len(self))[index]
        if isinstance(positions, int):
            return next(self._between(positions, positions + 1))
        if positions.step == 1:
            return list(self._between(positions.start, positions.stop))
        return [self[position] for position in positions]

    def __iter__(self) -> Iterator[str]:
        """Yield all texts in order."""
        return self._between(0, len(self))


def store_reviews(read: Callable[[ReviewRows], object]) -> tuple[pa.Table, StoredTexts, int]:
    """Take in labelled reviews of any number: texts go to a temporary file, labels and stars stay in memory.

    The file has no name, lies in the folder that ``TMPDIR`` names, and is gone when the process ends, however it does.

    Args:
        read: adds the reviews to the rows that it is given.

    Returns:
        A table of the columns ``label`` and ``rating`` (:data:`pipeline.reviews.REVIEW_SCHEMA`), the texts,
        and how many rows were left out for want of text.

    Raises:
        SentimentError: the temporary folder takes no more; whatever ``read`` raises.
    """
    small: list[pa.RecordBatch] = []
    batch_rows: list[int] = []
    file = tempfile.TemporaryFile(prefix="sentiment-")  # noqa: SIM115  # closed with the texts
    writer = pa.ipc.new_file(file, SCHEMA)

    def keep(batch: pa.RecordBatch) -> None:
        small.append(batch.select(REMEMBERED))
        for start in range(0, batch.num_rows, ROWS_PER_BATCH):
            part = batch.slice(start, ROWS_PER_BATCH)
            batch_rows.append(part.num_rows)
            with room_in_temporary_folder():
                writer.write_batch(part.select([TEXT]))

    try:
        rows = ReviewRows(keep)
        read(rows)
        rows.finish()
        with room_in_temporary_folder():
            writer.close()
            file.flush()
        texts = StoredTexts(file, batch_rows)
    except BaseException:
        with suppress(OSError):  # it may try once more to write what did not fit
            file.close()
        raise
    table = pa.Table.from_batches(small, pa.schema([REVIEW_SCHEMA.field(name) for name in REMEMBERED]))
    return rows.with_clear_ratings(table), texts, rows.blank


@contextmanager
def room_in_temporary_folder() -> Iterator[None]:
    """Run what writes there.

    Raises:
        SentimentError: in place of the disk's OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise SentimentError(
            f"the temporary folder {tempfile.gettempdir()} takes no more texts ({reason}); "
            "make room there, or name another with TMPDIR="
        ) from error
