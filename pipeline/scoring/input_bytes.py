"""Bytes of an input, packed or not: what can be read of a damaged file comes through before the damage is told."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from pipeline.errors import SentimentError

_SPOOLED_BYTES = 1 << 20


class DamagedInputError(SentimentError):
    """An input cannot be read further; what was read before is sound.

    Args:
        name: the file.
        reason: what is wrong with it.
        remedy: the way out.
    """

    def __init__(self, name: str, reason: str, remedy: str) -> None:
        super().__init__(f"{name}: {reason}; {remedy}")
        self.name = name
        self.reason = reason
        self.remedy = remedy

    def after_row(self, row: int) -> DamagedInputError:
        """Return the same, with the last row before the damage."""
        place = f"after row {row:,}" if row else "before the first row"
        return DamagedInputError(self.name, f"{self.reason}, {place}", self.remedy)


class SteadyBytes(io.BufferedIOBase):
    """A stream whose :meth:`read` gives as many bytes as were asked for, fewer at the end only, and can be peeked into.

    Where reading fails, the bytes before come first and the failure with the next call. Subclasses give :meth:`pull`.
    """

    def __init__(self) -> None:
        self._held = b""
        self._failure: Exception | None = None

    def pull(self, size: int) -> bytes:
        """Return some of the next bytes, none at the end.

        Raises:
            SentimentError: the file cannot be read further.
        """
        raise NotImplementedError

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def peek(self, size: int) -> bytes:
        """Return the next bytes, as many where there are so many, without taking them."""
        self._fill(size)
        return self._held[:size]

    def read(self, size: int | None = -1, /) -> bytes:
        """Return and take the next bytes.

        Raises:
            SentimentError: the file cannot be read further.
        """
        if size is None or size < 0:
            pieces = []
            while piece := self.read(1 << 20):
                pieces.append(piece)
            return b"".join(pieces)
        self._fill(size)
        if not self._held and size and self._failure is not None:
            raise self._failure
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def _fill(self, size: int) -> None:
        pieces, held = [self._held], len(self._held)
        while held < size and self._failure is None:
            try:
                piece = self.pull(size - held)
            except Exception as failure:
                self._failure = failure
                break
            if not piece:
                break
            pieces.append(piece)
            held += len(piece)
        if len(pieces) > 1:
            self._held = b"".join(pieces)


class FileBytes(SteadyBytes):
    """The bytes of a file, a pipe or an answer from the network, counted.

    Args:
        stream: anything with ``read(size)``; is closed with this one.
        name: the file in messages.
        remote: any exception in reading is one of the network, not of this program.

    Attributes:
        bytes_read: taken from the stream.
    """

    def __init__(self, stream: Any, name: str, *, remote: bool = False) -> None:
        super().__init__()
        self.name = name
        self.bytes_read = 0
        self._stream = stream
        self._errors: type[Exception] = Exception if remote else OSError
        self._remedy = "try again later" if remote else "copy it to a sound disk and try again"

    def pull(self, size: int) -> bytes:
        """Return some of the next bytes."""
        try:
            piece: bytes = self._stream.read(size)
        except self._errors as error:
            raise self._damage(error) from error
        self.bytes_read += len(piece)
        return piece

    def seekable(self) -> bool:
        """Return whether the stream under it is."""
        return bool(self._stream.seekable())

    def seek(self, position: int, whence: int = 0, /) -> int:
        """Go to a position."""
        if whence == 1:
            position -= len(self._held)
        self._held = b""
        self._failure = None
        try:
            return int(self._stream.seek(position, whence))
        except self._errors as error:
            raise self._damage(error) from error

    def tell(self) -> int:
        """Return the position."""
        return int(self._stream.tell()) - len(self._held)

    def close(self) -> None:
        """Close the stream under it too."""
        if not self.closed:
            self._stream.close()
        super().close()

    def _damage(self, error: Exception) -> DamagedInputError:
        said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
        reason = getattr(error, "strerror", None) or said.strip().split("\n")[0] or type(error).__name__
        return DamagedInputError(self.name, f"cannot be read beyond byte {self.bytes_read:,} ({reason})", self._remedy)


@contextmanager
def spooled(stream: SteadyBytes, name: str) -> Iterator[BinaryIO]:
    """Give what a stream holds as a file that can seek, in the system's temporary folder while it is open.

    Raises:
        SentimentError: the stream cannot be read to its end, or the folder has no room.
    """
    with tempfile.TemporaryFile() as file:
        while piece := stream.read(_SPOOLED_BYTES):
            try:
                file.write(piece)
            except OSError as error:
                raise SentimentError(
                    f"{name}: cannot be kept in {tempfile.gettempdir()} while it is read ({error.strerror or error}); "
                    "make room there, or name another folder by TMPDIR"
                ) from error
        file.seek(0)
        yield cast(BinaryIO, file)
