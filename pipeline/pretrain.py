"""Optional stage between vocabulary and training: a language model of the reviews, from which a classifier can start.

Reads the text of the train and unsupervised splits, never a test review. Labels of train serve to find the validation
part, which is the classifier's own and stays unread; nothing is learnt from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file
from safetensors.torch import save

from pipeline.artifacts import StageOutput, read_manifest, require_unchanged, sha256_of_text, to_json
from pipeline.checkpoints import CHECKPOINT_FORMAT, CHECKPOINT_NAME, CheckpointFile
from pipeline.console import Console
from pipeline.encoder import VOCABULARY_NAME, WEIGHTS_NAME
from pipeline.kernel_library import BFLOAT16, SIZE_MULTIPLE, Kernels, kernel_problem, load_kernels
from pipeline.lineage import check_lineage
from pipeline.machine import machine_description, versions_in_use
from pipeline.pretrainer import Pretrainer, PretrainingState
from pipeline.pretraining_data import PretrainingText, load_pretraining_text
from pipeline.pretraining_run import PretrainingRun, history_csv
from pipeline.pretraining_settings import PretrainingSettings
from pipeline.vocabulary import Vocabulary

HELD_OUT_REVIEWS = 400
"""Perplexity is measured on so many of the validation part: enough for two digits, in a few seconds."""


def chosen_device() -> torch.device:
    """Return the GPU that CUDA offers, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def chosen_kernels(settings: PretrainingSettings, device: torch.device, console: Console) -> Kernels | None:
    """Return the kernels where they compute this network, else None; the user is told what is slower then."""
    if device.type != "cpu":
        return None
    if settings.hidden_size % SIZE_MULTIPLE:
        reason = f"the compiled kernels need a hidden size that is a multiple of {SIZE_MULTIPLE}"
    else:
        kernels = load_kernels()
        if kernels is not None:
            return kernels
        reason = f"no compiled kernels ({kernel_problem()})"
    console.say(f"pretrain: {reason}; torch runs the network, slower")
    return None


@contextmanager
def shared_cores(directions: int, compiled: bool) -> Iterator[None]:
    """Give each direction its share of the cores; on the kernels one thread, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if compiled else max(1, before // directions))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def read_stages(corpus_folder: Path, tokens_folder: Path, vocabulary_folder: Path) -> dict[str, dict[str, Any]]:
    """Return the manifests of the stages before, by name.

    Raises:
        SentimentError: one is missing, or they were not made from each other.
    """
    manifests = {
        "corpus": read_manifest(corpus_folder, "data"),
        "tokens": read_manifest(tokens_folder, "tokens"),
        "vocabulary": read_manifest(vocabulary_folder, "vocab"),
    }
    check_lineage(manifests["corpus"], manifests["tokens"], manifests["vocabulary"])
    return manifests


def name_of(device: torch.device) -> str:
    """Return what a run was computed on."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def precision_of(kernels: Kernels | None, device: torch.device) -> str:
    """Return how the numbers of a run are stored."""
    if kernels is not None:
        return "bfloat16" if kernels.kind is BFLOAT16 else "float32"
    return "float32" if device.type == "cpu" else "float32, softmax in bfloat16"


def write_language_model(
    output: StageOutput, trainer: Pretrainer, vocabulary: Vocabulary, inputs: dict[str, str], details: dict[str, Any]
) -> dict[str, Any]:
    """Publish the weights, the vocabulary and the log; return the manifest."""
    weights = {name: tensor.cpu().contiguous() for name, tensor in trainer.model.state_dict().items()}
    output.path(WEIGHTS_NAME).write_bytes(save(weights))
    vocabulary.save(output.path(VOCABULARY_NAME))
    output.path("pretraining.csv").write_text(history_csv(trainer.state.history), encoding="utf-8")
    details |= {
        "history": trainer.state.history,
        "seconds": round(trainer.state.seconds, 1),
        "parameters": sum(weight.numel() for weight in weights.values()),
        "device": name_of(trainer.device),
        "machine": machine_description(),
        "versions": versions_in_use(),
    }
    return output.commit(inputs, {**asdict(trainer.settings), "seed": trainer.seed}, details)


def describe_text(text: PretrainingText, validation_fraction: float) -> dict[str, Any]:
    """Return what was read, for the manifest."""
    return {
        "reviews": len(text.reviews),
        "tokens": sum(map(len, text.reviews)),
        "left_out": text.left_out,
        "validation_fraction": validation_fraction,
    }


def pretrain_encoder(
    settings: PretrainingSettings,
    corpus_folder: Path,
    tokens_folder: Path,
    vocabulary_folder: Path,
    folder: Path,
    console: Console,
    *,
    seed: int,
    validation_fraction: float = 0.1,
    checkpoint_seconds: float = 180.0,
) -> dict[str, Any]:
    """Train the language model, or go on with the run that a checkpoint holds; return the manifest.

    Args:
        settings: how the model is made.
        corpus_folder: what ``sentiment data`` wrote.
        tokens_folder: what ``sentiment tokens`` wrote.
        vocabulary_folder: what ``sentiment vocab`` wrote.
        folder: receives the weights, the vocabulary and the log.
        console: told about progress.
        seed: any non-negative number.
        validation_fraction: share of train whose text stays unread, as in training.
        checkpoint_seconds: longest time between checkpoints.

    Raises:
        SentimentError: an earlier stage is missing or of other data, or another run is at it.
    """
    manifests = read_stages(corpus_folder, tokens_folder, vocabulary_folder)
    inputs = {name: manifest["fingerprint"] for name, manifest in manifests.items()}
    device = chosen_device()
    kernels = chosen_kernels(settings, device, console)
    directions = 2 if settings.bidirectional else 1
    with StageOutput(folder, "pretrain") as output, shared_cores(directions, kernels is not None):
        vocabulary = Vocabulary.load(vocabulary_folder / "vocabulary.txt")
        text = load_pretraining_text(corpus_folder, tokens_folder, vocabulary, validation_fraction)
        vectors = load_file(vocabulary_folder / "vectors.safetensors")["vectors"]
        require_unchanged(corpus_folder, "data", manifests["corpus"])
        require_unchanged(tokens_folder, "tokens", manifests["tokens"])
        require_unchanged(vocabulary_folder, "vocab", manifests["vocabulary"])
        trainer = Pretrainer(settings, vectors, text.reviews, seed, kernels, device)
        kind = f"torch, {device.type}" if kernels is None else kernels.kind.name
        identity = {"format": CHECKPOINT_FORMAT, "seed": seed, "kind": kind, "torch": torch.__version__, **inputs}
        identity["validation_fraction"] = validation_fraction
        identity["settings"] = sha256_of_text(to_json(asdict(settings)))
        checkpoint = CheckpointFile(folder / CHECKPOINT_NAME, identity, PretrainingState)
        details = describe_text(text, validation_fraction) | {"precision": precision_of(kernels, device)}
        console.say(f"pretrain: {len(text.reviews):,} reviews, {details['tokens']:,} tokens, {trainer.steps:,} steps")
        run = PretrainingRun(trainer, checkpoint, console)
        run.resume()
        every = max(1, len(text.held_out) // HELD_OUT_REVIEWS)  # train is sorted by label
        run.run(text.held_out[::every][:HELD_OUT_REVIEWS], checkpoint_seconds)
        manifest = write_language_model(output, trainer, vocabulary, inputs, details)
        checkpoint.remove()
    console.say(f"pretrain: {trainer.state.seconds / 60:.1f} min, language model in {folder}")
    return manifest
