"""The command ``sentiment score``: its options, and what they start."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.argument_types import number_from_zero, positive_number, share
from pipeline.console import Console
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.inference import SentimentModel
    from pipeline.scoring.options import ScoreOptions


def add_score_command(parser: argparse.ArgumentParser) -> None:
    """Options of ``sentiment score``."""
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="CSV, JSON lines or Parquet of reviews, packed (.gz, .zst) or not; several, 'patterns*.csv', a URL, or - "
        "for standard input",
    )
    parser.add_argument(
        "-o",
        "--output",
        help="file to write: .csv, .jsonl or .parquet, .csv.gz, .csv.zst ..., or - for standard output; with "
        "--engine ray a folder",
    )
    parser.add_argument("--text", action="append", metavar="TEXT", help="score this text and show what mattered in it")
    parser.add_argument("--model", help="model folder or name (default: the last one trained here, or the bundled one)")
    group = parser.add_argument_group("the input")
    group.add_argument("--text-column", metavar="NAME", help="column of the review, by name or number (found by name)")
    group.add_argument("--no-header", dest="has_header", action="store_false", help="the first line is a row already")
    group.add_argument("--delimiter", help="of the input's fields (found from its first lines)")
    group.add_argument("--encoding", help="of the input (found from its first bytes)")
    group.add_argument("--strict", action="store_true", help="stop at the first row with an error")
    group = parser.add_argument_group("the output")
    group.add_argument("--columns", metavar="A,B", help="the input's columns to keep (all); the new ones follow")
    group.add_argument("--prefix", help="put before the names of the new columns")
    group.add_argument("--output-format", choices=("csv", "jsonl", "parquet"), help="(by the output's name)")
    group.add_argument("--threshold", type=share, default=0.5, help="lowest probability called positive (0.5)")
    group.add_argument(
        "--abstain-below",
        type=share,
        metavar="P",
        help="answer `uncertain` where the answer is less probable than this",
    )
    group.add_argument(
        "--explain", type=number_from_zero, default=0, metavar="N", help="add the N words that pushed each answer most"
    )
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--batch-size",
        "--window-rows",
        dest="window_rows",
        type=positive_number,
        default=256,
        metavar="N",
        help="rows scored together (256); memory grows with it",
    )
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: many files into a folder of shards, on all cores of this machine or of a Ray cluster (local)",
    )
    group.add_argument("--workers", type=positive_number, metavar="N", help="of --engine ray (one for each core)")
    group.add_argument("--ray-address", metavar="ADDRESS", help="of a running Ray cluster, such as ray://head:10001")


def run_score(arguments: argparse.Namespace, console: Console) -> None:
    """Score a table of reviews, or the texts of the command line."""
    if arguments.text:
        _try_texts(arguments, console)
        return
    if not arguments.inputs:
        raise UsageError("nothing to score; name a file and an output with -o, or a text with --text")
    if arguments.output is None:
        raise UsageError("no output; name one with -o, or -o - for standard output")
    options = options_of(arguments)
    if arguments.engine == "ray":
        from pipeline.scoring.ray_job import score_with_ray

        folder = _model_folder(arguments, console)
        score_with_ray(
            arguments.inputs,
            arguments.output,
            folder,
            console,
            options,
            workers=arguments.workers,
            address=arguments.ray_address,
        )
        return
    if arguments.workers is not None or arguments.ray_address is not None:
        raise UsageError("--workers and --ray-address go with --engine ray")
    from pipeline.scoring.inputs import expand_inputs
    from pipeline.scoring.score import score_table

    paths = expand_inputs(arguments.inputs)
    score_table(paths, arguments.output, _load_model(arguments, console), console, options)


def options_of(arguments: argparse.Namespace) -> ScoreOptions:
    """Return the settings of the command line.

    Raises:
        UsageError: one is out of its range.
    """
    from pipeline.scoring.options import ScoreOptions

    columns = None if arguments.columns is None else tuple(_listed(arguments.columns))
    return ScoreOptions(
        text_column=arguments.text_column,
        delimiter=arguments.delimiter,
        encoding=arguments.encoding,
        has_header=arguments.has_header,
        columns=columns,
        prefix=arguments.prefix,
        window_rows=arguments.window_rows,
        threshold=arguments.threshold,
        abstain_below=arguments.abstain_below,
        explain=arguments.explain,
        strict=arguments.strict,
        output_format=arguments.output_format,
    )


def _listed(names: str) -> list[str]:
    """Return names that commas part; one with a comma in it stands in quotes, as in CSV."""
    import csv

    return [name.strip() for name in next(csv.reader([names], skipinitialspace=True), [])]


def _model_folder(arguments: argparse.Namespace, console: Console) -> Path:
    from pipeline.inference import find_model, shown

    folder: Path = find_model(arguments.data_dir / "models", arguments.model, or_bundled=True)
    console.say(f"score: model {shown(folder)}")
    return folder


def _load_model(arguments: argparse.Namespace, console: Console) -> SentimentModel:
    from pipeline.inference import SentimentModel

    model = SentimentModel.load(_model_folder(arguments, console))
    if model.notice:
        console.say(f"score: {model.notice}")
    return model


def _try_texts(arguments: argparse.Namespace, console: Console) -> None:
    if arguments.inputs or arguments.output is not None:
        raise UsageError("--text scores that text alone; leave the files and -o away")
    from pipeline.scoring.quick_try import quick_try

    options = options_of(arguments)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    quick_try(
        arguments.text, _load_model(arguments, console), sys.stdout, options.threshold, options.abstain_below, colour
    )
