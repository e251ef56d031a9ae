"""The torchtext side of ``sentiment vocab --backend torchtext``, and ``torchtext.vocab.Vocab`` in and out.

torchtext's last release (0.18.0) cannot be imported beside torch >= 2.4, so this file runs in an environment of its
own (``make torchtext``) as a script that imports nothing of the package. It meets the stage in the plain files of a
folder: it reads ``reviews.txt`` (a review a line, forms separated by spaces) and ``table.txt`` (GloVe format, may be
empty), and writes ``vocabulary.txt``, ``vectors.npy`` (float32, (words, D), zero where the table has none) and
``found.npy`` (uint8, (words,)).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torchtext.vocab import Vocab

SPECIALS = ["<pad>", "<unk>"]
OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 12)


def python_problem(version: tuple[int, int]) -> str | None:
    """Return why this Python cannot hold the environment, or None."""
    if OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return None
    return (
        f"torchtext 0.18.0 is installed for Python 3.11 or 3.12 only, and this is {version[0]}.{version[1]}; "
        "name another interpreter: make torchtext TORCHTEXT_PYTHON=python3.12"
    )


def load_vocab(path: Path) -> Vocab:
    """Return ``vocabulary.txt`` as a ``torchtext.vocab.Vocab`` with the same indices, unknown words at ``<unk>``."""
    from torchtext.vocab import vocab

    forms = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    if forms[:2] != SPECIALS or len(set(forms)) != len(forms):
        raise ValueError(f"{path}: no vocabulary.txt: it must begin with <pad> and <unk> and repeat nothing")
    loaded = vocab(dict.fromkeys(forms, 1))
    loaded.set_default_index(forms.index("<unk>"))
    return loaded


def save_vocab(vocabulary: Vocab, path: Path) -> None:
    """Write a ``torchtext.vocab.Vocab`` as ``vocabulary.txt``.

    Raises:
        ValueError: its first two tokens are not ``<pad>`` and ``<unk>``, or a token is empty or holds white space.
    """
    forms = vocabulary.get_itos()
    if forms[:2] != SPECIALS:
        raise ValueError(
            f"tokens 0 and 1 must be <pad> and <unk>, they are {forms[:2]}; build it with specials={SPECIALS}"
        )
    for index, form in enumerate(forms):
        if form.split() != [form]:
            raise ValueError(f"token {index} ({form!r}) is empty or holds white space; vocabulary.txt cannot hold it")
    path.write_bytes("".join(f"{form}\n" for form in forms).encode("utf-8"))


def read_reviews(path: Path) -> Iterator[list[str]]:
    """Yield each review's forms."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.split()


def build(folder: Path, size: int) -> None:
    """Build the vocabulary of ``reviews.txt`` and look its words up in ``table.txt``; write the result beside them."""
    import numpy as np
    import torchtext

    torchtext.disable_torchtext_deprecation_warning()
    from torchtext.vocab import Vectors, build_vocab_from_iterator

    vocabulary = build_vocab_from_iterator(
        read_reviews(folder / "reviews.txt"),
        specials=SPECIALS,
        special_first=True,
        max_tokens=size + len(SPECIALS),
    )
    save_vocab(vocabulary, folder / "vocabulary.txt")
    table = folder / "table.txt"
    if not table.stat().st_size:  # Vectors cannot read an empty table
        return
    words = vocabulary.get_itos()[len(SPECIALS) :]
    with tempfile.TemporaryDirectory() as cache:  # Vectors pickles what it read, and would trust the pickle next time
        vectors = Vectors(str(table), cache=cache)
    found = np.array([word in vectors.stoi for word in words], dtype=np.uint8)
    np.save(folder / "vectors.npy", vectors.get_vecs_by_tokens(words).numpy())
    np.save(folder / "found.npy", found)


def main() -> str | None:
    """Run one command; return the error message, if any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check-python", help="say whether this Python can hold torchtext; needs nothing installed")
    command = commands.add_parser("build", help="build the vocabulary and look its vectors up")
    command.add_argument("folder", type=Path)
    command.add_argument("--size", type=int, required=True)
    arguments = parser.parse_args()
    problem = python_problem(sys.version_info[:2])
    if problem is None and arguments.command == "build":
        build(arguments.folder, arguments.size)
    return problem


if __name__ == "__main__":
    sys.exit(main())
