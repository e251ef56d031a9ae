"""Reads reviews, with or without labels, out of CSV, TSV and Parquet files; says which row is at fault."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.columns import ColumnChoice, LabelReader, Record, choose_columns, telling_names
from pipeline.dialect import DELIMITERS
from pipeline.errors import SentimentError
from pipeline.review_text import is_blank
from pipeline.reviews import REVIEWS_PER_BATCH, UNLABELLED, ReviewRows
from pipeline.star_ratings import rating_column, stars_of

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")


def read_reviews(
    path: Path, choice: ColumnChoice, labels: LabelReader | None, rows: ReviewRows | None = None
) -> ReviewRows:
    """Read the reviews of a CSV, TSV or Parquet file; without a reader of labels they are unlabelled.

    A column named ``rating``, ``stars`` or ``star_rating`` is kept as it is where all its values are whole numbers
    from 1 to 10 or empty, and left out otherwise; in Parquet it must hold numbers.

    Args:
        path: the file.
        choice: its columns.
        labels: tells the class of a label.
        rows: what the reviews are added to; None for new ones.

    Raises:
        SentimentError: the file is empty, damaged or not UTF-8; a column or label is missing or unclear.
    """
    records = parquet_records if path.suffix.lower() == ".parquet" else delimited_records
    try:
        if path.stat().st_size == 0:
            raise SentimentError("empty; there must be columns of texts and labels")
        return rows_of(records(path, choice, labels is not None), labels, rows)
    except SentimentError as error:
        raise SentimentError(f"{path}: {error}") from error
    except UnicodeDecodeError:
        raise SentimentError(f"{path}: {undecodable_place(path)}") from None
    except csv.Error as error:
        raise SentimentError(f"{path}: the header is not readable as CSV ({error})") from error
    except pa.ArrowException as error:
        raise SentimentError(f"{path}: damaged, or no Parquet ({first_line(error)}); get it again") from error
    except OSError as error:
        raise SentimentError(f"{path}: cannot be read ({error.strerror or first_line(error)})") from error


def rows_of(records: Iterable[Record], labels: LabelReader | None, rows: ReviewRows | None = None) -> ReviewRows:
    """Gather records, their labels read where there is a reader of labels; return the rows they were added to.

    Raises:
        SentimentError: a label is missing or is neither class.
    """
    rows = ReviewRows() if rows is None else rows
    for record in records:
        try:
            stars = stars_of(record.rating)
        except ValueError:
            stars = None
            rows.unclear_ratings += 1
        if labels is None or is_blank(record.text):  # a row that is left out may lack its label too
            rows.append(record.text, UNLABELLED, stars)
        else:
            rows.append(record.text, labels.read(record), stars)
    return rows


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().split("\n")[0]


def delimited_records(path: Path, choice: ColumnChoice, labelled: bool) -> Iterator[Record]:
    """Yield the rows of a CSV or TSV file (UTF-8, with or without byte order mark; newlines inside quotes kept).

    Raises:
        SentimentError: no header; no such column; a row that is no row of this table.
        UnicodeDecodeError: the file is not UTF-8.
        csv.Error: the header has a quote that is never closed.
    """
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader, header = after_header(stream, path.suffix)
        text, label = choose_columns(header, choice, labelled=labelled)
        rating = rating_column(header, text, label)
        positions = [None if name is None else header.index(name) for name in (label, rating)]
        yield from records_of(reader, len(header), header.index(text), *positions)


def after_header(stream: IO[str], suffix: str) -> tuple[Any, list[str]]:
    """Return a ``csv.reader`` that stands after the header, and the names of the columns.

    Args:
        stream: at its start.
        suffix: of the file's name.

    Raises:
        SentimentError: no header.
        csv.Error: the header has a quote that is never closed.
    """
    header_line = stream.readline()
    if not header_line.strip():
        raise SentimentError("empty, or the first line is; the first line must name the columns")
    delimiter = "\t" if suffix.lower() == ".tsv" else delimiter_of(header_line)
    stream.seek(0)
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    return reader, next(reader)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a table that :func:`read_reviews` takes."""
    if path.suffix.lower() == ".parquet":
        return list(pq.read_schema(path).names)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return after_header(stream, path.suffix)[1]


def delimiter_of(header_line: str) -> str:
    """Return the delimiter that splits the header into most columns; a comma where none does."""
    return max(DELIMITERS, key=lambda delimiter: len(next(csv.reader([header_line], delimiter=delimiter))))


def records_of(reader: Any, fields: int, text: int, label: int | None, rating: int | None) -> Iterator[Record]:
    """Yield the rows of a CSV reader that stands after the header; wholly empty lines are passed over.

    Args:
        reader: a ``csv.reader``.
        fields: how many columns the header has.
        text: position of the text column.
        label: of the label column, if any.
        rating: of the column of stars, if any.

    Raises:
        SentimentError: a row has more or fewer fields than the header, or a stray or open quote.
    """
    row = 1
    line = reader.line_num + 1
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            raise SentimentError(
                f"row {row} (line {line}): {error}; is a quote opened and not closed, or not doubled inside the text?"
            ) from error
        if values is None:
            return
        if values:
            if len(values) != fields:
                raise SentimentError(
                    f"row {row} (line {line}) has {len(values)} fields and the header {fields}; "
                    f"put texts that hold a {reader.dialect.delimiter!r} in double quotes"
                )
            others = (None if position is None else values[position] for position in (label, rating))
            yield Record(row, line, values[text], *others)
            row += 1
        line = reader.line_num + 1


def undecodable_place(path: Path) -> str:
    """Return a message with the first byte of a file that is not UTF-8, and its line."""
    offset = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                if offset == 0 and line[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    return "is UTF-16, not UTF-8; convert it first: iconv -f UTF-16 -t UTF-8"
                place = f"byte {offset + error.start} (line {number})"
                return f"is not UTF-8 at {place}; convert it first, such as iconv -f WINDOWS-1252 -t UTF-8"
            offset += len(line)
    return "is not UTF-8; convert it first"


def parquet_records(path: Path, choice: ColumnChoice, labelled: bool) -> Iterator[Record]:
    """Yield the rows of a Parquet file.

    Raises:
        SentimentError: no such column; the text column holds no text.
        pyarrow.ArrowException: the file is damaged.
    """
    with pq.ParquetFile(path) as file:
        text, label = choose_columns(list(file.schema_arrow.names), choice, labelled=labelled)
        rating = rating_column(file.schema_arrow.names, text, label)
        if rating is not None and not is_number(file.schema_arrow.field(rating).type):
            rating = None
        columns = [name for name in (text, label, rating) if name is not None]
        names = telling_names(label_names(file.schema_arrow, label), choice.positive)
        yield from arrow_records(file.iter_batches(REVIEWS_PER_BATCH, columns=columns), text, label, names, rating)


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds whole or floating numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def label_names(schema: pa.Schema, label: str | None) -> list[str]:
    """Return the names of the labels 0, 1, ..., which ``datasets`` keeps in a table's metadata; none where it did not.

    Read as JSON, for the hub's folders and copies hold such tables without any need of ``datasets`` itself.
    """
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def arrow_records(
    batches: Iterable[pa.RecordBatch],
    text: str,
    label: str | None,
    names: Sequence[str] = (),
    rating: str | None = None,
) -> Iterator[Record]:
    """Yield the rows of record batches that hold at least the columns named.

    Args:
        batches: the rows.
        text: name of the text column.
        label: name of the label column, if any.
        names: put in place of the labels 0, 1, ..., where there are any.
        rating: name of the column of stars, if any.

    Raises:
        SentimentError: the text column holds no text, or the label column lists or structures.
        pyarrow.ArrowException: a text is not UTF-8.
    """
    row = 0
    for batch in batches:
        texts = batch.column(text)
        if pa.types.is_dictionary(texts.type):
            texts = texts.dictionary_decode()
        if pa.types.is_string_view(texts.type):
            texts = texts.cast(pa.string())
        if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
            raise SentimentError(f"column {text!r} holds {texts.type}, not text; say --text-column")
        texts.validate(full=True)
        labels: list[Any] = [None] * len(texts)
        if label is not None:
            if pa.types.is_nested(batch.column(label).type):
                raise SentimentError(f"column {label!r} holds {batch.column(label).type}; say --label-column")
            labels = batch.column(label).to_pylist()
        if names:
            of_number = dict(enumerate(names))
            labels = [of_number.get(value, value) for value in labels]
        ratings = [None] * len(texts) if rating is None else batch.column(rating).to_pylist()
        for value, label_value, stars in zip(texts.to_pylist(), labels, ratings, strict=True):
            row += 1
            yield Record(row, None, value, label_value, stars)
