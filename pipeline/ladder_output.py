"""Several files that belong together, written all or none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.artifacts import sync_file, sync_folder
from pipeline.errors import SentimentError


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files whose contents belong together.

    Each is written in full beside its place first; only when the disk has taken all of them do they move in, one right
    after the other, in the order given.

    Raises:
        SentimentError: the disk refused (full, read-only); the older files are untouched then.
    """
    partial = {path: path.with_name(f".{path.name}.{os.getpid()}.partial") for path in contents}
    path = next(iter(contents), Path())
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial[path].write_bytes(content)
            sync_file(partial[path])
        for path in contents:
            partial[path].replace(path)
        for folder in {path.parent for path in contents}:
            sync_folder(folder)
    except OSError as error:
        raise SentimentError(f"{path}: cannot be written ({error.strerror}); nothing was changed") from error
    finally:
        for temporary in partial.values():
            temporary.unlink(missing_ok=True)
