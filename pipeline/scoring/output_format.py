"""What an output is to be: its format, which its name says, and its columns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.growing_file import is_stream

FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_COMPRESSIONS = (".gz", ".zst")
_OTHER_SUFFIXES = {".json": "JSON", ".xlsx": "Excel", ".xls": "Excel", ".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}


@dataclass(frozen=True)
class OutputFormat:
    """What an output's name says: ``csv``, ``jsonl`` or ``parquet``, and the suffix of its compression or nothing."""

    name: str
    compression: str = ""


def output_format(path: str, wanted: str | None = None) -> OutputFormat:
    """Return the format of an output: the wanted one, else by its name; CSV where that says nothing.

    Raises:
        UsageError: it names a format that is not written.
    """
    if not path or "\0" in path:
        raise UsageError(f"{path!r}: is no name of a file; name the output with -o")
    if "://" in path:
        raise UsageError(f"{path}: outputs are local files; write one, then copy it, or use --engine ray")
    compression = next((suffix for suffix in _COMPRESSIONS if path.lower().endswith(suffix)), "")
    suffix = Path(path.lower().removesuffix(compression)).suffix
    if wanted is None and suffix in _OTHER_SUFFIXES:
        raise UsageError(
            f"{path}: {_OTHER_SUFFIXES[suffix]} is not written; name a .csv, .jsonl or .parquet file, .csv.gz, .csv.zst"
        )
    name = wanted or FORMATS.get(suffix, "csv")
    if name == "parquet" and compression:
        raise UsageError(f"{path}: Parquet is compressed by itself; name a .parquet file")
    if name == "parquet" and is_stream(path) and not Path(path).is_dir():
        raise UsageError(f"{path}: Parquet needs a file that is no pipe or device")
    return OutputFormat(name, compression)


def rejects_path(target: str) -> str:
    """Return where the rejects of an output are kept."""
    return f"{shown_path(target)}.rejects.jsonl"


def is_told(path: str, wanted: str | None = None) -> bool:
    """Whether the format of an output is wanted or told by its name; a name without a suffix is plainly CSV."""
    name = Path(path.lower()).name
    suffixes = Path(next((name.removesuffix(end) for end in _COMPRESSIONS if name.endswith(end)), name)).suffix
    return wanted is not None or is_stream(path) or suffixes in ("", *FORMATS)


BESIDE = ("", ".partial", ".partial.journal", ".rejects.jsonl", ".rejects.jsonl.partial")
"""What is written beside an output while it grows and after, by what is added to its name."""
_LONGEST_NAME = 255  # bytes, on the file systems in use


def real_path(path: str) -> Path:
    """Return where an output lies when links are followed: there it is put, and the links stay.

    Raises:
        SentimentError: the links go round in a circle, or the name leaves no room for those beside it.
    """
    try:
        real = Path(path).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError of a circle, before Python 3.13
        raise SentimentError(f"{path}: cannot be followed ({error}); name another output") from error
    longest = _LONGEST_NAME - max(map(len, BESIDE))
    if len(os.fsencode(real.name)) > longest:
        raise SentimentError(f"{path}: its name is too long; {longest} bytes leave room for the files beside it")
    return real


def shown_path(path: str) -> str:
    """Return an output's path for a message: where what lies beside it is found."""
    return str(real_path(path)) if Path(path).is_symlink() else path


@dataclass(frozen=True)
class OutputColumns:
    """The columns of an output.

    Attributes:
        header: the names of the input's columns.
        appended: the names of the new ones.
        kept: the positions of the input's columns that are written; None for all.
        has_header: whether CSV gets a line with the names.
    """

    header: Sequence[str]
    appended: Sequence[str]
    kept: Sequence[int] | None = None
    has_header: bool = True

    def places(self) -> Sequence[int]:
        """Return the positions of the input's columns that are written."""
        return range(len(self.header)) if self.kept is None else self.kept

    def names(self) -> list[str]:
        """Return the names of all columns of the output."""
        return [*(self.header[place] for place in self.places()), *self.appended]
