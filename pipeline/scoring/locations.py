"""Where inputs lie: local files, globs, standard input, pipes and URLs; which they are, whether they are there."""

from __future__ import annotations

import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISDIR
from typing import Any
from urllib.parse import unquote

from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.growing_file import is_stream
from pipeline.scoring.input_bytes import FileBytes
from pipeline.scoring.urls import check_url, expand_url, is_url, open_url, shown_url, url_fingerprint


def shown_name(path: str) -> str:
    """Return an input's name for messages."""
    if path == "-":
        return "standard input"
    return shown_url(path) if is_url(path) else path


def is_local(path: str) -> bool:
    """Return whether a path names a local file that can be read twice: no stream, no URL."""
    return not is_url(path) and not is_stream(path)


def expand_inputs(patterns: Sequence[str]) -> list[str]:
    """Return the inputs that patterns name, those of one pattern sorted; ``-`` stays.

    A file that has the very name goes before what the name would match as a pattern.

    Args:
        patterns: paths, globs (``**`` goes through folders) and URLs.

    Raises:
        SentimentError: a glob matches no file.
        UsageError: a name cannot be one.
    """
    return [path for pattern in patterns for path in _expanded(pattern)]


def _expanded(pattern: str) -> list[str]:
    check_name(pattern, "input")
    if pattern.startswith("file://"):
        pattern = _local_path(pattern)
    if is_url(pattern):
        found = expand_url(pattern)
    elif pattern == "-" or not glob.has_magic(pattern) or Path(pattern).exists():
        return [pattern]
    else:
        names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        found = sorted(path for path in names if not Path(path).is_dir())
    if not found:
        raise SentimentError(f"{shown_name(pattern)}: matches no file; check the pattern and the folder you are in")
    return found


def _local_path(url: str) -> str:
    path = url.removeprefix("file://")
    return path if Path(path).exists() or "%" not in path else unquote(path)


def check_inputs(paths: Sequence[str]) -> None:
    """Refuse inputs that are not there or that are folders, and standard input twice.

    Raises:
        SentimentError: an input is missing, a folder, or may not be read.
        UsageError: there is none, ``-`` twice, or a name that cannot be one.
    """
    if not paths:
        raise UsageError("no input; name a file, or - for standard input")
    if list(paths).count("-") > 1:
        raise UsageError("-: standard input can be read only once")
    for path in paths:
        if is_url(path):
            check_url(path)
        elif path == "-":
            _check_standard_input()
        else:
            _check_local(path)


def check_name(name: str, kind: str) -> None:
    """Refuse the name of an input or output that no file can have.

    Args:
        name: a path, URL or pattern.
        kind: what it names, for the message.

    Raises:
        UsageError: it is empty or holds the character NUL.
    """
    if not name:
        raise UsageError(f"the {kind}'s name is empty; name a file, or - for standard {kind}")
    if "\0" in name:
        raise UsageError(f"{name!r}: holds the character NUL, which no name can; check the {kind}'s name")


def _check_standard_input() -> None:
    if sys.stdin is None:
        raise SentimentError("standard input is closed; name a file, or pipe the reviews in")


def _check_local(path: str) -> None:
    check_name(path, "input")
    try:
        is_folder = S_ISDIR(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise SentimentError(f"{path}: not found; check the name and the folder you are in") from None
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error
    if is_folder:
        raise SentimentError(f"{path}: is a folder; name the files in it, as in '{path.rstrip('/')}/*.csv'")


def cannot_open(path: str, error: Exception) -> SentimentError:
    """Return the error of a local file that the system does not open."""
    return SentimentError(
        f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error}); check its permissions"
    )


def fingerprint(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return of each input what tells whether it has changed: ``name``, ``bytes`` and ``changed``; JSON can hold it.

    ``changed`` is the time of the last change in nanoseconds, of a URL its ETag or whatever the place has. Nothing is
    returned where any input is a stream, which cannot be read again.

    Raises:
        SentimentError: an input is not there.
    """
    prints: list[dict[str, Any]] = []
    for path in paths:
        if is_url(path):
            prints.append(url_fingerprint(path))
            continue
        if is_stream(path):
            return []
        _check_local(path)
        facts = Path(path).stat()
        prints.append({"name": str(Path(path).resolve()), "bytes": facts.st_size, "changed": facts.st_mtime_ns})
    return prints


def open_bytes(path: str) -> tuple[FileBytes, int | None]:
    """Open an input; return its bytes and how many they are, where that is known.

    Raises:
        SentimentError: it cannot be opened.
    """
    if is_url(path):
        return open_url(path)
    if path == "-":
        _check_standard_input()
        return FileBytes(_StandardInput(), "standard input"), None
    try:
        # Unbuffered: of a read that fails half-way, a buffer would keep what came before.
        stream = Path(path).open("rb", buffering=0)  # noqa: SIM115 - the caller closes it
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error
    return FileBytes(stream, path), None if is_stream(path) else Path(path).stat().st_size


class _StandardInput:
    """Standard input, which stays open when the table is done with it."""

    def read(self, size: int) -> bytes:
        return sys.stdin.buffer.read(size)

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Leave it open."""
