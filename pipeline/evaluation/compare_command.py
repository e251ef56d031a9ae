"""The command ``sentiment compare``: its flags and what they start. Nothing heavy is imported before it runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.argument_types import points, positive_share
from pipeline.console import Console
from pipeline.errors import UsageError
from pipeline.evaluation.regression_gate import SIGNIFICANCE, Gate

_EXAMPLES = """\
examples:
  sentiment compare imdb-default-s1 imdb-small-s1
  sentiment compare old/imdb-default-s1 imdb-default-s1 --fail-if-worse --tolerance 0.2
  sentiment compare old-on-reviews new-on-reviews --texts reviews.csv

Exit code 3: B is worse and --fail-if-worse was given; the comparison is written all the same."""


def add_gate_options(parser: argparse.ArgumentParser, worse: str, then: str = "") -> None:
    """Add the options of the regression gate.

    Args:
        parser: of the command.
        worse: what is judged, for the help.
        then: what else happens where it fails.
    """
    group = parser.add_argument_group("the regression gate")
    group.add_argument(
        "--fail-if-worse",
        action="store_true",
        help=f"exit with 3 where {worse} gets fewer reviews right and McNemar's p is below --significance{then}",
    )
    group.add_argument(
        "--tolerance",
        type=points,
        default=0.0,
        metavar="POINTS",
        help="loss of accuracy that is accepted, in percentage points (0)",
    )
    group.add_argument(
        "--significance",
        type=positive_share,
        default=SIGNIFICANCE,
        metavar="P",
        help=f"of a difference ({SIGNIFICANCE})",
    )


def gate_of(arguments: argparse.Namespace, *, shown: bool) -> Gate:
    """Return the gate that the flags describe.

    Args:
        arguments: parsed.
        shown: the gate's judgement is shown where it is not enforced, too.

    Raises:
        UsageError: flags of a gate that is neither enforced nor shown.
    """
    loose = (arguments.significance, arguments.tolerance) != (SIGNIFICANCE, 0.0) and not arguments.fail_if_worse
    if loose and not shown:
        raise UsageError("--tolerance and --significance are of the regression gate; add --fail-if-worse")
    return Gate(arguments.significance, arguments.tolerance, arguments.fail_if_worse)


def add_compare_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment compare``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("first", metavar="A", help="report of the model in place: a folder, or a name in --reports-dir")
    parser.add_argument("second", metavar="B", help="report of the candidate, on the same reviews")
    parser.add_argument(
        "--texts", type=Path, metavar="FILE", help="the labelled file that was evaluated on, to show reviews from"
    )
    parser.add_argument("--text-column", metavar="NAME", help="of that file (the one that was evaluated)")
    add_gate_options(parser, "B")


def run_compare(arguments: argparse.Namespace, console: Console) -> None:
    """Compare two reports."""
    from pipeline.evaluation.compare import compare_reports
    from pipeline.evaluation.compared_texts import TextSource

    if arguments.text_column is not None and arguments.texts is None:
        raise UsageError("--text-column is of the file that --texts names; name it, or leave the column out")
    data, reports = arguments.data_dir, arguments.reports_dir
    options = {
        "--data-dir": None if data == Path("data") else str(data),
        "--reports-dir": None if reports == Path("reports") else str(reports),
        "--texts": None if arguments.texts is None else str(arguments.texts),
        "--text-column": arguments.text_column,
    }
    compare_reports(
        (arguments.first, arguments.second),
        reports,
        TextSource(data / "corpus", arguments.texts, arguments.text_column),
        console,
        gate=gate_of(arguments, shown=True),
        options=options,
    )
