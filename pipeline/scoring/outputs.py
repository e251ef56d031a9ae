"""Where scored rows go, and the care that an output takes whatever its format.

A file grows out of sight and appears by rename when it is whole. Until then checkpoints are brought to the disk, each
with a line in the journal, and a run that was killed is gone on with from the last of them. Standard output, pipes and
devices get the bytes as they come.
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline import artifacts
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.scoring import disk
from pipeline.scoring.growing_file import GrowingFile, is_stream, mode_of
from pipeline.scoring.journal import Journal, differences, journal_path
from pipeline.scoring.output_format import real_path, rejects_path, shown_path
from pipeline.scoring.rows import Row
from pipeline.scoring.sink import Sink

CHECKPOINT_ROWS = 16_384
CHECKPOINT_CHARACTERS = 1 << 24
CHECKPOINT_SECONDS = 20.0
"""A checkpoint is made after so many rows, or characters, or seconds, whichever comes first."""


_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class UnusableError(SentimentError):
    """What was scored so far is worth nothing: it is removed, and no resuming is offered."""


class Output:
    """One output, and beside it the rejects: both appear whole, or not at all; a context manager.

    Entering takes the target's lock. :meth:`begin` starts, or goes on from the last checkpoint of a run of the same
    identity. Leaving without :meth:`commit` leaves an older output untouched; checkpoints stay for the next run.

    Args:
        target: path, or ``-`` for standard output.
        sink: takes the rows.
        identity: what must be the same for a run to be gone on with, by what it is called in messages; None where it
            cannot be gone on with, since the input is a stream.
        console: for messages.

    Attributes:
        rejected: rows in the rejects file.

    Raises:
        SentimentError: the target is a folder, its folder cannot be written, the disk is full, or another run is
            writing there.
    """

    def __init__(self, target: str, sink: Sink, identity: Mapping[str, Any] | None, console: Console) -> None:
        self.target = target
        self.rejected = 0
        self.streamed = is_stream(target)
        self._path = real_path(target)
        self._sink = sink
        self._rejects = GrowingFile(Path(rejects_path(str(self._path))), mode=mode_of(self._path))
        self._identity = identity
        self._console = console
        self._journal: Journal | None = None
        self._kept_rows = 0
        self._has_rejects_file = False
        self._has_begun = self._is_committed = False
        self._characters = 0  # since the last checkpoint
        self._last_checkpoint = time.monotonic()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        """Take the lock."""
        if Path(self.target).is_dir():
            raise SentimentError(f"{self.target}: is a folder; name a file in it")
        if not self.streamed:
            self._held.enter_context(artifacts.exclusive(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything, drop what no later run can use, and free the lock."""
        try:
            if self._has_begun and not self._is_committed:
                self._close_all()
                if not isinstance(error, UnusableError) and self._has_checkpoint():
                    if isinstance(error, KeyboardInterrupt):
                        self._console.say(f"{self._kept_rows:,} rows are kept in {self.partial}")
                else:
                    with suppress(OSError):  # a disk that refuses even this has been told of
                        self._remove_all()
        finally:
            self._held.close()

    def _has_checkpoint(self) -> bool:
        """Whether there is something to go on from: the journal on the disk knows, whenever Ctrl-C came."""
        if self.streamed or self._kept_rows:
            return bool(self._kept_rows)
        return self._identity is not None and Journal(self._path).last is not None

    @property
    def rows_written(self) -> int:
        """Rows in the output."""
        return self._sink.rows

    @property
    def partial(self) -> str:
        """Where the output grows."""
        return f"{shown_path(self.target)}.partial"

    def begin(self) -> dict[str, Any] | None:
        """Return the checkpoint of an earlier run that this one goes on from, None where it starts at the first row.

        A checkpoint with ``complete`` set is of a run that was stopped just before its end: the output is in place now.
        """
        with self._one_line_errors():
            journal = None if self.streamed or self._identity is None else Journal(self._path)
            checkpoint = None if journal is None else self._checkpoint_to_resume(journal)
            if journal is None or checkpoint is None:
                self._has_begun = True
                self._remove_all()
                self._sink.open()
                return None
            self._kept_rows = checkpoint["rows"]
            self.rejected = checkpoint["rejected"]
            self._has_begun, self._journal = True, journal
            if checkpoint.get("complete"):
                self._publish(checkpoint["rejected"] > 0)
            else:
                journal.resume()
        return checkpoint

    def _checkpoint_to_resume(self, journal: Journal) -> dict[str, Any] | None:
        if journal.is_strange:
            self._console.say(f"{self.partial}: left by another version of this program; starting over")
        if journal.identity is None or journal.last is None or self._identity is None:
            return None
        changed = differences(journal.identity, self._identity)
        if changed:
            self._console.say(
                f"{self.partial}: left by an earlier run, but {' and '.join(changed)} changed since; starting over"
            )
            return None
        checkpoint = journal.last
        if checkpoint.get("complete"):
            is_sound = self._sink.is_finished(checkpoint["output"]) and self._rejects.is_finished(checkpoint["rejects"])
        else:
            is_sound = self._rejects.resume(checkpoint["rejects"]) and self._sink.resume(checkpoint["output"])
        if not is_sound:
            self._console.say(f"{self.partial}: is not as the earlier run left it; starting over")
            return None
        return checkpoint

    def write_header(self, names: Sequence[str]) -> None:
        """Write the column names."""
        with self._one_line_errors():
            self._sink.write_header(names)

    def write_rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]], characters: int) -> None:
        """Write rows with what is appended to each.

        Args:
            rows: N rows.
            cells: the appended values of each.
            characters: of the rows, as far as memory goes.
        """
        with self._one_line_errors():
            self._sink.write_rows(rows, cells)
        self._characters += characters

    def reject(self, record: Mapping[str, Any]) -> None:
        """Keep what the output cannot hold, as one line of JSON."""
        self.rejected += 1
        if not self.streamed:
            with self._one_line_errors():
                line = json.dumps(record, ensure_ascii=False) + "\n"
                self._rejects.write(line.encode("utf-8", "replace"))

    def checkpoint_due(self) -> bool:
        """Whether enough has been written since the last checkpoint."""
        return not (self.streamed or self._identity is None) and (
            self.rows_written - self._kept_rows >= CHECKPOINT_ROWS
            or self._characters >= CHECKPOINT_CHARACTERS
            or time.monotonic() - self._last_checkpoint >= CHECKPOINT_SECONDS
        )

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Bring everything written so far to the disk, and a line to the journal that a later run can go on from.

        Args:
            state: of the run, for that run; JSON can hold it.
        """
        with self._one_line_errors():
            self._sink.flush()
            self._rejects.flush()
            if self._identity is not None:
                if self.rejected and not self._has_rejects_file:
                    disk.sync_folder(self._path.parent)  # the file is new: its name is to outlast a power cut too
                    self._has_rejects_file = True
                self._begun_journal(self._identity).append(self._record(state))
        self._kept_rows = self.rows_written
        self._characters = 0
        self._last_checkpoint = time.monotonic()

    def _record(self, state: Mapping[str, Any]) -> dict[str, Any]:
        marks = {"output": self._sink.mark(), "rejects": self._rejects.mark()}
        return {**state, "rows": self.rows_written, "rejected": self.rejected, **marks}

    def _begun_journal(self, identity: Mapping[str, Any]) -> Journal:
        if self._journal is None:
            journal = Journal(self._path)
            journal.begin(identity)
            self._journal = journal
        return self._journal

    def commit(self, state: Mapping[str, Any]) -> None:
        """Put the finished files in place, the output last; remove the rejects of an earlier run.

        Args:
            state: of the run, for one that finds it killed in between.
        """
        rows = self.rows_written
        with self._one_line_errors():
            self._sink.finish()
            if self.rows_written != rows:
                raise UnusableError(
                    f"{self.target}: {rows} rows went in but {self.rows_written} came out, which is an error of this "
                    "program; nothing was put in place, please report it"
                )
            if self.streamed:
                self._is_committed = True
                return
            self._rejects.finish()
            if self._journal is not None:
                self._journal.append({**self._record(state), "complete": True})
            self._publish(self.rejected > 0)

    def _publish(self, keeps_rejects: bool) -> None:
        if keeps_rejects:
            self._rejects.publish()
        else:
            disk.remove(self._rejects.target)
        self._sink.publish()
        disk.sync_folder(self._path.parent)
        if self._journal is not None:
            self._journal.remove()
        self._is_committed = True

    def _close_all(self) -> None:
        self._sink.close()
        self._rejects.close()
        if self._journal is not None:
            self._journal.close()

    def _remove_all(self) -> None:
        self._sink.discard()
        if not self.streamed:
            self._rejects.discard()
            disk.remove(journal_path(self._path))

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Turn what the system refuses into one line that names the target."""
        try:
            yield
        except BrokenPipeError:
            raise  # the reader has enough, which is no fault
        except OSError as error:
            name = "standard output" if self.target == "-" else self.target
            reason = error.strerror or error
            raise SentimentError(f"{name}: cannot be written ({reason}); {self._advice(error)}") from error

    def _advice(self, error: OSError) -> str:
        if self.streamed:
            return "what it took before that is not complete"
        way_out = "make room" if error.errno in _FULL else "mend that"
        if self._kept_rows:
            return (
                f"{self._kept_rows:,} rows are kept in {self.partial}; {way_out} and run the same command again, it "
                "goes on from there"
            )
        return f"nothing there was changed; {way_out} or name another place, then start again"
