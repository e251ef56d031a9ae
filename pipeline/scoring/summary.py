"""What scoring tells of itself: how far it has come, and at the end what it did and what deserves a look."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from pipeline.console import Console
from pipeline.scoring.growing_file import is_stream
from pipeline.scoring.output_format import rejects_path
from pipeline.scoring.rows import Row
from pipeline.scoring.table import InputFacts, Table

SECONDS_BETWEEN_WORDS = 60.0  # of progress where there is no terminal for a bar
_ROWS_BETWEEN_LOOKS = 256  # at the clock


@dataclass
class ScoreSummary:
    """What a run did.

    Attributes:
        rows: rows read, and as many written.
        positive: rows predicted positive.
        negative: rows predicted negative.
        uncertain: rows where the model abstained.
        rows_with_problems: rows whose ``score_error`` is not empty.
        problems: rows by kind of problem; one row may have several.
        cut: rows of whose text the network read the head and the tail.
        rejected: rows kept as they were in the rejects file.
        resumed_at: rows that an earlier run had scored.
        text_column: name of the column scored.
        input: what reading found.
        seconds: from start to end.
    """

    rows: int = 0
    positive: int = 0
    negative: int = 0
    uncertain: int = 0
    rows_with_problems: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    rejected: int = 0
    resumed_at: int = 0
    text_column: str = ""
    input: InputFacts = field(default_factory=lambda: InputFacts("csv"))
    seconds: float = 0.0

    def counts(self) -> dict[str, Any]:
        """Return what a later run needs to go on counting."""
        return {name: getattr(self, name) for name in _COUNTED} | {"problems": dict(self.problems)}

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any]) -> ScoreSummary:
        """Go on from what :meth:`counts` returned."""
        return cls(**{name: counts[name] for name in _COUNTED}, problems=Counter(counts["problems"]))


_COUNTED = ("rows", "positive", "negative", "uncertain", "rows_with_problems", "cut")


class Progress:
    """A bar on a terminal, a line a minute elsewhere; a context manager.

    Args:
        table: being read; what has been read of it already was scored by an earlier run.
        summary: counts the rows, those of an earlier run included.
        console: shows it.
    """

    def __init__(self, table: Table, summary: ScoreSummary, console: Console) -> None:
        self._table = table
        self._summary = summary
        self._console = console
        self._started = self._last_word = time.perf_counter()
        self._earlier_rows = summary.rows
        position = table.position()
        passed_over = position.done if summary.rows else 0  # else nothing of what was read ahead is scored
        self._bar = console.progress(
            position.total, "scoring", unit=position.unit, has_counts=False, initial=passed_over
        )

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
        now = time.perf_counter()
        rate = f"{(self._summary.rows - self._earlier_rows) / (now - self._started):,.0f} rows/s"
        self._bar.set_postfix_str(rate, refresh=False)
        self._bar.update(self._table.position().done - self._bar.n)
        if self._bar.disable and now - self._last_word > SECONDS_BETWEEN_WORDS:
            self._console.say(f"{self._table.name}: {self._summary.rows:,} rows so far, {rate}")
            self._last_word = now


def passing_over(rows: Iterable[Row], total: int, name: str, console: Console) -> Iterator[Row]:
    """Yield the rows that an earlier run scored, and say how many of them have been read again.

    Args:
        rows: those rows.
        total: how many they are.
        name: of the table.
        console: shows a bar on a terminal, gets a line a minute elsewhere.
    """
    last_word = time.perf_counter()
    with console.progress(total, "reading again what is scored already", unit="rows", has_counts=False) as bar:
        for count, row in enumerate(rows, start=1):
            yield row
            del row  # may be large
            if count % _ROWS_BETWEEN_LOOKS:
                continue
            bar.update(count - bar.n)
            now = time.perf_counter()
            if bar.disable and now - last_word > SECONDS_BETWEEN_WORDS:
                console.say(f"{name}: {count:,} of the {total:,} rows scored already are read again")
                last_word = now


def counted(count: int, unit: str) -> str:
    """Return a number with its unit: ``1 row``, ``2,000 rows``."""
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def report(summary: ScoreSummary, output_path: str, console: Console) -> None:
    """Say at the end what was done and what deserves a look."""
    scored = summary.positive + summary.negative + summary.uncertain
    share = f", {summary.positive / scored:.1%} positive" if scored else ""
    if summary.uncertain:
        share += f", {summary.uncertain / scored:.1%} uncertain"
    place = "standard output" if output_path == "-" else output_path
    rows = summary.rows - summary.resumed_at
    rate = rows / max(summary.seconds, 1e-9)
    earlier = f"; {summary.resumed_at:,} of them by an earlier run" if summary.resumed_at else ""
    done = f"{counted(summary.rows, 'row')}{share}"
    console.say(f"{place}: {done}, {summary.seconds:.1f} s ({rate:,.0f} rows/s{earlier})")
    found = summary.input
    encoding = {"cp1252": "windows-1252", "ascii": "utf-8"}.get(found.encoding, found.encoding)
    if encoding != "utf-8":
        console.say(f"  read as {encoding}; if letters look wrong, name the encoding with --encoding")
    if summary.problems:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.problems.most_common())
        console.say(f"  {counted(summary.rows_with_problems, 'row')} with a note in score_error: {kinds}")
    if summary.cut:
        console.say(f"  {counted(summary.cut, 'text')} longer than the model reads: beginning and end were scored")
    if found.bytes_replaced:
        console.say(f"  {counted(found.bytes_replaced, 'byte')} stood for no character in {encoding}; now U+FFFD")
    if found.blank_lines:
        console.say(f"  {counted(found.blank_lines, 'blank line')} passed over")
    rejected = counted(summary.rejected, "row")
    if summary.rejected and is_stream(output_path):
        console.say(f"  {rejected} lost surplus fields or bytes; an output file keeps them beside it")
    elif summary.rejected:
        console.say(f"  {rejected} kept as read in {rejects_path(output_path)}")
