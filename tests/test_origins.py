"""What a run starts from: a recipe with an encoder starts from its weights, and says so in the model folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import read_manifest
from pipeline.config import Recipe
from pipeline.console import Console
from pipeline.encoder import load_encoder
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import SentimentModel
from pipeline.origins import Origins, load_origins
from pipeline.pretrain import pretrain_encoder
from pipeline.pretrainer import PretrainingSettings
from pipeline.train import train_model
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


def origins_of(workspace: Workspace, recipe: Recipe) -> Origins:
    vocabulary = Vocabulary.load(workspace.vocabulary / "vocabulary.txt")
    data = load_training_data(workspace.corpus, workspace.tokens, vocabulary, 0.1)
    words = read_manifest(workspace.vocabulary, "vocab")
    return load_origins(recipe, data, vocabulary, workspace.tokens, workspace.vocabulary, words, 1)


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
    from safetensors.numpy import load_file

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
