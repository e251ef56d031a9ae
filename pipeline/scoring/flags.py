"""The flags of the command ``sentiment score``, and its help."""

from __future__ import annotations

import argparse

from pipeline.argument_types import number_from_zero, positive_number, share

_DESCRIPTION = """\
Append predictions to a table of reviews. The output has the rows of the input,
in order, and new columns: predicted_sentiment (positive, negative),
positive_probability (0 to 1), score_error (why a row has no answer, or what is
worth knowing of it).
"""
_EXAMPLES = """\
examples:
  sentiment score reviews.csv -o scored.csv
  sentiment score 'part-*.csv.gz' -o scored.parquet --text-column comment
  cat reviews.csv | sentiment score - -o - > scored.csv
  sentiment score --text "A dull story, but the music is wonderful."

A run that was stopped goes on where it was when the same command is given again."""


def add_score_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment score``."""
    parser.usage = "sentiment score INPUT [INPUT ...] -o OUTPUT [options]\n       sentiment score --text TEXT [options]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="CSV, JSON lines or Parquet with a column of reviews, also packed (.gz, .zst): a file, a 'pattern*.csv', "
        "a URL, or - for standard input; several are read one after another as one table",
    )
    parser.add_argument(
        "-o",
        "--output",
        help="file to write, its format by its name: .csv, .jsonl, .parquet, .csv.gz, .jsonl.zst ...; - for standard "
        "output; with --engine ray a folder",
    )
    parser.add_argument(
        "--text",
        action="append",
        metavar="TEXT",
        help="instead of files: score this text and show which words mattered; may be given several times",
    )
    parser.add_argument(
        "--model", help="model folder or name (default: the last one trained here, else the one in the package)"
    )
    _add_input_options(parser.add_argument_group("the input"))
    _add_output_options(parser.add_argument_group("the output"))
    _add_run_options(parser.add_argument_group("the run"))


def _add_input_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--text-column",
        metavar="NAME",
        help="column of the reviews, by its name or its number from 1 (default: found by names such as review or text, "
        "else by what is in it)",
    )
    group.add_argument(
        "--no-header", dest="has_header", action="store_false", help="the first line of the CSV is a row, not the names"
    )
    group.add_argument(
        "--delimiter",
        metavar="CHARACTER",
        help="between the fields of the CSV: one character, or tab, comma, semicolon, pipe, space (default: found)",
    )
    group.add_argument("--encoding", metavar="NAME", help="such as utf-8, cp1252, utf-16 (default: found)")
    group.add_argument(
        "--strict",
        action="store_true",
        help="stop at the first row that is broken or has no text (default: such a row is kept, its score_error says "
        "why)",
    )


def _add_output_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--columns", metavar="A,B", help="the input's columns to keep, before the new ones (default: all)"
    )
    group.add_argument("--prefix", help="put before the names of the new columns, if the input has some of these names")
    group.add_argument(
        "--output-format", choices=("csv", "jsonl", "parquet"), help="whatever the output's name (default: by its name)"
    )
    group.add_argument(
        "--threshold",
        type=share,
        default=0.5,
        metavar="P",
        help="call a review positive from this probability on (default: 0.5)",
    )
    group.add_argument(
        "--abstain-below",
        type=share,
        metavar="P",
        help="answer `uncertain` where the answer is less probable than this, 0.5 to 1 (default: never)",
    )
    group.add_argument(
        "--explain",
        type=number_from_zero,
        default=0,
        metavar="N",
        help="add a column `explanation` with the N words that pushed the answer most (default: none; takes about 15 "
        "times as long)",
    )


def _add_run_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--batch-size",
        "--window-rows",
        dest="window_rows",
        type=positive_number,
        default=256,
        metavar="N",
        help="rows that are scored together; memory grows with it (default: 256)",
    )
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: many files into a folder of output files, on all cores of this machine or on a Ray cluster "
        "(default: local)",
    )
    group.add_argument(
        "--workers", type=positive_number, metavar="N", help="with --engine ray: processes (default: one for each core)"
    )
    group.add_argument(
        "--ray-address",
        metavar="ADDRESS",
        help="with --engine ray: a running cluster, such as ray://head:10001 (default: this machine)",
    )
