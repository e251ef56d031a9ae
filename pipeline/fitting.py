"""Training from texts in memory: the stages' own code, in a folder that is gone afterwards."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pipeline.artifacts import StageOutput, sha256_of_text, to_json, write_bytes_atomically
from pipeline.compact_weights import widened
from pipeline.config import Recipe, load_recipe, recipe_from_dict
from pipeline.console import Console
from pipeline.corpus import with_groups, write_split
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import (
    BUNDLED_FOLDER,
    CONFIG_NAME,
    VOCABULARY_NAME,
    WEIGHTS_NAME,
    SentimentModel,
    find_model,
)
from pipeline.library import LoadedModel
from pipeline.reviews import NEGATIVE, POSITIVE, ReviewRows
from pipeline.splits import SPLIT_SEED, held_out_rows
from pipeline.tokens import build_tokens, read_forms
from pipeline.train import train_model
from pipeline.vocabulary import NO_VECTORS, SPECIALS, Vocabulary, build_vocabulary

CORPUS_NAME = "memory"
BUNDLED = "bundled"
STEPS_AN_EPOCH = 50
LEAST_BATCH = 8
HELD_OUT_OF_EACH_CLASS = 10
MOST_HELD_OUT = 0.2
KEPT_FILES = (CONFIG_NAME, WEIGHTS_NAME, VOCABULARY_NAME, "README.md")


@dataclass(frozen=True)
class FitSettings:
    """The parameters of :class:`pipeline.classifier.SentimentClassifier`; ``seed`` in place of its random state."""

    recipe: str
    vectors: str | Path | None
    vocabulary_size: int
    epochs: int | None
    batch_size: int | None
    seed: int
    verbose: bool


class FittedModel:
    """The files of a model folder, in memory; only they are pickled.

    Args:
        files: content of each file, by name.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    @classmethod
    def read(cls, folder: Path) -> FittedModel:
        """Read a model folder."""
        return cls({name: (folder / name).read_bytes() for name in KEPT_FILES})

    def save(self, folder: Path) -> Path:
        """Write the model folder, ``config.json`` last; return it.

        Raises:
            SentimentError: the folder holds other files, is a file, or cannot be written.
        """
        if folder.exists() and not folder.is_dir():
            raise SentimentError(f"{folder}: is a file; name a folder")
        if folder.is_dir() and not (folder / WEIGHTS_NAME).is_file() and any(folder.iterdir()):
            names = ", ".join(sorted(path.name for path in folder.iterdir())[:3])
            raise SentimentError(f"{folder}: holds files that are no model's ({names}); name another folder")
        (folder / CONFIG_NAME).unlink(missing_ok=True)
        for name in sorted(self.files, key=lambda name: name == CONFIG_NAME):
            write_bytes_atomically(folder / name, self.files[name])
        return folder

    @cached_property
    def loaded(self) -> LoadedModel:
        """The model, ready to score."""
        with TemporaryDirectory(prefix="sentiment-") as folder:
            return LoadedModel(SentimentModel.load(self.save(Path(folder) / "model")))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled and copied: the files."""
        return {"files": self.files}


def fit_model(texts: Sequence[str], positive: NDArray[np.bool_], settings: FitSettings) -> FittedModel:
    """Train on texts.

    Args:
        texts: N texts; blank ones are left out.
        positive: (N,); which of them are positive.
        settings: of the fit.

    Raises:
        ValueError: a setting is out of range, or there are too few texts to hold some out.
        SentimentError: the disk refuses, or the word vectors cannot be read.
    """
    console = Console(quiet=not settings.verbose)
    try:
        recipe = recipe_to_fit(settings)
        with TemporaryDirectory(prefix="sentiment-") as name, torch.random.fork_rng(devices=_devices()):
            root = Path(name)
            corpus, tokens, words = (root / stage for stage in ("corpus", "tokens", "vocabulary"))
            labels, groups = write_corpus(texts, positive, corpus, console)
            recipe = fitted_to(recipe, labels, groups, settings)
            build_tokens(corpus, tokens, console, processes=0)
            build_vocabulary(
                tokens,
                words,
                console,
                vectors=vectors_of(settings, tokens),
                size=settings.vocabulary_size,
                seed=settings.seed,
                cache_folder=root / "downloads",
            )
            models, seed = root / "models", settings.seed
            folder = train_model(recipe, corpus, tokens, words, models, console, seed=seed, draw_curves=False)
            return FittedModel.read(folder)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _devices() -> range:
    return range(torch.cuda.device_count())


def recipe_to_fit(settings: FitSettings) -> Recipe:
    """Return the recipe that the settings name.

    Raises:
        UsageError: there is none, or it starts from a pretrained model.
    """
    recipe = load_recipe(settings.recipe)
    if recipe.model.encoder or recipe.training.teacher:
        raise UsageError(
            f"recipe {recipe.name}: starts from a pretrained model, which fit has not; choose default, tutorial or demo"
        )
    if settings.seed < 0:
        raise UsageError(f"random_state = {settings.seed} is negative")
    return recipe


def vectors_of(settings: FitSettings, tokens_folder: Path) -> str:
    """Return the word vectors as the vocabulary's stage takes them.

    Raises:
        SentimentError: there is no such file.
    """
    if settings.vectors is None:
        return NO_VECTORS
    if settings.vectors == BUNDLED:
        return str(write_bundled_vectors(tokens_folder.parent / "bundled.txt", set(read_forms(tokens_folder))))
    path = Path(settings.vectors).expanduser()
    if not path.is_file():
        raise SentimentError(f"{path}: no such file; give a table in GloVe format, {BUNDLED!r} or None for vectors")
    return str(path)


def write_bundled_vectors(path: Path, forms: Set[str]) -> Path:
    """Write the bundled model's vectors of those forms that it knows, in GloVe's format; return the path."""
    folder = find_model(BUNDLED_FOLDER, None)
    vectors = widened(load_file(folder / WEIGHTS_NAME))["embedding.weight"]
    with path.open("w", encoding="utf-8") as stream:
        for word, vector in zip(Vocabulary.load(folder / VOCABULARY_NAME).forms, vectors, strict=True):
            if word in forms and word not in SPECIALS:
                stream.write(f"{word} {' '.join(map('{:.5f}'.format, vector.tolist()))}\n")
    return path


def write_corpus(
    texts: Sequence[str], positive: NDArray[np.bool_], folder: Path, console: Console
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Write a corpus of a training split alone; return the label and the group of near duplicates of each row."""
    rows = ReviewRows()
    for text, is_positive in zip(texts, positive.tolist(), strict=True):
        whole = text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no character
        rows.append(whole, POSITIVE if is_positive else NEGATIVE)
    tables, groups = with_groups({"train": rows.table()}, console)
    table = tables["train"]
    with StageOutput(folder, "data") as output:
        write_split(output.path("train.arrow"), table, groups["train"])
        output.commit(
            inputs={"source": sha256_of_text(to_json([list(texts), positive.tolist()]))},
            settings={},
            details={"name": CORPUS_NAME, "source": "texts in memory", "rows": {"train": table.num_rows}},
        )
    return table.column("label").to_numpy(), groups["train"]


def fitted_to(
    recipe: Recipe, labels: NDArray[np.int8], duplicate_groups: NDArray[np.int64], settings: FitSettings
) -> Recipe:
    """Return a recipe with the settings' epochs and batch size, made for as few texts as there are.

    Args:
        recipe: as it is for a whole corpus.
        labels: (N,).
        duplicate_groups: (N,), as in :func:`pipeline.splits.held_out_rows`.
        settings: of the fit.

    Raises:
        UsageError: a setting is out of range.
        ValueError: there are too few texts for both classes to be trained and validated on.
    """
    _, first_rows = np.unique(duplicate_groups, return_index=True)
    unlike = min(int(np.sum(labels[first_rows] == label)) for label in (NEGATIVE, POSITIVE))
    fewest = max(unlike, 2)
    training = dict(recipe.to_dict()["training"])
    held_out = max(training["validation_fraction"], min(MOST_HELD_OUT, HELD_OUT_OF_EACH_CLASS / fewest), 1 / fewest)
    training["validation_fraction"] = held_out
    training["batch_size"] = min(training["batch_size"], max(LEAST_BATCH, len(labels) // STEPS_AN_EPOCH))
    chosen = {"epochs": settings.epochs, "batch_size": settings.batch_size}
    training |= {name: value for name, value in chosen.items() if value is not None}
    validation = held_out_rows(labels, duplicate_groups, held_out, SPLIT_SEED)
    fitting = np.setdiff1d(np.arange(len(labels)), validation)
    if any(len(np.unique(labels[rows])) < 2 for rows in (fitting, validation)):
        raise ValueError(
            f"n_samples={len(labels)} texts that are not blank, {unlike} of the rarer class no near duplicates: too "
            "few to train on some and validate on others; give about a hundred of each class"
        )
    return recipe_from_dict(recipe.to_dict() | {"training": training}, recipe.name, "SentimentClassifier")
