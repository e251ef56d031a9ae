"""Damaged CSV files, packed or not, held against Python's csv module and zlib."""

from __future__ import annotations

import csv
import gzip
import io
import random
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import SentimentError
from tests.mutations import damage
from tests.scored_files import OUTPUT_COLUMNS, error_of_score, read_csv, read_rejects
from tests.torture_inputs import in_pieces, zstandard

ZSTANDARD_BYTES_AT_RISK = 512  # before the damage; its decompressor gives nothing of a call that fails
MOST_LOST_BESIDE_AN_EDIT = 3  # rows that Python's csv module cannot read either: a quote too few or too many
MARK = "\ufeff"
HEADER = ["id", "review", "note"]
TEXTS = [
    "a fine film",
    "dull, and too long",
    'she said "no", twice',
    "two\nlines",
    "one, two\nthree, four, five\r\nsix",
    "café 😀",
    "",
    '"',
    "tab\tand; semicolon | pipe",
    "x" * 50,
]


def drawn_rows(seed: int, count: int = 30) -> list[list[str]]:
    draw = random.Random(seed)
    return [[f"{number:05d}", draw.choice(TEXTS), draw.choice(TEXTS)] for number in range(count)]


def row_ends(rows: Sequence[Sequence[str]], **dialect: Any) -> list[int]:
    """Return where the header and each row end, in bytes."""
    ends, content = [], ""
    for row in [HEADER, *rows]:
        stream = io.StringIO(newline="")
        csv.writer(stream, **dialect).writerow(row)
        content += stream.getvalue()
        ends.append(len(content.encode()))
    return ends


def is_subsequence(few: Iterable[Any], many: Iterable[Any]) -> bool:
    rest = iter(many)
    return all(item in rest for item in few)


def letters(values: Iterable[str]) -> Counter[str]:
    """Count the characters that mean nothing to CSV."""
    counts = Counter("".join(values))
    for structural in ',;\t|"\r\n':
        del counts[structural]
    return counts


def csv_file(seed: int) -> tuple[list[list[str]], bytes, list[int]]:
    """Return a CSV file's rows, its bytes and where the header and each row end."""
    rows = drawn_rows(seed)
    draw = random.Random(seed)
    dialect: dict[str, Any] = {
        "quoting": draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "lineterminator": draw.choice(["\n", "\r\n"]),
    }
    stream = io.StringIO(newline="")
    csv.writer(stream, **dialect).writerows([HEADER, *rows])
    return rows, stream.getvalue().encode(), row_ends(rows, **dialect)


def scored_rows(content: bytes, folder: Path, name: str, *flags: str) -> tuple[list[list[str]], SentimentError | None]:
    """Score a file; return its own columns in the output, the header first, and the error where it could not be read
    to its end: then the rows are those that were kept."""
    (folder / name).write_bytes(content)
    target = folder / f"{name}.out.csv"
    error = error_of_score([folder / name], target, *flags)
    if error is not None:
        target = folder / f"{target.name}.partial"
    if not target.exists():
        return [], error
    rows = read_csv(target)
    assert rows[0][-3:] == OUTPUT_COLUMNS
    assert {len(row) for row in rows} == {len(rows[0])}
    return [row[:-3] for row in rows], error


def check_csv(seed: int, folder: Path) -> None:
    """Rows that were not touched come out where Python's csv module still reads them; no character is lost."""
    rows, content, ends = csv_file(seed)
    damaged = damage(content, seed, protected=ends[0])
    flags = ["--delimiter=,", "--text-column=review", "--encoding=utf-8"]
    (header, *found), error = scored_rows(damaged.content, folder, "in.csv", *flags)
    assert error is None
    assert header == HEADER
    sound = sum(end <= damaged.first_touched for end in ends[1:])
    assert found[:sound] == rows[:sound]

    text = damaged.content.decode("utf-8", "replace")
    read_by_python = list(csv.reader(io.StringIO(text, newline="")))
    untouched = [row for row, start, end in zip(rows, ends, ends[1:], strict=False) if damaged.leaves_alone(start, end)]
    readable = [row for row in untouched if row in read_by_python]
    assert is_subsequence(readable, found), [row for row in readable if row not in found]
    assert sum(row not in found for row in untouched) <= MOST_LOST_BESIDE_AN_EDIT * len(damaged.edits)
    assert letters(values_of(HEADER, found, folder / "in.csv.out.csv")) == letters([text])


def check_csv_without_help(seed: int, folder: Path) -> None:
    """With a damaged header and nothing said about the dialect there are rows or one line, and no character is lost."""
    _, content, _ = csv_file(seed)
    damaged = damage(content, seed)
    flags = ["--encoding=utf-8"] if seed % 2 else []
    table, error = scored_rows(damaged.content, folder, "in.csv", *flags)
    if error is None and flags:
        text = damaged.content.decode("utf-8", "replace").removeprefix("\ufeff")
        assert letters(values_of(table[0], table[1:], folder / "in.csv.out.csv")) == letters([text])


def values_of(header: list[str], rows: list[list[str]], output: Path) -> Iterator[str]:
    """Yield all values, those of the rejects file in place of what the output could keep of them."""
    yield from header
    rejects = read_rejects(output)
    for number, row in enumerate(rows, start=1):
        yield from rejects[number]["fields"] if number in rejects else row


def unpacked_as_far_as_possible(packed: bytes, kind: str) -> tuple[bytes, bool]:
    """Return what can be had of a packed file, byte by byte, and whether that is all of it."""
    pieces: list[bytes] = []
    if kind == "zst":
        stream = pa.CompressedInputStream(pa.BufferReader(packed), "zstd")
        try:
            while piece := stream.read(1):
                pieces.append(piece)
        except (OSError, pa.ArrowException):
            return b"".join(pieces), False
        return b"".join(pieces), True
    while packed:
        member = zlib.decompressobj(31)
        for place in range(len(packed)):
            try:
                pieces.append(member.decompress(packed[place : place + 1]))
            except zlib.error:
                return b"".join(pieces), False
            if member.eof:
                packed = packed[place + 1 :].lstrip(b"\0")  # zeros may fill the room between two members
                break
        else:
            return b"".join(pieces), False
    return b"".join(pieces), True


def check_packed(seed: int, folder: Path) -> None:
    """A damaged packed file gives the rows that can be unpacked, and says so where these are not all."""
    rows, content, ends = csv_file(seed)
    kind = "zst" if seed % 3 == 0 else "gz"
    pack = zstandard if kind == "zst" else gzip.compress
    packed = b"".join(pack(piece) for piece in in_pieces(content, random.Random(seed).choice([300, 5000])))
    damaged = damage(packed, seed)
    flags = ["--delimiter=,", "--text-column=review", "--encoding=utf-8"]
    table, error = scored_rows(damaged.content, folder, f"in.csv.{kind}", *flags)
    text, complete = unpacked_as_far_as_possible(damaged.content, kind)
    (folder / "unpacked").mkdir()
    plain, plain_error = scored_rows(text, folder / "unpacked", "in.csv", *flags)
    if complete and plain_error is None:
        assert error is None
        assert table == plain
        return
    assert error is not None
    assert table == plain[: len(table)]
    at_risk = ZSTANDARD_BYTES_AT_RISK if kind == "zst" else 0
    safe = text[: max(0, len(text) - at_risk)]
    sound = sum(safe[:end] == content[:end] for end in ends[1:])
    assert table[1 : 1 + sound] == rows[:sound]
