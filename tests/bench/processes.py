"""Whole commands as a user runs them: wall time with the start-up, CPU time, and the memory of the process tree."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SentimentError
from tests.bench.results import without_folders

SECONDS_BETWEEN_SAMPLES = 0.2
"""Of memory where the time counts too: reading it costs the measured program next to nothing then."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Not handed on: each program chooses its threads from the machine, as it does for its users."""
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class CommandRun:
    """What a command cost.

    Attributes:
        seconds: wall time from start to exit.
        cpu_seconds: of the process and all its children.
        tree_bytes: greatest sum over the process tree, shared pages counted once (Pss); None where it was not watched
            or the system does not say.
        process_bytes: greatest resident size of any one process; None likewise.
        output: standard output.
    """

    seconds: float
    cpu_seconds: float
    tree_bytes: int | None
    process_bytes: int | None
    output: str


def children_of(process: int) -> list[int]:
    """Return the children of a process; none where it has ended."""
    children: list[int] = []
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            children.extend(map(int, (task / "children").read_text(encoding="ascii").split()))
    except OSError:
        pass
    return children


def entry_bytes(path: Path, entry: str) -> int:
    """Return an entry of a file in /proc that counts kB, in bytes; 0 where the process has ended or it is not there."""
    try:
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(entry):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def tree_bytes(root: int) -> tuple[int, int]:
    """Return the memory of a process and all its descendants, and the peak of the greatest of them.

    Shared pages are counted once (Pss). The peak is VmHWM, since the process was executed; what ``wait`` tells
    (ru_maxrss) includes the size of the process that started it.
    """
    waiting, total, greatest = [root], 0, 0
    while waiting:
        process = waiting.pop()
        folder = Path(f"/proc/{process}")
        total += entry_bytes(folder / "smaps_rollup", "Pss:")
        greatest = max(greatest, entry_bytes(folder / "status", "VmHWM:"))
        waiting.extend(children_of(process))
    return total, greatest


class MemoryWatch:
    """Samples the memory of a process tree every so many seconds until it is left; a context manager."""

    def __init__(self, root: int, seconds_between: float) -> None:
        self._root = root
        self._seconds_between = seconds_between
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.greatest = 0
        self.greatest_process = 0

    def _watch(self) -> None:
        while not self._stop.is_set():
            total, of_process = tree_bytes(self._root)
            self.greatest = max(self.greatest, total)
            self.greatest_process = max(self.greatest_process, of_process)
            self._stop.wait(self._seconds_between)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def command_environment() -> dict[str, str]:
    """Return the environment of a measured command: this one without thread counts, and no hub to wait for."""
    kept = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    return {**kept, "HF_HUB_OFFLINE": "1"}


def run_command(arguments: Sequence[str], *, seconds_between: float | None = None) -> CommandRun:
    """Run a command to its end.

    Args:
        arguments: the command line.
        seconds_between: of one look at the memory of the process tree and the next; None never looks.

    Raises:
        SentimentError: it exited with another code than 0; the message ends with its last line of standard error.
    """
    memory: MemoryWatch | None = None
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        with subprocess.Popen(arguments, stdout=output, stderr=errors, env=command_environment()) as process:
            try:
                if seconds_between is not None:
                    memory = MemoryWatch(process.pid, seconds_between)
                with memory or nullcontext():
                    _, status, usage = os.wait4(process.pid, 0)
                    seconds = time.perf_counter() - started
            except BaseException:
                process.kill()
                raise
            process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        output.seek(0)
        if process.returncode != 0:
            lines = errors.read().decode("utf-8", "replace").strip().splitlines() or ["no message"]
            raise SentimentError(
                f"{Path(arguments[0]).name} exited with {process.returncode}: {without_folders(lines[-1])}"
            )
        return CommandRun(
            seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            tree_bytes=None if memory is None else memory.greatest or None,
            process_bytes=None if memory is None else memory.greatest_process or None,
            output=output.read().decode("utf-8", "replace"),
        )


def sentiment(*arguments: str) -> list[str]:
    """Return the command line of ``sentiment`` as it is installed beside this Python."""
    program = Path(sys.executable).with_name("sentiment")
    return [str(program), *arguments] if program.is_file() else [sys.executable, "-m", "pipeline", *arguments]


def peer_program(name: str, *arguments: str) -> list[str]:
    """Return the command line of a program of this package; its folder is kept off the module path."""
    return [sys.executable, "-P", str(Path(__file__).with_name(f"{name}.py")), *arguments]
