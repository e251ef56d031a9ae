"""Promises: it learns; a seed gives the same weights twice; a stopped run goes on to the same weights bit for bit."""

import dataclasses
import itertools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from pipeline import pretrain, pretrainer
from pipeline.artifacts import read_manifest, sha256_of_file
from pipeline.checkpoints import CHECKPOINT_NAME
from pipeline.cli import main
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.kernel_library import BFLOAT16, FLOAT32, load_kernels
from pipeline.pretrain import pretrain_encoder
from pipeline.pretraining_settings import PretrainingSettings, learning_rate_at
from pipeline.vocabulary import Vocabulary
from tests.conftest import Workspace, tiny_reviews, write_corpus

SETTINGS = PretrainingSettings(
    epochs=3, hidden_size=16, embedding_size=12, streams=4, chunk_length=16, draws=40, warmup_steps=5
)
PATHS = {"float32 kernels": FLOAT32, "bfloat16 kernels": BFLOAT16, "torch": None}


def run(space: Workspace, folder: Path, settings: PretrainingSettings = SETTINGS, seed: int = 1, **more: float) -> Path:
    pretrain_encoder(
        settings, space.corpus, space.tokens, space.vocabulary, folder, Console(quiet=True), seed=seed, **more
    )
    return folder


def weights_of(folder: Path) -> str:
    return sha256_of_file(folder / "model.safetensors")


def use(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the recurrence be computed in a certain way."""
    kind = PATHS[path]
    kernels = None if kind is None else load_kernels(kind)
    if kind is not None and kernels is None:
        pytest.skip(f"no kernels for {kind.name}")
    monkeypatch.setattr(pretrain, "load_kernels", lambda: kernels)


@pytest.fixture(scope="module", params=PATHS)
def undisturbed(request: pytest.FixtureRequest, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The weights of a run that nothing disturbed, after the name of its path."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use(request.param, monkeypatch)
        folder = run(workspace, tmp_path_factory.mktemp("undisturbed") / "mine")
    assert json.loads((folder / "manifest.json").read_text())["precision"] == (
        "bfloat16" if "bfloat16" in request.param else "float32"
    )
    return f"{request.param}: {weights_of(folder)}"


def test_it_learns_what_follows(language_model: Path) -> None:
    history = json.loads((language_model / "manifest.json").read_text())["history"]
    words = len(Vocabulary.load(language_model / "vocabulary.txt"))
    for name in ("forward_perplexity", "backward_perplexity"):
        figures = [line[name] for line in history]
        assert words > figures[0] > figures[3] > figures[-1]
        assert figures[-1] < 4  # by position in the review, mostly one word or one of six
    lines = (language_model / "pretraining.csv").read_text().splitlines()
    assert lines[0] == "epoch,forward_perplexity,backward_perplexity"
    assert len(lines) == len(history) + 1


def test_a_seed_gives_the_same_weights_twice(
    undisturbed: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, weights = undisturbed.partition(": ")
    use(path, monkeypatch)
    same, again = run(workspace, tmp_path / "same"), run(workspace, tmp_path / "again")
    assert weights_of(same) == weights
    assert read_manifest(same, "pretrain")["fingerprint"] == read_manifest(again, "pretrain")["fingerprint"]
    assert weights_of(run(workspace, tmp_path / "other", seed=2)) != weights


def test_a_whole_run_without_kernels_comes_out_as_one_with_them(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {}
    for path in ("float32 kernels", "torch"):
        use(path, monkeypatch)
        weights[path] = load_file(run(workspace, tmp_path / path) / "model.safetensors")
    start = load_file(
        run(workspace, tmp_path / "start", dataclasses.replace(SETTINGS, learning_rate=1e-30)) / "model.safetensors"
    )
    for name, weight in weights["torch"].items():
        moved = (weight - start[name]).norm()
        assert (weight - weights["float32 kernels"][name]).norm() < 0.02 * moved, name


class PowerCut(BaseException):
    """Stands for SIGKILL inside the test process: nothing catches it, nothing is saved on its way."""


@pytest.mark.parametrize("steps_before", [1, 20, 23, 24, 50])
def test_resume_equals_uninterrupted(
    steps_before: int, undisturbed: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _, weights = undisturbed.partition(": ")
    use(path, monkeypatch)
    original = pretrainer.Pretrainer.train_on_next_chunk

    def cut_short(self: pretrainer.Pretrainer) -> float:
        if self.state.step >= steps_before:
            raise PowerCut
        return original(self)

    with monkeypatch.context() as cut, pytest.raises(PowerCut):
        cut.setattr(pretrainer.Pretrainer, "train_on_next_chunk", cut_short)
        run(workspace, tmp_path, checkpoint_seconds=0.0)
    assert (tmp_path / CHECKPOINT_NAME).exists()
    assert not (tmp_path / "manifest.json").exists()
    assert weights_of(run(workspace, tmp_path)) == weights
    assert not (tmp_path / CHECKPOINT_NAME).exists()
    history = json.loads((tmp_path / "manifest.json").read_text())["history"]
    assert [line["epoch"] for line in history] == [1, 2, 3]


def test_control_c_finishes_the_step_and_keeps_a_checkpoint(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = pretrainer.Pretrainer.train_on_next_chunk
    steps: list[int] = []

    def interrupted(self: pretrainer.Pretrainer) -> float:
        if self.state.step == 7:
            os.kill(os.getpid(), signal.SIGINT)
        loss = original(self)
        steps.append(self.state.step)
        return loss

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(pretrainer.Pretrainer, "train_on_next_chunk", interrupted)
        run(workspace, tmp_path / "stopped")
    assert steps[-1] == 8
    assert (tmp_path / "stopped" / CHECKPOINT_NAME).exists()
    assert weights_of(run(workspace, tmp_path / "stopped")) == weights_of(run(workspace, tmp_path / "whole"))


@pytest.mark.parametrize("change", ["settings", "format"])
def test_the_checkpoint_of_another_run_is_not_gone_on_with(
    change: str,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def cut(self: pretrainer.Pretrainer) -> float:
        if self.state.step == 3:
            raise PowerCut
        return original(self)

    original = pretrainer.Pretrainer.train_on_next_chunk
    with monkeypatch.context() as patched, pytest.raises(PowerCut):
        patched.setattr(pretrainer.Pretrainer, "train_on_next_chunk", cut)
        run(workspace, tmp_path / "stopped", checkpoint_seconds=0.0)
    other = dataclasses.replace(SETTINGS, epochs=1, hidden_size=32) if change == "settings" else SETTINGS
    if change == "format":
        monkeypatch.setattr(pretrain, "CHECKPOINT_FORMAT", 99)
    pretrain_encoder(
        other, workspace.corpus, workspace.tokens, workspace.vocabulary, tmp_path / "stopped", Console(), seed=1
    )
    assert "is of another run or not readable; starting over" in capsys.readouterr().err
    assert weights_of(tmp_path / "stopped") == weights_of(run(workspace, tmp_path / "other", other))


def test_a_loss_that_is_no_number_ends_the_run(workspace: Workspace, tmp_path: Path) -> None:
    with np.errstate(all="ignore"), pytest.raises(SentimentError, match="lower the learning rate"):
        run(workspace, tmp_path, dataclasses.replace(SETTINGS, learning_rate=1e30, gradient_clip=1e30))
    assert not (tmp_path / "manifest.json").exists()


def test_the_rate_rises_then_falls_to_a_fiftieth() -> None:
    settings = dataclasses.replace(SETTINGS, learning_rate=2.0, warmup_steps=10)
    rates = [learning_rate_at(step, 100, settings) for step in range(101)]
    assert rates[0] == pytest.approx(0.2, rel=1e-2)
    assert max(rates) == max(rates[8:11]) < 2.0
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert rates[100] == pytest.approx(2.0 / 50)


def test_the_manifest_says_what_it_was_made_from(workspace: Workspace, language_model: Path) -> None:
    manifest = read_manifest(language_model, "pretrain")
    assert manifest["inputs"] == {
        "corpus": read_manifest(workspace.corpus, "data")["fingerprint"],
        "tokens": read_manifest(workspace.tokens, "tokens")["fingerprint"],
        "vocabulary": read_manifest(workspace.vocabulary, "vocab")["fingerprint"],
    }
    assert manifest["settings"]["hidden_size"] == 16
    assert manifest["settings"]["seed"] == 1
    assert manifest["device"].startswith(("cpu", "cuda"))
    assert set(manifest["files"]) == {"model.safetensors", "vocabulary.txt", "pretraining.csv"}


def test_tokens_of_another_corpus_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", {"train": tiny_reviews(["A {}, a {}."]), "test": []})
    space = Workspace(tmp_path)
    with pytest.raises(SentimentError, match="the tokens are of another corpus; run `sentiment tokens`"):
        pretrain_encoder(
            SETTINGS, space.corpus, workspace.tokens, workspace.vocabulary, tmp_path / "x", Console(quiet=True), seed=1
        )


def test_the_command_goes_without_kernels_and_says_so(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("corpus", "tokens", "vocabulary"):
        (tmp_path / name).symlink_to(workspace.root / name)
    monkeypatch.setattr(pretrain, "load_kernels", lambda: None)
    monkeypatch.setattr(pretrain, "kernel_problem", lambda: "switched off by a test")
    options = ["--epochs", "1", "--hidden-size", "16", "--embedding-size", "8", "--one-direction"]
    assert main(["--data-dir", str(tmp_path), "pretrain", "--name", "small.1", *options]) == 0
    captured = capsys.readouterr()
    assert "no compiled kernels (switched off by a test); torch runs the network, slower" in captured.err
    assert captured.out == ""
    manifest = read_manifest(tmp_path / "encoders" / "small.1", "pretrain")
    assert manifest["settings"]["bidirectional"] is False
    assert set(manifest["history"][0]) == {"epoch", "seconds", "forward_perplexity"}


def test_any_hidden_size_goes(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = dataclasses.replace(SETTINGS, hidden_size=10, epochs=1)
    pretrain_encoder(
        settings, workspace.corpus, workspace.tokens, workspace.vocabulary, tmp_path / "x", Console(), seed=1
    )
    assert "hidden size that is a multiple of 16; torch runs the network" in capsys.readouterr().err


def test_the_command_without_a_vocabulary_names_the_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(tmp_path), "pretrain"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "run `sentiment data`" in error


@pytest.mark.parametrize(
    "options",
    [["--epochs", "0"], ["--learning-rate", "nan"], ["--learning-rate", "-1"], ["--name", "../x"], ["--name", ""]],
)
def test_bad_options_are_the_command_lines_fault(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["pretrain", *options])
    assert exit_.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
