"""What in a review's text is nothing to read: HTML line breaks, invisible characters, white space."""

from __future__ import annotations

import re

HTML_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
HTML_TAG = re.compile(r"</?(?!br\b)[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)
"""A tag other than a line break: its letters are read as words."""
INVISIBLE = " \t\r\n\0\ufeff\u200b\u200c\u200d\u2060\ufffd"


def is_blank(text: str | None) -> bool:
    """Tell whether nothing of a text can be read: missing, white space, invisible characters, HTML breaks."""
    if text is None:
        return True
    text = text.lstrip() if text[:1].isspace() else text  # spares large texts a copy
    if text[:1].isalnum():
        return False
    if "<" in text:
        text = HTML_BREAK.sub(" ", text)
    return not text.strip().strip(INVISIBLE)
