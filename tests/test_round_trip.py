"""Promise: any table comes back from scoring with every value as it was, in order, and three columns more.

``SENTIMENT_ROUND_TRIPS`` says how many tables of each format are tried, 50 where it does not.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.review_text import is_blank
from tests.scored_files import OUTPUT_COLUMNS, read_csv, run_score
from tests.stub_models import probability_of

EXAMPLES = int(os.environ.get("SENTIMENT_ROUND_TRIPS", "50"))
SETTINGS = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
MARK = "\ufeff"  # in front of a file it is a byte-order mark and no text

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
hostile_text = st.text("\"',;\t|\n\r \0=\\ab0é\u2028" + MARK, max_size=8)
ordinary_text = st.sampled_from(["007", "NA", "", "1e400", "a fine film", "0.10", "\U0001f600", "<br />", "two\nlines"])
values = st.one_of(any_text, hostile_text, ordinary_text)
delimiters = st.one_of(st.sampled_from(",;\t| :^~a0é"), st.characters(exclude_categories=["Cs"]))


@dataclass(frozen=True)
class Table:
    """A table as Python's csv module writes it."""

    header: list[str]
    rows: list[list[str]]
    text: int
    delimiter: str
    quoting: Any
    line_end: str
    encoding: str

    def written(self) -> str:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter=self.delimiter, quoting=self.quoting, lineterminator=self.line_end)
        writer.writerows([self.header, *self.rows])
        return stream.getvalue()


@st.composite
def tables(draw: st.DrawFn) -> Table:
    width = draw(st.integers(1, 5))
    row = st.lists(values, min_size=width, max_size=width)
    delimiter = draw(delimiters)
    assume(delimiter not in '"\r\n\0')
    return Table(
        draw(row),
        draw(st.lists(row, max_size=8)),
        draw(st.integers(0, width - 1)),
        delimiter,
        draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        draw(st.sampled_from(["\n", "\r\n", "\r"])),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"])),
    )


def text_column_flag(header: Sequence[str], text: int) -> str | None:
    """Return the flag that names a column: by its name, or number where it shares that; None where neither can."""
    names = [name.strip().casefold() for name in header]
    if header.count(header[text]) == 1:
        return f"--text-column={header[text]}"
    return None if str(text + 1) in names else f"--text-column={text + 1}"


def is_unambiguous(table: Table) -> bool:
    """Whether the text holds all that the table does.

    It does not where the csv module itself reads something else than what it wrote: Python 3.11 leaves values with CR
    or LF unquoted when that is not the line end it was told to write. Two first lines mean something else to anyone:
    ``sep=;`` is Excel's hint, and U+FEFF at the very beginning, in whatever encoding, is a byte-order mark.
    """
    text = table.written()
    read_again = list(csv.reader(io.StringIO(text, newline=""), delimiter=table.delimiter))
    starts_with_hint = text[:4].lower() == "sep=" and len(text.splitlines()[0]) == 5
    return read_again == [table.header, *table.rows] and not starts_with_hint and not text.startswith(MARK)


@given(tables())
@SETTINGS
def test_csv(table: Table) -> None:
    flag = text_column_flag(table.header, table.text)
    assume(flag is not None and is_unambiguous(table))
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "in.csv"), Path(folder, "out.csv")
        source.write_bytes(table.written().encode(table.encoding))
        flags = [f"--delimiter={table.delimiter}", f"--encoding={table.encoding}", str(flag)]
        if set(OUTPUT_COLUMNS) & set(table.header):
            flags.append("--prefix=other_")
        run_score([source], target, *flags)
        header, *rows = read_csv(target, table.delimiter)
    assert header[:-3] == table.header
    assert len(rows) == len(table.rows)
    for row, scored in zip(table.rows, rows, strict=True):
        text = row[table.text]
        assert scored[:-3] == row
        assert scored[-2:] == (["", "blank text"] if is_blank(text) else [probability_of(text), ""])


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), values),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(any_text, inner, max_size=3)),
    max_leaves=5,
)
keys = st.one_of(st.sampled_from(["id", "note", "", "é,\n"]), any_text)
json_objects = st.lists(
    st.builds(
        lambda others, text: {**others, **text},
        st.dictionaries(keys, json_values, max_size=4),
        st.one_of(st.just({}), st.fixed_dictionaries({"review": st.one_of(values, json_values)})),
    ),
    min_size=1,
    max_size=8,
)


@given(json_objects, st.booleans(), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
@SETTINGS
def test_json_lines(objects: list[dict[str, Any]], ascii_only: bool, line_end: str, encoding: str) -> None:
    assume(any("review" in item for item in objects))
    assume(not any(name in item for item in objects for name in OUTPUT_COLUMNS))
    lines = [json.dumps(item, ensure_ascii=ascii_only) for item in objects]
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "in.jsonl"), Path(folder, "out.jsonl")
        source.write_bytes("".join(line + line_end for line in lines).encode(encoding))
        run_score([source], target, f"--encoding={encoding}", "--text-column=review")
        scored = target.read_bytes().decode("utf-8").split("\n")[:-1]
    assert len(scored) == len(objects)
    for item, line, found in zip(objects, lines, scored, strict=True):
        assert found.startswith(line.removesuffix("}"))  # every number with its digits
        read_again = json.loads(found)
        assert list(read_again) == [*item, *OUTPUT_COLUMNS]
        text = item.get("review")
        if isinstance(text, str) and not is_blank(text):
            assert read_again["positive_probability"] == float(probability_of(text))
            assert read_again["score_error"] is None
        else:
            assert read_again["positive_probability"] is None
            assert read_again["score_error"] in ("blank text",) or read_again["score_error"].startswith("not a text")


def arrow_columns(rows: int) -> st.SearchStrategy[pa.Array]:
    """Draw a column of a drawn type, with nulls."""

    def filled(kind: pa.DataType, items: st.SearchStrategy[Any]) -> st.SearchStrategy[pa.Array]:
        several = st.lists(st.one_of(st.none(), items), min_size=rows, max_size=rows)
        return several.map(lambda drawn: pa.array(drawn, kind))

    moments = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1))
    return st.one_of(
        filled(pa.string(), values),
        filled(pa.large_string(), values),
        filled(pa.int64(), st.integers(-(2**63), 2**63 - 1)),
        filled(pa.uint8(), st.integers(0, 255)),
        filled(pa.float64(), st.floats(allow_nan=False)),
        filled(pa.float32(), st.floats(allow_nan=False, width=32)),
        filled(pa.bool_(), st.booleans()),
        filled(pa.decimal128(20, 3), st.decimals(-(10**9), 10**9, places=3)),
        filled(pa.timestamp("us"), moments),
        filled(pa.timestamp("ms", "Europe/Berlin"), moments.map(lambda moment: moment.replace(microsecond=0))),
        filled(pa.date32(), st.dates()),
        filled(pa.time64("us"), st.times()),
        filled(pa.binary(), st.binary(max_size=5)),
        filled(pa.list_(pa.int32()), st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=3)),
        filled(
            pa.struct([("a", pa.string()), ("b", pa.int8())]), st.fixed_dictionaries({"a": values, "b": st.just(1)})
        ),
        filled(pa.string(), values).map(lambda column: column.dictionary_encode()),
    )


@st.composite
def arrow_tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 12))
    columns = draw(st.lists(arrow_columns(rows), max_size=4))
    text = pa.array(draw(st.lists(st.one_of(st.none(), values), min_size=rows, max_size=rows)), pa.string())
    names = draw(st.lists(any_text, min_size=len(columns), max_size=len(columns), unique=True))
    assume(not {"review", *OUTPUT_COLUMNS} & set(names))
    return pa.table([*columns, text], names=[*names, "review"])


@given(arrow_tables(), st.integers(1, 5), st.sampled_from(["none", "snappy", "zstd"]))
@SETTINGS
def test_parquet(table: pa.Table, row_group_size: int, compression: str) -> None:
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "in.parquet"), Path(folder, "out.parquet")
        pq.write_table(table, source, row_group_size=row_group_size, compression=compression)
        table = pq.ParquetFile(source).read()  # with the types as Parquet keeps them
        run_score([source], target, "--text-column=review")
        scored = pq.ParquetFile(target).read()
    own = scored.select(range(table.num_columns))
    assert own.schema.equals(table.schema, check_metadata=True)
    assert own.equals(table)
    assert scored.column_names == [*table.column_names, *OUTPUT_COLUMNS]
    for text, probability in zip(table["review"].to_pylist(), scored["positive_probability"].to_pylist(), strict=True):
        assert probability == (None if is_blank(text) else float(probability_of(text)))
