"""Promise: what stands in a review or in a name is shown as text, and never acts on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.report.mistakes import readable
from tests.browser.chromium import Pages
from tests.browser.error_cards import choose_list, enter, show_everything
from tests.browser.reports import Report
from tests.browser.reviews import HOSTILE

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", ["report", "comparison", "hostile names", "hostile comparison"])
def test_nothing_acts(pages: Pages, every_page: dict[str, Path], name: str) -> None:
    page = pages.open(every_page[name])
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    if "comparison" not in name:
        for chosen in ("uncertain", "random", "mistakes"):
            choose_list(page, chosen)
            show_everything(page)
        enter(page, "#filter-search", "<img src=x onerror=\"window.takenOver = 'image'\">")
        assert page.locator("#error-results mark").count() >= 1
        enter(page, "#filter-search", "script")
    assert page.evaluate("window.takenOver") is None
    assert "taken over" not in page.title()
    assert len(page.frames) == 1
    assert page.url == every_page[name].as_uri()
    foreign = (
        "iframe, object, embed, base, main style, main link, main script:not([src]), main svg[onload], img[onerror]"
    )
    assert page.locator(foreign).count() == 0
    acting = "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes]).filter(a => a.name.startsWith('on'))"
    assert page.evaluate(f"{acting}.map(a => a.value)") == []
    assert page.evaluate("[...document.links].map(a => a.getAttribute('href')).filter(h => !h.startsWith('#'))") == []


def test_hostile_reviews_are_shown_as_they_are(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    show_everything(page)
    shown = page.locator("#error-results .card-text").all_text_contents()
    assert {readable(text) for text in HOSTILE} <= set(shown)


def test_hostile_reviews_are_shown_as_they_are_without_scripts(pages: Pages, report: Report) -> None:
    page = pages.open(report.page, javascript=False)
    shown = page.locator("#errors details").all_text_contents()
    for text in HOSTILE:
        assert any(readable(text) in each for each in shown)


def test_a_comparison_shows_hostile_reviews_as_they_are(pages: Pages, every_page: dict[str, Path]) -> None:
    page = pages.open(every_page["hostile comparison"])
    shown = page.locator("#reviews details").all_text_contents()
    assert sum(any(readable(text) in each for each in shown) for text in HOSTILE) >= 3


def test_hostile_names_are_shown_as_they_are(pages: Pages, hostile_names: Report) -> None:
    page = pages.open(hostile_names.page)
    heading = page.locator("h1").inner_text()
    assert "</title><script>window.takenOver = 'model'</script>" in heading
    assert "<img src=x onerror=\"window.takenOver = 'corpus'\">{{ 7*7 }}" in heading
