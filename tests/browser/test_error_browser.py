"""Promise: the error browser shows the reviews that the filters ask for, all of them and no other, in order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.browser.chromium import Pages
from tests.browser.error_cards import (
    CLASSES,
    LARGEST_LIST,
    Shelf,
    choose_list,
    counts,
    enter,
    settle,
    show_everything,
    shown_rows,
)
from tests.browser.reports import Report
from tests.browser.word_model import pushes_in_place

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shelf(report: Report) -> Shelf:
    return Shelf(report)


def test_the_lists_are_what_they_are_called(pages: Pages, report: Report, shelf: Shelf) -> None:
    page = pages.open(report.page)
    for name, expected in (("mistakes", shelf.mistakes()), ("uncertain", shelf.least_certain())):
        choose_list(page, name)
        show_everything(page)
        confidence = shelf.confidence[shown_rows(page)]
        assert confidence == pytest.approx(shelf.confidence[expected])
        assert sorted(shown_rows(page)) == sorted(expected)
        assert counts(page) == dict.fromkeys(("matching", "shown", "total"), len(expected))
    choose_list(page, "random")
    show_everything(page)
    drawn = shown_rows(page)
    assert len(set(drawn)) == LARGEST_LIST
    assert 0.05 < shelf.wrong[drawn].mean() < 0.5  # neither all right nor the mistakes again


def test_a_card_says_what_is_known_of_its_review(pages: Pages, report: Report, shelf: Shelf) -> None:
    page = pages.open(report.page)
    choose_list(page, "random")
    show_everything(page)
    for card in page.locator("article.review-card").all()[::7]:
        row = int(str(card.get_attribute("data-row")))
        truth, predicted = CLASSES[report.reviews.labels[row]], CLASSES[int(shelf.predicted[row])]
        assert card.get_attribute("data-truth") == truth
        assert card.get_attribute("data-predicted") == predicted
        assert float(str(card.get_attribute("data-confidence"))) == pytest.approx(shelf.confidence[row], abs=1e-6)
        assert card.get_attribute("data-words") == str(len(shelf.text(row).split()))
        assert f"Truly {truth}, predicted {predicted}" in card.locator("h3").inner_text()
        assert card.locator(".card-text").text_content() == shelf.text(row)


Filters = dict[str, str]
Kept = Callable[[Shelf, int], bool]
CASES: dict[str, tuple[Filters, Kept]] = {
    "true class": ({"#filter-truth": "positive"}, lambda shelf, row: shelf.report.reviews.labels[row] == 1),
    "right": ({"#filter-outcome": "right"}, lambda shelf, row: not shelf.wrong[row]),
    "wrong negatives": (
        {"#filter-outcome": "wrong", "#filter-truth": "negative"},
        lambda shelf, row: bool(shelf.wrong[row]) and shelf.report.reviews.labels[row] == 0,
    ),
    "confidence": (
        {"#filter-confidence-low": "0.62", "#filter-confidence-high": "0.91"},
        lambda shelf, row: 0.62 <= shelf.confidence[row] <= 0.91,
    ),
    "length": ({"#filter-length": "1"}, lambda shelf, row: shelf.length_groups[row] == 1),
    "search": ({"#filter-search": "RIVER"}, lambda shelf, row: "river" in shelf.text(row).lower()),
    "search for signs": ({"#filter-search": "<script>"}, lambda shelf, row: "<script>" in shelf.text(row).lower()),
    "all at once": (
        {
            "#filter-search": "winter",
            "#filter-truth": "positive",
            "#filter-confidence-low": "0.6",
            "#filter-length": "2",
        },
        lambda shelf, row: (
            "winter" in shelf.text(row)
            and shelf.report.reviews.labels[row] == 1
            and shelf.confidence[row] >= 0.6
            and shelf.length_groups[row] == 2
        ),
    ),
    "nothing": ({"#filter-search": "no review says this"}, lambda shelf, row: False),
}


@pytest.mark.parametrize("chosen", ["mistakes", "random"])
def test_filters_keep_what_they_say(pages: Pages, report: Report, shelf: Shelf, chosen: str) -> None:
    page = pages.open(report.page)
    choose_list(page, chosen)
    show_everything(page)
    whole = shown_rows(page)
    for name, (filters, kept) in CASES.items():
        for field, value in filters.items():
            enter(page, field, value)
        expected = [row for row in whole if kept(shelf, row)]
        assert counts(page)["matching"] == len(expected), name
        show_everything(page)
        assert shown_rows(page) == expected, name
        assert counts(page)["total"] == len(whole)
        page.locator("#filters-reset").click()
        settle(page)
        assert counts(page)["matching"] == len(whole), name
    show_everything(page)
    assert shown_rows(page) == whole


def test_orders_are_what_they_are_called(pages: Pages, report: Report, shelf: Shelf) -> None:
    page = pages.open(report.page)
    choose_list(page, "random")
    words = np.array([len(shelf.text(row).split()) for row in range(len(report.reviews.texts))])
    for order, values in (
        ("confident", -shelf.confidence),
        ("uncertain", shelf.confidence),
        ("long", -words),
        ("short", words),
        ("row", np.arange(len(words))),
    ):
        enter(page, "#sort-order", order)
        show_everything(page)
        shown = values[shown_rows(page)]
        assert (np.diff(shown) >= -1e-6).all(), order


def test_the_words_that_push_are_shaded_by_their_sign(pages: Pages, report: Report, shelf: Shelf) -> None:
    page = pages.open(report.page)
    show_everything(page)
    shaded = page.locator("#error-results").evaluate("""results =>
      [...results.querySelectorAll("article.review-card")].map((card) => [
        Number(card.dataset.row),
        [...card.querySelectorAll(".card-text span[class*=push-]")].map((span) => [
          span.textContent, /push-up-[1-4]/.test(span.className) ? 1 : /push-down-[1-4]/.test(span.className) ? -1 : 0
        ]),
      ])""")
    assert len(shaded) == len(shelf.mistakes())
    for row, found in shaded:
        text = report.reviews.texts[row]
        expected = [[text[start:end], int(np.sign(push))] for start, end, push in pushes_in_place(text) if push]
        assert found == expected
    assert sum(len(found) for _, found in shaded) > 100


def test_a_stronger_push_is_shaded_more_strongly(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    choose_list(page, "random")
    show_everything(page)
    levels = {}
    for word in ("wonderful", "funny", "dreadful", "clumsy"):
        name = page.locator("#error-results span[class*=push-]").filter(has_text=word).first.get_attribute("class")
        levels[word] = int(str(name)[-1])
    assert levels["wonderful"] > levels["funny"]
    assert levels["dreadful"] > levels["clumsy"]


def test_a_long_review_opens_and_closes(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    choose_list(page, "random")
    enter(page, "#sort-order", "long")
    card = page.locator("article.review-card").first
    text, button = card.locator(".card-text"), card.locator("button.show-all")
    assert button.get_attribute("aria-expanded") == "false"
    low = text.bounding_box()["height"]
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    assert text.bounding_box()["height"] > 1.5 * low
    button.click()
    assert text.bounding_box()["height"] == pytest.approx(low, abs=1)


def test_what_was_searched_for_is_marked(pages: Pages, report: Report) -> None:
    page = pages.open(report.page)
    choose_list(page, "random")
    enter(page, "#filter-search", "River wa")
    enter(page, "#filter-search", "river")
    marked = page.locator("#error-results mark").all_inner_texts()
    assert {mark.lower() for mark in marked} == {"river"}
