"""Promise: who waits sees how far a run is, how fast and how long it takes, the run that goes on too."""

import io
import re
import sys
import time
from pathlib import Path
from typing import cast

import pytest
from tqdm import tqdm

from pipeline.console import Console
from pipeline.scoring import summary as score_summary
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.rows import Row
from pipeline.scoring.score import score_table
from pipeline.scoring.summary import Progress, ScoreSummary, passing_over
from pipeline.scoring.table import Position, Table
from tests.stub_models import HashModel


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(tqdm, "monitor_interval", 0)  # or its thread would outlive the test
    return stream


def drawn(terminal: Terminal, description: str) -> list[str]:
    return [line for line in terminal.getvalue().split("\r") if line.startswith(f"{description}:")]


def test_a_terminal_sees_how_far_it_is_and_how_long_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    (tmp_path / "in.csv").write_text("review\n" + "a film\n" * 40_000)
    options = ScoreOptions(window_rows=100)
    score_table(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), HashModel(), Console(), options)
    lines = drawn(terminal, "scoring")
    assert len(lines) > 1
    assert all(" left" in line for line in lines)
    assert "rows/s" in lines[-1]


class TableAt:
    name = "in.csv"

    def __init__(self, done: int) -> None:
        self.done = done

    def position(self) -> Position:
        return Position(self.done, 100_000_000, "bytes")


def test_a_run_that_goes_on_shows_what_it_does_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    table, summary = TableAt(50_000_000), ScoreSummary(rows=500_000)
    with Progress(cast(Table, table), summary, Console()) as progress:
        for _ in range(4):
            table.done += 1_000_000
            summary.rows += 100
            time.sleep(0.12)  # tqdm draws ten times a second
            progress.show()
    lines = drawn(terminal, "scoring")
    assert [line.split("%")[0].split()[-1] for line in lines[-5:]] == ["50", "51", "52", "53", "54"]
    seconds_left, rate = re.findall(r"00:(\d\d) left, ([0-9,]+) rows/s", lines[-1])[0]
    assert 2 <= int(seconds_left) <= 30
    assert 20 < int(rate) < 1000


def test_what_is_read_again_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    rows = [Row(number, number + 1, []) for number in range(1, 1025)]
    found = []
    for row in passing_over(iter(rows), 1024, "in.csv", Console()):
        found.append(row)
        if len(found) % 256 == 0:
            time.sleep(0.12)
    assert found == rows
    lines = drawn(terminal, "reading again what is scored already")
    assert {"0", "25", "50", "75", "100"} == {line.split("%")[0].split()[-1] for line in lines}
    assert all(" left" in line for line in lines)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(score_summary, "SECONDS_BETWEEN_WORDS", -1)
    assert list(passing_over(iter(rows), 1024, "in.csv", Console())) == rows
    said = sys.stderr.getvalue().splitlines()  # type: ignore[attr-defined]
    assert said[1] == "in.csv: 512 of the 1,024 rows scored already are read again"
