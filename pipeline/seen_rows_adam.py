"""Adam for an embedding table, at a cost that grows with the words seen in a step, not with the vocabulary.

Adam also moves rows that a step did not see, by what their moments remember: after k such steps the first moment is
b1^k m and the second b2^k v, so a row moves by (b1 / sqrt(b2))^k m / sqrt(v), times the step's learning rate and bias
corrections. Those factors do not depend on the row, so their sums are kept for each step at which a row may have been
seen last, and a row is moved by all its missed steps at once, just before it is read again. The result is Adam's.

(Leaving the missed steps out, as ``torch.optim.SparseAdam`` does, trains rare words ten times less.)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REMEMBERED_STEPS = 200
"""(b1 / sqrt(b2))^200 is 8e-10 for the usual decays: what a moment still moves after that is nothing."""


class SeenRowsAdam(nn.Module):
    """Adam (Kingma and Ba 2015) on the rows that a step saw, with the others' missed steps made up for in time.

    Call :meth:`catch_up` before rows are read, :meth:`step` with their gradients. A module, so that checkpoints hold
    its moments beside the weights. The moments are where the table is; the counters stay on the CPU, in float64, which
    not every device has.

    Args:
        table: (V, E); updated in place.
        steps: how many steps there will be, at most.
        betas: decays of the two moments.
        epsilon: added to the root of the second moment.
    """

    def __init__(
        self, table: Tensor, steps: int, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8
    ) -> None:
        super().__init__()
        self._table = [table.detach()]  # in a list: no part of this module's state
        self.betas = betas
        self.epsilon = epsilon
        self.steps: Tensor
        self.first_moment: Tensor
        self.second_moment: Tensor
        self.last_step: Tensor
        self.missed: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("first_moment", torch.zeros_like(self._table[0]))
        self.register_buffer("second_moment", torch.zeros_like(self._table[0]))
        self.register_buffer("last_step", torch.zeros(len(table), dtype=torch.int64))  # that moved the row
        self.register_buffer("missed", torch.zeros(steps + 1, dtype=torch.float64))  # factors since each step, summed
        ratio = betas[0] / betas[1] ** 0.5
        self._decays = ratio ** torch.arange(REMEMBERED_STEPS, 0, -1, dtype=torch.float64)

    @torch.no_grad()
    def catch_up(self, rows: Tensor | None = None) -> None:
        """Move rows by the steps that did not see them; all rows if None.

        Args:
            rows: int64, (U,), each once.
        """
        table = self._table[0]
        if rows is None:
            rows = torch.arange(len(table), device=table.device)
        on_cpu = rows.cpu()
        last = self.last_step[on_cpu]
        since = (self.steps - last)[:, None]  # (U, 1)
        factors, first_decay, second_decay = (
            factor.to(table.dtype).to(table.device)
            for factor in (self.missed[last][:, None], self.betas[0] ** since, self.betas[1] ** since)
        )
        first, second = self.first_moment[rows], self.second_moment[rows]  # (U, E)
        table[rows] -= factors * first / (second.sqrt() + self.epsilon)
        self.first_moment[rows] = first * first_decay
        self.second_moment[rows] = second * second_decay
        self.last_step[on_cpu] = self.steps

    @torch.no_grad()
    def step(self, rows: Tensor, gradients: Tensor, learning_rate: float) -> None:
        """Take one step on rows that have been caught up with.

        Args:
            rows: int64, (U,), each once.
            gradients: (U, E).
            learning_rate: of this step.
        """
        self.steps += 1
        steps = int(self.steps)
        first_decay, second_decay = self.betas
        first = torch.lerp(self.first_moment[rows], gradients, 1 - first_decay)  # (U, E)
        second = torch.lerp(self.second_moment[rows], gradients * gradients, 1 - second_decay)
        self.first_moment[rows] = first
        self.second_moment[rows] = second
        self.last_step[rows.cpu()] = steps
        second_correction = (1 - second_decay**steps) ** 0.5
        factor = learning_rate * second_correction / (1 - first_decay**steps)
        self._table[0][rows] -= factor * first / (second.sqrt_() + self.epsilon * second_correction)
        window = min(steps, REMEMBERED_STEPS)
        self.missed[steps - window : steps] += factor * self._decays[-window:]
