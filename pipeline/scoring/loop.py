"""The loop of scoring: windows of rows through the network and out, and what a later run needs to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from itertools import islice
from typing import Any, NoReturn

import numpy as np

from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.overlap import StopCheck, overlapped
from pipeline.scoring.answers import NEGATIVE, POSITIVE, UNCERTAIN, Answers, appended_cells
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.outputs import Output, UnusableError
from pipeline.scoring.rows import Row, reject_record
from pipeline.scoring.summary import Progress, ScoreSummary, passing_over
from pipeline.scoring.table import Table
from pipeline.scoring.windows import ProbabilityModel, Window, encoded_windows

CHARACTERS_UNDER_WAY = 1 << 24
"""Of rows that are read and not yet written, before reading waits for the network."""

Explain = Callable[[Sequence[str], StopCheck], list[str]]
"""Returns for each text the words that mattered."""


class ChangedInputError(UnusableError):
    """The rows that an earlier run scored are not those of the input."""


class StrictError(UnusableError):
    """A row has a problem, and none was to be let pass."""


class ReadableRows:
    """The rows of a table up to the place where it cannot be read further.

    Attributes:
        failure: why the rows ended early; None where they did not.
    """

    def __init__(self, table: Table) -> None:
        self.failure: SentimentError | None = None
        self._rows = table.rows()

    def __iter__(self) -> Iterator[Row]:
        """Return itself."""
        return self

    def __next__(self) -> Row:
        """Return the next row."""
        try:
            return next(self._rows)
        except SentimentError as failure:
            self.failure = failure
            raise StopIteration from failure


class ScoringLoop:
    """Scores the rows of a table from the first, or from a checkpoint, to the last.

    Args:
        table: where the rows come from.
        output: where they go.
        model: gives the probabilities.
        text_index: the position of the column of reviews.
        options: how.
        console: for progress.
    """

    def __init__(
        self,
        table: Table,
        output: Output,
        model: ProbabilityModel,
        text_index: int,
        options: ScoreOptions,
        console: Console,
    ) -> None:
        self._table = table
        self._output = output
        self._model = model
        self._text_index = text_index
        self._options = options
        self._console = console
        self._summary = ScoreSummary()
        self._texts = blake2b(digest_size=16)  # of all texts so far, scored now or by an earlier run
        self._explain = explainer_of(model, options.explain) if options.explain else None

    def state(self) -> dict[str, Any]:
        """Return what a later run needs to go on."""
        return {"counts": self._summary.counts(), "texts": self._texts.hexdigest()}

    def run(self, rows: Iterator[Row], readable: ReadableRows, checkpoint: Mapping[str, Any] | None) -> ScoreSummary:
        """Score rows and write them.

        Args:
            rows: of the table, from the first one.
            readable: where they come from: knows whether they ended early.
            checkpoint: of an earlier run; its rows are passed over.

        Raises:
            SentimentError: the input cannot be read to its end; what was scored before that is kept.
            ChangedInputError: those rows are not the ones that the earlier run scored.
            StrictError: a row has a problem, and none is to be let pass.
        """
        if checkpoint is not None:
            self._pass_over(rows, readable, checkpoint)
        summary = self._summary
        windows_and_answers = overlapped(
            encoded_windows(
                rows, self._text_index, self._model, self._options.window_rows, keep_texts=self._explain is not None
            ),
            self._answers,
            threads=self._model.threads,
            size_of=lambda window: window.characters,
            most=CHARACTERS_UNDER_WAY,
        )
        with closing(windows_and_answers) as results, Progress(self._table, summary, self._console) as progress:
            for window, answers in results:
                self._write(window, answers)
                del window, answers  # the next ones may be large too
                if self._output.checkpoint_due():
                    self._output.checkpoint(self.state())
                progress.show()
        if readable.failure is not None:
            if self._output.rows_written and not self._output.streamed:
                self._output.checkpoint(self.state())
            self._refuse_further(readable.failure)
        return summary

    def _answers(self, window: Window, check: StopCheck) -> Answers:
        probabilities = self._model.probabilities_of(window.sequences, check) if window.places else np.empty(0)
        return Answers(probabilities, None if self._explain is None else self._explain(window.texts, check))

    def _write(self, window: Window, answers: Answers) -> None:
        cells = appended_cells(window, answers, self._model.name, self._options)
        if self._options.strict:
            self._refuse_problems(window.rows)
        self._output.write_rows(window.rows, cells, window.characters)
        for row in window.rows:
            if row.original is not None:
                self._output.reject(reject_record(row))
        self._count(window, cells)

    def _count(self, window: Window, cells: Sequence[Sequence[str]]) -> None:
        summary = self._summary
        predicted = [row_cells[0] for row_cells in cells]
        summary.rows += len(window.rows)
        summary.positive += predicted.count(POSITIVE)
        summary.negative += predicted.count(NEGATIVE)
        summary.uncertain += predicted.count(UNCERTAIN)
        summary.cut += window.cut
        for row in window.rows:
            self._add_text(row)
            if row.problems:
                summary.rows_with_problems += 1
                summary.problems.update({problem.kind for problem in row.problems})

    def _add_text(self, row: Row) -> None:
        text = row.fields[self._text_index].encode("utf-8", "surrogatepass")
        self._texts.update(b"%d\n" % len(text))
        self._texts.update(text)

    def _pass_over(self, rows: Iterator[Row], readable: ReadableRows, checkpoint: Mapping[str, Any]) -> None:
        """Read the rows that an earlier run scored; see that they are the same."""
        again = islice(rows, checkpoint["rows"])
        for row in passing_over(again, checkpoint["rows"], self._table.name, self._console):
            self._add_text(row)
        if readable.failure is not None:  # which may pass: a share that is away, a URL that does not answer
            self._refuse_further(readable.failure)
        if self._table.rows_read < checkpoint["rows"] or self._texts.hexdigest() != checkpoint["texts"]:
            raise ChangedInputError(f"{self._table.name}: its rows are not those that an earlier run scored")
        self._summary = ScoreSummary.from_counts(checkpoint["counts"])
        self._summary.resumed_at = self._summary.rows

    def _refuse_problems(self, window: Iterable[Row]) -> None:
        for row in window:
            broken = [problem for problem in row.problems if not problem.is_note]
            if broken:
                raise StrictError(f"{self._table.name}: {row.place()}: {broken[0]}; mend it, or score without --strict")

    def _refuse_further(self, failure: SentimentError) -> NoReturn:
        if not self._output.rows_written or self._output.streamed:
            raise failure
        raise SentimentError(
            f"{failure}; the {self._output.rows_written:,} rows before it are scored in {self._output.partial}"
        ) from failure


def explainer_of(model: ProbabilityModel, count: int) -> Explain:
    """Return what explains with so many words; the model must be a :class:`pipeline.inference.SentimentModel`."""
    from typing import cast

    from pipeline.inference import SentimentModel
    from pipeline.scoring.explanation import Explainer, explanation_text

    explainer = Explainer(cast(SentimentModel, model))
    return lambda texts, check: [explanation_text(pushes) for pushes in explainer.explain(texts, count, check)]
