"""What a run starts from: a recipe with an encoder starts from its weights, and says so in the model folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from pipeline.artifacts import read_manifest
from pipeline.config import Recipe, TrainingSettings
from pipeline.console import Console
from pipeline.encoder import load_encoder
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import SentimentModel
from pipeline.origins import Origins, load_origins
from pipeline.pretrain import pretrain_encoder
from pipeline.pretrainer import PretrainingSettings
from pipeline.teacher import validation_of
from pipeline.train import train_model
from pipeline.trainer import Trainer, learning_rate_at
from pipeline.training_data import load_training_data
from pipeline.vocabulary import Vocabulary
from tests.conftest import Workspace

SETTINGS = PretrainingSettings(
    epochs=1, hidden_size=16, embedding_size=12, streams=4, chunk_length=8, draws=20, warmup_steps=2
)


@pytest.fixture(scope="module")
def encoder_folder(workspace: Workspace, quiet: Console) -> Path:
    folder = workspace.root / "encoders" / "tiny"
    pretrain_encoder(SETTINGS, workspace.corpus, workspace.tokens, workspace.vocabulary, folder, quiet, seed=1)
    return folder


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    return replace(tiny_recipe, name="started", model=replace(tiny_recipe.model, encoder="tiny"))


def origins_of(workspace: Workspace, recipe: Recipe, **changes: str) -> Origins:
    vocabulary = Vocabulary.load(workspace.vocabulary / "vocabulary.txt")
    data = load_training_data(workspace.corpus, workspace.tokens, vocabulary, 0.1)
    words, corpus = read_manifest(workspace.vocabulary, "vocab"), read_manifest(workspace.corpus, "data")
    corpus |= changes
    return load_origins(recipe, data, vocabulary, workspace.tokens, workspace.vocabulary, corpus, words, 1)


def test_embeddings_and_gru_come_from_the_encoder(workspace: Workspace, encoder_folder: Path, recipe: Recipe) -> None:
    origins = origins_of(workspace, recipe)
    encoder = load_encoder(encoder_folder, read_manifest(workspace.vocabulary, "vocab")["fingerprint"])
    assert origins.encoder.keys() == encoder.weights.keys()
    assert any(name.startswith("layers.0.backward_gru") for name in origins.encoder)
    assert np.array_equal(origins.vectors, encoder.weights["embedding.weight"].numpy())
    assert origins.vectors.shape[1] == 12  # of the encoder, not of the vocabulary's vectors
    assert not origins.vectors[0].any()  # padding
    assert origins.description["encoder"]["name"] == "tiny"


def test_training_goes_on_from_the_encoder_and_says_so(
    workspace: Workspace, encoder_folder: Path, recipe: Recipe, quiet: Console
) -> None:
    frozen = replace(recipe, training=replace(recipe.training, learning_rate=1e-12, weight_average=0.0))
    folders = (workspace.corpus, workspace.tokens, workspace.vocabulary, workspace.root / "models")
    model = train_model(frozen, *folders, quiet, seed=1)
    weights, encoder = load_file(model / "model.safetensors"), load_file(encoder_folder / "model.safetensors")
    name = "layers.0.forward_gru.weight_hh_l0"
    np.testing.assert_allclose(weights[name], encoder[name], atol=1e-6)
    config = SentimentModel.load(model).config
    assert config["origins"]["encoder"]["fingerprint"] == read_manifest(encoder_folder, "pretrain")["fingerprint"]
    assert "language model" in (model / "README.md").read_text(encoding="utf-8")


def test_a_network_of_another_size_may_take_the_embeddings(
    workspace: Workspace, encoder_folder: Path, recipe: Recipe
) -> None:
    assert encoder_folder.is_dir()
    larger = replace(recipe, model=replace(recipe.model, hidden_size=32, encoder_parts="embedding"))
    assert list(origins_of(workspace, larger).encoder) == ["embedding.weight"]


@pytest.mark.parametrize("change", [{"hidden_size": 32}, {"bidirectional": False}, {"layers": 2}])
def test_a_network_of_another_size_is_refused_by_name(
    workspace: Workspace, encoder_folder: Path, recipe: Recipe, change: dict[str, int | bool]
) -> None:
    assert encoder_folder.is_dir()
    other = replace(recipe, model=replace(recipe.model, **change))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"'tiny' has layers = 1, hidden_size = 16, bidirectional = true"):
        origins_of(workspace, other)


def test_a_missing_encoder_says_what_to_run(workspace: Workspace, recipe: Recipe) -> None:
    other = replace(recipe, model=replace(recipe.model, encoder="nobody"))
    with pytest.raises(SentimentError, match="sentiment pretrain --name nobody"):
        origins_of(workspace, other)


def test_the_validation_part_must_be_unread_by_the_encoder(
    workspace: Workspace, encoder_folder: Path, recipe: Recipe
) -> None:
    assert encoder_folder.is_dir()
    other = replace(recipe, training=replace(recipe.training, validation_fraction=0.2))
    with pytest.raises(UsageError, match=r"left 0\.1 of train unread; write validation_fraction = 0\.1"):
        origins_of(workspace, other)


def test_an_encoder_of_another_corpus_is_refused(workspace: Workspace, encoder_folder: Path, recipe: Recipe) -> None:
    assert encoder_folder.is_dir()
    with pytest.raises(
        SentimentError, match="another corpus, which may hold this one's test reviews; run `sentiment pre"
    ):
        origins_of(workspace, recipe, fingerprint="of another corpus")


def test_the_encoders_weights_get_their_share_of_the_learning_rate(
    workspace: Workspace, encoder_folder: Path, recipe: Recipe
) -> None:
    origins = origins_of(workspace, recipe)
    moved = []
    for share in (1.0, 0.01):
        training = replace(recipe.training, encoder_rate=share, weight_average=0.0)
        settings = (replace(recipe, training=training), origins.vectors, origins.data, 1, torch.device("cpu"))
        trainer = Trainer(*settings, encoder=origins.encoder)
        before = {name: weight.clone() for name, weight in trainer.classifier.state_dict().items()}
        trainer.train_on(np.arange(8))
        after = trainer.evaluated().state_dict()
        names = ("embedding.weight", "layers.0.forward_gru.weight_hh_l0", "output.weight")
        moved.append([float((after[name] - before[name]).abs().max()) for name in names])
    whole, part = moved
    assert part[0] == pytest.approx(0.01 * whole[0], rel=0.01)
    assert part[1] == pytest.approx(0.01 * whole[1], rel=0.01)
    assert part[2] == pytest.approx(whole[2], rel=0.01)


def test_the_rate_rises_over_the_warm_up() -> None:
    settings = TrainingSettings(epochs=1, learning_rate=0.4, warmup_steps=4)
    assert [learning_rate_at(step, 100, settings) for step in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_the_fitted_bias_is_in_the_weights(
    workspace: Workspace, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline import train

    monkeypatch.setattr(train, "fit_bias", lambda logits, labels: 0.75)
    plain = replace(recipe, name="moved", model=replace(recipe.model, encoder=""))
    folders = (workspace.corpus, workspace.tokens, workspace.vocabulary, workspace.root / "models")
    model = train.train_model(plain, *folders, Console(quiet=True), seed=1)
    monkeypatch.setattr(train, "fit_bias", lambda logits, labels: 0.0)
    same = train.train_model(replace(plain, name="still"), *folders, Console(quiet=True), seed=1)
    moved, still = (load_file(folder / "model.safetensors")["output.bias"] for folder in (model, same))
    assert moved - still == pytest.approx(0.75, abs=1e-5)
    logits = [validation_of(folder)[2] for folder in (model, same)]
    np.testing.assert_allclose(logits[0] - logits[1], 0.75, atol=1e-2)  # kept as the scorer computes them
    assert SentimentModel.load(model).config["fitted_bias"] == 0.75
