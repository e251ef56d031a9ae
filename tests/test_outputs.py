"""Promise: CSV, JSON lines and Parquet, packed or not, hold the same rows, each value as it was, with the answers."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.scoring import outputs, parquet_output
from pipeline.scoring.answers import answer
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.score import score_table
from tests.stub_models import HashModel, probability_of

ROWS = [["id", "review", "price"], ["007", 'a "fine" film,\nor not', "1.50"], ["NA", "", "1e400"], ["008", "dull", ""]]


def score(source: Path, target: Path, **options: Any) -> None:
    score_table(str(source), str(target), HashModel(threads=0), Console(quiet=True), ScoreOptions(**options))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    with (tmp_path / "in.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(ROWS)
    return tmp_path / "in.csv"


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    table = pa.table(
        {
            "id": pa.array([1, None, 3], pa.int8()),
            "review": pa.array(["a fine film", None, "dull"], pa.large_string()),
            "price": pa.array([Decimal("1.50"), None, Decimal("0.10")], pa.decimal128(8, 2)),
            "day": pa.array([date(2026, 1, 2), None, None]),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "tags": pa.array([["x", None], [], None]),
        },
        metadata={"made by": "a test"},
    )
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    return tmp_path / "in.parquet"


@pytest.fixture
def json_lines(tmp_path: Path) -> Path:
    (tmp_path / "in.jsonl").write_text(
        '{"id": 1.10, "review": "a fine film", "more": {"b": [1, 2.50]}}\n'
        '{ "review" : null , "id": 12345678901234567890123 }\n'
        '{"review": "dull \\ud83d\\ude00 \\ud800", "id": "007", "id": "008"}\n'
        "{}\n"
    )
    return tmp_path / "in.jsonl"


def appended(text: str) -> list[str | None]:
    if not text:
        return [None, None, "blank text"]
    probability = probability_of(text)
    return ["positive" if float(probability) >= 0.5 else "negative", probability, None]


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.csv.zst", "out.txt", "out"])
def test_csv_packed_or_not(source: Path, tmp_path: Path, name: str) -> None:
    score(source, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    if name.endswith(".zst"):
        content = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert [row[:3] for row in rows] == ROWS
    assert [row[3:] for row in rows[1:]] == [[value or "" for value in appended(row[1])] for row in ROWS[1:]]


def test_csv_to_json_lines(source: Path, tmp_path: Path) -> None:
    score(source, tmp_path / "out.jsonl")
    objects = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    for row, found in zip(ROWS[1:], objects, strict=True):
        answer, probability, error = appended(row[1])
        assert list(found.items())[:3] == list(zip(ROWS[0], row, strict=True))
        assert found["predicted_sentiment"] == answer
        assert found["positive_probability"] == (None if probability is None else float(probability))
        assert found["score_error"] == error


def test_csv_to_parquet(source: Path, tmp_path: Path) -> None:
    score(source, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == [*ROWS[0], "predicted_sentiment", "positive_probability", "score_error"]
    for row, found in zip(ROWS[1:], table.to_pylist(), strict=True):
        answer, probability, error = appended(row[1])
        values = [*row, answer, None if probability is None else float(probability), error]
        assert list(found.values()) == values


def test_parquet_keeps_types_and_metadata(parquet: Path, tmp_path: Path) -> None:
    score(parquet, tmp_path / "out.parquet")
    before, after = pq.read_table(parquet), pq.read_table(tmp_path / "out.parquet")
    assert after.select(before.column_names).equals(before, check_metadata=True)
    assert after.schema.metadata[b"made by"] == b"a test"
    assert after["predicted_sentiment"].to_pylist()[1] is None
    assert after["score_error"].to_pylist() == [None, "blank text", None]
    assert after.schema.field("positive_probability").type == pa.float64()


def test_parquet_to_text_formats(parquet: Path, tmp_path: Path) -> None:
    score(parquet, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["id"] == "1"
    assert [row["price"] for row in rows] == ["1.50", "", "0.10"]
    assert rows[0]["day"] == "2026-01-02"
    assert [row["kind"] for row in rows] == ["a", "b", "a"]
    score(parquet, tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_text().startswith("id\treview\tprice\t")


def test_json_lines_keep_their_text(json_lines: Path, tmp_path: Path) -> None:
    score(json_lines, tmp_path / "out.jsonl", text_column="review")
    before = json_lines.read_text().splitlines()
    after = (tmp_path / "out.jsonl").read_text().splitlines()
    for line, scored in zip(before, after, strict=True):
        inner = line.strip("{ }") if line != "{}" else ""
        assert scored.startswith("{" + inner)
        assert json.loads(scored)
    assert json.loads(after[3]) == {
        "predicted_sentiment": None,
        "positive_probability": None,
        "score_error": "blank text",
    }


def test_json_lines_to_csv_keeps_digits(json_lines: Path, tmp_path: Path) -> None:
    score(json_lines, tmp_path / "out.csv", text_column="review")
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ["1.10", "12345678901234567890123", "008", ""]
    assert rows[0]["more"] == '{"b": [1, 2.50]}'


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_columns_keeps_fewer(parquet: Path, json_lines: Path, source: Path, tmp_path: Path, name: str) -> None:
    for path in (parquet, json_lines, source):
        score(path, tmp_path / name, columns=("review", "id"), text_column="review")
        if name.endswith("csv"):
            names = (tmp_path / name).read_text().split("\n", 1)[0].strip().split(",")
        elif name.endswith("jsonl"):
            names = list(json.loads((tmp_path / name).read_text().split("\n", 1)[0]))
        else:
            names = pq.read_table(tmp_path / name).column_names
        assert names == ["review", "id", "predicted_sentiment", "positive_probability", "score_error"]


def test_columns_of_json_keep_digits_and_nulls(json_lines: Path, tmp_path: Path) -> None:
    score(json_lines, tmp_path / "out.jsonl", columns=("id", "review"), text_column="review")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert lines[0].startswith('{"id": 1.10, "review": "a fine film", ')
    assert lines[1].startswith('{"id": 12345678901234567890123, "review": null, ')
    assert lines[3].startswith('{"predicted_sentiment": null')


def test_columns_of_json_that_python_cannot_parse(tmp_path: Path) -> None:
    long, deep = "9" * 5000, "[" * 3000 + "]" * 3000
    (tmp_path / "in.jsonl").write_text(f'{{"review": "good", "long": {long}, "deep": {deep}, "x": 1}}\n')
    score(tmp_path / "in.jsonl", tmp_path / "out.jsonl", columns=("long", "deep"))
    assert (tmp_path / "out.jsonl").read_text().startswith(f'{{"long": {long}, "deep": {deep}, "predicted_')


def test_rejects_of_files_in_several_encodings_keep_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id,review\n1,café go\udcffod\n".encode("utf-8", "surrogateescape"))
    (tmp_path / "b.csv").write_bytes(b"id,review\n2,caf\xe9 b\x81d\n")
    paths = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    score_table(paths, str(tmp_path / "out.csv"), HashModel(threads=0), Console(quiet=True))
    lines = (tmp_path / "out.csv.rejects.jsonl").read_text().splitlines()
    kept = [base64.b64decode(json.loads(line)["base64"]["1"]) for line in lines]
    assert kept == ["café go\udcffod".encode("utf-8", "surrogateescape"), b"caf\xe9 b\x81d"]


def test_a_column_that_is_not_there(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match=r"no column 'stars'; --columns takes some of: id, review, price"):
        score(source, tmp_path / "out.csv", columns=("stars",))


def test_json_lines_cannot_hold_equal_names(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,id,review\n1,2,good\n")
    with pytest.raises(SentimentError, match="two columns called 'id'"):
        score(tmp_path / "in.csv", tmp_path / "out.jsonl")
    score(tmp_path / "in.csv", tmp_path / "out.jsonl", columns=("2", "review"))
    score(tmp_path / "in.csv", tmp_path / "out.parquet")
    assert pq.ParquetFile(tmp_path / "out.parquet").read().column_names[:3] == ["id", "id", "review"]


def test_uncertain_below_the_wanted_probability(source: Path, tmp_path: Path) -> None:
    probability = float(probability_of("dull"))
    sure = max(probability, 1 - probability)
    for least, expected in ((sure - 0.001, False), (min(sure + 0.001, 1.0), True)):
        score(source, tmp_path / "out.csv", abstain_below=least)
        with (tmp_path / "out.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert (rows[2]["predicted_sentiment"] == "uncertain") == expected
        assert rows[2]["positive_probability"] == f"{probability:.6f}"
        assert rows[1]["predicted_sentiment"] == ""


@pytest.mark.parametrize(
    ("probability", "threshold", "least", "expected"),
    [
        (0.5, 0.5, None, "positive"),
        (0.85, 0.9, 0.8, "uncertain"),
        (0.3, 0.2, 0.7, "uncertain"),
        (0.8, 0.5, 0.8, "positive"),
        (0.2, 0.5, 0.8, "negative"),
        (1.0, 1.0, 1.0, "positive"),
    ],
)
def test_the_answer_s_own_probability_decides(
    probability: float, threshold: float, least: float | None, expected: str
) -> None:
    assert answer(probability, threshold, least) == expected


def test_the_answer_follows_from_the_probability_that_is_written(tmp_path: Path) -> None:
    class Nearly(HashModel):
        def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
            return np.full(len(texts), 0.4999996)

    (tmp_path / "in.csv").write_text("review\na film\n")
    score_table(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), Nearly(threads=0), Console(quiet=True))
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "a film,positive,0.500000,"


def test_a_scored_file_is_scored_again_where_its_answers_are_left_out(source: Path, tmp_path: Path) -> None:
    score(source, tmp_path / "once.csv")
    score(tmp_path / "once.csv", tmp_path / "twice.csv", columns=("id", "review"))
    score(source, tmp_path / "direct.csv", columns=("id", "review"))
    assert (tmp_path / "twice.csv").read_bytes() == (tmp_path / "direct.csv").read_bytes()


def test_lists_of_extension_types_are_written(tmp_path: Path) -> None:
    uuids = pa.array([b"0123456789abcdef"] * 2, pa.binary(16))
    values = pa.ExtensionArray.from_storage(pa.uuid(), uuids)
    table = pa.table({"review": ["good", "bad"], "ids": pa.ListArray.from_arrays([0, 1, 2], values)})
    pq.write_table(table, tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["ids"].type == table["ids"].type


def test_a_further_file_may_lack_values_that_the_first_must_have(tmp_path: Path) -> None:
    for name, values, nullable in (("a", [1], False), ("b", [None], True)):
        schema = pa.schema([pa.field("id", pa.int64(), nullable), pa.field("review", pa.string())])
        pq.write_table(pa.table([values, ["good"]], schema=schema), tmp_path / f"{name}.parquet")
    paths = [str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")]
    score_table(paths, str(tmp_path / "out.parquet"), HashModel(threads=0), Console(quiet=True))
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [1, None]


def test_spark_s_list_of_columns_is_dropped(tmp_path: Path) -> None:
    metadata = {"org.apache.spark.sql.parquet.row.metadata": "{}", "kept": "yes"}
    pq.write_table(pa.table({"review": ["good"]}).replace_schema_metadata(metadata), tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert pq.read_schema(tmp_path / "out.parquet").metadata == {b"kept": b"yes"}


@pytest.mark.parametrize("beside", [".partial", ".partial.journal", ".rejects.jsonl", ".rejects.jsonl.partial"])
@pytest.mark.parametrize("through_a_link", [False, True])
def test_an_input_that_would_be_overwritten_is_refused(tmp_path: Path, beside: str, through_a_link: bool) -> None:
    (tmp_path / "real").mkdir()
    source = tmp_path / "real" / f"out.csv{beside}"
    source.write_text("review\ngood\n" if "jsonl" not in beside else '{"review": "good"}\n')
    (tmp_path / "link.csv").symlink_to(tmp_path / "real" / "out.csv")
    target = tmp_path / "link.csv" if through_a_link else tmp_path / "real" / "out.csv"
    with pytest.raises(UsageError, match="would overwrite the input"):
        score(source, target)
    assert source.exists()


def test_a_part_of_an_earlier_run_is_no_input_of_the_same_output(tmp_path: Path) -> None:
    folder = tmp_path / "out.parquet.partial"
    folder.mkdir()
    pq.write_table(pa.table({"review": ["good"]}), folder / "part-000000.parquet")
    with pytest.raises(UsageError, match="would overwrite the input"):
        score(folder / "part-000000.parquet", tmp_path / "out.parquet")
    assert (folder / "part-000000.parquet").exists()


def test_names_that_cannot_be(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match="its name is too long; 233 bytes"):
        score(source, tmp_path / f"{'x' * 230}.csv")
    score(source, tmp_path / f"{'x' * 229}.csv")
    with pytest.raises(UsageError, match="no name of a file"):
        score(source, tmp_path / "a\0b.csv")
    (tmp_path / "circle.csv").symlink_to(tmp_path / "circle.csv")
    with pytest.raises(SentimentError, match="circle"):
        score(source, tmp_path / "circle.csv")


def test_standard_output_by_name_is_written_where_it_stands(source: Path, tmp_path: Path) -> None:
    program = f"""
from pipeline.console import Console
from pipeline.scoring.score import score_table
from tests.stub_models import HashModel
for name in ("/dev/stdout", "/dev/fd/1", "-"):
    score_table({str(source)!r}, name, HashModel(), Console(quiet=True))
"""
    with (tmp_path / "log.csv").open("w") as log:
        log.write("kept\n")
        log.flush()
        subprocess.run([sys.executable, "-c", program], stdout=log, check=True, cwd=Path(__file__).parents[1])
    score(source, tmp_path / "out.csv")
    assert (tmp_path / "log.csv").read_bytes() == b"kept\n" + 3 * (tmp_path / "out.csv").read_bytes()


def test_without_a_header_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("1,a fine film\n2,dull\n")
    score(tmp_path / "in.csv", tmp_path / "out.csv", has_header=False, text_column="2")
    assert (tmp_path / "out.csv").read_text().startswith("1,a fine film,")
    score(tmp_path / "in.csv", tmp_path / "out.jsonl", has_header=False, text_column="2")
    assert (tmp_path / "out.jsonl").read_text().startswith('{"column_1": "1", "column_2": "a fine film", "predicted')


@pytest.mark.parametrize("name", ["out.csv.gz", "out.jsonl", "out.parquet", "out.jsonl.zst"])
def test_no_rows(tmp_path: Path, name: str) -> None:
    (tmp_path / "in.csv").write_text("id,review\n")
    score(tmp_path / "in.csv", tmp_path / name)
    content = (tmp_path / name).read_bytes()
    if name.endswith(".gz"):
        assert gzip.decompress(content).startswith(b"id,review,predicted")
    elif name.endswith(".parquet"):
        assert pq.read_table(tmp_path / name).num_rows == 0
    elif name.endswith(".zst"):
        assert pa.CompressedInputStream(pa.BufferReader(content), "zstd").read() == b""
    else:
        assert content == b""


def test_parts_become_large_row_groups(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "CHECKPOINT_ROWS", 10)
    (tmp_path / "many.csv").write_text("review\n" + "".join(f"text of row {number}\n" for number in range(95)))
    score(tmp_path / "many.csv", tmp_path / "one.parquet", window_rows=5)
    assert pq.ParquetFile(tmp_path / "one.parquet").num_row_groups == 1
    monkeypatch.setattr(parquet_output, "ROW_GROUP_BYTES", 1)
    score(tmp_path / "many.csv", tmp_path / "ten.parquet", window_rows=5)
    assert pq.ParquetFile(tmp_path / "ten.parquet").num_row_groups == 10
    assert pq.read_table(tmp_path / "ten.parquet").equals(pq.read_table(tmp_path / "one.parquet"))
    assert pq.read_table(tmp_path / "one.parquet")["review"].to_pylist()[94] == "text of row 94"


@pytest.mark.parametrize("option", [{"abstain_below": 0.4}, {"abstain_below": float("nan")}, {"explain": 101}])
def test_options_out_of_range(option: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        ScoreOptions(**option)


def test_what_utf8_cannot_hold_is_replaced_in_parquet(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("id,review\n1,a fine \ud800 film\n".encode("utf-7", "surrogatepass"))
    score(tmp_path / "in.csv", tmp_path / "out.parquet", encoding="utf-7")
    assert pq.read_table(tmp_path / "out.parquet")["review"].to_pylist()[0] in ("a fine ? film", "a fine \ufffd film")


def test_texts_of_parquet_that_are_no_utf8_do_not_spoil_the_file(tmp_path: Path) -> None:
    offsets = pa.array([0, 4, 11, 11], pa.int32()).buffers()[1]
    texts = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"goodna\xffive!"))
    table = pa.table({"review": texts, "id": [1, 2, None]})
    pq.write_table(table, tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", tmp_path / "out.parquet")
    written = pq.read_table(tmp_path / "out.parquet")
    written.validate(full=True)
    assert written["review"].to_pylist() == ["good", "na\ufffdive!", ""]
    assert written["id"].to_pylist() == [1, 2, None]
    assert written["score_error"].to_pylist() == [None, "undecodable bytes: 1 replaced", "blank text"]


def test_a_later_key_called_like_a_new_column_stands_in_the_rejects_alone(tmp_path: Path) -> None:
    lines = ['{"review": "good"}'] * 1200 + ['{"review": "bad", "score_error": "mine", "x": 1.0}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    score(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    last = (tmp_path / "out.jsonl").read_text().splitlines()[-1]
    assert last.count('"score_error":') == 1
    assert '"x": 1.0' in last
    assert json.loads(last)["score_error"].startswith("surplus fields: ")
    assert json.loads((tmp_path / "out.jsonl.rejects.jsonl").read_text())["fields"] == [lines[-1]]


def test_a_stray_quote_is_noted_and_kept_as_written(tmp_path: Path) -> None:
    line = '1,"She said \\"no\\" twice"'
    (tmp_path / "in.csv").write_text(f"id,review\n{line}\n2,good\n")
    score(tmp_path / "in.csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["score_error"] == "stray quote: text follows a closing quote"
    assert rows[1]["score_error"] == ""
    assert json.loads((tmp_path / "out.csv.rejects.jsonl").read_text())["fields"] == [line]


def test_bytes_that_are_no_text_are_not_scored_as_their_base64(tmp_path: Path) -> None:
    table = pa.table({"review": pa.array([b"a fine film", b"caf\xe9", None], pa.binary())})
    pq.write_table(table, tmp_path / "in.parquet")
    for name in ("out.csv", "out.jsonl"):
        score(tmp_path / "in.parquet", tmp_path / name, text_column="review")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["score_error"] for row in rows] == [None, "not a text: bytes that are no UTF-8", "blank text"]
    assert rows[1]["review"] == base64.b64encode(b"caf\xe9").decode()
    assert rows[0]["positive_probability"] == float(probability_of("a fine film"))


def test_tags_are_noted_and_line_breaks_are_not(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,review\n1,<p>fine</p>\n2,a<br />b <3 x\n")
    score(tmp_path / "in.csv", tmp_path / "out.csv", strict=True)
    with (tmp_path / "out.csv").open(newline="") as stream:
        notes = [row["score_error"] for row in csv.DictReader(stream)]
    assert notes == ["HTML tags: read as words; strip them first", ""]


def test_a_name_that_tells_no_format_is_told(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, told in (("out.parqet", True), ("out", False), ("out.csv.gz", False), ("out.gz", False)):
        score_table(str(source), str(tmp_path / name), HashModel(threads=0), Console())
        assert ("its name tells no format" in capsys.readouterr().err) == told


def test_a_tsv_is_parted_by_tabs(source: Path, tmp_path: Path) -> None:
    score(source, tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_text().startswith("id\treview\tprice\tpredicted")


def test_an_encoding_that_is_not_the_file_s(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match=r"in\.csv: is not utf-16 .*leave --encoding away"):
        score(source, tmp_path / "out.csv", encoding="utf-16")
