"""Promise: damaged files give rows or one line of error, never a traceback or a hang, and lose no row that is readable.

300 damaged files by default; 10,000 with the marker ``slow``, or as many as ``SENTIMENT_FUZZ`` says. The seed is the
number of the file.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from tests.damaged_csv import check_csv, check_csv_without_help, check_packed
from tests.damaged_types import check_json_lines, check_parquet

SECONDS_FOR_ONE = 10.0
FILES = 300
MANY_FILES = int(os.environ.get("SENTIMENT_FUZZ", "10000"))
CHECKS: list[Callable[[int, Path], None]] = [
    check_csv,
    check_packed,
    check_csv,
    check_json_lines,
    check_csv_without_help,
    check_parquet,
]


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this thread after so many seconds; the timer of the test itself goes on afterwards."""

    def expired(*_: Any) -> None:
        raise TimeoutError(f"still at it after {seconds} s")

    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, expired)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.01, left - (time.monotonic() - started)), interval)


def run_checks(first: int, last: int, folder: Path) -> None:
    """Check the damaged files of a range of seeds."""
    for seed in range(first, last):
        place = folder / str(seed)
        place.mkdir()
        check = CHECKS[seed % len(CHECKS)]
        try:
            with time_limit(SECONDS_FOR_ONE):
                check(seed, place)
        except Exception as error:
            raise AssertionError(f"{check.__name__} of seed {seed}: {type(error).__name__}: {error}") from error
        rmtree(place)


@pytest.mark.parametrize("part", range(6))
def test_damaged_files(part: int, tmp_path: Path) -> None:
    run_checks(part * FILES // 6, (part + 1) * FILES // 6, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_damaged_files(tmp_path: Path) -> None:
    run_checks(FILES, FILES + MANY_FILES, tmp_path)


def test_a_hang_is_noticed() -> None:
    with pytest.raises(TimeoutError), time_limit(0.05):
        while True:
            time.sleep(0.01)
