"""Promise: the page opens from disk without a network, says nothing to the console, and needs no scripts to be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.browser.chromium import Pages
from tests.browser.reports import Report

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("report", "words-s1 on own-words: sentiment report"),
        ("comparison", "words-s1 (A) and words-s2 (B): sentiment comparison"),
    ],
)
def test_a_page_loads_in_silence_from_disk_alone(
    pages: Pages, every_page: dict[str, Path], name: str, title: str
) -> None:
    page = pages.open(every_page[name])
    assert page.title() == title
    page.wait_for_load_state("networkidle")
    assert page.evaluate("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:'))") == []
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("section", ["slices", "errors", "leakage"])
def test_a_link_to_a_section_lands_at_its_heading(pages: Pages, report: Report, section: str, width: int) -> None:
    page = pages.open(report.page, width=width, fragment=section)
    page.wait_for_load_state("load")
    page.wait_for_timeout(200)
    assert 0 <= page.evaluate(f"document.getElementById('{section}').getBoundingClientRect().top") < 40


def test_a_page_that_asks_for_anything_is_found_out(pages: Pages, tmp_path: Path) -> None:
    (tmp_path / "loud.html").write_text(
        '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'">'
        '<img src="other.png"><script>1</script>'
    )
    pages.open(tmp_path / "loud.html").wait_for_load_state("networkidle")
    troubles = pages.close()
    assert any("asked for" in trouble for trouble in troubles)
    assert any("content security policy" in trouble.lower() for trouble in troubles)


def test_the_figures_are_there_without_scripts(pages: Pages, report: Report) -> None:
    page = pages.open(report.page, javascript=False)
    sections = page.locator("main section")
    assert sections.count() >= 9
    for section in sections.all():
        text = section.inner_text()
        assert len(text) > 100, section.get_attribute("id")
        assert re.search(r"\d", text), section.get_attribute("id")
    accuracy = page.locator('#headline data[data-key="all.accuracy"]').first
    assert accuracy.inner_text() == f"{((report.probabilities >= 0.5) == report.reviews.labels).mean():.2%}"
    for picture in page.locator("img:visible").all():
        assert picture.bounding_box()["width"] > 100
