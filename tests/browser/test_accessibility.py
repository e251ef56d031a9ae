"""Promise: axe-core finds no fault of any impact, in light and dark, wide and narrow, before and after use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.accessibility import violations
from tests.browser.chromium import Pages
from tests.browser.error_cards import choose_list, enter
from tests.browser.reports import Report

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_axe_finds_nothing(pages: Pages, every_page: dict[str, Path], name: str, width: int, scheme: str) -> None:
    page = pages.open(every_page[name], width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert violations(page) == []


def test_axe_finds_nothing_after_use(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    enter(page, "#score-input", "2")
    enter(page, "#threshold-slider", "200")
    choose_list(page, "random")
    enter(page, "#filter-search", "river")
    page.locator("#error-results button.show-all").first.click()
    assert violations(page) == []
    enter(page, "#filter-search", "no review says this")
    assert violations(page) == []


def test_axe_would_find_something(pages: Pages, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text('<html><title>x</title><input><p style="color:#ddd">pale</p></html>')
    page = pages.open(tmp_path / "bad.html")
    found = " ".join(violations(page))
    assert "label (critical)" in found
    assert "color-contrast (serious)" in found
