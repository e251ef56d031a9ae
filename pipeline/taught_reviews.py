"""Reads the soft labels that ``sentiment teach`` wrote, as token ids and probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import MANIFEST_FORMAT, MANIFEST_NAME, read_json, read_manifest
from pipeline.config import UnknownWords
from pipeline.errors import SentimentError
from pipeline.pretraining_data import SPLITS
from pipeline.review_spans import Spans, TokenisedReviews
from pipeline.teacher import LABELS_NAME, SCHEMA
from pipeline.training_data import TaughtReviews
from pipeline.vocabulary import Vocabulary


def remedy_for_labels(folder: Path) -> str:
    """Return the command that makes a folder of labels, ``data/teachers/NAME``."""
    return f'run `sentiment teach MODEL ... --name {folder.name}` (or `make teach TEACHERS="MODEL ..."`)'


def load_taught_reviews(
    folder: Path, tokens_folder: Path, vocabulary: Vocabulary, unknown_words: UnknownWords
) -> tuple[TaughtReviews, dict[str, Any]]:
    """Return the reviews and pieces that a teacher labelled, and the manifest of the labels.

    Args:
        folder: what ``sentiment teach`` wrote.
        tokens_folder: what ``sentiment tokens`` wrote.
        vocabulary: gives the token ids.
        unknown_words: what becomes of words that the vocabulary lacks.

    Raises:
        SentimentError: the labels are missing, damaged, or of other tokens.
    """
    remedy = remedy_for_labels(folder)
    manifest = read_json(folder / MANIFEST_NAME, f"{remedy} first")
    if (manifest.get("format"), manifest.get("stage")) != (MANIFEST_FORMAT, "teach"):
        raise SentimentError(f"{folder / MANIFEST_NAME}: written by another version; {remedy} again")
    if manifest["inputs"]["tokens"] != read_manifest(tokens_folder, "tokens")["fingerprint"]:
        raise SentimentError(f"{folder}: labels of other tokens; {remedy} again")
    table = read_arrow(folder / LABELS_NAME, SCHEMA.names, "teach")
    split, row, start, end, probability = (table[name].to_numpy() for name in SCHEMA.names)
    spans = Spans(split, row, start, end)
    reviews = TokenisedReviews(tokens_folder, [SPLITS[place] for place in np.unique(split)])
    ids_of_forms = vocabulary.token_ids(reviews.forms, unknown_words)
    return TaughtReviews(reviews.spans(ids_of_forms, spans), probability.astype(np.float32)), manifest
