"""Fifth stage: train a recipe on the tokenised corpus and leave a model folder.

Every random number of a step comes from the seed and the step's number alone, so that a run that is killed and resumed
from its checkpoint ends with the same weights, bit for bit on the same CPU, build and thread count.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from pipeline.artifacts import (
    StageOutput,
    read_manifest,
    require_unchanged,
    sha256_of_text,
    to_json,
    write_text_atomically,
)
from pipeline.calibration import fit_bias, fit_temperature
from pipeline.checkpoints import CHECKPOINT_FORMAT, CHECKPOINT_NAME, CheckpointFile, TrainingState
from pipeline.config import Recipe
from pipeline.console import Console
from pipeline.distributed import joined_processes
from pipeline.folded import obstacle
from pipeline.inference import LAST_TRAINED_NAME
from pipeline.interrupt import DeferredInterrupt
from pipeline.lineage import check_lineage
from pipeline.model_folder import TrainedModel, write_model_folder
from pipeline.origins import load_origins
from pipeline.scoring_precision import choose_precision
from pipeline.trainer import Trainer
from pipeline.training_data import load_training_data
from pipeline.vocabulary import Vocabulary


def run_epochs(
    trainer: Trainer, checkpoint: CheckpointFile[TrainingState], console: Console, checkpoint_seconds: float
) -> None:
    """Train until the recipe says stop, with a checkpoint at least every ``checkpoint_seconds`` and after each epoch.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the step under way is done and a checkpoint is written.
    """

    processes = trainer.processes

    def save() -> None:
        if processes.first:
            checkpoint.save(trainer.state, trainer.modules(), trainer.optimizer, trainer.best)

    state = trainer.state
    clock = EpochClock()
    with DeferredInterrupt() as interrupt:
        while not trainer.finished():
            last_save = time.monotonic()
            description = f"epoch {state.epoch + 1}/{trainer.settings.epochs}"
            with console.progress(trainer.reviews, description) as progress:
                progress.update(state.reviews_seen)
                for batch in trainer.batches()[state.batch :]:
                    loss = trainer.train_on(batch)
                    progress.update(len(batch))
                    progress.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                    clock.add_to(state)
                    stop = processes.any(interrupt.requested)
                    if stop or time.monotonic() - last_save > checkpoint_seconds:
                        save()
                        last_save = time.monotonic()
                    if stop:
                        processes.wait()  # for the checkpoint: who leaves early has the others stopped
                        raise KeyboardInterrupt
            logits = trainer.agreed_logits()
            clock.add_to(state)
            line = trainer.finish_epoch(logits)
            save()
            console.say(epoch_message(line, trainer.settings.epochs))


class EpochClock:
    """Adds up the wall time of an epoch, checkpoints and validation included, over interruptions."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def add_to(self, state: TrainingState) -> None:
        """Add the time since the last call."""
        now = time.perf_counter()
        state.epoch_seconds += now - self._last
        self._last = now


def epoch_message(line: dict[str, float], epochs: int) -> str:
    """Return the console line of a finished epoch."""
    minutes_left = (epochs - line["epoch"]) * line["seconds"] / 60
    return (
        f"epoch {line['epoch']:.0f}/{epochs}: loss {line['training_loss']:.4f}, "
        f"validation accuracy {line['validation_accuracy']:.4f}, log loss {line['validation_log_loss']:.4f}, "
        f"{line['reviews_per_second']:,.0f} reviews/s, at most {minutes_left:.1f} min left"
    )


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def train_model(
    recipe: Recipe,
    corpus_folder: Path,
    tokens_folder: Path,
    vocabulary_folder: Path,
    models_folder: Path,
    console: Console,
    *,
    seed: int,
    checkpoint_seconds: float = 120.0,
    draw_curves: bool = True,
) -> Path:
    """Train a recipe, or go on with the run that a checkpoint holds; return the model folder.

    Args:
        recipe: what to train.
        corpus_folder: what ``sentiment data`` wrote.
        tokens_folder: what ``sentiment tokens`` wrote.
        vocabulary_folder: what ``sentiment vocab`` wrote.
        models_folder: receives ``<source>-<recipe>-s<seed>/`` and ``last-trained.txt``.
        console: told about progress.
        seed: any non-negative number.
        checkpoint_seconds: longest time between checkpoints.
        draw_curves: whether the model folder gets a picture of the epochs.

    Raises:
        SentimentError: an earlier stage is missing, was made from another corpus, or another run trains this model.
    """
    with joined_processes() as processes:
        console = console if processes.first else Console(quiet=True)
        corpus = read_manifest(corpus_folder, "data")
        tokens = read_manifest(tokens_folder, "tokens")
        words = read_manifest(vocabulary_folder, "vocab")
        check_lineage(corpus, tokens, words)
        folder = models_folder / f"{corpus['name']}-{recipe.name}-s{seed}"
        with StageOutput(folder, "train") if processes.first else nullcontext() as output:
            processes.wait()  # for the lock
            vocabulary = Vocabulary.load(vocabulary_folder / "vocabulary.txt")
            fraction, unknown_words = recipe.training.validation_fraction, recipe.model.unknown_words
            data = load_training_data(corpus_folder, tokens_folder, vocabulary, fraction, unknown_words)
            origins = load_origins(recipe, data, vocabulary, tokens_folder, vocabulary_folder, corpus, words, seed)
            require_unchanged(corpus_folder, "data", corpus)
            require_unchanged(tokens_folder, "tokens", tokens)
            require_unchanged(vocabulary_folder, "vocab", words)
            start = (origins.vectors, origins.data)
            trainer = Trainer(recipe, *start, seed, processes.device(), processes=processes, encoder=origins.encoder)
            identity = run_identity(trainer, recipe, corpus, tokens, words)
            identity |= {name: entry["fingerprint"] for name, entry in origins.description.items()}
            checkpoint = CheckpointFile(folder / CHECKPOINT_NAME, identity, TrainingState)
            if trainer.device.type == "cpu" and obstacle(recipe.model):
                console.say(f"train: {obstacle(recipe.model)}; torch's own GRU is several times slower")
            resume(trainer, checkpoint, console)
            run_epochs(trainer, checkpoint, console, checkpoint_seconds)
            if output is not None:
                trained = finished_run(trainer, recipe, vocabulary, folder.name)
                write_text_atomically(models_folder / LAST_TRAINED_NAME, folder.name + "\n")
                stages = {"corpus": corpus, "tokens": tokens, "words": words, "origins": origins.description}
                config = write_model_folder(output, trained, **stages, draw_curves=draw_curves)
                checkpoint.remove()
                console.say(finished_message(config, folder))
    return folder


def finished_message(config: dict[str, Any], folder: Path) -> str:
    """Return the console line of a finished run from its ``config.json``."""
    select_by = config["recipe"]["training"]["select_by"].replace("_", " ")
    return (
        f"train: best epoch {config['training']['best_epoch']} by {select_by}, "
        f"validation accuracy {config['validation']['accuracy']:.4f} after its output bias was fitted there, "
        f"{config['training']['seconds'] / 60:.1f} min, model in {folder}"
    )


def run_identity(
    trainer: Trainer, recipe: Recipe, corpus: dict[str, Any], tokens: dict[str, Any], words: dict[str, Any]
) -> dict[str, Any]:
    """Return what makes a run this one and no other; a checkpoint of another is not resumed."""
    return {
        "format": CHECKPOINT_FORMAT,
        "recipe": sha256_of_text(to_json(recipe.to_dict())),
        "seed": trainer.seed,
        "recurrence": trainer.recurrence(),
        "vocabulary": words["fingerprint"],
        "tokens": tokens["fingerprint"],
        "corpus": corpus["fingerprint"],
        "torch": torch.__version__,
    }


def finished_run(trainer: Trainer, recipe: Recipe, vocabulary: Vocabulary, name: str) -> TrainedModel:
    """Return what a finished run hands over: the weights of the best epoch and how they fare on validation."""
    trainer.evaluated().load_state_dict(trainer.best)
    data = trainer.data
    labels = data.labels[data.validation_rows]
    bias = fit_bias(trainer.validation_logits("float32"), labels)
    trainer.best["output.bias"] += bias
    trainer.evaluated().load_state_dict(trainer.best)
    logits = {precision: trainer.validation_logits(precision) for precision in trainer.scoring_precisions()}
    precision, differences = choose_precision(logits, fit_temperature(logits["float32"], labels))
    return TrainedModel(
        name=name,
        recipe=recipe,
        seed=trainer.seed,
        weights=trainer.best,
        vocabulary=vocabulary,
        validation_rows=data.validation_rows,
        validation_labels=labels,
        validation_logits=logits[precision],
        scoring_precision=precision,
        precision_differences=differences,
        fitted_bias=bias,
        history=trainer.state.history,
        best_epoch=trainer.state.best_epoch,
        training_reviews=trainer.reviews,
        labelled_reviews=len(data.training_rows),
        low_precision=trainer.low_precision,
        recurrence=trainer.recurrence(),
        device=str(trainer.device),
        processes=trainer.processes.count,
        peak_memory_bytes=peak_memory_bytes(),
    )


def resume(trainer: Trainer, checkpoint: CheckpointFile[TrainingState], console: Console) -> None:
    """Bring the trainer to where a checkpoint of the same run stands, if there is one.

    Raises:
        SentimentError: not all processes find the same checkpoint.
    """
    restored = checkpoint.restore(trainer.modules(), trainer.optimizer)
    if restored is not None:
        trainer.state, trainer.best = restored
        console.say(
            f"train: going on from {checkpoint.path}, epoch {trainer.state.epoch + 1}, step {trainer.state.step}"
        )
    elif checkpoint.path.exists():
        console.say(f"train: {checkpoint.path} is of another run or not readable; starting over")
    standing = f"{json.dumps(checkpoint.identity, sort_keys=True)} {trainer.state.step}"
    trainer.processes.require_same(sha256_of_text(standing), "checkpoint, corpus or way to compute")
