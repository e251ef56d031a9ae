"""How scoring on Ray grows with its workers: ``python -m tests.bench.scaling``, beside the scorer of one machine.

The test split's texts, without their labels, lie in as many CSV files as there are blocks. Rounds go through one core
of the scorer without Ray, then one worker, then more, so that a slow spell of the machine meets all of them alike.
"Scoring" is from the beginning of the first block to the end of the last, as the records beside the shards say;
"whole" has the start and the end of Ray and of its workers in it too. Needs the extra ``distributed``.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.argument_types import positive_number
from pipeline.arrow_files import read_arrow
from pipeline.cli import OneLineParser, one_line
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.inference import SentimentModel, find_model
from pipeline.machine import machine_description
from pipeline.scoring.cluster.ray_job import score_with_ray
from pipeline.scoring.score import score_table
from tests.bench.conditions import cores_used_by_others, processor_seconds

BILLION = 1_000_000_000
QUIET = Console(quiet=True)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the flags."""
    parser = OneLineParser(prog="scaling", description="Measure scoring on Ray with one worker and with more.")
    add = parser.add_argument
    add("--workers", type=positive_number, nargs="+", default=[1, 2], metavar="N", help="to compare (1 2)")
    add("--files", type=positive_number, default=16, help="of as many blocks (16)")
    add("--repeats", type=positive_number, default=3, help="of each number of workers (3)")
    add("--copies", type=positive_number, default=2, help="of the 25,000 test reviews (2)")
    add("--model", help="model folder or name (the last one trained, or the bundled one)")
    add("--data-dir", type=Path, default=Path("data"), metavar="DIR", help="what stages left (data)")
    add("--reports-dir", type=Path, default=Path("reports"), metavar="DIR", help="receives scaling.json (reports)")
    add("--work-dir", type=Path, metavar="DIR", help="for temporary files (the system's)")
    return parser


def write_inputs(corpus: Path, folder: Path, files: int, copies: int) -> int:
    """Write the test split's texts in so many CSV files; return the number of rows."""
    texts = read_arrow(corpus / "test.arrow", ["text"], "data").column("text").to_pylist() * copies
    folder.mkdir()
    for number in range(files):
        with (folder / f"reviews-{number:03d}.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(["id", "review"])
            table.writerows((row, texts[row]) for row in range(number, len(texts), files))
    return len(texts)


def seconds_without_ray(inputs: Path, work: Path, model: SentimentModel) -> float:
    """Return the seconds that the scorer of one machine takes on one core, file by file."""
    threads, model.threads = model.threads, 0
    started = time.perf_counter()
    for path in sorted(inputs.iterdir()):
        score_table(str(path), str(work / "alone.csv"), model, QUIET)
    model.threads = threads
    return time.perf_counter() - started


def seconds_on_ray(inputs: Path, output: Path, model: Path, workers: int, rows: int) -> dict[str, float]:
    """Score on so many workers; return the seconds of ``scoring`` and of the ``whole``."""
    started = time.perf_counter()
    success = score_with_ray([str(inputs / "*.csv")], str(output), model, QUIET, workers=workers)
    whole = time.perf_counter() - started
    if success["totals"]["rows_out"] != rows or len(success["workers"]) != workers:
        raise SentimentError(f"{output}: not all rows or workers took part; measure again")
    spans = []
    for path in output.glob("_records/*.json"):
        ended = path.stat().st_mtime
        spans.append((ended - json.loads(path.read_text("utf-8"))["seconds"], ended))
    return {"scoring": max(end for _, end in spans) - min(begin for begin, _ in spans), "whole": whole}


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Run all rounds; return what ``scaling.json`` holds."""
    folder = find_model(arguments.data_dir / "models", arguments.model, or_bundled=True)
    model = SentimentModel.load(folder)
    rows = write_inputs(arguments.data_dir / "corpus", work / "in", arguments.files, arguments.copies)
    alone: list[float] = []
    on_ray: dict[int, list[dict[str, float]]] = {workers: [] for workers in arguments.workers}
    others: list[float | None] = []
    for repeat in range(arguments.repeats):
        before = processor_seconds()
        alone.append(seconds_without_ray(work / "in", work, model))
        others.append(cores_used_by_others(before, alone[-1]))  # Ray's processes would count as others
        for workers, rounds in on_ray.items():
            rounds.append(seconds_on_ray(work / "in", work / f"out-{repeat}-{workers}", folder, workers, rows))
        print(f"scaling: round {repeat + 1} of {arguments.repeats} done", file=sys.stderr)
    return {
        "model": model.name,
        "rows": rows,
        "files": arguments.files,
        "machine": machine_description(),
        "cores_used_by_others": [None if cores is None else round(cores, 2) for cores in others],
        "without_ray": summary_of(rows, alone, alone),
        "workers": {
            str(workers): summary_of(rows, [one["scoring"] for one in rounds], [one["whole"] for one in rounds])
            for workers, rounds in on_ray.items()
        },
    }


def summary_of(rows: int, scoring: Sequence[float], whole: Sequence[float]) -> dict[str, Any]:
    """Return the medians of some rounds, and the rounds."""
    seconds = statistics.median(scoring)
    return {
        "scoring_seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds, 1),
        "other_seconds": round(statistics.median(a - b for a, b in zip(whole, scoring, strict=True)), 2),
        "rounds": [round(value, 2) for value in scoring],
    }


def findings(result: dict[str, Any]) -> list[str]:
    """Return the lines that a reader wants: rates, efficiency, and what a billion reviews take."""
    rates = {"no Ray, one core": result["without_ray"]}
    rates |= {f"{workers} worker{'s' * (workers != '1')}": one for workers, one in result["workers"].items()}
    lines = [
        f"{name}: {one['rows_per_second']:,.0f} rows/s, beside it {one['other_seconds']:.1f} s for the start and end"
        for name, one in rates.items()
    ]
    first, *more = ((int(workers), one["rows_per_second"]) for workers, one in result["workers"].items())
    for workers, rate in more:
        lines.append(f"efficiency from {first[0]} to {workers}: {rate / first[1] * first[0] / workers:.1%}")
    workers, rate = more[-1] if more else first
    alone = result["without_ray"]["rows_per_second"]
    lines.append(f"{workers} on Ray beside as many cores without it: {rate / alone / workers:.1%}")
    core_hours = BILLION / rate * workers / 3600
    lines.append(f"a billion such reviews: {core_hours:,.0f} core hours, {core_hours / 64:,.1f} h on 64 cores")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write ``scaling.json``; return the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(dir=arguments.work_dir) as work:
            result = measure(arguments, Path(work))
    except SentimentError as error:
        print(f"scaling: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    lines = findings(result)
    arguments.reports_dir.mkdir(parents=True, exist_ok=True)
    report = arguments.reports_dir / "scaling.json"
    report.write_text(json.dumps({**result, "findings": lines}, indent=2) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
