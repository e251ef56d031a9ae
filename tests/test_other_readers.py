"""Promise: pandas, polars and DuckDB open what scoring writes, packed or not, and find the values of the input."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scored_files import OUTPUT_COLUMNS, run_score
from tests.stub_models import probability_of
from tests.torture_inputs import zstandard

HEADER = ["id", "review", "price", "note, with a comma"]
ROWS = [
    ["007", "a fine film", "0.10", "NA"],
    ["008", "two\nlines, and\r\na third", "1e400", 'she said "no"'],
    ["0009", "café 😀 فيلم", "NULL", "=1+1"],
    ["-0", "a\u2028b\x0bc\ttab", "nan", "  blanks  "],
    ["1_000", "back\\slash \\n", "TRUE", "2024-02-30"],
    ["x", "", "1.0", "blank above"],
    ["y", "'single'", "00", ";|"],
]
Rows = list[list[str | None]]
Reader = Callable[[Path], tuple[list[str], Rows]]


def pandas_csv(path: Path) -> tuple[list[str], Rows]:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return list(frame.columns), frame.to_numpy().tolist()


def pandas_json_lines(path: Path) -> tuple[list[str], Rows]:
    frame = pd.read_json(path, lines=True, dtype=False, precise_float=True)
    return list(frame.columns), without_nan(frame)


def pandas_parquet(path: Path) -> tuple[list[str], Rows]:
    frame = pd.read_parquet(path)
    return list(frame.columns), without_nan(frame)


def without_nan(frame: pd.DataFrame) -> Rows:
    return [[None if pd.isna(value) else value for value in row] for row in frame.astype(object).to_numpy().tolist()]


def polars_csv(path: Path) -> tuple[list[str], Rows]:
    return of_polars(pl.read_csv(path, infer_schema=False).fill_null(""))


def polars_json_lines(path: Path) -> tuple[list[str], Rows]:
    return of_polars(pl.read_ndjson(path))


def polars_parquet(path: Path) -> tuple[list[str], Rows]:
    return of_polars(pl.read_parquet(path))


def of_polars(frame: pl.DataFrame) -> tuple[list[str], Rows]:
    return frame.columns, [list(row) for row in frame.rows()]


def duckdb_csv(path: Path) -> tuple[list[str], Rows]:
    return of_duckdb(f"read_csv('{path}', all_varchar=true, nullstr='\x01')")


def duckdb_json_lines(path: Path) -> tuple[list[str], Rows]:
    return of_duckdb(f"read_json('{path}', format='newline_delimited')")


def duckdb_parquet(path: Path) -> tuple[list[str], Rows]:
    return of_duckdb(f"read_parquet('{path}')")


def of_duckdb(source: str) -> tuple[list[str], Rows]:
    with duckdb.connect() as connection:
        result = connection.execute(f"SELECT * FROM {source}")
        names = [column[0] for column in result.description]
        return names, [list(row) for row in result.fetchall()]


CSV_READERS: list[Reader] = [pandas_csv, polars_csv, duckdb_csv]
JSON_READERS: list[Reader] = [pandas_json_lines, polars_json_lines, duckdb_json_lines]
PARQUET_READERS: list[Reader] = [pandas_parquet, polars_parquet, duckdb_parquet]


def by_name(reader: Reader) -> str:
    return reader.__name__


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("readers") / "in.csv"
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([HEADER, *ROWS])
    path.write_bytes(stream.getvalue().encode())
    return path


def answers(text: str) -> tuple[str, str, str]:
    if not text:
        return "", "", "blank text"
    probability = probability_of(text)
    return "positive" if float(probability) >= 0.5 else "negative", probability, ""


def expected_text() -> Rows:
    return [[*row, *answers(row[1])] for row in ROWS]


def expected_values() -> list[list[object]]:
    """Return the rows as typed formats hold them: a probability is a number, an empty new value is null."""
    rows: list[list[object]] = []
    for row in ROWS:
        prediction, probability, error = answers(row[1])
        rows.append([*row, prediction or None, float(probability) if probability else None, error or None])
    return rows


@pytest.mark.parametrize("reader", CSV_READERS, ids=by_name)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst"])
def test_csv(source: Path, suffix: str, reader: Reader, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    run_score([source], target, "--text-column=review")
    assert reader(target) == ([*HEADER, *OUTPUT_COLUMNS], expected_text())


@pytest.mark.parametrize("reader", JSON_READERS, ids=by_name)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_json_lines(source: Path, suffix: str, reader: Reader, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    run_score([source], target, "--text-column=review")
    assert reader(target) == ([*HEADER, *OUTPUT_COLUMNS], expected_values())


@pytest.mark.parametrize("reader", PARQUET_READERS, ids=by_name)
def test_parquet(source: Path, reader: Reader, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    run_score([source], target, "--text-column=review")
    assert reader(target) == ([*HEADER, *OUTPUT_COLUMNS], expected_values())


@pytest.mark.parametrize("reader", PARQUET_READERS, ids=by_name)
def test_parquet_keeps_types_for_them(reader: Reader, tmp_path: Path) -> None:
    table = pa.table({"id": [7, None, 2**53], "review": ["good", "bad", None], "kind": ["a", None, "b"]})
    pq.write_table(table, tmp_path / "in.parquet")
    run_score([tmp_path / "in.parquet"], tmp_path / "out.parquet", "--text-column=review")
    names, rows = reader(tmp_path / "out.parquet")
    assert names == [*table.column_names, *OUTPUT_COLUMNS]
    assert [row[:3] for row in rows] == [list(row.values()) for row in table.to_pylist()]


@pytest.mark.parametrize("reader", CSV_READERS, ids=by_name)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst"])
def test_many_rows(reader: Reader, suffix: str, tmp_path: Path) -> None:
    rows = [[f"{number:06d}", f"film {number}\n" * (number % 7 + 1)] for number in range(5_000)]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["id", "review"], *rows])
    (tmp_path / "in.csv.zst").write_bytes(zstandard(stream.getvalue().encode()))
    run_score([tmp_path / "in.csv.zst"], tmp_path / f"out{suffix}")
    _, found = reader(tmp_path / f"out{suffix}")
    assert [row[:2] for row in found] == rows


@pytest.mark.parametrize("reader", [*CSV_READERS, *JSON_READERS, *PARQUET_READERS], ids=by_name)
def test_no_rows(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,review\n")
    suffix = {"csv": ".csv", "json_lines": ".jsonl", "parquet": ".parquet"}[reader.__name__.partition("_")[2]]
    target = tmp_path / f"out{suffix}"
    run_score([tmp_path / "in.csv"], target)
    if suffix == ".jsonl":
        assert target.read_bytes() == b""
    else:
        assert reader(target) == (["id", "review", *OUTPUT_COLUMNS], [])
