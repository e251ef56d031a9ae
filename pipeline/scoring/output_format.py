"""What an output is to be: its format, which its name says, and its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UsageError
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
    if name == "parquet" and is_stream(path):
        raise UsageError(f"{path}: Parquet needs a file that is no pipe or device")
    return OutputFormat(name, compression)


def rejects_path(target: str) -> str:
    """Return where the rejects of an output are kept."""
    return f"{target}.rejects.jsonl"


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
