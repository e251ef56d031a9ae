"""A file that grows out of sight, can be gone on with after a crash, and takes its name when it is whole."""

from __future__ import annotations

import errno
import os
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import Any

from pipeline.scoring import disk
from pipeline.scoring.compressors import COMPRESSORS, Compressor

PART_NAME = re.compile(r"part-[0-9]{6,}\.parquet|whole\.parquet")
"""Of a file in the folder in which a Parquet output grows."""
_PIECE = 1 << 20


_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_BY_NUMBER = re.compile("/(?:dev|proc/self)/fd/([0-9]{1,5})")


def descriptor_of(path: str) -> int | None:
    """Return the open file that a path such as ``-``, ``/dev/stdout`` or ``/dev/fd/3`` stands for; None of others."""
    if path == "-":
        return 1
    numbered = _BY_NUMBER.fullmatch(path)
    return int(numbered.group(1)) if numbered else _STANDARD.get(path)


def is_stream(path: str) -> bool:
    """Whether a path is standard input or output (``-``), a pipe or a device: nothing that can be renamed."""
    if descriptor_of(path) is not None:
        return True
    try:
        return not S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def clear(partial: Path) -> None:
    """Remove what an earlier run left where an output grows: a file, or a folder of Parquet parts.

    Raises:
        FileExistsError: it is a folder of something else.
    """
    if not partial.is_dir():
        disk.remove(partial)
    elif all(PART_NAME.fullmatch(path.name) for path in partial.iterdir()):
        disk.remove_folder(partial)
    else:
        raise FileExistsError(errno.EEXIST, f"{partial.name} is a folder of other files")


def mode_of(target: Path) -> int | None:
    """Return the permissions of the file that an output is to replace; None where there is none."""
    try:
        return S_IMODE(target.stat().st_mode)
    except OSError:
        return None


def crc32_of(path: Path, length: int) -> int | None:
    """Return the checksum of a file's first bytes; None where it has fewer, or is none."""
    crc32 = 0
    try:
        with path.open("rb") as stream:
            while length > 0:
                piece = stream.read(min(length, _PIECE))
                if not piece:
                    return None
                length -= len(piece)
                crc32 = zlib.crc32(piece, crc32)
    except (FileNotFoundError, IsADirectoryError):
        return None
    return crc32


def is_whole(path: Path, mark: Mapping[str, int]) -> bool:
    """Whether a file holds what a mark says, and no more."""
    return path.is_file() and path.stat().st_size == mark["length"] and crc32_of(path, mark["length"]) == mark["crc32"]


class GrowingFile:
    """Bytes that grow in ``NAME.partial`` and take the name when they are whole and on the disk.

    The file is made at the first write. What :meth:`mark` returns after a flush describes the file so far; with it
    :meth:`resume` goes on there, whatever a crash left behind it.

    Args:
        target: the name.
        compression: a suffix, key of :data:`pipeline.scoring.compressors.COMPRESSORS`.
        mode: permissions; None for what is usual.

    Attributes:
        partial: where the file grows.
    """

    def __init__(self, target: Path, compression: str = "", mode: int | None = None) -> None:
        self.target = target
        self.partial = target.with_name(target.name + ".partial")
        self._mode = mode
        self._new_compressor = COMPRESSORS[compression]
        self._compressor: Compressor | None = None  # of the bytes since the last flush
        self._descriptor: int | None = None
        self._was_opened = False
        self._length = self._crc32 = 0

    def open(self) -> None:
        """Make the partial file, empty."""
        if self.partial.is_dir():  # of another format's run
            clear(self.partial)
        self._descriptor = os.open(self.partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        if self._mode is not None:
            os.fchmod(self._descriptor, self._mode)
        self._was_opened = True
        self._compressor = None
        self._length = self._crc32 = 0

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
        return None if not self._was_opened else {"length": self._length, "crc32": self._crc32}

    def resume(self, mark: dict[str, Any] | None) -> bool:
        """Go on from a mark; False where the partial file does not hold what it held then."""
        if mark is None:
            disk.remove(self.partial)
            return True
        if crc32_of(self.partial, mark["length"]) != mark["crc32"]:
            return False
        self._descriptor = os.open(self.partial, os.O_WRONLY)
        self._was_opened = True
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

    def is_finished(self, mark: dict[str, Any] | None) -> bool:
        """Whether the finished file is there as it was then, under its name or not yet."""
        return mark is None or is_whole(self.partial if self.partial.exists() else self.target, mark)

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
        self._was_opened = False
        with suppress(OSError):
            clear(self.partial)


class Stream:
    """Standard output, a pipe or a device: bytes go there as they come, there is nothing to resume or to rename."""

    def __init__(self, path: str, compression: str = "") -> None:
        self._path = path
        self._compressor = COMPRESSORS[compression]()
        self._descriptor: int | None = None

    def open(self) -> None:
        """Open it; what is open already is written to where it stands."""
        given = descriptor_of(self._path)
        self._descriptor = os.open(self._path, os.O_WRONLY) if given is None else os.dup(given)

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
