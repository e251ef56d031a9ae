"""Which column of a table of reviews holds their stars, and what is taken for stars."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.columns import label_key
from pipeline.text_column import plain_name

RATING_NAMES = ("rating", "stars", "starrating")
"""As :func:`plain_name` gives them."""
MOST_STARS = 10


def rating_column(names: Sequence[str], text: str, label: str | None) -> str | None:
    """Return the only column, beside text and label, whose name says that it has stars; None where there is none."""
    found = [name for name in names if name not in (text, label) and plain_name(name) in RATING_NAMES]
    return found[0] if len(found) == 1 else None


def stars_of(value: object) -> int | None:
    """Return a rating as it stands, a whole number from 1 to 10; None for an empty one.

    Raises:
        ValueError: it is something else.
    """
    key = "" if value is None or value != value else label_key(value)  # NaN is what differs from itself
    if not key:
        return None
    if not re.fullmatch(r"[0-9]{1,2}", key) or not 1 <= int(key) <= MOST_STARS:
        raise ValueError(f"{key}: no whole number from 1 to {MOST_STARS}")
    return int(key)
