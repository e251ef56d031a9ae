"""One JSON object taken apart: its keys and values as text, each number and each nested value as it is written.

``json.loads`` would round long numbers, refuse integers of thousands of digits and run out of stack in deep nesting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pipeline.scoring.rows import NO_VALUE, RawValue

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]', re.DOTALL)
_CLOSERS = {"{": "}", "[": "]"}
_BLANKS = " \t\r\n"


class _Pairs(list[tuple[str, object]]):
    """The keys and values of an object, in order, repeated keys included."""


_DECODER = json.JSONDecoder(
    strict=False,  # control characters in strings are let pass
    parse_int=RawValue,
    parse_float=RawValue,
    parse_constant=RawValue,
    object_pairs_hook=_Pairs,
)


def parse_object(text: str) -> list[tuple[str, str]]:
    """Return the keys and values of a JSON object, in order, a repeated key as often as it stands there.

    A string's value is its text, anything else is a :class:`RawValue` of its own JSON text, ``null`` an empty one. NaN
    and Infinity, which JSON lacks and Python writes, are let pass. What is nested too deep for Python's parser is told
    apart by its brackets and not looked into.

    Args:
        text: of the object; blanks around it are let pass.

    Raises:
        ValueError: the text is no JSON object; the message says why.
    """
    try:
        pairs = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.removesuffix(' at')} at character {error.pos + 1}") from None
    except RecursionError:
        return list(_deep_pairs(text))
    if not isinstance(pairs, _Pairs):
        raise ValueError(f"it is {_kind_of(pairs)}")
    if any(isinstance(value, list) for _, value in pairs):
        raw = [value for _, value in _raw_pairs(text)]
        return [
            (key, RawValue(as_written) if isinstance(value, list) else _text_of(value))
            for (key, value), as_written in zip(pairs, raw, strict=True)
        ]
    return [(key, _text_of(value)) for key, value in pairs]


def written_values(text: str) -> dict[str, str]:
    """Return each value of a JSON object as it is written there, by its key; the last one of a repeated key.

    Args:
        text: that :func:`parse_object` takes.
    """
    return {str(_DECODER.decode(key)): value for key, value in _raw_pairs(text)}


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    return NO_VALUE if value is None else RawValue("true" if value else "false")


def _kind_of(value: object) -> str:
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str) and not isinstance(value, RawValue):
        return "a string"
    return "a number" if isinstance(value, RawValue) else "null" if value is None else "true or false"


def _raw_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of an object as they are written, by its brackets, commas and colons alone."""
    closers: list[str] = []
    start, key = 0, ""
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in _CLOSERS:
            closers.append(_CLOSERS[mark])
            if len(closers) == 1:
                start = token.end()
        elif mark in ("}", "]"):
            if not closers or closers.pop() != mark:
                raise ValueError(f"a bracket does not match at character {token.start() + 1}")
            if not closers:
                if key:
                    yield key, text[start : token.start()].strip(_BLANKS)
                return
        elif len(closers) == 1 and mark == ":":
            key, start = text[start : token.start()].strip(_BLANKS), token.end()
        elif len(closers) == 1 and mark == ",":
            yield key, text[start : token.start()].strip(_BLANKS)
            key, start = "", token.end()
    raise ValueError("a bracket is not closed")


def _deep_pairs(text: str) -> Iterator[tuple[str, str]]:
    if not text.strip(_BLANKS).startswith("{"):
        raise ValueError("it is an array")
    for key, value in _raw_pairs(text):
        try:
            name = _DECODER.decode(key)
            if not isinstance(name, str) or isinstance(name, RawValue):
                raise ValueError("a key is no string")
            if value.startswith(("{", "[")):
                yield name, RawValue(value)
            else:
                yield name, _text_of(_DECODER.decode(value))
        except json.JSONDecodeError as error:
            raise ValueError(f"{error.msg} in a key or value") from None
