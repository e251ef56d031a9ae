"""An exponential moving average of a network's weights, at a cost that does not grow with the vocabulary.

A word's embedding changes only in steps that saw the word. Between two such steps its average moves towards a value
that stands still, which has a closed form: after decays d1, d2, ... the average is p + d1 d2 ... (average - p). So a
row is brought up to date when it is next seen, and all of them before the average is read. (What the optimiser still
moves a row after it was seen counts as if it had been moved at once.)
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn


def decay_at(update: int, decay: float) -> float:
    """Return the decay of an update, counted from 0: it starts low, min(decay, (1 + n) / (10 + n)), and 0 at first.

    The warm-up keeps the random start of the weights out of the average.
    """
    return 0.0 if update == 0 else min(decay, (1 + update) / (10 + update))


class MovingAverage(nn.Module):
    """The moving average of a classifier whose ``embedding`` is updated row by row.

    The weights are where the classifier is; the counters stay on the CPU, in float64, which not every device has.

    Args:
        classifier: what is trained.
        decay: of each update after the warm-up.
    """

    def __init__(self, classifier: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.module = copy.deepcopy(classifier).requires_grad_(False)
        rows = classifier.get_parameter("embedding.weight").shape[0]
        self.updates: Tensor
        self.logarithm: Tensor
        self.logarithm_of_row: Tensor
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.register_buffer("logarithm", torch.zeros((), dtype=torch.float64))  # of the product of all decays so far
        self.register_buffer("logarithm_of_row", torch.zeros(rows, dtype=torch.float64))  # when it was last brought up

    @torch.no_grad()
    def catch_up(self, classifier: nn.Module, rows: Tensor | None = None) -> None:
        """Bring rows of the average up to date, before they change; all of them if None.

        Args:
            classifier: with those rows as they have stood since they were last seen.
            rows: int64, (U,).
        """
        current = classifier.get_parameter("embedding.weight")
        average = self.module.get_parameter("embedding.weight")
        if rows is None:
            rows = torch.arange(len(current), device=current.device)
        on_cpu = rows.cpu()
        factors = torch.exp(self.logarithm - self.logarithm_of_row[on_cpu])[:, None]  # (U, 1)
        # lerp is exact where the factor is 1, so that a second time changes nothing
        average[rows] = torch.lerp(current[rows], average[rows], factors.to(current.dtype).to(current.device))
        self.logarithm_of_row[on_cpu] = self.logarithm

    @torch.no_grad()
    def update(self, classifier: nn.Module, rows: Tensor) -> None:
        """Move towards the weights of now; ``rows`` of the embedding have changed, after :meth:`catch_up` of them."""
        decay = decay_at(int(self.updates), self.decay)
        averages: list[Tensor] = []
        currents: list[Tensor] = []
        for (name, average), current in zip(self.module.named_parameters(), classifier.parameters(), strict=True):
            if name == "embedding.weight":
                average[rows] = torch.lerp(average[rows], current[rows], 1 - decay)
            else:
                averages.append(average)
                currents.append(current)
        torch._foreach_lerp_(averages, currents, 1 - decay)
        if decay > 0:  # rows that were not seen in the first update stand where they started, average and all
            self.logarithm += math.log(decay)
        self.logarithm_of_row[rows.cpu()] = self.logarithm
        self.updates += 1
