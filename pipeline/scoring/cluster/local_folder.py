"""A folder of shards on this machine, or on a disk that all machines see under the same path."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pipeline import artifacts
from pipeline.errors import SentimentError

SCRATCH = "_temporary"


class LocalFolder:
    """What :class:`pipeline.scoring.cluster.shard_folder.ShardFolder` says, of local files.

    Args:
        path: need not be there.

    Raises:
        SentimentError: it is a file.
    """

    def __init__(self, path: str) -> None:
        self.url = path
        self._root = Path(path).absolute()
        if self._root.exists() and not self._root.is_dir():
            raise SentimentError(f"{path}: is a file; name a folder for the shards with -o")

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Give a folder beside the shards, from where a rename puts them in place."""
        folder = self._root / SCRATCH / f"{name}-{uuid4().hex[:8]}"
        with self._one_line_errors():
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, file: Path, name: str) -> None:
        """Bring a file to the disk and rename it."""
        target = self._root / name
        with self._one_line_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            artifacts.sync_file(file)
            file.replace(target)
            artifacts.sync_folder(target.parent)

    def sizes(self, under: str = "") -> dict[str, int]:
        """Return the bytes of each file, by name; those in the scratch folder are left out."""
        found: dict[str, int] = {}
        for path in (self._root / under).rglob("*"):
            name = path.relative_to(self._root).as_posix()
            if path.is_file() and not name.startswith(f"{SCRATCH}/"):
                found[name] = path.stat().st_size
        return found

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None where it is not there."""
        try:
            return (self._root / name).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where it is not there."""
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that are there."""
        with self._one_line_errors():
            for name in names:
                (self._root / name).unlink(missing_ok=True)

    def discard(self, name: str) -> None:
        """Remove a folder below this one, with all that it holds, where it is there."""
        shutil.rmtree(self._root / name, ignore_errors=True)

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SentimentError(
                f"{self.url}: cannot be written ({error.strerror or error}); make room or name another place, then run "
                "the same command again, finished shards stay"
            ) from error
