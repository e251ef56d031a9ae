"""What scoring tells of itself: how far it has come, and at the end what it did and what deserves a look."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from pipeline.console import Console
from pipeline.scoring.csv_output import is_stream, rejects_path
from pipeline.scoring.csv_table import CsvTable

SECONDS_BETWEEN_WORDS = 60.0  # of progress where there is no terminal for a bar


@dataclass
class ScoreSummary:
    """What a run did.

    Attributes:
        rows: rows read, and as many written.
        positive: rows predicted positive.
        negative: rows predicted negative.
        rows_with_problems: rows whose ``score_error`` is not empty.
        problems: rows by kind of problem; one row may have several.
        rejected: rows kept as they were in the rejects file.
        bytes_replaced: undecodable bytes.
        blank_lines: blank lines passed over, which are no rows.
        text_column: name of the column scored.
        encoding: of the input.
        delimiter: of input and output.
        seconds: from start to end.
    """

    rows: int = 0
    positive: int = 0
    negative: int = 0
    rows_with_problems: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    bytes_replaced: int = 0
    blank_lines: int = 0
    text_column: str = ""
    encoding: str = ""
    delimiter: str = ""
    seconds: float = 0.0


class Progress:
    """A bar on a terminal, a line a minute elsewhere; a context manager."""

    def __init__(self, table: CsvTable, summary: ScoreSummary, console: Console, size: int | None) -> None:
        self._table = table
        self._summary = summary
        self._console = console
        self._started = self._last_word = time.perf_counter()
        self._bar = console.progress(size, "scoring", unit="bytes")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._bar.__exit__(kind, error, trace)

    def show(self) -> None:
        """Say how far the run has come."""
        self._bar.update(self._table.text.bytes_read - self._bar.n)
        now = time.perf_counter()
        rate = f"{self._summary.rows / (now - self._started):,.0f} rows/s"
        self._bar.set_postfix_str(rate, refresh=False)
        if self._bar.disable and now - self._last_word > SECONDS_BETWEEN_WORDS:
            self._console.say(f"{self._table.name}: {self._summary.rows:,} rows so far, {rate}")
            self._last_word = now


def report(summary: ScoreSummary, output_path: str, console: Console) -> None:
    """Say at the end what was done and what deserves a look."""
    scored = summary.positive + summary.negative
    share = f", {summary.positive / scored:.1%} positive" if scored else ""
    place = "standard output" if output_path == "-" else output_path
    rate = summary.rows / max(summary.seconds, 1e-9)
    console.say(f"{place}: {summary.rows:,} rows{share}, {summary.seconds:.1f} s ({rate:,.0f} rows/s)")
    if summary.encoding != "utf-8":
        console.say(f"  read as {summary.encoding}; if letters look wrong, name the encoding with --encoding")
    if summary.problems:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.problems.most_common())
        console.say(f"  {summary.rows_with_problems:,} rows with a note in score_error: {kinds}")
    if summary.bytes_replaced:
        console.say(f"  {summary.bytes_replaced:,} bytes stood for no character in {summary.encoding}; now U+FFFD")
    if summary.blank_lines:
        console.say(f"  {summary.blank_lines:,} blank lines passed over")
    if summary.rejected and is_stream(output_path):
        console.say(f"  {summary.rejected:,} rows lost surplus fields or bytes; an output file keeps them beside it")
    elif summary.rejected:
        console.say(f"  {summary.rejected:,} rows kept as they were in {rejects_path(output_path)}")
