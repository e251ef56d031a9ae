"""Promises: a model folder is verified when loaded; a text's probability does not depend on the texts around it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import inference
from pipeline.calibration import fit_temperature, log_loss_of_logits
from pipeline.errors import SentimentError
from pipeline.inference import SentimentModel, find_model, sigmoid

TEXTS = [
    "The film was wonderful.",
    "dull",
    "",
    "🙂 unseen wørds",
    "a mess " * 700,
    "We found the music moving!<br />Go.",
]


@pytest.fixture
def copied_model(trained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_model, tmp_path / "model"))


def test_saved_and_loaded_model_predicts_the_same(copied_model: Path, trained_model: Path) -> None:
    first, second = (SentimentModel.load(folder).probabilities(TEXTS) for folder in (copied_model, trained_model))
    assert first.tolist() == second.tolist()


def test_probabilities_do_not_depend_on_neighbours_batches_or_threads(
    trained_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SentimentModel.load(trained_model)
    together = model.probabilities(TEXTS)
    alone = np.concatenate([model.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(model.probabilities(TEXTS[::-1])[::-1], together, atol=1e-5)
    monkeypatch.setattr(inference, "MAX_TOKENS_PER_BATCH", 10)
    np.testing.assert_allclose(model.probabilities(TEXTS), together, atol=1e-5)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    np.testing.assert_allclose(model.probabilities(TEXTS), together, atol=1e-5)
    torch.set_num_threads(threads)


def test_no_texts_no_probabilities(trained_model: Path) -> None:
    assert SentimentModel.load(trained_model).probabilities([]).shape == (0,)


@pytest.mark.parametrize("name", ["vocabulary.txt", "model.safetensors"])
def test_changed_file_is_refused(copied_model: Path, name: str) -> None:
    content = bytearray((copied_model / name).read_bytes())
    content[-2] ^= 1
    (copied_model / name).write_bytes(content)
    with pytest.raises(SentimentError, match=f"{name}: changed since training"):
        SentimentModel.load(copied_model)


def test_missing_file_is_named(copied_model: Path) -> None:
    (copied_model / "vocabulary.txt").unlink()
    with pytest.raises(SentimentError, match=r"vocabulary\.txt: not found"):
        SentimentModel.load(copied_model)


def test_another_format_is_refused(copied_model: Path) -> None:
    config = json.loads((copied_model / "config.json").read_text())
    (copied_model / "config.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(SentimentError, match="format 99"):
        SentimentModel.load(copied_model)


def test_the_model_named_or_the_last_trained(trained_model: Path, tmp_path: Path) -> None:
    models = trained_model.parent
    assert find_model(models, None) == trained_model
    assert find_model(models, trained_model.name) == trained_model
    assert find_model(tmp_path, str(trained_model)) == trained_model
    with pytest.raises(SentimentError, match="run `make train` first"):
        find_model(tmp_path, None)


def test_temperature_minimises_the_log_loss_and_keeps_the_decision() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 2000).astype(np.int8)
    logits = (4 * (labels - 0.5) + generator.normal(0, 2, 2000)).astype(np.float32) * 3
    temperature = fit_temperature(logits, labels)
    best = log_loss_of_logits(logits, labels, temperature)
    assert best <= min(log_loss_of_logits(logits, labels, temperature * factor) for factor in (0.9, 1.0, 1.1))
    assert ((sigmoid(logits, temperature) >= 0.5) == (logits >= 0)).all()
    assert fit_temperature(logits[:99], labels[:99]) == 1.0  # too few to tell
    assert sigmoid(np.array([1e9, -1e9], dtype=np.float32), 0.05).tolist() == [1.0, pytest.approx(0.0)]
