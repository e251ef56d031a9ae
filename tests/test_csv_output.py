"""Promise: rows are written as ``csv.writer`` writes them, byte for byte, whatever stands in them."""

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.scoring.csv_output import CsvEncoder
from pipeline.scoring.output_format import OutputColumns
from pipeline.scoring.rows import Row

VALUES = st.text(st.one_of(st.sampled_from(" ,;\t|\"\r\n'a"), st.characters(exclude_categories=["Cs"])), max_size=8)


def as_csv_writes_it(rows: list[list[str]], delimiter: str, line_end: str) -> bytes:
    """CRLF makes ``csv.writer`` quote CR and LF wherever they stand; before Python 3.13 no other line end does."""
    lines = []
    for row in rows:
        line = io.StringIO(newline="")
        csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(row)
        lines.append(line.getvalue()[:-2] + line_end)
    return "".join(lines).encode()


@given(
    rows=st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width))),
    delimiter=st.sampled_from(",;\t|^ "),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=300)
def test_rows_are_written_as_the_csv_module_writes_them(rows: list[list[str]], delimiter: str, line_end: str) -> None:
    encoder = CsvEncoder(OutputColumns((), ()), delimiter, line_end)
    written = encoder.rows([Row(1, 1, row[:-1]) for row in rows], [row[-1:] for row in rows])
    assert b"".join(written) == as_csv_writes_it(rows, delimiter, line_end)


def test_what_utf8_cannot_hold_is_replaced() -> None:
    encoder = CsvEncoder(OutputColumns((), ()), ",", "\n")
    assert list(encoder.rows([Row(1, 1, ["a\ud800b"])], [["é"]])) == ["a?b,é\n".encode()]
