"""The entry ``baselines`` of ``metrics.json``: linear models on the same reviews, each tested against the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.baselines import MAJORITY, SETTINGS, TITLES, BaselineCorpus, BaselineScores, baseline_scores
from pipeline.console import Console
from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.evaluation.score_curves import precision_recall_points, roc_points
from pipeline.metrics import Labels, accuracy_summary, mcnemar


def baseline_entry(result: BaselineScores, data: LabelledTexts, model_predicted: Labels) -> dict[str, Any]:
    """Return one baseline's entry of ``metrics.json``."""
    predicted = (result.scores >= 0).astype(np.int8)
    mask = data.leak_free
    has_scores = result.name != MAJORITY
    return {
        "title": TITLES[result.name],
        "settings": dict(SETTINGS[result.name]),
        "training_rows": result.training_rows,
        "seconds": round(result.seconds, 2),
        "from_cache": result.from_cache,
        **accuracy_summary(data.labels, predicted),
        "leak_free": None if mask is None else accuracy_summary(data.labels[mask], predicted[mask]),
        "mcnemar": mcnemar(data.labels, model_predicted, predicted),
        "roc_curve": roc_points(data.labels, result.scores) if has_scores else None,
        "precision_recall_curve": precision_recall_points(data.labels, result.scores) if has_scores else None,
    }


def add_baselines(
    metrics: dict[str, Any],
    data: LabelledTexts,
    predicted: Labels,
    corpus: BaselineCorpus,
    cache_folder: Path,
    console: Console,
) -> None:
    """Fill the ``baselines`` entry of ``metrics.json``."""
    results = baseline_scores(
        corpus, cache_folder, on_fit=lambda title: console.say(f"evaluate: fitting the baseline {title}")
    )
    for result in results:
        metrics["baselines"][result.name] = baseline_entry(result, data, predicted)
