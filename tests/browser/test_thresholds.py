"""Promise: the threshold sliders show what a recomputation by scikit-learn says, by keyboard and by mouse."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from tests.browser.chromium import Pages
from tests.browser.reports import Report

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

STEPS = 200
NEVER = 99
POSITIONS = [(100, NEVER), (0, NEVER), (200, NEVER), (57, NEVER), (163, NEVER), (100, 190), (100, 200), (140, 120)]
POSITIONS += [(30, 185), (180, 101), (10, 100)]


def expected_figures(
    labels: NDArray[np.int8], probabilities: NDArray[np.float64], threshold: int, abstain: int
) -> dict[str, float]:
    """Return what the page has to show, of the reviews that get an answer; NaN where undefined."""
    predicted = probabilities >= threshold / STEPS
    own = np.where(predicted, probabilities, 1 - probabilities)
    answered = own >= (abstain / STEPS if abstain != NEVER else 0)
    truth, answers = labels[answered], predicted[answered].astype(np.int8)
    share = 1 - answered.mean()
    if not answered.any():
        undefined = dict.fromkeys(("accuracy", "precision", "recall", "f1"), math.nan)
        return {**undefined, "answered": 0, "abstained": len(labels), "abstained_share": share}
    negative, false_positive, false_negative, positive = confusion_matrix(truth, answers, labels=[0, 1]).ravel()
    return {
        "accuracy": accuracy_score(truth, answers),
        "precision": precision_score(truth, answers, zero_division=np.nan),
        "recall": recall_score(truth, answers, zero_division=np.nan),
        "f1": f1_score(truth, answers, zero_division=np.nan),
        "answered": answered.sum(),
        "abstained": (~answered).sum(),
        "abstained_share": share,
        "true_negative": negative,
        "false_positive": false_positive,
        "false_negative": false_negative,
        "true_positive": positive,
    }


def shown_figures(page: Page) -> dict[str, float]:
    """Return the figures that the script shows, by name, after checking that what is read is what is kept."""
    found = {}
    for element in page.locator("#threshold-controls [data-figure]").all():
        name, value, text = (
            element.get_attribute("data-figure"),
            element.get_attribute("data-value"),
            element.inner_text(),
        )
        found[str(name)] = float(value) if value else math.nan
        if not value:
            assert text == "–", name
        elif text.endswith("%"):
            assert float(text[:-1]) == pytest.approx(100 * float(value), abs=0.051), name
        else:
            assert float(text.replace(",", "")) == pytest.approx(float(value), abs=0.0051), name
    return found


def require_figures(page: Page, report: Report, threshold: int, abstain: int) -> None:
    """Compare all figures that are shown at these positions of the sliders with a recomputation."""
    assert page.locator("#threshold-slider").input_value() == str(threshold)
    assert page.locator("#abstain-slider").input_value() == str(abstain)
    shown = shown_figures(page)
    expected = expected_figures(report.reviews.labels, report.probabilities, threshold, abstain)
    assert shown.keys() >= expected.keys()
    assert {name: shown[name] for name in expected} == pytest.approx(expected, nan_ok=True, abs=1e-9)


def test_every_position_equals_a_recomputation(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    for threshold, abstain in POSITIONS:
        page.locator("#threshold-slider").fill(str(threshold))
        page.locator("#abstain-slider").fill(str(abstain))
        require_figures(page, report, threshold, abstain)


def test_the_start_is_the_headline(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    require_figures(page, report, 100, NEVER)
    headline = page.locator('#headline data[data-key="all.accuracy"]').first.get_attribute("value")
    assert shown_figures(page)["accuracy"] == pytest.approx(float(str(headline)), abs=1e-12)


def test_the_sliders_move_by_keyboard(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    page.locator("#threshold-slider").focus()
    for key, times in (("ArrowRight", 7), ("ArrowLeft", 2)):
        for _ in range(times):
            page.keyboard.press(key)
    require_figures(page, report, 105, NEVER)
    page.keyboard.press("End")
    require_figures(page, report, 200, NEVER)
    page.keyboard.press("Home")
    require_figures(page, report, 0, NEVER)
    page.locator("#abstain-slider").focus()
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    require_figures(page, report, 0, NEVER + 5)


def test_the_sliders_move_by_mouse_and_go_back(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    for name in ("#threshold-slider", "#abstain-slider"):
        page.locator(name).scroll_into_view_if_needed()
        box = page.locator(name).bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        start = box["x"] + box["width"] * (0.5 if name == "#threshold-slider" else 0.02)
        page.mouse.move(start, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=5)
        page.mouse.up()
    threshold = int(page.locator("#threshold-slider").input_value())
    abstain = int(page.locator("#abstain-slider").input_value())
    assert 150 < threshold < 170
    assert 170 < abstain < 190
    require_figures(page, report, threshold, abstain)
    page.locator("#threshold-reset").click()
    require_figures(page, report, 100, NEVER)


def test_the_command_that_does_the_same_is_told(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    command = page.locator("#threshold-command")
    assert command.inner_text() == "sentiment score reviews.csv -o scored.csv --threshold 0.5"
    page.locator("#threshold-slider").fill("130")
    page.locator("#abstain-slider").fill("180")
    assert command.inner_text() == "sentiment score reviews.csv -o scored.csv --threshold 0.65 --abstain-below 0.9"


def test_a_screen_reader_is_told_when_the_slider_rests(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    status = page.locator("#threshold-status[role=status]")
    before = status.inner_text()
    page.locator("#threshold-slider").fill("130")
    page.wait_for_function("before => document.getElementById('threshold-status').innerText !== before", arg=before)
    accuracy = shown_figures(page)["accuracy"]
    assert f"{accuracy:.1%}"[:-2] in status.inner_text()
