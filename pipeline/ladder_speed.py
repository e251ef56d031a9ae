"""How fast each rung of the ladder scores: text in, probability out, the same texts for all, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.arrow_files import read_arrow

WARM_UP_TEXTS = 500

Scoring = Callable[[Sequence[str]], object]
"""Takes texts, returns their probabilities."""


def timing_texts(corpus_folder: Path, texts: int, rounds: int) -> tuple[list[str], list[list[str]]]:
    """Return texts to warm up with, and those of each round, without their labels.

    They are spread over the test split, which may be sorted by label. No text comes twice as long as there are enough:
    a scorer that remembers words is not to know a round's texts from the round before.

    Args:
        corpus_folder: what ``sentiment data`` wrote.
        texts: of a round, where the split has that many.
        rounds: how many rounds.
    """
    column = read_arrow(corpus_folder / "test.arrow", ["text"], "data").column("text")
    each = max(1, min(texts, len(column) // (rounds + 1)))
    wanted = each * (rounds + 1)
    rows = np.linspace(0, len(column), wanted, endpoint=False).astype(np.int64)
    parts = [column.take(pa.array(rows[part :: rounds + 1])).to_pylist() for part in range(rounds + 1)]
    return parts[0][:WARM_UP_TEXTS], parts[1:]


def measure_speeds(
    scorers: Mapping[str, Scoring],
    warm_up: Sequence[str],
    rounds: Sequence[Sequence[str]],
    on_round: Callable[[int], None] = lambda number: None,
) -> dict[str, dict[str, Any]]:
    """Time every scorer on the texts of each round, one after the other, another one first in each round.

    Args:
        scorers: by name.
        warm_up: texts that each scores first, unmeasured.
        rounds: texts of each round.
        on_round: told the number of a round before it begins; 0 is the warm-up.

    Returns:
        For each scorer ``reviews_per_second`` (median of the rounds), ``lowest``, ``highest``, ``rounds`` (each of
        them) and ``cores_used`` (CPU time / wall time, over all rounds).
    """
    on_round(0)
    for score in scorers.values():
        score(warm_up)
    seconds: dict[str, list[float]] = {name: [] for name in scorers}
    cpu_seconds = dict.fromkeys(scorers, 0.0)
    names = list(scorers)
    for number, texts in enumerate(rounds):
        on_round(number + 1)
        first = number % max(len(names), 1)
        for name in names[first:] + names[:first]:
            started, cpu_started = time.perf_counter(), time.process_time()
            scorers[name](texts)
            cpu_seconds[name] += time.process_time() - cpu_started
            seconds[name].append(max(time.perf_counter() - started, 1e-9))
    result = {}
    for name in names:
        rates = [len(texts) / taken for texts, taken in zip(rounds, seconds[name], strict=True)]
        result[name] = {
            "reviews_per_second": median(rates),
            "lowest": min(rates),
            "highest": max(rates),
            "rounds": rates,
            "cores_used": cpu_seconds[name] / sum(seconds[name]),
        }
    return result
