"""Promise: commands import what they need and nothing else, so that help and a small file are answered at once."""

import csv
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.config import ModelSettings
from pipeline.kernel_library import kernel_problem
from pipeline.spacy_rules import known_rules
from tests.stub_models import write_random_model

ROOT = Path(__file__).parents[1]
HEAVY = ["torch", "spacy", "thinc", "datasets", "sklearn", "scipy", "pandas", "matplotlib", "pyarrow", "jinja2"]
LIGHTER = ["charset_normalizer", "requests", "tqdm", "multiprocessing", "sqlite3"]
PROGRAM = """
import sys
from pipeline.cli import main
try:
    code = main(sys.argv[2:])
except SystemExit as stopped:
    code = stopped.code
print([name for name in sys.argv[1].split() if name in sys.modules], code)
"""
TEXTS = [
    "The film was wonderful, and so was the music!",
    "I don't know... it's dull :-( and they'd cut it at 10 p.m.<br /><br />See www.example.com/film?id=7 (or not).",
    "“Café” — naïve; 3,000 people's $5.50 tickets/seats, e.g. mine. 'Twas a well-made U.S. mess",
    "",
    "🙂 ok",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [
        "the",
        "film",
        "was",
        "wonderful",
        "dull",
        "a",
        "mess",
        "music",
        "it",
        "i",
        "do",
        "n't",
        "'s",
        "and",
        "!",
        ".",
    ]
    settings = ModelSettings(16, pooling=("max", "mean", "attention"))
    return write_random_model(tmp_path_factory.mktemp("models") / "random", settings, words)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reviews") / "ten.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["id", "review"], *enumerate(TEXTS * 2)])
    return path


def run(modules: list[str], *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, " ".join(modules), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment}
    )


def fastest(*arguments: object) -> float:
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "pipeline", *map(str, arguments)], capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def test_help_imports_nothing_heavy_and_is_fast() -> None:
    assert run([*HEAVY, *LIGHTER, "numpy"], "--help").stdout.endswith("[] 0\n")
    assert fastest("--help") < 0.3 or os.environ.get("CI")  # a busy machine is no fault of the code


@pytest.mark.skipif(bool(kernel_problem()), reason="needs the compiled kernels")
def test_scoring_imports_neither_torch_nor_spacy(model: Path, reviews: Path, tmp_path: Path) -> None:
    known_rules()  # keeps them where an installation has not
    done = run([*HEAVY, *LIGHTER], "score", reviews, "-o", tmp_path / "out.csv", "--model", model)
    assert done.stdout == "[] 0\n", done.stderr
    assert "kernels" not in done.stderr


@pytest.mark.skipif(bool(kernel_problem()), reason="needs the compiled kernels")
def test_ten_rows_are_scored_at_once(model: Path, reviews: Path, tmp_path: Path) -> None:
    seconds = fastest("score", reviews, "-o", tmp_path / "out.csv", "--model", model)
    assert seconds < 2.5 or os.environ.get("CI")


def test_without_kernels_torch_scores_the_same_after_one_notice(model: Path, reviews: Path, tmp_path: Path) -> None:
    rows = []
    for name, switch in [("with", ""), ("without", "off")]:
        output = tmp_path / f"{name}.csv"
        done = run(["torch"], "score", reviews, "-o", output, "--model", model, SENTIMENT_KERNELS=switch)
        if switch:
            assert done.stdout == "['torch'] 0\n", done.stderr
            assert done.stderr.count("no compiled kernels (switched off") == 1
        rows.append(list(csv.DictReader(io.StringIO(output.read_text("utf-8"), newline=""))))
    for row, other in zip(*rows, strict=True):
        assert (row["id"], row["review"], row["score_error"]) == (other["id"], other["review"], other["score_error"])
        if row["review"]:
            assert float(row["positive_probability"]) == pytest.approx(float(other["positive_probability"]), abs=5e-3)
