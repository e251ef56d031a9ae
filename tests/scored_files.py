"""``sentiment score`` in this process with a stub model, and its outputs read back."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.cli import main
from pipeline.errors import SentimentError
from pipeline.inference import SentimentModel
from tests.stub_models import HashModel

OUTPUT_COLUMNS = ["predicted_sentiment", "positive_probability", "score_error"]
KINDS = {
    *("blank text", "not a text", "long text", "undecodable bytes", "lone surrogates", "unterminated quote"),
    *("stray quote", "too few fields", "surplus fields", "repeated key", "HTML tags", "not a JSON object"),
}

csv.field_size_limit(1 << 30)


def run_score(inputs: Sequence[Path | str], output: Path | str, *flags: str, standard_input: bytes = b"") -> None:
    """Score files; every text gets the probability that :func:`tests.stub_models.probability_of` tells.

    Raises:
        SentimentError: what the command would say in one line; any other exception is one that it did not expect.
    """
    files = [str(path) for path in inputs]
    model = patch.object(SentimentModel, "load", lambda *arguments, **options: HashModel())
    stdin = patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(standard_input)))
    memory_alone = patch.object(os, "fsync")  # no power is lost here, and thousands of files would wait for the disk
    with model, stdin, memory_alone:
        code = main(["score", *files, "-o", str(output), "--quiet", "--debug", *flags])
    assert code == 0


def error_of_score(inputs: Sequence[Path | str], output: Path | str, *flags: str) -> SentimentError | None:
    """Score files; return the error where that is refused, which must be one line that names the first of them."""
    try:
        run_score(inputs, output, *flags)
    except SentimentError as error:
        message = str(error)
    else:
        return None
    assert "\n" not in message
    assert str(inputs[0]) in message
    return SentimentError(message)


def unpacked(path: Path) -> bytes:
    """Return a file's content, unpacked where its name says so."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(content)
    if path.suffix == ".zst":
        with pa.input_stream(path) as stream:
            return bytes(stream.read())
    return content


def read_csv(path: Path, delimiter: str = ",") -> list[list[str]]:
    """Return the header and the rows of a CSV file as the csv module reads them, which must find no fault."""
    text = unpacked(path).decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def read_json_lines(path: Path) -> list[list[tuple[str, str | None]]]:
    """Return the objects of a JSON lines file as pairs of name and value: text, numbers as written, nested as JSON."""
    lines = unpacked(path).decode("utf-8").split("\n")
    assert lines.pop() == ""
    objects = []
    for line in lines:
        pairs = json.loads(line, object_pairs_hook=list, parse_float=str, parse_int=str, parse_constant=str)
        values = json.loads(line)
        assert len(values) == len(pairs)
        objects.append(
            [
                (name, json.dumps(values[name], ensure_ascii=False) if isinstance(value, list | bool) else value)
                for name, value in pairs
            ]
        )
    return objects


def read_scored(path: Path, delimiter: str = ",", has_header: bool = True) -> tuple[list[str], list[list[str]]]:
    """Return the names and the rows of an output whatever its format, as CSV would have them: null is "".

    Numbers of JSON lines are as they are written there, those of Parquet as the six decimals of a probability.
    """
    if ".jsonl" in path.name:
        objects = read_json_lines(path)
        names = [name for name, _ in objects[0]] if objects else []
        assert all([name for name, _ in pairs] == names for pairs in objects)
        return names, [["" if value is None else value for _, value in pairs] for pairs in objects]
    if path.suffix == ".parquet":
        table = pq.ParquetFile(path).read()
        columns = [[as_text(value) for value in column.to_pylist()] for column in table.columns]
        return table.column_names, [list(row) for row in zip(*columns, strict=True)]
    rows = read_csv(path, delimiter)
    return (rows[0], rows[1:]) if has_header else ([], rows)


def as_text(value: Any) -> str:
    """Return a value of Parquet as CSV would have it; floats are taken for probabilities."""
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def read_rejects(output: Path) -> dict[int, dict[str, Any]]:
    """Return the rejects of an output by row number; none where there is no such file."""
    path = Path(f"{output}.rejects.jsonl")
    if not path.exists():
        return {}
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return {record["row"]: record for record in records}


def kinds_of(score_error: str) -> list[str]:
    """Return the kinds of problems that a cell of ``score_error`` names; all of it where it names none."""
    named = [piece.split(": ")[0] for piece in score_error.split("; ")]
    return [kind for kind in named if kind in KINDS] or ([score_error] if score_error else [])
