"""Promise: bad input to scoring gets one line that names the file and the way out, the right exit code, and no harm."""

import errno
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.artifacts import exclusive
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.rows import Row
from pipeline.scoring.score import score_table
from pipeline.scoring.text_sink import FileSink
from tests.stub_models import StubModel


class HalfModel(StubModel):
    name = "half"

    def __init__(self, value: float = 0.5) -> None:
        super().__init__()
        self.value = value

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.full(len(texts), self.value)


def run(source: Path | str, target: Path | str, model: Any = None, **options: Any) -> None:
    score_table(str(source), str(target), model or HalfModel(), Console(quiet=True), ScoreOptions(**options))


def refused(source: Path | str, target: Path | str, exit_code: int, *parts: str, **options: Any) -> None:
    """Check that a run is refused with one line and the exit code, and that the target is as it was."""
    before = Path(target).read_bytes() if Path(target).is_file() else None
    with pytest.raises(SentimentError) as caught:
        run(source, target, **options)
    message = str(caught.value)
    assert caught.value.exit_code == exit_code
    assert "\n" not in message
    for part in parts:
        assert part in message
    assert (Path(target).read_bytes() if Path(target).is_file() else None) == before
    assert not Path(f"{target}.partial").exists()
    assert not Path(f"{target}.rejects.jsonl.partial").exists()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("id,review\n" + "1,a fine film\n" * 10)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "out.csv"
    path.write_text("old")
    return path


def test_missing_input(tmp_path: Path, target: Path) -> None:
    refused(tmp_path / "none.csv", target, 1, "none.csv: not found")
    refused(target / "none.csv", target, 1, "none.csv: not found")


def test_a_folder_as_input(tmp_path: Path, target: Path) -> None:
    refused(tmp_path, target, 1, "is a folder")


def test_an_input_that_may_not_be_read(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", forbidden)
        with pytest.raises(SentimentError, match=r"in\.csv: cannot be opened \(Permission denied\)"):
            run(source, target)
    assert target.read_text() == "old"


@pytest.mark.parametrize("content", [b"", b"\n \n".replace(b" ", b""), b"\xef\xbb\xbf"])
def test_an_empty_file(tmp_path: Path, target: Path, content: bytes) -> None:
    (tmp_path / "in.csv").write_bytes(content)
    refused(tmp_path / "in.csv", target, 1, "in.csv: is empty")


def test_no_text_column(tmp_path: Path, target: Path) -> None:
    (tmp_path / "in.csv").write_text("id,price\n1,2.5\n")
    refused(tmp_path / "in.csv", target, 1, "in.csv", "'id', 'price'", "--text-column")


def test_two_candidates(tmp_path: Path, target: Path) -> None:
    (tmp_path / "in.csv").write_text("id,review,comment\n1,good,bad\n")
    refused(tmp_path / "in.csv", target, 1, "'review', 'comment'", "--text-column")
    (tmp_path / "in.csv").write_text("id,a,b\n1,it was a good film,it was a bad film\n")
    refused(tmp_path / "in.csv", target, 1, "'a', 'b'", "--text-column")


def test_a_named_column_that_is_missing_or_double(tmp_path: Path, source: Path, target: Path) -> None:
    refused(source, target, 1, "no column 'body'", "'id', 'review'", text_column="body")
    (tmp_path / "double.csv").write_text("review,review\na,b\n")
    refused(tmp_path / "double.csv", target, 1, "columns 1 and 2", text_column="review")


def test_an_output_column_s_name_is_taken(tmp_path: Path, target: Path) -> None:
    (tmp_path / "in.csv").write_text("review,score_error\na,b\n")
    refused(tmp_path / "in.csv", target, 2, "'score_error'", "--prefix")
    run(tmp_path / "in.csv", target, prefix="new_")
    refused(target, tmp_path / "again.csv", 2, "--prefix second_", prefix="new_")


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"delimiter": ",,"}, "--delimiter"),
        ({"encoding": "utf-9"}, "--encoding"),
        ({"threshold": 1.5}, "--threshold"),
        ({"threshold": float("nan")}, "--threshold"),
        ({"window_rows": 0}, "--batch-size"),
    ],
)
def test_bad_options(source: Path, target: Path, options: dict[str, Any], flag: str) -> None:
    refused(source, target, 2, flag, **options)


def test_output_over_input(tmp_path: Path, source: Path) -> None:
    (tmp_path / "link.csv").symlink_to(source)
    for path in (source, tmp_path / "link.csv", tmp_path / ".." / tmp_path.name / "in.csv"):
        refused(source, path, 2, "would overwrite the input")
    assert source.read_text().startswith("id,review\n1,")


def test_an_input_that_stands_where_the_partial_or_the_rejects_go(tmp_path: Path) -> None:
    for name in ("out.csv.partial", "out.csv.rejects.jsonl"):
        (tmp_path / name).write_text("review\ngood\n")
        with pytest.raises(UsageError):
            run(tmp_path / name, tmp_path / "out.csv")
        assert (tmp_path / name).read_text() == "review\ngood\n"
        (tmp_path / name).unlink()


@pytest.mark.parametrize("name", ["a.xlsx", "a.zip", "a.csv.bz2"])
def test_formats_that_are_neither_read_nor_written(tmp_path: Path, source: Path, target: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    refused(tmp_path / name, target, 2, name, "CSV")
    refused(source, tmp_path / name, 2, name, ".csv, .jsonl or .parquet")


@pytest.mark.parametrize("name", ["a.parquet.gz", "memory://a.csv"])
def test_outputs_that_cannot_be(tmp_path: Path, source: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"Parquet is compressed|outputs are local"):
        run(source, f"{tmp_path}/{name}" if "://" not in name else name)


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"%PDF-"])
def test_formats_that_call_themselves_csv(tmp_path: Path, target: Path, magic: bytes) -> None:
    (tmp_path / "in.csv").write_bytes(magic + b"\0" * 100)
    refused(tmp_path / "in.csv", target, 1, "in.csv: is", "not CSV")


def test_a_folder_as_output(tmp_path: Path, source: Path) -> None:
    refused(source, tmp_path, 1, "is a folder")


def test_an_output_where_none_can_be(source: Path, target: Path) -> None:
    refused(source, target / "out.csv", 1, "cannot be written")


def test_two_runs_on_one_output(source: Path, target: Path) -> None:
    with exclusive(target):
        refused(source, target, 1, "out.csv: another run is writing here")
    run(source, target)


def test_strict_stops_at_the_first_problem(tmp_path: Path, target: Path) -> None:
    (tmp_path / "in.csv").write_text('id,review\n1,"a\nb"\n2,\n')
    refused(tmp_path / "in.csv", target, 1, "in.csv: row 2 (line 4): blank text", "--strict", strict=True)


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_a_model_that_gives_no_probability(source: Path, target: Path, value: float) -> None:
    refused(source, target, 1, "model half", "row 1", model=HalfModel(value))


def test_a_model_that_loses_texts(source: Path, target: Path) -> None:
    class Losing(HalfModel):
        def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
            return np.zeros(len(texts) - 1)

    refused(source, target, 1, "9 probabilities for 10 texts", model=Losing())


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_at_the_end(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    owner: Any = os if call == "fsync" else Path
    monkeypatch.setattr(owner, call, full)
    refused(source, target, 1, "out.csv: cannot be written (No space left on device)", "make room")


def test_a_full_disk_while_writing(tmp_path: Path, target: Path) -> None:
    resource = pytest.importorskip("resource")
    (tmp_path / "in.csv").write_text("id,review\n" + "1,a fine film\n" * 20_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        refused(tmp_path / "in.csv", target, 1, "out.csv: cannot be written (File too large)")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full(source: Path) -> None:
    with pytest.raises(SentimentError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        run(source, "/dev/full")


def test_an_interrupt_leaves_the_target(source: Path, target: Path) -> None:
    class Interrupted(HalfModel):
        def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(source, target, model=Interrupted())
    assert target.read_text() == "old"
    assert not Path(f"{target}.partial").exists()
    run(source, target)


def test_rows_lost_in_the_program_are_noticed(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: FileSink, rows: Sequence[Row], cells: object) -> None:
        self.rows += len(rows) - 1

    monkeypatch.setattr(FileSink, "write_rows", forgetful)
    refused(source, target, 1, "10 rows read but 9 written")
