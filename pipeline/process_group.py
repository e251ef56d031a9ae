"""One of several training processes that ``torchrun`` started: gloo between CPUs, nccl between GPUs.

Imported only where there are several: see :mod:`pipeline.distributed`, which says what each method promises.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, distributed, nn

from pipeline.distributed import Processes
from pipeline.errors import SentimentError, UsageError
from pipeline.model import SentimentClassifier
from pipeline.special_tokens import UNKNOWN_ID
from pipeline.step_gradients import StepGradients
from pipeline.training_networks import ForwardPass, TrainingNetwork

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

LONGEST_START = timedelta(minutes=10)
"""How long a process looks for torchrun and the others; one that has lost its torchrun does not stay for ever."""
LONGEST_WAIT = timedelta(hours=1)
"""How long a process waits for the others, who may be validating or writing; one that dies is noticed at once."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""
GO_ON = "run the same command again, it goes on from the last checkpoint"


class DenseWeights(nn.Module):
    """A network as a module with its dense weights as parameters: what DistributedDataParallel takes."""

    def __init__(self, network: TrainingNetwork, classifier: SentimentClassifier) -> None:
        super().__init__()
        self.network = network
        self.weights = nn.ParameterList(
            weight for name, weight in classifier.named_parameters() if name != "embedding.weight"
        )

    def forward(self, *arguments: Any) -> ForwardPass:
        """Return the forward pass of a batch; see :class:`pipeline.training_networks.TrainingNetwork`."""
        return self.network(*arguments)


STARTED_BY_TORCHRUN = "TORCHELASTIC_RUN_ID"
"""Environment variable."""


def leave_at_once() -> None:
    """End a process whose work is done, without taking torch apart.

    Seen once: a thread of torch's was still there when the interpreter had gone, and the process of
    a finished run ended with SIGABRT ("terminate called without an active exception"), which torchrun calls a failure.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class Group(Processes):
    """One of several processes.

    Args:
        store: seen by all processes.
        rank: this process, from 0.
        count: how many there are.
    """

    def __init__(self, store: Store, rank: int, count: int) -> None:
        self._store = store
        self.rank = rank
        self.count = count
        self._device = device_of_process()
        backend = "nccl" if self._device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=LONGEST_WAIT)

    def device(self) -> torch.device:
        """Return where this process computes."""
        return self._device

    def wrapped(self, network: TrainingNetwork, classifier: SentimentClassifier) -> TrainingNetwork:
        """Return the network under DistributedDataParallel, after a pass that changes nothing.

        The first backward pass settles in which order weights are exchanged, and so how the gradients of three or more
        processes are rounded. With it out of the way, a resumed run rounds as one that went through.
        """
        parallel = nn.parallel.DistributedDataParallel(DenseWeights(network, classifier))
        forward = parallel([np.asarray([UNKNOWN_ID], dtype=np.int32)], 0, lambda token_ids: None)
        forward.logits.sum().backward()
        classifier.zero_grad()
        return parallel

    def union(self, token_ids: Tensor, words: int) -> Tensor:
        """Return the words that any process has, by a byte for each word of the vocabulary."""
        seen = torch.zeros(words, dtype=torch.uint8, device=self._device)
        seen[token_ids] = 1
        distributed.all_reduce(seen, distributed.ReduceOp.MAX)
        return seen.nonzero().squeeze(1)

    def exchange(self, gradients: StepGradients, words: int) -> StepGradients:
        """Return the means over the processes: of the loss and of the gradients of any process's words."""
        union = self.union(gradients.token_ids, words)
        rows = gradients.rows.new_zeros((len(union), gradients.rows.shape[1]))
        rows[torch.searchsorted(union, gradients.token_ids)] = gradients.rows / self.count
        loss = gradients.loss / self.count
        distributed.all_reduce(rows)
        distributed.all_reduce(loss)
        return StepGradients(loss, union, rows)

    def broadcast(self, tensor: Tensor) -> None:
        """Overwrite a tensor with that of the first process."""
        sent = tensor.detach().to(self._device)  # the same tensor where it is there already
        distributed.broadcast(sent, 0)
        tensor.detach().copy_(sent)

    def any(self, flag: bool) -> bool:
        """Say whether a flag is set in any process."""
        flags = torch.tensor([flag], dtype=torch.uint8, device=self._device)
        distributed.all_reduce(flags, distributed.ReduceOp.MAX)
        return bool(flags.item())

    def speaks(self) -> bool:
        """Say whether this process is the first to stop early: its error is the cause, and it alone reports one."""
        try:
            return self._store.add("stopped", 1) == 1
        except RuntimeError:  # the store has gone with its process
            return True

    @contextmanager
    def ended(self) -> Iterator[None]:
        """End all processes together; where one fails, only the first error is told.

        Raises:
            SentimentError: another process has gone.
            SystemExit: another process has said why.
        """
        handles_signal = self._device.type == "cpu"  # one that waits in nccl would never come to run a handler
        if handles_signal:
            signal.signal(signal.SIGTERM, stop_with_the_others)
        try:
            yield
            self.wait()
        except BaseException as error:
            if handles_signal:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends by itself
            if not self.speaks():
                interrupted = isinstance(error, KeyboardInterrupt)
                raise SystemExit(INTERRUPTED if interrupted else SentimentError.exit_code) from None
            if is_loss_of_process(error):
                raise SentimentError(f"another process of this run has gone; {GO_ON}") from error
            raise
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        distributed.destroy_process_group()
        if STARTED_BY_TORCHRUN in os.environ:
            atexit.register(leave_at_once)


def is_loss_of_process(error: BaseException) -> bool:
    """Say whether an error means that another process has gone; gloo has no type of its own for it."""
    return isinstance(error, distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def stop_with_the_others(signal_number: int, frame: FrameType | None) -> None:
    """Handle the SIGTERM that torchrun sends when another process has failed, so that half-written files are removed.

    Raises:
        SentimentError: unless another error is on its way already.
    """
    if sys.exception() is None:
        raise SentimentError(f"another process of this run has failed, or torchrun was stopped; {GO_ON}")


def device_of_process() -> torch.device:
    """Return the GPU that is this process's own, or the CPU.

    Raises:
        UsageError: there are more processes on this machine than GPUs.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")  # torch's other accelerators have no way to exchange gradients
    local_rank, devices = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local_rank >= devices:
        raise UsageError(
            f"there are {devices} GPUs here and more processes; give torchrun --nproc-per-node {devices}, or set "
            "CUDA_VISIBLE_DEVICES= to train on the CPU"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)
