"""The inputs of scoring: which files, in which format, packed or not; opened one after another as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pipeline.dialect import check_delimiter, check_encoding
from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.compression import compression_of, unpacked
from pipeline.scoring.csv_table import CsvTable
from pipeline.scoring.formats import (
    CSV,
    FORMAT_NAMES,
    HEAD_BYTES,
    JSON_LINES,
    PARQUET,
    check_first_bytes,
    compression_of_name,
    format_of_bytes,
    format_of_name,
)
from pipeline.scoring.growing_file import is_stream
from pipeline.scoring.input_bytes import FileBytes, SteadyBytes, spooled
from pipeline.scoring.joined_table import JoinedTable, OpenFile, check_same_columns
from pipeline.scoring.locations import (
    check_inputs,
    check_name,
    expand_inputs,
    fingerprint,
    is_local,
    open_bytes,
    shown_name,
)
from pipeline.scoring.output_format import BESIDE, real_path
from pipeline.scoring.table import Position, Table

if TYPE_CHECKING:
    from pipeline.scoring.json_lines_table import JsonLinesTable

__all__ = ["InputOptions", "check_paths", "expand_inputs", "fingerprint", "open_table"]


@dataclass(frozen=True)
class InputOptions:
    """What the user said about the inputs.

    Attributes:
        delimiter: of CSV, one character or its name; found from each file where None.
        encoding: of CSV and JSON lines, a Python codec; found from each file where None.
        text_column: the name or number of the column of reviews, as a hint for the delimiter.
        has_header: the first row of a CSV file holds the names of the columns.
    """

    delimiter: str | None = None
    encoding: str | None = None
    text_column: str | None = None
    has_header: bool = True


def check_paths(paths: Sequence[str], output_path: str) -> None:
    """Refuse inputs that are missing or cannot be read, and an output that would overwrite one of them.

    Args:
        paths: as :func:`expand_inputs` gives them.
        output_path: the output; what grows beside it must not lie on an input either.

    Raises:
        UsageError: the command line names such a file.
        SentimentError: an input is missing or a folder.
    """
    check_inputs(paths)
    check_name(output_path, "output")
    for path in paths:
        format_of_name(path)
    if is_stream(output_path):
        return
    real = real_path(output_path)
    for path in filter(is_local, paths):
        written = [real.with_name(f"{real.name}{beside}") for beside in BESIDE]
        is_part = written[1].is_dir() and written[1] in Path(path).resolve().parents
        if is_part or any(place.exists() and place.samefile(path) for place in written):
            raise UsageError(f"{output_path}: would overwrite the input {path}; name another output with -o")


def open_table(paths: Sequence[str], options: InputOptions) -> AbstractContextManager[JoinedTable]:
    """Open inputs as one table.

    All local files are looked into at once, so that one with other columns is known before any row is scored; pipes
    and URLs when their turn comes.

    Args:
        paths: as :func:`expand_inputs` gives them.
        options: what the user said.

    Raises:
        SentimentError: a file cannot be opened or read, or has other columns or another format than the first.
        UsageError: an option is impossible, or says something that the format has no use for.
    """
    return _Inputs(paths, options).joined()


class _Inputs:
    """The files of one table: their format, and the columns that they share.

    Args:
        paths: of the files.
        options: what the user said.
    """

    def __init__(self, paths: Sequence[str], options: InputOptions) -> None:
        self.paths = paths
        self.options = options
        self.format: str | None = None  # once the first file is open
        self.columns: Sequence[str] = ()  # of JSON lines, of all files looked into
        self.columns_are_known = False

    def joined(self) -> JoinedTable:
        """Return the table, its first file open.

        Raises:
            SentimentError: as :func:`open_table`.
        """
        names = [shown_name(path) for path in self.paths]
        total = self._look_into_all(names) if len(self.paths) > 1 else None
        table = JoinedTable(names, self._open, total)
        if self.format == JSON_LINES:
            self.columns, self.columns_are_known = table.header, True
            if not table.header:
                raise SentimentError(f"{table.name}: is empty; there is nothing to score")
        return table

    def _look_into_all(self, names: list[str]) -> int | None:
        """Compare the columns of all files that can be opened twice; return the sum of their sizes."""
        total: int | None = 0
        columns: dict[str, None] = {}
        first: tuple[Table, str] | None = None
        for index, path in enumerate(self.paths):
            if not is_local(path):
                total = None
                continue
            with self._open(index) as file:
                part = file.position().total
                total = None if total is None or part is None else total + part
                columns.update(dict.fromkeys(file.table.header))
                if self.format != JSON_LINES and first is not None:
                    check_same_columns(first[0], file.table, first[1], names[index])
                first = first or (file.table, names[index])
        self.columns = tuple(columns) if self.format == JSON_LINES else ()
        return total

    @contextmanager
    def _open(self, index: int) -> Iterator[OpenFile]:
        path = self.paths[index]
        name = shown_name(path)
        told = format_of_name(path)
        with ExitStack() as held:
            packed, size = open_bytes(path)
            held.callback(packed.close)
            stream: SteadyBytes = packed
            kind = compression_of(packed.peek(4))
            if kind is not None:
                stream = unpacked(packed, kind, name)
            elif compression_of_name(path) and packed.peek(1):
                raise SentimentError(
                    f"{name}: is not packed, whatever its name says; rename it without the last suffix"
                )
            head = stream.peek(HEAD_BYTES)
            check_first_bytes(head, name, told)
            format_name = told or (CSV if self.options.delimiter is not None else format_of_bytes(head))
            self._check_format(format_name, name)
            yield self._open_as(format_name, stream, packed, index, size, held)

    def _open_as(
        self, format_name: str, stream: SteadyBytes, packed: FileBytes, index: int, size: int | None, held: ExitStack
    ) -> OpenFile:
        name = shown_name(self.paths[index])
        if format_name == PARQUET:
            return self._open_parquet(stream, name, held)
        options = self.options
        encoding = None if options.encoding is None else check_encoding(options.encoding)
        table: CsvTable | JsonLinesTable
        if format_name == JSON_LINES:
            from pipeline.scoring.json_lines_table import JsonLinesTable

            adds = not self.columns_are_known
            table = JsonLinesTable(
                cast(BinaryIO, stream), name, encoding=encoding, columns=self.columns, adds_columns=adds
            )
        else:
            table = CsvTable(
                cast(BinaryIO, stream),
                name,
                delimiter=None if options.delimiter is None else check_delimiter(options.delimiter),
                encoding=encoding,
                text_column=options.text_column,
                has_header=options.has_header,
            )
        return OpenFile(table, lambda: Position(packed.bytes_read, size, "bytes"))

    def _open_parquet(self, stream: SteadyBytes, name: str, held: ExitStack) -> OpenFile:
        from pipeline.scoring.parquet_table import ParquetTable

        if stream.seekable():
            table = ParquetTable(stream, name)
        else:
            table = ParquetTable(held.enter_context(spooled(stream, name)), name)
        return OpenFile(table, table.position)

    def _check_format(self, format_name: str, name: str) -> None:
        options = self.options
        if format_name != CSV and (options.delimiter is not None or not options.has_header):
            flag = "--no-header" if options.delimiter is None else "--delimiter"
            raise UsageError(f"{name}: {flag} is for CSV, and this is {FORMAT_NAMES[format_name]}; leave it out")
        if format_name == PARQUET and options.encoding is not None:
            raise UsageError(f"{name}: --encoding is for CSV and JSON lines, and this is Parquet; leave it out")
        if self.format not in (None, format_name):
            raise SentimentError(
                f"{name}: is {FORMAT_NAMES[format_name]}, the files before it are {FORMAT_NAMES[self.format or CSV]}; "
                "score them apart"
            )
        self.format = format_name
