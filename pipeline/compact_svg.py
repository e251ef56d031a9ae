"""matplotlib's SVG made small for a page: text as text, two decimals, nothing that a renderer does not need."""

from __future__ import annotations

import re

DECIMALS = 2
"""Of a coordinate, in points: a hundredth is below what any screen shows."""
FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
"""Those of the page. Their letters are narrower than those of DejaVu, by which matplotlib leaves room for the text."""

_UNSEEN = re.compile(r"<\?xml.*?\?>|<!DOCTYPE[^>]*>|<!--.*?-->", re.DOTALL)
_NUMBER = re.compile(r"-?\d+\.\d+")
_PLACE = re.compile(r'(?<= )(?:d|x|y|transform|width|height)="[^"#]*"')
_STYLE = re.compile(r'(?<= )style="[^"]*"')
_FAMILY = re.compile(r"font-family: [^;\"]*;? ?|(?<=px )'DejaVu Sans'[^;\"]*")
_SHORT_FONT = re.compile(r"font: ([\d.]+px) ?(?=[;\"])")
_NO_ROTATION = re.compile(r' transform="rotate\(-?0 [^"]*"')
_GROUP_NAME = re.compile(r'<g id="[^"]*"')


def rounded(match: re.Match[str]) -> str:
    """Return a number with at most ``DECIMALS`` decimals and no zeros at its end."""
    text = f"{float(match.group()):.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def compact_svg(text: str) -> str:
    """Return an SVG of matplotlib's with fewer digits and one font for all text, without names, comments and blanks.

    Args:
        text: written with ``svg.fonttype`` ``none``.
    """
    text = _UNSEEN.sub("", text)
    text = _NO_ROTATION.sub("", _GROUP_NAME.sub("<g", text))
    text = _SHORT_FONT.sub(r"font-size: \1", _FAMILY.sub("", text))
    text = _PLACE.sub(lambda match: _NUMBER.sub(rounded, " ".join(match.group().split())), text)
    text = _STYLE.sub(lambda match: match.group().replace("; ", ";").replace(": ", ":"), text)
    text = text.replace("</style>", f"text{{font-family:{FONTS}}}</style>", 1)
    text = re.sub(r"\s+(?=/?>)", "", re.sub(r">\s+<", "><", text))
    return text.strip() + "\n"
