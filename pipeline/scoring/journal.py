"""The journal of a run that can be resumed: who wrote it, and how far it was at each checkpoint.

One line of JSON each, appended and brought to the disk after what it speaks of. A line that a crash cut short is no
checkpoint. It lies beside the output, in ``NAME.partial.journal``, as long as the output is not whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.scoring import disk

JOURNAL_FORMAT = 1


def journal_path(target: Path) -> Path:
    """Return where the journal of an output lies."""
    return target.with_name(f"{target.name}.partial.journal")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what two identities differ in, by name; of what has parts by name, which parts."""
    changed = []
    for what, value in now.items():
        older = before.get(what)
        if older == value:
            continue
        parts = ""
        if isinstance(value, dict) and isinstance(older, dict):
            parts = f" ({', '.join(name for name in value if older.get(name) != value[name])})"
        changed.append(f"{what}{parts}")
    return changed


class Journal:
    """The journal of one output.

    Args:
        target: the output.

    Attributes:
        identity: of the run that wrote what was found; None where there is no journal.
        last: the last checkpoint found; None where there is none.
        is_strange: there is a journal, of another version of the program or damaged at its beginning.
    """

    def __init__(self, target: Path) -> None:
        self.path = journal_path(target)
        self.identity: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
        self.is_strange = False
        self._sound_bytes = 0
        self._descriptor: int | None = None
        self._read()

    def _read(self) -> None:
        try:
            content = self.path.read_bytes()
        except OSError:
            return
        for line in content.splitlines(keepends=True):
            record = _parsed(line)
            if self.identity is None:
                if record.get("format") != JOURNAL_FORMAT or not isinstance(record.get("identity"), dict):
                    self.is_strange = True
                    return
                self.identity = record["identity"]
            elif not _is_checkpoint(record):
                return
            else:
                self.last = record
            self._sound_bytes += len(line)

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Start a new journal; an older one is gone."""
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self.append({"format": JOURNAL_FORMAT, "identity": dict(identity)})
        disk.sync_folder(self.path.parent)

    def resume(self) -> None:
        """Go on behind the last sound line."""
        self._descriptor = os.open(self.path, os.O_WRONLY)
        disk.truncate(self._descriptor, self._sound_bytes)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line and bring it to the disk."""
        assert self._descriptor is not None
        disk.write_all(self._descriptor, json.dumps(record).encode("ascii") + b"\n")
        disk.sync(self._descriptor)

    def close(self) -> None:
        """Close the file; it stays."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Close and remove the file."""
        self.close()
        disk.remove(self.path)


def _parsed(line: bytes) -> dict[str, Any]:
    """Return the object of a line; an empty one where the line is cut short or holds none."""
    if not line.endswith(b"\n"):
        return {}
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _is_checkpoint(record: Mapping[str, Any]) -> bool:
    numbers = [record.get(name) for name in ("rows", "rejected")]
    marks = [mark for name in ("output", "rejects") if (mark := record.get(name)) is not None]
    return (
        all(isinstance(number, int) and number >= 0 for number in numbers)
        and isinstance(record.get("output"), dict)
        and all(isinstance(mark, dict) and _is_mark(mark) for mark in marks)
        and isinstance(record.get("counts"), dict)
        and isinstance(record.get("texts"), str)
    )


def _is_mark(mark: Mapping[str, Any]) -> bool:
    values = list(mark.values())
    return {"length", "crc32"} <= mark.keys() and all(isinstance(value, int) and value >= 0 for value in values)
