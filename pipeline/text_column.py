"""Which column of a table holds the reviews: by its name, else, in a table to score, by what stands in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.errors import SentimentError

TEXT_NAMES = frozenset(  # as plain_name gives them
    {
        *("review", "reviews", "text", "comment", "comments", "content", "body", "message", "sentence", "document"),
        *("feedback", "tweet", "post", "opinion", "verbatim", "reviewtext", "textreview", "reviewbody"),
        *("reviewcontent", "commenttext", "commentbody", "fulltext", "cleantext", "rawtext"),
    }
)
_SAMPLE_VALUE = 10_000
_WORDS_OF_A_TEXT = 4.0  # on average; names, dates and titles of one or two words have fewer


def plain_name(column: str) -> str:
    """Return a column's name without case, blanks and punctuation."""
    return re.sub(r"[\W_]+", "", column.casefold())


def columns_named(header: Sequence[str], wanted: str) -> list[int]:
    """Return the positions of the columns of a name; where none has it exactly, of those that differ in case only."""
    exact = [index for index, column in enumerate(header) if column == wanted]
    key = wanted.strip().casefold()
    return exact or [index for index, column in enumerate(header) if column.strip().casefold() == key]


def wanted_columns(header: Sequence[str], wanted: str) -> list[int]:
    """Return the positions of the columns of a name; where none has it, of the column whose number from 1 it is."""
    named = columns_named(header, wanted)
    if named or not re.fullmatch("[0-9]{1,9}", wanted.strip()):
        return named
    index = int(wanted) - 1
    return [index] if 0 <= index < len(header) else []


def find_text_column(header: Sequence[str], sample: Sequence[Sequence[str]], wanted: str | None, name: str) -> int:
    """Return the position of the column of reviews.

    That is the wanted one; else the only one whose name says so; else the only one whose values in the sample are
    texts. A column of numbers is neither, whatever its name.

    Args:
        header: column names.
        sample: the first rows.
        wanted: the name asked for, if any; a number counts the columns from 1 where none has it for a name.
        name: the file's name, for messages.

    Raises:
        SentimentError: there is no such column, or more than one.
    """
    if wanted is not None:
        return _named_column(header, wanted, name)
    values = [[row[index][:_SAMPLE_VALUE].strip() for row in sample] for index in range(len(header))]
    numeric = [any(column) and all(_is_number(value) for value in column if value) for column in values]
    if len(header) == 1:
        return 0
    by_name = [index for index, column in enumerate(header) if plain_name(column) in TEXT_NAMES and not numeric[index]]
    by_content = [index for index, column in enumerate(values) if not numeric[index] and _are_texts(column)]
    candidates = by_name or by_content
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise SentimentError(
            f"{name}: {len(candidates)} columns may hold the reviews ({_listed([header[i] for i in candidates])}); "
            "choose one with --text-column"
        )
    raise SentimentError(
        f"{name}: no column looks like reviews (columns: {_listed(header)}); choose one with --text-column"
    )


def _named_column(header: Sequence[str], wanted: str, name: str) -> int:
    found = wanted_columns(header, wanted)
    if not found:
        raise SentimentError(
            f"{name}: no column {wanted!r}; --text-column must be one of: {_listed(header)}; or a number from 1 to "
            f"{len(header)}"
        )
    if len(found) > 1:
        places = " and ".join(str(index + 1) for index in found)
        raise SentimentError(f"{name}: column {wanted!r} stands there twice or more (columns {places}); rename one")
    return found[0]


def _is_number(value: str) -> bool:
    try:
        float(value.replace(",", "."))
    except ValueError:
        return False
    return True


def _are_texts(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    if not filled:
        return False
    return sum(len(value.split()) for value in filled) / len(filled) >= _WORDS_OF_A_TEXT


def _listed(names: Sequence[str]) -> str:
    shown = [repr(column if len(column) <= 40 else column[:37] + "...") for column in names[:20]]
    return ", ".join(shown) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
