"""What a figure was measured on: processor, instruction sets, memory, versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")

INSTRUCTION_SETS: Mapping[str, str] = {
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_tile": "amx",
    "amx_bf16": "amx_bf16",
    "asimd": "neon",
    "bf16": "arm_bf16",
    "sve": "sve",
}
"""Flag in /proc/cpuinfo -> name in reports; only those that change how fast, or how exactly, a GRU runs."""

PACKAGES = ("gru-sentiment", "torch", "numpy", "scikit-learn", "scipy", "spacy", "pyarrow", "matplotlib")


def processor_description(cpuinfo: str) -> dict[str, Any]:
    """Return the processor's name and instruction sets from the text of Linux's /proc/cpuinfo.

    Either is empty where the text does not say (another system).
    """
    entries: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        entries.setdefault(key.strip().lower(), value.strip())
    flags = set((entries.get("flags") or entries.get("features") or "").split())
    return {
        "processor": entries.get("model name", ""),
        "instruction_sets": [name for flag, name in INSTRUCTION_SETS.items() if flag in flags],
    }


def machine_description() -> dict[str, Any]:
    """Return processor, instruction_sets, cores this process may use, memory_bytes (None where unknown) and system."""
    cpuinfo = CPUINFO.read_text(encoding="utf-8", errors="replace") if CPUINFO.is_file() else ""
    description = processor_description(cpuinfo)
    description["processor"] = description["processor"] or platform.processor() or platform.machine()
    has_affinity = hasattr(os, "sched_getaffinity")
    description["cores"] = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    try:
        description["memory_bytes"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        description["memory_bytes"] = None
    description["system"] = f"{platform.system()} {platform.machine()}"
    return description


def versions_in_use() -> dict[str, str]:
    """Return the versions of Python and of the packages that shape the figures; missing ones are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
