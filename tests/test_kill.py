"""Promise: kill -9 in the middle of any stage, then the same command: the result of an undisturbed run."""

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

RECIPE = """description = "for the test of kills"
[model]
hidden_size = 16
[training]
epochs = 3
batch_size = 64
learning_rate = 0.01
weight_average = 0.9
"""
COMPARED = {
    "data": ["data/corpus/train.arrow", "data/corpus/test.arrow", "data/corpus/manifest.json"],
    "tokens": ["data/tokens/forms.arrow", "data/tokens/train.arrow", "data/tokens/manifest.json"],
    "vocab": ["data/vocabulary/vocabulary.txt", "data/vocabulary/vectors.safetensors", "data/vocabulary/manifest.json"],
    "train": ["data/models/demo-brief-s1/model.safetensors", "data/models/demo-brief-s1/validation.arrow"],
    "evaluate": [
        "reports/demo-brief-s1/confusion_matrix.csv",
        "reports/demo-brief-s1/predictions.parquet",
        "reports/demo-brief-s1/errors.txt",
    ],
    "score": ["scored.csv"],
}
ARGUMENTS = {
    "data": ["--source", "sample"],
    "tokens": ["--processes", "2"],
    "vocab": ["--vectors", "none", "--dimension", "16"],
    "train": ["--recipe", "brief.toml", "--checkpoint-seconds", "0.2"],
    "evaluate": [],
    "score": ["reviews.csv", "-o", "scored.csv"],
}


def start(stage: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline", stage, *ARGUMENTS[stage], "--quiet"]
    return subprocess.Popen(command, cwd=folder)


def digests(stage: str, folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in COMPARED[stage]}


def prepare(folder: Path) -> Path:
    folder.mkdir()
    (folder / "brief.toml").write_text(RECIPE)
    rows = "".join(f'{number},"A film, not bad at all. Number {number}."\n' for number in range(20_000))
    (folder / "reviews.csv").write_text("id,review\n" + rows)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_stage_survives_kill_minus_nine(tmp_path: Path) -> None:
    undisturbed, disturbed = prepare(tmp_path / "undisturbed"), prepare(tmp_path / "disturbed")
    generator = random.Random(2)
    for stage in ARGUMENTS:
        started = time.monotonic()
        assert start(stage, undisturbed).wait() == 0
        seconds = time.monotonic() - started
        for _ in range(3):
            process = start(stage, disturbed)
            try:
                process.wait(generator.uniform(0.3, 0.95) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert start(stage, disturbed).wait() == 0
        assert digests(stage, disturbed) == digests(stage, undisturbed), stage
