"""Fifth stage: train a recipe on the tokenised corpus and leave a model folder.

Every random number of a step comes from the seed and the step's number alone, so that a run that is killed and resumed
from its checkpoint ends with the same weights, bit for bit on the same CPU, build and thread count.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pipeline.artifacts import (
    StageOutput,
    read_manifest,
    require_unchanged,
    sha256_of_text,
    to_json,
    write_text_atomically,
)
from pipeline.calibration import fit_temperature
from pipeline.checkpoints import CHECKPOINT_FORMAT, CHECKPOINT_NAME, CheckpointFile, TrainingState
from pipeline.config import Recipe
from pipeline.console import Console
from pipeline.context_vectors import fill_from_contexts
from pipeline.errors import SentimentError
from pipeline.folded import obstacle
from pipeline.inference import LAST_TRAINED_NAME
from pipeline.interrupt import DeferredInterrupt
from pipeline.model_folder import TrainedModel, write_model_folder
from pipeline.scoring_precision import choose_precision
from pipeline.torch_inference import best_device
from pipeline.trainer import Trainer
from pipeline.training_data import TrainingData, load_training_data
from pipeline.vectors import draw_missing_vectors
from pipeline.vocabulary import Vocabulary


def run_epochs(trainer: Trainer, checkpoint: CheckpointFile, console: Console, checkpoint_seconds: float) -> None:
    """Train until the recipe says stop, with a checkpoint at least every ``checkpoint_seconds`` and after each epoch.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the step under way is done and a checkpoint is written.
    """

    def save() -> None:
        checkpoint.save(trainer.state, trainer.modules(), trainer.optimizer, trainer.best)

    state = trainer.state
    clock = EpochClock()
    with DeferredInterrupt() as interrupt:
        while not trainer.finished():
            last_save = time.monotonic()
            description = f"epoch {state.epoch + 1}/{trainer.settings.epochs}"
            with console.progress(len(trainer.data.training_rows), description) as progress:
                progress.update(state.reviews_seen)
                for batch in trainer.batches()[state.batch :]:
                    loss = trainer.train_on(batch)
                    progress.update(len(batch))
                    progress.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                    clock.add_to(state)
                    if interrupt.requested or time.monotonic() - last_save > checkpoint_seconds:
                        save()
                        last_save = time.monotonic()
                    if interrupt.requested:
                        raise KeyboardInterrupt
            logits = trainer.validation_logits()
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

    Raises:
        SentimentError: an earlier stage is missing, was made from another corpus, or another run trains this model.
    """
    corpus = read_manifest(corpus_folder, "data")
    tokens = read_manifest(tokens_folder, "tokens")
    words = read_manifest(vocabulary_folder, "vocab")
    check_lineage(corpus, tokens, words)
    folder = models_folder / f"{corpus['name']}-{recipe.name}-s{seed}"
    with StageOutput(folder, "train") as output:
        vocabulary = Vocabulary.load(vocabulary_folder / "vocabulary.txt")
        data = load_training_data(corpus_folder, tokens_folder, vocabulary, recipe.training.validation_fraction)
        vectors = starting_vectors(vocabulary_folder / "vectors.safetensors", recipe, data, seed)
        require_unchanged(corpus_folder, "data", corpus)
        require_unchanged(tokens_folder, "tokens", tokens)
        require_unchanged(vocabulary_folder, "vocab", words)
        trainer = Trainer(recipe, vectors, data, seed, best_device())
        checkpoint = CheckpointFile(folder / CHECKPOINT_NAME, run_identity(trainer, recipe, corpus, tokens, words))
        if trainer.device.type == "cpu" and obstacle(recipe.model):
            console.say(f"train: {obstacle(recipe.model)}; torch's own GRU is several times slower")
        resume(trainer, checkpoint, console)
        run_epochs(trainer, checkpoint, console, checkpoint_seconds)
        trained = finished_run(trainer, recipe, vocabulary, folder.name)
        write_text_atomically(models_folder / LAST_TRAINED_NAME, folder.name + "\n")
        config = write_model_folder(output, trained, corpus=corpus, tokens=tokens, words=words)
        checkpoint.remove()
    console.say(
        f"train: best epoch {trained.best_epoch} by {recipe.training.select_by.replace('_', ' ')}, "
        f"validation accuracy {config['validation']['accuracy']:.4f}, "
        f"{config['training']['seconds'] / 60:.1f} min, model in {folder}"
    )
    return folder


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
        history=trainer.state.history,
        best_epoch=trainer.state.best_epoch,
        training_reviews=len(data.training_rows),
        low_precision=trainer.low_precision,
        recurrence=trainer.recurrence(),
        device=str(trainer.device),
        peak_memory_bytes=peak_memory_bytes(),
    )


def check_lineage(corpus: dict[str, Any], tokens: dict[str, Any], words: dict[str, Any]) -> None:
    """Refuse stages that were not made from each other.

    Raises:
        SentimentError: naming the stage to run again.
    """
    if tokens["inputs"]["corpus"] != corpus["fingerprint"]:
        raise SentimentError("the tokens are of another corpus; run `sentiment tokens` (or `make tokens`) again")
    if words["inputs"]["tokens"] != tokens["fingerprint"]:
        raise SentimentError("the vocabulary is of other tokens; run `sentiment vocab` (or `make vocab`) again")


def resume(trainer: Trainer, checkpoint: CheckpointFile, console: Console) -> None:
    """Bring the trainer to where a checkpoint of the same run stands, if there is one."""
    restored = checkpoint.restore(trainer.modules(), trainer.optimizer)
    if restored is not None:
        trainer.state, trainer.best = restored
        console.say(
            f"train: going on from {checkpoint.path}, epoch {trainer.state.epoch + 1}, step {trainer.state.step}"
        )
    elif checkpoint.path.exists():
        console.say(f"train: {checkpoint.path} is of another run or not readable; starting over")
