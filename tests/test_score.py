"""Promise: rows out = rows in, in order, every value as it was, with a prediction or a reason beside each."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.console import Console
from pipeline.scoring import windows as score_windows
from pipeline.scoring.answers import OUTPUT_COLUMNS
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.score import score_table
from pipeline.text_column import find_text_column
from tests.stub_models import HashModel, probability_of

QUIET = Console(quiet=True)


def scored(folder: Path, content: bytes, **options: Any) -> list[list[str]]:
    (folder / "in.csv").write_bytes(content)
    score_table(str(folder / "in.csv"), str(folder / "out.csv"), HashModel(), QUIET, ScoreOptions(**options))
    with (folder / "out.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter=options.get("delimiter") or ","))


def test_the_three_columns(tmp_path: Path) -> None:
    rows = scored(tmp_path, b"id,review\n007,a fine film\n008,\n")
    assert rows[0] == ["id", "review", *OUTPUT_COLUMNS]
    probability = probability_of("a fine film")
    answer = "positive" if float(probability) >= 0.5 else "negative"
    assert rows[1:] == [["007", "a fine film", answer, probability, ""], ["008", "", "", "", "blank text"]]


def test_delimiter_and_line_ends_are_those_of_the_input(tmp_path: Path) -> None:
    scored(tmp_path, b"id;review\r\n1;good, or not\r\n")
    content = (tmp_path / "out.csv").read_bytes()
    assert content.startswith(b"id;review;predicted_sentiment;positive_probability;score_error\r\n1;good, or not;")
    assert content.count(b"\n") == content.count(b"\r\n") == 2


def test_a_header_without_rows_stays_one(tmp_path: Path) -> None:
    assert scored(tmp_path, b"id,review\n") == [["id", "review", *OUTPUT_COLUMNS]]


def test_the_output_is_utf8_whatever_the_input(tmp_path: Path) -> None:
    for encoding in ("utf-16", "cp1252", "utf-8-sig"):
        assert scored(tmp_path, "id,review\n1,café “good”\n".encode(encoding))[1][:2] == ["1", "café “good”"]


def test_prefix_renames_the_columns(tmp_path: Path) -> None:
    content = b"review,predicted_sentiment,positive_probability,score_error\ngood,positive,0.9,\n"
    assert scored(tmp_path, content, prefix="second_")[0][4:] == [f"second_{name}" for name in OUTPUT_COLUMNS]


@pytest.mark.parametrize(("threshold", "answer"), [(0.0, "positive"), (1.0, "negative")])
def test_threshold(tmp_path: Path, threshold: float, answer: str) -> None:
    assert scored(tmp_path, b"review\ngood\n", threshold=threshold)[1][1] == answer


@pytest.mark.parametrize("blank", ["", "  ", "\t", "\u00a0", "\0", "<br /><br>", "\u200b"])
def test_blank_texts_have_a_reason_and_never_reach_the_model(tmp_path: Path, blank: str) -> None:
    rows = scored(tmp_path, f'id,review,x\n1,"{blank}",y\n2,good,z\n'.encode(), text_column="review", encoding="utf-8")
    assert rows[1] == ["1", blank, "y", "", "", "blank text"]
    assert rows[2][:3] == ["2", "good", "z"]
    assert rows[2][4] == probability_of("good")


def test_broken_rows_are_scored_and_explained(tmp_path: Path) -> None:
    content = 'id,review\n1,café\n2,go\udcffod\n3,good,really\n4\n5,"fair\n6,bad\n'.encode("utf-8", "surrogateescape")
    rows = scored(tmp_path, content)[1:]
    assert [row[:2] for row in rows] == [
        ["1", "café"],
        ["2", "go\ufffdod"],
        ["3", "good"],
        ["4", ""],
        ["5", '"fair'],
        ["6", "bad"],
    ]
    assert [row[4] for row in rows] == [
        "",
        "undecodable bytes: 1 replaced",
        "surplus fields: 3 instead of 2",
        "too few fields: 1 instead of 2; blank text",
        "unterminated quote: taken as a character",
        "",
    ]
    assert [row[3] for row in rows] == [probability_of(row[1]) if row[1] else "" for row in rows]
    rejects = [json.loads(line) for line in (tmp_path / "out.csv.rejects.jsonl").read_text("utf-8").splitlines()]
    assert [(record["row"], record["fields"]) for record in rejects] == [
        (2, ["2", "go\ufffdod"]),
        (3, ["3", "good", "really"]),
    ]


def test_rejects_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    scored(tmp_path, b"id,review\n1,good,really\n")
    scored(tmp_path, b"id,review\n1,good\n")
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["in.csv", "out.csv"]


def test_the_summary_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.csv").write_bytes(b"id;review\n1;good\n\n2;\n3;x\xe9;z\n")
    summary = score_table(
        str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), HashModel(), Console(), ScoreOptions(threshold=0.0)
    )
    assert (summary.rows, summary.positive, summary.negative) == (3, 2, 0)
    assert dict(summary.problems) == {"blank text": 1, "surplus fields": 1}
    assert (summary.rows_with_problems, summary.rejected, summary.input.blank_lines) == (2, 1, 1)
    assert (summary.text_column, summary.input.encoding, summary.input.delimiter) == ("review", "cp1252", ";")
    captured = capsys.readouterr()
    assert captured.out == ""
    for part in ("scoring column 'review' with model hash", "3 rows, 100.0% positive", "1 blank text", "windows-1252"):
        assert part in captured.err


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    window_rows=st.integers(1, 5),
)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_comes_back(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, quoting: Any, line_end: str, window_rows: int
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    writer.writerows([("a", "b", "last"), *((*row, "x") for row in rows)])
    options = {"delimiter": delimiter, "encoding": "utf-8", "text_column": "b", "window_rows": window_rows}
    found = scored(tmp_path, text.getvalue().encode(), **options)
    assert found[0] == ["a", "b", "last", *OUTPUT_COLUMNS]
    assert [tuple(row[:3]) for row in found[1:]] == [(*row, "x") for row in rows]
    assert [row[4] for row in found[1:]] == [
        "" if row[5] == "blank text" else probability_of(row[1]) for row in found[1:]
    ]


def test_the_order_of_rows_and_the_window_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f'{number},"text {number % 37}\nof row {number}",{"" if number % 5 else "x"}' for number in range(300)]
    whole = scored(tmp_path, "\n".join(["id,review,x", *lines, ""]).encode())
    for window_rows in (1, 7, 300):
        assert scored(tmp_path, "\n".join(["id,review,x", *lines, ""]).encode(), window_rows=window_rows) == whole
    turned = scored(tmp_path, "\n".join(["id,review,x", *reversed(lines), ""]).encode())
    assert turned[1:] == whole[:0:-1]
    monkeypatch.setattr(score_windows, "WINDOW_CHARACTERS", 50)
    assert scored(tmp_path, "\n".join(["id,review,x", *lines, ""]).encode()) == whole


def test_windows_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_windows, "_ROW_CHARACTERS", 0)
    monkeypatch.setattr(score_windows, "WINDOW_CHARACTERS", 100)
    (tmp_path / "in.csv").write_text("review\n" + "a film of eighteen\n" * 400)
    model = HashModel()
    score_table(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), model, QUIET, ScoreOptions(window_rows=50))
    assert sum(model.calls) == 400
    assert max(model.calls[5:]) <= 6


def test_a_giant_field_is_scored_by_its_ends(tmp_path: Path) -> None:
    text = "good film. " * 100_000
    row = scored(tmp_path, f'id,review\n1,"{text}"\n2,x\n'.encode())[1]
    assert row[1] == text
    assert row[3] == probability_of(f"{text[:10_000]} {text[-10_000:]}")
    assert row[4] == "long text: of 1100000 characters the first and last 10000 were scored"


def test_an_older_output_stands_until_the_end(tmp_path: Path) -> None:
    class Looking(HashModel):
        def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
            assert (tmp_path / "out.csv").read_text() == "old"
            assert (tmp_path / "out.csv.partial").exists()
            return super().probabilities(texts)

    (tmp_path / "out.csv").write_text("old")
    (tmp_path / "in.csv").write_text("review\ngood\n")
    score_table(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), Looking(), QUIET)
    assert (tmp_path / "out.csv").read_text().startswith("review,predicted_sentiment")
    assert not (tmp_path / "out.csv.partial").exists()


def test_an_output_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "out.csv").symlink_to("real.csv")
    scored(tmp_path, b"review\ngood\n")
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("review,")


def test_standard_input_and_output_are_a_dash() -> None:
    program = """
from pipeline.console import Console
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.score import score_table
from tests.stub_models import StubModel

score_table("-", "-", StubModel(), Console())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="id,review\r\n1,café\r\n".encode(),
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.decode("utf-8") == (
        "id,review,predicted_sentiment,positive_probability,score_error\r\n1,café,positive,0.500000,\r\n"
    )
    assert b"scoring column 'review'" in done.stderr


def test_a_device_is_written_and_not_renamed(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("review\ngood\n")
    score_table(str(tmp_path / "in.csv"), os.devnull, HashModel(), QUIET)
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        (["id", "Review"], [], 1),
        (["id", "review_text", "x"], [], 1),
        (["TEXT ", "title"], [], 0),
        (["id", "what did you think", "n"], [["1", "it was a fine long film", "3"]], 1),
        (["only"], [], 0),
        (["review", "text"], [["17", "it was fine"]], 1),
        (["review", "opinions"], [["17", "it was a very fine film"]], 1),
    ],
)
def test_the_text_column_is_found(header: list[str], rows: list[list[str]], expected: int) -> None:
    assert find_text_column(header, rows, None, "a.csv") == expected


def test_the_text_column_asked_for_wins_and_case_does_not_matter() -> None:
    assert find_text_column(["review", "Note"], [], "note", "a.csv") == 1
    assert find_text_column(["note", "Note"], [], "Note", "a.csv") == 1


def test_scoring_loads_no_training_code() -> None:
    program = (
        "import sys, pipeline.scoring.score\n"
        "print([n for n in ('torch','sklearn','pandas','datasets') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout == "[]\n"


def converted(folder: Path, content: bytes, name: str) -> Path:
    (folder / "in.jsonl").write_bytes(content)
    score_table(str(folder / "in.jsonl"), str(folder / name), HashModel(), QUIET, ScoreOptions(text_column="review"))
    return folder / name


def test_no_value_is_no_empty_text_in_the_formats_that_know_both(tmp_path: Path) -> None:
    content = b"""{"id": null, "review": "good", "n": 1.50}
{"id": "", "review": ""}
{"review": null, "n": null}
nothing
"""
    own = [(None, "good", "1.50"), ("", "", None), (None, None, None), (None, None, None)]
    table = pq.read_table(converted(tmp_path, content, "out.parquet"))
    assert [tuple(row[name] for name in ("id", "review", "n")) for row in table.to_pylist()] == own
    errors = table["score_error"].to_pylist()
    assert errors[:3] == [None, "blank text", "blank text"]
    assert errors[3].startswith("not a JSON object")
    table = table.drop_columns(OUTPUT_COLUMNS)
    table = table.append_column("m", pa.array([1, None, 2, None])).append_column("z", pa.nulls(4))
    pq.write_table(table, tmp_path / "in.parquet")
    score_table(str(tmp_path / "in.parquet"), str(tmp_path / "out.jsonl"), HashModel(), QUIET)
    objects = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [tuple(one[name] for name in ("id", "review", "n")) for one in objects] == own
    assert [(one["m"], one["z"]) for one in objects] == [(1, None), (None, None), (2, None), (None, None)]
    lines = converted(tmp_path, content, "out.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[2:4]] == [["", "", ""], ["", "", ""]]
