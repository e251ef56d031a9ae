"""Texts as callers of the library hand them over: lists, generators, pandas Series, NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

SHOWN = 40  # characters of a value in a message


def texts_from(texts: Iterable[str]) -> list[str]:
    """Return texts as a list of ``str``, in their order.

    Args:
        texts: any iterable of texts; a table or array of one column counts as that column.

    Raises:
        TypeError: it is one text, no iterable, or holds something that is no text.
        ValueError: it has several columns, or a text is missing (None, NaN, ``pandas.NA``).
    """
    if isinstance(texts, str | bytes | bytearray | Mapping) or not isinstance(texts, Iterable):
        raise TypeError(f"give several texts, such as a list of them, not one {type(texts).__name__}")
    values: Iterable[Any] = texts
    shape = getattr(texts, "shape", None)
    if isinstance(shape, tuple) and len(shape) != 1:
        if len(shape) != 2 or shape[1] != 1 or hasattr(texts, "toarray"):  # what has it is a sparse matrix
            raise ValueError(f"Reshape your data: texts of shape {shape}, give one column of them")
        values = np.asarray(texts, dtype=object)[:, 0]
    return [value if type(value) is str else _text_from(value, place) for place, value in enumerate(values)]


def _text_from(value: Any, place: int) -> str:
    if isinstance(value, str):
        return str(value)  # of NumPy's own kind
    if _is_missing(value):
        raise ValueError(f"text {place} is missing ({value}, a NaN or None); leave it out, or fill in an empty text")
    shown = repr(value)
    shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 3] + "..."
    raise TypeError(f"text {place} is {shown}, of type {type(value).__name__} and not str")


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float | np.floating) and bool(np.isnan(value))
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")  # of pandas
