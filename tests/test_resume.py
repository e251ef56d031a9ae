"""Promise: whatever stops a run, the same command goes on from the last checkpoint and ends with the same file."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.scoring import disk, growing_file, outputs, parquet_output
from pipeline.scoring import score as score_module
from pipeline.scoring.csv_table import CsvTable
from pipeline.scoring.journal import Journal
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.rows import Row
from pipeline.scoring.score import score_table
from pipeline.scoring.summary import ScoreSummary
from tests.faulty_disk import FaultyDisk, PowerCut
from tests.stub_models import HashModel

ROWS = 23
POWER_CUT = "power cut"
NAMES = ["out.csv", "out.csv.gz", "out.csv.zst", "out.jsonl", "out.parquet"]
slow = pytest.mark.slow
proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


class StoppingModel(HashModel):
    """Breaks before it answers its n-th window."""

    def __init__(self, stops_at: int, error: BaseException) -> None:
        super().__init__(threads=0)
        self.stops_at = stops_at
        self.error = error

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        if len(self.calls) + 1 == self.stops_at:
            raise self.error
        return super().probabilities(texts)


def write_input(path: Path, rows: int = ROWS) -> Path:
    lines = [f"{number:03},text of row {number},{number}.50" for number in range(rows)]
    lines[4] = "004,,blank"
    lines[9] += ",surplus"
    path.write_text("id,review,price\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def often_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "CHECKPOINT_ROWS", 4)
    for name in ("sync", "sync_folder"):
        monkeypatch.setattr(disk, name, lambda *_: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_input(tmp_path / "in.csv")


def score(source: Path, target: Path, model: HashModel | None = None, **options: object) -> ScoreSummary:
    settings = ScoreOptions(window_rows=2, **options)  # type: ignore[arg-type]
    return score_table(str(source), str(target), model or HashModel(threads=0), Console(), settings)


def content(target: Path) -> object:
    """Return all that an output and its rejects hold."""
    rejects = Path(f"{target}.rejects.jsonl").read_text()
    if target.suffix == ".parquet":
        return pq.read_table(target).to_pylist(), rejects
    if target.suffix == ".zst":
        return pa.CompressedInputStream(str(target), "zstd").read(), rejects
    if target.suffix == ".gz":
        return gzip.decompress(target.read_bytes()), rejects
    return target.read_bytes(), rejects


@pytest.fixture
def expected(source: Path, tmp_path: Path, request: pytest.FixtureRequest) -> object:
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    score(source, folder / request.getfixturevalue("name"))
    return content(folder / request.getfixturevalue("name"))


def noted_checkpoints(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that takes the rows written at each checkpoint that was made to its end."""
    rows: list[int] = []
    checkpoint = outputs.Output.checkpoint

    def noted(self: outputs.Output, state: Mapping[str, Any]) -> None:
        checkpoint(self, state)
        rows.append(self.rows_written)

    monkeypatch.setattr(outputs.Output, "checkpoint", noted)
    return rows


def failure_of(source: Path, target: Path) -> str:
    """Return how a run failed; empty where it did not."""
    try:
        score(source, target)
    except SentimentError as error:
        return str(error)
    except PowerCut:
        return POWER_CUT
    return ""


def left_over(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if ".partial" in path.name}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stops_at", [1, 2, 3, 6, 11])
def test_an_interrupted_run_goes_on(
    source: Path, tmp_path: Path, name: str, stops_at: int, expected: object, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / name
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        score(source, target, StoppingModel(stops_at, KeyboardInterrupt()))
    assert target.read_text() == "old"
    assert bool(left_over(tmp_path)) == (stops_at > 2)
    capsys.readouterr()
    model = HashModel(threads=0)
    summary = score(source, target, model)
    kept = (stops_at - 1) // 2 * 4
    assert summary.rows == ROWS
    assert summary.resumed_at == kept
    assert sum(model.calls) == ROWS - kept - (kept <= 4)  # one row is blank
    assert content(target) == expected
    assert not left_over(tmp_path)
    told = capsys.readouterr().err
    assert (f"going on after the {kept} rows" in told) == (kept > 0)


@pytest.mark.parametrize("name", ["out.csv"])
def test_counts_of_a_resumed_run_are_those_of_all_rows(source: Path, tmp_path: Path, name: str) -> None:
    whole = score(source, tmp_path / "whole.csv")
    with pytest.raises(KeyboardInterrupt):
        score(source, tmp_path / name, StoppingModel(10, KeyboardInterrupt()))
    resumed = score(source, tmp_path / name)
    assert resumed.counts() == whole.counts()
    assert resumed.rejected == whole.rejected == 1


@proc
@pytest.mark.parametrize(
    ("name", "step"), [*((name, 1) for name in NAMES[:-1]), (NAMES[-1], 7), pytest.param(NAMES[-1], 1, marks=slow)]
)
@pytest.mark.parametrize("refuses", [True, False], ids=["disk full", "power cut"])
def test_a_fault_at_every_write_fsync_and_rename(
    source: Path, tmp_path: Path, name: str, step: int, refuses: bool, expected: object
) -> None:
    fails_at = 1
    while True:
        folder = tmp_path / str(fails_at)
        folder.mkdir()
        target = folder / name
        target.write_text("old")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outputs, "CHECKPOINT_ROWS", 4)
            faulty = FaultyDisk(patch, fails_at, refuses=refuses)
            checkpoints = noted_checkpoints(patch)
            said = failure_of(source, target)
        assert refuses == (said != POWER_CUT) or not said
        assert said in ("", POWER_CUT) or (str(target) in said and "\n" not in said)
        if not refuses:
            faulty.lose_what_was_not_synced(folder, loses_names=fails_at % 2 == 0)
        if faulty.changes < fails_at:
            assert content(target) == expected
            break
        is_old = target.read_bytes() == b"old"
        assert is_old or content(target) == expected
        assert score(source, target).resumed_at >= max(checkpoints, default=0) * is_old, f"fault at change {fails_at}"
        assert content(target) == expected, f"fault at change {fails_at}"
        assert not left_over(folder)
        fails_at += step
    assert fails_at > 15


def interrupted(source: Path, target: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(source, target, StoppingModel(8, KeyboardInterrupt()))
    assert left_over(target.parent)


def test_a_changed_input_starts_over(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interrupted(source, tmp_path / "out.csv")
    with source.open("a") as stream:
        stream.write("999,one more,1\n")
    assert score(source, tmp_path / "out.csv").resumed_at == 0
    assert "the input changed since; starting over" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text().count("\n") == ROWS + 2
    assert not left_over(tmp_path)


def test_an_input_changed_behind_the_clock_s_back_starts_over(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(source, tmp_path / "out.csv")
    before = source.stat()
    source.write_text(source.read_text().replace("text of row 3", "TEXT of row 3"))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    assert score(source, tmp_path / "out.csv").resumed_at == 0
    assert "not those that an earlier run scored; starting over" in capsys.readouterr().err
    score(source, tmp_path / "undisturbed.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()


def test_another_model_starts_over(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interrupted(source, tmp_path / "out.csv")
    model = HashModel(threads=0)
    model.fingerprint = "another"
    assert score(source, tmp_path / "out.csv", model).resumed_at == 0
    assert "the model changed since; starting over" in capsys.readouterr().err


def test_other_options_start_over(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interrupted(source, tmp_path / "out.csv")
    assert score(source, tmp_path / "out.csv", threshold=0.9).resumed_at == 0
    assert "the options (threshold) changed since; starting over" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
@pytest.mark.parametrize("harm", ["cut", "overwritten", "gone"])
@pytest.mark.parametrize("harmed", ["output", "rejects"])
def test_a_partial_file_that_was_harmed_starts_over(
    source: Path, tmp_path: Path, name: str, harm: str, harmed: str, expected: object
) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(source, tmp_path / name, StoppingModel(11, KeyboardInterrupt()))
    partial = tmp_path / f"{name}.{'rejects.jsonl.' if harmed == 'rejects' else ''}partial"
    if partial.is_dir():
        partial = partial / "part-000001.parquet"
    if harm == "cut":
        os.truncate(partial, 20)
    elif harm == "overwritten":
        partial.write_bytes(b"x" * partial.stat().st_size)
    else:
        partial.unlink()
    with pytest.raises(KeyboardInterrupt):
        score(source, tmp_path / name, StoppingModel(6, KeyboardInterrupt()))
    assert score(source, tmp_path / name).resumed_at == 8  # of the run that started over
    assert content(tmp_path / name) == expected


def test_a_part_in_place_of_another_starts_over(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "out.parquet")
    folder = tmp_path / "out.parquet.partial"
    (folder / "part-000001.parquet").write_bytes((folder / "part-000000.parquet").read_bytes())
    assert score(source, tmp_path / "out.parquet").resumed_at == 0
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [f"{number:03}" for number in range(ROWS)]


def test_rows_lost_on_the_way_to_the_whole_file_are_noticed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = parquet_output.ParquetParts._row_groups
    monkeypatch.setattr(parquet_output.ParquetParts, "_row_groups", lambda self: (t.slice(1) for t in groups(self)))
    with pytest.raises(SentimentError, match="23 rows went in but 22 came out"):
        score(source, tmp_path / "out.parquet")
    assert not left_over(tmp_path)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
@pytest.mark.parametrize("change", ["partial gone", "target changed"])
def test_a_complete_run_whose_file_is_another_now_starts_over(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: str, expected: object
) -> None:
    target = tmp_path / name
    target.write_text("old")
    last = "rename" if change == "partial gone" else "remove"
    real = getattr(disk, last)

    def interrupt(path: Path, *more: Path) -> None:
        if (path.suffix == ".journal" and path.exists()) or (last == "rename" and "rejects" not in path.name):
            raise KeyboardInterrupt
        real(path, *more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(disk, last, interrupt)
        score(source, target)
    assert "complete" in json.loads(Path(f"{target}.partial.journal").read_bytes().splitlines()[-1])
    if change == "partial gone":
        growing_file.clear(Path(f"{target}.partial"))
    else:
        target.write_text("somebody else's")
    assert score(source, target).resumed_at == 0
    assert content(target) == expected


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_an_input_that_fails_while_it_is_read_again_costs_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: object
) -> None:
    target = tmp_path / name
    with pytest.raises(KeyboardInterrupt):
        score(source, target, StoppingModel(9, KeyboardInterrupt()))
    rows = CsvTable.rows

    def failing(self: CsvTable) -> Iterator[Row]:
        yield from islice(rows(self), 10)
        raise SentimentError("the share is away")

    with monkeypatch.context() as patch, pytest.raises(SentimentError, match="share is away; the 16 rows before"):
        patch.setattr(CsvTable, "rows", failing)
        score(source, target)
    assert score(source, target).resumed_at == 16
    assert content(target) == expected


@pytest.mark.parametrize(
    "journal",
    [
        b"rubbish",
        b'{"format": 99, "identity": {}}\n',
        b'{"format": 1}\n',
        b'{"format": 1, "identity": [1]}\n',
        b"\xff\n",
        b"[" * 100_000,
    ],
)
def test_a_strange_journal_starts_over_and_says_so(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], journal: bytes
) -> None:
    (tmp_path / "out.csv.partial.journal").write_bytes(journal)
    assert score(source, tmp_path / "out.csv").rows == ROWS
    assert "left by another version of this program; starting over" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        {"complete": True},
        {"rows": 4},
        {"rows": -4, "rejected": 0, "counts": {}, "texts": "", "output": {"length": 1, "crc32": 0, "rows": 1}},
        {"rows": 4, "rejected": 0, "counts": {}, "texts": "", "output": {"length": -1, "crc32": 0, "rows": 1}},
        {"rows": 4, "rejected": 0, "counts": {}, "texts": "", "output": None},
    ],
)
def test_a_strange_line_of_the_journal_is_no_checkpoint(source: Path, tmp_path: Path, line: dict[str, Any]) -> None:
    interrupted(source, tmp_path / "out.csv")
    journal = tmp_path / "out.csv.partial.journal"
    rows = json.loads(journal.read_bytes().splitlines()[-1])["rows"]
    with journal.open("a") as stream:
        stream.write(json.dumps(line) + "\n")
    assert score(source, tmp_path / "out.csv").resumed_at == rows


def test_a_folder_of_something_else_is_left_alone(source: Path, tmp_path: Path) -> None:
    for name in ("out.csv", "out.parquet"):
        folder = tmp_path / f"{name}.partial"
        folder.mkdir()
        (folder / "precious.txt").write_text("mine")
        with pytest.raises(SentimentError, match=r"out\.\w+: cannot be written .*is a folder of other files"):
            score(source, tmp_path / name)
        assert (folder / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_private_output_stays_private(source: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_text("old")
    target.chmod(0o600)
    with pytest.raises(KeyboardInterrupt):
        score(source, target, StoppingModel(10, KeyboardInterrupt()))
    partial = Path(f"{target}.partial")
    for path in [partial, *(partial.iterdir() if partial.is_dir() else ()), Path(f"{target}.rejects.jsonl.partial")]:
        assert path.stat().st_mode & 0o077 == 0, path
    score(source, target)
    assert target.stat().st_mode & 0o777 == Path(f"{target}.rejects.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_url_that_does_not_say_when_it_changed_is_not_resumed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_module, "fingerprint", lambda paths: [{"name": "x", "size": 1, "changed": None}])
    with pytest.raises(KeyboardInterrupt):
        score(source, tmp_path / "out.csv", StoppingModel(8, KeyboardInterrupt()))
    assert not left_over(tmp_path)


def test_a_torn_line_of_the_journal_is_no_checkpoint(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "out.csv")
    journal = tmp_path / "out.csv.partial.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])["rows"]
    journal.write_bytes(b"".join(lines)[:-10])
    assert score(source, tmp_path / "out.csv").resumed_at == last - 4


def test_ctrl_c_right_after_the_first_checkpoint_keeps_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def interrupted_append(self: Journal, record: Mapping[str, Any]) -> None:
        append(self, record)
        if "rows" in record:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Journal, "append", interrupted_append)
        score(source, tmp_path / "out.csv")
    assert score(source, tmp_path / "out.csv").resumed_at == 4


def test_what_a_crash_left_behind_the_last_checkpoint_is_cut_off(source: Path, tmp_path: Path) -> None:
    score(source, tmp_path / "undisturbed.csv")
    interrupted(source, tmp_path / "out.csv")
    with (tmp_path / "out.csv.partial").open("ab") as stream:
        stream.write(b"x" * 100_000)
    assert score(source, tmp_path / "out.csv").resumed_at > 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()


def test_the_journal_goes_on_behind_its_last_sound_line(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "out.csv")
    journal = tmp_path / "out.csv.partial.journal"
    journal.write_bytes(journal.read_bytes()[:-10])
    with pytest.raises(KeyboardInterrupt):
        score(source, tmp_path / "out.csv", StoppingModel(4, KeyboardInterrupt()))
    rows = json.loads(journal.read_bytes().splitlines()[-1])["rows"]
    assert score(source, tmp_path / "out.csv").resumed_at == rows > 8


def test_a_resumed_run_can_be_stopped_and_resumed_again(source: Path, tmp_path: Path) -> None:
    score(source, tmp_path / "undisturbed.csv")
    for _ in range(20):
        try:
            score(source, tmp_path / "out.csv", StoppingModel(4, KeyboardInterrupt()))
            break
        except KeyboardInterrupt:
            continue
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()


def test_a_run_that_cannot_help_keeps_nothing(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match=r"row 5 .*blank text"):
        score(source, tmp_path / "out.csv", strict=True)
    assert not left_over(tmp_path)
