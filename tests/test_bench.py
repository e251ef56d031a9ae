"""Promise: the benchmark's ratios are those of its medians, no peer is dropped in silence, and its files are whole."""

from __future__ import annotations

import itertools
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gru import GRULayer
from tests.bench import command, processes, scoring
from tests.bench.gemm_floor import Direction, attention_products, operations, still_running
from tests.bench.growth import counted_chunks, schedule, texts_of_length
from tests.bench.material import quoted, repeated, rows_of_csv
from tests.bench.packed import PackedGRULayer
from tests.bench.processes import run_command
from tests.bench.results import Finding, Goal, Measure, Section, one_line_reason, ratio_spread, without_folders
from tests.bench.training import spread_of_batches
from tests.conftest import Workspace
from tests.test_makefile import Workspace as MakeWorkspace

VALUES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=9)


@given(VALUES)
def test_a_measure_keeps_every_repeat(values: list[float]) -> None:
    entry = Measure("s", tuple(values)).to_dict()
    assert entry["values"] == values
    assert entry["min"] <= entry["median"] <= entry["max"]
    assert (entry["min"], entry["max"], entry["repeats"]) == (min(values), max(values), len(values))
    assert entry["median"] == statistics.median(values)


@given(VALUES, VALUES)
def test_a_ratio_is_that_of_the_medians(above: list[float], below: list[float]) -> None:
    section = Section("x", "X")
    section.add("peer", "s", above)
    section.add("ours", "s", below)
    section.find("peer / ours", "peer", "ours", Goal(">=", 2.0))
    found = section.describe_finding(section.findings[0])
    assert found["value"] == statistics.median(above) / statistics.median(below)
    assert found["met"] == (found["value"] >= 2.0)
    spread = ratio_spread(section.measures["peer"], section.measures["ours"])
    assert (spread is None) == (len(above) != len(below))
    if len(above) == len(below) == 1:
        assert spread == (found["value"], found["value"])


def test_a_peer_that_failed_is_reported_and_the_others_go_on() -> None:
    section = Section("x", "X")
    with section.attempt("peer"):
        raise FileNotFoundError("no /home/someone/secret place/x.csv here")
    section.add("peer", "s", [])
    section.add("ours", "s", [1.0])
    section.find("peer / ours", "peer", "ours", Goal(">=", 2.0))
    result = section.to_dict()
    assert list(result["failures"]) == ["peer"]
    assert result["failures"]["peer"].startswith("FileNotFoundError: ")
    assert (result["findings"][0]["value"], result["findings"][0]["met"]) == (None, None)
    with pytest.raises(KeyboardInterrupt), section.attempt("interrupted"):
        raise KeyboardInterrupt


def test_a_single_measure_has_a_goal_too() -> None:
    section = Section("x", "X", measures={"memory": Measure("MiB", (3.0, 1.0, 2.0))})
    found = section.describe_finding(Finding("peak", "memory", goal=Goal("<=", 2.5)))
    assert (found["value"], found["unit"], found["spread"], found["met"]) == (2.0, "MiB", [1.0, 3.0], True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/me/data/in.csv: not found", "in.csv: not found"),
        ("bench --model=/tmp/x/imdb-default-s1 --rows 1,2", "bench --model=imdb-default-s1 --rows 1,2"),
        ("'/a/b'", "'b'"),
        ("reviews/s and 3 / 4 of https://example.org/a/b", "reviews/s and 3 / 4 of https://example.org/a/b"),
    ],
)
def test_no_folder_of_the_machine_is_named(text: str, expected: str) -> None:
    assert without_folders(text) == expected


def test_reasons_are_one_line() -> None:
    assert one_line_reason(ValueError("a\n b")) == "ValueError: a b"


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 12), st.integers(1, 9))
def test_batches_are_a_spread_of_the_whole_ones(lengths: list[int], size: int, count: int) -> None:
    of_rows = np.asarray(lengths, dtype=np.int64)
    batches = [np.arange(start, min(start + size, len(lengths))) for start in range(0, len(lengths), size)]
    chosen = spread_of_batches(batches, of_rows, count)
    whole = [batch for batch in batches if len(batch) == len(batches[0])]
    assert len(chosen) == min(count, len(whole))
    assert len({int(batch[0]) for batch in chosen}) == len(chosen)
    longest = [int(of_rows[batch].max()) for batch in chosen]
    assert longest == sorted(longest)
    assert all(len(batch) == len(batches[0]) for batch in chosen)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 6), st.integers(1, 6))
def test_the_floor_holds_each_product_once_and_no_padding(lengths: list[int], embedding: int, hidden: int) -> None:
    of_rows = np.asarray(lengths, dtype=np.int64)
    running = still_running(of_rows)
    assert running.sum() == sum(lengths)
    assert running[0] == len(lengths)
    assert list(running) == sorted(running, reverse=True)
    direction = Direction(running, embedding, hidden)
    products = [*direction.large, *direction.steps, *direction.large, *direction.steps]
    products += attention_products(sum(lengths), hidden)
    for left, right, out in products:
        assert (left.shape[0], right.shape[1]) == tuple(out.shape)
    counted = sum(2 * left.shape[0] * left.shape[1] * right.shape[1] for left, right, _ in products)
    # the recurrent weights' gradient is one large product, the forward and backward recurrence are steps
    assert counted == operations(of_rows, embedding, hidden)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_packed_peer_computes_what_the_padded_one_does(bidirectional: bool) -> None:
    torch.manual_seed(1)
    padded, packed = GRULayer(5, 4, bidirectional), PackedGRULayer(5, 4, bidirectional)
    names = {"forward_gru.": "", "backward_gru.": "_reverse"}
    state = {
        f"gru.{name.removeprefix(start)}{end}": tensor
        for name, tensor in padded.state_dict().items()
        for start, end in names.items()
        if name.startswith(start)
    }
    packed.load_state_dict(state)
    lengths = torch.tensor([3, 7, 1])
    inputs = torch.randn(3, 7, 5)
    real = torch.arange(7)[None, :] < lengths[:, None]
    torch.testing.assert_close(packed(inputs, lengths)[real], padded(inputs, lengths)[real])


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=4, unique=True), st.integers(1, 4))
def test_growth_runs_are_interleaved(rows: list[int], repeats: int) -> None:
    once, full = schedule(rows, False, repeats), schedule(rows, True, repeats)
    assert once.count(max(rows)) == 1
    assert all(once.count(size) == 2 for size in rows if size != max(rows))
    assert full == sorted(rows) * repeats


def test_texts_of_a_length_hold_as_many_tokens() -> None:
    texts = ["A film, not dull.", "I won't see it again!"]
    for length in (3, 20):
        made = list(texts_of_length(counted_chunks(texts), length, 100))
        assert len(made) == 100 // length
        counts = dict(itertools.islice(counted_chunks(texts), 9))
        sizes = [sum(counts[chunk] for chunk in text.split()) for text in made]
        assert all(length <= size < length + max(counts.values()) for size in sizes)


def test_reviews_in_a_csv_are_rows_whatever_they_hold(tmp_path: Path) -> None:
    cells = [quoted(text) for text in ("plain", 'a "quoted", one', "two\nlines", "")]
    path = tmp_path / "x.csv"
    path.write_text("id,review\n" + "".join(f"{n},{cell}\n" for n, cell in enumerate(repeated(cells, 10))), "utf-8")
    assert rows_of_csv(path) == 10


def test_a_command_is_measured_with_its_children() -> None:
    script = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(64 << 20); sum(range(10**7))'])"
    )
    run = run_command([processes.sys.executable, "-c", script], seconds_between=0.01)
    assert run.cpu_seconds > 0
    assert run.seconds > 0
    if Path("/proc/self/smaps_rollup").exists():
        for peak in (run.tree_bytes, run.process_bytes):
            assert peak is not None
            assert 64 << 20 < peak < 128 << 20  # the child's alone, whatever this process holds


def test_an_unknown_section_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        command.main(["--only", "training,nonsense"])
    assert exit_code.value.code == 2
    assert "no section 'nonsense'; there are training" in capsys.readouterr().err


def recomputed(result: dict[str, Any], finding: dict[str, Any]) -> float:
    """Return a finding's value from the repeats in the JSON file."""
    measures = result["sections"][finding["section"]]["measures"]
    value = statistics.median(measures[finding["numerator"]]["values"])
    if finding["denominator"] is not None:
        value /= statistics.median(measures[finding["denominator"]]["values"])
    return value


def bench(workspace: Workspace, model: Path, reports: Path, *flags: str) -> dict[str, Any]:
    """Run the benchmark on the tiny corpus; return what it wrote."""
    flags = ("--quick", "--quiet", "--threads", "1", "--model", str(model), *flags)
    assert command.main([*flags, "--data-dir", str(workspace.root), "--reports-dir", str(reports)]) == 0
    result: dict[str, Any] = json.loads((reports / "trial" / "benchmark.json").read_text("utf-8"))
    for finding in result["findings"]:
        if finding["value"] is not None:
            assert finding["value"] == recomputed(result, finding)
    written = (reports / "trial" / "benchmark.md").read_text("utf-8")
    assert all(finding["title"] in written for finding in result["findings"])
    assert (reports / "trial" / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    for text in (written, json.dumps(result)):
        assert str(workspace.root) not in text
        assert str(reports) not in text
        assert processes.sys.prefix not in text
    return result


def test_a_quick_run(
    workspace: Workspace, trained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    result = bench(workspace, trained_model, tmp_path, "--only", "tokenising,training,gemm_floor")
    assert torch.get_num_threads() == threads
    assert list(result["sections"]) == sorted(["training", "gemm_floor", "tokenising"])
    assert all(section["failures"] == {} for section in result["sections"].values())
    assert all(finding["value"] > 0 and finding["met"] is None for finding in result["findings"])
    assert {finding["section"] for finding in result["findings"]} == set(result["sections"])
    conditions = result["conditions"]
    assert {"processor", "instruction_sets"} <= set(conditions["machine"])
    assert conditions["versions"]["torch"] == torch.__version__
    assert conditions["corpus"]["name"] == "tiny"
    assert any("quick run" in warning for warning in conditions["warnings"])
    assert capsys.readouterr().out.startswith("| what | value |")


def test_a_transformer_that_is_not_installed_is_named(
    workspace: Workspace, trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [processes.sys.executable, "-c", "raise SystemExit('ModuleNotFoundError: no transformers')"]
    real = scoring.peer_program
    monkeypatch.setattr(
        scoring, "peer_program", lambda name, *more: broken if name == "distilbert" else real(name, *more)
    )
    monkeypatch.setattr(scoring, "run_in_turn", lambda *_: {})
    result = bench(workspace, trained_model, tmp_path, "--only", "scoring")
    failures = result["sections"]["scoring"]["failures"]
    assert set(failures) == {f"{scoring.TRANSFORMER}, {precision}" for precision in ("float32", "bfloat16")}
    assert all("no transformers" in reason for reason in failures.values())
    written = (tmp_path / "trial" / "benchmark.md").read_text("utf-8")
    assert written.count("not measured") >= 2
    assert f"- {scoring.TRANSFORMER}, float32: " in written


def test_a_section_that_fails_as_a_whole_is_named(
    workspace: Workspace, trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.bench.tokenising.measure", lambda *_: 1 / 0)
    result = bench(workspace, trained_model, tmp_path, "--only", "tokenising")
    assert result["sections"]["tokenising"]["failures"] == {"the whole section": "ZeroDivisionError: division by zero"}
    assert result["findings"][0]["value"] is None


def test_without_a_model_nothing_is_measured_or_written(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--quiet", "--only", "scoring", "--model", "nonsense", "--data-dir", str(workspace.root)]
    assert command.main([*flags, "--reports-dir", str(tmp_path)]) == 1
    assert "nonsense: no model folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whole_commands(workspace: Workspace, trained_model: Path, tmp_path: Path) -> None:
    result = bench(workspace, trained_model, tmp_path, "--only", "startup,scoring,agreement,growth")
    failures = {name: section["failures"] for name, section in result["sections"].items()}
    for precision in ("float32", "bfloat16"):  # its packages are an extra
        failures["scoring"].pop(f"{scoring.TRANSFORMER}, {precision}", None)
    assert all(of_section == {} for of_section in failures.values()), failures
    assert result["sections"]["agreement"]["measures"]["99.9th percentile of the absolute difference"]["median"] < 5e-3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_sample_stands_in_where_there_is_no_corpus(tmp_path: Path) -> None:
    flags = ["--quick", "--quiet", "--only", "tokenising", "--data-dir", str(tmp_path / "none")]
    assert command.main([*flags, "--reports-dir", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "trial" / "benchmark.json").read_text("utf-8"))
    assert result["conditions"]["corpus"]["generated_sample"] is True
    assert any("generated sample" in warning for warning in result["conditions"]["warnings"])


def test_make_bench_hands_its_flags_on_and_does_without_a_peer(tmp_path: Path) -> None:
    workspace = MakeWorkspace(tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\n[ "$2" = pip ] && exit 1\necho "$@" >> python-calls.txt\n')
    python.chmod(0o755)
    result = workspace.run("bench", "BENCH_FLAGS=--quick --only training")
    assert result.returncode == 0, result.stderr
    assert "not all peers could be installed" in result.stderr
    assert (tmp_path / "python-calls.txt").read_text() == (
        "-m tests.bench --data-dir data --reports-dir reports --quick --only training\n"
    )
