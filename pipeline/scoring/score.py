"""Batch scoring: a CSV file of reviews in, the same rows with a prediction beside each out.

Three columns are appended: ``predicted_sentiment`` (``positive`` or ``negative``), ``positive_probability``
(calibrated, six decimals) and ``score_error`` (empty where all is well). Rows out = rows in, in the same order, checked
at run time; the input's columns keep their values. What becomes of broken rows: :mod:`pipeline.scoring.csv_table`.

Memory is bounded by windows, stretches of consecutive rows that go through the network together, not by the file. This
thread reads, tokenises and writes; the network runs beside it (:mod:`pipeline.overlap`), on the windows before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from pipeline.console import Console
from pipeline.dialect import check_delimiter, check_encoding
from pipeline.errors import SentimentError, UsageError
from pipeline.overlap import StopCheck, overlapped
from pipeline.scoring.csv_output import CsvOutput
from pipeline.scoring.csv_table import CsvTable
from pipeline.scoring.inputs import check_paths, open_input
from pipeline.scoring.rows import Row, reject_record
from pipeline.scoring.summary import Progress, ScoreSummary, report
from pipeline.scoring.windows import WINDOW_ROWS, ProbabilityModel, Window, encoded_windows, windows
from pipeline.text_column import find_text_column

OUTPUT_COLUMNS = ("predicted_sentiment", "positive_probability", "score_error")
CHARACTERS_UNDER_WAY = 1 << 24
"""Of rows that are read and not yet written, before reading waits for the network."""
_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1 << 20


@dataclass(frozen=True)
class ScoreOptions:
    """How rows are scored: the window in rows, the threshold of positive, whether the first problem stops the run."""

    window_rows: int
    threshold: float
    strict: bool

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: an option is out of its range.
        """
        if self.window_rows < 1:
            raise UsageError(f"--window-rows {self.window_rows}: must be 1 or more")
        if not 0.0 <= self.threshold <= 1.0:
            raise UsageError(f"--threshold {self.threshold}: must lie in [0, 1]")


def score_table(
    input_path: str,
    output_path: str,
    model: ProbabilityModel,
    console: Console,
    *,
    text_column: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    prefix: str | None = None,
    window_rows: int = WINDOW_ROWS,
    threshold: float = 0.5,
    strict: bool = False,
) -> ScoreSummary:
    """Score the reviews of a CSV file and write all its columns and three more.

    Args:
        input_path: the file, or ``-`` for standard input.
        output_path: the result, replaced at the end by rename; ``-`` for standard output.
        model: gives the probabilities.
        console: for messages and progress.
        text_column: name of the column of reviews; found by name or content where None.
        delimiter: one character or its name; found where None.
        encoding: a Python codec; found where None.
        prefix: put before the names of the appended columns.
        window_rows: rows that go through the network together.
        threshold: probability from which a review counts as positive.
        strict: stop at the first row with a problem.

    Raises:
        SentimentError: the input or the output is at fault.
        UsageError: an option is, or a column's name is taken.
    """
    started = time.perf_counter()
    options = ScoreOptions(window_rows, threshold, strict)
    delimiter = None if delimiter is None else check_delimiter(delimiter)
    encoding = None if encoding is None else check_encoding(encoding)
    check_paths(input_path, output_path)
    with open_input(input_path) as (stream, name, size):
        table = CsvTable(stream, name, delimiter=delimiter, encoding=encoding, text_column=text_column)
        rows: Iterator[Row] = table.rows()
        sample = next(windows(rows, _SAMPLE_ROWS, _SAMPLE_CHARACTERS), [])
        text_index = find_text_column(table.header, [row.fields for row in sample], text_column, name)
        appended = appended_columns(table.header, prefix, name)
        console.say(f"{name}: scoring column {table.header[text_index]!r} with model {model.name}")
        with CsvOutput(output_path, table.dialect.delimiter, table.dialect.line_end) as output:
            output.write_header([*table.header, *appended])
            summary = _score_rows(
                chain(_handed_over(sample), rows), table, output, model, text_index, options, console, size
            )
            if not table.rows_read == summary.rows == output.rows_written:
                raise SentimentError(
                    f"{name}: {table.rows_read} rows read but {output.rows_written} written, which is an error of this "
                    "program; nothing was put in place, please report it"
                )
            output.commit()
    summary.text_column = table.header[text_index]
    summary.seconds = time.perf_counter() - started
    report(summary, output_path, console)
    return summary


def appended_columns(header: Sequence[str], prefix: str | None, name: str) -> list[str]:
    """Return the names of the appended columns.

    Raises:
        UsageError: the input has a column of one of these names.
    """
    appended = [f"{prefix or ''}{column}" for column in OUTPUT_COLUMNS]
    for column in appended:
        if column in header:
            raise UsageError(
                f"{name}: has a column {column!r} already; rename the new ones with --prefix, as in --prefix "
                f"{'second_' if prefix else 'new_'}"
            )
    return appended


def appended_cells(
    window: Window, probabilities: NDArray[np.float64], model: ProbabilityModel, threshold: float
) -> list[list[str]]:
    """Return the appended cells of each row: prediction, probability, error; the first two empty of a blank text.

    Raises:
        SentimentError: the model did not answer with one probability for each text.
    """
    if len(probabilities) != len(window.places):
        raise SentimentError(
            f"model {model.name}: {len(probabilities)} probabilities for {len(window.places)} texts; "
            "the model is damaged"
        )
    cells = [["", "", "; ".join(map(str, row.problems)) if row.problems else ""] for row in window.rows]
    for place, probability in zip(window.places, probabilities.tolist(), strict=True):
        if not 0.0 <= probability <= 1.0:  # also of NaN
            raise SentimentError(
                f"model {model.name}: no probability but {probability} for row {window.rows[place].number}; "
                "the model is damaged, train it again"
            )
        cells[place][0] = "positive" if probability >= threshold else "negative"
        cells[place][1] = f"{probability:.6f}"
    return cells


def _score_rows(
    rows: Iterable[Row],
    table: CsvTable,
    output: CsvOutput,
    model: ProbabilityModel,
    text_index: int,
    options: ScoreOptions,
    console: Console,
    size: int | None,
) -> ScoreSummary:
    def network(window: Window, check: StopCheck) -> NDArray[np.float64]:
        return model.probabilities_of(window.sequences, check) if window.places else np.empty(0)

    summary = ScoreSummary()
    windows_and_probabilities = overlapped(
        encoded_windows(rows, text_index, model, options.window_rows),
        network,
        threads=model.threads,
        size_of=lambda window: window.characters,
        most=CHARACTERS_UNDER_WAY,
    )
    with closing(windows_and_probabilities) as results, Progress(table, summary, console, size) as progress:
        for window, probabilities in results:
            cells = appended_cells(window, probabilities, model, options.threshold)
            if options.strict:
                _refuse_problems(window.rows, table.name)
            output.write_rows([[*row.fields, *added] for row, added in zip(window.rows, cells, strict=True)])
            _reject(window.rows, output, table.text.encoding)
            _count(summary, window.rows, cells)
            del window, cells  # the next ones may be large too
            progress.show()
    summary.rejected = output.rejected
    summary.bytes_replaced = table.bytes_replaced
    summary.blank_lines = table.blank_lines
    summary.encoding = {"cp1252": "windows-1252", "ascii": "utf-8"}.get(table.text.encoding, table.text.encoding)
    summary.delimiter = table.dialect.delimiter
    return summary


def _handed_over(rows: list[Row]) -> Iterator[Row]:
    """Yield rows and keep none of them."""
    rows.reverse()
    while rows:
        yield rows.pop()


def _reject(window: Sequence[Row], output: CsvOutput, encoding: str) -> None:
    for row in window:
        if row.original is not None:
            output.reject(reject_record(row, encoding))


def _refuse_problems(window: Sequence[Row], name: str) -> None:
    for row in window:
        if row.problems:
            raise SentimentError(
                f"{name}: row {row.number} (line {row.line}): {row.problems[0]}; mend it, or score without --strict"
            )


def _count(summary: ScoreSummary, window: Sequence[Row], cells: Sequence[Sequence[str]]) -> None:
    summary.rows += len(window)
    summary.positive += sum(row_cells[0] == "positive" for row_cells in cells)
    summary.negative += sum(row_cells[0] == "negative" for row_cells in cells)
    for row in window:
        if row.problems:
            summary.rows_with_problems += 1
            summary.problems.update({problem.kind for problem in row.problems})
