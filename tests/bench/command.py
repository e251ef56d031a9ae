"""The command line of the benchmark: ``python -m tests.bench``; one run, one report."""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.argument_types import positive_number
from pipeline.cli import OneLineParser, one_line
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.kernel_library import kernel_problem, load_kernels
from tests.bench.conditions import (
    BUSY_CORES,
    conditions,
    confined_to,
    cores_used_by_others,
    processor_seconds,
    usable_cores,
)
from tests.bench.options import Options
from tests.bench.results import Section, one_line_reason, without_folders

FORMAT = 1
CORES = 2
SECTIONS = ("training", "gemm_floor", "tokenising", "startup", "scoring", "agreement", "explanations", "growth")
NEED_A_MODEL = frozenset({"startup", "scoring", "agreement", "explanations", "growth"})
TRIAL_FOLDER = "trial"
"""Of the reports' folder: what a quick run, or one on the sample, writes must not replace real figures."""
ROWS, QUICK_ROWS = (10_000, 100_000, 1_000_000), (20, 60)
REPEATS, QUICK_REPEATS = 5, 1


def section_names(text: str) -> tuple[str, ...]:
    """Parse ``--only``: names of sections, comma-separated; they run in their usual order."""
    wanted = [name.strip() for name in text.split(",")]
    for name in wanted:
        if name not in SECTIONS:
            raise argparse.ArgumentTypeError(f"no section {name!r}; there are {', '.join(SECTIONS)}")
    return tuple(name for name in SECTIONS if name in wanted)


def row_numbers(text: str) -> tuple[int, ...]:
    """Parse ``--rows``: whole numbers, comma-separated."""
    return tuple(sorted({positive_number(part) for part in text.split(",")}))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the flags."""
    parser = OneLineParser(prog="bench", description="Measure this project beside its peers, in one run.")
    add = parser.add_argument
    add("--only", type=section_names, default=SECTIONS, metavar="NAMES", help=f"of {', '.join(SECTIONS)}")
    add("--quick", action="store_true", help="little work, once: shows that everything runs")
    add("--full", action="store_true", help="repeat the largest growth runs too")
    add("--threads", type=positive_number, help=f"cores to be confined to ({CORES}, or what there is)")
    add("--repeats", type=positive_number, help=f"of each timing, fewer of slow ones ({REPEATS})")
    add("--model", help="model folder or name (the last one trained)")
    add("--rows", type=row_numbers, help=f"of the growth curve ({','.join(map(str, ROWS))})")
    add("--data-dir", type=Path, default=Path("data"), metavar="DIR", help="what stages left (data)")
    add("--reports-dir", type=Path, default=Path("reports"), metavar="DIR", help="receives the report (reports)")
    add("--work-dir", type=Path, metavar="DIR", help="for temporary files, some GB (the system's)")
    add("--quiet", action="store_true", help="say nothing but errors")
    return parser


def options_from(arguments: argparse.Namespace) -> Options:
    """Return the options of a command line."""
    quick = arguments.quick
    return Options(
        only=arguments.only,
        quick=quick,
        full=arguments.full,
        threads=min(arguments.threads or CORES, usable_cores()),
        repeats=arguments.repeats or (QUICK_REPEATS if quick else REPEATS),
        model=arguments.model,
        rows=arguments.rows or (QUICK_ROWS if quick else ROWS),
        data_dir=arguments.data_dir,
        reports_dir=arguments.reports_dir,
        work_dir=arguments.work_dir,
    )


def run_section(name: str, material: Any, options: Options) -> tuple[Section, float | None]:
    """Run one section; one that fails as a whole is a section with a failure, so that the others still run.

    Returns:
        the section, and how many cores other programs kept busy meanwhile.
    """
    before, started = processor_seconds(), time.perf_counter()
    try:
        measure: Callable[[Any, Options], Section] = importlib.import_module(f"tests.bench.{name}").measure
        section = measure(material, options)
    except Exception as error:
        section = Section(name, name)
        section.failures["the whole section"] = one_line_reason(error)
        section.find(f"{name}: the whole section", "none")
    section.seconds = time.perf_counter() - started
    for peer, reason in section.failures.items():
        print(f"bench: {name}: {peer} was not measured: {reason}", file=sys.stderr)
    return section, cores_used_by_others(before, section.seconds)


def without_verdicts(sections: dict[str, Any]) -> None:
    """Take back whether goals are met: they are set for real reviews and a whole run."""
    for section in sections.values():
        for finding in section["findings"]:
            finding["met"] = None


def run_benchmark(options: Options, command: str, console: Console) -> dict[str, Any]:
    """Run the sections; return the content of the JSON file.

    Raises:
        SentimentError: there is no model to score with, or no corpus can be read.
    """
    started = time.perf_counter()
    with confined_to(options.threads) as cores, tempfile.TemporaryDirectory(dir=options.work_dir) as work:
        measured_under = conditions(command, cores)
        for warning in measured_under["warnings"]:
            console.say(f"bench: warning: {warning}")
        import torch  # after the process was confined, so that its threads are too

        from tests.bench import report
        from tests.bench.material import Material

        threads_before = torch.get_num_threads()
        torch.set_num_threads(cores)
        try:
            material = Material(options, Path(work), console)
            model = material.model_folder.name if NEED_A_MODEL.intersection(options.only) else None
            sections = {}
            for name in options.only:
                console.say(f"bench: section {name}")
                section, others = run_section(name, material, options)
                sections[name] = {**section.to_dict(), "cores_used_by_others": others}
                if others is not None and others > BUSY_CORES:
                    measured_under["warnings"].append(f"other programs kept {others:.2f} cores busy during {name}")
        finally:
            torch.set_num_threads(threads_before)
        corpus = material.describe()
        loaded = load_kernels()
        kernels = f"none: {without_folders(kernel_problem())}" if loaded is None else loaded.kind.name
    measured_under["warnings"] += [report.QUICK_WARNING] * options.quick
    measured_under["warnings"] += [report.SAMPLE_WARNING] * corpus["generated_sample"]
    if options.quick or corpus["generated_sample"]:
        without_verdicts(sections)
    seconds = time.perf_counter() - started
    return {
        "format": FORMAT,
        "findings": [finding for section in sections.values() for finding in section["findings"]],
        "conditions": {
            **measured_under,
            "kernels": kernels,
            "seconds": round(seconds, 1),
            "corpus": corpus,
            "model": model,
        },
        "sections": sections,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser().parse_args(given)
    console = Console(quiet=arguments.quiet)
    command = without_folders(shlex.join(["python", "-m", "tests.bench", *given]))
    try:
        result = run_benchmark(options_from(arguments), command, console)
        from tests.bench.report import findings_table, write_report

        trial = arguments.quick or result["conditions"]["corpus"]["generated_sample"]
        folder = arguments.reports_dir / TRIAL_FOLDER if trial else arguments.reports_dir
        written = write_report(result, folder)
    except KeyboardInterrupt:
        print("bench: interrupted; nothing was written", file=sys.stderr)
        return 130
    except SentimentError as error:
        print(f"bench: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    print("\n".join(findings_table(result["findings"])))
    for warning in result["conditions"]["warnings"]:
        console.say(f"bench: warning: {warning}")
    console.say(f"bench: {', '.join(map(str, written))}")
    return 0
