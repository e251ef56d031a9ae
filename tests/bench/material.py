"""What the sections measure on: the corpus in ``data/``, or else the generated sample in a temporary folder."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import MANIFEST_NAME, read_manifest
from pipeline.config import Recipe, load_recipe
from pipeline.console import Console
from pipeline.corpus import build_corpus
from pipeline.errors import SentimentError
from pipeline.inference import find_model
from pipeline.tokens import build_tokens
from pipeline.training_data import TrainingData, load_training_data
from pipeline.vocabulary import Vocabulary, build_vocabulary
from tests.bench.options import Options

RECIPE = "default"
EMBEDDING_SIZE = 100
STAGES = {"corpus": "data", "tokens": "tokens", "vocabulary": "vocab"}


class Material:
    """The corpus, its tokens and vocabulary, a trained model, and files of reviews made of them.

    Attributes:
        work: temporary folder of this run.
        is_sample: whether there was no corpus in ``data/``, so that the generated sample stands in.
        root: the folder that holds ``corpus/``, ``tokens/`` and ``vocabulary/``.
    """

    def __init__(self, options: Options, work: Path, console: Console) -> None:
        self.options = options
        self.work = work
        self.console = console
        whole = all((options.data_dir / stage / MANIFEST_NAME).is_file() for stage in STAGES)
        self.is_sample = not whole
        self.root = work / "sample" if self.is_sample else options.data_dir
        if self.is_sample:
            console.say("bench: no whole corpus, tokens and vocabulary in data/; measuring on the generated sample")
            self._build_sample()

    def _build_sample(self) -> None:
        quiet = Console(quiet=True)
        build_corpus("sample", self.root / "corpus", quiet)
        build_tokens(self.root / "corpus", self.root / "tokens", quiet, processes=1)
        build_vocabulary(
            self.root / "tokens",
            self.root / "vocabulary",
            quiet,
            vectors="none",
            size=25_000,
            seed=1,
            cache_folder=self.work / "downloads",
            dimension=EMBEDDING_SIZE,
        )

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that is measured."""
        return load_recipe(RECIPE)

    @cached_property
    def training_data(self) -> TrainingData:
        """The training split as the trainer gets it."""
        vocabulary = Vocabulary.load(self.root / "vocabulary" / "vocabulary.txt")
        fraction = self.recipe.training.validation_fraction
        return load_training_data(self.root / "corpus", self.root / "tokens", vocabulary, fraction)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The embeddings of the vocabulary stage, float32, (V, E); where a run starts changes no timing."""
        vectors: NDArray[np.float32] = load_file(self.root / "vocabulary" / "vectors.safetensors")["vectors"]
        return vectors

    def texts(self, split: str) -> list[str]:
        """Return the texts of a split in the order of the corpus; none where the corpus has no such split."""
        path = self.root / "corpus" / f"{split}.arrow"
        if not path.is_file():
            return []
        texts: list[str] = read_arrow(path, ["text"], "data").column("text").to_pylist()
        return texts

    def labels(self, split: str) -> NDArray[np.int8]:
        """Return the labels of a split. Of test they are never asked for here."""
        assert split == "train"
        labels: NDArray[np.int8] = read_arrow(self.root / "corpus" / "train.arrow", ["label"], "data")[
            "label"
        ].to_numpy()
        return labels

    @cached_property
    def model_folder(self) -> Path:
        """The model that scores: the one named, or the last one trained; on the sample one trained for one epoch.

        Raises:
            SentimentError: there is none.
        """
        if not self.is_sample or self.options.model is not None:
            return find_model(self.options.data_dir / "models", self.options.model)
        from pipeline.train import train_model

        self.console.say("bench: training one epoch on the sample, for a model to score with")
        recipe = dataclasses.replace(self.recipe, training=dataclasses.replace(self.recipe.training, epochs=1))
        corpus, tokens, vocabulary = (self.root / stage for stage in STAGES)
        return train_model(recipe, corpus, tokens, vocabulary, self.root / "models", Console(quiet=True), seed=1)

    @cached_property
    def test_reviews(self) -> Path:
        """The test reviews as a CSV file with the columns ``id`` and ``review``."""
        return self.write_reviews("test", self.texts("test"))

    def write_reviews(self, name: str, texts: Iterable[str]) -> Path:
        """Write texts with distinct ids to a CSV file of this run."""
        path = self.work / f"{name}.csv"
        write_cells(path, map(quoted, texts))
        return path

    def describe(self) -> dict[str, Any]:
        """Return name, kind and size of the corpus for the report."""
        manifest = read_manifest(self.root / "corpus", "data")
        return {
            "name": manifest["name"],
            "generated_sample": self.is_sample or bool(manifest.get("sample")),
            "rows": manifest["rows"],
        }


def quoted(text: str) -> str:
    """Return a text as a CSV cell."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerow([text])  # which quotes every character of a line end
    return stream.getvalue().removesuffix("\r\n")


def write_cells(path: Path, cells: Iterable[str]) -> None:
    """Write CSV cells as the column ``review``, beside distinct ids in the column ``id``."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write("id,review\n")
        stream.writelines(f"{number},{cell}\n" for number, cell in enumerate(cells, start=1))


def repeated(cells: Sequence[str], rows: int) -> Iterator[str]:
    """Yield so many cells, from the first one again after the last."""
    for row in range(rows):
        yield cells[row % len(cells)]


def rows_of_csv(path: Path) -> int:
    """Return the number of rows below the header.

    Raises:
        SentimentError: the file is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return sum(1 for _ in csv.reader(stream)) - 1
    except FileNotFoundError:
        raise SentimentError(f"{path.name}: was not written") from None
