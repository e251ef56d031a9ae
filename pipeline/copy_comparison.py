"""The figures that a compact copy of a model carries: how far it is from the model, and what is known of the model."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import MANIFEST_NAME, read_json
from pipeline.inference import SentimentModel, sigmoid
from pipeline.scoring_precision import differences

GENERATED_REVIEWS = 1_000


@dataclass(frozen=True)
class ComparedTexts:
    """What the copy is compared with its source on.

    Attributes:
        kind: ``validation reviews`` or ``generated reviews``.
        texts: N texts.
        labels: int8, (N,), 0 or 1.
    """

    kind: str
    texts: list[str]
    labels: NDArray[np.int8]


def texts_to_compare(model_folder: Path, corpus_folder: Path, config: Mapping[str, Any]) -> ComparedTexts:
    """Return the model's validation reviews where its corpus is at hand, else generated ones."""
    validation, manifest = model_folder / "validation.arrow", corpus_folder / MANIFEST_NAME
    if validation.is_file() and manifest.is_file():
        corpus = read_json(manifest, "run `sentiment data` again")
        if corpus.get("fingerprint") == config.get("corpus", {}).get("fingerprint"):
            table = read_arrow(validation, ["row", "label"], "train")
            texts = read_arrow(corpus_folder / "train.arrow", ["text"], "data")["text"].take(table["row"])
            return ComparedTexts("validation reviews", texts.to_pylist(), table["label"].to_numpy())
    from pipeline.sample import ReviewWriter
    from pipeline.sample_grammar import TEST

    writer = ReviewWriter(TEST, random.Random(1))
    labels = np.arange(GENERATED_REVIEWS, dtype=np.int8) % 2
    return ComparedTexts("generated reviews", [writer.review(int(label)) for label in labels], labels)


def compare(source: SentimentModel, copy: SentimentModel, compared: ComparedTexts) -> dict[str, Any]:
    """Return how far the copy's probabilities are from the source's, each in its precision of scoring."""
    before, after = source.logits(compared.texts), copy.logits(compared.texts)
    apart = np.abs(sigmoid(before, source.temperature) - sigmoid(after, copy.temperature))
    return {
        "compared_on": compared.kind,
        "reviews": len(compared.texts),
        "largest": float(apart.max()),
        **differences(after, before, source.temperature),
        "accuracy_of_source": float(np.mean((before >= 0) == compared.labels)),
        "accuracy": float(np.mean((after >= 0) == compared.labels)),
    }


def figures_on_test(report_folder: Path, weights_sha256: str) -> dict[str, Any] | None:
    """Return the source's figures on the test split; None where there is no report, or one of other weights."""
    path = report_folder / "metrics.json"
    if not path.is_file():
        return None
    metrics = read_json(path, "run `sentiment evaluate` again")
    if metrics.get("model", {}).get("weights_sha256") != weights_sha256:
        return None
    leak_free = metrics.get("leak_free") or {}
    return {
        "of": metrics["data"]["name"],
        "rows": metrics["all"]["rows"],
        "accuracy": metrics["all"]["accuracy"],
        "accuracy_interval": metrics["all"]["accuracy_interval"],
        "leak_free_accuracy": leak_free.get("accuracy"),
        "calibration_error": metrics["all"]["calibration"]["after_temperature"]["calibration_error"],
    }
