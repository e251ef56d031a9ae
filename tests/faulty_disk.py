"""A disk that fails at the n-th write, fsync, rename, cut or removal: by refusing it, or by the power going out."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.scoring import disk

CHANGES = ("write_all", "sync", "sync_folder", "rename", "truncate", "remove", "remove_folder")


class PowerCut(BaseException):
    """The power went out: nothing reaches the disk from here on."""


class FaultyDisk:
    """Stands in for :mod:`pipeline.scoring.disk`.

    Args:
        monkeypatch: puts it there.
        fails_at: the number of the change that fails, from 1; 0 for none.
        refuses: whether the disk refuses that change and those after it (it is full), or the power goes out in it.

    Attributes:
        changes: made so far.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_at: int = 0, *, refuses: bool = True) -> None:
        self.changes = 0
        self._fails_at = fails_at
        self._refuses = refuses
        self._synced: dict[Path, int] = {}
        self._unsynced_renames: list[tuple[Path, Path, bytes | None]] = []
        self._entries: set[Path] = set()  # files whose names are on the disk
        for name in CHANGES:
            real = getattr(disk, name)
            monkeypatch.setattr(disk, name, lambda *given, _name=name, _real=real: self._change(_name, _real, *given))

    def _change(self, name: str, real: Callable[..., None], *given: Any) -> None:
        self.changes += 1
        if self._fails_at and self.changes >= self._fails_at:
            if name.startswith("remove") and self._refuses:  # a full disk gives room back
                return real(*given)
            if name == "write_all" and self.changes == self._fails_at:
                real(given[0], bytes(given[1])[: len(given[1]) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if self._refuses else PowerCut
        if name == "rename":
            source, target = given
            older = target.read_bytes() if target.is_file() else None
            self._unsynced_renames.append((source, target, older))
            self._synced[target] = self._synced.pop(source, 0)
        if name == "truncate":
            self._synced[_path_of(given[0])] = given[1]
        if not name.startswith("sync"):  # which would cost time and show nothing here
            real(*given)
        if name == "sync":
            path = _path_of(given[0])
            self._synced[path] = path.stat().st_size
        if name == "sync_folder":
            self._unsynced_renames = []
            self._entries.update(path for path in given[0].iterdir() if path.is_file())
        return None

    def lose_what_was_not_synced(self, folder: Path, *, loses_names: bool) -> None:
        """Leave the folder as a machine finds it after the power went out.

        Args:
            folder: where the files are.
            loses_names: whether creations and renames that no fsync of their folder followed are lost too.
        """
        if loses_names:
            for source, target, older in reversed(self._unsynced_renames):
                target.replace(source)
                self._synced[source] = self._synced.pop(target, 0)
                if older is not None:
                    target.write_bytes(older)
                    self._synced[target] = len(older)
        for path in folder.rglob("*"):
            if path.is_file() and ".partial" in str(path.relative_to(folder)):
                os.truncate(path, min(self._synced.get(path, 0), path.stat().st_size))
                if loses_names and path not in self._entries:
                    path.unlink()


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()
