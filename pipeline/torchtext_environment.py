"""Runs torchtext in the environment that ``make torchtext`` creates, because it cannot live in this one.

torchtext's last release needs torch < 2.4. The two environments meet in the plain files of a throwaway folder; see
``torchtext_backend``, which runs on the other side.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SentimentError

ENVIRONMENT = ".venv-torchtext"
SCRIPT = Path(__file__).with_name("torchtext_backend.py")


@dataclass(frozen=True)
class Built:
    """What torchtext built.

    Attributes:
        forms: the form of each token id, ``<pad>`` and ``<unk>`` first.
        vectors: float32, (words, D), zero where the table has none; None if no line of a table was given.
        found: uint8, (words,); 1 where the table has a vector; None likewise.
    """

    forms: list[str]
    vectors: NDArray[np.float32] | None
    found: NDArray[np.uint8] | None


def torchtext_python() -> Path:
    """Return the interpreter of torchtext's environment, in the current folder or beside the package.

    Raises:
        SentimentError: there is none.
    """
    pythons = [folder / ENVIRONMENT / "bin" / "python" for folder in (Path.cwd(), Path(__file__).parents[1])]
    for python in pythons:
        if python.is_file():
            return python
    raise SentimentError(f"{pythons[0]}: not found; --backend torchtext needs it: run `make torchtext` first")


def run_torchtext(reviews: Iterable[str], table_lines: Iterable[bytes], size: int) -> Built:
    """Build a vocabulary with ``build_vocab_from_iterator`` and look its words up with ``Vectors``.

    Args:
        reviews: each review's forms, separated by spaces.
        table_lines: lines in GloVe format, without line ends, no word twice.
        size: words at most.

    Raises:
        SentimentError: the environment is missing, or torchtext failed there.
    """
    python = torchtext_python()
    with tempfile.TemporaryDirectory(prefix="sentiment-torchtext-") as name:
        folder = Path(name)
        try:
            with (folder / "reviews.txt").open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(f"{review}\n" for review in reviews)
            with (folder / "table.txt").open("wb") as table:
                table.writelines(line + b"\n" for line in table_lines)
        except OSError as error:
            raise SentimentError(f"{folder}: cannot be written ({error.strerror})") from error
        command = [str(python), "-I", str(SCRIPT), "build", name, "--size", str(size)]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if ended.returncode:
            reason = (ended.stderr.strip() or f"exit code {ended.returncode}").splitlines()[-1]
            raise SentimentError(f"{python}: torchtext failed ({reason}); run `make torchtext` again")
        forms = (folder / "vocabulary.txt").read_bytes().decode("utf-8").removesuffix("\n").split("\n")
        if not (folder / "vectors.npy").exists():
            return Built(forms, None, None)
        return Built(forms, np.load(folder / "vectors.npy"), np.load(folder / "found.npy"))
