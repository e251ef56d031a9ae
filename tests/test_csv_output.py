"""Promise: rows are written as ``csv.writer`` writes them, byte for byte, whatever stands in them."""

import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.scoring.csv_output import CsvOutput

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
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_written_as_the_csv_module_writes_them(
    tmp_path: Path, rows: list[list[str]], delimiter: str, line_end: str
) -> None:
    with CsvOutput(str(tmp_path / "out.csv"), delimiter, line_end) as output:
        output.write_rows(rows)
        output.commit()
    assert (tmp_path / "out.csv").read_bytes() == as_csv_writes_it(rows, delimiter, line_end)
    assert output.rows_written == len(rows)


def test_what_utf8_cannot_hold_is_replaced(tmp_path: Path) -> None:
    with CsvOutput(str(tmp_path / "out.csv"), ",", "\n") as output:
        output.write_rows([["a\ud800b", "é"]])
        output.commit()
    assert (tmp_path / "out.csv").read_text("utf-8") == "a?b,é\n"
