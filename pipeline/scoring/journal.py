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


class Journal:
    """The journal of one output.

    Args:
        target: the output.

    Attributes:
        identity: of the run that wrote what was found; None where there is no journal.
        last: the last checkpoint found; None where there is none.
    """

    def __init__(self, target: Path) -> None:
        self.path = journal_path(target)
        self.identity: dict[str, Any] | None = None
        self.last: dict[str, Any] | None = None
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
            if record is None:
                return
            if self.identity is None:
                if record.get("format") != JOURNAL_FORMAT:
                    return
                self.identity = record["identity"]
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


def _parsed(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
