"""Promise: reports that do not go together, are damaged or stand in the way are refused in one line that says so."""

import json
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import cli
from pipeline.artifacts import StageOutput, write_json_atomically
from pipeline.errors import SentimentError, UsageError
from pipeline.evaluation import evaluate, wording
from pipeline.evaluation.finished_report import read_report
from pipeline.evaluation.labelled_texts import digests_of, read_labelled_file
from pipeline.evaluation.previous_report import PreviousReport, require_comparable
from pipeline.evaluation.report_folders import find_report, report_name
from pipeline.plots import LIGHT, render
from pipeline.report import comparison_page, write
from tests.test_compare import A, B, compare, write_report
from tests.test_evaluate import Workspace

TWO_COLUMNS = "text,title,label\n" + "".join(f"review {row},title {row},{row % 2}\n" for row in range(60))


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two reports of the same reviews; comparing them draws no pictures and lists texts as a page."""
    monkeypatch.setattr(comparison_page, "write_pictures", lambda output, drawn: {})
    monkeypatch.setattr(comparison_page, "comparison_page", lambda result, texts, shown: json.dumps(texts))
    write_report(tmp_path / "reports/a", A)
    write_report(tmp_path / "reports/b", B)
    return tmp_path / "reports"


# ------------------------------------------------------------------------------------------------- of the same reviews


def test_other_texts_of_the_same_file_are_other_reviews(reports: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TWO_COLUMNS)
    of_column = {name: read_labelled_file(path, name, None, None).description for name in ("text", "title")}
    assert of_column["text"]["fingerprint"] == of_column["title"]["fingerprint"]
    write_report(reports / "a", A, description=of_column["text"])
    write_report(reports / "b", B, description=of_column["title"])
    with pytest.raises(SentimentError, match=r"columns 'title' and 'label'\) than .*columns 'text' .*of the same file"):
        compare(reports)
    write_report(reports / "b", B, description={**of_column["text"], "labels_sha256": "00"})
    with pytest.raises(SentimentError, match="other texts or classes"):
        compare(reports)
    write_report(reports / "a", A, description={**of_column["text"], "labels_sha256": "00"})
    assert compare(reports)["data"]["rows"] == 60


def test_the_texts_shown_are_of_the_column_that_was_evaluated(reports: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TWO_COLUMNS)
    for name, probabilities in (("a", A), ("b", B)):
        write_report(
            reports / name, probabilities, description=read_labelled_file(path, "TITLE", None, None).description
        )
    for column in (None, "title", "Title"):
        arguments = ["compare", "a", "b", "--reports-dir", str(reports), "--texts", str(path), "--quiet"]
        assert cli.main(arguments if column is None else [*arguments, "--text-column", column]) == 0
        shown = json.loads((reports / "a-vs-b/comparison.html").read_text())
        assert shown["31"] == "title 31"
    assert cli.main([*arguments, "--text-column", "text"]) == 1


def test_the_columns_that_were_found_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("opinion of mine,label\nfine,good\ndull,bad\n")
    description = read_labelled_file(path, None, None, "Good").description
    assert [description[f"{name}_column"] for name in ("text", "label")] == ["opinion of mine", "label"]
    assert description["label_positive"] == "Good"
    other = read_labelled_file(path, None, None, "bad").description
    assert other["texts_sha256"] == description["texts_sha256"]
    assert other["labels_sha256"] != description["labels_sha256"]


@pytest.mark.parametrize(
    ("header", "flags", "told"),
    [
        ("text,is_spoiler", {}, "'text' (found by its name), label column 'is_spoiler' (the only other column): "),
        ("foo,label", {}, "'foo' (the only other column), label column 'label' (found by its name): "),
        ("a,b", {"label_column": "B"}, "'a' (the only other column), label column 'b' (named): "),
    ],
)
def test_a_guessed_column_is_told_as_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    header: str,
    flags: dict[str, str],
    told: str,
) -> None:
    monkeypatch.setattr(write, "write_pictures", lambda *_: defaultdict(lambda: {"alt": "", "light": "", "dark": ""}))
    path = tmp_path / "mine.csv"
    path.write_text(f"{header}\nfine,1\nfine too,Pos\ndull,0\n")
    data = Workspace(tmp_path).evaluate(labelled_file=path, with_robustness=False, quiet=False, **flags)["data"]
    assert data["labels_read"] == {"positive": ["1", "pos"], "negative": ["0"]}
    expected = f"evaluate: text column {told}'1', 'pos' are positive, '0' is negative\n"
    assert expected in capsys.readouterr().err
    page = (tmp_path / "reports/tiny-default-s1-on-mine/report.html").read_text(encoding="utf-8")
    assert f"<code>{data['label_column']}</code> ({data['label_column_found']})" in page


def test_another_file_of_the_same_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def figures_alone(output: StageOutput, evaluated: Any) -> None:
        output.path("metrics.json").write_text(json.dumps(evaluated.metrics))

    monkeypatch.setattr(evaluate, "write_report", figures_alone)
    workspace = Workspace(tmp_path)
    for number, (folder, told) in enumerate((("one", False), ("one", False), ("two", True))):
        path = tmp_path / folder / "films.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text,label\nfine in {folder},1\ndull,0\n")
        workspace.evaluate(labelled_file=path, with_robustness=False, quiet=False)
        shown = capsys.readouterr().err
        assert ("replaces the report of another films.csv in" in shown) is told, number


def test_files_of_one_name_are_told_apart(reports: Path) -> None:
    for name, fingerprint in (("a", "0" * 64), ("b", "1" * 64)):
        description = {"kind": "labelled file", "name": "films.csv", "fingerprint": fingerprint}
        write_report(reports / name, A, description=description)
    with pytest.raises(SentimentError, match="same name, other content"):
        compare(reports)


texts_of_reviews = st.lists(st.text(max_size=3), max_size=5)


@settings(max_examples=40)
@given(texts_of_reviews, texts_of_reviews, st.integers(1, 3))
def test_texts_have_one_digest_only_if_they_are_the_same(first: list[str], second: list[str], window: int) -> None:
    none = np.zeros(0, np.int8)
    digest = digests_of(first, none)["texts_sha256"]
    assert (digest == digests_of(second, none)["texts_sha256"]) is (first == second)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wording, "TEXTS_PER_WINDOW", window)
        assert digests_of(first, none)["texts_sha256"] == digest


# -------------------------------------------------------------------------------------------- which report a name means


def model_folder(folder: Path, weights: str, **config: Any) -> str:
    write_json_atomically(folder / "config.json", {"name": "m", "files": {"model.safetensors": weights}, **config})
    return str(folder)


def test_a_model_folder_stands_for_the_report_of_its_weights(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for name, weights in (("m", "11"), ("m-compact", "22"), ("m-on-gold", "11"), ("x-on-gold", "33")):
        write_json_atomically(reports / name / "metrics.json", {"model": {"name": "m", "weights_sha256": weights}})
    (reports / "m-vs-x").mkdir()
    (reports / "damaged").mkdir()
    (reports / "damaged/metrics.json").write_text("{")
    full = model_folder(tmp_path / "models/m", "11")
    compact = model_folder(tmp_path / "bundled/m", "22", bundle={})
    assert find_report(reports, full) == reports / "m"
    assert find_report(reports, compact) == reports / "m-compact"
    assert find_report(reports, model_folder(tmp_path / "models/x", "33", name="x")) == reports / "x-on-gold"
    with pytest.raises(SentimentError, match=r"again/m: no report of these weights in .*run `sentiment evaluate"):
        find_report(reports, model_folder(tmp_path / "again/m", "44"))
    with pytest.raises(SentimentError, match="no report of these weights"):
        find_report(reports, model_folder(tmp_path / "again/m", "", files={}))
    shutil.rmtree(reports / "m")
    shutil.copytree(reports / "m-on-gold", reports / "m-on-silver")
    with pytest.raises(
        SentimentError, match=r"several reports of this model in .* \(m-on-gold, m-on-silver\); name one"
    ):
        find_report(reports, full)
    with pytest.raises(SentimentError, match="elsewhere/m-compact: no report"):
        find_report(reports, str(tmp_path / "elsewhere/m-compact"))


def test_a_report_is_found_by_its_pages_path_and_what_is_none_says_how_to_get_one(reports: Path) -> None:
    for file in ("report.html", "metrics.json"):
        assert find_report(reports, str(reports / "a" / file)) == reports / "a"
        assert find_report(reports, f"a/{file}") == reports / "a"
    compare(reports)
    with pytest.raises(SentimentError, match=r"a-vs-b: a comparison; name one of its two reports; in \S+: a, b$"):
        find_report(reports, str(reports / "a-vs-b/comparison.html"))
    with pytest.raises(SentimentError, match=r"a folder without a report .*: a, b; `sentiment evaluate FILE --model"):
        find_report(reports, str(reports.parent))
    with pytest.raises(SentimentError, match=r"no report of that name.* on a labelled file$"):
        find_report(reports, "m-on-films")
    with pytest.raises(SentimentError, match=r"no report of that name.*without FILE on the test split"):
        find_report(reports, "m")
    with pytest.raises(UsageError, match="the name of a report is empty"):
        find_report(reports, " ")


def test_a_gate_without_reviews_in_common_asks_for_a_report_of_them(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("text,label\nfine,1\ndull,0\n")
    before = PreviousReport.read(write_report(tmp_path / "a", A))
    data = read_labelled_file(path, None, None, None)
    with pytest.raises(SentimentError, match=r"about other reviews, .*; name a report of films\.csv with --previous$"):
        require_comparable(before, data, tmp_path, named=True)


# ------------------------------------------------------------------------------------------- what stands in the way


def test_nothing_is_written_over_what_another_command_wrote(reports: Path, tmp_path: Path) -> None:
    with StageOutput(reports / "a-vs-b", "evaluate") as output:
        output.path("metrics.json").write_text("{}")
        output.commit({}, {}, {})
    with pytest.raises(
        SentimentError, match="a-vs-b: holds what `sentiment evaluate` wrote, which `sentiment compare`"
    ):
        compare(reports)
    assert (reports / "a-vs-b/metrics.json").is_file()
    workspace = Workspace(tmp_path / "place")
    name = report_name(workspace.config["name"], {"trained_on_this_corpus": True})
    with StageOutput(workspace.reports / name, "compare") as output:
        output.path("comparison.json").write_text("{}")
        output.commit({}, {}, {})
    with pytest.raises(SentimentError, match=f"{name}: holds what `sentiment compare` wrote"):
        workspace.evaluate(baselines=False, with_robustness=False)
    assert (workspace.reports / name / "comparison.json").is_file()
    assert not (workspace.reports / "test-evaluations.csv").exists()


def changed(metrics: Any, place: str, value: Any) -> dict[str, Any]:
    """Return metrics with the value at a dotted place changed."""
    first, _, rest = place.partition(".")
    new = value if not rest else changed(metrics.get(first, {}), rest, value)
    return {**metrics, first: new}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("all.accuracy_interval", [0.1]),
        ("all.accuracy_interval", [0.1, 0.2, 0.3]),
        ("all.accuracy_interval", [0.1, float("inf")]),
        ("all.accuracy_interval", None),
        ("all.accuracy", float("nan")),
        ("all.accuracy", 0.5),
        ("all.accuracy", "0.8"),
        ("all.rows", 0),
        ("all.correct", True),
        ("all.correct", 61),
        ("all.slices", []),
        ("all.slices", {"a.b": {"title": "T", "definition": "D", "groups": []}}),
        ("all.slices.length.groups", None),
        ("all.slices.length.groups", [{"name": 1}]),
        ("all.slices.length.title", None),
        ("data", []),
        ("data.text_column", 3),
        ("data.texts_sha256", 3),
        ("model.weights_sha256", 3),
        ("command", None),
    ],
)
def test_a_report_that_cannot_be_right_is_damaged(tmp_path: Path, place: str, value: Any) -> None:
    folder = write_report(tmp_path / "a", A)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert read_report(folder).metrics == metrics
    (folder / "metrics.json").write_text(json.dumps(changed(metrics, place, value)))
    with pytest.raises(SentimentError, match=r"a/metrics\.json: damaged \(.*run `sentiment evaluate`"):
        read_report(folder)


# ------------------------------------------------------------------------------------------------------- names as text


def test_a_name_that_is_no_utf_8_is_written_as_its_escape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "write_pictures", lambda output, drawn: {})
    monkeypatch.setattr(write, "page", lambda *given: str(given[0].metrics["command"]))
    workspace = Workspace(tmp_path)
    workspace.reports = tmp_path / "reports\udcff"
    path = tmp_path / "mine\udcff.csv"
    path.write_text("text,label\nfine,1\ndull,0\n")
    for _ in range(2):  # the second time it is in the previous report's command too
        metrics = workspace.evaluate(labelled_file=path, with_robustness=False)
    written = workspace.reports / "tiny-default-s1-on-mine"
    assert json.loads((written / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert "mine\udcff" in metrics["previous"]["command"]
    assert metrics["previous"]["mcnemar"] is not None
    assert r"mine\udcff" in (written / "report.html").read_text(encoding="utf-8")
    workspace.evaluate(baselines=False, with_robustness=False)
    assert r"reports\udcff" in workspace.ledger()[0]["command"]


def test_titles_of_a_foreign_report_are_text_in_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics: Mapping[str, Any] = {}
    for name, probabilities in (("a", A), ("b", B)):
        folder = write_report(tmp_path / "reports" / name, probabilities)
        metrics = json.loads((folder / "metrics.json").read_text())
        metrics = changed(metrics, "all.slices.length.title", "$\\frac{$ \ud800\x1b")
        (folder / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.setattr(comparison_page, "write_pictures", lambda output, drawn: {})
    result = compare(tmp_path / "reports")
    assert "$\\frac{$ \ufffd\ufffd" in (tmp_path / "reports/a-vs-b/comparison.html").read_text(encoding="utf-8")
    picture = comparison_page.pictures(result)["differences"].draw(LIGHT)
    assert b"<svg" in render(picture, "svg")


# ----------------------------------------------------------------------------------------- flags that would do nothing


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "--tolerance", "0.5"], "add --fail-if-worse"),
        (["evaluate", "--significance", "0.01"], "add --fail-if-worse"),
        (["compare", "a", "b", "--text-column", "text"], "of the file that --texts names"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.inference.find_model", lambda folder, name: Path("nowhere"))
    monkeypatch.setattr(evaluate, "evaluate_model", lambda *_, **__: None)
    assert cli.main(words) == UsageError.exit_code
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
