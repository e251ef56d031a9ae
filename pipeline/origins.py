"""What a training run starts from: word vectors or a pretrained encoder, and soft labels beside the true ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import Tensor

from pipeline.config import Recipe
from pipeline.context_vectors import fill_from_contexts
from pipeline.encoder import Encoder, load_encoder, remedy_for
from pipeline.errors import SentimentError, UsageError
from pipeline.splits import fingerprint_of_rows
from pipeline.taught_reviews import load_taught_reviews, remedy_for_labels
from pipeline.training_data import TrainingData
from pipeline.vectors import draw_missing_vectors
from pipeline.vocabulary import Vocabulary

OF_TEACHER = ("fingerprint", "teachers", "reviews", "pieces", "validation_accuracy", "seconds")
OF_ENCODER = ("fingerprint", "reviews", "tokens", "left_out", "settings", "history", "seconds", "device")
"""What is told of them in ``config.json``."""
DEFAULT_FRACTION = 0.1
"""Of train that encoders leave unread, where their manifest does not say."""


@dataclass(frozen=True)
class Origins:
    """What a run starts from.

    Attributes:
        data: the labelled reviews, and what a teacher labelled.
        vectors: float32, (V, E); the embeddings at the start.
        encoder: further weights of the classifier at the start, by name; none for random ones.
        description: of encoder and teacher, as kept in ``config.json``; empty where there are none.
    """

    data: TrainingData
    vectors: NDArray[np.float32]
    encoder: Mapping[str, Tensor] = field(default_factory=dict)
    description: dict[str, Any] = field(default_factory=dict)


def starting_vectors(path: Path, recipe: Recipe, data: TrainingData, seed: int) -> NDArray[np.float32]:
    """Return the embeddings at the start, float32, (V, D): from the table, and the others as the recipe says."""
    stored = load_file(path)
    vectors, found = stored["vectors"], stored["found"]  # the vocabulary stage has drawn the others already
    if recipe.model.missing_vectors == "matched":
        return vectors
    if recipe.model.missing_vectors == "standard":
        return draw_missing_vectors(vectors, found, seed=seed, distribution="standard")
    texts = [data.sequences[row] for row in data.training_rows]
    review_of_token = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    return fill_from_contexts(vectors, found, np.concatenate(texts), review_of_token)


def fitting_encoder(recipe: Recipe, folder: Path, corpus: Mapping[str, Any], words: Mapping[str, Any]) -> Encoder:
    """Return what a recipe takes from the pretrained encoder that it names.

    Args:
        recipe: what to train.
        folder: of the encoder.
        corpus: manifest of the corpus.
        words: manifest of the vocabulary.

    Raises:
        SentimentError: it is missing or damaged, or of another corpus or vocabulary.
        UsageError: it has other sizes than the recipe's network, or has read its validation part.
    """
    encoder = load_encoder(folder, words["fingerprint"])
    made_of = encoder.manifest["inputs"]
    if (made_of["corpus"], made_of["tokens"]) != (corpus["fingerprint"], words["inputs"]["tokens"]):
        raise SentimentError(
            f"{folder}: pretrained on another corpus, which may hold this one's test reviews; "
            f"{remedy_for(folder)} again"
        )
    sizes, model = encoder.manifest["settings"], recipe.model
    unread = encoder.manifest.get("validation_fraction", DEFAULT_FRACTION)
    if unread != recipe.training.validation_fraction:
        raise UsageError(
            f"recipe {recipe.name}: the encoder {model.encoder!r} has left {unread:g} of train unread; "
            f"write validation_fraction = {unread:g}, or the validation part is no stranger to it"
        )
    if model.encoder_parts == "embedding":
        return replace(encoder, weights={"embedding.weight": encoder.weights["embedding.weight"]})
    wanted = (1, sizes["hidden_size"], sizes["bidirectional"])
    if (model.layers, model.hidden_size, model.bidirectional) != wanted:
        raise UsageError(
            f"recipe {recipe.name}: the encoder {model.encoder!r} has layers = 1, hidden_size = {wanted[1]}, "
            f'bidirectional = {str(wanted[2]).lower()}; give the recipe the same, or encoder_parts = "embedding"'
        )
    return encoder


def load_origins(
    recipe: Recipe,
    data: TrainingData,
    vocabulary: Vocabulary,
    tokens_folder: Path,
    vocabulary_folder: Path,
    corpus: Mapping[str, Any],
    words: Mapping[str, Any],
    seed: int,
) -> Origins:
    """Read what a recipe starts from; encoders and teachers' labels lie beside the vocabulary's folder.

    Args:
        recipe: what to train.
        data: the labelled reviews.
        vocabulary: gives the token ids.
        tokens_folder: what ``sentiment tokens`` wrote.
        vocabulary_folder: what ``sentiment vocab`` wrote.
        corpus: manifest of the corpus.
        words: manifest of the vocabulary.
        seed: of vectors that are drawn.

    Raises:
        SentimentError: a stage is missing or damaged.
        UsageError: see :func:`fitting_encoder`.
    """
    description: dict[str, Any] = {}
    if recipe.training.teacher:
        folder = vocabulary_folder.parent / "teachers" / recipe.training.teacher
        taught, labels = load_taught_reviews(folder, tokens_folder, vocabulary, recipe.model.unknown_words)
        if labels["inputs"]["corpus"] != corpus["fingerprint"]:
            raise SentimentError(f"{folder}: labels of another corpus; {remedy_for_labels(folder)} again")
        if labels["validation_fingerprint"] != fingerprint_of_rows(data.validation_rows):
            raise SentimentError(
                f"{folder}: its teachers were not fitted without this recipe's validation part; "
                f"train them with the same validation_fraction and {remedy_for_labels(folder)} again"
            )
        data = replace(data, taught=taught)
        description["teacher"] = {"name": folder.name, **{name: labels.get(name) for name in OF_TEACHER}}
    if not recipe.model.encoder:
        vectors = starting_vectors(vocabulary_folder / "vectors.safetensors", recipe, data, seed)
        return Origins(data, vectors, description=description)
    folder = vocabulary_folder.parent / "encoders" / recipe.model.encoder
    encoder = fitting_encoder(recipe, folder, corpus, words)
    description["encoder"] = {"name": folder.name, **{name: encoder.manifest.get(name) for name in OF_ENCODER}}
    return Origins(data, encoder.weights["embedding.weight"].numpy(), encoder.weights, description)
