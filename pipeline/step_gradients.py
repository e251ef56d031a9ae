"""What one batch leaves for the optimisers: the first of a training step's three parts hands it to the other two."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class StepGradients:
    """The gradients of a batch; those of the dense weights lie in their ``grad``.

    Attributes:
        loss: scalar, without a graph; the mean over the batch. Of one process's share it is weighted such that the mean
            over the processes is that of the batch, and so are the gradients.
        token_ids: int64, (U,); the words that the batch holds, each once.
        rows: float32, (U, E); the gradients of their embeddings; 0 for padding.
    """

    loss: Tensor
    token_ids: Tensor
    rows: Tensor
