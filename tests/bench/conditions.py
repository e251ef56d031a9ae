"""What a run was measured under: machine, versions, cores, load, and who else was using the processor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.machine import machine_description, versions_in_use

PEER_PACKAGES = ("transformers", "pandas", "joblib")
BUSY_LOAD = 0.5
"""Load average a minute before the start from which the figures are not to be trusted."""
BUSY_CORES = 0.1
"""Cores that other programs used during a section, likewise."""


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def confined_to(cores: int) -> Iterator[int]:
    """Keep this process and its children on so many cores, where the system can; yield how many it has then."""
    if not hasattr(os, "sched_setaffinity"):
        yield cores
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield usable_cores()
    finally:
        os.sched_setaffinity(0, before)


def processor_seconds() -> tuple[float, float] | None:
    """Return the CPU seconds that the whole machine and that this process with its children have used so far."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _wait, interrupts, soft_interrupts = map(int, fields[:7])
    everything = (user + nice + system + interrupts + soft_interrupts) / os.sysconf("SC_CLK_TCK")
    own = os.times()
    return everything, own.user + own.system + own.children_user + own.children_system


def cores_used_by_others(before: tuple[float, float] | None, seconds: float) -> float | None:
    """Return how many cores other programs kept busy since :func:`processor_seconds` was asked; None if unknown."""
    after = processor_seconds()
    if before is None or after is None or seconds <= 0:
        return None
    return max((after[0] - before[0]) - (after[1] - before[1]), 0.0) / seconds


def versions() -> dict[str, str]:
    """Return the versions of what was measured, peers included; packages that are not installed are left out."""
    found = versions_in_use()
    for package in PEER_PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def conditions(command: str, cores: int) -> dict[str, Any]:
    """Return machine, versions, cores, date, command and load average; call it before anything is measured."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    warnings = []
    if load is not None and load > BUSY_LOAD:
        warnings.append(
            f"the machine was busy at the start (load average {load:.2f}); figures of a busy machine mean little"
        )
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_description(),
        "threads": cores,
        "versions": versions(),
        "load_average_at_start": load,
        "warnings": warnings,
    }
