"""A run of pretraining beside its arithmetic: the checkpoint, the log, what the user is told."""

from __future__ import annotations

import csv
import io
import time

import numpy as np
from numpy.typing import NDArray

from pipeline.checkpoints import CheckpointFile
from pipeline.console import Console
from pipeline.interrupt import DeferredInterrupt
from pipeline.perplexity import perplexities
from pipeline.pretrainer import Pretrainer, PretrainingState

REPORT_SECONDS = 300.0


class PretrainingRun:
    """What a run keeps beside the pretrainer: its checkpoint and its log.

    Args:
        trainer: the run.
        checkpoint: where it is kept.
        console: told about progress.
    """

    def __init__(self, trainer: Pretrainer, checkpoint: CheckpointFile[PretrainingState], console: Console) -> None:
        self.trainer, self.checkpoint, self.console = trainer, checkpoint, console
        self._last = time.perf_counter()

    def resume(self) -> None:
        """Go on from a checkpoint of the same run, if there is one."""
        restored = self.checkpoint.restore(self.trainer.modules(), self.trainer.optimizer)
        if restored is not None:
            self.trainer.state = restored[0]
            state = self.trainer.state
            self.console.say(f"pretrain: going on from {self.checkpoint.path}, step {state.step}")
        elif self.checkpoint.path.exists():
            self.console.say(f"pretrain: {self.checkpoint.path} is of another run or not readable; starting over")

    def save(self) -> None:
        """Write the checkpoint."""
        self.checkpoint.save(self.trainer.state, self.trainer.modules(), self.trainer.optimizer, {})

    def add_time(self) -> None:
        """Add the time since the last call to the run's."""
        now = time.perf_counter()
        self.trainer.state.seconds += now - self._last
        self._last = now

    def report(self) -> None:
        """Say how far the run is."""
        trainer, state = self.trainer, self.trainer.state
        left = state.seconds / max(state.step, 1) * (trainer.steps - state.step) / 60
        self.console.say(
            f"pretrain: step {state.step:,} of {trainer.steps:,}, loss {state.loss_sum / max(state.tokens, 1):.3f}, "
            f"about {left:.0f} min left"
        )
        state.loss_sum, state.tokens = 0.0, 0

    def finish_epoch(self, held_out: list[NDArray[np.int32]]) -> None:
        """Measure the perplexity and note it."""
        trainer = self.trainer
        trainer.catch_up()
        measured = perplexities(trainer.model, held_out)
        self.add_time()
        names = ("forward_perplexity", "backward_perplexity")
        line = {"epoch": float(trainer.state.epoch), "seconds": trainer.state.seconds}
        line |= dict(zip(names, measured, strict=False))
        trainer.state.history.append(line)
        figures = ", ".join(f"{name.split('_')[0]} {value:.1f}" for name, value in zip(names, measured, strict=False))
        self.console.say(
            f"pretrain: epoch {trainer.state.epoch}/{trainer.settings.epochs}, "
            f"perplexity on held-out reviews: {figures}, {trainer.state.seconds / 60:.1f} min so far"
        )

    def run(self, held_out: list[NDArray[np.int32]], checkpoint_seconds: float) -> None:
        """Train to the end.

        Raises:
            KeyboardInterrupt: after Ctrl-C, once the step under way is done and a checkpoint is written.
        """
        trainer = self.trainer
        self._last = last_save = last_report = time.perf_counter()
        with DeferredInterrupt() as interrupt:
            while trainer.state.epoch < trainer.settings.epochs:
                epoch = trainer.state.epoch
                trainer.train_on_next_chunk()
                self.add_time()
                if trainer.state.epoch > epoch:
                    self.finish_epoch(held_out)
                if time.perf_counter() - last_report > REPORT_SECONDS:
                    self.report()
                    last_report = time.perf_counter()
                if interrupt.requested or time.perf_counter() - last_save > checkpoint_seconds:
                    self.save()
                    last_save = time.perf_counter()
                if interrupt.requested:
                    raise KeyboardInterrupt
        self.save()


def history_csv(history: list[dict[str, float]]) -> str:
    """Return the log as CSV text, one line an epoch; without times, so that the same run gives the same fingerprint."""
    lines = [{name: f"{value:.6g}" for name, value in line.items() if name != "seconds"} for line in history]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()
