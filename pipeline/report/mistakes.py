"""The errors a reader looks at first: the wrong predictions the model was surest of, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.metrics import Probabilities, most_confident_errors, predictions
from pipeline.report.readable_text import readable

ERRORS_SHOWN = 20
CLASSES = ("negative", "positive")


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction as the reader sees it."""

    number: int
    row: int
    truth: str
    predicted: str
    probability: float
    words: int
    leak_free: bool | None
    text: str


def most_confident_mistakes(
    data: LabelledTexts, probabilities: Probabilities, count: int = ERRORS_SHOWN
) -> list[Mistake]:
    """Return the most confident wrong predictions, worst first; probabilities are (N,) in the order of the texts."""
    predicted = predictions(probabilities)
    found: list[Mistake] = []
    for position in most_confident_errors(data.labels, probabilities, count):
        text = readable(data.texts[position])
        found.append(
            Mistake(
                number=len(found) + 1,
                row=int(data.rows[position]),
                truth=CLASSES[data.labels[position]],
                predicted=CLASSES[predicted[position]],
                probability=float(probabilities[position]),
                words=len(text.split()),
                leak_free=None if data.leak_free is None else bool(data.leak_free[position]),
                text=text,
            )
        )
    return found


def errors_text(found: list[Mistake], metrics: Mapping[str, Any]) -> str:
    """Return ``errors.txt``: the most confident errors in full, wrapped at 100 columns."""
    lines = [
        f"The {len(found)} most confident errors of {metrics['model']['name']} on {metrics['data']['name']}",
        f"({metrics['data']['kind']}, {metrics['all']['rows']:,} reviews), worst first.",
    ]
    for mistake in found:
        lines += [
            "",
            "=" * 100,
            f"{mistake.number}. row {mistake.row}: truly {mistake.truth}, predicted {mistake.predicted} "
            f"(probability of positive {mistake.probability:.4f}, {mistake.words} words)",
            "-" * 100,
        ]
        for paragraph in mistake.text.split("\n"):
            lines += textwrap.wrap(paragraph, 100) or [""]
    return "\n".join(lines) + "\n"
