"""Weights in fewer bytes, for a model that travels with the package: how they are stored and how they are widened.

A table in eight bits holds whole numbers from -127 to 127 and, beside it under ``NAME.scale``, what each row's numbers
are multiplied by. Other arrays are in float16. Scoring widens all of them to float32 when it loads a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.weight_shapes import EMBEDDING

SCALE = ".scale"
LEVELS = ("float16", "int8 embeddings", "int8")
"""What is stored in eight bits, the others in float16: nothing, the embeddings, all tables. Largest first."""
_LARGEST = 127

Arrays = dict[str, NDArray[Any]]


def in_eight_bits(table: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a table's rows as whole numbers, int8, (N, D), and their scales, float32, (N,).

    Each number is at most half its row's scale from what it stands for; the scale is a 127th of the row's largest.
    """
    scales = (np.abs(table).max(axis=1, initial=0.0) / _LARGEST).astype(np.float32)
    divisors = np.where(scales > 0, scales, 1).astype(np.float32)
    whole = np.rint(table.astype(np.float32) / divisors[:, None])
    return np.clip(whole, -_LARGEST, _LARGEST).astype(np.int8), scales


def compacted(weights: Mapping[str, NDArray[Any]], level: str) -> Arrays:
    """Return weights as they are stored.

    Args:
        weights: by name, float32.
        level: one of :data:`LEVELS`.

    Raises:
        ValueError: a weight is no number, or too large for float16.
    """
    stored: Arrays = {}
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds what is no number")
        is_table = array.ndim == 2 and len(array) > 1
        if is_table and (level == "int8" or (level == "int8 embeddings" and name == EMBEDDING)):
            stored[name], stored[name + SCALE] = in_eight_bits(array)
        else:
            with np.errstate(over="ignore"):
                stored[name] = array.astype(np.float16)
            if not np.isfinite(stored[name]).all():
                raise ValueError(f"{name} holds what is too large for float16")
    return stored


def widened(stored: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return weights in float32, whatever they were stored in; those in float32 are returned as they are."""
    weights: Arrays = {}
    for name, array in stored.items():
        if name.endswith(SCALE) and name.removesuffix(SCALE) in stored:
            continue
        scale = stored.get(name + SCALE)
        if scale is not None and array.ndim == 2 and scale.shape == array.shape[:1]:
            weights[name] = array.astype(np.float32) * scale.astype(np.float32)[:, None]
        else:
            weights[name] = array if array.dtype == np.float32 else array.astype(np.float32)
    return weights
