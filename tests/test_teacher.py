"""Teachers: who may be labelled, what a blend is worth, and that a student learns from the labels that were written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import read_manifest
from pipeline.config import Recipe
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import SentimentModel
from pipeline.review_spans import TokenisedReviews, drawn_pieces, piece_of, readable_rows, whole_reviews
from pipeline.taught_reviews import load_taught_reviews
from pipeline.teacher import SCHEMA, teach, validation_of
from pipeline.teacher_blend import fit_blend
from pipeline.tokens import build_tokens
from pipeline.train import train_model
from pipeline.vocabulary import Vocabulary, build_vocabulary
from tests.conftest import OPENINGS, Workspace, tiny_reviews, write_corpus

UNLABELLED = ["The picture is dull. It was a mess! I left.", "What a joy. So clever and warm."]


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, quiet: Console, tiny_recipe: Recipe) -> tuple[Workspace, Path]:
    """Data folder with an unsupervised split, in which stand a test text and each train text; and a trained model."""
    root = tmp_path_factory.mktemp("taught")
    train, test = tiny_reviews(OPENINGS[:2]), tiny_reviews(OPENINGS[2:])
    unsupervised = [(text, -1) for text in [*UNLABELLED, test[0][0], *(text for text, _ in train)]]
    space = Workspace(root)
    write_corpus(space.corpus, {"train": train, "test": test, "unsupervised": unsupervised})
    build_tokens(space.corpus, space.tokens, quiet, processes=1)
    build_vocabulary(
        *(space.tokens, space.vocabulary, quiet),
        **{"vectors": "none", "size": 1000, "seed": 1, "cache_folder": root / "downloads", "dimension": 8},
    )
    recipe = replace(tiny_recipe, name="teacher")
    model = train_model(recipe, space.corpus, space.tokens, space.vocabulary, root / "models", quiet, seed=1)
    return space, model


def test_no_duplicate_of_test_or_validation_is_readable(taught: tuple[Workspace, Path]) -> None:
    space, model = taught
    validation, _, _ = validation_of(model)
    readable = readable_rows(space.corpus, validation)
    texts = {
        split: read_arrow(space.corpus / f"{split}.arrow", ["text"], "data")["text"].to_pylist()
        for split in ("train", "unsupervised", "test")
    }
    secret = set(texts["test"]) | {texts["train"][row] for row in validation}
    seen = {texts[split][row] for split, rows in readable.items() for row in rows}
    assert not seen & secret
    assert seen == (set(texts["train"]) | set(texts["unsupervised"])) - secret


def test_pieces_are_whole_sentences_of_readable_reviews(taught: tuple[Workspace, Path]) -> None:
    space, _ = taught
    reviews = TokenisedReviews(space.tokens, ["train", "unsupervised"])
    readable = {"train": np.asarray([], dtype=np.int64), "unsupervised": np.asarray([0], dtype=np.int64)}
    spans = drawn_pieces(reviews, readable, 200, seed=3)
    forms = np.asarray(reviews.forms, dtype=object)
    found = {" ".join(piece) for piece in reviews.spans(forms, spans)}
    first, second, third = "the picture is dull .", "it was a mess !", "i left ."
    assert found == {first, second, third, f"{first} {second}", f"{second} {third}", f"{first} {second} {third}"}
    again = drawn_pieces(reviews, readable, 200, seed=3)
    assert np.array_equal(spans.starts, again.starts)


def test_a_text_without_an_end_is_one_piece() -> None:
    generator = np.random.default_rng(0)
    assert piece_of(np.zeros(7, dtype=np.bool_), generator) == (0, 7)


def test_whole_reviews_are_the_unsupervised_ones(taught: tuple[Workspace, Path]) -> None:
    space, model = taught
    reviews = TokenisedReviews(space.tokens, ["train", "unsupervised"])
    readable = readable_rows(space.corpus, validation_of(model)[0])
    spans = whole_reviews(reviews, readable)
    assert spans.rows.tolist() == readable["unsupervised"].tolist()
    assert (spans.starts == 0).all()
    assert spans.ends.tolist() == reviews.lengths("unsupervised")[spans.rows].tolist()


def test_a_blend_trusts_the_teacher_who_is_right() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, size=2000).astype(np.int8)
    truth = 2.0 * labels - 1
    scores = np.stack([truth + generator.normal(size=2000), 100 * (truth + 3 * generator.normal(size=2000))], axis=1)
    blend = fit_blend(scores, labels)
    assert blend.weights[0] > 100 * blend.weights[1] > 0

    def accuracy(logits: np.ndarray) -> float:
        return float(np.mean((logits >= 0) == labels))

    assert accuracy(blend.logits(scores)) > max(accuracy(scores[:, 0]), accuracy(scores[:, 1]))


def test_no_teacher_is_believed_in_reverse() -> None:
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 2, size=400).astype(np.int8)
    good = 2.0 * labels - 1 + generator.normal(size=400)
    worse = good + generator.normal(size=400)  # the same with noise: alone it is right more often than not
    blend = fit_blend(np.stack([good, worse, -good], axis=1), labels)
    assert blend.weights[0] > 0
    assert (blend.weights >= 0).all()
    assert blend.weights[2] == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def labels_folder(taught: tuple[Workspace, Path], quiet: Console) -> Path:
    space, model = taught
    folder = space.root / "teachers" / "default"
    teach([model], space.corpus, space.tokens, folder, quiet, nb_svm=False, pieces=30, seed=1)
    return folder


def test_labels_are_what_the_model_says_of_the_spans(taught: tuple[Workspace, Path], labels_folder: Path) -> None:
    space, model_folder = taught
    table = read_arrow(labels_folder / "labels.arrow", SCHEMA.names, "teach")
    texts = read_arrow(space.corpus / "unsupervised.arrow", ["text"], "data")["text"].to_pylist()
    whole = table.slice(0, read_manifest(labels_folder, "teach")["reviews"])
    model = SentimentModel.load(model_folder)
    logits = model.logits([texts[row] for row in whole["row"].to_pylist()])
    order = np.argsort(logits)
    assert (np.diff(whole["probability"].to_numpy()[order]) >= -1e-6).all()  # one teacher: the blend only rescales
    pieces = table.slice(len(whole))
    assert len(pieces) > 0
    labels = read_arrow(space.corpus / "train.arrow", ["label"], "data")["label"].to_pylist()
    of_whole = dict(zip(whole["row"].to_pylist(), whole["probability"].to_pylist(), strict=True))
    for piece in pieces.to_pylist():  # each has the label of the review that it is from
        expected = labels[piece["row"]] if piece["split"] == 0 else of_whole[piece["row"]]
        assert piece["probability"] == pytest.approx(expected)


def test_nb_svm_joins_in(taught: tuple[Workspace, Path], tmp_path: Path, quiet: Console) -> None:
    space, model = taught
    manifest = teach([model], space.corpus, space.tokens, tmp_path / "both", quiet, nb_svm=True, pieces=0, seed=1)
    assert manifest["teachers"] == [model.name, "NB-SVM"]
    assert len(manifest["weights"]) == len(manifest["validation_accuracy"]["each"]) == 2
    assert manifest["validation_accuracy"]["blend"] > 0.5


def test_a_student_trains_on_the_labels(
    taught: tuple[Workspace, Path], labels_folder: Path, tiny_recipe: Recipe, quiet: Console
) -> None:
    space, _ = taught
    recipe = replace(tiny_recipe, name="student", training=replace(tiny_recipe.training, teacher="default"))
    model = train_model(recipe, space.corpus, space.tokens, space.vocabulary, space.root / "models", quiet, seed=1)
    config = SentimentModel.load(model).config
    labelled = 120 - config["validation"]["rows"]
    manifest = read_manifest(labels_folder, "teach")
    assert config["training"]["reviews"] == labelled + manifest["reviews"] + manifest["pieces"]


def test_a_student_may_not_validate_on_what_its_teachers_were_fitted_on(
    taught: tuple[Workspace, Path], labels_folder: Path, tiny_recipe: Recipe, quiet: Console
) -> None:
    assert labels_folder.is_dir()
    space, _ = taught
    training = replace(tiny_recipe.training, teacher="default", validation_fraction=0.3)
    recipe = replace(tiny_recipe, name="cheat", training=training)
    with pytest.raises(SentimentError, match="not fitted without this recipe's validation part"):
        train_model(recipe, space.corpus, space.tokens, space.vocabulary, space.root / "models", quiet, seed=1)


def test_labels_of_other_tokens_are_refused(
    taught: tuple[Workspace, Path], labels_folder: Path, workspace: Workspace
) -> None:
    vocabulary = Vocabulary.load(taught[0].vocabulary / "vocabulary.txt")
    with pytest.raises(
        SentimentError, match=r"labels of other tokens; run `sentiment teach MODEL \.\.\. --name default` "
    ):
        load_taught_reviews(labels_folder, workspace.tokens, vocabulary, "unk")


def test_missing_labels_say_what_to_run(taught: tuple[Workspace, Path], tiny_recipe: Recipe, quiet: Console) -> None:
    space, _ = taught
    recipe = replace(tiny_recipe, name="lost", training=replace(tiny_recipe.training, teacher="nobody"))
    with pytest.raises(SentimentError, match=r"sentiment teach MODEL \.\.\. --name nobody"):
        train_model(recipe, space.corpus, space.tokens, space.vocabulary, space.root / "models", quiet, seed=1)


def test_a_corpus_without_unlabelled_reviews_says_so(
    workspace: Workspace, trained_model: Path, tmp_path: Path, quiet: Console
) -> None:
    with pytest.raises(SentimentError, match="--pieces"):
        teach([trained_model], workspace.corpus, workspace.tokens, tmp_path, quiet, nb_svm=True, pieces=0, seed=1)
    manifest = teach(
        [trained_model], workspace.corpus, workspace.tokens, tmp_path, quiet, nb_svm=True, pieces=9, seed=1
    )
    assert manifest["reviews"] == 0


def test_too_few_reviews_move_no_bias(taught: tuple[Workspace, Path]) -> None:
    _, model = taught
    rows, labels, logits = validation_of(model)
    assert len(rows) < 100  # too few to fit on: nothing may be moved
    assert SentimentModel.load(model).config["fitted_bias"] == 0
    assert torch.isfinite(torch.from_numpy(logits)).all()
    assert set(labels) == {0, 1}


def test_a_teacher_named_twice_is_refused(taught: tuple[Workspace, Path], tmp_path: Path, quiet: Console) -> None:
    space, model = taught
    with pytest.raises(UsageError, match="named twice"):
        teach([model, model], space.corpus, space.tokens, tmp_path, quiet, nb_svm=False, pieces=0, seed=1)
