"""The command ``sentiment score``: what its flags start."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.console import Console
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.inference import SentimentModel
    from pipeline.scoring.options import ScoreOptions


def run_score(arguments: argparse.Namespace, console: Console) -> None:
    """Score a table of reviews, or the texts of the command line."""
    if arguments.text:
        _try_texts(arguments, console)
        return
    if not arguments.inputs:
        raise UsageError("nothing to score; name a file and an output with -o, or a text with --text")
    if arguments.output is None:
        raise UsageError("no output; name one with -o, or -o - for standard output")
    _check_output(arguments.output)
    options = options_of(arguments)
    if arguments.engine == "ray":
        from pipeline.scoring.cluster.ray_job import score_with_ray
        from pipeline.scoring.cluster.ray_session import imported_ray

        imported_ray()  # so that a missing package is known before a folder is made

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


def _check_output(name: str) -> None:
    from pipeline.scoring.locations import check_name

    check_name(name, "output")
    if name == "-" and sys.stdout is None:
        raise UsageError("standard output is closed; name a file with -o")


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
    """Return names that commas part; one with a comma in it stands in quotes, as in CSV.

    Raises:
        UsageError: there is none, or a line break stands outside of quotes.
    """
    import csv

    try:
        listed = [name.strip() for name in next(csv.reader([names], skipinitialspace=True), [])]
    except csv.Error:
        raise UsageError(
            f"--columns {names!r}: has a line break between names; part them by commas, and put a name that holds a "
            "line break into quotes"
        ) from None
    if not any(listed):
        raise UsageError("--columns names no column; name some, as in --columns id,review, or leave it out")
    return listed


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

    if sys.stdout is None:
        raise UsageError("standard output is closed, and that is where --text answers")
    options = options_of(arguments)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    quick_try(
        arguments.text, _load_model(arguments, console), sys.stdout, options.threshold, options.abstain_below, colour
    )
