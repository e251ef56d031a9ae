"""What an output asks of the format that takes its rows; ``text_sink`` and ``parquet_output`` hold some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pipeline.scoring.rows import Row


class Sink(Protocol):
    """Rows in a format, growing in a place of its own.

    Attributes:
        rows: rows in it.
    """

    rows: int

    def open(self) -> None:
        """Make the place, empty."""

    def write_header(self, names: Sequence[str]) -> None:
        """Write the names of the columns where the format has a place for them."""

    def write_rows(self, rows: Sequence[Row], cells: Sequence[Sequence[str]]) -> None:
        """Write rows with what is appended to each."""

    def flush(self) -> None:
        """Bring everything to the disk; more may follow."""

    def mark(self) -> Any:
        """Return what :meth:`resume` needs to go on from here, after a flush; JSON can hold it."""

    def resume(self, mark: Any) -> bool:
        """Go on from a mark; False where the place does not hold what it held then."""

    def finish(self) -> None:
        """Bring the whole to the disk and close it; :meth:`mark` describes it then."""

    def is_finished(self, mark: Any) -> bool:
        """Whether what was finished is there as it was then, under its name or not yet."""

    def publish(self) -> None:
        """Give what is finished its name, where that has not been done yet."""

    def close(self) -> None:
        """Close it; what is on the disk stays."""

    def discard(self) -> None:
        """Close it and remove everything."""
