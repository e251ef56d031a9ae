"""The flags of the benchmark, and how much work they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST_REPEATS_OF_SLOW = 3


@dataclass(frozen=True)
class Options:
    """What to run and how long.

    Attributes:
        only: names of the sections to run, in their order.
        quick: one repeat of little work: shows that everything runs; its figures mean nothing.
        full: repeats of the largest growth runs too.
        threads: cores the whole run is confined to.
        repeats: of each timing, at least.
        model: model folder or name; None for the last one trained.
        rows: of the growth curve.
        data_dir: what the stages left.
        reports_dir: receives the report.
        work_dir: where temporary files go; None for the system's place.
    """

    only: tuple[str, ...]
    quick: bool
    full: bool
    threads: int
    repeats: int
    model: str | None
    rows: tuple[int, ...]
    data_dir: Path
    reports_dir: Path
    work_dir: Path | None

    @property
    def repeats_of_slow(self) -> int:
        """Repeats of what takes long."""
        return min(self.repeats, MOST_REPEATS_OF_SLOW)
