"""Promise: each line of JSON comes back once, in order, its values digit for digit, or with its problem named."""

import base64
import gzip
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SentimentError
from pipeline.scoring import json_lines_table as tables
from pipeline.scoring.compression import unpacked
from pipeline.scoring.input_bytes import FileBytes
from pipeline.scoring.json_lines_table import JsonLinesTable
from pipeline.scoring.json_object import parse_object
from pipeline.scoring.rows import RawValue, Row, reject_record


def read(content: bytes | str, **options: Any) -> JsonLinesTable:
    return JsonLinesTable(io.BytesIO(content.encode() if isinstance(content, str) else content), "a.jsonl", **options)


def values(content: bytes | str, **options: Any) -> list[list[str]]:
    return [list(row.fields) for row in read(content, **options).rows()]


def only_row(content: bytes | str, **options: Any) -> Row:
    (row,) = read(content, **options).rows()
    return row


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def same(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, float) and math.isnan(value):
        return math.isnan(other)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(same(value[key], other[key]) for key in value)
    return type(value) is type(other) and bool(value == other)


@given(
    st.lists(st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=4), min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from([(",", ":"), (" , ", " : ")]),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
@settings(deadline=None, max_examples=50)
def test_any_objects_come_back(
    objects: list[dict[str, Any]], is_ascii: bool, separators: tuple[str, str], end: str
) -> None:
    lines = [json.dumps(one, ensure_ascii=is_ascii, separators=separators) for one in objects]
    table = read(end.join(lines))
    rows = list(table.rows())
    assert list(table.header) == list(dict.fromkeys(key for one in objects for key in one))
    assert [row.native for row in rows] == lines
    for one, row in zip(objects, rows, strict=True):
        assert not row.problems
        assert row.original is None
        for key, field in zip(table.header, row.fields, strict=True):
            value = one.get(key)
            if value is None:
                assert field == ""
                assert isinstance(field, RawValue)  # an empty one is no value
            elif isinstance(value, str):
                assert field == value
                assert not isinstance(field, RawValue)
            else:
                assert isinstance(field, RawValue)
                assert same(json.loads(field), value)


def test_values_stay_as_they_are_written() -> None:
    content = (
        '{"id":1.10,"big":123456789012345678901234567890,"e":-1E+05,"t":true,"f":false,"z":null,"n":NaN,'
        '"list":[1.0, {"a" : "]}\\""}],"review":"caf\\u00e9 \\ud83d\\ude00\\n"}'
    )
    assert values(content) == [
        [
            *("1.10", "123456789012345678901234567890", "-1E+05", "true", "false", "", "NaN"),
            *('[1.0, {"a" : "]}\\""}]', "café 😀\n"),
        ]
    ]


def test_numbers_of_any_length_and_any_depth() -> None:
    digits, deep = "9" * 100_000, "[" * 100_000 + "]" * 100_000
    content = f'{{"id": {digits}, "deep": {deep}, "review": "good", "x": null}}\n{{"id":1}}'
    first, second = values(content)
    assert first == [digits, deep, "good", ""]
    assert second == ["1", "", "", ""]
    assert not read(content).rows().__next__().problems


@given(st.text(alphabet='{}[]",:\\a1 \n', max_size=30))
@settings(deadline=None, max_examples=200)
def test_deep_objects_are_taken_apart_as_shallow_ones_are(text: str) -> None:
    deep = '{"deep":' + "[" * 2000 + "]" * 2000 + ","
    try:
        expected = parse_object('{"deep":[],' + text)
    except ValueError:
        return  # what is broken may pass in depth: its brackets match, and nothing is looked into
    assert parse_object(deep + text)[1:] == expected[1:]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "it is an array"),
        ('"text"', "it is a string"),
        ("12", "it is a number"),
        ("null", "it is null"),
        ("true", "it is true or false"),
        ('{"id": 007}', "Expecting ',' delimiter at character 9"),
        ('{"id": 1} x', "Extra data"),
        ('{"id": 1,', "Expecting"),
        ("{'id': 1}", "Expecting property name"),
        ("[" * 100_000, "it is an array"),
        ('{"id":' + "[" * 100_000, "a bracket is not closed"),
        ('{"id":' + "[" * 50_000 + "}" * 50_000, "a bracket does not match"),
    ],
)
def test_a_line_that_is_no_object_keeps_its_row(line: str, reason: str) -> None:
    table = read(f'{{"id": 1, "review": "a"}}\n{line}\n{{"id": 2}}\n')
    first, broken, last = table.rows()
    assert [list(row.fields) for row in (first, broken, last)] == [["1", "a"], ["", ""], ["2", ""]]
    assert str(broken.problems[0]).startswith(f"not a JSON object: {reason}")
    assert (broken.number, broken.line, broken.native) == (2, 2, None)
    assert reject_record(broken)["fields"] == [line]
    assert not first.problems
    assert not last.problems


def test_a_key_that_the_sample_lacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SAMPLE_LINES", 2)
    table = read('{"b":1}\n\n{"a":2,"b":3}\n')
    assert list(table.header) == ["b"]
    first, second = table.rows()
    assert not first.problems
    assert [str(problem) for problem in second.problems] == ["surplus fields: 'a', which the first lines lacked"]
    assert list(second.fields) == ["3"]
    assert reject_record(second)["fields"] == ['{"a":2,"b":3}']


def test_control_characters_in_strings_are_let_pass() -> None:
    row = only_row('{"review":"a\tb\x00c","n":["\x01"]}')
    assert list(row.fields) == ["a\tb\x00c", '["\x01"]']
    assert not row.problems


def test_a_key_that_stands_there_twice() -> None:
    row = only_row('{"review":"a","review":"b","review":null}')
    assert list(row.fields) == [""]
    assert [problem.kind for problem in row.problems] == ["repeated key"]
    assert row.original == ['{"review":"a","review":"b","review":null}']


def test_lone_surrogates_are_replaced_and_kept() -> None:
    line = '{"review":"a\\ud800b \\ud83d\\ude00 \\udc41","list":["\\udc41"],"\\udfff":"x"}'
    table = read(line)
    (row,) = table.rows()
    assert list(row.fields) == ["a\ufffdb 😀 \ufffd", '["\\udc41"]', "x"]
    assert [str(problem) for problem in row.problems] == ["lone surrogates: 2 replaced"]
    assert reject_record(row) | {"problems": []} == {"row": 1, "line": 1, "problems": [], "fields": [line]}
    "".join([*table.header, *row.fields, row.native]).encode()


def test_undecodable_bytes_are_replaced_counted_and_kept() -> None:
    content = '{"review":"café olé"}\n{"review":"na'.encode() + b'\xff\xe2\x82ive"}\n{"review":"x"}'
    table = read(content)
    rows = list(table.rows())
    assert [list(row.fields) for row in rows] == [["café olé"], ["na\ufffd\ufffdive"], ["x"]]
    assert [[str(problem) for problem in row.problems] for row in rows] == [[], ["undecodable bytes: 3 replaced"], []]
    assert table.facts().bytes_replaced == 3
    record = reject_record(rows[1])
    assert base64.b64decode(record["base64"]["0"]) == content.split(b"\n")[1]
    assert rows[1].native == '{"review":"na\ufffd\ufffdive"}'


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_other_encodings(encoding: str) -> None:
    assert values('{"review":"café"}\n\n{"review":"olé"}\n'.encode(encoding)) == [["café"], ["olé"]]
    assert values('{"review":"café"}'.encode("utf-16-be"), encoding="utf-16-be") == [["café"]]


def test_files_put_together_have_marks_within() -> None:
    assert values('\ufeff{"a":1}\n\ufeff{"a":2}\n') == [["1"], ["2"]]


def test_blank_lines_are_no_rows() -> None:
    table = read('\n{"a":1}\r\n  \t\r\n{"a":2}\n\n\n')
    rows = list(table.rows())
    assert [(row.number, row.line, list(row.fields)) for row in rows] == [(1, 2, ["1"]), (2, 4, ["2"])]
    assert table.facts().blank_lines == 4
    assert table.rows_read == 2


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=150)
def test_no_bytes_are_too_odd(body: bytes) -> None:
    table = read(b'{"id":1,"review":"good"}\n' + body + b"\n")
    rows = list(table.rows())
    assert [row.number for row in rows] == list(range(1, table.rows_read + 1))
    for row in rows:
        assert len(row.fields) == len(table.header)
        "".join([*row.fields, row.native or ""]).encode()
        assert bool(row.original) == bool(row.problems)


def test_lines_do_not_depend_on_how_the_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = "".join(f'{{"id":{n},"review":"café {"x" * (n % 13)}"}}\n' for n in range(50))
    expected = values(content)
    for size in (1, 7, 64):
        monkeypatch.setattr("pipeline.dialect.CHUNK_BYTES", size)
        assert values(content) == expected


def test_a_line_of_50_megabytes_is_read() -> None:
    text = "good film " * 5_000_000
    first, second = values(f'{{"review":"{text}","n":[1]}}\n{{"review":"x"}}')
    assert first == [text, "[1]"]
    assert second == ["x", ""]


def test_an_endless_line_is_one_error_after_the_rows_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST_LINE", 1 << 20)
    rows = read(b'{"a":1}\n' * 150_000 + b"x" * (3 << 20)).rows()
    assert sum(1 for _, row in zip(range(150_000), rows, strict=False)) == 150_000
    with pytest.raises(SentimentError, match=r"a\.jsonl: line 150,001 is longer than"):
        next(rows)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ('[{"a":1},\n{"a":2}]', "is a JSON array, not JSON lines"),
        ('{\n "a":1\n}\n', "its objects go over several lines"),
        ("a,b\n1,2\n", "none of the first 2 lines is a JSON object"),
    ],
)
def test_what_is_no_json_lines_is_called_by_its_name(content: str, part: str) -> None:
    with pytest.raises(SentimentError, match=part) as caught:
        read(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lines", [200, 20_000])  # less than the sample, and more
def test_of_a_file_cut_short_no_half_row_is_given(lines: int) -> None:
    packed = gzip.compress(b"".join(b'{"id":%d}\n' % (n * n) for n in range(lines)))
    stream = unpacked(FileBytes(io.BytesIO(packed[: len(packed) // 2]), "a.jsonl.gz"), "gzip", "a.jsonl.gz")
    rows = JsonLinesTable(stream, "a.jsonl.gz").rows()  # type: ignore[arg-type]
    found = []
    with pytest.raises(SentimentError, match="is cut short"):
        for row in rows:
            found.append(row)
    assert len(found) > lines // 10
    assert not any(row.problems for row in found)
    assert [row.fields[0] for row in found] == [str(n * n) for n in range(len(found))]


def test_known_columns_come_first_or_alone() -> None:
    content = '{"b":1,"a":2}'
    assert list(read(content, columns=["a", "c"]).header) == ["a", "c", "b"]
    table = read(content, columns=["a"], adds_columns=False)
    assert list(table.header) == ["a"]
    assert [problem.kind for row in table.rows() for problem in row.problems] == ["surplus fields"]
