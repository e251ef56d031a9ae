"""Promises: recipes are checked when they are read; a faulty one gets one line that names the key."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import load_recipe, recipe_from_dict, recipe_names
from pipeline.errors import UsageError

GOOD = "[model]\nhidden_size = 4\n[training]\nepochs = 1\n"


def test_every_recipe_of_the_package_loads() -> None:
    assert {"default", "demo", "tutorial"} <= set(recipe_names())
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.description
        assert recipe_from_dict({key: recipe.to_dict()[key] for key in ("model", "training")}, name, "x").model == (
            recipe.model
        )


def test_the_tutorial_recipe_is_the_textbook_to_the_letter() -> None:
    recipe = load_recipe("tutorial")
    assert (recipe.model.hidden_size, recipe.model.layers, recipe.model.bidirectional) == (256, 1, False)
    assert recipe.model.pooling == ("last",)
    assert (recipe.model.embedding_dropout, recipe.model.output_dropout, recipe.model.word_dropout) == (0.5, 0.5, 0)
    assert not recipe.model.masked_in_training
    assert recipe.model.missing_vectors == "standard"
    training = recipe.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (5, 64, 1e-3)
    assert (training.weight_average, training.weight_decay, training.gradient_clip, training.max_tokens) == (0, 0, 0, 0)
    assert (training.schedule, training.precision) == ("constant", "float32")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("epochs", "epoch"), r"\[training\]: unknown key 'epoch'; known are epochs,"),
        (GOOD.replace("= 4", "= '4'"), r"\[model\]: hidden_size = '4' is not of type int"),
        (GOOD + "schedule = 'step'\n", "schedule = 'step' is not one of constant, cosine"),
        (GOOD + "validation_fraction = 1.0\n", r"outside \(0, 1\)"),
        (GOOD + "patience = 0\n", "patience = 0 is less than 1"),
        (GOOD.replace("hidden_size = 4\n", "pooling = []\n"), r"pooling = \[\] is not a list"),
        (GOOD.replace("hidden_size = 4\n", "layers = 1\n"), "hidden_size is missing"),
        ("[model]\nhidden_size = 4\n", r"the table \[training\] is missing"),
        ("extra = 1\n" + GOOD, "unknown key 'extra'"),
        ("not toml", "not a readable recipe"),
    ],
)
def test_a_faulty_recipe_names_its_fault(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "faulty.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_recipe(str(path))


def test_a_recipe_file_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    assert load_recipe(str(tmp_path / "mine.toml")).name == "mine"


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there are best, default, demo, pretrained, small, tutorial"):
        load_recipe("defualt")


def test_config_imports_nothing_heavy() -> None:
    code = (
        "import sys, pipeline.config, pipeline.cli; print([m for m in ('torch','spacy','numpy') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
