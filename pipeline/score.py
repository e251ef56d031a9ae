"""Batch scoring: a CSV file of reviews in, the same rows with a prediction beside each out.

Three columns are appended: ``predicted_sentiment`` (``positive`` or ``negative``), ``positive_probability``
(calibrated, six decimals) and ``score_error`` (empty where all is well). Rows out = rows in, in the same order, checked
at run time; the input's columns keep their values. What becomes of broken rows stands in :mod:`pipeline.tables`.

Memory is bounded by the window, a stretch of consecutive rows that is scored at once, not by the file.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.console import Console
from pipeline.csv_input import check_paths, open_input
from pipeline.csv_output import CsvOutput, is_stream, rejects_path
from pipeline.dialect import check_delimiter, check_encoding
from pipeline.errors import SentimentError, UsageError
from pipeline.review_text import is_blank
from pipeline.tables import CsvTable, Problem, Row, reject_record
from pipeline.text_column import find_text_column

OUTPUT_COLUMNS = ("predicted_sentiment", "positive_probability", "score_error")
WINDOW_CHARACTERS = 1 << 24
LONGEST_TEXT = 20_000  # characters; the longest review of IMDb has 14,282. It bounds the time and memory of one row
SECONDS_BETWEEN_WORDS = 60.0  # of progress where there is no terminal for a bar
_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1 << 20


class ProbabilityModel(Protocol):
    """What scoring asks of a model."""

    @property
    def name(self) -> str:
        """The model's name."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the calibrated probabilities of the positive class, float64, (N,), in the order of the texts."""


@dataclass
class ScoreSummary:
    """What a run did.

    Attributes:
        rows: rows read, and as many written.
        positive: rows predicted positive.
        negative: rows predicted negative.
        rows_with_problems: rows whose ``score_error`` is not empty.
        problems: rows by kind of problem; one row may have several.
        rejected: rows kept as they were in the rejects file.
        bytes_replaced: undecodable bytes.
        blank_lines: blank lines passed over, which are no rows.
        text_column: name of the column scored.
        encoding: of the input.
        delimiter: of input and output.
        seconds: from start to end.
    """

    rows: int = 0
    positive: int = 0
    negative: int = 0
    rows_with_problems: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    bytes_replaced: int = 0
    blank_lines: int = 0
    text_column: str = ""
    encoding: str = ""
    delimiter: str = ""
    seconds: float = 0.0


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
    window_rows: int = 4096,
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
        window_rows: rows scored at once.
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
    _report(summary, output_path, console)
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


def windows(rows: Iterable[Row], window_rows: int, window_characters: int) -> Iterator[list[Row]]:
    """Yield consecutive rows in lists of at most so many, fewer where they hold many characters."""
    window: list[Row] = []
    characters = 0
    for row in rows:
        window.append(row)
        characters += sum(map(len, row.fields))
        if len(window) >= window_rows or characters >= window_characters:
            full, window, characters = window, [], 0
            del row
            yield full
            del full
    if window:
        yield window


def text_to_score(row: Row, text_index: int) -> str | None:
    """Return a row's text as the model gets it, None of a blank one; note on the row why it is not the cell's own."""
    text = row.fields[text_index]
    if is_blank(text):
        row.problems.append(Problem("blank text"))
        return None
    if len(text) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        row.problems.append(Problem("long text", f"of {len(text)} characters the first and last {half} were scored"))
        return f"{text[:half]} {text[-half:]}"
    return text


def score_window(window: Sequence[Row], text_index: int, model: ProbabilityModel, threshold: float) -> list[list[str]]:
    """Return the appended cells of each row: prediction, probability, error; the first two empty of a blank text.

    Raises:
        SentimentError: the model did not answer with one probability for each text.
    """
    texts = [text_to_score(row, text_index) for row in window]
    places = [place for place, text in enumerate(texts) if text is not None]
    probabilities = model.probabilities([text for text in texts if text is not None]) if places else np.empty(0)
    if len(probabilities) != len(places):
        raise SentimentError(
            f"model {model.name}: {len(probabilities)} probabilities for {len(places)} texts; the model is damaged"
        )
    cells = [["", "", ""] for _ in window]
    for place, probability in zip(places, probabilities, strict=True):
        if not 0.0 <= probability <= 1.0:  # also of NaN
            raise SentimentError(
                f"model {model.name}: no probability but {probability} for row {window[place].number}; "
                "the model is damaged, train it again"
            )
        cells[place][0] = "positive" if probability >= threshold else "negative"
        cells[place][1] = f"{probability:.6f}"
    for row, row_cells in zip(window, cells, strict=True):
        row_cells[2] = "; ".join(map(str, row.problems))
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
    summary = ScoreSummary()
    started = last_word = time.perf_counter()
    with console.progress(size, "scoring", unit="bytes") as bar:
        for window in windows(rows, options.window_rows, WINDOW_CHARACTERS):
            cells = score_window(window, text_index, model, options.threshold)
            if options.strict:
                _refuse_problems(window, table.name)
            output.write_rows([row.fields + added for row, added in zip(window, cells, strict=True)])
            _reject(window, output, table.text.encoding)
            _count(summary, window, cells)
            del window  # the next one may be large too
            bar.update(table.text.bytes_read - bar.n)
            now = time.perf_counter()
            rate = f"{summary.rows / (now - started):,.0f} rows/s"
            bar.set_postfix_str(rate, refresh=False)
            if bar.disable and now - last_word > SECONDS_BETWEEN_WORDS:
                console.say(f"{table.name}: {summary.rows:,} rows so far, {rate}")
                last_word = now
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
        summary.rows_with_problems += bool(row.problems)
        summary.problems.update({problem.kind for problem in row.problems})


def _report(summary: ScoreSummary, output_path: str, console: Console) -> None:
    """Say at the end what was done and what deserves a look."""
    scored = summary.positive + summary.negative
    share = f", {summary.positive / scored:.1%} positive" if scored else ""
    place = "standard output" if output_path == "-" else output_path
    rate = summary.rows / max(summary.seconds, 1e-9)
    console.say(f"{place}: {summary.rows:,} rows{share}, {summary.seconds:.1f} s ({rate:,.0f} rows/s)")
    if summary.encoding != "utf-8":
        console.say(f"  read as {summary.encoding}; if letters look wrong, name the encoding with --encoding")
    if summary.problems:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.problems.most_common())
        console.say(f"  {summary.rows_with_problems:,} rows with a note in score_error: {kinds}")
    if summary.bytes_replaced:
        console.say(f"  {summary.bytes_replaced:,} bytes stood for no character in {summary.encoding}; now U+FFFD")
    if summary.blank_lines:
        console.say(f"  {summary.blank_lines:,} blank lines passed over")
    if summary.rejected and is_stream(output_path):
        console.say(f"  {summary.rejected:,} rows lost surplus fields or bytes; an output file keeps them beside it")
    elif summary.rejected:
        console.say(f"  {summary.rejected:,} rows kept as they were in {rejects_path(output_path)}")
