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
    """

    def __init__(self, stream: Stream, encoder: Encoder) -> None:
        self._stream = stream
        self._encoder = encoder

    def open(self) -> None:
        """Open the stream."""
        self._stream.open()

    def write_header(self, names: Sequence[str]) -> None:
        """Write the names of the columns."""
        self._stream.write(self._encoder.header(names))

    def write_rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> None:
        """Write rows with what is appended to each."""
        for piece in _pieces(self._encoder.rows(rows, cells)):
            self._stream.write(piece)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def mark(self) -> None:
        """Return nothing: a stream cannot be resumed."""

    def resume(self, mark: Any) -> bool:
        """Return that it cannot."""
        return False

    def finish(self) -> None:
        """Write what is left and close."""
        self._stream.finish()

    def publish(self) -> None:
        """Do nothing: it went out as it came."""

    def close(self) -> None:
        """Close it."""
        self._stream.discard()

    def discard(self) -> None:
        """Close it; what went out is out."""
        self._stream.discard()


class FileSink:
    """Rows to a growing file.

    Args:
        file: takes the bytes.
        encoder: makes them.
    """

    def __init__(self, file: GrowingFile, encoder: Encoder) -> None:
        self._file = file
        self._encoder = encoder
        self.open, self.flush, self.mark, self.resume = file.open, file.flush, file.mark, file.resume
        self.finish, self.publish, self.close, self.discard = file.finish, file.publish, file.close, file.discard

    def write_header(self, names: Sequence[str]) -> None:
        """Write the names of the columns."""
        self._file.write(self._encoder.header(names))

    def write_rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> None:
        """Write rows with what is appended to each."""
        for piece in _pieces(self._encoder.rows(rows, cells)):
            self._file.write(piece)


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines joined to pieces of a mebibyte or a little more."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= _WRITE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
