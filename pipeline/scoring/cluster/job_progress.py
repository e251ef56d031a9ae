"""How far a job of many blocks has come, what its workers answered, and which blocks failed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Self

from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.cluster.blocks import Block
from pipeline.scoring.cluster.shards import Record
from pipeline.scoring.summary import SECONDS_BETWEEN_WORDS

_SHOWN_ERRORS = 5


class JobProgress:
    """Gathers answers and shows how far the job has come; a context manager.

    Attributes:
        records: of finished blocks, by number.
        failures: what kept blocks from being scored, by number.
    """

    def __init__(self, console: Console, blocks: Sequence[Block], records: Mapping[int, Record]) -> None:
        self.records = dict(records)
        self.failures: dict[int, str] = {}
        self._console = console
        self._blocks = blocks
        self._started = self._last_word = time.perf_counter()
        self._new_rows = 0
        self._bar = console.progress(
            sum(block.weight for block in blocks),
            "scoring",
            unit="bytes",
            has_counts=False,
            initial=sum(blocks[number].weight for number in records),
        )

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the bar."""
        self._bar.__exit__(*error)

    def note(self, answer: Record, *, strict: bool) -> None:
        """Take one answer.

        Raises:
            SentimentError: what all other blocks would fail of too, or, where strict, any failure.
        """
        number = answer.pop("number")
        if "error" in answer:
            if answer["exit_code"] == UsageError.exit_code:
                raise UsageError(answer["error"])
            if strict:
                raise SentimentError(answer["error"])
            self.failures[number] = answer["error"]
        else:
            self.records[number] = answer
            self._new_rows += answer["rows_out"]
        self._show(number)

    def refuse_failures(self, output: str) -> None:
        """Say which blocks failed.

        Raises:
            SentimentError: one did.
        """
        failures = [self.failures[number] for number in sorted(self.failures)]
        if failures:
            more = f" | and {len(failures) - _SHOWN_ERRORS} more" if len(failures) > _SHOWN_ERRORS else ""
            raise SentimentError(
                f"{output}: {len(failures):,} of {len(self._blocks):,} blocks failed, the other shards are kept and "
                f"the same command goes on from them: {' | '.join(failures[:_SHOWN_ERRORS])}{more}"
            )

    def _show(self, number: int) -> None:
        now = time.perf_counter()
        rate = f"{self._new_rows / (now - self._started):,.0f} rows/s"
        self._bar.update(self._blocks[number].weight)
        self._bar.set_postfix_str(rate, refresh=False)
        if self._bar.disable and now - self._last_word > SECONDS_BETWEEN_WORDS:
            self._console.say(f"score: {len(self.records):,} of {len(self._blocks):,} shards so far, {rate}")
            self._last_word = now
