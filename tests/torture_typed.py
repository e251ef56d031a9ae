"""The torture corpus, third part: JSON lines and Parquet, whose values have types."""

from __future__ import annotations

import datetime
import decimal
import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.torture import PAIR, PLAIN, TRIPLE, Case, Refusal
from tests.torture_inputs import zstandard


def json_case(lines: str | bytes, header: list[str], rows: list[list[str]], **options: Any) -> Case:
    """Return a case of JSON lines."""
    content = lines.encode() if isinstance(lines, str) else lines
    return Case(content, header, rows, **({"name": "in.jsonl", "flags": ["--text-column=review"]} | options))


TWO_OBJECTS = '{"id": "007", "review": "a fine film"}\n{"id": "008", "review": "dull"}\n'
TWO_ROWS = [["007", "a fine film"], ["008", "dull"]]
DEEP = "[" * 3000 + "]" * 3000
SURROGATES = ['{"id": "1", "review": "go\\ud800od"}', '{"id": "2", "review": "\\ud83d\\ude00 fine"}']
BROKEN = ['{"id": "2", "review": "bad"', "null", '["a"]', '"text"', "review,id", "{'id': 1}"]

JSON_CASES: dict[str, Case] = {
    "objects": json_case(TWO_OBJECTS, PAIR, TWO_ROWS),
    "objects with CRLF and no final line end": json_case(TWO_OBJECTS.replace("\n", "\r\n")[:-2], PAIR, TWO_ROWS),
    "objects with a UTF-8 mark": json_case(TWO_OBJECTS.encode("utf-8-sig"), PAIR, TWO_ROWS),
    "objects in UTF-16": json_case(TWO_OBJECTS.encode("utf-16"), PAIR, TWO_ROWS),
    "objects in gzip": json_case(gzip.compress(TWO_OBJECTS.encode()), PAIR, TWO_ROWS, name="in.jsonl.gz"),
    "objects in Zstandard": json_case(zstandard(TWO_OBJECTS.encode()), PAIR, TWO_ROWS, name="in.ndjson.zst"),
    "objects without a name that says so": json_case(TWO_OBJECTS, PAIR, TWO_ROWS, name="data"),
    "objects from standard input": json_case(TWO_OBJECTS, PAIR, TWO_ROWS, inputs=["-"]),
    "blank lines between objects": json_case("\n \n" + TWO_OBJECTS.replace("\n", "\n\r\n\n"), PAIR, TWO_ROWS),
    "values that are no text": json_case(
        '{"id": 7, "review": "good", "x": 0.10}\n'
        '{"id": 1.0, "review": "bad", "x": 12345678901234567890123}\n'
        '{"id": -0, "review": "fair", "x": 1e400}\n'
        '{"id": true, "review": "ok", "x": [1,  {"a": "b, c"}, null]}\n'
        '{"id": null, "review": "fine", "x": {"y": 1.50, "z": {}}}\n'
        '{"id": "", "review": "so so", "x": NaN}\n',
        ["id", "review", "x"],
        [
            ["7", "good", "0.10"],
            ["1.0", "bad", "12345678901234567890123"],
            ["-0", "fair", "1e400"],
            ["true", "ok", '[1,  {"a": "b, c"}, null]'],
            ["", "fine", '{"y": 1.50, "z": {}}'],
            ["", "so so", "NaN"],
        ],
    ),
    "reviews that are no text": json_case(
        '{"review": "good"}\n{"review": 5}\n{"review": null}\n{"review": ["a", "b"]}\n{"review": {}}\n{"review": ""}\n'
        '{"id": 1}\n{}\n{"review": "bad", "id": 2}\n',
        ["review", "id"],
        [
            ["good", ""],
            ["5", ""],
            ["", ""],
            ['["a", "b"]', ""],
            ["{}", ""],
            ["", ""],
            ["", "1"],
            ["", ""],
            ["bad", "2"],
        ],
        text=0,
        kinds={
            **{row: ["not a text"] for row in (2, 4, 5)},
            **{row: ["blank text"] for row in (3, 6, 7, 8)},
        },
    ),
    "keys in another order, missing and late": json_case(
        '{"id": "1", "review": "good"}\n{"review": "bad", "id": "2"}\n{"review": "fair"}\n'
        '{"note": "x", "review": "ok"}\n',
        TRIPLE,
        [["1", "good", ""], ["2", "bad", ""], ["", "fair", ""], ["", "ok", "x"]],
    ),
    "a key long after the first lines": json_case(
        '{"review": "good"}\n' * 1500 + '{"review": "bad", "late": 5}\n{"review": "fair"}\n',
        ["review"],
        [["good"]] * 1500 + [["bad"], ["fair"]],
        text=0,
        kinds={1501: ["surplus fields"]},
        rejects={1501: ['{"review": "bad", "late": 5}']},
    ),
    "a key twice": json_case(
        '{"id": 1, "review": "good", "id": 2}\n{"id": 3, "review": "bad"}\n',
        PAIR,
        [["2", "good"], ["3", "bad"]],
        kinds={1: ["repeated key"]},
        rejects={1: ['{"id": 1, "review": "good", "id": 2}']},
    ),
    "broken lines": json_case(
        "\n".join(['{"id": "1", "review": "good"}', *BROKEN, '{"id": "9", "review": "fair"}']),
        PAIR,
        [["1", "good"], *[["", ""]] * len(BROKEN), ["9", "fair"]],
        kinds={row: ["not a JSON object"] for row in range(2, 2 + len(BROKEN))},
        rejects={row: [line] for row, line in enumerate(BROKEN, start=2)},
    ),
    "lone surrogates": json_case(
        "\n".join(SURROGATES),
        PAIR,
        [["1", "go\ufffdod"], ["2", "😀 fine"]],
        kinds={1: ["lone surrogates"]},
        rejects={1: [SURROGATES[0]]},
    ),
    "a bad byte in an object": json_case(
        b'{"id": "caf\xc3\xa9", "review": "na\xffive"}\n{"id": "2", "review": "bad"}\n',
        PAIR,
        [["café", "na\ufffdive"], ["2", "bad"]],
        kinds={1: ["undecodable bytes"]},
        rejects={1: ['{"id": "café", "review": "na\ufffdive"}']},
    ),
    "escapes": json_case(
        '{"id": "\\u0000\\u00e9\\/\\b", "review": "a \\"fine\\"\\nfilm\\t\\\\n \u2028\u0085"}\n',
        PAIR,
        [["\0é/\b", 'a "fine"\nfilm\t\\n \u2028\u0085']],
    ),
    "keys that are odd": json_case(
        '{"": 1, "a,b\\n\\"c\\"": 2, "review": "good", "é": null, "REVIEW2": "x"}\n',
        ["", 'a,b\n"c"', "review", "é", "REVIEW2"],
        [["1", "2", "good", "", "x"]],
        text=2,
    ),
    "nested too deep": json_case(
        f'{{"id": {DEEP}, "review": "good"}}\n{{"id": 1, "review": "bad"}}\n', PAIR, [[DEEP, "good"], ["1", "bad"]]
    ),
    "a number of 10,000 digits": json_case(
        f'{{"id": {"9" * 10_000}, "review": "good"}}\n', PAIR, [["9" * 10_000, "good"]]
    ),
    "several files of objects": json_case(
        '{"review": "good"}\n',
        ["review", "id"],
        [["good", ""], ["bad", "2"], ["fair", ""]],
        text=0,
        others={"b.jsonl": b'{"id": 2, "review": "bad"}', "c.ndjson": b'{"review": "fair"}\n'},
    ),
    "a review of 2 MB in an object": json_case(
        '{"review": "' + "so good " * 250_000 + '"}\n{"review": "bad"}\n',
        ["review"],
        [["so good " * 250_000], ["bad"]],
        text=0,
        kinds={1: ["long text"]},
    ),
}


def parquet_file(table: pa.Table, **options: Any) -> bytes:
    """Return a table as a Parquet file."""
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


REVIEWS = ["a fine film", None, "dull", ""]
TYPED = pa.table(
    {
        "id": pa.array([7, -1, None, 2**62], pa.int64()),
        "review": pa.array(REVIEWS, pa.string()),
        "byte": pa.array([0, 255, None, 7], pa.uint8()),
        "float": pa.array([0.1, 1e300, None, float("nan")], pa.float64()),
        "single": pa.array([0.1, 16777216.0, None, float("inf")], pa.float32()),
        "price": pa.array(
            [decimal.Decimal("1.10"), None, decimal.Decimal("-0.05"), decimal.Decimal("0")], pa.decimal128(20, 2)
        ),
        "when": pa.array([datetime.datetime(2024, 2, 29, 12, 30, 1, 5), None, None, None], pa.timestamp("us")),
        "zoned": pa.array(
            [datetime.datetime(2024, 1, 1, microsecond=125000), None, None, None], pa.timestamp("ms", "UTC")
        ),
        "nano": pa.array([1, None, 10**18, 0], pa.timestamp("ns")),
        "day": pa.array([datetime.date(2024, 2, 29), None, None, None], pa.date32()),
        "kind": pa.array(["a", "b", None, "a"]).dictionary_encode(),
        "yes": pa.array([True, False, None, True]),
        "tags": pa.array([["a", None], [], None, ["b, c"]], pa.list_(pa.string())),
        "facts": pa.array([{"x": 1, "y": "é"}, None, {"x": None, "y": ""}, {"x": 2, "y": "z"}]),
        "raw": pa.array([b"text", b"\xff\x00", None, b""], pa.binary()),
        "nothing": pa.nulls(4),
        "large": pa.array(["x", None, "", "y"], pa.large_string()),
        "map": pa.array([[("k", 1)], None, [], [("k", None)]], pa.map_(pa.string(), pa.int32())),
    }
).replace_schema_metadata({"author": "nobody"})
TYPED_TEXTS = {
    "id": ["7", "-1", "", "4611686018427387904"],
    "review": ["a fine film", "", "dull", ""],
    "byte": ["0", "255", "", "7"],
    "float": ["0.1", "1e+300", "", "nan"],
    "single": ["0.1", "1.6777216e+07", "", "inf"],
    "price": ["1.10", "", "-0.05", "0.00"],
    "when": ["2024-02-29T12:30:01.000005", "", "", ""],
    "zoned": ["2024-01-01T00:00:00.125Z", "", "", ""],
    "nano": ["1970-01-01T00:00:00.000000001", "", "2001-09-09T01:46:40", "1970-01-01T00:00:00"],
    "day": ["2024-02-29", "", "", ""],
    "kind": ["a", "b", "", "a"],
    "yes": ["true", "false", "", "true"],
    "tags": ['["a", null]', "[]", "", '["b, c"]'],
    "facts": ['{"x": 1, "y": "é"}', "", '{"x": null, "y": ""}', '{"x": 2, "y": "z"}'],
    "raw": ["text", "/wA=", "", ""],
    "nothing": ["", "", "", ""],
    "large": ["x", "", "", "y"],
    "map": ['[["k", 1]]', "", "[]", '[["k", null]]'],
}
TYPED_ROWS = [list(row) for row in zip(*TYPED_TEXTS.values(), strict=True)]
SMALL = pa.table({"id": pa.array(range(500), pa.int16()), "review": [f"film {number}" for number in range(500)]})
SMALL_ROWS = [[str(number), f"film {number}"] for number in range(500)]
BLANKS = {2: ["blank text"], 4: ["blank text"]}
NOT_UTF8 = pa.table({"id": ["1", "2", "3"], "review": pa.array([b"good", b"na\xffive", b"bad"]).view(pa.string())})


def parquet_case(content: bytes, header: list[str], rows: list[list[str]], **options: Any) -> Case:
    """Return a case of Parquet."""
    return Case(content, header, rows, **({"name": "in.parquet", "flags": ["--text-column=review"]} | options))


PARQUET_CASES: dict[str, Case] = {
    "typed columns": parquet_case(parquet_file(TYPED), TYPED.column_names, TYPED_ROWS, kinds=BLANKS),
    "typed columns without Arrow's schema": parquet_case(
        parquet_file(TYPED.drop_columns(["kind", "zoned"]), store_schema=False),
        [name for name in TYPED.column_names if name not in ("kind", "zoned")],
        [
            [text for name, text in zip(TYPED_TEXTS, row, strict=True) if name not in ("kind", "zoned")]
            for row in TYPED_ROWS
        ],
        kinds=BLANKS,
    ),
    "many small row groups": parquet_case(parquet_file(SMALL, row_group_size=7), PAIR, SMALL_ROWS),
    "packed by Zstandard, second data pages": parquet_case(
        parquet_file(SMALL, compression="zstd", data_page_version="2.0", data_page_size=64), PAIR, SMALL_ROWS
    ),
    "no rows": parquet_case(parquet_file(SMALL.slice(0, 0)), PAIR, []),
    "no rows and no row groups": parquet_case(parquet_file(SMALL.schema.empty_table(), row_group_size=1), PAIR, []),
    "Parquet without a name that says so": parquet_case(parquet_file(SMALL), PAIR, SMALL_ROWS, name="data"),
    "Parquet from standard input": parquet_case(parquet_file(SMALL), PAIR, SMALL_ROWS, inputs=["-"]),
    "several files of Parquet": parquet_case(
        parquet_file(SMALL.slice(0, 200)),
        PAIR,
        SMALL_ROWS,
        others={"b.parquet": parquet_file(SMALL.slice(200, 0)), "c.pq": parquet_file(SMALL.slice(200))},
    ),
    "reviews of a dictionary": parquet_case(
        parquet_file(SMALL.set_column(1, "review", SMALL["review"].dictionary_encode()), row_group_size=50),
        PAIR,
        SMALL_ROWS,
    ),
    "texts of Parquet that are no UTF-8": parquet_case(
        parquet_file(NOT_UTF8),
        PAIR,
        [["1", "good"], ["2", "na\ufffdive"], ["3", "bad"]],
        kinds={2: ["undecodable bytes"]},
        rejects={2: ["2", "na\ufffdive"]},
    ),
}

TYPED_REFUSALS: dict[str, Refusal] = {
    "a JSON array": Refusal(b'[{"review": "good"},\n{"review": "bad"}]\n', ["in.jsonl", "array"], name="in.jsonl"),
    "an indented object": Refusal(b'{\n  "review": "good"\n}\n', ["in.jsonl", "several lines"], name="in.jsonl"),
    "CSV that is called JSON lines": Refusal(PLAIN, ["in.jsonl", "JSON"], name="in.jsonl"),
    "empty JSON lines": Refusal(b"", ["in.jsonl", "empty"], name="in.jsonl"),
    "empty Parquet file": Refusal(b"", ["in.parquet", "empty"], name="in.parquet"),
    "Parquet cut short": Refusal(parquet_file(SMALL)[:-100], ["in.parquet", "Parquet"], name="in.parquet"),
    "Parquet without its beginning": Refusal(parquet_file(SMALL)[100:], ["in.parquet"], name="in.parquet"),
    "Parquet that is called CSV": Refusal(parquet_file(SMALL), ["in.csv", "is a Parquet file"]),
    "numbers alone": Refusal(
        parquet_file(pa.table({"id": [1, 2], "price": [1.5, 2.0]})), ["in.parquet", "'id', 'price'"], name="in.parquet"
    ),
    "a delimiter for Parquet": Refusal(
        parquet_file(SMALL), ["in.parquet", "--delimiter"], ["--delimiter=,"], name="in.parquet"
    ),
    "no header for JSON lines": Refusal(
        TWO_OBJECTS.encode(), ["in.jsonl", "--no-header"], ["--no-header"], name="in.jsonl"
    ),
}
