"""Promise: a run that is killed, or finds the disk full, is gone on with by the same command, to the same bytes."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config import ModelSettings
from tests.stub_models import write_random_model

ROOT = Path(__file__).parents[1]
WORDS = (
    "the",
    "film",
    "was",
    "a",
    "good",
    "bad",
    "fine",
    "dull",
    "story",
    "with",
    "some",
    "people",
    "in",
    "it",
    "else",
)
PROGRAM = """
import sys
from pipeline.scoring import outputs
outputs.CHECKPOINT_ROWS = int(sys.argv[1])
from pipeline.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = ModelSettings(16, pooling=("max", "mean"))
    return write_random_model(tmp_path_factory.mktemp("models") / "random", settings, WORDS)


def write_input(path: Path, rows: int) -> Path:
    drawn = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write("id,review\n")
        for number in range(rows):
            text = " ".join(drawn.choices(WORDS, k=drawn.randrange(60)))
            stream.write(f'{number:06},"{text}, ""quoted""\nand é so on"\n' if number % 50 else f"{number:06},\n")
    return path


def command(source: Path, target: Path, model: Path, checkpoint_rows: int) -> list[str]:
    arguments = ["score", str(source), "-o", str(target), "--model", str(model)]
    return [sys.executable, "-c", PROGRAM, str(checkpoint_rows), *arguments]


def run(source: Path, target: Path, model: Path, checkpoint_rows: int) -> subprocess.CompletedProcess[str]:
    line = command(source, target, model, checkpoint_rows)
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wait_for_a_checkpoint(process: subprocess.Popen[str], target: Path) -> None:
    journal = Path(f"{target}.partial.journal")
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 1):
        time.sleep(0.001)


def kill_and_go_on(
    folder: Path, model: Path, name: str, rows: int, kills: int, checkpoint_rows: int
) -> tuple[int, int]:
    """Kill runs at random moments until so many were killed; return how many files were finished and runs resumed.

    Every other kill waits for a checkpoint. Every finished file is compared with that of an undisturbed run.
    """
    source = write_input(folder / "in.csv", rows)
    started = time.monotonic()
    assert run(source, folder / f"undisturbed-{name}", model, checkpoint_rows).returncode == 0
    seconds = time.monotonic() - started
    expected, target = digest(folder / f"undisturbed-{name}"), folder / name
    drawn = random.Random(2)
    killed = finished = resumed = 0
    while killed < kills or target.with_name(f"{name}.partial").exists():
        if killed == kills:
            done = run(source, target, model, checkpoint_rows)
            assert done.returncode == 0, done.stderr
            resumed += "going on after" in done.stderr
        else:
            process = subprocess.Popen(
                command(source, target, model, checkpoint_rows), stderr=subprocess.PIPE, text=True, cwd=ROOT
            )
            if killed % 2:
                wait_for_a_checkpoint(process, target)
            try:
                process.wait(drawn.uniform(0, 0.05) if killed % 2 else drawn.uniform(0, 1.1) * seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
            told = process.communicate()[1]
            resumed += "going on after" in told
            assert process.returncode in (0, -signal.SIGKILL), told
        if target.exists():
            assert digest(target) == expected
            assert not Path(f"{target}.partial.journal").exists() or killed
            target.unlink()
            finished += 1
    return finished, resumed


def test_killed_runs_are_gone_on_with(tmp_path: Path, model: Path) -> None:
    finished, resumed = kill_and_go_on(tmp_path, model, "out.csv", 12_000, 4, 500)
    assert finished >= 1
    assert resumed >= 1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_forty_kills_over_fifty_thousand_rows(tmp_path: Path, model: Path, name: str) -> None:
    finished, resumed = kill_and_go_on(tmp_path, model, name, 50_000, 40, 2_000)
    print(f"{name}: 40 kills, {finished} files finished, {resumed} runs resumed")
    assert resumed >= 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one mebibyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.parquet"])
def test_a_full_disk_ends_in_one_line_and_the_run_goes_on(
    tmp_path: Path, model: Path, small_disk: Path, name: str
) -> None:
    source = write_input(tmp_path / "in.csv", 4_000)
    assert run(source, tmp_path / name, model, 200).returncode == 0
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * ((1 << 20) - (100_000 if name == "out.csv" else 60_000)))
    failed = run(source, small_disk / name, model, 200)
    assert failed.returncode == 1
    last = failed.stderr.splitlines()[-1]
    assert last.startswith("sentiment score: ")
    assert f"{name}: cannot be written (No space left on device); " in last
    assert "rows are kept in" in last
    ballast.unlink()
    done = run(source, small_disk / name, model, 200)
    assert done.returncode == 0
    assert "going on after" in done.stderr
    assert digest(small_disk / name) == digest(tmp_path / name)
    assert {path.name for path in small_disk.iterdir() if not path.name.startswith(".")} == {name}


def test_ctrl_c_leaves_what_the_same_command_goes_on_from(tmp_path: Path, model: Path) -> None:
    source = write_input(tmp_path / "in.csv", 20_000)
    assert run(source, tmp_path / "undisturbed.csv", model, 500).returncode == 0
    target = tmp_path / "out.csv"
    process = subprocess.Popen(command(source, target, model, 500), stderr=subprocess.PIPE, text=True, cwd=ROOT)
    wait_for_a_checkpoint(process, target)
    os.kill(process.pid, signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130, told
    assert "the same command goes on" in told
    done = run(source, target, model, 500)
    assert "going on after" in done.stderr
    assert digest(target) == digest(tmp_path / "undisturbed.csv")
