"""Promise: a file of any number of reviews needs little memory, and its page stays small."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ModelSettings
from tests.stub_models import write_random_model

FEW, MANY = 10_000, 100_000
LARGEST_PAGE = 3_000_000
MOST_GROWTH = 45 * 2**20
"""Bytes; the texts of ``MANY`` reviews alone take more than twice that."""
WORDS = ("fine", "warm", "dull", "cold", "not", "but", "film", "story", "acting", "the", "a", "of")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def write_reviews(path: Path, count: int) -> int:
    """Write labelled reviews of about 200 words; return how many characters of text."""
    generator = np.random.default_rng(1)
    characters = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write("text,label,rating\n")
        for number in range(count):
            words = generator.integers(0, len(WORDS), generator.integers(20, 400)).tolist()
            text = " ".join(WORDS[word] for word in words)
            characters += len(text)
            stream.write(f"{number} {text},{number % 2},{number % 10 + 1}\n")
    return characters


def peak_of(command: list[str]) -> int:
    """Run a command to its end; return the most memory that it had, in bytes."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_ten_times_the_reviews_need_little_more_memory(tmp_path: Path) -> None:
    model = write_random_model(tmp_path / "random", ModelSettings(16), WORDS)
    peaks, characters = {}, 0
    for count in (FEW, MANY):
        path = tmp_path / f"reviews-{count}.csv"
        characters = write_reviews(path, count)
        command = [sys.executable, "-m", "pipeline", "evaluate", str(path), "--model", str(model)]
        peaks[count] = peak_of([*command, "--reports-dir", str(tmp_path / "reports"), "--quiet"])
        page = tmp_path / "reports" / f"random-on-reviews-{count}" / "report.html"
        assert page.stat().st_size < LARGEST_PAGE
    assert characters > 2 * MOST_GROWTH
    assert peaks[MANY] - peaks[FEW] < MOST_GROWTH, peaks
