"""The compiled kernels: built from ``pipeline/kernels`` for the processor at hand, and called through ctypes.

They need a C++ compiler once (``make setup`` builds them; whatever needs them first builds them otherwise). Where there
is none, everything runs on torch's own GRU instead, slower and with the same results within tolerance. Nothing here
imports torch, and a call releases the interpreter's lock, so that other threads go on meanwhile.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import sync_file
from pipeline.machine import CPUINFO

SOURCE_FOLDER = Path(__file__).parent / "kernels"
BUILT_INSIDE = SOURCE_FOLDER / "build"
MAIN_SOURCE = "kernels.cpp"
SWITCH = "SENTIMENT_KERNELS"
"""Environment variable: ``off`` leaves the compiled kernels alone."""
SIZE_MULTIPLE = 16
"""Sizes of states must be multiples of it."""
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-fno-math-errno", "-ffp-contract=fast", "-w")
ELF_HEADER = struct.Struct("<40xQ10xHH2x")
"""Of 64-bit ELF: where the section table starts, the size of an entry, their number."""
THREADING_FLAGS = (("-fopenmp",), ())
"""Tried in order: without OpenMP the kernels run on one thread."""


@dataclass(frozen=True)
class StoredKind:
    """A kind of stored number.

    Attributes:
        name: suffix of the C functions.
        stored: NumPy's type of the stored numbers; bfloat16 is kept as its bits.
        sums: NumPy's type of sums, states and biases.
    """

    name: str
    stored: type[Any]
    sums: type[Any]


BFLOAT16 = StoredKind("bfloat16", np.uint16, np.float32)
FLOAT32 = StoredKind("float", np.float32, np.float32)
FLOAT64 = StoredKind("double", np.float64, np.float64)


class Batch(ctypes.Structure):
    """``struct Batch`` of recurrence.h."""

    _fields_ = (
        ("rows", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("offsets", ctypes.c_void_p),
        ("lengths", ctypes.c_void_p),
    )


class Direction(ctypes.Structure):
    """``struct Direction`` of recurrence.h."""

    _fields_ = (
        ("reversed", ctypes.c_int32),
        ("gates", ctypes.c_void_p),
        ("gate_rows", ctypes.c_void_p),
        ("gate_stride", ctypes.c_int64),
        ("recurrent", ctypes.c_void_p),
        ("recurrent_backward", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("states", ctypes.c_void_p),
        ("state_stride", ctypes.c_int64),
        ("saved", ctypes.c_void_p),
        ("earlier", ctypes.c_void_p),
        ("state_gradients", ctypes.c_void_p),
        ("gate_gradients", ctypes.c_void_p),
        ("initial", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
    )


class RecurrentBytes(ctypes.Structure):
    """``struct RecurrentBytes`` of recurrence_int8.h."""

    _fields_ = (("weights", ctypes.c_void_p), ("factors", ctypes.c_void_p), ("constants", ctypes.c_void_p))


class Pooling(ctypes.Structure):
    """``struct Pooling`` of pooling.h."""

    _fields_ = (
        ("size", ctypes.c_int64),
        ("attention_size", ctypes.c_int64),
        *(
            (name, ctypes.c_void_p)
            for name in [
                "states",
                "projected",
                "vector",
                "weights",
                "maximum",
                "maximum_time",
                "mean",
                "attended",
                "maximum_gradient",
                "mean_gradient",
                "attended_gradient",
                "state_gradients",
                "projected_gradients",
                "vector_gradients",
                "bias_gradients",
            ]
        ),
    )


class KernelError(Exception):
    """The kernels cannot be had; the message is the reason, for the user."""


class Kernels:
    """The C functions for one kind of stored number.

    Args:
        library: as loaded.
        kind: of stored number.
    """

    def __init__(self, library: ctypes.CDLL, kind: StoredKind) -> None:
        self.kind = kind
        self.has_int8 = kind is BFLOAT16 and bool(library.kernels_have_int8())
        """Whether the forward recurrence can multiply in eight bits."""
        number, pointer, flag = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int32
        signatures: dict[str, Sequence[Any]] = {
            "pack": (pointer, number, flag, number, number, pointer),
            "pack_recurrent": (pointer, number, pointer),
            "column_sums": (pointer, number, number, number, pointer, flag),
            "product": (pointer, number, number, number, pointer, number, pointer, flag, pointer, number, flag),
            "sum_of_outer_products": (*(pointer, number, number, pointer, number, number, number, pointer, flag),),
            "recurrence": (pointer, pointer, flag, number, flag, number, flag),
            "pool": (pointer, pointer, flag),
            "pool_backward": (pointer, pointer, flag),
            "embed": (pointer, number, pointer, number, pointer, flag, pointer, number, flag),
            "embed_backward": (*(pointer, number, number, pointer, pointer, number, pointer, flag, pointer, flag),),
        }
        if kind is BFLOAT16:
            signatures["pack_recurrent_bytes"] = (pointer, pointer, number, pointer, pointer, pointer)
        for name, arguments in signatures.items():
            function = getattr(library, f"{name}_{kind.name}")
            function.argtypes = arguments
            function.restype = None
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        """Only reached for a name that is no kernel; it tells type checkers that the others exist."""
        raise AttributeError(f"the kernels have no function {name}")


def address(array: NDArray[Any] | None) -> int | None:
    """Return where a NumPy array's numbers start; None stays None.

    Raises:
        ValueError: the array is not contiguous, so that a kernel would read other numbers.
    """
    if array is None:
        return None
    if not array.flags.c_contiguous:
        raise ValueError("a kernel takes contiguous arrays only")
    return array.ctypes.data


def find_compiler() -> list[str] | None:
    """Return the command of a C++ compiler: the one in ``CXX``, or a usual one; None where there is none.

    Raises:
        KernelError: ``CXX`` cannot be read, or names no command.
    """
    try:
        named = shlex.split(os.environ.get("CXX", ""))
    except ValueError as error:
        raise KernelError(f"CXX is no command line ({error})") from error
    if named:
        if shutil.which(named[0]) is None:
            raise KernelError(f"CXX={named[0]}: no such command; unset it or name a C++ compiler")
        return named
    return next(([path] for path in map(shutil.which, COMPILERS) if path), None)


def library_name() -> str:
    """Return a file name that changes with the sources, the flags and the processor."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE_FOLDER.iterdir()):
        if path.suffix in (".cpp", ".h"):
            digest.update(path.read_bytes())
    digest.update("\n".join([*FLAGS, platform.machine(), platform.processor(), *processor_flags()]).encode())
    return f"kernels-{digest.hexdigest()[:16]}.so"


def processor_flags() -> list[str]:
    """Return all that this processor can do, as Linux lists it; empty on other systems."""
    lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPUINFO.is_file() else []
    line = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return sorted(line.partition(":")[2].split())


def cache_folder() -> Path:
    """Return where this user keeps what was made for the machine; its owner alone may write there.

    Raises:
        OSError: it cannot be made, or belongs to someone else.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gru-sentiment"
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    if hasattr(os, "getuid") and cache.stat().st_uid != os.getuid():
        raise PermissionError(f"{cache} belongs to another user")
    return cache


def build_folder() -> Path:
    """Return where compiled kernels are put: in the package where it can be written, else in the user's cache."""
    try:
        BUILT_INSIDE.mkdir(exist_ok=True)
        if os.access(BUILT_INSIDE, os.W_OK):
            return BUILT_INSIDE
    except OSError:
        pass
    return cache_folder()


def find_built(name: str) -> Path:
    """Return where a file made for the machine is, or else where it should be put."""
    inside = BUILT_INSIDE / name
    return inside if inside.exists() else build_folder() / name


def compile_kernels(compiler: Sequence[str], target: Path) -> None:
    """Compile the sources for this processor into ``target``, whole or not at all.

    Raises:
        KernelError: the compiler failed; the message holds its first complaint.
    """
    complaint = ""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        for native in ("-march=native", "-mcpu=native"):
            for threading in THREADING_FLAGS:
                command = [*compiler, *FLAGS, native, *threading, str(SOURCE_FOLDER / MAIN_SOURCE), "-o", str(built)]
                result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
                if result.returncode == 0:
                    sync_file(built)  # a library that a power cut cut short would stay
                    built.replace(target)
                    return
                complaint = complaint or (result.stderr.strip().splitlines() or ["no message"])[0]
    raise KernelError(f"{compiler[0]} failed: {complaint}")


def _compiled(path: Path) -> Path:
    compiler = find_compiler()
    if compiler is None:
        raise KernelError("no C++ compiler found; install g++ or name one with CXX")
    target = build_folder() / path.name
    compile_kernels(compiler, target)
    return target


def _is_whole(path: Path) -> bool:
    """Say whether an ELF file reaches to the end of its section table, its last part; a shorter one may kill us.

    Of other formats nothing is known; the loader may refuse them.
    """
    with path.open("rb") as stream:
        header = stream.read(ELF_HEADER.size)
    if not header.startswith(b"\x7fELF"):
        return True
    if len(header) < ELF_HEADER.size:
        return False
    start, entry_size, entries = ELF_HEADER.unpack(header)
    return path.stat().st_size >= int(start + entry_size * entries)


def _open_library(path: Path) -> ctypes.CDLL | None:
    """Return the library; None where there is none, or a damaged one."""
    try:
        return ctypes.CDLL(str(path)) if path.exists() and _is_whole(path) else None
    except OSError:
        return None


@functools.cache
def load_library() -> ctypes.CDLL:
    """Return the library, compiled first where that has not been done.

    Raises:
        KernelError: it cannot be had.
    """
    switch = os.environ.get(SWITCH, "")
    if switch.lower() in ("off", "no", "false", "0"):
        raise KernelError(f"switched off by {SWITCH}={switch}")
    try:
        path = find_built(library_name())
        library = _open_library(path) or _open_library(build_folder() / path.name) or _open_library(_compiled(path))
    except (OSError, RuntimeError) as error:  # the latter where there is no home folder
        raise KernelError(str(error)) from error
    if library is None:
        raise KernelError(f"{path} cannot be loaded")
    if not library.kernels_are_fast():
        raise KernelError("this processor has no AVX2, without which they would be slower than torch")
    return library


_problem: str | None = None


@functools.cache
def load_kernels(kind: StoredKind | None = None) -> Kernels | None:
    """Return the kernels, compiled first where that has not been done; None where they cannot be had.

    Args:
        kind: of stored number; None for bfloat16 where the processor multiplies it, else float32.
    """
    global _problem
    try:
        library = load_library()
    except KernelError as error:
        _problem = str(error)
        return None
    has_bfloat16 = bool(library.kernels_have_bfloat16())
    if kind is None:
        kind = BFLOAT16 if has_bfloat16 else FLOAT32
    if kind is BFLOAT16 and not has_bfloat16:
        return None
    return Kernels(library, kind)


def kernel_problem() -> str:
    """Return why there are no kernels, for the user; empty where there are."""
    return "" if load_kernels() is not None else _problem or "unknown reason"


def main() -> int:
    """Build the kernels and say so; a failure is told, and no reason to stop an installation."""
    kernels = load_kernels()
    if kernels is None:
        print(f"kernels: not built ({kernel_problem()}); everything works without them, slower")
    else:
        print(f"kernels: built for this processor, {kernels.kind.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
