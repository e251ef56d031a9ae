"""Keep what of a report may be published: ``python -m tests.bench.reference imdb-small-s1-compact``.

Copies figures and pictures of ``reports/NAME/`` into ``reports/reference/NAME/``, as they are, and leaves behind all
that holds a review's text or a row for each review.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.artifacts import read_json, read_manifest, write_bytes_atomically
from pipeline.cli import OneLineParser
from pipeline.errors import SentimentError

FIGURES = ("metrics.json", "confusion_matrix.csv", "probes.json")
MOST_BYTES = 2_000_000
"""For all of ``reports/reference/``."""


def published(report: Path) -> list[Path]:
    """Return the files of a report that hold figures alone."""
    named = [report / name for name in FIGURES if (report / name).is_file()]
    return [*named, *sorted(report.glob("*.png"))]


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder and below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def keep_reference(report: Path, reference_folder: Path) -> list[Path]:
    """Copy a report's figures and pictures; return the copies.

    Args:
        report: as ``sentiment evaluate`` left it.
        reference_folder: receives a folder of the report's name, in place of an older one.

    Raises:
        SentimentError: there is no such report, or the copies would be too large.
    """
    read_manifest(report, "evaluate")
    read_json(report / "metrics.json", "run `sentiment evaluate` again")
    target = reference_folder / report.name
    files = published(report)
    others = size_of(reference_folder) - size_of(target)
    total = others + sum(path.stat().st_size for path in files)
    if total > MOST_BYTES:
        raise SentimentError(
            f"{target}: {total:,} bytes of reference runs, more than {MOST_BYTES:,}; remove an older one"
        )
    shutil.rmtree(target, ignore_errors=True)
    for path in files:
        write_bytes_atomically(target / path.name, path.read_bytes())
    return [target / path.name for path in files]


def main(argv: Sequence[str] | None = None) -> int:
    """Copy the named reports; return the exit code."""
    parser: argparse.ArgumentParser = OneLineParser(
        prog="reference", description="Keep figures and pictures of reports."
    )
    parser.add_argument("reports", nargs="+", metavar="NAME", help="of a report")
    parser.add_argument("--reports-dir", type=Path, default=Path("reports"))
    arguments = parser.parse_args(argv)
    try:
        for name in arguments.reports:
            for path in keep_reference(arguments.reports_dir / name, arguments.reports_dir / "reference"):
                print(path)
    except SentimentError as error:
        print(f"reference: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
