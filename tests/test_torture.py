"""Promise: of each file of the torture corpus every row comes out, in order, with its values or its problem named."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SentimentError
from tests.scored_files import OUTPUT_COLUMNS, as_text, kinds_of, read_rejects, read_scored, run_score, unpacked
from tests.stub_models import probability_of
from tests.torture import TEXT_CASES, TEXT_REFUSALS, Case
from tests.torture_inputs import INPUT_CASES, INPUT_REFUSALS
from tests.torture_typed import JSON_CASES, PARQUET_CASES, TYPED_REFUSALS

CASES = TEXT_CASES | INPUT_CASES | JSON_CASES | PARQUET_CASES
REFUSALS = TEXT_REFUSALS | INPUT_REFUSALS | TYPED_REFUSALS
OUTPUTS = ["out.csv", "out.jsonl", "out.parquet"]
TYPE_KEEPING = {*((name, "out.jsonl") for name in JSON_CASES), *((name, "out.parquet") for name in PARQUET_CASES)}
NAMES_TWICE = {(name, "out.jsonl") for name, case in CASES.items() if len(set(case.header)) < len(case.header)}
LONGEST_TEXT = 20_000
NEW_FIELDS = [
    pa.field("predicted_sentiment", pa.string()),
    pa.field("positive_probability", pa.float64()),
    pa.field("score_error", pa.string()),
]


def expected_answer(text: str, kinds: list[str]) -> tuple[str, str]:
    """Return the prediction and the probability that belong to a text."""
    if {"blank text", "not a text", "not a JSON object"} & set(kinds):
        return "", ""
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT // 2]} {text[-LONGEST_TEXT // 2 :]}"
    probability = probability_of(text)
    return "positive" if float(probability) >= 0.5 else "negative", probability


def write_files(case: Case, folder: Path) -> list[str]:
    """Write a case's files; return what the command line names."""
    files = {case.name: case.content, **case.others}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [name if name == "-" else str(folder / name) for name in case.inputs or files]


def check_row(values: list[str], added: list[str], number: int, case: Case) -> None:
    kinds = list(case.kinds.get(number, []))
    assert values == case.rows[number - 1]
    assert (kinds_of(added[2]), number) == (kinds, number)
    assert tuple(added[:2]) == expected_answer(values[case.text], kinds)


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) + len(REFUSALS) >= 140


@pytest.mark.parametrize(
    ("name", "output"), [pair for pair in product(CASES, OUTPUTS) if pair not in TYPE_KEEPING | NAMES_TWICE]
)
def test_every_row_comes_out(name: str, output: str, tmp_path: Path) -> None:
    case = CASES[name]
    target = tmp_path / output
    files = {case.name: case.content, **case.others}
    run_score(write_files(case, tmp_path), target, *case.flags, standard_input=case.content)
    header, rows = read_scored(target, case.delimiter, case.has_header)
    if header or (rows and case.has_header):
        assert header == [*case.header, *OUTPUT_COLUMNS]
    assert len(rows) == len(case.rows)
    width = len(case.header)
    for number, row in enumerate(rows, start=1):
        check_row(row[:width], row[width:], number, case)
    assert {row: record["fields"] for row, record in read_rejects(target).items()} == case.rejects
    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    left = {path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")}
    assert left == {*files, output} | ({f"{output}.rejects.jsonl"} if case.rejects else set())


@pytest.mark.parametrize("name", JSON_CASES)
def test_json_lines_keep_their_text(name: str, tmp_path: Path) -> None:
    case = JSON_CASES[name]
    target = tmp_path / "out.jsonl"
    inputs = write_files(case, tmp_path)
    run_score(inputs, target, *case.flags, standard_input=case.content)
    lines = target.read_bytes().decode("utf-8").split("\n")[:-1]
    kept = [line for path in inputs if path != "-" for line in objects_of(Path(path))] or objects_of(
        tmp_path / case.name
    )
    assert len(lines) == len(case.rows) == len(kept)
    for line, source in zip(lines, kept, strict=True):
        if source is not None:
            own = source.removesuffix("}").rstrip()
            assert line.startswith(own)
            assert line[len(own) :].removeprefix(",").lstrip().startswith('"predicted_sentiment": ')


def objects_of(path: Path) -> list[str | None]:
    """Return the objects of a file of JSON lines as they are written, None for a line that is no object."""
    text = unpacked(path)
    encoding = "utf-16" if text.startswith(b"\xff\xfe") else "utf-8-sig"
    lines = [line.strip() for line in text.decode(encoding, "replace").split("\n") if line.strip()]
    return [line if line.startswith('{"') and line.endswith("}") else None for line in lines]


@pytest.mark.parametrize("name", PARQUET_CASES)
def test_parquet_keeps_its_types(name: str, tmp_path: Path) -> None:
    case = PARQUET_CASES[name]
    target = tmp_path / "out.parquet"
    run_score(write_files(case, tmp_path), target, *case.flags, standard_input=case.content)
    sources = [pq.read_table(io.BytesIO(content)) for content in (case.content, *case.others.values())]
    expected, found = pa.concat_tables(sources), pq.read_table(target)
    if case.rejects:  # texts that are no UTF-8; whoever reads Parquet refuses a file with one of them
        expected = pa.table(list(map(list, zip(*case.rows, strict=True))), schema=expected.schema)
    width = len(case.header)
    for kept, column in zip(found.columns[:width], expected.columns, strict=True):
        assert kept.equals(column) or repr(kept.to_pylist()) == repr(column.to_pylist())  # NaN does not equal itself
    assert found.schema.equals(
        pa.schema([*expected.schema, *NEW_FIELDS], metadata=expected.schema.metadata), check_metadata=True
    )
    for number, (row, added) in enumerate(zip(case.rows, found.select(OUTPUT_COLUMNS).to_pylist(), strict=True), 1):
        check_row(row, [as_text(value) for value in added.values()], number, case)


@pytest.mark.parametrize("name", [name for name, _ in sorted(NAMES_TWICE)])
def test_json_lines_cannot_hold_a_name_twice(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with pytest.raises(SentimentError, match="two columns called"):
        run_score(write_files(case, tmp_path), tmp_path / "out.jsonl", *case.flags)


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name: str, tmp_path: Path) -> None:
    refusal = REFUSALS[name]
    source, target = tmp_path / refusal.name, tmp_path / "out.csv"
    source.write_bytes(refusal.content)
    with pytest.raises(SentimentError) as caught:
        run_score([source], target, *refusal.flags)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in refusal.parts if part not in message] == []
    assert not target.exists()
