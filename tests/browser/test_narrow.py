"""Promise: the page is usable on a phone and with large text: it never scrolls sideways, and nothing sticks out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import Pages
from tests.browser.reports import Report

pytestmark = pytest.mark.browser

STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (element) => {
    for (let e = element.parentElement; e; e = e.parentElement) {
      if (["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)) return true;
    }
    return false;
  };
  return [...document.querySelectorAll("main *, header *, nav *, footer *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && element.checkVisibility() && (box.right > width + 1 || box.left < -1) && !scrolls(element);
  }).map((element) => `${element.tagName} ${element.id} ${element.className} ${element.textContent.slice(0, 40)}`);
}"""
OVERLAPPING = """() => {
  const blocks = "h1, h2, h3, main table, main img, main label, main button, main input";
  const visible = [...document.querySelectorAll(blocks)].filter((e) => e.checkVisibility());
  const boxes = visible.map((e) => [e, (e.closest(".scroll, pre") ?? e).getBoundingClientRect()]);
  const found = [];
  for (const [a, first] of boxes) {
    for (const [b, second] of boxes) {
      const together = a.closest(".scroll") !== null && a.closest(".scroll") === b.closest(".scroll");
      if (together || a.contains(b) || b.contains(a) || first.width * second.width === 0) continue;
      const across = Math.min(first.right, second.right) - Math.max(first.left, second.left);
      const down = Math.min(first.bottom, second.bottom) - Math.max(first.top, second.top);
      if (across > 2 && down > 2) found.push(`${a.outerHTML.slice(0, 80)} on ${b.outerHTML.slice(0, 80)}`);
    }
  }
  return found;
}"""
TARGETS = """() => {
  const controls = [...document.querySelectorAll("main button, main select, main input, main summary")];
  return controls.filter((control) => control.checkVisibility()).map((control) => {
    const label = ["radio", "checkbox"].includes(control.type) ? control.labels[0] : null;
    const box = (label ?? control).getBoundingClientRect();
    return [control.outerHTML.slice(0, 100), box.width, box.height];
  });
}"""


@pytest.mark.parametrize(("width", "text_size"), [(1280, 100), (390, 100), (320, 100), (390, 200), (1280, 200)])
@pytest.mark.parametrize("name", ["report", "comparison", "hostile names"])
def test_nothing_sticks_out_or_overlaps(
    pages: Pages, every_page: dict[str, Path], name: str, width: int, text_size: int
) -> None:
    page = pages.open(every_page[name], width=width, height=800)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    page.evaluate(f"document.documentElement.style.fontSize = '{text_size}%'")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(STICKING_OUT) == []
    assert page.evaluate(OVERLAPPING) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_controls_are_large_enough_for_a_finger(pages: Pages, report: Report, width: int) -> None:
    page = pages.open(report.page, width=width, height=800)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    sizes = page.evaluate(TARGETS)
    assert len(sizes) > 15
    assert [name for name, width, height in sizes if width < 24 or height < 24] == []
