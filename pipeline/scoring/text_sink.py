"""Rows as text in a growing file or in a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from pipeline.scoring.growing_file import GrowingFile, Stream
from pipeline.scoring.rows import Row

_WRITE_BYTES = 1 << 20


class Encoder(Protocol):
    """A text format."""

    def header(self, names: Sequence[str]) -> bytes:
        """Return what comes before the rows."""

    def rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> Iterator[bytes]:
        """Yield each row with what is appended to it."""


class StreamSink:
    """Rows to standard output, a pipe or a device.

    Args:
        stream: takes the bytes.
        encoder: makes them.

    Attributes:
        rows: rows written.
    """

    def __init__(self, stream: Stream, encoder: Encoder) -> None:
        self.rows = 0
        self._encoder = encoder
        self._stream = stream
        self.open, self.finish, self.discard = stream.open, stream.finish, stream.discard
        self.close = stream.discard  # what went out is out

    def write_header(self, names: Sequence[str]) -> None:
        """Write the names of the columns."""
        self._stream.write(self._encoder.header(names))

    def write_rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> None:
        """Write rows with what is appended to each."""
        for count, piece in _pieces(self._encoder.rows(rows, cells)):
            self._stream.write(piece)
            self.rows += count

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def mark(self) -> None:
        """Return nothing: a stream cannot be resumed."""

    def resume(self, mark: Any) -> bool:
        """Return that it cannot."""
        return False

    def is_finished(self, mark: Any) -> bool:
        """Return that this cannot be known."""
        return False

    def publish(self) -> None:
        """Do nothing: it went out as it came."""


class FileSink:
    """Rows to a growing file.

    Args:
        file: takes the bytes.
        encoder: makes them.

    Attributes:
        rows: rows in the file.
    """

    def __init__(self, file: GrowingFile, encoder: Encoder) -> None:
        self.rows = 0
        self._file = file
        self._encoder = encoder
        self.flush, self.is_finished = file.flush, file.is_finished
        self.finish, self.publish, self.close, self.discard = file.finish, file.publish, file.close, file.discard

    def open(self) -> None:
        """Make the file, empty."""
        self.rows = 0
        self._file.open()

    def write_header(self, names: Sequence[str]) -> None:
        """Write the names of the columns."""
        self._file.write(self._encoder.header(names))

    def write_rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> None:
        """Write rows with what is appended to each."""
        for count, piece in _pieces(self._encoder.rows(rows, cells)):
            self._file.write(piece)
            self.rows += count

    def mark(self) -> dict[str, Any]:
        """Return what :meth:`resume` needs to go on from here, after a flush."""
        return {**(self._file.mark() or {}), "rows": self.rows}

    def resume(self, mark: dict[str, Any]) -> bool:
        """Go on from a mark; False where the file does not hold what it held then."""
        self.rows = mark["rows"]
        return self._file.resume(mark)


def _pieces(lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield lines joined to pieces of a mebibyte or a little more, each with the number of its lines."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= _WRITE_BYTES:
            yield len(gathered), b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield len(gathered), b"".join(gathered)
