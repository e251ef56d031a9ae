"""A folder of shards in a store that fsspec knows, such as S3."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline.errors import SentimentError
from pipeline.scoring.cluster.local_folder import SCRATCH

_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"}
"""What shows an object whole or not at all; elsewhere a file is uploaded under another name and renamed."""


class RemoteFolder:
    """What :class:`pipeline.scoring.cluster.shard_folder.ShardFolder` says, of a URL.

    Args:
        url: ``s3://bucket/folder`` and the like.

    Raises:
        SentimentError: there is no such kind of store, or no package for it.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        with self._one_line_errors():
            from fsspec.core import url_to_fs

            self._system, root = url_to_fs(self.url, use_listings_cache=False)
        self._root = str(root).rstrip("/")
        protocol = self._system.protocol
        self._shows_whole = bool(_STORES.intersection([protocol] if isinstance(protocol, str) else protocol))

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Give a temporary folder of this machine, from where files are uploaded."""
        with tempfile.TemporaryDirectory(prefix=f"sentiment-{name}-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def publish(self, file: Path, name: str) -> None:
        """Upload a file; see that all of it arrived."""
        target = f"{self._root}/{name}"
        with self._one_line_errors():
            if self._shows_whole:
                self._system.put_file(str(file), target)
            else:
                passing = f"{self._root}/{SCRATCH}/{uuid4().hex}"
                self._system.makedirs(f"{self._root}/{SCRATCH}", exist_ok=True)
                self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
                self._system.put_file(str(file), passing)
                self._system.mv(passing, target)
            if int(self._system.info(target)["size"]) != file.stat().st_size:
                raise OSError(f"{name} was not uploaded whole")
        file.unlink()

    def sizes(self, under: str = "") -> dict[str, int]:
        """Return the bytes of each file, by name; those in the scratch folder are left out."""
        with self._one_line_errors():
            try:
                found: Mapping[str, Any] = self._system.find(f"{self._root}/{under}".rstrip("/"), detail=True)
            except FileNotFoundError:
                return {}
        names = {path.removeprefix(self._root).lstrip("/"): facts["size"] for path, facts in found.items()}
        return {name: int(size) for name, size in names.items() if name and not name.startswith(f"{SCRATCH}/")}

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None where it is not there."""
        with self._one_line_errors():
            try:
                return int(self._system.info(f"{self._root}/{name}")["size"])
            except FileNotFoundError:
                return None

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where it is not there."""
        with self._one_line_errors():
            try:
                content: bytes = self._system.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None
        return content

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that are there."""
        with self._one_line_errors():
            for name in names:
                try:
                    self._system.rm_file(f"{self._root}/{name}")
                except FileNotFoundError:
                    continue

    def discard(self, name: str) -> None:
        """Remove a folder below this one, with all that it holds, where it is there."""
        with self._one_line_errors():
            try:
                self._system.rm(f"{self._root}/{name}", recursive=True)
            except FileNotFoundError:
                return

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Turn whatever a file system raises into one line that names the folder."""
        try:
            yield
        except SentimentError:
            raise
        except ImportError as error:
            raise SentimentError(
                f"{self.url}: such URLs need a package that is not installed ({error}); "
                "pip install 'gru-sentiment[distributed]' brings that of S3"
            ) from error
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            raise SentimentError(
                f"{self.url}: cannot be used ({reason}); check the URL, the network and your credentials, then run the "
                "same command again, finished shards stay"
            ) from error
