"""Models for tests of scoring: some answer without a network, one has weights that nobody trained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from pipeline.artifacts import StageOutput
from pipeline.config import ModelSettings, Recipe
from pipeline.inference import CONFIG_NAME, MODEL_FORMAT, VOCABULARY_NAME, WEIGHTS_NAME
from pipeline.scoring.reading_notes import Reading
from pipeline.special_tokens import PAD, UNKNOWN
from pipeline.weight_shapes import weight_shapes


class StubModel:
    """Hands the texts themselves to :meth:`probabilities`, which answers 0.5, in as many threads as asked for."""

    name = "stub"
    notice = ""
    fingerprint = "stub"

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def encode(self, texts: Sequence[str]) -> Sequence[str]:
        return list(texts)

    def read(self, texts: Sequence[str]) -> Reading:
        return Reading(list(texts), [None] * len(texts), cut=0)  # type: ignore[arg-type]  # texts in place of ids

    def probabilities_of(
        self, sequences: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float64]:
        if on_batch is not None:
            on_batch(len(sequences))
        return self.probabilities(sequences)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.full(len(texts), 0.5)


class HashModel(StubModel):
    """Gives a text the same probability wherever it stands."""

    name = "hash"

    def __init__(self, threads: int = 1) -> None:
        super().__init__(threads)
        self.calls: list[int] = []

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self.calls.append(len(texts))
        digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        return np.asarray([int.from_bytes(digest[:6], "big") / 2**48 for digest in digests])


def probability_of(text: str) -> str:
    """Return what :class:`HashModel` gives a text, as it stands in the output."""
    return f"{HashModel().probabilities([text])[0]:.6f}"


def write_random_model(folder: Path, settings: ModelSettings, words: Sequence[str], seed: int = 0) -> Path:
    """Write a model folder whose weights are drawn, without torch; return it."""
    generator = np.random.default_rng(seed)
    forms = [PAD, UNKNOWN, *words]
    weights = {
        name: generator.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in weight_shapes(settings, len(forms), 8).items()
    }
    recipe = Recipe("random", "", settings)
    with StageOutput(folder, "train") as output:
        output.path(WEIGHTS_NAME).write_bytes(save(weights))
        output.path(VOCABULARY_NAME).write_text("\n".join(forms) + "\n", encoding="utf-8")
        files = {name: entry["sha256"] for name, entry in output.describe_files().items()}
        config = {"name": folder.name, "recipe": recipe.to_dict(), "seed": seed, "temperature": 1.3, "files": files}
        output.publish(CONFIG_NAME, {"format": MODEL_FORMAT, **config})
    return folder
