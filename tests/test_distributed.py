"""Promise: several processes train as one does; where one is killed the run ends, and resumes to the same weights."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from pipeline.artifacts import exclusive, sha256_of_file
from pipeline.checkpoints import CHECKPOINT_NAME
from pipeline.cli import main
from pipeline.distributed import Processes, joined_processes
from pipeline.errors import UsageError
from pipeline.process_group import device_of_process
from tests.conftest import Workspace

DRIVER = Path(__file__).with_name("distributed_run.py")
RECIPE = """
[model]
hidden_size = {hidden_size}
pooling = ["max", "mean", "attention"]
embedding_dropout = {dropout}
output_dropout = {dropout}
[training]
epochs = 2
batch_size = {batch_size}
learning_rate = 1e-3
schedule = "cosine"
weight_decay = 0.01
gradient_clip = 0.1
weight_average = 0.9
adversarial_length = {adversarial_length}
validation_fraction = 0.2
"""
"""Of 96 reviews a batch size of 19 leaves one for the last batch; shares of so few reviews differ in their words."""
NAME = "tiny-mine-s1"


def prepare(folder: Path, space: Workspace, **settings: float) -> Path:
    """Return a folder for models whose corpus, tokens and vocabulary are the session's, with ``mine.toml`` in it."""
    folder.mkdir()
    for name in ("corpus", "tokens", "vocabulary"):
        (folder / name).symlink_to(space.root / name)
    defaults = {"hidden_size": 16, "batch_size": 19, "dropout": 0.0, "adversarial_length": 0.0}
    (folder / "mine.toml").write_text(RECIPE.format(**{**defaults, **settings}))
    return folder


def arguments(folder: Path) -> list[str]:
    return ["--data-dir", str(folder), "train", "--recipe", str(folder / "mine.toml"), "--checkpoint-seconds", "0"]


def train_together(folder: Path, processes: int, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [*command, str(DRIVER), *arguments(folder)],
        env={**os.environ, "PYTHONPATH": str(DRIVER.parents[1]), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def weights_of(folder: Path) -> str:
    return sha256_of_file(folder / "models" / NAME / "model.safetensors")


class OneOf(Processes):
    """Stands for one of several processes."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank = rank
        self.count = count


@given(st.integers(1, 70), st.integers(1, 9))
def test_shares_part_a_batch_and_weigh_as_the_whole(size: int, count: int) -> None:
    batch = np.random.default_rng(size).permutation(1000)[:size]
    losses = np.random.default_rng(count).random(1000)
    shares = [OneOf(rank, count).share(batch) for rank in range(count)]
    held = [share.reviews for share in shares if share.weight > 0]
    assert sorted(np.concatenate(held)) == sorted(batch)
    sizes = [len(reviews) for reviews in held] + [0] * (count - len(held))
    assert max(sizes) - min(sizes) <= 1
    assert all(len(share.reviews) for share in shares)
    means = [losses[share.reviews].mean() * share.weight for share in shares]
    np.testing.assert_allclose(np.mean(means), losses[batch].mean(), rtol=1e-12)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("processes", "hidden_size"),
    [
        pytest.param(2, 16, id="compiled kernels"),
        pytest.param(2, 6, id="torch.nn.GRU", marks=pytest.mark.slow),
        pytest.param(3, 16, id="three", marks=pytest.mark.slow),
    ],
)
def test_several_processes_train_as_one(processes: int, hidden_size: int, workspace: Workspace, tmp_path: Path) -> None:
    alone, together = (prepare(tmp_path / name, workspace, hidden_size=hidden_size) for name in ("alone", "together"))
    assert main([*arguments(alone), "--quiet"]) == 0
    done = train_together(together, processes, CHECK_GRADIENTS="yes")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("epoch 1/2") == 1  # one of them talks
    assert sorted(path.name for path in (together / "models" / NAME).iterdir()) == sorted(
        path.name for path in (alone / "models" / NAME).iterdir()
    )
    curves = []
    for folder in (alone, together):
        with (folder / "models" / NAME / "training.csv").open() as stream:
            curves.append([[float(line[name]) for name in list(line)[:4]] for line in csv.DictReader(stream)])
    np.testing.assert_allclose(curves[1], curves[0], rtol=2e-5)
    ones, others = (load_file(folder / "models" / NAME / "model.safetensors") for folder in (alone, together))
    for name, weight in ones.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-4, atol=2e-5, msg=lambda text, name=name: name + text)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("processes", "stop", "message"),
    [
        (2, "kill 0", "another process of this run has gone"),
        (2, "kill 1", "another process of this run has gone"),
        (3, "kill 1", "another process of this run has gone"),
        (2, "interrupt", "interrupted"),
    ],
)
def test_a_stopped_run_ends_and_resumes_to_the_same_weights(
    processes: int, stop: str, message: str, workspace: Workspace, tmp_path: Path
) -> None:
    undisturbed = prepare(tmp_path / "undisturbed", workspace, dropout=0.3, adversarial_length=0.2)
    assert train_together(undisturbed, processes).returncode == 0
    folder = prepare(tmp_path / "stopped", workspace, dropout=0.3, adversarial_length=0.2)
    moment = tmp_path / "moment"
    stopped = train_together(folder, processes, STOP=stop, STOP_STEP="8", STOP_FILE=str(moment))
    assert time.time() - moment.stat().st_mtime < 29  # torchrun waits 30 s before it kills those that stay
    assert stopped.returncode != 0
    said = [line for line in stopped.stderr.splitlines() if line.startswith("sentiment train: ")]
    assert len(said) == 1, stopped.stderr
    assert message in said[0]
    model = folder / "models" / NAME
    assert [path.name for path in model.iterdir() if not path.name.startswith(".")] == [CHECKPOINT_NAME]
    with exclusive(model):  # nobody holds the lock
        pass
    resumed = train_together(folder, processes)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("going on from") == 1
    assert weights_of(folder) == weights_of(undisturbed)
    assert not (model / CHECKPOINT_NAME).exists()


@pytest.mark.slow
def test_an_error_of_all_is_told_once(workspace: Workspace, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "held", workspace)
    with exclusive(folder / "models" / NAME):
        refused = train_together(folder, 2)
    assert refused.returncode != 0
    assert refused.stderr.count("sentiment train: ") == refused.stderr.count("another run is writing here") == 1


@pytest.mark.slow
def test_another_number_of_processes_goes_on_with_a_run(workspace: Workspace, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "one", workspace)
    killed = subprocess.run(
        [sys.executable, str(DRIVER), *arguments(folder)],
        env={
            **os.environ,
            "PYTHONPATH": str(DRIVER.parents[1]),
            "STOP": "kill 0",
            "STOP_STEP": "5",
            "STOP_FILE": str(tmp_path / "moment"),
        },
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    resumed = train_together(folder, 2)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch 1, step 5" in resumed.stderr


def test_half_of_torchruns_variables_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UsageError, match="LOCAL_RANK is not set; start them with `torchrun"):
        with joined_processes():
            pass


def test_one_process_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined_processes() as processes:
        assert (processes.count, processes.first, processes.any(True), processes.any(False)) == (1, True, True, False)
    assert not torch.distributed.is_initialized()


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(UsageError, match="--nproc-per-node 1"):
        device_of_process()
