"""A tiny corpus of our own writing, taken through the stages once for each test session."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import settings

from pipeline.artifacts import StageOutput
from pipeline.config import Recipe, recipe_from_dict
from pipeline.console import Console
from pipeline.corpus import CORPUS_SCHEMA

EXAMPLES = int(os.environ.get("SENTIMENT_EXAMPLES", "50"))
"""Of each property, but where a test names its own number."""

settings.register_profile("patient", deadline=None, max_examples=EXAMPLES)  # a busy machine is no fault of the code
settings.load_profile("patient")

SUBJECTS = ["film", "story", "acting", "music", "ending", "camera work"]
PRAISE = ["wonderful", "moving", "a joy", "clever and warm", "not bad at all"]
BLAME = ["dreadful", "dull", "a mess", "lazy and cold", "not good at all"]
OPENINGS = [
    "I thought the {} was {}.",
    "We all found the {} {}!<br />Go and judge for yourself.",
    "The {}? It was {}...",
]


def tiny_reviews(openings: list[str]) -> list[tuple[str, int]]:
    """Return labelled reviews, every combination once, negative and positive in turn."""
    reviews = []
    for opening, subject, (good, bad) in itertools.product(openings, SUBJECTS, zip(PRAISE, BLAME, strict=True)):
        reviews.append((opening.format(subject, bad), 0))
        reviews.append((opening.format(subject, good), 1))
    return reviews


def write_corpus(folder: Path, splits: dict[str, list[tuple[str, int]]]) -> None:
    """Write splits in the corpus schema; each distinct text is a duplicate group of its own."""
    groups: dict[str, int] = {}
    with StageOutput(folder, "data") as output:
        for split, reviews in splits.items():
            texts, labels = [text for text, _ in reviews], [label for _, label in reviews]
            columns = [
                pa.array(range(len(reviews)), pa.int64()),
                pa.array(texts, pa.string()),
                pa.array(labels, pa.int8()),
                pa.nulls(len(reviews), pa.int8()),
                pa.array([groups.setdefault(text, len(groups)) for text in texts], pa.int64()),
            ]
            with pa.ipc.new_file(str(output.path(f"{split}.arrow")), CORPUS_SCHEMA) as writer:
                writer.write_table(pa.table(columns, schema=CORPUS_SCHEMA), max_chunksize=100)
        rows = {split: len(reviews) for split, reviews in splits.items()}
        output.commit({}, {}, {"name": "tiny", "source": "tests", "split": "source", "rows": rows})


@dataclass(frozen=True)
class Workspace:
    """The folders of a pipeline that has run up to the vocabulary."""

    root: Path

    @property
    def corpus(self) -> Path:
        return self.root / "corpus"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens"

    @property
    def vocabulary(self) -> Path:
        return self.root / "vocabulary"


@pytest.fixture(scope="session")
def quiet() -> Console:
    return Console(quiet=True)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, quiet: Console) -> Workspace:
    from pipeline.tokens import build_tokens
    from pipeline.vocabulary import build_vocabulary

    space = Workspace(tmp_path_factory.mktemp("workspace"))
    write_corpus(space.corpus, {"train": tiny_reviews(OPENINGS[:2]), "test": tiny_reviews(OPENINGS[2:])})
    build_tokens(space.corpus, space.tokens, quiet, processes=1)
    build_vocabulary(
        space.tokens,
        space.vocabulary,
        quiet,
        vectors="none",
        size=1000,
        seed=1,
        cache_folder=space.root / "downloads",
        dimension=8,
    )
    return space


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    """A recipe that trains in a blink, of a size that the compiled kernels compute."""
    values = {
        "model": {"hidden_size": 16, "pooling": ["max", "mean", "attention"], "embedding_dropout": 0.2},
        "training": {"epochs": 3, "batch_size": 16, "learning_rate": 0.05, "weight_average": 0.9, "patience": 3},
    }
    return recipe_from_dict(values, "tiny", "tests")


@pytest.fixture(scope="session")
def trained_model(
    workspace: Workspace, tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory, quiet: Console
) -> Path:
    """The folder of a model trained on the tiny corpus."""
    from pipeline.train import train_model

    models = tmp_path_factory.mktemp("models")
    return train_model(tiny_recipe, workspace.corpus, workspace.tokens, workspace.vocabulary, models, quiet, seed=1)


@pytest.fixture(scope="session")
def language_model(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory, quiet: Console) -> Path:
    """The folder of a language model of the tiny corpus, encoders/default in a folder that may be a --data-dir."""
    from pipeline.pretrain import pretrain_encoder
    from pipeline.pretraining_settings import PretrainingSettings

    folder = tmp_path_factory.mktemp("data") / "encoders" / "default"
    settings = PretrainingSettings(
        epochs=12,
        hidden_size=16,
        embedding_size=12,
        streams=4,
        chunk_length=16,
        draws=60,
        warmup_steps=10,
        learning_rate=0.03,
    )
    pretrain_encoder(settings, workspace.corpus, workspace.tokens, workspace.vocabulary, folder, quiet, seed=1)
    return folder
