"""What the baselines may learn from: the training reviews that the model fitted its weights on, no more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.baselines import BaselineCorpus
from pipeline.errors import SentimentError
from pipeline.evaluation.labelled_texts import LabelledTexts, column, require_labels
from pipeline.splits import SPLIT_SEED, fingerprint_of_rows, held_out_rows

VALIDATION_NAME = "validation.arrow"


def validation_rows(
    model_folder: Path, config: Mapping[str, Any], labels: NDArray[np.int8], duplicate_groups: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Return the rows of the training split that a model held out.

    They stand in the model folder; a compact copy has only their fingerprint, and they are drawn again by it.

    Args:
        model_folder: of a model that was trained on the corpus of the labels.
        config: its ``config.json``.
        labels: of the training split, (N,).
        duplicate_groups: of the training split, (N,).

    Returns:
        int64, sorted; None where they are not known.

    Raises:
        SentimentError: ``validation.arrow`` is damaged or names a row that the split lacks.
    """
    path = model_folder / VALIDATION_NAME
    if path.is_file():
        rows = column(read_arrow(path, ["row"], "train"), "row")
        if rows.size and (rows.min() < 0 or rows.max() >= labels.size):
            raise SentimentError(f"{path}: names a row that the training split lacks; train the model again")
        return rows
    validation = config.get("validation") or {}
    fraction = validation.get("fraction")
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        return None
    drawn = held_out_rows(labels, duplicate_groups, fraction, SPLIT_SEED)
    return drawn if fingerprint_of_rows(drawn) == validation.get("fingerprint") else None


def baseline_corpus(
    model_folder: Path, config: Mapping[str, Any], corpus_folder: Path, data: LabelledTexts
) -> BaselineCorpus | None:
    """Return what the baselines may see: the training split without the model's validation part.

    A model of another corpus held nothing out of this one.

    Returns:
        None where the model was trained on this corpus and what it held out is not known.

    Raises:
        SentimentError: the training split or ``validation.arrow`` is damaged, or they do not belong together.
    """
    path = corpus_folder / "train.arrow"
    table = read_arrow(path, ["label", "duplicate_group"], "data")
    labels = require_labels(path, column(table, "label"))
    kept = np.ones(labels.size, dtype=np.bool_)
    if data.description["trained_on_this_corpus"]:
        held_out = validation_rows(model_folder, config, labels, column(table, "duplicate_group"))
        if held_out is None:
            return None
        kept[held_out] = False
    rows = np.flatnonzero(kept)

    def read_training_texts() -> list[str]:
        texts = read_arrow(path, ["text"], "data").column("text")
        chosen: list[str] = texts.take(pa.array(rows)).to_pylist()
        return chosen

    return BaselineCorpus(data.description["fingerprint"], rows, labels[rows], read_training_texts, data.texts)
