"""Promise: pages can be looked at: pictures, wide and narrow, light and dark, in ``SENTIMENT_SCREENSHOTS``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.chromium import Pages

pytestmark = pytest.mark.browser

LARGEST_HEIGHT = 2400
"""CSS pixels: what one can look at, and well below what Chromium can take in one picture."""


@pytest.mark.skipif(not os.environ.get("SENTIMENT_SCREENSHOTS"), reason="SENTIMENT_SCREENSHOTS names no folder")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_screenshots_are_kept(pages: Pages, every_page: dict[str, Path], width: int, scheme: str) -> None:
    folder = Path(os.environ["SENTIMENT_SCREENSHOTS"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in every_page.items():
        page = pages.open(path, width=width, scheme=scheme)
        height = page.evaluate("document.documentElement.scrollHeight")
        for number, top in enumerate(range(0, height, LARGEST_HEIGHT), 1):
            part = {"x": 0, "y": top, "width": width, "height": min(LARGEST_HEIGHT, height - top)}
            picture = folder / f"{name.replace(' ', '-')}-{width}-{scheme}-{number}.png"
            page.screenshot(path=picture, full_page=True, clip=part)
