"""What evaluation needs of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Scorer(Protocol):
    """What evaluation needs of a model; :class:`pipeline.inference.SentimentModel` has it."""

    name: str
    config: dict[str, Any]
    temperature: float

    def logits(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """Return uncalibrated logits, float32 (N,), in the order given."""
        ...
