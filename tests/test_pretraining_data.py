"""Promise: the language model reads train and unsupervised, nothing of test or validation, near duplicates included."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline import pretraining_data
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.pretraining_data import load_pretraining_text
from pipeline.splits import SPLIT_SEED, held_out_rows
from pipeline.tokens import build_tokens
from pipeline.training_data import load_training_data, read_labels_and_groups
from pipeline.vocabulary import Vocabulary, build_vocabulary
from tests.conftest import OPENINGS, Workspace, tiny_reviews, write_corpus

FRACTION = 0.2


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, quiet: Console) -> Workspace:
    """Unsupervised reviews of which some stand in test or train too; a train review that stands in test."""
    space = Workspace(tmp_path_factory.mktemp("pretraining"))
    train, test = tiny_reviews(OPENINGS[:2]), tiny_reviews(OPENINGS[2:])
    unsupervised = [(f"Number {number} was seen on a rainy day.", -1) for number in range(30)]
    unsupervised += [(text, -1) for text, _ in [*test[:7], *train[::3]]]
    write_corpus(space.corpus, {"train": [*train, test[3]], "unsupervised": unsupervised, "test": test})
    build_tokens(space.corpus, space.tokens, quiet, processes=1)
    cache = space.root / "downloads"
    build_vocabulary(
        space.tokens, space.vocabulary, quiet, vectors="none", size=1000, seed=1, cache_folder=cache, dimension=8
    )
    return space


def texts(space: Workspace, split: str) -> list[str]:
    with pa.memory_map(str(space.corpus / f"{split}.arrow")) as source:
        column: list[str] = pa.ipc.open_file(source).read_all()["text"].to_pylist()
    return column


def sequences_of(space: Workspace, vocabulary: Vocabulary, split: str) -> list[tuple[int, ...]]:
    ids = vocabulary.token_ids(pretraining_data.read_forms(space.tokens))
    form_ids, offsets = pretraining_data.read_form_ids(space.tokens, split)
    return [tuple(ids[form_ids[start:end]].tolist()) for start, end in itertools.pairwise(offsets)]


def test_what_is_read_is_the_rest_of_train_and_unsupervised(space: Workspace) -> None:
    vocabulary = Vocabulary.load(space.vocabulary / "vocabulary.txt")
    read = load_pretraining_text(space.corpus, space.tokens, vocabulary, FRACTION)
    validation = held_out_rows(*read_labels_and_groups(space.corpus), FRACTION, SPLIT_SEED)
    train_texts = texts(space, "train")
    unread = {*texts(space, "test"), *(train_texts[row] for row in validation)}
    expected, left_out = [], {}
    for split in ("train", "unsupervised"):
        of_split = texts(space, split)
        sequences = sequences_of(space, vocabulary, split)
        expected += [sequence for text, sequence in zip(of_split, sequences, strict=True) if text not in unread]
        left_out[split] = sum(text in unread for text in of_split)
    left_out["train"] -= len(validation)
    assert [tuple(review.tolist()) for review in read.reviews] == expected
    assert read.left_out == left_out
    assert left_out["train"] > 0
    assert left_out["unsupervised"] > 7


def test_the_held_out_reviews_are_those_that_training_validates_on(space: Workspace) -> None:
    vocabulary = Vocabulary.load(space.vocabulary / "vocabulary.txt")
    read = load_pretraining_text(space.corpus, space.tokens, vocabulary, FRACTION)
    data = load_training_data(space.corpus, space.tokens, vocabulary, FRACTION)
    assert [review.tolist() for review in read.held_out] == [
        data.sequences[row].tolist() for row in data.validation_rows
    ]


def test_labels_are_read_for_the_split_of_train_alone_and_no_token_of_test(
    space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, list[str]]] = []
    original, original_ids = pretraining_data.read_arrow, pretraining_data.read_form_ids

    def noted(path: Path, columns: list[str], stage: str) -> Any:
        read.append((path.name, list(columns)))
        return original(path, columns, stage)

    def noted_ids(folder: Path, split: str) -> Any:
        read.append((split, ["form_ids"]))
        return original_ids(folder, split)

    monkeypatch.setattr(pretraining_data, "read_arrow", noted)
    monkeypatch.setattr(pretraining_data, "read_form_ids", noted_ids)
    load_pretraining_text(space.corpus, space.tokens, Vocabulary.load(space.vocabulary / "vocabulary.txt"), FRACTION)
    assert [name for name, columns in read if "label" in columns] == ["train.arrow"]
    assert [columns for name, columns in read if name in ("test.arrow", "unsupervised.arrow")] == [
        ["duplicate_group"]
    ] * 2
    assert [name for name, columns in read if columns == ["form_ids"]] == ["train", "unsupervised"]


def test_a_corpus_without_unsupervised_reviews_is_read_too(workspace: Workspace) -> None:
    vocabulary = Vocabulary.load(workspace.vocabulary / "vocabulary.txt")
    read = load_pretraining_text(workspace.corpus, workspace.tokens, vocabulary, FRACTION)
    assert set(read.left_out) == {"train"}
    assert len(read.reviews) + len(read.held_out) == len(texts(workspace, "train"))
    assert all(review.dtype == np.int32 and len(review) for review in read.reviews)


def test_too_few_reviews_are_said_so(tmp_path: Path, quiet: Console) -> None:
    space = Workspace(tmp_path)
    same = [("One and the same.", 0), ("One and the same.", 1)]
    write_corpus(space.corpus, {"train": same, "test": same})
    build_tokens(space.corpus, space.tokens, quiet, processes=1)
    with pytest.raises(SentimentError, match="too few reviews"):
        load_pretraining_text(space.corpus, space.tokens, Vocabulary(["<pad>", "<unk>", "one"]), FRACTION)
