"""Promise: the page follows the reader's colour scheme and wish for little motion, and prints whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import Pages
from tests.browser.reports import Report

pytestmark = pytest.mark.browser

BACKGROUND = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"
PICTURES = "[...document.querySelectorAll('main img')].filter(i => i.checkVisibility()).map(i => i.currentSrc)"


@pytest.mark.parametrize(("name", "pictures"), [("report", 6), ("comparison", 2)])
def test_dark_is_dark_and_has_pictures_of_its_own(
    pages: Pages, every_page: dict[str, Path], name: str, pictures: int
) -> None:
    light, dark = pages.open(every_page[name]), pages.open(every_page[name], scheme="dark")
    assert min(light.evaluate(BACKGROUND)) > 200
    assert max(dark.evaluate(BACKGROUND)) < 60
    pairs = list(zip(light.evaluate(PICTURES), dark.evaluate(PICTURES), strict=True))
    assert len(pairs) >= pictures
    assert all(by_day.startswith("data:") and by_day != by_night for by_day, by_night in pairs)


def test_printed_pages_are_light_and_without_controls(pages: Pages, report: Report) -> None:
    page = pages.open(report.page, scheme="dark")
    page.emulate_media(media="print", color_scheme="light")  # as Chromium prints, whatever the screen shows
    assert min(page.evaluate(BACKGROUND)) > 200
    for control in page.locator("nav, input, select, button").all():
        assert not control.is_visible(), control.evaluate("element => element.outerHTML.slice(0, 200)")
    for section in page.locator("main section").all():
        assert section.is_visible()


@pytest.mark.parametrize("width", [718, 794])  # A4 with margins and without
def test_nothing_runs_over_a_printed_card_and_cut_reviews_say_so(pages: Pages, report: Report, width: int) -> None:
    page = pages.open(report.page, width=width)
    page.emulate_media(media="print")
    over = """[...document.querySelectorAll(".headline > div")].flatMap((card) => {
      const inside = card.getBoundingClientRect().right;
      return [...card.querySelectorAll("*")].filter((part) => part.getBoundingClientRect().right > inside - 4);
    }).map((part) => part.textContent)"""
    assert page.evaluate(over) == []
    for kind, said in ((".review-card:has(.collapsed)", True), (".review-card:not(:has(.collapsed))", False)):
        note = page.locator(kind).first.evaluate("card => getComputedStyle(card, '::after').content")
        assert ("Cut here" in note) == said


def test_reduced_motion_is_respected(pages: Pages, report: Report) -> None:
    moving = """[...document.querySelectorAll("*")].filter((element) => {
      const style = getComputedStyle(element);
      const moves = style.animationName !== "none" || parseFloat(style.transitionDuration) > 0.01;
      return moves || style.scrollBehavior === "smooth";
    }).map((element) => element.tagName)"""
    assert pages.open(report.page, reduced_motion="reduce").evaluate(moving) == []


def test_the_printed_document_has_every_section(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    headings = page.locator("main section h2").all_inner_texts()
    document = page.pdf(format="A4", outline=True, tagged=True).decode("latin-1")
    assert document.startswith("%PDF")
    assert document.count("/Type /Page\n") >= 3
    for heading in headings:
        assert f"/Title ({heading})" in document
