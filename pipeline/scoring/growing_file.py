"""A file that grows out of sight, can be gone on with after a crash, and takes its name when it is whole."""

from __future__ import annotations

import os
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pipeline.scoring import disk
from pipeline.scoring.compressors import COMPRESSORS, Compressor

_PIECE = 1 << 20


def is_stream(path: str) -> bool:
    """Whether a path is standard input or output (``-``), a pipe or a device: nothing that can be renamed."""
    try:
        return path == "-" or not S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return False


class GrowingFile:
    """Bytes that grow in ``NAME.partial`` and take the name when they are whole and on the disk.

    The file is made at the first write. What :meth:`mark` returns after a flush describes the file so far; with it
    :meth:`resume` goes on there, whatever a crash left behind it.

    Args:
        target: the name.
        compression: a suffix, key of :data:`pipeline.scoring.compressors.COMPRESSORS`.

    Attributes:
        partial: where the file grows.
    """

    def __init__(self, target: Path, compression: str = "") -> None:
        self.target = target
        self.partial = target.with_name(target.name + ".partial")
        self._new_compressor = COMPRESSORS[compression]
        self._compressor: Compressor | None = None  # of the bytes since the last flush
        self._descriptor: int | None = None
        self._length = self._crc32 = 0

    def open(self) -> None:
        """Make the partial file, empty."""
        if self.partial.is_dir():  # of another format's run
            disk.remove_folder(self.partial)
        self._descriptor = os.open(self.partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    def write(self, content: bytes) -> None:
        """Append bytes."""
        if self._compressor is None:
            self._compressor = self._new_compressor()
        self._write_ready(self._compressor.compress(content))

    def flush(self) -> None:
        """Bring everything to the disk; more may follow."""
        if self._compressor is not None:
            self._write_ready(self._compressor.finish())
            self._compressor = None
        if self._descriptor is not None:
            disk.sync(self._descriptor)

    def mark(self) -> dict[str, Any] | None:
        """Return what :meth:`resume` needs to go on from here, after a flush; None where nothing was written."""
        return None if self._descriptor is None else {"length": self._length, "crc32": self._crc32}

    def resume(self, mark: dict[str, Any] | None) -> bool:
        """Go on from a mark; False where the partial file does not hold what it held then."""
        if mark is None:
            disk.remove(self.partial)
            return True
        if not self.partial.is_file() or _crc32_of_start(self.partial, mark["length"]) != mark["crc32"]:
            return False
        self._descriptor = os.open(self.partial, os.O_WRONLY)
        disk.truncate(self._descriptor, mark["length"])
        self._length, self._crc32 = mark["length"], mark["crc32"]
        return True

    def _write_ready(self, ready: bytes) -> None:
        if self._descriptor is None:
            self.open()
        assert self._descriptor is not None
        if ready:
            disk.write_all(self._descriptor, ready)
        self._length += len(ready)
        self._crc32 = zlib.crc32(ready, self._crc32)

    def finish(self) -> None:
        """Bring the whole file to the disk and close it."""
        if self._descriptor is not None and not self._length and self._compressor is None:
            self._compressor = self._new_compressor()  # no bytes at all are no gzip file
        self.flush()
        self.close()

    def publish(self) -> None:
        """Give the finished file its name, where that has not been done yet."""
        if self.partial.exists():
            disk.rename(self.partial, self.target)

    def close(self) -> None:
        """Close the file; the partial file stays."""
        if self._descriptor is not None:
            with suppress(OSError):  # what counts is on the disk already
                os.close(self._descriptor)
            self._descriptor = None

    def discard(self) -> None:
        """Close and remove the partial file."""
        self.close()
        with suppress(OSError):
            disk.remove(self.partial)


def _crc32_of_start(path: Path, length: int) -> int | None:
    """Return the checksum of a file's first bytes; None where it has fewer."""
    crc32 = 0
    with path.open("rb") as stream:
        while length:
            piece = stream.read(min(length, _PIECE))
            if not piece:
                return None
            length -= len(piece)
            crc32 = zlib.crc32(piece, crc32)
    return crc32


class Stream:
    """Standard output, a pipe or a device: bytes go there as they come, there is nothing to resume or to rename."""

    def __init__(self, path: str, compression: str = "") -> None:
        self._path = path
        self._compressor = COMPRESSORS[compression]()
        self._descriptor: int | None = None

    def open(self) -> None:
        """Open it."""
        self._descriptor = os.dup(sys.stdout.fileno()) if self._path == "-" else os.open(self._path, os.O_WRONLY)

    def write(self, content: bytes) -> None:
        """Write bytes."""
        assert self._descriptor is not None
        disk.write_all(self._descriptor, self._compressor.compress(content))

    def finish(self) -> None:
        """Write what is left."""
        assert self._descriptor is not None
        disk.write_all(self._descriptor, self._compressor.finish())
        os.close(self._descriptor)
        self._descriptor = None

    def discard(self) -> None:
        """Close it."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None
