"""Damaged JSON lines and Parquet files, held against Python's json module and pyarrow."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.damaged_csv import MARK, drawn_rows
from tests.mutations import damage, flipped
from tests.scored_files import OUTPUT_COLUMNS, error_of_score


def json_lines_file(seed: int) -> bytes:
    draw = random.Random(seed)
    lines = []
    for number, text, note in drawn_rows(seed):
        value: Any = draw.choice([note, number, 1.5, None, True, [1, {"a": note}], {"b": []}])
        lines.append(json.dumps({"id": number, "review": text, "note": value}, ensure_ascii=draw.random() < 0.5))
    return ("\n".join(lines) + "\n").encode()


def parsed(line: str) -> list[tuple[str, Any]] | None:
    """Return an object as Python reads it, as pairs; None where the line is none."""
    try:
        pairs = json.loads(line, strict=False, object_pairs_hook=Pairs)
    except ValueError:
        return None
    return pairs if isinstance(pairs, Pairs) else None


class Pairs(list[tuple[str, Any]]):
    """The keys and values of an object."""


def check_json_lines(seed: int, folder: Path) -> None:
    """Every line that is not blank is a row; what Python's json module reads comes out as it was."""
    damaged = damage(json_lines_file(seed), seed)
    text = damaged.content.decode("utf-8", "replace").removeprefix(MARK)
    lines = [stripped for line in text.split("\n") if (stripped := line.strip(" \t\r\n" + MARK))]
    source, target = folder / "in.jsonl", folder / "out.jsonl"
    source.write_bytes(damaged.content)
    if error_of_score([source], target, "--encoding=utf-8", "--text-column=review") is not None:
        assert not any("review" in dict(pairs) for line in lines if (pairs := parsed(line)) is not None)
        return
    found = target.read_bytes().decode("utf-8").split("\n")[:-1]
    assert len(found) == len(lines)
    for line, scored in zip(lines, found, strict=True):
        expected, row = parsed(line), parsed(scored)
        assert row is not None
        assert [name for name, _ in row[-3:]] == OUTPUT_COLUMNS
        if expected is not None:
            assert repr(row[:-3]) == repr(expected)
        else:
            assert str(row[-1][1]).startswith("not a JSON object") or "undecodable" in str(row[-1][1])


def parquet_content(seed: int) -> bytes:
    draw = random.Random(seed)
    rows = drawn_rows(seed)
    columns = {
        "id": [row[0] for row in rows],
        "review": [row[1] for row in rows],
        "number": pa.array([draw.choice([None, 0, 2**40]) for _ in rows], pa.int64()),
        "kind": pa.array([draw.choice(["a", "b", None]) for _ in rows]).dictionary_encode(),
        "tags": [draw.choice([None, [], ["x", None]]) for _ in rows],
    }
    stream = io.BytesIO()
    pq.write_table(
        pa.table(columns),
        stream,
        row_group_size=draw.choice([7, 100]),
        compression=draw.choice(["none", "none", "none", "snappy", "zstd", "gzip"]),
        use_dictionary=draw.choice([True, False]),
        data_page_version=draw.choice(["1.0", "2.0"]),
        data_page_size=draw.choice([64, 1 << 20]),
        write_page_checksum=draw.random() < 0.2,
    )
    return stream.getvalue()


def decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without its dictionary, which may differ from chunk to chunk, its texts sound UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_string(column.type):
        return column
    texts = column.cast(pa.binary()).to_pylist()
    return pa.chunked_array(
        [[None if text is None else text.decode("utf-8", "replace") for text in texts]], pa.string()
    )


def check_parquet(seed: int, folder: Path) -> None:
    """A damaged Parquet file gives the rows that pyarrow reads, or one line."""
    sound = parquet_content(seed)
    end_of_pages = len(sound) - 8 - int.from_bytes(sound[-8:-4], "little")
    content = (damage(sound, seed) if seed % 3 == 0 else flipped(sound, seed, 4, end_of_pages)).content
    source, target = folder / "in.parquet", folder / "out.parquet"
    source.write_bytes(content)
    if error_of_score([source], target, "--text-column=review") is not None:
        return
    file = pq.ParquetFile(io.BytesIO(content))
    groups = [file.read_row_group(group) for group in range(file.num_row_groups)]  # at once, one may damage the next
    read_by_pyarrow = pa.concat_tables([file.schema_arrow.empty_table(), *groups])
    found = pq.ParquetFile(target).read()
    assert found.num_rows == read_by_pyarrow.num_rows
    for kept, column in zip(found.columns, read_by_pyarrow.columns, strict=False):
        assert decoded(kept).equals(decoded(column)) or repr(kept) == repr(column)
    assert found.column_names == [*read_by_pyarrow.column_names, *OUTPUT_COLUMNS]
