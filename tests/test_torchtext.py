"""torchtext in its own environment gives what the default backend gives; ``torchtext.vocab.Vocab`` in and out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import torchtext_backend
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.torchtext_environment import torchtext_python
from pipeline.vocabulary import Vocabulary, build_vocabulary
from tests.test_vocabulary import write_tokens

ROOT = Path(__file__).parents[1]
WORDS = [*"abcdefghij", "é", "ß", "日本", "\u200b", "<pad>", "<unk>", "a<b", "don't", "..."]

needs_environment = pytest.mark.torchtext


def random_reviews(seed: int) -> list[list[str]]:
    """Return reviews whose forms are skewed like words, with many ties among the rare ones."""
    generator = np.random.default_rng(seed)
    words = np.array([*WORDS, *(f"w{index}" for index in range(300))], dtype=object)
    weights = 1.0 / np.arange(1, len(words) + 1)
    lengths = generator.integers(0, 60, size=80)
    return [list(generator.choice(words, length, p=weights / weights.sum())) for length in lengths]


def write_table(path: Path, seed: int) -> None:
    """Write a table with a header, a word twice and a word with spaces, each of which torchtext alone gets wrong."""
    generator = np.random.default_rng(seed)
    words = ["zzz", ". . .", *WORDS[:12], "a", "b", *(f"w{index}" for index in range(0, 300, 2)), "<unk>"]
    lines = [f"{word} {' '.join(f'{number:.5f}' for number in generator.normal(0, 3, 6))}" for word in words]
    path.write_text("\n".join([f"{len(words)} 6", *lines]) + "\n", encoding="utf-8")


def build(tokens: Path, folder: str, backend: Any, vectors: Path | str, size: int) -> dict[str, Any]:
    return build_vocabulary(
        tokens,
        tokens.parent / folder,
        Console(quiet=True),
        vectors=str(vectors),
        size=size,
        seed=5,
        backend=backend,
        cache_folder=tokens.parent,
        dimension=6,
    )


def in_environment(program: str, *arguments: Path) -> str:
    """Run a program in torchtext's environment, with the package's folder importable; return what it prints."""
    command = [str(torchtext_python()), "-c", program, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@needs_environment
@pytest.mark.parametrize("size", [30, 25_000])
def test_both_backends_write_the_same_files(tmp_path: Path, size: int) -> None:
    tokens, table = tmp_path / "tokens", tmp_path / "table.txt"
    write_tokens(tokens, {"train": random_reviews(1), "test": random_reviews(2)})
    write_table(table, 3)
    default = build(tokens, "default", "default", table, size)
    other = build(tokens, "torchtext", "torchtext", table, size)
    assert default["files"] == other["files"]
    assert default["coverage"] == other["coverage"]
    assert default["vectors"] == other["vectors"]
    assert not list(tmp_path.rglob("*.pt"))


@needs_environment
def test_both_backends_agree_without_vectors(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    write_tokens(tokens, {"train": random_reviews(1)})
    default, other = (build(tokens, backend, backend, "none", 50) for backend in ("default", "torchtext"))
    assert default["files"] == other["files"]


@needs_environment
def test_a_broken_table_gives_the_same_line_with_torchtext(tmp_path: Path) -> None:
    tokens, table = tmp_path / "tokens", tmp_path / "table.txt"
    write_tokens(tokens, {"train": [["a", "b"]]})
    table.write_text("a 1 2 3 4 5 6\nunwanted 1 2 3\n")
    messages = set()
    for backend in ("default", "torchtext"):
        with pytest.raises(SentimentError, match="line 2: 3 numbers where 6 belong") as caught:
            build(tokens, backend, backend, table, 10)
        messages.add(str(caught.value))
    assert len(messages) == 1


@needs_environment
def test_a_torchtext_vocab_is_exported_and_imported(tmp_path: Path) -> None:
    ours, theirs, refused = (tmp_path / name for name in ("ours.txt", "theirs.txt", "refused.txt"))
    vocabulary = Vocabulary(["<pad>", "<unk>", "film", "日本", "don't"])
    vocabulary.save(ours)
    printed = in_environment(
        "import sys, torchtext; torchtext.disable_torchtext_deprecation_warning()\n"
        "from pathlib import Path\n"
        "from torchtext.vocab import build_vocab_from_iterator\n"
        "from pipeline.torchtext_backend import load_vocab, save_vocab\n"
        "ours, theirs, refused = map(Path, sys.argv[1:])\n"
        "loaded = load_vocab(ours)\n"
        "print(loaded(['film', '日本', 'never seen', '<pad>', '<unk>']))\n"
        "save_vocab(loaded, theirs)\n"
        "for specials in (['<unk>', '<pad>'], ['<pad>', '<unk>', 'two words']):\n"
        "    try:\n"
        "        save_vocab(build_vocab_from_iterator([['a']], specials=specials), refused)\n"
        "    except ValueError as error:\n"
        "        print(error)\n",
        ours,
        theirs,
        refused,
    )
    ids, order, space = printed.splitlines()
    assert ids == "[2, 3, 1, 0, 1]"
    assert "must be <pad> and <unk>" in order
    assert "holds white space" in space
    assert not refused.exists()
    assert Vocabulary.load(theirs).forms == vocabulary.forms


def test_a_python_too_new_for_torchtext_is_told_so() -> None:
    for version in ((3, 10), (3, 13), (4, 0)):
        problem = torchtext_backend.python_problem(version)
        assert problem is not None
        assert "TORCHTEXT_PYTHON=" in problem
        assert f"this is {version[0]}.{version[1]}" in problem
    assert torchtext_backend.python_problem((3, 11)) is None
    assert torchtext_backend.python_problem((3, 12)) is None


def test_the_check_of_the_python_needs_nothing_installed() -> None:
    command = [sys.executable, "-I", "-S", torchtext_backend.__file__, "check-python"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    problem = torchtext_backend.python_problem(sys.version_info[:2])
    assert (ended.returncode, ended.stderr.strip()) == (1 if problem else 0, problem or "")


def test_a_failure_on_the_other_side_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / ".venv-torchtext" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho first line >&2\necho ImportError: no torchtext >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    write_tokens(tmp_path / "tokens", {"train": [["a"]]})
    with pytest.raises(SentimentError, match=r"torchtext failed \(ImportError: no torchtext\); run `make torchtext`"):
        build(tmp_path / "tokens", "out", "torchtext", "none", 10)


def test_the_environment_s_versions_are_exact() -> None:
    lines = (ROOT / "constraints-torchtext.txt").read_text().splitlines()
    pins = [line.split(" ;")[0] for line in lines if not line.startswith("#")]
    assert {"torch==2.3.1", "torchtext==0.18.0"} <= set(pins)
    assert all(pin.count("==") == 1 and "@" not in pin and "/" not in pin and "+" not in pin for pin in pins)
