"""Entries of ``metrics.json`` that say where figures come from: model, training, vectors, corpus, command."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json
from pipeline.evaluation.scorer import Scorer


def model_entry(model: Scorer) -> dict[str, Any]:
    """Return the ``model`` entry of ``metrics.json``."""
    config = model.config
    entry = {
        "name": model.name,
        "weights_sha256": config.get("files", {}).get("model.safetensors"),
        "temperature": model.temperature,
        "pretrained_on_unlabelled_text": bool(config.get("origins")),
    }
    for key in ("recipe", "seed", "validation", "training"):
        entry[key] = config.get(key)
    return entry


def vectors_entry(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ``vectors`` entry of ``metrics.json``: the pretrained vectors and their coverage of the vocabulary."""
    entry = {**(config.get("vectors") or {})}
    if config.get("coverage") is not None:
        entry["coverage"] = config["coverage"]
    return entry or None


def evaluation_command(
    model_folder: Path,
    labelled_file: Path | None,
    options: Mapping[str, str | None],
    baselines: bool,
    with_robustness: bool = True,
) -> str:
    """Return the command line that repeats an evaluation."""
    words = ["sentiment", "evaluate"]
    if labelled_file is not None:
        words.append(str(labelled_file))
    words += ["--model", str(model_folder)]
    for flag, value in options.items():
        if value is not None:
            words += [flag, value]
    if not baselines:
        words.append("--no-baselines")
    if not with_robustness:
        words.append("--no-robustness")
    return shlex.join(words)


def corpus_audit(corpus_folder: Path) -> dict[str, Any] | None:
    """Return the findings of the corpus audit, or None where there are none."""
    path = corpus_folder / "audit.json"
    return read_json(path, "run `sentiment data` (or `make data`) again") if path.is_file() else None


def training_history(model_folder: Path, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the ``training_history`` entry of ``metrics.json``; None where there is no ``training.csv``."""
    path = model_folder / "training.csv"
    best_epoch = (config.get("training") or {}).get("best_epoch")
    if not path.is_file() or best_epoch is None:
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        epochs = [{name: float(value) for name, value in line.items()} for line in csv.DictReader(stream)]
    return {"best_epoch": best_epoch, "epochs": epochs}
