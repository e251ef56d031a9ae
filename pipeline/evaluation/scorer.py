"""What evaluation needs of a model: logits of texts, and, of a trained one, what pushed its decisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.inference import SentimentModel
from pipeline.report.evaluated import PushesInPlace


class Scorer(Protocol):
    """What evaluation needs of a model; :class:`pipeline.inference.SentimentModel` has it."""

    name: str
    config: dict[str, Any]
    temperature: float

    def logits(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """Return uncalibrated logits, float32 (N,), in the order given."""
        ...


def load_scorer(model_folder: Path, console: Console) -> Scorer:
    """Load a model; tell what the user is to know of how fast it runs.

    Raises:
        SentimentError: it is missing or damaged.
    """
    model = SentimentModel.load(model_folder)
    if model.notice:
        console.say(f"evaluate: {model.notice}")
    return model


def score_texts(model: Scorer, texts: Sequence[str], console: Console) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return the logits of the texts, float32 (N,), and the ``scoring`` entry of ``metrics.json``.

    Raises:
        SentimentError: a logit is not a number.
    """
    started = time.perf_counter()
    with console.progress(len(texts), "scoring") as bar:
        logits = model.logits(texts, on_batch=bar.update)
    seconds = time.perf_counter() - started
    if not np.isfinite(logits).all():
        raise SentimentError(f"{model.name}: gives a score that is not a number; train the model again")
    return logits, {"seconds": round(seconds, 2), "reviews_per_second": round(len(texts) / max(seconds, 1e-9), 1)}


def pushes_of(model: Scorer) -> PushesInPlace | None:
    """Return what explains a model's decisions; None for one that is no trained model."""
    if not isinstance(model, SentimentModel):
        return None
    from pipeline.scoring.explanation import Explainer

    return Explainer(model).pushes_in_place
