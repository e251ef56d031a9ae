"""Data for the page's scripts."""

from __future__ import annotations

import json
import re
from typing import Any

from markupsafe import Markup

HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
"""Surrogates, as in the name of a file that is no UTF-8; they cannot be written."""


def page_json(value: Any) -> Markup:
    """Return a value as JSON that may stand inside a ``<script type="application/json">``, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(HALF_A_CHARACTER.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
