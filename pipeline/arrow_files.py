"""Reads the Arrow files that stages leave; a file that is missing or damaged becomes one line with the way out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.errors import SentimentError


def read_arrow(path: Path, columns: Sequence[str], stage: str) -> pa.Table:
    """Read some columns of an Arrow IPC file, in the record batches it was written in.

    The file is mapped into memory, so that a large one takes none before its values are used.

    Args:
        path: the file.
        columns: which columns.
        stage: the command that wrote the file, for messages.

    Raises:
        SentimentError: the file is missing, damaged or lacks a column.
    """
    remedy = f"run `sentiment {stage}` again"
    try:
        with pa.memory_map(str(path)) as source:
            names = pa.ipc.open_file(source).schema.names
            missing = [name for name in columns if name not in names]
            if missing:
                raise SentimentError(f"{path}: no column {missing[0]!r}; {remedy}")
            wanted = pa.ipc.IpcReadOptions(included_fields=[names.index(name) for name in columns])
            return pa.ipc.open_file(source, options=wanted).read_all()
    except FileNotFoundError:
        raise SentimentError(f"{path}: not found; {remedy}") from None
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise SentimentError(f"{path}: not readable as Arrow ({reason}); {remedy}") from error
