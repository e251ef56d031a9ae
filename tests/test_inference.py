"""Promises: a model folder is verified when loaded; a text's probability does not depend on the texts around it."""

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import folded, inference, torch_inference
from pipeline.calibration import fit_temperature, log_loss_of_logits
from pipeline.config import ModelSettings
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.folded import available_precisions
from pipeline.inference import SentimentModel, find_model, sigmoid
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.score import score_table
from tests.stub_models import write_random_model

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


@pytest.fixture(scope="module", params=["trained", "compiled"])
def any_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SentimentModel:
    """A model that torch runs, and one that the compiled kernels run where they are."""
    if request.param == "trained":
        return SentimentModel.load(request.getfixturevalue("trained_model"))
    words = ["the", "film", "was", "wonderful", "dull", "a", "mess", "we", "found", "music", "moving", "go", "!", "."]
    settings = ModelSettings(16, pooling=("last", "max", "mean", "attention"))
    return SentimentModel.load(write_random_model(tmp_path_factory.mktemp("models") / "random", settings, words))


def test_probabilities_do_not_depend_on_neighbours_batches_windows_or_threads(
    any_model: SentimentModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = any_model.probabilities(TEXTS)
    alone = np.concatenate([any_model.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(any_model.probabilities(TEXTS[::-1])[::-1], together, atol=1e-5)
    monkeypatch.setattr(torch_inference, "MAX_TOKENS_PER_BATCH", 10)
    monkeypatch.setattr(folded, "MAX_TOKENS_PER_BATCH", 10)
    np.testing.assert_allclose(any_model.probabilities(TEXTS), together, atol=1e-5)
    for window, threads in itertools.product((1, 4), {0, 3} if any_model.threads else {0}):
        monkeypatch.setattr(inference, "TEXTS_PER_WINDOW", window)
        monkeypatch.setattr(any_model, "threads", threads)
        np.testing.assert_allclose(any_model.probabilities(TEXTS), together, atol=1e-5)


def test_threads_of_torch_change_nothing(trained_model: Path) -> None:
    model = SentimentModel.load(trained_model)
    together = model.probabilities(TEXTS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    np.testing.assert_allclose(model.probabilities(TEXTS), together, atol=1e-5)
    torch.set_num_threads(threads)


def test_score_gives_what_evaluate_measures(any_model: SentimentModel, tmp_path: Path) -> None:
    with (tmp_path / "in.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["review"], *([text] for text in TEXTS)])
    paths = str(tmp_path / "in.csv"), str(tmp_path / "out.csv")
    score_table(*paths, any_model, Console(quiet=True), ScoreOptions(window_rows=2))
    with (tmp_path / "out.csv").open(newline="") as stream:
        cells = [row["positive_probability"] for row in csv.DictReader(stream)]
    counts: list[int] = []
    logits = any_model.logits(TEXTS, on_batch=counts.append)
    assert sum(counts) == len(TEXTS)
    expected = sigmoid(logits, any_model.temperature)
    for cell, text, probability in zip(cells, TEXTS, expected, strict=True):
        assert float(cell) == pytest.approx(probability, abs=1.1e-6) if text else cell == ""


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


@pytest.mark.skipif("int8" not in available_precisions(), reason="no byte products here")
def test_a_model_is_scored_in_the_precision_that_its_training_found_harmless(copied_model: Path) -> None:
    def probabilities(precision: str) -> list[float]:
        config = json.loads((copied_model / "config.json").read_text())
        (copied_model / "config.json").write_text(json.dumps({**config, "scoring_precision": precision}))
        model = SentimentModel.load(copied_model)
        return model.probabilities(TEXTS).tolist()  # type: ignore[no-any-return]

    in_float32, in_bfloat16, in_eight_bits = map(probabilities, ("float32", "bfloat16", "int8"))
    assert in_float32 != in_bfloat16 != in_eight_bits != in_float32


def test_weights_that_do_not_fit_the_settings_are_refused(copied_model: Path) -> None:
    config = json.loads((copied_model / "config.json").read_text())
    config["recipe"]["model"]["hidden_size"] *= 2
    (copied_model / "config.json").write_text(json.dumps(config))
    with pytest.raises(SentimentError, match=r"model\.safetensors: not as config\.json says \(.* has the shape"):
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
