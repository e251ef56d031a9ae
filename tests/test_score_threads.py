"""Promise: with the network in threads of its own no row is lost or moved, memory is bounded, every end is clean."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.scoring import loop
from pipeline.scoring import windows as score_windows
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.reading_notes import Reading
from pipeline.scoring.rows import Row
from pipeline.scoring.score import score_table
from pipeline.scoring.summary import ScoreSummary
from tests.stub_models import HashModel, StubModel, probability_of

QUIET = Console(quiet=True)
ROOT = Path(__file__).parents[1]


class SlowModel(HashModel):
    """Takes longest for the texts that come first."""

    def probabilities_of(
        self, sequences: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float64]:
        time.sleep(0.002 * (hash(sequences[0]) % 3))
        return super().probabilities_of(sequences, on_batch)


def scored(folder: Path, model: StubModel, window_rows: int) -> ScoreSummary:
    options = ScoreOptions(window_rows=window_rows)
    return score_table(str(folder / "in.csv"), str(folder / "out.csv"), model, QUIET, options)


def write_rows(path: Path, rows: int) -> None:
    lines = ("" if number % 7 == 3 else f"text of row {number}" for number in range(rows))
    path.write_text("id,review\n" + "".join(f"{number},{text}\n" for number, text in enumerate(lines)))


@given(rows=st.integers(0, 40), window_rows=st.integers(1, 9), threads=st.integers(0, 3), most=st.integers(0, 2000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_and_threads_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, window_rows: int, threads: int, most: int
) -> None:
    monkeypatch.setattr(loop, "CHARACTERS_UNDER_WAY", most)
    write_rows(tmp_path / "in.csv", rows)
    summary = scored(tmp_path, SlowModel(threads), window_rows)
    assert summary.rows == rows
    found = (tmp_path / "out.csv").read_text().splitlines()[1:]
    texts = ["" if number % 7 == 3 else f"text of row {number}" for number in range(rows)]
    for number, (line, text) in enumerate(zip(found, texts, strict=True)):
        probability = probability_of(text) if text else ""
        answer = ("positive" if float(probability) >= 0.5 else "negative") if text else ""
        assert line == f"{number},{text},{answer},{probability},{'' if text else 'blank text'}"


def test_rows_under_way_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way = most_under_way = 0

    class Counting(StubModel):
        def read(self, texts: Sequence[str]) -> Reading:
            nonlocal under_way, most_under_way
            under_way += len(texts)
            most_under_way = max(most_under_way, under_way)
            return super().read(texts)

    def write(self: object, rows: Sequence[Row], cells: object, characters: int) -> None:
        nonlocal under_way
        under_way -= len(rows)

    row = 20 + 10
    monkeypatch.setattr(score_windows, "_ROW_CHARACTERS", 10)
    monkeypatch.setattr(loop, "CHARACTERS_UNDER_WAY", 100 * row)
    monkeypatch.setattr("pipeline.scoring.outputs.Output.write_rows", write)
    (tmp_path / "in.csv").write_text("review\n" + "a film of 20 letters\n" * 2000)
    with pytest.raises(SentimentError, match="2000 rows read but 0 written"):
        score_table(
            str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), Counting(), QUIET, ScoreOptions(window_rows=10)
        )
    assert under_way == 0
    assert most_under_way <= 100 + 10 + 10


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("error", [SentimentError("the model broke"), MemoryError("no room"), KeyboardInterrupt()])
def test_an_error_of_the_network_leaves_no_output_and_no_thread(
    tmp_path: Path, threads: int, error: BaseException
) -> None:
    class Breaking(StubModel):
        calls = 0

        def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
            self.calls += 1
            if self.calls > 3:
                raise error
            return super().probabilities(texts)

    write_rows(tmp_path / "in.csv", 100)
    with pytest.raises(type(error)):
        score_table(
            str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), Breaking(threads), QUIET, ScoreOptions(window_rows=5)
        )
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["in.csv"]
    assert threading.active_count() == 1


@pytest.mark.parametrize("threads", [0, 1])
def test_an_error_of_the_output_stops_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    def full(self: object, rows: Sequence[Row], cells: object, characters: int) -> None:
        raise SentimentError("disk full")

    monkeypatch.setattr("pipeline.scoring.outputs.Output.write_rows", full)
    write_rows(tmp_path / "in.csv", 100)
    with pytest.raises(SentimentError, match="disk full"):
        score_table(
            str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), SlowModel(threads), QUIET, ScoreOptions(window_rows=5)
        )
    assert threading.active_count() == 1
    assert not (tmp_path / "out.csv").exists()


PROGRAM = """
import sys, time
from pathlib import Path
from pipeline import cli, inference
from tests.stub_models import StubModel

class Slow(StubModel):
    def probabilities_of(self, sequences, on_batch=None):
        for _ in range(1000):
            time.sleep(0.01)
            if on_batch is not None:
                on_batch(1)
        return super().probabilities_of(sequences, on_batch)

inference.find_model = lambda folder, model, or_bundled: Path("stub")
inference.SentimentModel.load = classmethod(lambda cls, folder: Slow(int(sys.argv[1])))
sys.exit(cli.main(["score", sys.argv[2], "-o", sys.argv[3], "--window-rows", "5"]))
"""


@pytest.fixture
def scoring(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A scoring process whose network takes ten seconds a window, once it has begun."""
    write_rows(tmp_path / "in.csv", 100)
    (tmp_path / "out.csv").write_text("old")
    command = [sys.executable, "-c", PROGRAM, str(request.param), str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}) as process:
        assert process.stderr is not None
        line = ""
        while "scoring column" not in line:
            line = process.stderr.readline()
            assert line, "the process ended before it began to score"
        time.sleep(0.2)
        yield process
        process.kill()


@pytest.mark.parametrize("scoring", [0, 1, 3], indirect=True)
def test_ctrl_c_ends_at_once_in_one_line(tmp_path: Path, scoring: subprocess.Popen[str]) -> None:
    started = time.perf_counter()
    scoring.send_signal(signal.SIGINT)
    _, errors = scoring.communicate(timeout=30)
    assert time.perf_counter() - started < 5
    assert scoring.returncode == 130
    assert errors == "sentiment score: interrupted; the same command goes on or starts over\n"
    assert (tmp_path / "out.csv").read_text() == "old"
    assert not (tmp_path / "out.csv.partial").exists()
