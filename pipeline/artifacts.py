"""What stages leave on disk: files written whole or not at all, manifests written last, fingerprints.

A stage's folder is complete when its ``manifest.json`` is there: the manifest is removed before the first file of
a new result is moved in and written after the last, so that Make and later stages can trust it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.errors import SentimentError

MANIFEST_NAME = "manifest.json"
MANIFEST_FORMAT = 1
PARTIAL_FOLDER = ".partial"
REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
"""What a disk answers when it takes no more."""


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def to_json(value: Any) -> str:
    """Return indented JSON with sorted keys and a final newline: the same value gives the same bytes."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def to_utf8(text: str) -> bytes:
    """Return a text as UTF-8; half of a surrogate pair, as in a file's name that is no UTF-8, as ``\\udcff``.

    Inside JSON that is the escape of the same character.
    """
    return text.encode("utf-8", "backslashreplace")


def sync_file(path: Path) -> None:
    """Force a written file to the disk, so that a rename after it never exposes an empty file."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Force a folder's entries (creations and renames) to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: temporary file beside it, fsync, rename.

    Raises:
        SentimentError: the disk refused (full, read-only); an older file at ``path`` is untouched then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        sync_file(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SentimentError(f"{path}: cannot be written ({error.strerror}); nothing was changed") from error


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all, newlines as given."""
    write_bytes_atomically(path, text.encode("utf-8"))


def write_json_atomically(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_text_atomically(path, to_json(value))


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        SentimentError: the file is missing or holds no JSON object; the message ends with ``remedy``.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SentimentError(f"{path}: not found; {remedy}") from None
    except (OSError, ValueError) as error:
        raise SentimentError(f"{path}: not readable as JSON ({error}); {remedy}") from error
    if not isinstance(value, dict):
        raise SentimentError(f"{path}: holds no JSON object; {remedy}")
    return value


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock named after ``path`` (``.NAME.lock`` beside it); the kernel frees it when the process dies.

    Raises:
        SentimentError: another run holds it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise SentimentError(f"{path}: another run is writing here; wait for it or stop it first") from None
    except OSError as error:
        raise SentimentError(f"{path}: cannot be written ({error.strerror}); name another place") from error
    try:
        yield
    finally:
        lock.release()


class StageOutput:
    """The result of one stage, gathered out of sight and published at the end.

    Files are written to the paths that :meth:`path` hands out (in ``FOLDER/.partial``). :meth:`commit` removes the old
    manifest, moves the files in and writes the new manifest last. A run that stops before leaves the old result as it
    was. Entering takes the folder's lock.
    """

    def __init__(self, folder: Path, stage: str) -> None:
        self.folder = folder
        self.stage = stage
        self._partial = folder / PARTIAL_FOLDER
        self._names: list[str] = []
        self._is_new = False
        self._lock = exclusive(folder)

    def __enter__(self) -> Self:
        """Take the lock and start from an empty partial folder."""
        self._lock.__enter__()
        self._is_new = not self.folder.exists()
        shutil.rmtree(self._partial, ignore_errors=True)
        for left_over in self.folder.glob(".*.partial"):  # of runs that were killed while they wrote one file
            left_over.unlink(missing_ok=True)
        try:
            self._partial.mkdir(parents=True)
        except NotADirectoryError:
            self._lock.__exit__(None, None, None)
            raise SentimentError(f"{self.folder}: is a file; name a folder") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what was not committed and free the lock.

        Raises:
            SentimentError: in place of a full or closed disk's OSError.
        """
        shutil.rmtree(self._partial, ignore_errors=True)
        if self._is_new:
            with suppress(OSError):  # of a folder with files in it
                self.folder.rmdir()
        self._lock.__exit__(None, None, None)
        if isinstance(error, OSError) and error.errno in REFUSALS:
            reason = os.strerror(error.errno)
            raise SentimentError(
                f"{self.folder}: cannot be written ({reason}); nothing was changed, make room and run it again"
            ) from error

    def path(self, name: str) -> Path:
        """Return where to write the output file ``name``."""
        if name not in self._names:
            self._names.append(name)
        return self._partial / name

    def describe_files(self) -> dict[str, dict[str, Any]]:
        """Return SHA-256 and size in bytes of each output file, by name."""
        paths = {name: self._partial / name for name in self._names}
        return {name: {"sha256": sha256_of_file(path), "bytes": path.stat().st_size} for name, path in paths.items()}

    def publish(self, marker_name: str, marker: Mapping[str, Any]) -> None:
        """Remove the old marker file and what it names, move the outputs in, and write the new marker (JSON) last.

        Raises:
            SentimentError: the disk refused.
        """
        try:
            for name in self._names:
                sync_file(self._partial / name)
            stale = self._files_named_by(self.folder / marker_name) - set(self._names)
            (self.folder / marker_name).unlink(missing_ok=True)
            for name in stale:
                (self.folder / name).unlink(missing_ok=True)
            for name in self._names:
                (self._partial / name).replace(self.folder / name)
        except OSError as error:
            raise SentimentError(f"{self.folder}: cannot be written ({error.strerror})") from error
        write_json_atomically(self.folder / marker_name, marker)

    def _files_named_by(self, marker: Path) -> set[str]:
        """Return the files of the result that a marker stands for; none where it is missing or damaged."""
        try:
            files = json.loads(marker.read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            return set()
        return {name for name in files if name == Path(name).name}

    def commit(
        self, inputs: Mapping[str, str], settings: Mapping[str, Any], details: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Publish the files with a manifest as the marker; return the manifest.

        Args:
            inputs: fingerprints of what the result was made from, by name.
            settings: the settings that shaped the result.
            details: counts and findings for the reader; no part of the fingerprint.
        """
        files = self.describe_files()
        manifest = {
            "format": MANIFEST_FORMAT,
            "stage": self.stage,
            "files": files,
            "fingerprint": sha256_of_text(to_json({name: entry["sha256"] for name, entry in files.items()})),
            "inputs": dict(inputs),
            "settings": dict(settings),
            **details,
        }
        self.publish(MANIFEST_NAME, manifest)
        return manifest


def require_no_other_stage(folder: Path, stage: str) -> None:
    """Check, before a stage writes to a folder, that no other one's result stands there: it would be removed.

    Raises:
        SentimentError: one does.
    """
    try:
        other = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))["stage"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if other != stage:
        raise SentimentError(
            f"{folder}: holds what `sentiment {other}` wrote, which `sentiment {stage}` would remove; move it away"
        )


def read_manifest(folder: Path, stage: str) -> dict[str, Any]:
    """Return the manifest of a finished stage.

    Raises:
        SentimentError: the stage has not been run to its end, or by another version of the format.
    """
    remedy = f"run `sentiment {stage}` (or `make {stage}`) first"
    manifest = read_json(folder / MANIFEST_NAME, remedy)
    if manifest.get("format") != MANIFEST_FORMAT:
        raise SentimentError(f"{folder / MANIFEST_NAME}: written by another version; {remedy}")
    return manifest


def require_unchanged(folder: Path, stage: str, manifest: Mapping[str, Any]) -> None:
    """Check, after reading a stage's files, that they are still those of the manifest that was read before them.

    Raises:
        SentimentError: another run has written there in between.
    """
    if read_manifest(folder, stage)["fingerprint"] != manifest["fingerprint"]:
        raise SentimentError(f"{folder}: another run has changed it meanwhile; run this command again")
