"""Promises: it learns; a seed gives the same weights twice; a killed run resumes to the same weights bit for bit."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline import train, trainer
from pipeline.artifacts import exclusive, sha256_of_file
from pipeline.checkpoints import CHECKPOINT_NAME
from pipeline.config import Recipe
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.inference import SentimentModel
from pipeline.kernel_library import BFLOAT16, FLOAT32, StoredKind, load_kernels
from pipeline.model_folder import render_model_card
from pipeline.splits import held_out_rows
from pipeline.train import train_model
from tests.conftest import Workspace, tiny_reviews, write_corpus


def run_training(space: Workspace, recipe: Recipe, models: Path, seed: int = 1, seconds: float = 120.0) -> Path:
    return train_model(
        recipe,
        space.corpus,
        space.tokens,
        space.vocabulary,
        models,
        Console(quiet=True),
        seed=seed,
        checkpoint_seconds=seconds,
    )


def weights_of(folder: Path) -> str:
    return sha256_of_file(folder / "model.safetensors")


def test_it_learns_what_word_order_says(trained_model: Path) -> None:
    reviews = tiny_reviews(["The {}? It was {}..."])
    probabilities = SentimentModel.load(trained_model).probabilities([text for text, _ in reviews])
    assert np.mean((probabilities >= 0.5) == np.asarray([label for _, label in reviews])) > 0.9


PATHS: dict[str, tuple[int, str, StoredKind | None]] = {
    "compiled kernels, float32": (16, "float32", FLOAT32),
    "compiled kernels, bfloat16": (16, "bfloat16", BFLOAT16),
    "torch.nn.GRU, float32": (6, "float32", None),  # a size that the kernels leave to torch
}
"""What computes the recurrence, with the hidden size and the precision that lead there and the kernels needed."""


@dataclass(frozen=True)
class Undisturbed:
    """A recipe and the weights of a run of it that nothing disturbed."""

    recipe: Recipe
    weights: str


@pytest.fixture(scope="module", params=PATHS)
def undisturbed(
    request: pytest.FixtureRequest, workspace: Workspace, tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    hidden_size, precision, kind = PATHS[request.param]
    if kind is not None and load_kernels(kind) is None:
        pytest.skip(f"no kernels for {kind.name}")
    recipe = dataclasses.replace(
        tiny_recipe,
        model=dataclasses.replace(tiny_recipe.model, hidden_size=hidden_size),
        training=dataclasses.replace(tiny_recipe.training, precision=precision),
    )
    folder = run_training(workspace, recipe, tmp_path_factory.mktemp("undisturbed"))
    training = json.loads((folder / "config.json").read_text())["training"]
    if training["device"] == "cpu":
        assert training["recurrence"] == request.param
    return Undisturbed(recipe, weights_of(folder))


def test_a_seed_gives_the_same_weights_twice(undisturbed: Undisturbed, workspace: Workspace, tmp_path: Path) -> None:
    assert weights_of(run_training(workspace, undisturbed.recipe, tmp_path)) == undisturbed.weights
    assert weights_of(run_training(workspace, undisturbed.recipe, tmp_path, seed=2)) != undisturbed.weights


class PowerCut(BaseException):
    """Stands for SIGKILL inside the test process: nothing catches it, nothing is saved on its way."""


@pytest.mark.parametrize(
    ("undisturbed", "steps_before"),
    [
        pytest.param(path, steps, marks=[pytest.mark.slow] if steps in rarely else [])
        for path, cuts, rarely in zip(
            PATHS, [[1, 4, 7, 8, 14, 19], [4, 7, 19], [4, 7, 19]], [[1, 4, 7], [4, 19], [4, 7]], strict=True
        )
        for steps in cuts
    ],
    indirect=["undisturbed"],
)
def test_resume_equals_uninterrupted(
    steps_before: int,
    undisturbed: Undisturbed,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = trainer.Trainer.train_on

    def cut_short(self: trainer.Trainer, batch: np.ndarray) -> float:
        if self.state.step >= steps_before:
            raise PowerCut
        return original(self, batch)

    monkeypatch.setattr(trainer.Trainer, "train_on", cut_short)
    with pytest.raises(PowerCut):
        run_training(workspace, undisturbed.recipe, tmp_path, seconds=0.0)
    monkeypatch.undo()
    assert (tmp_path / "tiny-tiny-s1" / CHECKPOINT_NAME).exists()
    resumed = run_training(workspace, undisturbed.recipe, tmp_path)
    assert weights_of(resumed) == undisturbed.weights
    assert not (resumed / CHECKPOINT_NAME).exists()


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from pipeline import trainer
from pipeline.config import Recipe, recipe_from_dict
from tests.test_train import Workspace, run_training
import json
original = trainer.Trainer.train_on
def train_on(self, batch):
    if self.state.step == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, batch)
trainer.Trainer.train_on = train_on
root, models, recipe = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
recipe = recipe_from_dict({key: recipe[key] for key in ("model", "training")}, "tiny", "tests")
run_training(Workspace(root), recipe, models, seconds=0.0)
"""


@pytest.mark.slow
def test_kill_minus_nine_and_resume(undisturbed: Undisturbed, workspace: Workspace, tmp_path: Path) -> None:
    arguments = [str(workspace.root), str(tmp_path), json.dumps(undisturbed.recipe.to_dict())]
    killed = subprocess.run([sys.executable, "-c", KILLED_RUN, *arguments], check=False, env={**os.environ})
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "tiny-tiny-s1" / CHECKPOINT_NAME).exists()
    assert not (tmp_path / "tiny-tiny-s1" / "config.json").exists()
    assert weights_of(run_training(workspace, undisturbed.recipe, tmp_path)) == undisturbed.weights


def test_a_checkpoint_of_another_recipe_is_not_resumed(
    trained_model: Path,
    workspace: Workspace,
    tiny_recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = dataclasses.replace(tiny_recipe, training=dataclasses.replace(tiny_recipe.training, learning_rate=0.5))
    monkeypatch.setattr(trainer.Trainer, "finish_epoch", lambda self, logits: (_ for _ in ()).throw(PowerCut))
    with pytest.raises(PowerCut):
        run_training(workspace, other, tmp_path, seconds=0.0)
    monkeypatch.undo()
    assert weights_of(run_training(workspace, tiny_recipe, tmp_path)) == weights_of(trained_model)


def test_a_damaged_checkpoint_is_not_trusted(
    trained_model: Path, workspace: Workspace, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny-tiny-s1"
    folder.mkdir()
    (folder / CHECKPOINT_NAME).write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{broken")
    assert weights_of(run_training(workspace, tiny_recipe, tmp_path)) == weights_of(trained_model)


def test_two_runs_on_one_model_exclude_each_other(workspace: Workspace, tiny_recipe: Recipe, tmp_path: Path) -> None:
    with exclusive(tmp_path / "tiny-tiny-s1"), pytest.raises(SentimentError, match="another run is writing here"):
        run_training(workspace, tiny_recipe, tmp_path)


def test_a_loss_that_is_no_number_stops_with_a_way_out(
    workspace: Workspace, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    wild = dataclasses.replace(tiny_recipe, training=dataclasses.replace(tiny_recipe.training, learning_rate=1e38))
    with pytest.raises(SentimentError, match="lower learning_rate"):
        run_training(workspace, wild, tmp_path)


def test_early_stop_keeps_the_best_epoch() -> None:
    def line(accuracy: float, loss: float) -> dict[str, float]:
        return {"validation_accuracy": accuracy, "validation_log_loss": loss}

    history = [line(0.8, 0.5), line(0.9, 0.4), line(0.9, 0.3), line(0.85, 0.2)]
    assert trainer.best_epoch(history, "accuracy") == 3
    assert trainer.best_epoch(history, "log_loss") == 4


def test_stages_of_different_corpora_do_not_mix(workspace: Workspace, tiny_recipe: Recipe, tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", {"train": tiny_reviews(["A {} that was {}."]), "test": []})
    with pytest.raises(SentimentError, match="tokens are of another corpus"):
        train.train_model(
            tiny_recipe,
            tmp_path / "corpus",
            workspace.tokens,
            workspace.vocabulary,
            tmp_path / "models",
            Console(quiet=True),
            seed=1,
        )


def test_validation_keeps_duplicates_together_and_the_balance() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [400, 600]).astype(np.int8)
    groups = np.arange(1000)
    groups[generator.choice(400, 60, replace=False)] = 3
    rows = held_out_rows(labels, groups, 0.1, seed=5)
    assert rows.tolist() == held_out_rows(labels, groups, 0.1, seed=5).tolist()
    assert not set(groups[rows]) & set(np.delete(groups, rows))
    assert np.sum(labels[rows] == 1) == 60
    assert 40 <= np.sum(labels[rows] == 0) < 40 + 61


def test_the_card_tells_of_the_sample_only_where_it_is_one(trained_model: Path) -> None:
    config = json.loads((trained_model / "config.json").read_text())
    assert "generated" not in render_model_card(config)
    config["corpus"]["sample"] = True
    assert "generated" in render_model_card(config)


def test_the_model_folder_says_what_it_was_made_of(trained_model: Path) -> None:
    config = json.loads((trained_model / "config.json").read_text())
    assert config["seed"] == 1
    assert config["corpus"]["name"] == "tiny"
    assert set(config["files"]) == {"model.safetensors", "vocabulary.txt"}
    assert config["validation"]["rows"] + config["training"]["reviews"] == 120
    with pa.memory_map(str(trained_model / "validation.arrow")) as source:
        validation = pa.ipc.open_file(source).read_all()
    accuracy = np.mean((validation["logit"].to_numpy() > 0) == validation["label"].to_numpy())
    assert accuracy == config["validation"]["accuracy"]
    assert "| recipe | `tiny` |" in (trained_model / "README.md").read_text()
    assert (trained_model / "training.csv").read_text().startswith("epoch,training_loss,validation_accuracy")
    assert (trained_model / "training.png").read_bytes().startswith(b"\x89PNG")
    assert (trained_model.parent / "last-trained.txt").read_text() == "tiny-tiny-s1\n"
