"""Chromium once for all tests of this folder, and the reports that it opens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Pages, running_chromium
from tests.browser.reports import Report, build_comparison, build_report
from tests.browser.reviews import own_reviews

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def pages(chromium: Browser) -> Iterator[Pages]:
    """Opens pages; a test fails where one of them said, asked for or opened anything."""
    pages = Pages(chromium)
    yield pages
    assert pages.close() == []


@pytest.fixture(scope="package")
def report(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """300 reviews with baselines, an earlier report and robustness, hostile reviews among the worst mistakes."""
    train = own_reviews(60, seed=5, longest=60, hostile=())
    folder = tmp_path_factory.mktemp("report")
    return build_report(folder, own_reviews(300), train=train, earlier_bias=0.8, with_robustness=True)


@pytest.fixture(scope="package")
def hostile_names(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report whose model and corpus are called something that would act on a page."""
    return build_report(
        tmp_path_factory.mktemp("names"),
        own_reviews(60, longest=40),
        corpus_name="<img src=x onerror=\"window.takenOver = 'corpus'\">{{ 7*7 }}",
        model_name="</title><script>window.takenOver = 'model'</script>",
        explained=False,
    )


@pytest.fixture(scope="package")
def every_page(report: Report, hostile_names: Report) -> dict[str, Path]:
    """All pages by name: two reports, and a comparison beside each."""
    return {
        "report": report.page,
        "comparison": build_comparison(report, "words-s2", bias=0.8),
        "hostile names": hostile_names.page,
        "hostile comparison": build_comparison(hostile_names, "<script>window.takenOver = 'other'</script>", bias=6.0),
    }
