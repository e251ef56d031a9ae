"""Promise: each row of a Parquet file comes back once, in order, as text of all its digits and in its own types."""

import base64
import datetime
import decimal
import io
import json
import math
import random
import struct
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SentimentError
from pipeline.scoring import parquet_table as tables
from pipeline.scoring.arrow_text import texts_of
from pipeline.scoring.parquet_table import ParquetTable
from pipeline.scoring.rows import RawValue, reject_record

PARIS = datetime.timezone(datetime.timedelta(hours=1))


def written(table: pa.Table, **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def read(content: bytes) -> ParquetTable:
    return ParquetTable(io.BytesIO(content), "a.parquet")


def values(content: bytes) -> list[list[str]]:
    return [list(row.fields) for row in read(content).rows()]


TEXTS: dict[str, tuple[pa.Array, list[str]]] = {
    "int64": (pa.array([2**53 + 1, None, -1]), ["9007199254740993", "", "-1"]),
    "uint64": (pa.array([2**64 - 1, None], pa.uint64()), ["18446744073709551615", ""]),
    "float64": (pa.array([0.1, None, 1e16, 5e-324, -0.0]), ["0.1", "", "1e+16", "5e-324", "-0.0"]),
    "float64, not numbers": (pa.array([math.nan, math.inf, -math.inf]), ["nan", "inf", "-inf"]),
    "float32": (pa.array([0.1, None, 1.0], pa.float32()), ["0.1", "", "1.0"]),
    "float16": (pa.array(np.array([0.1, 1], np.float16)), ["0.1", "1.0"]),
    "decimal": (pa.array([decimal.Decimal("1.10"), None, decimal.Decimal("-0.00")]), ["1.10", "", "0.00"]),
    "small decimal": (pa.array([decimal.Decimal("0E-8")], pa.decimal128(20, 8)), ["0.00000000"]),
    "decimal256": (pa.array([decimal.Decimal("9" * 50 + ".10")], pa.decimal256(60, 2)), ["9" * 50 + ".10"]),
    "bool": (pa.array([True, None, False]), ["true", "", "false"]),
    "string": (pa.array(["good", None, "", "café 😀"]), ["good", "", "", "café 😀"]),
    "large_string": (pa.array(["good", None], pa.large_string()), ["good", ""]),
    "string_view": (pa.array(["good", None], pa.string_view()), ["good", ""]),
    "dictionary": (pa.array(["a", None, "b", "a"]).dictionary_encode(), ["a", "", "b", "a"]),
    "null": (pa.nulls(2), ["", ""]),
    "binary": (pa.array([b"caf\xc3\xa9", None, b"\xff\x00"]), ["café", "", "/wA="]),
    "fixed-size binary": (pa.array([b"ab", None], pa.binary(2)), ["ab", ""]),
    "date": (pa.array([datetime.date(2024, 2, 29), None]), ["2024-02-29", ""]),
    "time": (pa.array([datetime.time(1, 2, 3, 400_000), None]), ["01:02:03.4", ""]),
    "timestamp, s": (pa.array([0, None], pa.timestamp("s")), ["1970-01-01T00:00:00", ""]),
    "timestamp, ms": (pa.array([100, None], pa.timestamp("ms")), ["1970-01-01T00:00:00.1", ""]),
    "timestamp, ns": (
        pa.array([10**9 + 1, -1], pa.timestamp("ns")),
        ["1970-01-01T00:00:01.000000001", "1969-12-31T23:59:59.999999999"],
    ),
    "timestamp with a zone": (
        pa.array([0, None], pa.timestamp("ms", "Europe/Paris")),
        ["1970-01-01T01:00:00+01:00", ""],
    ),
    "timestamp of year 300,000": (pa.array([2**53], pa.timestamp("ms")), ["<value out of range: 9007199254740992>"]),
    "duration": (pa.array([5, None], pa.duration("s")), ["5", ""]),
    "list": (pa.array([["a", None], None, []]), ['["a", null]', "", "[]"]),
    "struct": (
        pa.array([{"a": 1.5, "b": b"\xff", "c": datetime.date(2024, 2, 29), "d": "é"}, None]),
        ['{"a": 1.5, "b": "/w==", "c": "2024-02-29", "d": "é"}', ""],
    ),
    "map": (pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())), ['[["k", 1]]', ""]),
    "uuid": (pa.array([bytes(range(16))], pa.uuid()), ["00010203-0405-0607-0809-0a0b0c0d0e0f"]),
}
JSON_KINDS = {
    *("int64", "uint64", "float64", "float32", "float16", "decimal", "small decimal", "decimal256", "bool"),
    *("duration", "list", "struct", "map"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_every_type_has_its_text(kind: str) -> None:
    column, expected = TEXTS[kind]
    source = read(written(pa.table({"review": column})))
    rows = list(source.rows())
    assert [row.fields[0] for row in rows] == expected == texts_of(column)
    for row in rows:
        batch, place = row.native
        assert batch.schema == source.facts().schema
        assert texts_of(batch.column(0).slice(place, 1)) == [row.fields[0]]
    for text, is_there in zip(texts_of(column), column.is_valid().to_pylist(), strict=True):
        assert isinstance(text, RawValue) == (kind in JSON_KINDS or not is_there)  # an empty one is no value


@given(st.lists(st.floats(width=32), max_size=20), st.lists(st.floats(), max_size=20))
@settings(deadline=None)
def test_floats_come_back_from_their_text(small: list[float], large: list[float]) -> None:
    for numbers, kind, form in ((small, pa.float32(), "<f"), (large, pa.float64(), "<d")):
        for number, text in zip(numbers, texts_of(pa.array(numbers, kind)), strict=True):
            assert struct.pack(form, float(text)) == struct.pack(form, number) or math.isnan(number)
            assert isinstance(text, RawValue) == math.isfinite(number)
            assert not isinstance(text, RawValue) or json.loads(text) == float(text)


@given(st.lists(st.tuples(st.none() | st.text(), st.none() | st.integers(-(2**63), 2**63 - 1)), max_size=50), st.data())
@settings(deadline=None, max_examples=60)
def test_any_rows_come_back(rows: list[tuple[str | None, int | None]], data: st.DataObject) -> None:
    table = pa.table(
        {"review": pa.array([row[0] for row in rows], pa.string()), "id": pa.array([r[1] for r in rows], pa.int64())}
    )
    content = written(table, row_group_size=data.draw(st.integers(1, 60)))
    source = read(content)
    found = list(source.rows())
    assert [list(row.fields) for row in found] == [[a or "", "" if b is None else str(b)] for a, b in rows]
    assert [(row.number, row.line) for row in found] == [(n, n) for n in range(1, len(rows) + 1)]
    assert source.position() == (len(rows), len(rows), "rows")
    assert not any(row.problems or row.original for row in found)


def test_schema_and_metadata_are_kept() -> None:
    field = pa.field("review", pa.large_string(), nullable=False, metadata={"unit": "words"})
    schema = pa.schema([field, pa.field("t", pa.timestamp("ns", "UTC"))], metadata={"pandas": "{}", "mine": "1"})
    facts = read(written(schema.empty_table())).facts()
    assert facts.schema.equals(schema, check_metadata=False)
    assert facts.schema.metadata == schema.metadata
    assert facts.schema.field("review").metadata[b"unit"] == b"words"
    assert facts.format == "parquet"
    assert values(written(schema.empty_table())) == []


def test_columns_of_one_name_are_told_apart() -> None:
    table = pa.table([pa.array([1]), pa.array(["good"]), pa.array(["x"])], names=["id", "review", "id"])
    source = read(written(table))
    assert source.header == ["id", "review", "id"]
    assert [list(row.fields) for row in source.rows()] == [["1", "good", "x"]]


def test_fields_are_a_sequence_made_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[pa.DataType] = []

    def watched(column: pa.Array) -> list[str]:
        asked.append(column.type)
        return texts_of(column)

    monkeypatch.setattr(tables, "texts_of", watched)
    first, second = read(written(pa.table({"id": [1, 2], "review": ["good", "bad"]}))).rows()
    assert asked == []
    assert (first.fields[1], second.fields[-1]) == ("good", "bad")
    assert asked == [pa.string()]
    assert second.fields[:] == ["2", "bad"]
    assert len(first.fields) == 2
    for index in (2, -3):
        with pytest.raises(IndexError):
            first.fields[index]


def unsound(values: list[bytes], kind: pa.DataType) -> pa.Array:
    """Return an array of strings that are no UTF-8, as lax writers make them."""
    binary = pa.large_binary() if kind == pa.large_string() else pa.binary()
    return pa.array(values, binary).view(kind)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_text_that_is_no_utf_8_is_kept_with_its_bytes(kind: pa.DataType) -> None:
    column = unsound([b"good", b"na\xff\xe2\x82ive", b"caf\xc3\xa9"], kind)
    source = read(written(pa.table({"id": [1, 2, 3], "review": column}), use_dictionary=False))
    rows = list(source.rows())
    assert [list(row.fields) for row in rows] == [["1", "good"], ["2", "na\ufffd\ufffdive"], ["3", "café"]]
    assert [[str(problem) for problem in row.problems] for row in rows] == [[], ["undecodable bytes: 3 replaced"], []]
    assert source.facts().bytes_replaced == 3
    record = reject_record(rows[1])
    assert record["fields"] == ["2", "na\ufffd\ufffdive"]
    assert base64.b64decode(record["base64"]["1"]) == b"na\xff\xe2\x82ive"
    assert rows[0].original is rows[2].original is None


@pytest.mark.parametrize("rows", [100, 20_000])
def test_memory_is_bounded_by_a_batch_and_not_by_the_row_group(rows: int) -> None:
    table = pa.table({"review": [f"{n} " + "good " * (8_000_000 // rows) for n in range(rows)]})  # 40 MB, one row group
    content = written(table, row_group_size=rows, use_dictionary=False, compression="none", write_batch_size=2)
    del table
    before, most, characters = pa.total_allocated_bytes(), 0, 0
    tracemalloc.start()
    for row in read(content).rows():
        characters += row.characters
        assert row.fields[0]
        if row.number % (rows // 40) == 0:
            most = max(most, pa.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert characters > 40e6
    assert most < 20e6
    assert python < 20e6


def test_a_row_of_50_megabytes_is_read() -> None:
    text = "good " * 10_000_000
    content = written(pa.table({"review": ["a", text, "b"]}), use_dictionary=False)
    assert values(content) == [["a"], [text], ["b"]]


def test_a_damaged_page_ends_the_file_after_the_rows_before() -> None:
    table = pa.table({"review": [f"a film like {n} others" for n in range(3000)]})
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    content = bytearray(written(table, row_group_size=1000, **options))
    place = content.index(b"a film like 2500 others")
    content[place] ^= 1
    rows = []
    with pytest.raises(SentimentError, match=r"a\.parquet: cannot be read as Parquet \(.*\); get the file again"):
        for row in read(bytes(content)).rows():
            rows.append(row.fields[0])
    assert rows == [f"a film like {n} others" for n in range(len(rows))]
    assert len(rows) >= 2000


def test_a_file_cut_short_is_one_line() -> None:
    content = written(pa.table({"review": ["good"]}))
    with pytest.raises(SentimentError, match="cannot be read as Parquet") as caught:
        read(content[:-10])
    assert "\n" not in str(caught.value)


def test_an_encrypted_file_is_one_line() -> None:
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):  # type: ignore[misc, name-defined]
        def __init__(self, *arguments: Any) -> None:
            super().__init__()

        def wrap_key(self, key: bytes, name: str) -> bytes:
            return base64.b64encode(key)

    table = pa.table({"review": ["good"], "id": [1]})
    for plain in (True, False):
        settings = encryption.EncryptionConfiguration("f", column_keys={"c": ["review"]}, plaintext_footer=plain)
        factory = encryption.CryptoFactory(Keys)
        properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), settings)
        stream = io.BytesIO()
        with pq.ParquetWriter(stream, table.schema, encryption_properties=properties) as writer:
            writer.write_table(table)
        with pytest.raises(SentimentError, match="is an encrypted Parquet file") as caught:
            list(read(stream.getvalue()).rows())
        assert "\n" not in str(caught.value)


def outcome(content: bytes) -> str:
    try:
        source = read(content)
        for row in source.rows():
            assert len(list(row.fields)) == len(source.header)
    except SentimentError as error:
        return str(error)
    return ""


def test_mutations_end_in_rows_or_in_one_line() -> None:
    texts = [f"film {n} " * (n % 5) for n in range(60)]
    table = pa.table({"id": range(60), "review": texts, "l": [[n] for n in range(60)]})
    originals = [written(table), written(table, compression="none", row_group_size=20, data_page_version="2.0")]
    draw = random.Random(1)
    messages = []
    for _ in range(400):
        content = bytearray(draw.choice(originals))
        for _ in range(draw.choice((1, 1, 4))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        messages.append(outcome(bytes(content)))
    assert "" in messages
    assert any(messages)
    assert not any("\n" in message for message in messages)


def test_nested_values_that_python_has_no_value_for() -> None:
    far = pa.array([[2**53]], pa.list_(pa.timestamp("ms")))
    assert values(written(pa.table({"review": far}))) == [["[<value out of range: 9007199254740992>]"]]
