"""The file to score, before its rows are read: is it there, is it CSV, would the output overwrite it?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR
from typing import BinaryIO

from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.csv_output import is_stream, rejects_path

_OTHER_FORMATS = {
    ".parquet": "Parquet",
    ".jsonl": "JSON lines",
    ".json": "JSON",
    ".gz": "gzip",
    ".zst": "Zstandard",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".zip": "zip",
    ".xlsx": "Excel",
    ".xls": "Excel",
}
_MAGIC_NUMBERS = {
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard",
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF-": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
}


def check_paths(input_path: str, output_path: str) -> None:
    """Refuse an input in a format that is not read and an output that would overwrite the input.

    Raises:
        UsageError: the command line names such a file.
        SentimentError: the input is missing or a folder.
    """
    if input_path != "-":
        try:
            is_folder = S_ISDIR(Path(input_path).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            raise SentimentError(f"{input_path}: not found; check the name and the folder you are in") from None
        except OSError as error:
            raise _cannot_open(input_path, error) from error
        if is_folder:
            raise SentimentError(f"{input_path}: is a folder; name a CSV file in it")
    for path in (input_path, output_path):
        format_name = _OTHER_FORMATS.get(Path(path).suffix.lower())
        if format_name is not None:
            raise UsageError(f"{path}: {format_name} is neither read nor written yet; use an unpacked CSV file")
    if is_stream(input_path) or output_path == "-":
        return
    for path in (output_path, f"{output_path}.partial", rejects_path(output_path)):
        if Path(path).exists() and Path(path).samefile(input_path):
            raise UsageError(f"{output_path}: would overwrite the input {input_path}; name another output with -o")


def _cannot_open(path: str, error: OSError) -> SentimentError:
    return SentimentError(f"{path}: cannot be opened ({error.strerror}); check its permissions")


@contextmanager
def open_input(path: str) -> Iterator[tuple[BinaryIO, str, int | None]]:
    """Open the input; give its bytes, its name in messages and its size in bytes where that is known.

    Raises:
        SentimentError: it cannot be opened, or its first bytes are not those of a text.
    """
    if path == "-":
        yield sys.stdin.buffer, "standard input", None
        return
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed below; an error in the body is none of opening
    except OSError as error:
        raise _cannot_open(path, error) from error
    with stream:
        if is_stream(path):
            yield stream, path, None
            return
        head = stream.peek(8)
        for magic, description in _MAGIC_NUMBERS.items():
            if head.startswith(magic):
                raise SentimentError(f"{path}: is {description}, not CSV; export or unpack it as CSV first")
        yield stream, path, Path(path).stat().st_size
