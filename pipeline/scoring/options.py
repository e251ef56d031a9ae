"""How a table is to be scored."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.scoring.inputs import InputOptions
from pipeline.scoring.windows import WINDOW_ROWS

LARGEST_EXPLANATION = 100


@dataclass(frozen=True)
class ScoreOptions:
    """Settings of one run, checked.

    Attributes:
        text_column: name or number of the column of reviews; found by name or content where None.
        delimiter: one character or its name; found where None.
        encoding: a Python codec; found where None.
        has_header: whether the first line of a CSV file holds the names of the columns.
        columns: the input's columns that are written, in this order; None for all.
        prefix: put before the names of the appended columns.
        window_rows: rows that go through the network together.
        threshold: probability from which a review counts as positive.
        abstain_below: the answer is ``uncertain`` where its own probability is lower than this.
        explain: how many words to name that pushed the decision; 0 for no such column.
        strict: stop at the first row with a problem.
        output_format: ``csv``, ``jsonl`` or ``parquet``; None for what the output's name says.

    Raises:
        UsageError: an option is out of its range.
    """

    text_column: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    has_header: bool = True
    columns: tuple[str, ...] | None = None
    prefix: str | None = None
    window_rows: int = WINDOW_ROWS
    threshold: float = 0.5
    abstain_below: float | None = None
    explain: int = 0
    strict: bool = False
    output_format: str | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.window_rows < 1:
            raise UsageError(f"--batch-size {self.window_rows}: must be 1 or more")
        if not 0.0 <= self.threshold <= 1.0:
            raise UsageError(f"--threshold {self.threshold}: must lie in [0, 1]")
        if self.abstain_below is not None and not 0.5 <= self.abstain_below <= 1.0:
            raise UsageError(
                f"--abstain-below {self.abstain_below}: must lie in [0.5, 1]; it is the probability of the answer"
            )
        if not 0 <= self.explain <= LARGEST_EXPLANATION:
            raise UsageError(f"--explain {self.explain}: must lie in 0 to {LARGEST_EXPLANATION} words")

    def of_input(self) -> InputOptions:
        """Return what reading asks for."""
        return InputOptions(self.delimiter, self.encoding, self.text_column, self.has_header)
