"""Promises: one line and an exit code for every fault; every command is documented."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.cli import main
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


CLOSING = """
import os, sys
from pipeline import cli
from pipeline.inference import SentimentModel
from tests.stub_models import StubModel

SentimentModel.load = lambda *_: StubModel()
sys.exit(cli.main(sys.argv[1:]))
"""


def run_closed(redirections: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command with standard streams closed, as ``2>&-`` closes one, and a model that needs no network."""
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", CLOSING, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("id,review\n1,good\n")
    return path


SCORED = "id,review,predicted_sentiment,positive_probability,score_error\n1,good,positive,0.500000,\n"


def test_no_message_goes_among_the_data(reviews: Path, tmp_path: Path) -> None:
    done = run_closed("2>&-", "score", reviews, "-o", "-")
    assert (done.returncode, done.stdout) == (0, SCORED)
    done = run_closed("2>&-", "score", tmp_path / "none.csv", "-o", "-")
    assert (done.returncode, done.stdout) == (1, "")
    done = run_closed("2>&-", "score", "--nonesuch")
    assert (done.returncode, done.stdout) == (2, "")


def test_all_standard_streams_may_be_closed(reviews: Path, tmp_path: Path) -> None:
    done = run_closed("<&- >&- 2>&-", "score", reviews, "-o", tmp_path / "out.csv")
    assert done.returncode == 0
    assert (tmp_path / "out.csv").read_text() == SCORED


@pytest.mark.parametrize(
    ("redirections", "arguments", "code", "message"),
    [
        ("<&-", ["score", "-", "-o", "out.csv"], 1, "standard input is closed; name a file"),
        (">&-", ["score", "in.csv", "-o", "-"], 2, "standard output is closed; name a file with -o"),
        (">&-", ["score", "--text", "good"], 2, "standard output is closed"),
    ],
)
def test_a_closed_stream_that_is_needed(redirections: str, arguments: list[str], code: int, message: str) -> None:
    done = run_closed(redirections, *arguments, "--quiet")
    assert done.returncode == code
    assert done.stderr.startswith(f"sentiment score: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to score; name a file"),
        (["IN"], "no output; name one with -o"),
        (["IN", "-o", ""], "the output's name is empty"),
        (["", "-o", "out.csv"], "the input's name is empty"),
        (["IN", "-o", "a\0b"], "'a\\x00b': holds the character NUL"),
        (["a\0b", "-o", "out.csv"], "'a\\x00b': holds the character NUL"),
        (["IN", "-o", "out.csv", "--columns", ""], "--columns names no column"),
        (["IN", "-o", "out.csv", "--columns", " , "], "--columns names no column"),
        (["IN", "-o", "out.csv", "--columns", "id\nreview"], "--columns 'id\\nreview': has a line break between names"),
    ],
)
def test_a_command_line_of_score_that_cannot_be(
    reviews: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code = cli.main(["score", *(str(reviews) if argument == "IN" else argument for argument in arguments)])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith(f"sentiment score: {message}")
    assert captured.err.count("\n") == 1


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


@pytest.mark.parametrize(("flag", "meant"), [("--explian", "--explain"), ("--text_column=x", "--text-column")])
def test_a_misspelt_flag_is_told_by_its_command_with_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str], flag: str, meant: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["score", "a.csv", "-o", "b.csv", flag])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("sentiment score: no option or file wanted: ")
    assert f"did you mean {meant}?; see `sentiment score --help`" in told
