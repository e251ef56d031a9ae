"""Memory for activations that is reused from step to step.

Fresh arrays of this size would cost as much time in page faults as the arithmetic does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CACHE_LINE = 64
"""Bytes."""

Array = NDArray[Any]


class Workspace:
    """Arrays by name, kept and grown; asking again for a name gives the same memory."""

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[Any]) -> Array:
        """Return an array of unspecified content; its memory is that of the last array of this name."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = self._memory.get(name)
        if memory is None or len(memory) < size:
            memory = np.empty(size + size // 4 + CACHE_LINE, dtype=np.uint8)
            memory = self._memory[name] = memory[-memory.ctypes.data % CACHE_LINE :]
        array: Array = memory[:size].view(dtype).reshape(shape)
        return array
