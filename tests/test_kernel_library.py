"""The library of the kernels: where it is built, that a fault costs no more than speed, and that it is not missing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline import kernel_library
from pipeline.kernel_library import KernelError, find_compiler, kernel_problem, load_kernels

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C++ compiler")
SOURCE = """extern "C" {
int kernels_are_fast() { return 1; }
int kernels_have_bfloat16() { return 0; }
int answer() { return 42; }
}"""
LOAD = """
import sys
from pathlib import Path
from pipeline import kernel_library
kernel_library.SOURCE_FOLDER = Path(sys.argv[1])
kernel_library.BUILT_INSIDE = Path(sys.argv[1]) / "build"
print(kernel_library.load_library().answer())
"""
load_library: Callable[[], object] = kernel_library.load_library.__wrapped__


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source folder in place of the kernels', compiled in a blink; nothing is built outside of it or of the cache."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / kernel_library.MAIN_SOURCE).write_text(SOURCE)
    monkeypatch.setattr(kernel_library, "SOURCE_FOLDER", folder)
    monkeypatch.setattr(kernel_library, "BUILT_INSIDE", folder / "build")
    monkeypatch.setattr(kernel_library, "_problem", None)
    monkeypatch.setattr(kernel_library, "load_library", load_library)  # the same without its cache
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(kernel_library.SWITCH, raising=False)
    return folder


def answer() -> int:
    return kernel_library.load_library().answer()  # type: ignore[no-any-return]


def in_new_process(sources: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", LOAD, str(sources)], stdout=subprocess.PIPE, text=True)


def executable(path: Path, script: str) -> Path:
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


def forbid_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder read-only, for a superuser too."""
    access = os.access

    def refusing(path: str | Path, mode: int) -> bool:
        return access(path, mode) and not (mode & os.W_OK and Path(path) == folder)

    monkeypatch.setattr(kernel_library.os, "access", refusing)


@needs_compiler
@pytest.mark.skipif(os.environ.get(kernel_library.SWITCH, "").lower() == "off", reason="switched off")
def test_where_there_is_a_compiler_there_are_kernels() -> None:
    assert load_kernels() is not None or "AVX2" in kernel_problem(), kernel_problem()


@needs_compiler
def test_it_is_built_once_inside_the_package(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer() == 42
    assert [path.name for path in (sources / "build").iterdir()] == [kernel_library.library_name()]
    assert not (tmp_path / "cache").exists()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert answer() == 42
    forbid_writing(sources / "build", monkeypatch)
    assert answer() == 42


@needs_compiler
@pytest.mark.parametrize("how", ["read-only", "cannot be made"])
def test_a_package_that_cannot_be_written_builds_in_the_users_cache(
    how: str, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "read-only":
        (sources / "build").mkdir()
        forbid_writing(sources / "build", monkeypatch)
    else:
        monkeypatch.setattr(kernel_library, "BUILT_INSIDE", sources / kernel_library.MAIN_SOURCE / "build")
    cache = tmp_path / "cache" / "gru-sentiment"
    assert kernel_library.build_folder() == cache
    assert stat.S_IMODE(cache.stat().st_mode) & 0o022 == 0
    assert answer() == 42
    assert [path.name for path in cache.iterdir()] == [kernel_library.library_name()]


def test_a_cache_of_another_user_is_not_trusted(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sources / "build").mkdir()
    forbid_writing(sources / "build", monkeypatch)
    owner = os.getuid()
    monkeypatch.setattr(kernel_library.os, "getuid", lambda: owner + 1)
    with pytest.raises(KernelError, match="belongs to another user"):
        answer()


def test_without_a_home_folder_there_are_no_kernels_and_no_crash(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    (sources / "build").mkdir()
    forbid_writing(sources / "build", monkeypatch)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(kernel_library.Path, "home", homeless)
    with pytest.raises(KernelError, match="home directory"):
        answer()
    assert load_kernels.__wrapped__() is None


@needs_compiler
def test_threads_that_build_at_once_all_get_a_working_library(sources: Path, tmp_path: Path) -> None:
    compiler, target = find_compiler(), tmp_path / "built" / "kernels.so"
    assert compiler is not None
    target.parent.mkdir()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: (kernel_library.compile_kernels(compiler, target), answer())[1], range(4)))
    assert answers == [42] * 4
    assert list(target.parent.iterdir()) == [target]
    assert [path.name for path in (sources / "build").iterdir()] == [kernel_library.library_name()]


@needs_compiler
def test_processes_that_build_at_once_all_get_a_working_library(sources: Path) -> None:
    processes = [in_new_process(sources) for _ in range(2)]
    assert [process.communicate()[0] for process in processes] == ["42\n"] * 2
    assert [path.name for path in (sources / "build").iterdir()] == [kernel_library.library_name()]


@needs_compiler
@pytest.mark.parametrize("left", [0, 40])
@pytest.mark.parametrize("tail", [b"", b"no library at all"])
def test_a_damaged_library_is_built_anew(
    left: int, tail: bytes, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_new_process(sources).communicate()[0] == "42\n"  # in this process it would stay loaded
    path = sources / "build" / kernel_library.library_name()
    whole = path.read_bytes()
    path.write_bytes(whole[:left] + tail)
    with monkeypatch.context() as without_compiler:
        without_compiler.setenv("CXX", "no-such-compiler")
        with pytest.raises(KernelError, match="CXX=no-such-compiler: no such command"):
            answer()
    assert answer() == 42
    assert len(path.read_bytes()) == len(whole)


@needs_compiler
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_library_that_was_cut_short_is_built_anew(share: float, sources: Path) -> None:
    assert in_new_process(sources).communicate()[0] == "42\n"
    path = sources / "build" / kernel_library.library_name()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])  # opening it would kill the process
    again = in_new_process(sources)
    assert again.communicate()[0] == "42\n"
    assert again.returncode == 0
    assert len(path.read_bytes()) == len(whole)


def test_a_compiler_that_builds_no_library_is_an_error(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = executable(tmp_path / "compiler", 'while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"\n')
    monkeypatch.setenv("CXX", str(path))
    with pytest.raises(KernelError, match=r"kernels-\w+\.so"):
        answer()


@needs_compiler
def test_cxx_may_hold_a_command_with_arguments(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = find_compiler()
    assert usual is not None
    wrapper = executable(tmp_path / "caching compiler", 'echo "$@" >> "$0.log"; exec "$@"\n')
    monkeypatch.setenv("CXX", f"'{wrapper}' {' '.join(usual)} -DOF_OURS=1")
    assert find_compiler() == [str(wrapper), *usual, "-DOF_OURS=1"]
    assert answer() == 42
    assert "-DOF_OURS=1" in wrapper.with_name("caching compiler.log").read_text()


@needs_compiler
def test_an_empty_cxx_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    usual = find_compiler()
    monkeypatch.setenv("CXX", "  ")
    assert find_compiler() == usual


def test_without_a_compiler_the_reason_is_said(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler --fast")
    with pytest.raises(KernelError, match="CXX=no-such-compiler: no such command"):
        answer()
    monkeypatch.setenv(kernel_library.SWITCH, "off")
    with pytest.raises(KernelError, match="SENTIMENT_KERNELS=off"):
        answer()


def test_a_cxx_that_is_no_command_line_is_no_crash(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "c++ 'never closed")
    with pytest.raises(KernelError):
        answer()


def test_a_compiler_that_fails_leaves_no_library(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="failed"):
        kernel_library.compile_kernels(["false"], tmp_path / "kernels.so")
    assert list(tmp_path.iterdir()) == []
