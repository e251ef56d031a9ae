"""Run `sentiment` as torchrun starts it, checking after each step that all processes are equal, and stopped at will.

STOP names what happens before step STOP_STEP, at the time of STOP_FILE: ``kill RANK`` kills that process, ``interrupt``
sends Ctrl-C to torchrun. CHECK_GRADIENTS, for recipes without dropout, holds each step's against one process's.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from pipeline import cli, trainer
from pipeline.artifacts import sha256_of_text
from pipeline.special_tokens import PAD_ID
from pipeline.step_gradients import StepGradients

train_on = trainer.Trainer.train_on
stop, step = os.environ.get("STOP", ""), int(os.environ.get("STOP_STEP", "-1"))


def require_gradients_of_whole_batch(self: trainer.Trainer, batch: np.ndarray, found: StepGradients) -> None:
    """Compare what was exchanged with the gradients that one process computes: Adam would not mind a wrong scale."""
    forward = self.network([self._sequences[index] for index in batch], 0, lambda token_ids: None)
    loss = F.binary_cross_entropy_with_logits(forward.logits, torch.from_numpy(self._labels[batch]))
    dense = [weight for name, weight in self.classifier.named_parameters() if name != "embedding.weight"]
    rows, *expected = torch.autograd.grad(loss, [forward.rows, *dense])
    rows[forward.token_ids == PAD_ID] = 0
    close = {"rtol": 1e-3, "atol": 1e-6}
    torch.testing.assert_close(found.loss, loss.detach(), **close)
    assert torch.equal(found.token_ids, forward.token_ids)
    torch.testing.assert_close(found.rows, rows, **close)
    for weight, gradient in zip(dense, expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient, **close)


def checked_gradients(self: trainer.Trainer, batch: np.ndarray) -> StepGradients:
    self.checked_batch = batch
    return gradients_of(self, batch)


def checked_exchange(self: trainer.Trainer, gradients: StepGradients) -> StepGradients:
    found = exchange(self, gradients)
    if os.environ.get("CHECK_GRADIENTS"):
        require_gradients_of_whole_batch(self, self.checked_batch, found)
    return found


def checked_step(self: trainer.Trainer, batch: np.ndarray) -> float:
    if self.state.step == step:
        Path(os.environ["STOP_FILE"]).touch()
        if stop == f"kill {self.processes.rank}":
            os.kill(os.getpid(), signal.SIGKILL)
        if stop == "interrupt" and self.processes.first:
            os.kill(os.getppid(), signal.SIGINT)
    loss = train_on(self, batch)
    tensors = [tensor for module in self.modules().values() for tensor in module.state_dict().values()]
    digest = sha256_of_text("".join(tensor.numpy().tobytes().hex() for tensor in tensors) + repr(loss))
    self.processes.require_same(digest, "state")
    return loss


gradients_of, exchange = trainer.Trainer.gradients_of, trainer.Trainer.exchange
trainer.Trainer.gradients_of, trainer.Trainer.exchange = checked_gradients, checked_exchange
trainer.Trainer.train_on = checked_step
sys.exit(cli.main())
