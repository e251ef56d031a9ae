"""What ``model.safetensors`` holds: the name and shape of each array, as the settings of a network ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from pipeline.config import ModelSettings

EMBEDDING = "embedding.weight"

Shapes = dict[str, tuple[int, ...]]


def weight_shapes(settings: ModelSettings, vocabulary_size: int, embedding_size: int) -> Shapes:
    """Return the shape of each array by name."""
    hidden, pooling = settings.hidden_size, settings.pooling
    directions = ("forward_gru", "backward_gru") if settings.bidirectional else ("forward_gru",)
    states = hidden * len(directions)
    shapes: Shapes = {EMBEDDING: (vocabulary_size, embedding_size)}
    for layer in range(settings.layers):
        for direction in directions:
            name = f"layers.{layer}.{direction}"
            shapes[f"{name}.weight_ih_l0"] = (3 * hidden, states if layer else embedding_size)
            shapes[f"{name}.weight_hh_l0"] = (3 * hidden, hidden)
            shapes[f"{name}.bias_ih_l0"] = shapes[f"{name}.bias_hh_l0"] = (3 * hidden,)
    if "attention" in pooling:
        shapes["pooled.attention.0.weight"] = (hidden, states)
        shapes["pooled.attention.0.bias"] = (hidden,)
        shapes["pooled.attention.2.weight"] = (1, hidden)
    shapes["output.weight"] = (1, states * len(pooling))
    shapes["output.bias"] = (1,)
    return shapes


def misfit(weights: Mapping[str, NDArray[Any]], settings: ModelSettings, vocabulary_size: int) -> str:
    """Return how arrays differ from what the settings and the vocabulary ask for; empty where they do not."""
    table = weights.get(EMBEDDING)
    if table is None or table.ndim != 2:
        return f"no table {EMBEDDING}"
    if settings.layers > len(weights):
        return f"{len(weights)} arrays for {settings.layers} layers"
    expected = weight_shapes(settings, vocabulary_size, table.shape[1])
    found = {name: array.shape for name, array in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            return f"{name} has the shape {found.get(name, 'none')}, not {expected.get(name, 'none')}"
    return ""
