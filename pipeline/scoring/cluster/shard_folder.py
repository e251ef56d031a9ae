"""The folder that shards go to: a local or shared one, or the URL of a store such as S3. Files appear whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from pipeline import artifacts
from pipeline.scoring.cluster.local_folder import LocalFolder
from pipeline.scoring.cluster.remote_folder import RemoteFolder
from pipeline.scoring.urls import is_url


class ShardFolder(Protocol):
    """Where shards, their records and the manifest are kept; names may hold ``/``."""

    url: str

    def scratch(self, name: str) -> AbstractContextManager[Path]:
        """Return a context manager that gives a folder on this machine's disk, to write a file in."""

    def publish(self, file: Path, name: str) -> None:
        """Put a file of the scratch folder in place; it is gone there afterwards."""

    def sizes(self, under: str = "") -> dict[str, int]:
        """Return the bytes of each file, by name; of those in one folder below, where it is named."""

    def size(self, name: str) -> int | None:
        """Return the bytes of a file; None where it is not there."""

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where it is not there."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that are there."""

    def discard(self, name: str) -> None:
        """Remove a folder below this one, with all that it holds, where it is there."""


def open_folder(url: str) -> ShardFolder:
    """Return the folder of a path or a URL; it is made with the first file.

    Raises:
        SentimentError: it is a file, or there is no package for such URLs.
    """
    path = url.removeprefix("file://")
    return RemoteFolder(url) if is_url(path) else LocalFolder(path)


def read_record(folder: ShardFolder, name: str) -> dict[str, Any] | None:
    """Return a JSON object of a folder; None where it is not there or damaged."""
    content = folder.read(name)
    try:
        value = None if content is None else json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def write_record(folder: ShardFolder, name: str, value: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    with folder.scratch("record") as scratch:
        file = scratch / "record.json"
        file.write_text(artifacts.to_json(value), encoding="utf-8")
        folder.publish(file, name)
