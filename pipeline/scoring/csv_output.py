"""The scored CSV and its rejects: they grow out of sight and are put in place whole, or not at all."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import IO, Any, Self

from pipeline import artifacts
from pipeline.errors import SentimentError


def is_stream(path: str) -> bool:
    """Whether a path is standard input or output (``-``), a pipe or a device: nothing that can be renamed."""
    try:
        return path == "-" or not S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return False


class _GrowingFile:
    """Text that grows in ``NAME.partial`` and takes its name when it is whole and on the disk.

    A stream (see :func:`is_stream`) is written as it comes. The file is made at the first write.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.streamed = is_stream(target)
        self.path = Path(target if self.streamed else os.path.realpath(target))  # a link stays a link
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._stream: IO[str] | None = None

    def open(self) -> IO[str]:
        """Return the stream to write to, made at the first call; write within :meth:`one_line_errors`."""
        if self._stream is None:
            if self.target == "-":
                binary = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
            else:
                binary = (self.path if self.streamed else self.partial).open("wb")
            # "replace" is for code points that UTF-8 cannot hold and that some encodings decode to
            self._stream = io.TextIOWrapper(binary, encoding="utf-8", errors="replace", newline="")
        return self._stream

    def close(self) -> None:
        """Bring all of it to the disk."""
        with self.one_line_errors():
            stream = self.open()
            stream.flush()
            if not self.streamed:
                os.fsync(stream.fileno())
            stream.close()

    def publish(self) -> None:
        """Give the closed file its name."""
        if not self.streamed:
            with self.one_line_errors():
                self.partial.replace(self.path)
                artifacts.sync_folder(self.path.parent)

    def withdraw(self) -> None:
        """Remove what an earlier run left under the name."""
        with self.one_line_errors():
            self.path.unlink(missing_ok=True)

    def discard(self) -> None:
        if self._stream is not None:
            with suppress(OSError):  # a full disk refuses the last buffer again
                self._stream.close()
            if not self.streamed:
                self.partial.unlink(missing_ok=True)

    @contextmanager
    def one_line_errors(self) -> Iterator[None]:
        """Turn what the system refuses into one line that names the target."""
        try:
            yield
        except BrokenPipeError:
            raise  # the reader has enough, which is no fault
        except OSError as error:
            advice = (
                "what it took before that is not complete"
                if self.streamed
                else "nothing there was changed and the partial file is removed; make room or name another place, "
                "then start again"
            )
            name = "standard output" if self.target == "-" else self.target
            raise SentimentError(f"{name}: cannot be written ({error.strerror or error}); {advice}") from error


class _RowWriter:
    """Writes rows as CSV: what ``csv.writer`` writes, some six times as fast on long texts.

    A value is quoted where it holds the delimiter, a quote, CR or LF, wherever those stand, and a quote in it is
    doubled. A lone empty value is quoted too, for a blank line is no row.
    """

    def __init__(self, delimiter: str, line_end: str) -> None:
        self._delimiter = delimiter
        self._line_end = line_end

    def write(self, rows: Iterable[Sequence[str]], stream: IO[str]) -> None:
        quoted, between, end = self._quoted, self._delimiter, self._line_end
        stream.writelines((between.join(map(quoted, row)) or '""') + end for row in rows)

    def _quoted(self, value: str) -> str:
        if '"' in value:
            return '"' + value.replace('"', '""') + '"'
        if self._delimiter in value or "\n" in value or "\r" in value:
            return f'"{value}"'
        return value


class CsvOutput:
    """A CSV file, and beside it the rejects, both written whole or not at all; a context manager.

    Entering takes the target's lock. Leaving without :meth:`commit` removes what was written and leaves an older file
    untouched. The rejects file is there only when something was rejected; a stream has none.

    Args:
        target: path, or ``-`` for standard output.
        delimiter: between fields.
        line_end: ``\\n`` or ``\\r\\n``.

    Raises:
        SentimentError: the target is a folder, its folder cannot be written, the disk is full, or another run is
            writing there.
    """

    def __init__(self, target: str, delimiter: str, line_end: str) -> None:
        self.target = target
        self.rows_written = 0
        self.rejected = 0
        self._file = _GrowingFile(target)
        self._rejects = _GrowingFile(rejects_path(target))
        self._writer = _RowWriter(delimiter, line_end)
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Take the lock and make the partial file, so that a place that cannot be written is known at once."""
        if Path(self.target).is_dir():
            raise SentimentError(f"{self.target}: is a folder; name a file in it")
        if not self._file.streamed:
            with self._file.one_line_errors():
                self._held.enter_context(artifacts.exclusive(self._file.path))
        self._held.callback(self._file.discard)
        self._held.callback(self._rejects.discard)
        try:
            with self._file.one_line_errors():
                self._file.open()
        except SentimentError:
            self._held.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what was not committed and free the lock."""
        self._held.close()

    def write_header(self, names: Sequence[str]) -> None:
        """Write the column names."""
        self._write([names])

    def write_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Write rows, each with as many values as the header."""
        self._write(rows)
        self.rows_written += len(rows)

    def _write(self, rows: Sequence[Sequence[str]]) -> None:
        with self._file.one_line_errors():
            self._writer.write(rows, self._file.open())

    def reject(self, record: Mapping[str, Any]) -> None:
        """Keep what the output cannot hold, as one line of JSON."""
        self.rejected += 1
        if not self._file.streamed:
            with self._rejects.one_line_errors():
                self._rejects.open().write(json.dumps(record, ensure_ascii=False) + "\n")

    def commit(self) -> None:
        """Put the finished files in place, the output last; remove the rejects of an earlier run."""
        keeps_rejects = self.rejected > 0 and not self._file.streamed
        self._file.close()
        if keeps_rejects:
            self._rejects.close()
            self._rejects.publish()
        elif not self._file.streamed:
            self._rejects.withdraw()
        self._file.publish()


def rejects_path(target: str) -> str:
    """Return where the rejects of an output are kept."""
    return f"{target}.rejects.jsonl"
