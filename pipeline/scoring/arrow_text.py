"""Arrow columns as text, for outputs that know no types: every value with all of its digits.

What JSON could hold without quotes (numbers, booleans, nested values) is a :class:`pipeline.scoring.rows.RawValue`,
null an empty one.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from pipeline.scoring.rows import NO_VALUE, Base64Value, RawValue

UNDECODABLE = "sentiment.undecodable"  # of pipeline.dialect: marks bytes that are no UTF-8
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})$")
_ZEROS_AT_END = re.compile(r"\.?0*(?=Z?$|[+-][0-9]{4}$)")


def texts_of(column: pa.Array) -> list[str]:
    """Return the values of a column as text.

    - integers, decimals: their digits; floats: the shortest text that gives the same number
    - ``true`` and ``false``; dates and times in ISO 8601, with their zone's offset where they have one
    - bytes: as UTF-8 where they are, else in base 64; durations: a number in their unit
    - lists, structs and maps: as JSON

    Args:
        column: of any type, N values.

    Returns:
        N texts; a text that is no sound UTF-8 has U+FFFD.
    """
    if types.is_dictionary(column.type):
        return texts_of(column.dictionary_decode())
    if types.is_run_end_encoded(column.type):
        return texts_of(pc.run_end_decode(column))
    if isinstance(column.type, pa.BaseExtensionType):
        return _extension_texts(column)
    if is_text(column.type):
        return _strings(column)
    if types.is_null(column.type):
        return [NO_VALUE] * len(column)
    convert = next((convert for belongs, convert in _CONVERSIONS if belongs(column.type)), _nested)
    return convert(column)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is one of strings, however they are kept."""
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def bytes_of(column: pa.Array) -> list[bytes | None]:
    """Return the bytes of a column of strings, sound or not."""
    kind = pa.large_binary() if types.is_large_string(column.type) else pa.binary()
    return list((column.cast(pa.binary_view()) if types.is_string_view(column.type) else column.cast(kind)).to_pylist())


def _strings(column: pa.Array) -> list[str]:
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        values = [None if value is None else value.decode("utf-8", "replace") for value in bytes_of(column)]
    return [NO_VALUE if value is None else value for value in values] if column.null_count else values


def _integers(column: pa.Array) -> list[str]:
    return [NO_VALUE if value is None else RawValue(value) for value in column.to_pylist()]


def _booleans(column: pa.Array) -> list[str]:
    texts = {True: RawValue("true"), False: RawValue("false"), None: NO_VALUE}
    return [texts[value] for value in column.to_pylist()]


def _floats(column: pa.Array) -> list[str]:
    if types.is_float64(column.type):
        texts = map(repr, column.to_pylist())
    else:
        texts = map(str, column.to_numpy(zero_copy_only=False))  # numpy knows the shortest text of the smaller floats
    valid = column.is_valid().to_pylist()
    return [_number(text) if present else NO_VALUE for text, present in zip(texts, valid, strict=True)]


def _number(text: str) -> str:
    return text if text in ("nan", "inf", "-inf") else RawValue(text)


def _decimals(column: pa.Array) -> list[str]:
    return [NO_VALUE if value is None else RawValue(format(value, "f")) for value in column.to_pylist()]


def _times(column: pa.Array) -> list[str]:
    if types.is_timestamp(column.type) and column.type.tz is not None:
        try:
            texts = column.cast(pa.string()).to_pylist()
        except pa.ArrowException:  # no such zone, or no data of zones on this machine
            in_utc = column.cast(pa.timestamp(column.type.unit)).cast(pa.string()).to_pylist()
            texts = [None if text is None else f"{text}+0000" for text in in_utc]
    else:
        texts = column.cast(pa.string()).to_pylist()
    return [NO_VALUE if text is None else _iso(text) for text in texts]


def _iso(text: str) -> str:
    if text.startswith("<"):  # out of the range of years
        return text
    text = text.replace(" ", "T", 1)
    if "." in text:
        text = _ZEROS_AT_END.sub("", text, count=1)
    return _OFFSET.sub(r"\1:\2", text)


def _durations(column: pa.Array) -> list[str]:
    return _integers(column.cast(pa.int64()))


def _binary(column: pa.Array) -> list[str]:
    return [NO_VALUE if value is None else _text_of_bytes(value) for value in column.to_pylist()]


def _text_of_bytes(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return Base64Value(base64.b64encode(value).decode("ascii"))


def _extension_texts(column: pa.Array) -> list[str]:
    if column.type.extension_name == "arrow.uuid":
        return [NO_VALUE if value is None else str(value) for value in column.to_pylist()]
    return texts_of(column.storage)


def _nested(column: pa.Array) -> list[str]:
    valid = column.is_valid().to_pylist()
    return [_json_of(column, place) if present else NO_VALUE for place, present in enumerate(valid)]


def _json_of(column: pa.Array, place: int) -> str:
    try:
        return RawValue(json.dumps(column[place].as_py(), ensure_ascii=False, default=_plain))
    except (ValueError, TypeError, ArithmeticError, RecursionError, pa.ArrowException):
        # What Python has no value for: a text that is no UTF-8, a time beyond its years or finer than its microseconds.
        shown: str = column.slice(place, 1).to_string(skip_new_lines=True)
        return shown.strip().removeprefix("[").removesuffix("]")


def _plain(value: Any) -> Any:
    """Return a value within a nested one as JSON can hold it."""
    if isinstance(value, bytes):
        return _text_of_bytes(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


_CONVERSIONS: Sequence[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], list[str]]]] = (
    (types.is_integer, _integers),
    (types.is_floating, _floats),
    (types.is_boolean, _booleans),
    (types.is_decimal, _decimals),
    (lambda kind: types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind), _times),
    (types.is_duration, _durations),
    (
        lambda kind: (
            types.is_binary(kind)
            or types.is_large_binary(kind)
            or types.is_binary_view(kind)
            or types.is_fixed_size_binary(kind)
        ),
        _binary,
    ),
)
