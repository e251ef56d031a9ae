"""One copy of a published zip on an HTTP server, read by byte ranges where the server grants them.

Nothing an answer says is believed unchecked: not its status (an error page may come with 200), not its range, not its
size. One HTTP client (requests) does all of it rather than a remote file system, because it shows an answer's head
before the body is taken, and resumes at any byte.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import requests

from pipeline import __version__

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

ZIP_START = b"PK\x03\x04"
BLOCK = 1 << 14
"""Bytes taken from the network at a time; what a cut leaves of a block is fetched again."""
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server: seconds, and attempts in a row that bring nothing before it is given up."""

    connect_s: float = 20.0
    read_s: float = 60.0
    pause_s: float = 2.0
    attempts: int = 3


class MirrorError(Exception):
    """A mirror did not deliver; the message is the reason in a few words."""


class TransientMirrorError(MirrorError):
    """A mirror broke off in a way that another attempt may mend."""


class Mirror:
    """One copy of the archive on an HTTP server.

    Every method raises :class:`MirrorError` where the server does not deliver what was asked for.
    """

    def __init__(self, url: str, size: int, patience: Patience, session: requests.Session) -> None:
        self.size = size
        self.host = urlsplit(url).netloc
        self._url = url
        self._patience = patience
        self._session = session

    def grants_ranges(self) -> bool:
        """Ask for the first bytes of the zip; return whether the server sends them alone."""

        def probe() -> bool:
            with self._answer(0, len(ZIP_START)) as (ranged, _):
                return ranged

        return self._attempt(probe)

    def read(self, first: int, end: int) -> bytes:
        """Return the archive's bytes from ``first`` to before ``end``."""

        def ask() -> bytes:
            with self._answer(first, end) as (ranged, blocks):
                if not ranged:
                    raise MirrorError("stopped granting byte ranges")
                return b"".join(_exactly(blocks, end - first))

        return self._attempt(ask)

    def complete(self, partial: Path, first: int, size: int, on_size: Callable[[int], None]) -> None:
        """Bring a partial file to ``size`` bytes, those of the archive from ``first`` on; resume what is there.

        Where the server sends all of the archive instead of the rest of it, the file starts anew.
        """
        failures = 0
        while (have := size_of(partial)) < size:
            try:
                self._append(partial, first, have, size, on_size)
            except TransientMirrorError:
                failures = 0 if size_of(partial) > have else failures + 1
                if failures >= self._patience.attempts:
                    raise
                time.sleep(self._patience.pause_s)

    def _append(self, partial: Path, first: int, have: int, size: int, on_size: Callable[[int], None]) -> None:
        with self._answer(first + have, first + size) as (ranged, blocks):
            if not ranged and (first, size) != (0, self.size):
                raise MirrorError("stopped granting byte ranges")
            start = have if ranged else 0
            with partial.open("ab") as target:
                target.truncate(start)
                for block in _exactly(blocks, size - start):
                    target.write(block)
                    on_size(target.tell())

    @contextmanager
    def _answer(self, first: int, end: int) -> Iterator[tuple[bool, Iterator[bytes]]]:
        """Ask for a range; give whether the server sends it alone (else the whole archive), and the body's blocks."""
        headers = {"Accept-Encoding": "identity", "User-Agent": f"gru-sentiment/{__version__}"}
        if (first, end) != (0, self.size):
            headers["Range"] = f"bytes={first}-{end - 1}"
        timeout = (self._patience.connect_s, self._patience.read_s)
        try:
            with self._session.get(self._url, headers=headers, stream=True, timeout=timeout) as response:
                ranged = self._is_range(response, first)
                blocks: Iterator[bytes] = response.iter_content(BLOCK)
                if not ranged or first == 0:
                    blocks = _of_a_zip(blocks)
                yield ranged, blocks
        except requests.RequestException as error:
            raise TransientMirrorError(_reason(error)) from error

    def _is_range(self, response: requests.Response, first: int) -> bool:
        """Check the answer's head; True for the range asked for, False for the whole archive."""
        status = response.status_code
        if status == 206:
            given = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
            if given is None or int(given[1]) != first:
                raise MirrorError("sent another range than the one asked for")
            self._check_size(given[2])
        elif status == 200:
            if "html" in response.headers.get("Content-Type", ""):
                raise MirrorError("sent a web page instead of the zip")
            self._check_size(response.headers.get("Content-Length", "*"))
        elif status in (408, 429) or status >= 500:
            raise TransientMirrorError(f"HTTP status {status}")
        else:
            raise MirrorError(f"HTTP status {status}")
        return status == 206

    def _check_size(self, size: str) -> None:
        if size.isdigit() and int(size) != self.size:
            raise MirrorError(f"its file has {int(size):,} bytes where the zip has {self.size:,}")

    def _attempt(self, action: Callable[[], Value]) -> Value:
        for _ in range(self._patience.attempts - 1):
            try:
                return action()
            except TransientMirrorError:
                time.sleep(self._patience.pause_s)
        return action()


def size_of(path: Path) -> int:
    """Return a file's size in bytes, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _exactly(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes and drop what comes after them."""
    left = size
    for block in blocks:
        yield block[:left]
        left -= min(left, len(block))
        if not left:
            return
    raise TransientMirrorError("cut the transfer off")


def _of_a_zip(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Return the blocks if they begin as a zip does."""
    block = next(blocks, b"")
    if not block:
        raise TransientMirrorError("cut the transfer off")
    if not block.startswith(ZIP_START):
        raise MirrorError("sent something else than the zip")
    return chain([block], blocks)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "stalled"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "cut the transfer off"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return type(error).__name__


class RemoteFile(io.RawIOBase):
    """The archive on a mirror as a seekable file, for ``zipfile`` to read the directory from."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; return the new position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._mirror.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer from the mirror; return the bytes read."""
        target = memoryview(buffer).cast("B")
        end = min(self._position + len(target), self._mirror.size)
        if end <= self._position:
            return 0
        content = self._mirror.read(self._position, end)
        target[: len(content)] = content
        self._position = end
        return len(content)
