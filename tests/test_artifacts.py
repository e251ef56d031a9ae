"""Promise: files are written whole or not at all, and a manifest means a finished stage."""

import os
from pathlib import Path

import pytest

from pipeline import artifacts
from pipeline.artifacts import StageOutput, exclusive, read_manifest, require_unchanged, write_text_atomically
from pipeline.errors import SentimentError


def commit_one_file(folder: Path, text: str) -> dict[str, object]:
    with StageOutput(folder, "data") as output:
        output.path("a.txt").write_text(text)
        return output.commit(inputs={}, settings={"x": 1}, details={"rows": 3})


def test_manifest_carries_fingerprint_and_details(tmp_path: Path) -> None:
    manifest = commit_one_file(tmp_path / "corpus", "hello")
    assert read_manifest(tmp_path / "corpus", "data") == manifest
    assert manifest["rows"] == 3
    assert (tmp_path / "corpus" / "a.txt").read_text() == "hello"
    assert not (tmp_path / "corpus" / ".partial").exists()


def test_same_content_same_fingerprint(tmp_path: Path) -> None:
    first, second = (commit_one_file(tmp_path / name, "same") for name in ("one", "two"))
    third = commit_one_file(tmp_path / "three", "other")
    assert first["fingerprint"] == second["fingerprint"] != third["fingerprint"]


def test_a_failed_run_leaves_the_old_result(tmp_path: Path) -> None:
    before = commit_one_file(tmp_path / "corpus", "old")
    with pytest.raises(RuntimeError), StageOutput(tmp_path / "corpus", "data") as output:
        output.path("a.txt").write_text("new")
        raise RuntimeError
    assert read_manifest(tmp_path / "corpus", "data") == before
    assert (tmp_path / "corpus" / "a.txt").read_text() == "old"


def test_files_of_the_old_result_go(tmp_path: Path) -> None:
    commit_one_file(tmp_path / "corpus", "old")
    (tmp_path / "corpus" / "mine.txt").write_text("not of the stage")
    with StageOutput(tmp_path / "corpus", "data") as output:
        output.path("b.txt").write_text("new")
        output.commit({}, {}, {})
    assert {path.name for path in (tmp_path / "corpus").iterdir()} == {"b.txt", "mine.txt", "manifest.json"}


def test_killed_between_files_leaves_no_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_one_file(tmp_path / "corpus", "old")

    def killed(path: Path, value: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(artifacts, "write_json_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        commit_one_file(tmp_path / "corpus", "new")
    with pytest.raises(SentimentError, match="run `sentiment data`"):
        read_manifest(tmp_path / "corpus", "data")


def test_second_run_on_one_output_says_so(tmp_path: Path) -> None:
    with exclusive(tmp_path / "out"), pytest.raises(SentimentError, match="another run is writing here"):
        with exclusive(tmp_path / "out"):
            pass


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.txt"
    write_text_atomically(target, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SentimentError, match="No space left on device"):
        write_text_atomically(target, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


def test_full_disk_in_a_stage_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match=r"cannot be written \(No space left on device\); nothing was changed"):
        with StageOutput(tmp_path / "corpus", "data"):
            raise OSError(28, os.strerror(28))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SentimentError, match="cannot be written"), StageOutput(tmp_path / "file" / "corpus", "data"):
        pass


def test_a_stage_that_fails_leaves_no_folder_that_was_not_there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        with pytest.raises(SentimentError), StageOutput(tmp_path / name, "data") as output:
            output.path("a").write_text("a")
            raise SentimentError("no")
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "there").is_dir()


def test_what_killed_runs_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint.safetensors.123.partial").write_text("half")
    commit_one_file(tmp_path, "whole")
    assert not list(tmp_path.glob(".*.partial"))


def test_a_stage_that_changed_meanwhile_is_noticed(tmp_path: Path) -> None:
    before = commit_one_file(tmp_path, "old")
    require_unchanged(tmp_path, "data", before)
    commit_one_file(tmp_path, "new")
    with pytest.raises(SentimentError, match="another run has changed it meanwhile"):
        require_unchanged(tmp_path, "data", before)
