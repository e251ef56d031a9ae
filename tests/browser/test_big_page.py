"""Promise: a page that holds as much as it may stays under 3 MB and answers within two seconds."""

from __future__ import annotations

import time

import pytest

from tests.browser.chromium import Pages
from tests.browser.error_cards import choose_list, counts, settle, show_everything
from tests.browser.reports import Report, build_report
from tests.browser.reviews import own_reviews

pytestmark = pytest.mark.browser

LARGEST = 3_000_000
"""Bytes."""
PATIENCE = 2.0
"""Seconds."""


@pytest.fixture(scope="module")
def big_report(chromium: object, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """More long reviews, with more words that push, than the error browser has room for."""
    reviews = own_reviews(700, shortest=500, longest=2500)
    train = own_reviews(60, seed=5, longest=60, hostile=())
    return build_report(tmp_path_factory.mktemp("big"), reviews, train=train)


def test_the_fullest_page_is_under_three_megabytes(big_report: Report) -> None:
    assert 1_000_000 < big_report.page.stat().st_size < LARGEST


def test_the_fullest_page_answers_at_once(pages: Pages, big_report: Report) -> None:
    started = time.monotonic()
    page = pages.open(big_report.page)
    page.locator("#filter-truth").select_option("positive")
    page.locator("#threshold-slider").fill("150")
    assert page.locator("[data-figure=accuracy]").get_attribute("data-value")
    assert time.monotonic() - started < PATIENCE
    page.locator("#filters-reset").click()
    settle(page)
    choose_list(page, "random")
    show_everything(page)
    assert counts(page)["shown"] == counts(page)["total"]
    before = time.monotonic()
    page.locator("#filter-search").fill("river")
    page.locator("#error-results mark").first.wait_for()
    assert time.monotonic() - before < PATIENCE
