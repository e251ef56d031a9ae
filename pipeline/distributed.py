"""Training on several processes: whose part of a batch is whose, and what the processes tell one another.

``torchrun`` starts the same command several times. Each process computes the gradients of its share of every batch; the
dense weights' are averaged by torch's DistributedDataParallel, those of the embeddings' rows by
:meth:`Processes.exchange` over the words that any share holds. All processes then take the same step, and stay equal
bit for bit. The first one alone writes files and talks.

What is here does nothing, for the run of one process; :mod:`pipeline.process_group` does it for several.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import SentimentError, UsageError
from pipeline.model import SentimentClassifier
from pipeline.step_gradients import StepGradients
from pipeline.torch_inference import best_device
from pipeline.training_networks import TrainingNetwork

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process."""


@dataclass(frozen=True)
class Share:
    """One process's part of a batch.

    Attributes:
        reviews: int64, (S,); never empty.
        weight: by which the mean loss of these reviews is multiplied, so that the mean over the processes is the mean
            over the whole batch; 0 where the batch has fewer reviews than there are processes.
    """

    reviews: NDArray[np.int64]
    weight: float


class Processes:
    """The processes of a run, as one of them sees them; here the only one.

    Whatever waits for the others (all but ``first``, ``device``, ``share``) has to be called by all, in the same order.
    """

    rank = 0
    count = 1

    @property
    def first(self) -> bool:
        """Say whether this process is the one that writes files and talks."""
        return self.rank == 0

    def device(self) -> torch.device:
        """Return where this process computes."""
        return best_device()

    def share(self, batch: NDArray[np.int64]) -> Share:
        """Return this process's part of a batch: every review is in one part, and no part has two more than another.

        Of reviews sorted by length each process gets short and long ones.
        """
        reviews = batch[self.rank :: self.count]
        if len(reviews) == 0:  # the others wait for its gradients all the same
            return Share(batch[:1], 0.0)
        return Share(reviews, self.count * len(reviews) / len(batch))

    def wrapped(self, network: TrainingNetwork, classifier: SentimentClassifier) -> TrainingNetwork:
        """Return the network, such that its backward pass averages the dense gradients over the processes."""
        return network

    def union(self, token_ids: Tensor, words: int) -> Tensor:
        """Return the words, int64, (U,), rising, that any process has; ``words`` is the size of the vocabulary."""
        return token_ids

    def exchange(self, gradients: StepGradients, words: int) -> StepGradients:
        """Return the means over the processes: of the loss and of the gradients of any process's words."""
        return gradients

    def broadcast(self, tensor: Tensor) -> None:
        """Overwrite a tensor with that of the first process."""

    def any(self, flag: bool) -> bool:
        """Say whether a flag is set in any process."""
        return flag

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.any(False)

    def require_same(self, digest: str, what: str) -> None:
        """Check that a hexadecimal digest is that of the first process.

        Raises:
            SentimentError: it is not; ``what`` names it.
        """
        own = torch.frombuffer(bytearray.fromhex(digest), dtype=torch.uint8)
        told = own.clone()
        self.broadcast(told)
        if not torch.equal(own, told):
            raise SentimentError(
                f"process {self.rank + 1} of {self.count} has another {what} than the first one; give all of them the "
                "same data folder and like machines"
            )


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that torchrun's environment variables tell of, until the block ends.

    Raises:
        UsageError: the variables are not all there, or there are too few GPUs.
        SentimentError: another process has gone.
        SystemExit: another process has said why.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield Processes()
        return
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"WORLD_SIZE asks for several processes and {missing[0]} is not set; start them with "
            "`torchrun --standalone --nproc-per-node N -m pipeline train ...`, or unset WORLD_SIZE"
        )
    from torch.distributed.rendezvous import rendezvous

    from pipeline.process_group import LONGEST_START, Group

    store, rank, count = next(rendezvous("env://", timeout=LONGEST_START))
    group = Group(store, rank, count)
    with group.ended():
        yield group
