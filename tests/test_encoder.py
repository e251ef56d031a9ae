"""Promise: an encoder is what `sentiment pretrain` wrote with this vocabulary, fits the classifier, or is refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.artifacts import read_manifest
from pipeline.config import ModelSettings
from pipeline.encoder import load_encoder
from pipeline.errors import SentimentError
from pipeline.model import SentimentClassifier
from tests.conftest import Workspace


@pytest.fixture
def folder(language_model: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(language_model, tmp_path / "mine"))


def fingerprint(workspace: Workspace) -> str:
    value: str = read_manifest(workspace.vocabulary, "vocab")["fingerprint"]
    return value


def test_its_weights_are_the_classifiers_embeddings_and_gru(workspace: Workspace, folder: Path) -> None:
    encoder = load_encoder(folder, fingerprint(workspace))
    settings = encoder.manifest["settings"]
    model = ModelSettings(hidden_size=settings["hidden_size"], bidirectional=settings["bidirectional"])
    classifier = SentimentClassifier(len(encoder.weights["embedding.weight"]), settings["embedding_size"], model)
    result = classifier.load_state_dict(encoder.weights, strict=False)
    assert result.unexpected_keys == []
    assert all(name.startswith(("pooled.", "output.")) for name in result.missing_keys)
    written = load_file(folder / "model.safetensors")
    for name, weight in encoder.weights.items():
        assert torch.equal(weight[1:], written[name][1:])
    assert not encoder.weights["embedding.weight"][0].any()
    assert written["embedding.weight"][0].any()  # the end of a review, on the disk as it was
    load_encoder(folder, fingerprint(workspace))  # once more: reading changed nothing


def test_none_there_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match=r"not found; run `sentiment pretrain --name mine`"):
        load_encoder(tmp_path / "mine", "x")


def test_another_vocabulary_is_said_so(folder: Path) -> None:
    with pytest.raises(SentimentError, match=r"another vocabulary .*sentiment pretrain --name mine"):
        load_encoder(folder, "x")


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.txt"])
def test_a_changed_or_missing_file_is_refused(workspace: Workspace, folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(SentimentError, match=rf"{name}: changed since it was written"):
        load_encoder(folder, fingerprint(workspace))
    (folder / name).unlink()
    with pytest.raises(SentimentError, match=rf"{name}: No such file"):
        load_encoder(folder, fingerprint(workspace))


def test_another_format_is_refused(workspace: Workspace, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(SentimentError, match="another version"):
        load_encoder(folder, fingerprint(workspace))
