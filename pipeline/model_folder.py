"""What training leaves behind: weights, vocabulary, ``config.json``, curves and a model card."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from pipeline.artifacts import StageOutput
from pipeline.calibration import fit_temperature, log_loss_of_logits
from pipeline.config import Recipe
from pipeline.curves import training_curves
from pipeline.inference import CONFIG_NAME, MODEL_FORMAT, VOCABULARY_NAME, WEIGHTS_NAME
from pipeline.machine import machine_description, versions_in_use
from pipeline.plots import render
from pipeline.splits import fingerprint_of_rows
from pipeline.vocabulary import Vocabulary

VALIDATION_SCHEMA = pa.schema([("row", pa.int64()), ("label", pa.int8()), ("logit", pa.float32())])


@dataclass(frozen=True)
class TrainedModel:
    """A finished run, as handed over by the training loop.

    Attributes:
        weights: of the best epoch, by name.
        validation_rows: int64, rows of the training split that were held out.
        validation_labels: int8, their labels.
        validation_logits: float32, their uncalibrated logits under ``weights``, in the precision of scoring.
        scoring_precision: the roughest that changes next to nothing on the validation part.
        precision_differences: of each precision that was tried, from float32.
        fitted_bias: what the fit on validation reviews added to the output layer's bias; it is in ``weights`` already.
        history: one entry for each epoch.
        training_reviews: how many reviews and pieces the weights were fitted on.
        labelled_reviews: those of them with a true label.
        low_precision: whether the forward pass in training ran in bfloat16.
        recurrence: what computed the recurrence, and how precisely.
        processes: how many shared each batch.
        peak_memory_bytes: of the first of them.
    """

    name: str
    recipe: Recipe
    seed: int
    weights: dict[str, Tensor]
    vocabulary: Vocabulary
    validation_rows: NDArray[np.int64]
    validation_labels: NDArray[np.int8]
    validation_logits: NDArray[np.float32]
    scoring_precision: str
    precision_differences: dict[str, dict[str, Any]]
    fitted_bias: float
    history: list[dict[str, float]]
    best_epoch: int
    training_reviews: int
    labelled_reviews: int
    low_precision: bool
    recurrence: str
    device: str
    processes: int
    peak_memory_bytes: int


def training_csv(history: list[dict[str, float]]) -> str:
    """Return the training log as CSV text, one line an epoch."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{value:.6g}" for key, value in line.items()} for line in history)
    return stream.getvalue()


def describe_training(trained: TrainedModel) -> dict[str, Any]:
    """Return the run's costs, as kept in ``config.json``."""
    seconds = sum(line["seconds"] for line in trained.history)
    return {
        "epochs_run": len(trained.history),
        "best_epoch": trained.best_epoch,
        "seconds": round(seconds, 1),
        "reviews_per_second": round(trained.training_reviews * len(trained.history) / max(seconds, 1e-9), 1),
        "peak_memory_bytes": trained.peak_memory_bytes,
        "reviews": trained.training_reviews,
        "labelled_reviews": trained.labelled_reviews,
        "device": trained.device,
        "processes": trained.processes,
        "threads": torch.get_num_threads(),
        "precision": "bfloat16" if trained.low_precision else "float32",
        "recurrence": trained.recurrence,
    }


def describe_validation(trained: TrainedModel) -> dict[str, Any]:
    """Return the figures of the held-out part; temperature scaling changes the log loss, never the accuracy."""
    logits, labels = trained.validation_logits, trained.validation_labels
    return {
        "rows": len(labels),
        "fraction": trained.recipe.training.validation_fraction,
        "accuracy": float(np.mean((logits >= 0) == labels)),
        "log_loss": log_loss_of_logits(logits, labels),
        "fingerprint": fingerprint_of_rows(trained.validation_rows),
    }


def render_model_card(config: dict[str, Any]) -> str:
    """Return the model card (Mitchell et al. 2019), Markdown, filled in from ``config.json``."""
    template = (resources.files("pipeline") / "templates" / "model_card.md.j2").read_text(encoding="utf-8")
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(template).render(config=config)


def write_model_folder(
    output: StageOutput,
    trained: TrainedModel,
    *,
    corpus: dict[str, Any],
    tokens: dict[str, Any],
    words: dict[str, Any],
    origins: dict[str, Any],
    draw_curves: bool = True,
) -> dict[str, Any]:
    """Publish a model folder, ``config.json`` last; return the configuration.

    Args:
        output: the folder, locked.
        trained: the finished run.
        corpus: manifest of the corpus.
        tokens: manifest of the tokens.
        words: manifest of the vocabulary.
        origins: the pretrained encoder and the teacher's labels, where there are any.
        draw_curves: whether to draw ``training.png``.
    """
    weights = {name: tensor.cpu().contiguous() for name, tensor in trained.weights.items()}
    output.path(WEIGHTS_NAME).write_bytes(save(weights))
    trained.vocabulary.save(output.path(VOCABULARY_NAME))
    columns = [trained.validation_rows, trained.validation_labels, trained.validation_logits]
    with pa.ipc.new_file(str(output.path("validation.arrow")), VALIDATION_SCHEMA) as writer:
        writer.write_table(pa.table([pa.array(column) for column in columns], schema=VALIDATION_SCHEMA))
    output.path("training.csv").write_text(training_csv(trained.history), encoding="utf-8")
    if draw_curves:
        figure = training_curves(trained.history, trained.best_epoch)
        output.path("training.png").write_bytes(render(figure, "png"))
    written = output.describe_files()
    config: dict[str, Any] = {
        "format": MODEL_FORMAT,
        "name": trained.name,
        "recipe": trained.recipe.to_dict(),
        "seed": trained.seed,
        "scoring_precision": trained.scoring_precision,
        "precision_differences": trained.precision_differences,
        "fitted_bias": trained.fitted_bias,
        "temperature": fit_temperature(trained.validation_logits, trained.validation_labels),
        "files": {name: written[name]["sha256"] for name in (WEIGHTS_NAME, VOCABULARY_NAME)},
        "parameters": sum(tensor.numel() for tensor in trained.weights.values()),
        "bytes": written[WEIGHTS_NAME]["bytes"],
        "corpus": {"name": corpus["name"], "fingerprint": corpus["fingerprint"], "sample": corpus.get("sample", False)},
        "tokens_fingerprint": tokens["fingerprint"],
        "vocabulary_fingerprint": words["fingerprint"],
        "vectors": words["vectors"],
        "coverage": words.get("coverage"),
        "origins": origins,
        "validation": describe_validation(trained),
        "training": describe_training(trained),
        "versions": versions_in_use(),
        "machine": machine_description(),
    }
    output.path("README.md").write_text(render_model_card(config), encoding="utf-8")
    output.publish(CONFIG_NAME, config)
    return config
