"""What scoring appends to a row: the columns, and their cells from the network's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.windows import Window

OUTPUT_COLUMNS = ("predicted_sentiment", "positive_probability", "score_error")
EXPLANATION_COLUMN = "explanation"
PLACES = 6
"""Of a probability, as it is written."""
POSITIVE, NEGATIVE, UNCERTAIN = "positive", "negative", "uncertain"


class DamagedModelError(SentimentError):
    """The model's answers are no probabilities."""


@dataclass(slots=True)
class Answers:
    """The network's answers to the texts of a window.

    Attributes:
        probabilities: of the positive class, float64, (N,).
        explanations: for each text the words that mattered; None where they were not asked for.
    """

    probabilities: NDArray[np.float64]
    explanations: list[str] | None = None


def appended_columns(kept: Sequence[str], options: ScoreOptions, name: str) -> list[str]:
    """Return the names of the appended columns.

    Args:
        kept: the names of the input's columns that are written.
        options: say which columns, and their prefix.
        name: the input's, for a message.

    Raises:
        UsageError: one of those columns has one of these names.
    """
    names = [*OUTPUT_COLUMNS, EXPLANATION_COLUMN] if options.explain else list(OUTPUT_COLUMNS)
    appended = [f"{options.prefix or ''}{column}" for column in names]
    for column in appended:
        if column in kept:
            raise UsageError(
                f"{name}: has a column {column!r} already; rename the new ones with --prefix, as in --prefix "
                f"{'second_' if options.prefix else 'new_'}"
            )
    return appended


def appended_cells(window: Window, answers: Answers, model_name: str, options: ScoreOptions) -> list[list[str]]:
    """Return the appended cells of each row: prediction, probability, error, and the explanation where wanted.

    Of a blank text all but the error are empty.

    Raises:
        DamagedModelError: the model did not answer with one probability for each text.
    """
    probabilities = answers.probabilities
    if len(probabilities) != len(window.places):
        raise DamagedModelError(
            f"model {model_name}: {len(probabilities)} probabilities for {len(window.places)} texts; "
            "the model is damaged"
        )
    explains = answers.explanations is not None
    cells = [["", "", "; ".join(map(str, row.problems)) if row.problems else ""] for row in window.rows]
    for place, probability in zip(window.places, probabilities.tolist(), strict=True):
        if not 0.0 <= probability <= 1.0:  # also of NaN
            raise DamagedModelError(
                f"model {model_name}: no probability but {probability} for row {window.rows[place].number}; "
                "the model is damaged, train it again"
            )
        shown = f"{probability:.{PLACES}f}"  # decides too, so that who applies the rule to the file agrees
        cells[place][0] = answer(float(shown), options.threshold, options.abstain_below)
        cells[place][1] = shown
    if explains:
        for row_cells in cells:
            row_cells.append("")
        for place, explanation in zip(window.places, answers.explanations or [], strict=True):
            cells[place][-1] = explanation
    return cells


def answer(probability: float, threshold: float, abstain_below: float | None) -> str:
    """Return the predicted sentiment.

    Args:
        probability: of the positive class.
        threshold: from which on the answer is positive.
        abstain_below: the answer is uncertain where its own probability is lower; None never.
    """
    predicted = POSITIVE if probability >= threshold else NEGATIVE
    own = probability if predicted == POSITIVE else 1.0 - probability
    return UNCERTAIN if abstain_below is not None and round(own, PLACES) < abstain_below else predicted
