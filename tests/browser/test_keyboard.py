"""Promise: with the keyboard alone every control is reached in order, is seen to have the focus, and works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Pages
from tests.browser.error_cards import CLASSES, Shelf, counts, settle, shown_rows
from tests.browser.reports import Report

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

MARK_ALL = """() => {
  const selector = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const one_of_each_group = (e) => e.type !== "radio" || e.checked;
  const reachable = (e) => e.checkVisibility() && !e.disabled && one_of_each_group(e);
  const all = [...document.querySelectorAll(selector)].filter(reachable);
  all.forEach((element, number) => { element.dataset.walk = number; });
  return all.length;
}"""
FOCUSED = """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const outlines = [style, ...[...(element.labels ?? [])].map((label) => getComputedStyle(label))];
  const outlined = outlines.some((each) => each.outlineStyle !== "none" && parseFloat(each.outlineWidth) >= 1);
  return {
    walk: Number(element.dataset.walk ?? -1),
    outlined: outlined || style.boxShadow !== "none",
    seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    name: element.outerHTML.slice(0, 120),
  };
}"""


def reached_by_tab(page: Page, limit: int) -> list[dict[str, object]]:
    """Press Tab until the page is left; return what had the focus, in order."""
    found = []
    for _ in range(limit):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        found.append(focused)
    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_tab_reaches_every_control_and_the_focus_is_seen(pages: Pages, report: Report, width: int) -> None:
    page = pages.open(report.page, width=width, reduced_motion="reduce")
    count = page.evaluate(MARK_ALL)
    walk = reached_by_tab(page, count + 50)
    reached = {entry["walk"] for entry in walk}
    missed = [
        page.locator(f"[data-walk='{number}']").evaluate("element => element.outerHTML.slice(0, 120)")
        for number in sorted(set(range(count)) - reached)
    ]
    assert missed == []
    numbers = [entry["walk"] for entry in walk if entry["walk"] != -1]
    assert numbers == sorted(numbers)
    assert [entry["name"] for entry in walk if not entry["outlined"]] == []
    assert [entry["name"] for entry in walk if not entry["seen"]] == []


def test_the_error_browser_works_by_keyboard(pages: Pages, report: Report) -> None:
    shelf = Shelf(report)
    page = pages.open(report.page)
    page.locator("input[name=error-list]:checked").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.locator("#list-random").is_checked()
    page.locator("#filter-truth").focus()
    page.keyboard.type("pos")
    page.keyboard.press("Tab")
    settle(page)
    rows = shown_rows(page)
    assert {CLASSES[report.reviews.labels[row]] for row in rows} == {"positive"}
    page.locator("#filter-search").focus()
    page.keyboard.type("evening")
    page.keyboard.press("Enter")
    settle(page)
    assert page.url == report.page.as_uri()
    assert all("evening" in shelf.text(row).lower() for row in shown_rows(page))
    page.locator("#filters-reset").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert page.locator("#filter-search").input_value() == ""
    page.locator("#error-more").focus()
    before = counts(page)["shown"]
    page.keyboard.press("Enter")
    assert counts(page)["shown"] > before
    assert page.evaluate("document.activeElement !== document.body")  # the reader is not thrown back to the top
    button = page.locator("#error-results button.show-all:visible").first
    button.focus()
    page.keyboard.press("Space")
    assert button.get_attribute("aria-expanded") == "true"


def test_the_skip_link_comes_first_and_skips(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    page.keyboard.press("Tab")
    assert page.locator(".skip").evaluate("link => link === document.activeElement")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#headline"
