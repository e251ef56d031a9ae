"""Promise: however its files are named, packed or put together, a table's rows are those of one plain local file."""

import bz2
import gzip
import io
import random
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.compression import GZIP, ZSTANDARD, unpacked
from pipeline.scoring.csv_table import CsvTable
from pipeline.scoring.formats import format_of_name
from pipeline.scoring.input_bytes import FileBytes
from pipeline.scoring.inputs import InputOptions, check_paths, expand_inputs, fingerprint, open_table
from pipeline.scoring.rows import Row, reject_record
from pipeline.text_column import find_text_column

CSV = b"id,review\n1,good\n2,bad\n"
ROWS = [["1", "good"], ["2", "bad"]]
MANY = b"id,review\n" + b"".join(b"%d,a film like %d others\n" % (n, n * n) for n in range(5000))


def zstandard(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def parquet(**columns: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def values(*paths: Path | str, **options: Any) -> list[list[str]]:
    with open_table([str(path) for path in paths], InputOptions(**options)) as table:
        return [list(row.fields) for row in table.rows()]


def refused(*paths: Path | str, kind: type[SentimentError] = SentimentError, **options: Any) -> str:
    """Return the one line with which inputs are refused."""
    with pytest.raises(kind) as caught:
        names = expand_inputs([str(path) for path in paths])
        check_paths(names, "out.csv")
        values(*names, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def salvaged(path: Path | str) -> tuple[list[list[str]], str]:
    """Return the rows before a file breaks, and how it does."""
    rows = []
    with open_table([str(path)], InputOptions()) as table:
        with pytest.raises(SentimentError) as caught:
            for row in table.rows():
                rows.append(list(row.fields))
    assert "\n" not in str(caught.value)
    return rows, str(caught.value)


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Any:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


PACKINGS = {
    "in.csv": CSV,
    "in.tsv": CSV.replace(b",", b"\t"),
    "in.txt": CSV,
    "in": CSV,
    "in.csv.gz": gzip.compress(CSV),
    "in.csv.zst": zstandard(CSV),
    "IN.CSV.GZ": gzip.compress(CSV),
    "members.csv.gz": gzip.compress(CSV[:14]) + gzip.compress(b"") + gzip.compress(CSV[14:]) + b"\0" * 600,
    "padded.csv.gz": gzip.compress(CSV[:14]) + b"\0" * 9 + gzip.compress(CSV[14:]),
    "frames.csv.zst": zstandard(CSV[:14]) + zstandard(b"") + zstandard(CSV[14:]),
    "skippable.csv.zst": b"\x50\x2a\x4d\x18\x04\0\0\0four" + zstandard(CSV),
    "misnamed.csv": gzip.compress(CSV),
    "misnamed.gz": zstandard(CSV),
    "in.jsonl": b'{"id": 1, "review": "good"}\n{"id": 2, "review": "bad"}\n',
    "in.ndjson.gz": gzip.compress(b'{"id": 1, "review": "good"}\n{"id": 2, "review": "bad"}\n'),
    "objects": b'\n {"id": 1, "review": "good"}\n{"id": 2, "review": "bad"}',
    "objects.json": b'{"id": 1, "review": "good"}\n{"id": 2, "review": "bad"}',
    "in.parquet": parquet(id=[1, 2], review=["good", "bad"]),
    "in.pq": parquet(id=[1, 2], review=["good", "bad"]),
    "table": parquet(id=[1, 2], review=["good", "bad"]),
    "in.parquet.gz": gzip.compress(parquet(id=[1, 2], review=["good", "bad"])),
}


@pytest.mark.parametrize("name", PACKINGS)
def test_format_and_packing_are_told_by_name_or_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PACKINGS[name])
    check_paths([str(path)], str(tmp_path / "out.csv"))
    assert values(path) == ROWS


@pytest.mark.parametrize("name", PACKINGS)
def test_standard_input_is_told_by_content(standard_input: Any, name: str) -> None:
    standard_input(PACKINGS[name])
    assert values("-") == ROWS
    assert fingerprint(["-"]) == []


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 400))
@settings(deadline=None, max_examples=60)
def test_unpacking_gives_the_bytes(parts: list[bytes], size: int) -> None:
    for kind, pack in ((GZIP, gzip.compress), (ZSTANDARD, zstandard)):
        stream = unpacked(FileBytes(io.BytesIO(b"".join(map(pack, parts))), "in"), kind, "in")
        assert b"".join(iter(lambda stream=stream: stream.read(size), b"")) == b"".join(parts)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard])
def test_a_file_cut_short_gives_its_whole_rows_then_one_line(tmp_path: Path, pack: Any) -> None:
    path, packed = tmp_path / "in.csv.packed", pack(MANY)
    whole = [line.split(",") for line in MANY.decode().splitlines()[1:]]
    longest = 0
    for place in range(20):
        cut = random.Random(place).randrange(len(packed) // 8, len(packed) - 8)
        path.write_bytes(packed[:cut])
        try:
            rows, message = salvaged(path)
        except SentimentError:  # not even the header
            continue
        assert "is cut short" in message
        assert f"after row {len(rows):,}" in message
        assert rows == whole[: len(rows)]  # the last one is whole
        longest = max(longest, len(rows))
    assert longest > 1000


def test_before_a_cut_next_to_nothing_is_lost() -> None:
    for kind, pack, most in ((GZIP, gzip.compress, 0), (ZSTANDARD, zstandard, 512)):
        lengths = []
        for size in (1, 1 << 20):
            stream = unpacked(FileBytes(io.BytesIO(pack(MANY)[:-9]), "in"), kind, "in")
            lengths.append(0)
            with pytest.raises(SentimentError):
                while piece := stream.read(size):
                    lengths[-1] += len(piece)
        assert lengths[0] - most <= lengths[1] <= lengths[0] > 100_000


def test_a_cut_right_after_the_first_letter_beyond_ascii(tmp_path: Path) -> None:
    packed = gzip.compress("id,review\n1,good\n2,café\n3,olé".encode())
    (tmp_path / "in.csv.gz").write_bytes(packed[:-8])
    rows, message = salvaged(tmp_path / "in.csv.gz")
    assert rows == [["1", "good"], ["2", "café"]]
    assert "after row 2" in message


def test_bytes_that_were_peeked_at_can_be_sought() -> None:
    stream = FileBytes(io.BytesIO(b"0123456789"), "in")
    assert stream.peek(4) == b"0123"
    assert stream.read(2) == b"01"
    assert stream.tell() == 2
    assert stream.seek(1, 1) == 3
    assert stream.read(2) == b"34"
    assert stream.seek(-1, 2) == 9
    assert stream.read() == b"9"


def test_of_a_damaged_member_what_can_be_had_is_had(tmp_path: Path) -> None:
    path, packed = tmp_path / "in.csv.gz", gzip.compress(MANY)
    path.write_bytes(packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:])
    rows, message = salvaged(path)
    assert len(rows) == 5000
    assert "gzip data are damaged" in message
    path.write_bytes(packed + b"not gzip")
    rows, message = salvaged(path)
    assert len(rows) == 5000


def test_packed_data_that_are_not(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(CSV)
    assert "is not packed, whatever its name says" in refused(tmp_path / "in.csv.gz")


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("in.xlsx", b"", "is an Excel workbook"),
        ("in.zip", b"", "is a zip archive"),
        ("in.csv.bz2", b"", "packed in a way that is not read"),
        ("in.csv", b"PK\x03\x04....", "is an Excel workbook or a zip archive, not CSV"),
        ("in.csv", b"%PDF-1.7", "is a PDF"),
        ("in.csv", b"PAR1....PAR1", "is a Parquet file, not CSV; rename it"),
        ("in.csv", parquet(review=["good"]), "is a Parquet file, not CSV; rename it"),
        ("in.csv", b"PARE\x10\0\0\0....", "is an encrypted Parquet file"),
        ("in", b"GIF89a\x10\0\x10\0\x80\0\0....", "is a picture, not CSV"),
        ("in", bz2.compress(CSV), "is packed by bzip2"),
        ("in", bz2.compress(b""), "is packed by bzip2"),
        ("in", b"ARROW1\0\0....", "is an Arrow file"),
        ("in.parquet", CSV, "is no Parquet file, whatever its name says"),
        ("in.parquet", b"PARE....PARE", "is an encrypted Parquet file"),
        ("in.csv.gz", gzip.compress(gzip.compress(CSV)), "is packed twice"),
        ("in.json", b'[{"review": "good"},\n {"review": "bad"}]', "is a JSON array"),
        ("in", b'[{"review": "good"},\n {"review": "bad"}]', "is a JSON array"),
        ("in.json", b'{\n  "review": "good"\n}', "go over several lines"),
        ("in.csv", b"", "is empty"),
        ("in.jsonl", b"", "is empty"),
        ("in.csv.gz", b"", "is empty"),
    ],
)
def test_other_formats_are_called_by_their_names(tmp_path: Path, name: str, content: bytes, part: str) -> None:
    (tmp_path / name).write_bytes(content)
    message = refused(tmp_path / name)
    assert name in message
    assert part in message


def test_the_place_of_a_row_can_be_found() -> None:
    assert Row(28, 30, []).place() == "row 28 (line 30)"
    assert Row(28, 28, []).place() == "row 28"  # of Parquet, which has no lines
    assert Row(28, 6, [], file="b.csv", row_of_file=5).place() == "row 28 (b.csv, line 6)"
    assert Row(28, 5, [], file="b.parquet", row_of_file=5).place() == "row 28 (b.parquet, row 5)"
    assert "file" not in reject_record(Row(28, 30, [], original=["x"]))


def test_damage_in_a_later_file_is_told_by_the_rows_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(CSV)
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(CSV + b"3,fair\n")[:-8])
    with open_table([str(tmp_path / "1.csv"), str(tmp_path / "2.csv.gz")], InputOptions()) as table:
        rows = table.rows()
        found = []
        with pytest.raises(SentimentError, match=r"2\.csv\.gz: .* after row 3;"):
            found.extend(rows)
    assert [row.number for row in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("column", ["PAR1", "PARENT_ID", "GIF89a", "GIF8", "BZh9", "BZhour", "ARROW1", "PARQUET"])
@pytest.mark.parametrize("name", ["in.csv", "in"])
def test_a_column_may_be_called_like_the_mark_of_another_format(tmp_path: Path, column: str, name: str) -> None:
    (tmp_path / name).write_text(f"{column},review\n1,good\n")
    with open_table([str(tmp_path / name)], InputOptions()) as table:
        assert list(table.header) == [column, "review"]
        assert [list(row.fields) for row in table.rows()] == [["1", "good"]]


def test_several_files_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes("id,review\n1,naïve\n".encode())
    (tmp_path / "2.csv").write_bytes("id;review\r\n2;café, “good”\r\n".encode("cp1252"))
    (tmp_path / "3.csv").write_bytes(gzip.compress(b"id,review\n\n3,c\n4\n"))
    paths = [str(tmp_path / f"{n}.csv") for n in (1, 2, 3)]
    with open_table(paths, InputOptions()) as table:
        assert table.position().total == sum(Path(path).stat().st_size for path in paths)
        rows = list(table.rows())
        assert [list(row.fields) for row in rows] == [["1", "naïve"], ["2", "café, “good”"], ["3", "c"], ["4", ""]]
        assert [row.number for row in rows] == [1, 2, 3, 4]
        assert [row.line for row in rows] == [2, 2, 3, 4]
        assert [row.file for row in rows] == [paths[0], paths[1], paths[2], paths[2]]
        assert [row.row_of_file for row in rows] == [1, 1, 1, 2]
        assert rows[3].place() == f"row 4 ({paths[2]}, line 4)"
        assert reject_record(rows[3])["file"] == paths[2]
        assert table.rows_read == 4
        assert table.position().done == table.position().total
        facts = table.facts()
        assert (facts.encoding, facts.delimiter, facts.line_end, facts.blank_lines) == ("cp1252", ",", "\n", 1)
        assert table.name == f"{paths[0]} and 2 more"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (b"id,text", "2.csv: lacks the column 'review' in comparison with"),
        (b"id,review,more", "2.csv: has a column 'more' more"),
        (b"review,id", "2.csv: has the same columns in another order"),
        (b"id,review,review", "2.csv: has 3 columns instead of 2"),
    ],
)
def test_files_of_other_columns_are_refused_before_any_row(tmp_path: Path, header: bytes, part: str) -> None:
    (tmp_path / "1.csv").write_bytes(CSV)
    (tmp_path / "2.csv").write_bytes(header + b"\n")
    message = refused(tmp_path / "1.csv", tmp_path / "2.csv")
    assert part in message
    assert "1.csv" in message
    with pytest.raises(SentimentError, match="files that are scored together"):
        open_table([str(tmp_path / "1.csv"), str(tmp_path / "2.csv")], InputOptions())


def test_other_columns_of_a_stream_are_found_in_its_turn(tmp_path: Path, standard_input: Any) -> None:
    (tmp_path / "1.csv").write_bytes(CSV)
    standard_input(b"id,text\n3,c\n")
    rows = []
    with open_table([str(tmp_path / "1.csv"), "-"], InputOptions()) as table:
        assert table.position().total is None
        with pytest.raises(SentimentError, match="standard input: lacks the column 'review'"):
            for row in table.rows():
                rows.append(row.fields)
    assert rows == ROWS


def test_mixed_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(CSV)
    (tmp_path / "2.jsonl").write_bytes(PACKINGS["in.jsonl"])
    message = refused(tmp_path / "1.csv", tmp_path / "2.jsonl")
    assert "2.jsonl: is JSON lines, the files before it are CSV" in message


def test_json_lines_files_have_the_columns_of_all(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "2.jsonl").write_text("")
    (tmp_path / "3.jsonl").write_text('{"review": "good"}\n')
    assert values(*(tmp_path / f"{n}.jsonl" for n in (1, 2, 3))) == [["1", ""], ["", "good"]]


def test_parquet_files_need_the_same_types(tmp_path: Path) -> None:
    (tmp_path / "1.parquet").write_bytes(parquet(id=[1], review=["good"]))
    (tmp_path / "2.parquet").write_bytes(parquet(id=["2"], review=["bad"]))
    message = refused(tmp_path / "1.parquet", tmp_path / "2.parquet")
    assert "2.parquet: its column 'id' is of type string, and of type int64 in" in message
    (tmp_path / "3.parquet").write_bytes(parquet(id=[3], review=["so"]))
    assert values(tmp_path / "1.parquet", tmp_path / "3.parquet") == [["1", "good"], ["3", "so"]]


def test_globs_are_expanded_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b2.csv", "b10.csv", "a.csv", "x[1].csv", "x1.csv", "deep/er/c.csv"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(CSV)
    Path("folder.csv").mkdir()
    assert expand_inputs(["b*.csv", "-", "a.csv"]) == ["b10.csv", "b2.csv", "-", "a.csv"]
    assert expand_inputs(["x[1].csv"]) == ["x[1].csv"]  # a name before a pattern
    assert expand_inputs(["x[0-9].csv"]) == ["x1.csv"]
    assert expand_inputs(["**/c.csv", str(tmp_path / "?.csv")]) == ["deep/er/c.csv", str(tmp_path / "a.csv")]
    assert expand_inputs(["folder*.csv", "a.csv"][1:]) == ["a.csv"]
    assert expand_inputs([f"file://{tmp_path}/a.csv"]) == [str(tmp_path / "a.csv")]
    for pattern in ("c*.csv", "folder*"):
        assert "matches no file" in refused(pattern)


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    assert "none.csv: not found" in refused(tmp_path / "none.csv")
    assert "is a folder; name the files in it" in refused(tmp_path)
    assert "no input" in refused(kind=UsageError)
    assert "only once" in refused("-", "-", kind=UsageError)


def test_an_output_that_would_overwrite_an_input(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(CSV)
    for name in ("2.csv", "2.csv.partial", "2.csv.partial.journal", "2.csv.rejects.jsonl"):
        (tmp_path / name).write_bytes(CSV)
        with pytest.raises(UsageError, match="would overwrite the input"):
            check_paths([str(tmp_path / "1.csv"), str(tmp_path / name)], str(tmp_path / "2.csv"))
        (tmp_path / name).unlink()
    check_paths([str(tmp_path / "1.csv")], str(tmp_path / "2.csv"))


def test_a_fingerprint_tells_of_a_change(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(CSV)
    before = fingerprint([str(path)])
    assert before == fingerprint([str(path)])
    path.write_bytes(CSV + b"3,so\n")
    assert fingerprint([str(path)]) != before


@pytest.mark.parametrize(
    ("name", "options", "flag"),
    [
        ("in.jsonl", {"delimiter": ";"}, "--delimiter"),
        ("in.jsonl", {"has_header": False}, "--no-header"),
        ("in.parquet", {"encoding": "utf-8"}, "--encoding"),
    ],
)
def test_options_that_the_format_has_no_use_for(tmp_path: Path, name: str, options: Any, flag: str) -> None:
    (tmp_path / name).write_bytes(PACKINGS[name])
    assert flag in refused(tmp_path / name, kind=UsageError, **options)


def headerless(content: bytes, **options: Any) -> CsvTable:
    return CsvTable(io.BytesIO(content), "in.csv", has_header=False, **options)


def test_a_file_without_a_header() -> None:
    table = headerless(b"1,good; so to say\n2,bad\n\n3,fair,enough\n")
    assert table.header == ["column_1", "column_2"]
    assert [row.fields for row in table.rows()] == [["1", "good; so to say"], ["2", "bad"], ["3", "fair"]]
    assert not table.has_header
    assert find_text_column(table.header, [["1", "a film that is good"]], None, "in.csv") == 1
    assert find_text_column(table.header, [], "2", "in.csv") == 1


def test_without_a_header_the_first_row_may_be_broken() -> None:
    table = headerless(b"1\n2,bad,x\n3,good,y\n")
    assert [row.fields for row in table.rows()] == [["1", "", ""], ["2", "bad", "x"], ["3", "good", "y"]]


def test_without_a_header_commas_of_prose_are_no_delimiters() -> None:
    table = headerless(b"good, and short\nlong, dull, bad\nfair\n")
    assert [row.fields for row in table.rows()] == [["good, and short"], ["long, dull, bad"], ["fair"]]


@pytest.mark.parametrize(
    ("header", "has_hint"),
    [
        (b"id,review", False),
        (b"1,review", True),
        (b"a,the film was good and the music was better", True),
        (b"review_2019,x1", False),
        (b"label,2.5", True),
        (b"0,1", False),
    ],
)
def test_a_header_that_looks_like_a_row_gets_a_hint(header: bytes, has_hint: bool) -> None:
    table = CsvTable(io.BytesIO(header + b"\n1,x\n"), "in.csv")
    assert ("--no-header" in table.hint) == has_hint
    assert not headerless(header + b"\n").hint


def test_a_column_by_number_unless_a_name_is_one() -> None:
    assert find_text_column(["id", "review"], [], "2", "in.csv") == 1
    assert find_text_column(["2", "review"], [], "2", "in.csv") == 0
    for number in ("0", "3", "1.0"):
        with pytest.raises(SentimentError, match="or a number from 1 to 2"):
            find_text_column(["id", "review"], [], number, "in.csv")


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_a_query_is_no_part_of_a_name() -> None:
    assert format_of_name("http://host/in.csv.gz?name=in.xlsx") == "csv"
    assert format_of_name("s3://bucket/a?b.parquet") == "parquet"
    with pytest.raises(UsageError, match="is an Excel workbook"):
        format_of_name("https://host/in.xlsx?v=1.csv")


def test_urls_through_fsspec(memory: Any) -> None:
    for name, content in PACKINGS.items():
        memory.pipe(f"/bucket/{name}", content)
        check_paths([f"memory://bucket/{name}"], "out.csv")
        assert values(f"memory://bucket/{name}") == ROWS, name
    memory.pipe("/parts/2.csv", b"id,review\n2,bad\n")
    memory.pipe("/parts/1.csv", b"id,review\n1,good\n")
    found = expand_inputs(["memory://parts/*.csv"])
    assert [name.rpartition("/")[2] for name in found] == ["1.csv", "2.csv"]
    assert values(*found) == ROWS
    before = fingerprint(found)
    memory.pipe("/parts/1.csv", b"id,review\n1,good \n")
    assert fingerprint(found) != before


def test_urls_that_cannot_be_read(memory: Any) -> None:
    memory.pipe("/bucket/in.csv", CSV)
    assert "memory://bucket/none.csv: not found" in refused("memory://bucket/none.csv")
    assert "matches no file" in refused("memory://bucket/x*.csv")
    assert "is a folder" in refused("memory://bucket")
    assert "no such kind of URL" in refused("nonsense://bucket/in.csv", kind=UsageError)


@pytest.mark.parametrize(("url", "package"), [("gs://b/*.csv", "gcsfs"), ("s3://b/in.csv", "s3fs")])
def test_a_missing_package_is_named(url: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    from fsspec.registry import _registry

    for protocol in ("gs", "s3"):
        monkeypatch.delitem(_registry, protocol, raising=False)
    assert f"pip install {package}" in refused(url)


class _Server(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        if self.path.startswith("/broken"):
            self.send_error(501)
        elif self.path.startswith("/secret"):
            self.send_error(403)
        else:
            super().do_HEAD()

    def do_GET(self) -> None:
        if self.path.startswith("/broken"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(CSV + b"3,so")
        else:
            super().do_GET()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    for name, content in PACKINGS.items():
        (tmp_path / name).write_bytes(content)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, directory=str(tmp_path))) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_http(server: str) -> None:
    for name in PACKINGS:
        url = f"{server}/{name}?token=abc"
        check_paths([url], "out.csv")
        assert values(url) == ROWS, name
    (first,) = fingerprint([f"{server}/in.csv?token=abc"])
    assert first["bytes"] == len(CSV)
    assert first["changed"]
    assert "abc" not in str(first)
    assert expand_inputs([f"{server}/in.csv?x=[1]"]) == [f"{server}/in.csv?x=[1]"]


def test_http_that_fails(server: str) -> None:
    assert "/none.csv: not found" in refused(f"{server}/none.csv?token=abc")
    message = refused(f"{server.replace('//', '//user:word@')}/secret.csv")
    assert "access refused" in message
    assert "word" not in message
    (broken,) = fingerprint([f"{server}/broken.csv"])
    assert broken["bytes"] == 1000
    rows, message = salvaged(f"{server}/broken.csv")
    assert rows == ROWS
    assert "after row 2" in message
    assert "no connection" in refused("http://127.0.0.1:9/in.csv")
