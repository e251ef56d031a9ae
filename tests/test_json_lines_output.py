"""Promise: a row in JSON lines is one object that holds its values, whatever characters they have, as fast as CSV."""

import json
import time
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pipeline.scoring.csv_output import CsvEncoder
from pipeline.scoring.json_lines_output import JsonLinesEncoder
from pipeline.scoring.output_format import OutputColumns
from pipeline.scoring.rows import NO_VALUE, RawValue, Row
from pipeline.scoring.text_sink import Encoder

APPENDED = ["p", "q", "r"]
CELLS = ["positive", "0.500000", ""]
TEXTS = st.text(st.characters())  # lone surrogates too
RAW = st.integers().map(lambda number: RawValue(number)) | st.just(NO_VALUE)


def line_of(names: Sequence[str], fields: Sequence[str], cells: Sequence[str] = CELLS) -> bytes:
    encoder = JsonLinesEncoder(OutputColumns(names, APPENDED))
    (line,) = encoder.rows([Row(1, 2, fields)], [cells])
    return line


@given(st.lists(TEXTS | RAW, max_size=5), TEXTS)
def test_every_value_comes_back(fields: list[str], error: str) -> None:
    names = [f"\ud800é{place}" for place in range(len(fields))]
    line = line_of(names, fields, ["negative", "0.250000", error])
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    own = {
        name: (json.loads(field) if field else None) if isinstance(field, RawValue) else field
        for name, field in zip(names, fields, strict=True)
    }
    assert json.loads(line.decode("utf-8")) == own | {"p": "negative", "q": 0.25, "r": error or None}


def test_only_what_utf8_cannot_hold_is_escaped() -> None:
    assert line_of(["a", "b"], ["é😀", "é\ud800"]) == (
        '{"a": "é😀", "b": "\\u00e9\\ud800", "p": "positive", "q": 0.500000, "r": null}\n'.encode()
    )


def seconds(encoder: Encoder, rows: Sequence[Row]) -> float:
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        for _ in encoder.rows(rows, [CELLS] * len(rows)):
            pass
        best = min(best, time.process_time() - started)
    return best


def test_many_columns_take_about_as_long_as_in_csv() -> None:
    columns = OutputColumns([f"column {place}" for place in range(5000)], APPENDED)
    rows = [Row(1, 2, [f"value {place}" for place in range(5000)]) for _ in range(20)]
    assert seconds(JsonLinesEncoder(columns), rows) < 4 * seconds(CsvEncoder(columns, ",", "\n"), rows)
