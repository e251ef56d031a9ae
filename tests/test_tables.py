"""Promise: whatever the file, each row comes back once, in order, with its values, or with its problem named."""

import base64
import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.dialect import DecodedText, check_delimiter, check_encoding, detect_dialect
from pipeline.errors import SentimentError, UsageError
from pipeline.scoring import csv_table as tables
from pipeline.scoring.csv_table import CsvTable
from pipeline.scoring.rows import reject_record

COLUMNS = ["id", "review", "note"]


def read(content: bytes, **options: Any) -> CsvTable:
    return CsvTable(io.BytesIO(content), "a.csv", **options)


def values(content: bytes, **options: Any) -> list[list[str]]:
    return [row.fields for row in read(content, **options).rows()]


def kinds(table: CsvTable) -> list[list[str]]:
    return [[problem.kind for problem in row.problems] for row in table.rows()]


def written(rows: Sequence[Sequence[str]], **dialect: Any) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, **dialect).writerows(rows)
    return stream.getvalue()


TORTURE: dict[str, tuple[bytes, list[list[str]]]] = {
    "plain": (b"id,review\n1,good\n2,bad\n", [["1", "good"], ["2", "bad"]]),
    "no final line end": (b"id,review\n1,good\n2,bad", [["1", "good"], ["2", "bad"]]),
    "CRLF": (b"id,review\r\n1,good\r\n2,bad\r\n", [["1", "good"], ["2", "bad"]]),
    "CR": (b"id,review\r1,good\r2,bad\r", [["1", "good"], ["2", "bad"]]),
    "mixed line ends": (
        b"id,review\n1,good\r\n2,bad\n3,fair\r4,poor\n",
        [["1", "good"], ["2", "bad"], ["3", "fair"], ["4", "poor"]],
    ),
    "doubled carriage returns": (b"id,review\r\r\n1,good\r\r\n2,bad\r\r\n", [["1", "good"], ["2", "bad"]]),
    "CR within an unquoted value": (b"id,review\n1,good\rindeed\n2,bad\n", [["1", "good\rindeed"], ["2", "bad"]]),
    "line ends within quotes": (b'id,review\r\n1,"a\nb\r\nc\rd"\r\n2,x\r\n', [["1", "a\nb\r\nc\rd"], ["2", "x"]]),
    "quotes and delimiters within quotes": (b'id,review\n1,"he said ""no"", twice"\n', [["1", 'he said "no", twice']]),
    "blanks at both ends": (b"id,review\n 1 , good \n", [[" 1 ", " good "]]),
    "leading zeros, NA and digits": (
        b"id,review,x\n007,NA,1.10\n008,null,1e5\n",
        [["007", "NA", "1.10"], ["008", "null", "1e5"]],
    ),
    "semicolons and decimal commas": (b"id;review;x\n1;good, really;1,5\n", [["1", "good, really", "1,5"]]),
    "tabs": (b"id\treview\n1\tgood, really; yes\n", [["1", "good, really; yes"]]),
    "pipes": (b"id|review\n1|good, really\n", [["1", "good, really"]]),
    "one column, commas unquoted": (b"review\ngood, really\nbad; not | so\n", [["good, really"], ["bad; not | so"]]),
    "one column, commas quoted": (b'review\n"good, really"\nbad\n', [["good, really"], ["bad"]]),
    "one column, empty cell": (b"review\ngood\n\nbad\n\n\n", [["good"], [""], ["bad"]]),
    "one column, quoted empty cell at the end": (b'review\ngood\n""\n', [["good"], [""]]),
    "blank lines are no rows": (b"\n\nid,review\n\n1,good\n\n\n2,bad\n\n", [["1", "good"], ["2", "bad"]]),
    "sep line": (b"sep=|\r\nid|review\r\n1|a,b\r\n", [["1", "a,b"]]),
    "UTF-8 mark": ("\ufeffid,review\n1,café\n".encode(), [["1", "café"]]),
    "UTF-8": ("id,review\n1,café 😀\n".encode(), [["1", "café 😀"]]),
    "UTF-16 with mark": ("id,review\n1,café 😀\n".encode("utf-16"), [["1", "café 😀"]]),
    "UTF-16 big-endian with mark": ("\ufeffid,review\n1,café\n".encode("utf-16-be"), [["1", "café"]]),
    "UTF-16 without mark": ("id,review\n1,café\n".encode("utf-16-le"), [["1", "café"]]),
    "UTF-32 with mark": ("id,review\n1,café\n".encode("utf-32"), [["1", "café"]]),
    "Windows-1252": ("id,review\n1,café “good” €\n".encode("cp1252"), [["1", "café “good” €"]]),
    "Windows-1252 at the very end": (b"id,review\n1,caf\xe9", [["1", "café"]]),
    "Cyrillic": (
        "id,review\n1,замечательный фильм о дружбе и любви\n2,очень скучно и слишком длинно\n".encode("cp1251"),
        [["1", "замечательный фильм о дружбе и любви"], ["2", "очень скучно и слишком длинно"]],
    ),
    "NUL": (b"id,review\n1,go\0od\n", [["1", "go\0od"]]),
    "as many NUL as in UTF-16": (b'"id","review"\n' + b'"\0;\0","\0;\0"\n' * 2, [["\0;\0", "\0;\0"]] * 2),
    "Unicode line separators": ("id,review\n1,a\u2028b\x0bc\x85d\n".encode(), [["1", "a\u2028b\x0bc\x85d"]]),
    "stray quote within a value": (b'id,review\n1,5" nails\n2,x\n', [["1", '5" nails'], ["2", "x"]]),
    "text after a closing quote": (b'id,review\n1,"good" film\n2,x\n', [["1", "good film"], ["2", "x"]]),
    "too few fields": (b"id,review,note\n1,good\n", [["1", "good", ""]]),
    "surplus fields": (b"id,review\n1,good,really\n2,x\n", [["1", "good"], ["2", "x"]]),
    "header alone": (b"id,review\n", []),
    "header alone, no line end": (b"id,review", []),
    "duplicate names": (b"id,id,review\n1,2,good\n", [["1", "2", "good"]]),
    "line end in a header": (b'id,"re\nview"\n1,good\n', [["1", "good"]]),
    "unterminated quote": (
        b'id,review,x\n1,"good,a\n2,bad,b\n3,fair,c\n',
        [["1", '"good', "a"], ["2", "bad", "b"], ["3", "fair", "c"]],
    ),
    "unterminated quote, comma after it": (
        b'id,review\n1,"good, really\n2,bad\n',
        [["1", '"good, really'], ["2", "bad"]],
    ),
    "unterminated quote closed by a later row's": (
        b'id,review,x\n1,"good,a\n2,bad,b\n3,"fair",c\n4,poor,d\n',
        [["1", '"good', "a"], ["2", "bad", "b"], ["3", "fair", "c"], ["4", "poor", "d"]],
    ),
    "cut short within a quoted value": (
        b'id,review,x\n1,good,a\n2,"it was\nlong and',
        [["1", "good", "a"], ["2", "it was\nlong and", ""]],
    ),
    "unterminated quote in the last row": (b'id,review\n1,"good\n', [["1", '"good']]),
    "unterminated quote in the header": (b'id,"review\n1,good\n2,bad\n', [["1", "good"], ["2", "bad"]]),
    "open quotes on every line": (b"a,b\n" + b'"x","y\n' * 50, [["x", '"y']] * 50),
}


@pytest.mark.parametrize("name", TORTURE)
def test_torture(name: str) -> None:
    content, expected = TORTURE[name]
    assert values(content) == expected


FOUND_FROM_THE_FIRST_READ = {"UTF-16 without mark", "sep line"}  # which is large outside this test


@pytest.mark.parametrize("name", sorted(TORTURE.keys() - FOUND_FROM_THE_FIRST_READ))
@pytest.mark.parametrize("size", [4, 5, 7])  # a byte-order mark has up to 4 bytes
def test_the_size_of_a_read_changes_nothing(name: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content, expected = TORTURE[name]
    monkeypatch.setattr("pipeline.dialect.CHUNK_BYTES", size)
    monkeypatch.setattr(tables, "SAMPLE_CHARACTERS", 20)  # more than any header here
    assert values(content) == expected


@given(
    rows=st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_what_the_csv_module_writes_comes_back(
    rows: list[list[str]], delimiter: str, quoting: Any, line_end: str, encoding: str
) -> None:
    rows = [[*row[:2], row[2].rstrip("\r")] for row in rows]  # which Python 3.11 does not quote before LF
    text = written([COLUMNS, *rows], delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    table = read(text.encode(encoding), delimiter=delimiter, encoding=encoding)
    found = list(table.rows())
    assert [row.fields for row in found] == rows
    assert table.header == COLUMNS
    assert not any(row.problems for row in found)


@given(
    rows=st.lists(st.lists(st.text("ab \"'\n,;|\t\0é", max_size=6), min_size=2, max_size=2), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(deadline=None, max_examples=300)
def test_the_dialect_of_quoted_files_is_found(rows: list[list[str]], delimiter: str, line_end: str) -> None:
    text = written([["id", "review"], *rows], delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    table = read(text.encode())
    assert [row.fields for row in table.rows()] == rows
    assert table.dialect.delimiter == delimiter
    assert table.dialect.line_end == ("\r\n" if line_end == "\r\n" else "\n")


@given(st.binary(max_size=200), st.binary(max_size=20))
@settings(deadline=None, max_examples=500)
def test_no_bytes_are_too_odd(body: bytes, header: bytes) -> None:
    table = read(header + b",review\n" + body)
    rows = list(table.rows())
    assert all(len(row.fields) == table.width for row in rows)
    assert [row.number for row in rows] == list(range(1, table.rows_read + 1))
    for row in rows:
        "".join(row.fields).encode("utf-8")


def test_bytes_no_encoding_explains_are_replaced_counted_and_kept() -> None:
    content = "id,review\n1,café olé\n2,na".encode() + b"\xff\xe2\x82" + b"ive\n3,fine\n"
    table = read(content)
    rows = list(table.rows())
    assert table.text.encoding == "utf-8"
    assert [row.fields for row in rows] == [
        line.split(",") for line in content.decode("utf-8", "replace").splitlines()[1:]
    ]
    assert [str(problem) for problem in rows[1].problems] == ["undecodable bytes: 3 replaced"]
    assert rows[0].problems == rows[2].problems == []
    assert table.bytes_replaced == 3
    record = reject_record(rows[1])
    assert base64.b64decode(record["base64"]["1"]) == b"na\xff\xe2\x82ive"
    assert (record["row"], record["line"]) == (2, 3)


def test_a_bad_byte_far_beyond_the_sample_goes_on() -> None:
    rows = b"".join(b"%d,caf\xc3\xa9\n" % number for number in range(60_000))
    table = read(b"id,review\n" + rows + b"60000,\xff\n60001,good\n")
    found = list(table.rows())
    assert [row.number for row in found if row.problems] == [60_001]
    assert found[-1].fields == ["60001", "good"]


def test_the_encoding_is_decided_where_ascii_ends_however_late() -> None:
    rows = b"".join(b"%d,plain\n" % number for number in range(60_000))
    table = read(b"id,review\n" + rows + "60000,“crème brûlée”\n".encode("cp1252"))
    assert [*table.rows()][-1].fields == ["60000", "“crème brûlée”"]
    assert table.text.encoding == "cp1252"


def test_a_read_that_begins_with_the_first_letter_beyond_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.dialect.CHUNK_BYTES", 5)
    monkeypatch.setattr(tables, "SAMPLE_CHARACTERS", 10)  # the header
    assert values("id,review\n1,café\n2,thé\n".encode()) == [["1", "café"], ["2", "thé"]]


def test_lone_surrogates_of_an_odd_encoding_do_not_get_through() -> None:
    assert values(b"id,review\n1,a" + b"+2AA-b\n", encoding="utf-7") == [["1", "a\ufffdb"]]


def test_surplus_fields_are_kept_as_they_were() -> None:
    row = next(read(b"id,review\n1,good,really, yes\n").rows())
    assert row.fields == ["1", "good"]
    assert reject_record(row)["fields"] == ["1", "good", "really", " yes"]
    assert [str(problem) for problem in row.problems] == ["surplus fields: 4 instead of 2"]


def test_problems_are_named_on_their_row_only() -> None:
    assert kinds(read(b'id,review\n1,a\n2\n3,"b\n4,c\n5,d,e\n')) == [
        [],
        ["too few fields"],
        ["unterminated quote"],
        [],
        ["surplus fields"],
    ]


def test_line_numbers_are_those_of_the_file() -> None:
    table = read(b'\nid,review\n1,"a\nb"\n\n2,"c\n3,d\n4,e\n')
    assert [(row.fields[0], row.line) for row in table.rows()] == [("1", 3), ("2", 6), ("3", 7), ("4", 8)]


def test_an_endless_quoted_field_is_given_up_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST_FIELD", 1000)
    monkeypatch.setattr(tables, "SHORTEST_LOOKAHEAD", 100)
    table = read(b"a,b\n" + b'"x","y\n' * 3000 + b"1,2\n")
    rows = list(table.rows())
    assert len(rows) == 3001
    assert rows[-1].fields == ["1", "2"]


def test_an_endless_line_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST_FIELD", 1 << 20)
    with pytest.raises(SentimentError, match=r"a\.csv: line 2 is longer than"):
        list(read(b"a,b\n" + b"x" * (3 << 20)).rows())


def test_a_field_beyond_the_csv_module_s_limit_is_read() -> None:
    text = "good " * 100_000
    assert values(f'id,review\n1,"{text}"\n2,x\n'.encode()) == [["1", text], ["2", "x"]]


@pytest.mark.parametrize("content", [b"", b"\n\n\r\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_an_error(content: bytes) -> None:
    with pytest.raises(SentimentError, match=r"a\.csv: is empty"):
        read(content)


def test_the_text_column_asked_for_decides_between_delimiters() -> None:
    assert values(b"id,x;review\n1,2;good\n", text_column="review") == [["1,2", "good"]]


def test_a_delimiter_and_an_encoding_given_are_used() -> None:
    assert values(b"id^review\n1^caf\xe9\n", delimiter="^", encoding=check_encoding("latin-1")) == [["1", "café"]]


@pytest.mark.parametrize(("given_name", "character"), [("tab", "\t"), ("\\t", "\t"), (";", ";"), ("Comma", ",")])
def test_delimiters_have_names(given_name: str, character: str) -> None:
    assert check_delimiter(given_name) == character


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_impossible_delimiters_are_usage_errors(delimiter: str) -> None:
    with pytest.raises(UsageError, match="--delimiter"):
        check_delimiter(delimiter)


@pytest.mark.parametrize("encoding", ["utf-9", "base64", "rot13", ""])
def test_impossible_encodings_are_usage_errors(encoding: str) -> None:
    with pytest.raises(UsageError, match="--encoding"):
        check_encoding(encoding)


def test_a_sample_that_stops_within_a_row_does_not_mislead() -> None:
    assert detect_dialect('id;review\n1;good, or\n2;"bad', False, None, None).delimiter == ";"


def test_a_disk_that_fails_while_reading_is_one_error() -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(SentimentError, match="cannot be read beyond byte 0"):
        list(DecodedText(Failing(), "a.csv", None))  # type: ignore[arg-type]
