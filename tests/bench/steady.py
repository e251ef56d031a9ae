"""Scores millions of short rows and watches whether memory and rows a second stay the same to the end.

A program of its own: ``python -m tests.bench.steady [--rows 5000000] [--model NAME] [--to reports]``. It writes
``steady.json`` and ``steady.png``. How far the run is, is read from its journal, so the command is the one that people
run.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.artifacts import write_json_atomically
from tests.bench.conditions import conditions, usable_cores
from tests.bench.processes import MEBIBYTE, command_environment, sentiment, tree_bytes

STRETCHES = 10
SECONDS_BETWEEN = 0.25
_VOCABULARY = (
    "the film was a good bad fine dull long short story with some people in it and nothing else to see but music that "
    "I liked hated loved watched again never really very much not so well acted written made boring great awful best"
)
WARM_UP_SHARE = 0.01
"""Of the rows, left out of the first stretch: the start-up and the empty memory of chunks."""


class Sample(NamedTuple):
    """How a run stood at one moment: seconds since its start, rows on the disk, bytes of memory."""

    seconds: float
    rows: int
    memory: int


def write_rows(path: Path, rows: int) -> None:
    """Write a CSV of so many short reviews, 4 to 16 words each."""
    words, drawn = _VOCABULARY.split(), random.Random(1)
    choices, length = drawn.choices, drawn.randrange
    with path.open("w", encoding="utf-8") as stream:
        stream.write("id,review\n")
        stream.writelines(f"{number},{' '.join(choices(words, k=length(4, 17)))}\n" for number in range(rows))


def rows_kept(journal: Path) -> int:
    """Return the rows of the last checkpoint; 0 before the first."""
    try:
        with journal.open("rb") as stream:
            stream.seek(max(stream.seek(0, 2) - 4096, 0))
            lines = [line for line in stream.read().split(b"\n")[:-1] if b'"rows": ' in line]
        return int(json.loads(lines[-1])["rows"]) if lines else 0
    except (OSError, ValueError, KeyError):
        return 0


def watched_run(source: Path, target: Path, model: Sequence[str]) -> list[Sample]:
    """Run ``sentiment score`` to its end and return how it stood every quarter of a second."""
    journal = Path(f"{target}.partial.journal")
    samples = []
    started = time.perf_counter()
    command = sentiment("score", str(source), "-o", str(target), *model)
    with subprocess.Popen(command, env=command_environment(), stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            samples.append(Sample(time.perf_counter() - started, rows_kept(journal), tree_bytes(process.pid)[0]))
            time.sleep(SECONDS_BETWEEN)
        assert process.stderr is not None
        told = process.stderr.read()
    if process.returncode:
        raise SystemExit(told.strip().splitlines()[-1])
    return samples


def rates_of_stretches(samples: Sequence[Sample], rows: int) -> list[float]:
    """Return the rows a second of each tenth of the rows, the times between samples interpolated."""
    seen = [samples[0]]
    for sample in samples:
        if sample.rows > seen[-1].rows:
            seen.append(sample)
    edges = np.linspace(rows * WARM_UP_SHARE, seen[-1].rows, STRETCHES + 1)
    times = np.interp(edges, [sample.rows for sample in seen], [sample.seconds for sample in seen])
    return [float(rate) for rate in np.diff(edges) / np.diff(times)]


def draw(samples: Sequence[Sample], rates: Sequence[float], path: Path) -> None:
    """Draw memory and rows a second over the rows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 5), sharex=True, layout="constrained")
    above.plot([sample.rows / 1e6 for sample in samples], [sample.memory / MEBIBYTE for sample in samples])
    above.set(ylabel="memory, MiB", ylim=(0, None), title="Scoring short rows: memory and speed to the end")
    middles = (np.arange(STRETCHES) + 0.5) * samples[-1].rows / 1e6 / STRETCHES
    below.plot(middles, rates, "o-")
    below.set(xlabel="million rows scored", ylabel="rows a second", ylim=(0, 1.1 * max(rates)))
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main() -> None:
    """Write the rows, score them, say and draw what happened."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--model", help="as of `sentiment score`")
    parser.add_argument("--to", type=Path, default=Path("reports"), metavar="FOLDER")
    arguments = parser.parse_args()
    measured_under = conditions("python -m tests.bench.steady", usable_cores())
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "rows.csv", Path(folder) / "scored.csv"
        write_rows(source, arguments.rows)
        samples = watched_run(source, target, ["--model", arguments.model] if arguments.model else [])
        with target.open("rb") as stream:
            written = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")) - 1
    rates = rates_of_stretches(samples, arguments.rows)
    later = [sample.memory / MEBIBYTE for sample in samples if sample.rows > arguments.rows * WARM_UP_SHARE]
    middle = float(np.median(rates))
    result: dict[str, Any] = {
        "rows in": arguments.rows,
        "rows out": written,
        "seconds": samples[-1].seconds,
        "rows a second of each tenth": [round(rate) for rate in rates],
        "largest deviation from their median": max(abs(rate / middle - 1) for rate in rates),
        "last tenth against the first": rates[-1] / rates[0],
        "memory in MiB: median of the first tenth": float(np.median(later[: len(later) // STRETCHES])),
        "memory in MiB: median of the last tenth": float(np.median(later[-(len(later) // STRETCHES) :])),
        "memory in MiB: peak": max(sample.memory for sample in samples) / MEBIBYTE,
        "conditions": measured_under,
    }
    write_json_atomically(arguments.to / "steady.json", result)
    draw(samples, rates, arguments.to / "steady.png")
    print(json.dumps({name: value for name, value in result.items() if name != "conditions"}, indent=2))


if __name__ == "__main__":
    main()
