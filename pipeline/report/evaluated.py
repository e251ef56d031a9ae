"""One evaluation, as the report takes it over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.evaluation.slices import Slicing
from pipeline.metrics import Probabilities

PushesInPlace = Callable[[str], list[tuple[int, int, float]]]
"""Gives where each word that the model reads starts and ends in a text, and its push on the calibrated logit: + towards
positive (:meth:`pipeline.scoring.explanation.Explainer.pushes_in_place`)."""


@dataclass(frozen=True)
class Evaluated:
    """One evaluation, ready to be written.

    Attributes:
        metrics: the content of ``metrics.json``; every figure of the page comes from it.
        data: the N reviews with their true classes.
        probabilities: float64 (N,), after the temperature.
        slicings: groups of the reviews that do not depend on the model.
        explain: gives the words' pushes; None where the model has no explanations.
    """

    metrics: dict[str, Any]
    data: LabelledTexts
    probabilities: Probabilities
    slicings: Sequence[Slicing] = field(default_factory=tuple)
    explain: PushesInPlace | None = None
