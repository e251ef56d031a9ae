"""Promise: two models are compared on the same reviews by figures for paired data, and a worse one stops the build."""

import ast
import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import binom
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from pipeline import cli
from pipeline.artifacts import StageOutput, read_manifest, sha256_of_file, write_json_atomically
from pipeline.console import Console
from pipeline.errors import RegressionError, SentimentError, UsageError
from pipeline.evaluation.compare import compare_reports
from pipeline.evaluation.compared_texts import TextSource
from pipeline.evaluation.comparison import example_positions, holm, paired_interval
from pipeline.evaluation.comparison_entries import COMPARISON_KEYS
from pipeline.evaluation.labelled_texts import LabelledTexts, digests_of
from pipeline.evaluation.predictions import predictions_table
from pipeline.evaluation.previous_report import PreviousReport, named_report, report_in_place, require_comparable
from pipeline.evaluation.regression_gate import NOT_ENFORCED, Gate, gate_in_words
from pipeline.evaluation.slices import LENGTH_BANDS, Slicing, names_of
from pipeline.metrics import Z_95, accuracy_summary, predictions
from pipeline.report import comparison_page
from pipeline.report.numbers import Numbers
from tests.conftest import write_corpus
from tests.test_report import HOSTILE, Page

ROWS = 60
LABELS = (np.arange(ROWS) % 2).astype(np.int8)
TEXTS = [f"review number {row}, " + "word " * row for row in range(ROWS)]
LENGTH = Slicing("length", "Length", "Words", names_of(LENGTH_BANDS), np.repeat([0, 1, 2], 20).astype(np.int8))


def answers(wrong: Sequence[int], seed: int = 1) -> NDArray[np.float64]:
    """Return probabilities that are wrong on these reviews alone, all of them different."""
    sure = np.random.default_rng(seed).uniform(0.55, 0.99, ROWS)
    truth = LABELS.astype(bool)
    truth[list(wrong)] = ~truth[list(wrong)]
    return np.where(truth, sure, 1 - sure)


def write_report(
    folder: Path,
    probabilities: NDArray[np.float64],
    *,
    description: Mapping[str, Any] | None = None,
    version: int = 2,
    order: Sequence[int] | None = None,
    leak_free: NDArray[np.bool_] | None = None,
) -> Path:
    """Write what a comparison reads of a report on the reviews above."""
    data = {"kind": "test split", "name": "tiny", "fingerprint": "f" * 64, "rows": ROWS, **(description or {})}
    figures = accuracy_summary(LABELS, predictions(probabilities))
    slices = {
        "length": {"title": "Length", "definition": "Words", "groups": [{"name": name} for name in LENGTH.groups]}
    }
    metrics = {
        "schema_version": version,
        "evaluated_at": "2026-01-02T03:04:05+00:00",
        "command": f"sentiment evaluate --model {folder.name}",
        "model": {"name": folder.name, "weights_sha256": "ab" * 32},
        "data": data,
        "all": {**figures, "slices": slices} if version > 1 else figures,
    }
    write_json_atomically(folder / "metrics.json", metrics)
    reviews = LabelledTexts(TEXTS, LABELS, np.arange(ROWS), {}, leak_free)
    table = predictions_table(reviews, probabilities, [LENGTH] if version > 1 else [])
    pq.write_table(table if order is None else table.take(list(order)), folder / "predictions.parquet")
    return folder


def compare(reports: Path, first: str = "a", second: str = "b", **options: Any) -> dict[str, Any]:
    source = TextSource(options.pop("corpus", reports.parent / "corpus"), options.pop("texts", None))
    return compare_reports((first, second), reports, source, Console(quiet=True), **options)


WRONG_A, WRONG_B = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30], [0, 31]
A, B = answers(WRONG_A, 1), answers(WRONG_B, 2)


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two reports of the same reviews, b the better one; comparing them draws no pictures and lists texts as a page."""
    monkeypatch.setattr(comparison_page, "write_pictures", lambda output, drawn: {})
    monkeypatch.setattr(comparison_page, "comparison_page", lambda result, texts, shown: json.dumps(texts))
    write_report(tmp_path / "reports/a", A)
    write_report(tmp_path / "reports/b", B)
    return tmp_path / "reports"


# ------------------------------------------------------------------------------------------------------------- figures


def test_the_interval_is_tangos() -> None:
    # Bentur et al. 2009 and Cavo et al. 2012, as computed by R's contingencytables
    assert paired_interval(1, 7, 21) == pytest.approx([-0.517, -0.026], abs=0.0005)
    assert paired_interval(6, 16, 161) == pytest.approx([-0.1240, -0.0054], abs=0.00005)
    assert paired_interval(0, 0, 50) == pytest.approx([-(Z_95**2) / (50 + Z_95**2), Z_95**2 / (50 + Z_95**2)])
    assert paired_interval(0, 0, 0) is None


counts = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60)).filter(lambda drawn: sum(drawn) > 0)


def score_statistic(difference: float, gained: int, lost: int, rows: int) -> float:
    """Return Tango's statistic with the likeliest chance of a loss found by search."""
    low, high = max(0.0, -difference), (1 - difference) / 2

    def unlikeliness(chance: float) -> float:
        parts = ((gained, chance + difference), (lost, chance), (rows - gained - lost, 1 - 2 * chance - difference))
        return -sum(count * np.log(max(share, 1e-300)) for count, share in parts if count)

    chance = minimize_scalar(unlikeliness, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = rows * (2 * chance + difference * (1 - difference))
    return float((gained - lost - rows * difference) / np.sqrt(variance))


@given(counts)
@settings(max_examples=40)
def test_the_limits_are_where_the_score_test_begins_to_refuse(drawn: tuple[int, int, int]) -> None:
    gained, lost, _ = drawn
    rows = sum(drawn)
    interval = paired_interval(gained, lost, rows)
    assert interval is not None
    low, high = interval
    assert -1 <= low <= (gained - lost) / rows <= high <= 1
    for limit, sign in ((low, 1), (high, -1)):
        if -0.999 < limit < 0.999:
            assert score_statistic(limit, gained, lost, rows) == pytest.approx(sign * Z_95, rel=0.01)


@given(counts)
@settings(max_examples=40)
def test_swapped_models_have_the_mirrored_interval(drawn: tuple[int, int, int]) -> None:
    gained, lost, _ = drawn
    forth, back = paired_interval(gained, lost, sum(drawn)), paired_interval(lost, gained, sum(drawn))
    assert forth is not None
    assert back is not None
    assert forth == pytest.approx([-back[1], -back[0]], abs=1e-9)


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9, 0.8]) == [1.0, 1.0, 1.0]
    assert holm([]) == []


def test_every_figure_is_what_scikit_learn_gives(reports: Path) -> None:
    result = compare(reports)
    assert set(result) == set(COMPARISON_KEYS)
    assert json.loads((reports / "a-vs-b/comparison.json").read_text()) == result
    for key, probabilities in (("a", A), ("b", B)):
        entry = result[key]
        assert entry["accuracy"] == accuracy_score(LABELS, probabilities >= 0.5)
        assert entry["roc_auc"] == roc_auc_score(LABELS, probabilities)
        assert entry["log_loss"] == pytest.approx(log_loss(LABELS, probabilities))
        assert entry["brier"] == pytest.approx(brier_score_loss(LABELS, probabilities))
        parts = np.array_split(np.argsort(probabilities), 15)
        gaps = [len(part) * abs(probabilities[part].mean() - LABELS[part].mean()) for part in parts]
        assert entry["calibration_error"] == pytest.approx(sum(gaps) / ROWS)
    for name in ("roc_auc", "log_loss", "brier", "calibration_error"):
        assert result["difference"][name] == result["b"][name] - result["a"][name]
    assert result["difference"]["accuracy"] == 9 / 60
    assert result["difference"]["accuracy_interval"] == paired_interval(10, 1, 60)
    assert result["agreement"] == {"both_right": 48, "only_a_right": 1, "only_b_right": 10, "both_wrong": 1}
    assert result["p_value"] == pytest.approx(2 * binom.cdf(1, 11, 0.5))
    joint = result["probabilities"]["joint_histogram"]
    assert np.array(joint["counts"]).sum(axis=1).tolist() == np.histogram(A, joint["edges"])[0].tolist()
    assert np.array(joint["counts"]).sum(axis=0).tolist() == np.histogram(B, joint["edges"])[0].tolist()
    assert result["probabilities"]["mean_absolute"] == pytest.approx(np.abs(A - B).mean())


def test_slice_by_slice_with_a_correction_for_their_number(reports: Path) -> None:
    result = compare(reports)
    groups = {entry["name"]: entry for entry in result["slices"]["length"]["groups"]}
    assert [entry["rows"] for entry in groups.values()] == [20, 20, 20, 0, 0]
    first = groups["under 100"]
    assert (first["a"]["correct"], first["b"]["correct"], first["only_b_right"]) == (10, 19, 9)
    assert first["p_value"] == pytest.approx(2 * 0.5**9)
    assert result["tests"] == 5  # both classes, and three lengths that have reviews
    assert first["p_value_holm"] == pytest.approx(5 * first["p_value"])
    assert groups["800 and more"]["p_value_holm"] is None
    classes = {entry["name"]: entry for entry in result["slices"]["class"]["groups"]}
    assert classes["negative"]["a"]["accuracy"] == accuracy_score(LABELS[::2], A[::2] >= 0.5)


def test_leak_free_reviews_are_those_of_both(reports: Path) -> None:
    assert compare(reports)["leak_free"] is None
    write_report(reports / "a", A, leak_free=np.arange(ROWS) >= 5)
    write_report(reports / "b", B, leak_free=np.arange(ROWS) < 50)
    entry = compare(reports)["leak_free"]
    assert (entry["rows"], entry["only_a_right"], entry["only_b_right"]) == (45, 1, 6)
    write_report(reports / "a", A, leak_free=np.arange(ROWS) >= 5, order=range(ROWS - 1, -1, -1))
    assert compare(reports)["leak_free"] == entry


def test_swapped_order_mirrors_and_row_order_changes_nothing(reports: Path) -> None:
    forth, back = compare(reports), compare(reports, "b", "a")
    assert (forth["a"], forth["b"], forth["p_value"]) == (back["b"], back["a"], back["p_value"])
    assert forth["difference"]["accuracy"] == -back["difference"]["accuracy"]
    assert forth["agreement"]["only_a_right"] == back["agreement"]["only_b_right"]
    assert forth["examples"]["only_a_right"][0]["row"] == back["examples"]["only_b_right"][0]["row"]
    table = (reports / "a-vs-b/only_one_right.csv").read_text()
    write_report(reports / "a", A, order=range(ROWS - 1, -1, -1))
    write_report(reports / "b", B, order=np.random.default_rng(3).permutation(ROWS).tolist())
    again = compare(reports)
    assert {**again, "compared_at": ""} == {**forth, "compared_at": ""}
    assert (reports / "a-vs-b/only_one_right.csv").read_text() == table


def test_the_reviews_to_look_at(reports: Path) -> None:
    result = compare(reports)
    for kind, rows in (("only_a_right", [31]), ("only_b_right", WRONG_A[1:])):
        entries = result["examples"][kind]
        assert sorted(entry["row"] for entry in entries) == rows
        changes = [abs(entry["probability_a"] - entry["probability_b"]) for entry in entries]
        assert changes == sorted(changes, reverse=True)
    positions = example_positions(LABELS, A, B, count=5)["same_class"]
    same = np.flatnonzero((A >= 0.5) == (B >= 0.5))
    assert np.abs(A - B)[positions].min() >= np.sort(np.abs(A - B)[same])[-5]
    every = example_positions(LABELS, A, B, count=ROWS)["same_class"]
    assert sorted(every) == same.tolist()
    with (reports / "a-vs-b/only_one_right.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(int(line["row"]), line["right"]) for line in lines] == [
        *((row, "b") for row in WRONG_A[1:]),
        (31, "a"),
    ]
    assert float(lines[0]["probability_a"]) == A[1]


# ---------------------------------------------------------------------------------------------------------------- gate


@pytest.mark.parametrize(
    ("lost", "gained", "p_value", "tolerance", "worse"),
    [
        (10, 0, 0.01, 0.0, True),
        (10, 0, 0.05, 0.0, False),  # no clear loss
        (0, 10, 0.01, 0.0, False),  # a gain
        (5, 5, 0.01, 0.0, False),
        (10, 0, 0.01, 1.0, False),  # exactly what is accepted
        (10, 0, 0.01, 0.99, True),
        (3, 0, 0.01, 0.3, False),
    ],
)
def test_when_a_model_is_worse(lost: int, gained: int, p_value: float, tolerance: float, worse: bool) -> None:
    verdict = Gate(0.05, tolerance, True).verdict(1000, lost, gained, p_value)
    assert (verdict["worse"], verdict["loss_points"]) == (worse, (lost - gained) / 10)


@given(counts, st.sampled_from([0.0, 2.5, 30.0]))
@settings(max_examples=20)
def test_a_gate_passes_outright_only_where_no_larger_loss_is_possible(
    drawn: tuple[int, int, int], tolerance: float
) -> None:
    gained, lost, _ = drawn
    interval = paired_interval(gained, lost, sum(drawn))
    assert interval is not None
    chance = min(1.0, 2 * float(binom.cdf(min(gained, lost), gained + lost, 0.5)))
    verdict = Gate(0.05, tolerance).verdict(sum(drawn), lost, gained, chance)
    words = gate_in_words(verdict, chance)
    assert not (verdict["worse"] and verdict["no_worse"])
    assert verdict["no_worse"] is (max(0.0, -100 * interval[0]) <= tolerance)
    assert words.startswith("fails: ") is verdict["worse"]
    assert ("not shown to be worse" in words or "is accepted" in words) is not (verdict["worse"] or verdict["no_worse"])
    if not verdict["worse"] and interval[0] < 0:
        assert f"the loss may be as large as {-100 * interval[0]:.2f} points" in words


def test_few_reviews_pass_with_a_word_on_what_they_cannot_show() -> None:
    verdict = Gate().verdict(30, 2, 1, 1.0)
    assert gate_in_words(verdict, 1.0) == (
        "passes: not shown to be worse, yet these reviews do not rule it out: the loss may be as large as 18.77 points "
        "(95% interval)"
    )


def run(reports: Path, *arguments: str) -> int:
    try:
        return cli.main(["compare", *arguments, "--reports-dir", str(reports), "--data-dir", str(reports.parent)])
    except SystemExit as stopped:
        return int(str(stopped.code))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a", "b", "--fail-if-worse"], 0, "B less A: +15.00 points"),
        (["b", "a"], 0, "warning: B is worse on length under 100: -45.00 points on 20 reviews (p 0.0195, corrected"),
        (["b", "a", "--fail-if-worse"], 3, "B (a) is worse than A (b): 15.00 points lost (p 0.0117, below 0.05)"),
        (["b", "a", "--fail-if-worse", "--debug", "--quiet"], 3, "B (a) is worse than A (b)"),
        (["b", "a"], 0, "gate: fails: 15.00 points are lost; McNemar's p 0.0117 is below 0.05"),
        (
            ["b", "a", "--fail-if-worse", "--tolerance", "15"],
            0,
            "passes, for a loss of 15.00 points is accepted: the loss",
        ),
        (["b", "a", "--fail-if-worse", "--tolerance", "14.9"], 3, "points lost, and 14.9 are accepted"),
        (["b", "a", "--fail-if-worse", "--significance", "0.01"], 0, "comparison: "),
        (["a", "nothing"], 1, "nothing: no report of that name; in"),
        (["a", ""], 2, "the name of a report is empty; in"),
        (["a", "a"], 2, "named twice"),
        (["a"], 2, "the following arguments are required: B"),
        (["a", "b", "--tolerance", "-1"], 2, "'-1' is no number of points between 0 and 100"),
    ],
)
def test_exit_codes(
    reports: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert run(reports, *arguments) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""
    if "--quiet" in arguments:
        assert shown.err.count("\n") == 1
    if code == 3:
        written = json.loads((reports / "b-vs-a/comparison.json").read_text())
        assert written["gate"]["worse"]
        assert (reports / "b-vs-a/manifest.json").is_file()


@pytest.mark.slow
def test_exit_codes_of_a_process(reports: Path) -> None:
    for names, code in ((("a", "b"), 0), (("b", "a"), 3)):
        words = [sys.executable, "-m", "pipeline", "--reports-dir", str(reports), "compare", *names, "--fail-if-worse"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, "")


# ----------------------------------------------------------------------------------------------------- what is at fault


def test_reports_of_other_reviews_are_not_compared(reports: Path) -> None:
    write_report(reports / "other", B, description={"fingerprint": "0" * 64, "name": "elsewhere"})
    with pytest.raises(
        SentimentError, match=r"other: about other reviews .*\(elsewhere, not tiny\); run `sentiment evaluate"
    ):
        compare(reports, "a", "other")
    path = reports / "b/predictions.parquet"
    pq.write_table(pq.read_table(path).set_column(0, "row", [list(range(1, ROWS + 1))]), path)
    with pytest.raises(SentimentError, match="b: other rows or labels than"):
        compare(reports)
    write_report(reports / "b", B)
    table = pq.read_table(path).to_pydict()
    for name in ("label", "probability"):  # as with another label for the positive one
        table[name] = [1 - value for value in table[name]]
    pq.write_table(pa.table(table), path)
    with pytest.raises(SentimentError, match="b: other rows or labels than"):
        compare(reports)


def test_a_group_of_all_reviews_is_no_group(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        path = reports / name / "predictions.parquet"
        table = pq.read_table(path)
        position = table.schema.get_field_index("slice_length")
        pq.write_table(table.set_column(position, "slice_length", [["under 100"] * ROWS]), path)
    result = compare(reports, "b", "a")
    assert set(result["slices"]) == {"class"}
    assert result["slices_left_out"] == {"length": "all reviews fall into one group ('under 100')"}
    assert result["tests"] == 2
    assert run(reports, "b", "a") == 0
    assert "worse on length" not in capsys.readouterr().err


def test_groups_that_differ_between_the_reports_are_not_compared(reports: Path) -> None:
    path = reports / "b/predictions.parquet"
    table = pq.read_table(path)
    groups = table.column("slice_length").cast(pa.string()).to_pylist()
    position = table.schema.get_field_index("slice_length")
    pq.write_table(table.set_column(position, "slice_length", [groups[::-1]]), path)
    result = compare(reports)
    assert set(result["slices"]) == {"class"}
    assert "different groups" in result["slices_left_out"]["length"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("predictions.parquet", None, "predictions.parquet: not found; run `sentiment evaluate`"),
        ("predictions.parquet", b"PAR1 cut", "predictions.parquet: damaged"),
        ("metrics.json", b'{"schema_version": 2', "metrics.json: not readable as JSON"),
        ("metrics.json", b'{"schema_version": 99}', "metrics.json: written by another version"),
        ("metrics.json", b'{"schema_version": 2, "all": {}}', "metrics.json: damaged"),
    ],
)
def test_a_damaged_report_is_one_line(
    reports: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, message: str
) -> None:
    (reports / "b" / name).unlink() if content is None else (reports / "b" / name).write_bytes(content)
    assert run(reports, "a", "b") == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not (reports / "a-vs-b/manifest.json").exists()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("probability", 1.5, "a probability that is not between 0 and 1"),
        ("probability", float("nan"), "a probability that is not between 0 and 1"),
        ("label", -1, "a label that is neither 0 nor 1"),
        ("row", 1, "a row twice"),
        ("probability", 0.999, "does not go with metrics.json"),
    ],
)
def test_predictions_that_cannot_be_right_are_refused(reports: Path, column: str, value: float, message: str) -> None:
    path = reports / "b/predictions.parquet"
    table = pq.read_table(path)
    values = table.column(column).to_pylist()
    values[2] = value
    place = table.schema.get_field_index(column)
    field = table.schema.field(column)
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), path)
    with pytest.raises(SentimentError, match=message):
        compare(reports)


def test_reports_of_the_first_version_are_compared_without_groups(reports: Path) -> None:
    write_report(reports / "a", A, version=1)
    result = compare(reports)
    assert set(result["slices"]) == {"class"}
    assert "does not have it" in result["slices_left_out"]["length"]
    write_report(reports / "b", B, version=1)
    result = compare(reports)
    assert "evaluate both models again" in result["slices_left_out"]["length"]
    assert result["difference"]["accuracy"] == 9 / 60


def test_a_report_is_found_by_folder_and_by_model_folder(reports: Path, tmp_path: Path) -> None:
    shutil.copytree(reports / "b", tmp_path / "elsewhere/a")
    model = tmp_path / "models/a"
    write_json_atomically(model / "config.json", {"name": "a", "files": {"model.safetensors": "ab" * 32}})
    result = compare(reports, str(model), str(tmp_path / "elsewhere/a"))
    assert result["difference"]["accuracy"] == 9 / 60
    assert (reports / "a-vs-a/comparison.html").is_file()


# ------------------------------------------------------------------------------------------------------- texts and page


def test_texts_come_from_the_corpus_of_these_reports_alone(reports: Path, tmp_path: Path) -> None:
    compare(reports)
    assert page_of(reports) == "{}"
    corpus = tmp_path / "corpus"
    write_corpus(corpus, {"test": [(text, int(label)) for text, label in zip(TEXTS, LABELS, strict=True)]})
    compare(reports)  # a corpus of another fingerprint
    assert page_of(reports) == "{}"
    fingerprint = json.loads((corpus / "manifest.json").read_text())["fingerprint"]
    for name, probabilities in (("a", A), ("b", B)):
        write_report(reports / name, probabilities, description={"fingerprint": fingerprint})
    compare(reports)
    assert json.loads(page_of(reports))["31"] == TEXTS[31]
    with pytest.raises(UsageError, match="leave out --texts"):
        compare(reports, texts=tmp_path / "some.csv")


def labelled_file(reports: Path, texts: Sequence[str]) -> Path:
    """Write a labelled file with a blank text before the fifth, and make the reports reports on it."""
    path = reports.parent / "mine.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for row, (text, label) in enumerate(zip(texts, LABELS, strict=True)):
            if row == 5:
                writer.writerow(["  ", ""])
            writer.writerow([text, label])
    description = {"kind": "labelled file", "name": "mine.csv", "fingerprint": sha256_of_file(path)}
    for name, probabilities in (("a", A), ("b", B)):
        write_report(reports / name, probabilities, description=description)
    return path


def test_texts_of_a_labelled_file(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.reviews.REVIEWS_PER_BATCH", 7)
    path = labelled_file(reports, TEXTS)
    compare(reports)
    assert page_of(reports) == "{}"
    compare(reports, texts=path)
    shown = json.loads(page_of(reports))
    assert shown == {row: TEXTS[int(row)] for row in shown}
    assert len(shown) == 31
    path.write_text("text,label\nfine,1\n")
    with pytest.raises(SentimentError, match=r"mine\.csv: not the file that was evaluated on"):
        compare(reports, texts=path)
    with pytest.raises(SentimentError, match=r"none\.csv: not found"):
        compare(reports, texts=path.with_name("none.csv"))


def page_of(reports: Path) -> str:
    return (reports / "a-vs-b/comparison.html").read_text(encoding="utf-8")


def test_the_page_says_what_comparison_json_says_and_a_hostile_review_is_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = tmp_path / "reports"
    texts = [*TEXTS]
    texts[31], texts[1] = HOSTILE, HOSTILE + "&" * 10_000
    path = labelled_file(reports, texts)
    monkeypatch.setattr(comparison_page, "write_pictures", lambda output, drawn: {})
    compare(reports)
    assert "--texts mine.csv" in page_of(reports)
    assert "review number" not in page_of(reports)
    monkeypatch.undo()
    result = compare(reports, texts=path)
    text = page_of(reports)
    page, numbers = Page(text), Numbers(result)
    assert len(page.figures) > 120
    assert "B is <strong>better</strong> than A" in text
    cells = re.findall(r'A (?:right|wrong)</th>|data-key="agreement\.(\w+)"', text.split('id="agreement"')[1])
    assert cells[:6] == ["", "both_right", "only_a_right", "", "only_b_right", "both_wrong"]
    for key, value in page.figures.items():
        assert ast.literal_eval(value) == numbers.value(key), key
    for key in ("difference.accuracy", "difference.accuracy_interval.0", "p_value", "agreement.only_a_right"):
        assert key in page.figures
    for key, shown in page.shown:
        value = 100 * numbers.value(key) if shown.endswith("%") or "difference" in key else numbers.value(key)
        if key.startswith("difference.") and "accuracy" not in key:
            value /= 100
        if not shown.startswith("<"):
            assert float(shown.rstrip("%").replace(",", "")) == pytest.approx(value, abs=0.0051), key
    for words, key in (("A alone is right on", "only_a_right"), ("B alone on", "only_b_right")):
        assert f'{words} <data data-key="agreement.{key}"' in text
    assert "<script" not in text
    assert "&lt;script&gt;document.title=" in text
    assert not re.search("[\x1b\x85\u202e]", text)
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert "characters left out" in text
    policy = next(attributes["content"] for attributes in page.named("meta") if attributes.get("http-equiv"))
    assert "default-src 'none'" in str(policy)
    assert "unsafe" not in str(policy)
    assert "script-src 'none'" in str(policy)
    targets = {attributes.get("id") for _, attributes in page.tags}
    assert all(str(attributes["href"])[1:] in targets for attributes in page.named("a"))
    assert all(attributes.get("alt") for attributes in page.named("img"))
    for name in ("differences", "probabilities"):
        assert (reports / f"a-vs-b/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len(text) < 600_000


@pytest.mark.parametrize(
    ("models", "tolerance", "first_number", "gate"),
    [
        ((A, B), 0.0, "big good", 'The regression gate <strong class="positive">passes</strong>: '),
        ((B, A), 0.0, "big bad", 'The regression gate <strong class="negative">fails</strong>.'),
        ((B, A), 50.0, "big bad", "The regression gate passes, for the loss is within the accepted "),
        (
            (A, A),
            0.0,
            "big open",
            "The regression gate does not stop B, which is <strong>not shown to be worse</strong>",
        ),
        ((A, A), 50.0, "big open", 'The regression gate <strong class="positive">passes</strong>: '),
    ],
)
def test_a_loss_is_not_shown_as_a_success(
    reports: Path,
    monkeypatch: pytest.MonkeyPatch,
    models: tuple[NDArray[np.float64], NDArray[np.float64]],
    tolerance: float,
    first_number: str,
    gate: str,
) -> None:
    for name, probabilities in zip(("a", "b"), models, strict=True):
        write_report(reports / name, probabilities)
    result = compare(reports, gate=Gate(tolerance=tolerance))
    monkeypatch.undo()
    nothing = {name: {"alt": "", "light": "", "dark": ""} for name in ("differences", "probabilities")}
    text = " ".join(comparison_page.comparison_page(result, {}, nothing).split())
    assert f'B less A, points of accuracy</div> <div class="{first_number}">' in text
    assert gate in text
    assert ('class="positive">passes' in text) is (gate.count("positive") == 1)


# ------------------------------------------------------------------------------------------------------ previous report


def new_data(fingerprint: str = "f" * 64) -> LabelledTexts:
    return LabelledTexts(TEXTS, LABELS, np.arange(ROWS), {"fingerprint": fingerprint})


def previous(place: Path, gate: Gate = NOT_ENFORCED) -> PreviousReport | None:
    return report_in_place(place, gate, Console())


def test_the_report_that_stood_here_before(reports: Path) -> None:
    before = previous(reports / "a")
    assert before is not None
    entry = before.entry(new_data(), predictions(B), "cd" * 32)
    assert entry == {
        "name": "a",
        "evaluated_at": "2026-01-02T03:04:05+00:00",
        "command": "sentiment evaluate --model a",
        "weights_sha256": "ab" * 32,
        "rows": ROWS,
        "accuracy": 49 / 60,
        "accuracy_interval": accuracy_summary(LABELS, predictions(A))["accuracy_interval"],
        "same_reviews": True,
        "same_weights": False,
        "mcnemar": {"only_first": 10, "only_second": 1, "p_value": pytest.approx(2 * binom.cdf(1, 11, 0.5))},
    }
    assert before.entry(new_data(), predictions(A), "ab" * 32)["same_weights"]
    turned = LabelledTexts(TEXTS[::-1], LABELS[::-1], np.arange(ROWS)[::-1], {"fingerprint": "f" * 64})
    assert before.entry(turned, predictions(B)[::-1], "cd" * 32) == entry
    flipped = LabelledTexts(TEXTS, (1 - LABELS).astype(np.int8), np.arange(ROWS), {"fingerprint": "f" * 64})
    assert before.same_reviews(flipped) is False
    before = PreviousReport(replace(before.report, metrics={**before.report.metrics, "model": {}}), before.answers)
    assert not before.entry(new_data(), predictions(A), None)["same_weights"]
    other = before.entry(new_data("0" * 64), predictions(B), None)
    assert (other["same_reviews"], other["mcnemar"]) == (False, None)


def test_a_report_that_is_replaced_may_be_damaged_and_one_that_is_named_or_a_gate_needs_may_not(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (reports / "a/predictions.parquet").write_bytes(b"cut")
    before = previous(reports / "a")
    assert before is not None
    assert before.entry(new_data(), predictions(B), None)["mcnemar"] is None
    (reports / "a/metrics.json").write_bytes(b"{")
    assert previous(reports / "nowhere") is None
    assert capsys.readouterr().err == ""
    assert previous(reports / "a") is None
    assert re.fullmatch(r"evaluate: .*/a/metrics\.json: not readable .*without a comparison\n", capsys.readouterr().err)
    with pytest.raises(SentimentError, match=r"a/metrics\.json: not readable as JSON .*bring the file back, or name"):
        previous(reports / "a", gate=Gate(enforced=True))
    with pytest.raises(SentimentError, match="not readable as JSON"):
        named_report("a", reports)
    with pytest.raises(SentimentError, match="nowhere: no report"):
        named_report("nowhere", reports)


def test_without_answers_the_digests_tell_whether_the_reviews_are_the_same(reports: Path) -> None:
    digests = digests_of(TEXTS, LABELS)
    (reports / "a/predictions.parquet").unlink()
    for mine, others, same in (
        ({}, digests, None),
        (digests, digests, True),
        (digests_of(TEXTS, 1 - LABELS), digests, False),
        (digests_of(TEXTS[::-1], LABELS), digests, False),
    ):
        write_report(reports / "a", A, description=mine)
        (reports / "a/predictions.parquet").unlink()
        before = previous(reports / "a")
        assert before is not None
        data = LabelledTexts(TEXTS, LABELS, np.arange(ROWS), {"fingerprint": "f" * 64, **others})
        assert before.same_reviews(data) is same
        with pytest.raises(SentimentError, match="about other reviews" if same is False else "missing or damaged"):
            require_comparable(before, data, reports / "a")


def test_evaluation_is_held_against_the_report_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.evaluation import evaluate
    from pipeline.report.write import predictions_table as table_of
    from tests.test_evaluate import Workspace

    def without_pictures(output: StageOutput, evaluated: Any) -> None:
        output.path("metrics.json").write_text(json.dumps(evaluated.metrics))
        pq.write_table(table_of(evaluated.data, evaluated.probabilities, []), output.path("predictions.parquet"))

    def always_positive(_: object, texts: Sequence[str], on_batch: object = None) -> NDArray[np.float32]:
        return np.ones(len(texts), np.float32)

    monkeypatch.setattr(evaluate, "write_report", without_pictures)
    workspace = Workspace(tmp_path)
    enforced = Gate(significance=1.01, enforced=True)
    with pytest.raises(SentimentError, match=r"no report here that the model could be worse than"):
        workspace.evaluate(baselines=False, with_robustness=False, gate=enforced)
    with pytest.raises(SentimentError, match="nowhere: no report of that name"):
        workspace.evaluate(baselines=False, with_robustness=False, previous="nowhere")
    assert [path.name for path in workspace.reports.iterdir() if not path.name.startswith(".")] == []
    assert workspace.evaluate(baselines=False, with_robustness=False)["previous"] is None
    previous = workspace.evaluate(baselines=False, with_robustness=False, gate=enforced)["previous"]
    assert (previous["name"], previous["same_reviews"], previous["same_weights"]) == ("tiny-default-s1", True, True)
    shutil.copytree(workspace.reports / "tiny-default-s1", workspace.reports / "old")
    monkeypatch.setattr("tests.test_evaluate.StubModel.logits", always_positive)
    good = sorted((path.name, path.read_bytes()) for path in (workspace.reports / "tiny-default-s1").iterdir())
    for named, name in (("old", "old"), (None, "tiny-default-s1"), (None, "tiny-default-s1")):
        message = (
            rf"tiny-default-s1 is worse than the report of .* \({name}\): 16\.67 points .*its report is \S+-s1-worse,"
        )
        with pytest.raises(RegressionError, match=message):
            workspace.evaluate(baselines=False, with_robustness=False, gate=enforced, previous=named)
        written = json.loads((workspace.reports / "tiny-default-s1-worse/metrics.json").read_text())
        assert written["all"]["accuracy"] == 0.5
        assert (" --previous old " in written["command"]) is (named is not None)
    assert read_manifest(workspace.reports / "tiny-default-s1-worse", "evaluate")["accuracy"] == 0.5
    assert good == sorted((path.name, path.read_bytes()) for path in (workspace.reports / "tiny-default-s1").iterdir())
    workspace.evaluate(baselines=False, with_robustness=False, quiet=False)
    assert "tiny-default-s1-worse is of an earlier run, which failed the regression gate" in capsys.readouterr().err
    with StageOutput(workspace.reports / "tiny-default-s1-worse", "evaluate") as output:
        output.commit({}, {}, {"failed_gate": False})  # as of a model of that name
    with pytest.raises(SentimentError, match=r"-worse: stands where this report goes if it fails"):
        workspace.evaluate(baselines=False, with_robustness=False, gate=enforced)
