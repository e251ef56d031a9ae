"""Every change that scoring makes on a disk, one function each: what a test lets fail, and no other way to the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipeline import artifacts


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of the bytes; the system may take a part of them at a time."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync(descriptor: int) -> None:
    """Return when what was written has reached the disk."""
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Return when a folder's entries (creations, renames, removals) have reached the disk."""
    artifacts.sync_folder(folder)


def rename(source: Path, target: Path) -> None:
    """Give a file its name, in place of an older one."""
    source.replace(target)


def truncate(descriptor: int, length: int) -> None:
    """Cut a file to its first ``length`` bytes and go on writing there."""
    os.ftruncate(descriptor, length)
    os.lseek(descriptor, length, os.SEEK_SET)


def remove(path: Path) -> None:
    """Remove a file where it is there."""
    path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it where it is there."""
    if folder.exists():
        shutil.rmtree(folder)
