"""Batch scoring: tables of reviews in, the same rows with a prediction beside each out.

Three columns are appended: ``predicted_sentiment`` (``positive``, ``negative`` or ``uncertain``),
``positive_probability`` (calibrated, six decimals) and ``score_error`` (empty where all is well); a fourth,
``explanation``, where it is asked for. Rows out = rows in, in the same order, checked at run time; the input's columns
keep their values. What becomes of broken rows: :mod:`pipeline.scoring.csv_table`.

Memory is bounded by windows, stretches of consecutive rows that go through the network together, not by the file. This
thread reads, tokenises and writes; the network runs beside it (:mod:`pipeline.overlap`), on the windows before. What is
written is brought to the disk at checkpoints, from which the same command goes on after a crash
(:mod:`pipeline.scoring.outputs`); the rows before are then read again, to see that they are the same, and not scored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from pipeline import __version__
from pipeline.console import Console
from pipeline.dialect import check_delimiter, check_encoding
from pipeline.errors import SentimentError
from pipeline.scoring.answers import appended_columns
from pipeline.scoring.inputs import check_paths, fingerprint, open_table
from pipeline.scoring.loop import ChangedInputError, ReadableRows, ScoringLoop
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.output_format import OutputColumns, OutputFormat, is_told, output_format
from pipeline.scoring.outputs import Output, UnusableError
from pipeline.scoring.rows import Row
from pipeline.scoring.sinks import sink_for
from pipeline.scoring.summary import ScoreSummary, report
from pipeline.scoring.table import Table
from pipeline.scoring.windows import ProbabilityModel, windows
from pipeline.text_column import find_text_column, wanted_columns

_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1 << 20


@dataclass(frozen=True)
class _Job:
    """One run: what is scored, by which model, how, and where to."""

    input_paths: Sequence[str]
    output_path: str
    format: OutputFormat
    model: ProbabilityModel
    options: ScoreOptions
    console: Console

    def identity(self) -> dict[str, Any] | None:
        """Return what must be the same for a run to be gone on with; None where the input is a stream."""
        files = fingerprint(self.input_paths)
        if not files or any(value is None for file in files for value in file.values()):
            return None  # a stream, or a URL that does not say when it changed
        identity = {
            "the program": __version__,
            "the input": files,
            "the model": self.model.fingerprint,
            "the options": asdict(self.options) | {"format": asdict(self.format)},
        }
        return dict(json.loads(json.dumps(identity)))


def score_table(
    input_paths: str | Sequence[str],
    output_path: str,
    model: ProbabilityModel,
    console: Console,
    options: ScoreOptions | None = None,
) -> ScoreSummary:
    """Score the reviews of a table and write all its columns and the new ones.

    Args:
        input_paths: files or URLs that form one table, or ``-`` for standard input.
        output_path: the result, replaced at the end by rename; ``-`` for standard output.
        model: gives the probabilities; to explain it must be a :class:`pipeline.inference.SentimentModel`.
        console: for messages and progress.
        options: how; the defaults where None.

    Raises:
        SentimentError: the input or the output is at fault.
        UsageError: an option is, or a column's name is taken.
    """
    started = time.perf_counter()
    options = ScoreOptions() if options is None else options
    paths = [input_paths] if isinstance(input_paths, str) else list(input_paths)
    if options.delimiter is not None:
        check_delimiter(options.delimiter)
    if options.encoding is not None:
        check_encoding(options.encoding)
    form = output_format(output_path, options.output_format)
    check_paths(paths, output_path)
    if not is_told(output_path, options.output_format):
        console.say(f"{output_path}: its name tells no format, so it is CSV; --output-format names another")
    job = _Job(paths, output_path, form, model, options, console)
    try:
        summary = _score(job)
    except ChangedInputError as change:
        console.say(f"{change}; starting over")
        summary = _score(job)
    summary.seconds = time.perf_counter() - started
    report(summary, output_path, console)
    return summary


def _score(job: _Job) -> ScoreSummary:
    options, console = job.options, job.console
    with open_table(job.input_paths, options.of_input()) as table:
        rows = ReadableRows(table)
        sample = next(windows(rows, _SAMPLE_ROWS, _SAMPLE_CHARACTERS), [])
        text_index = find_text_column(table.header, [row.fields for row in sample], options.text_column, table.name)
        columns = _columns_of(table, options)
        console.say(f"{table.name}: scoring column {table.header[text_index]!r} with model {job.model.name}")
        if table.hint:
            console.say(f"{table.name}: {table.hint}")
        sink = sink_for(job.output_path, job.format, columns, table.facts())
        with Output(job.output_path, sink, job.identity(), console) as output:
            checkpoint = output.begin()
            if checkpoint is not None and checkpoint.get("complete"):
                console.say(f"{job.output_path}: an earlier run had scored all of it; now it is in place")
                summary = ScoreSummary.from_counts(checkpoint["counts"])
                summary.resumed_at = summary.rows
            else:
                loop = ScoringLoop(table, output, job.model, text_index, options, console)
                if checkpoint is None:
                    output.write_header(columns.names())
                else:
                    console.say(f"{job.output_path}: going on after the {checkpoint['rows']:,} rows scored already")
                summary = loop.run(chain(_handed_over(sample), rows), rows, checkpoint)
                _check_counts(table, summary, output)
                output.commit(loop.state())
    summary.text_column = table.header[text_index]
    summary.input = table.facts()
    summary.rejected = output.rejected
    return summary


def _check_counts(table: Table, summary: ScoreSummary, output: Output) -> None:
    if not table.rows_read == summary.rows == output.rows_written:
        raise UnusableError(
            f"{table.name}: {table.rows_read} rows read but {output.rows_written} written, which is an error of this "
            "program; nothing was put in place, please report it"
        )


def _columns_of(table: Table, options: ScoreOptions) -> OutputColumns:
    kept = None
    if options.columns is not None:
        kept = tuple(_column_place(table, name) for name in options.columns)
    written = table.header if kept is None else [table.header[place] for place in kept]
    appended = appended_columns(written, options, table.name)
    return OutputColumns(tuple(table.header), tuple(appended), kept, table.has_header)


def _column_place(table: Table, name: str) -> int:
    places = wanted_columns(table.header, name)
    if not places:
        raise SentimentError(f"{table.name}: no column {name!r}; --columns takes some of: {', '.join(table.header)}")
    return places[0]


def _handed_over(rows: list[Row]) -> Iterator[Row]:
    """Yield rows and keep none of them."""
    rows.reverse()
    while rows:
        yield rows.pop()
