"""Promise: weights that do not fit their settings are named before a kernel reads them."""

import dataclasses

import numpy as np
import pytest

from pipeline.config import ModelSettings, load_recipe, recipe_names
from pipeline.model import SentimentClassifier
from pipeline.weight_shapes import misfit, weight_shapes

SETTINGS = [
    *(load_recipe(name).model for name in recipe_names()),
    ModelSettings(4, layers=3, bidirectional=True, pooling=("last", "attention")),
    ModelSettings(4, layers=2, bidirectional=False, pooling=("mean",)),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_shapes_are_those_of_the_network(settings: ModelSettings) -> None:
    weights = SentimentClassifier(7, 5, settings).state_dict()
    assert weight_shapes(settings, 7, 5) == {name: tuple(tensor.shape) for name, tensor in weights.items()}


def test_what_does_not_fit_is_named() -> None:
    settings = ModelSettings(4)
    weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in weight_shapes(settings, 7, 5).items()}
    assert misfit(weights, settings, 7) == ""
    assert misfit(weights, settings, 8) == "embedding.weight has the shape (7, 5), not (8, 5)"
    assert "bias_hh_l0" in misfit(weights, dataclasses.replace(settings, hidden_size=5), 7)
    assert misfit(weights, dataclasses.replace(settings, layers=2), 7).endswith("has the shape none, not (12,)")
    del weights["embedding.weight"]
    assert misfit(weights, settings, 7) == "no table embedding.weight"
