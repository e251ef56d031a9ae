"""What a pretrained language model hands to a classifier: embeddings and GRU, verified, by the classifier's names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.artifacts import MANIFEST_FORMAT, MANIFEST_NAME, read_json, sha256_of_file
from pipeline.errors import SentimentError
from pipeline.special_tokens import PAD_ID

WEIGHTS_NAME = "model.safetensors"
VOCABULARY_NAME = "vocabulary.txt"
FILE_NAMES = (WEIGHTS_NAME, VOCABULARY_NAME)
CLASSIFIER_PARTS = ("embedding.", "layers.")
"""How the names of those weights begin that a classifier has too."""


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder.

    Attributes:
        weights: float32, by the classifier's names: ``embedding.weight``, (V, E), its row of ``<pad>`` zero, and
            ``layers.0.*``.
        manifest: the content of ``manifest.json``; ``manifest["settings"]`` has the sizes.
    """

    weights: dict[str, Tensor]
    manifest: dict[str, Any]


def remedy_for(folder: Path) -> str:
    """Return the command that makes an encoder's folder, ``data/encoders/NAME``."""
    return f"run `sentiment pretrain --name {folder.name}` (or `make pretrain ENCODER={folder.name}`)"


def read_encoder_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a finished language model.

    Raises:
        SentimentError: there is none, or it was written by another version.
    """
    remedy = remedy_for(folder)
    manifest = read_json(folder / MANIFEST_NAME, f"{remedy} first")
    if (manifest.get("format"), manifest.get("stage")) != (MANIFEST_FORMAT, "pretrain"):
        raise SentimentError(f"{folder / MANIFEST_NAME}: written by another version; {remedy} again")
    return manifest


def read_language_model(folder: Path, manifest: dict[str, Any]) -> dict[str, Tensor]:
    """Return all weights of a language model by name, once its files are found to be those of the manifest.

    Raises:
        SentimentError: a file is missing, damaged or changed.
    """
    for name in FILE_NAMES:
        try:
            found = sha256_of_file(folder / name)
        except OSError as error:
            raise SentimentError(f"{folder / name}: {error.strerror}; {remedy_for(folder)} again") from error
        if found != manifest.get("files", {}).get(name, {}).get("sha256"):
            raise SentimentError(f"{folder / name}: changed since it was written; {remedy_for(folder)} again")
    try:
        return load_file(folder / WEIGHTS_NAME)
    except (SafetensorError, OSError) as error:
        raise SentimentError(f"{folder / WEIGHTS_NAME}: not readable ({error}); {remedy_for(folder)} again") from error


def load_encoder(folder: Path, vocabulary_fingerprint: str) -> Encoder:
    """Read and verify an encoder.

    Args:
        folder: what ``sentiment pretrain`` wrote.
        vocabulary_fingerprint: of the vocabulary that its token ids must be of.

    Raises:
        SentimentError: it is missing or damaged, or its token ids are those of another vocabulary.
    """
    manifest = read_encoder_manifest(folder)
    if manifest.get("inputs", {}).get("vocabulary") != vocabulary_fingerprint:
        raise SentimentError(f"{folder}: pretrained with another vocabulary than today's; {remedy_for(folder)} again")
    weights = read_language_model(folder, manifest)
    shared = {name: weight for name, weight in weights.items() if name.startswith(CLASSIFIER_PARTS)}
    shared["embedding.weight"][PAD_ID] = 0  # to the language model this row was the end of a review
    return Encoder(shared, manifest)
