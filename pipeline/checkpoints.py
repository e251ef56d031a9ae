"""The state of an unfinished training run in one file: tensors by safetensors, the rest as JSON in its header.

One file, written atomically, holds everything, so that tensors and counters can never disagree. No pickle.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from pipeline.artifacts import write_bytes_atomically

CHECKPOINT_NAME = "checkpoint.safetensors"
CHECKPOINT_FORMAT = 2
"""Raised when what a run keeps changes; part of a run's identity, so that an older checkpoint is not resumed."""


@dataclass
class TrainingState:
    """Where a run stands, apart from its tensors.

    Attributes:
        step: optimiser steps taken.
        epoch: epochs finished.
        batch: batches done in the epoch under way.
        loss_sum: sum of the training losses of the reviews seen in the epoch under way.
        reviews_seen: reviews seen in the epoch under way.
        epoch_seconds: time spent in the epoch under way.
        history: one entry for each finished epoch, as written to ``training.csv``.
        best_epoch: the epoch (from 1) whose weights are kept, 0 before the first.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    reviews_seen: int = 0
    epoch_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state as named tensors."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": value for index, entry in state.items() for key, value in entry.items()}


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give the optimiser the state that :func:`optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", maxsplit=1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


State = TypeVar("State")


class CheckpointFile(Generic[State]):
    """Saves and restores a run.

    Args:
        path: the file.
        identity: what the run is of (recipe, seed, fingerprints); a checkpoint of another run is not resumed.
        state_type: dataclass of the counters.
    """

    def __init__(self, path: Path, identity: dict[str, Any], state_type: type[State]) -> None:
        self.path = path
        self.identity = identity
        self.state_type = state_type

    def save(self, state: State, modules: dict[str, nn.Module], optimizer: Optimizer, best: dict[str, Tensor]) -> None:
        """Write the checkpoint atomically.

        Args:
            state: the counters.
            modules: the networks by name (the trained one, its moving average).
            optimizer: its moments.
            best: the weights of the best epoch so far; empty before the first.
        """
        tensors = {f"best/{name}": tensor for name, tensor in best.items()}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in optimizer_tensors(optimizer).items()}
        for prefix, module in modules.items():
            tensors |= {f"{prefix}/{name}": tensor for name, tensor in module.state_dict().items()}
        header = {"identity": json.dumps(self.identity, sort_keys=True), "state": json.dumps(asdict(state))}  # type: ignore[call-overload]
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_bytes_atomically(self.path, save(contiguous, metadata=header))

    def restore(self, modules: dict[str, nn.Module], optimizer: Optimizer) -> tuple[State, dict[str, Tensor]] | None:
        """Load the checkpoint into the modules and the optimiser.

        Returns:
            the counters and the best weights; None where there is no readable checkpoint of this run.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as reader:
                header = reader.metadata()
                if json.loads(header["identity"]) != self.identity:
                    return None
                state = self.state_type(**json.loads(header["state"]))
                tensors = {name: reader.get_tensor(name) for name in reader.keys()}  # noqa: SIM118 - no mapping
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            return None
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            prefix, rest = name.split("/", maxsplit=1)
            groups.setdefault(prefix, {})[rest] = tensor
        for prefix, module in modules.items():
            module.load_state_dict(groups[prefix])
        restore_optimizer(optimizer, groups.get("optimizer", {}))
        return state, groups.get("best", {})

    def remove(self) -> None:
        """Remove the checkpoint of a finished run."""
        self.path.unlink(missing_ok=True)
