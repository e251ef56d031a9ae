"""Promises: one line and an exit code for every fault; every command is documented."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.errors import SentimentError
from tests.conftest import Workspace

ROOT = Path(__file__).parent.parent


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_every_command_has_help_and_stands_in_the_readme(command: str) -> None:
    assert f"sentiment {command}" in (ROOT / "README.md").read_text()
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "the following arguments are required: COMMAND"),
        (["tarin"], 2, "invalid choice"),
        (["train", "--recipe", "nonesuch"], 2, "no recipe 'nonesuch'; there are"),
        (["train", "--seed", "-1"], 2, "-1 is negative"),
        (["score", "a.csv", "-o", "b.csv", "--threshold", "2"], 2, "'2' is no number between 0 and 1"),
        (["train", "--seed", "abc"], 2, "'abc' is no whole number"),
        (["tokens"], 1, "run `sentiment data`"),
        (["vocab", "--vectors", "none"], 1, "run `sentiment tokens`"),
        (["train"], 1, "run `sentiment data`"),
        (["score", "a.csv", "-o", "b.csv"], 1, "no trained model; run `make train` first"),
        (["score", "a.csv", "-o", "b.csv", "--model", "nowhere"], 1, "nowhere: no model folder"),
        (["evaluate"], 1, "no trained model; run `make train` first"),
    ],
)
def test_faults_are_one_line_and_an_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.inference.BUNDLED_FOLDER", tmp_path / "bundled")
    try:
        result: object = cli.main(arguments)
    except SystemExit as stopped:
        result = stopped.code
    captured = capsys.readouterr()
    assert result == code
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_an_unforeseen_error_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setitem(cli.COMMANDS, "tokens", (*cli.COMMANDS["tokens"][:2], broken))
    assert cli.main(["tokens"]) == 1
    assert (
        capsys.readouterr().err == "sentiment tokens: unexpected ZeroDivisionError: two lines (--debug shows where)\n"
    )
    with pytest.raises(ZeroDivisionError):
        cli.main(["tokens", "--debug"])


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(SentimentError):
        cli.main(["tokens", "--debug", "--data-dir", str(tmp_path)])


def test_quiet_says_nothing(workspace: Workspace, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["vocab", "--vectors", "none", "--dimension", "8", "--size", "1000", "--data-dir", str(workspace.root)]
    assert cli.main([*arguments, "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"gru-sentiment \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.slow
def test_ctrl_c_leaves_a_resumable_state_and_exits_130(workspace: Workspace, tmp_path: Path) -> None:
    recipe = tmp_path / "long.toml"
    recipe.write_text("[model]\nhidden_size = 16\n[training]\nepochs = 100000\npatience = 100000\n")
    models = workspace.root / "models"
    command = [sys.executable, "-m", "pipeline", "--data-dir", str(workspace.root), "train", "--recipe", str(recipe)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("epoch 1/")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert (models / "tiny-long-s1" / "checkpoint.safetensors").exists()
