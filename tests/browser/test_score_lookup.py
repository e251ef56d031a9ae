"""Promise: the look-up of a score says how many reviews that scored about the same were truly positive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scipy.stats import binomtest

from pipeline.evaluation.score_curves import threshold_counts
from pipeline.report.score_lookup import neighbourhood
from tests.browser.chromium import Pages
from tests.browser.reports import Report

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

ENOUGH = 200
STEP = 1 / 200


def rows_within(report: Report, low: float, high: float) -> tuple[int, int]:
    """Return how many reviews scored from ``low`` to below ``high`` (1 included), and how many of them are positive."""
    probabilities = report.probabilities
    inside = (probabilities >= low) & ((probabilities < high) | (high >= 1))
    return int(inside.sum()), int(report.reviews.labels[inside].sum())


def require_answer(page: Page, report: Report, score: float) -> None:
    """Compare the answer to a score with a recomputation."""
    answer = page.locator("#score-answer")
    low, high, rows, positive, share = (
        float(str(answer.get_attribute(f"data-{name}"))) for name in ("low", "high", "rows", "positive", "share")
    )
    assert low <= score <= high
    assert (rows, positive) == rows_within(report, low, high)
    assert share == pytest.approx(positive / rows)
    assert rows >= ENOUGH
    narrower = rows_within(report, max(0, low + STEP) if low > 0 else 0, min(1, high - STEP) if high < 1 else 1)
    assert narrower[0] < ENOUGH
    text = answer.inner_text()
    interval = binomtest(int(positive), int(rows)).proportion_ci(method="wilson")
    for figure in (share, interval.low, interval.high):
        assert any(abs(float(word[:-1]) / 100 - figure) < 0.00051 for word in percentages(text)), (figure, text)
    assert str(int(rows)) in text
    judged = neighbourhood(threshold_counts(report.reviews.labels, report.probabilities), score).worth
    assert answer.get_attribute("data-worth") == judged


def percentages(text: str) -> list[str]:
    """Return the words of a sentence that end in a percent sign."""
    return [word.strip("(),.") for word in text.split() if word.strip("(),.").endswith("%")]


def test_any_score_equals_a_recomputation(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    require_answer(page, report, 0.97)
    for score in (0.5, 0, 1, 0.03, 0.123, 0.999):
        page.locator("#score-input").fill(str(score))
        require_answer(page, report, score)
        assert page.locator("#score-slider").input_value() == str(round(score * 1000))


def test_the_slider_and_the_field_agree(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    page.locator("#score-slider").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#score-input").input_value() == "0.969"
    require_answer(page, report, 0.969)
    page.locator("#score-slider").fill("250")
    assert page.locator("#score-input").input_value() == "0.25"
    require_answer(page, report, 0.25)


@pytest.mark.parametrize("nonsense", ["1.2", "-0.1", ""])
def test_nonsense_is_named_and_mended(pages: Pages, report: Report, nonsense: str) -> None:
    page = pages.open(report.page)
    field = page.locator("#score-input")
    field.fill(nonsense)
    assert field.get_attribute("aria-invalid") == "true"
    assert "between 0 and 1" in page.locator("#score-answer").inner_text()
    field.fill("0.5")
    assert field.get_attribute("aria-invalid") is None
    require_answer(page, report, 0.5)
