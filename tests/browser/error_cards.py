"""The error browser as a reader works it, and what it has to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.slices import LENGTH_BANDS, bands_of, word_counts
from pipeline.report.readable_text import readable
from tests.browser.reports import Report

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLASSES = ("negative", "positive")
LARGEST_LIST = 100


@dataclass
class Shelf:
    """What may be asked of the reviews of a report, recomputed from their texts."""

    report: Report

    @property
    def predicted(self) -> NDArray[np.bool_]:
        return self.report.probabilities >= 0.5

    @property
    def wrong(self) -> NDArray[np.bool_]:
        return self.predicted != self.report.reviews.labels

    @property
    def confidence(self) -> NDArray[np.float64]:
        return np.maximum(self.report.probabilities, 1 - self.report.probabilities)

    @property
    def length_groups(self) -> NDArray[np.int8]:
        return bands_of(word_counts(self.report.reviews.texts), LENGTH_BANDS)

    def mistakes(self) -> list[int]:
        """Return the rows of the wrong predictions, the surest first."""
        order = np.argsort(-self.confidence, kind="stable")
        return [int(row) for row in order if self.wrong[row]][:LARGEST_LIST]

    def least_certain(self) -> list[int]:
        """Return the rows whose confidence is nearest to a half."""
        return [int(row) for row in np.argsort(self.confidence, kind="stable")[:LARGEST_LIST]]

    def text(self, row: int) -> str:
        """Return a review as it is to be read."""
        return readable(self.report.reviews.texts[row])


def settle(page: Page) -> None:
    """Wait until the page has acted on what was entered: it waits for 150 ms of rest."""
    page.evaluate("new Promise((done) => setTimeout(done, 200))")


def choose_list(page: Page, name: str) -> None:
    """Choose a list by its label, as a mouse does."""
    page.locator(f"label[for=list-{name}]").click()
    settle(page)


def enter(page: Page, field: str, value: str) -> None:
    """Enter a value into a field, or choose it in a menu."""
    control = page.locator(field)
    if control.evaluate("element => element.tagName") == "SELECT":
        control.select_option(value)
    else:
        control.fill(value)
    settle(page)


def show_everything(page: Page) -> None:
    """Ask for further reviews until all are shown."""
    more = page.locator("#error-more")
    while more.is_visible():
        more.click()


def counts(page: Page) -> dict[str, int]:
    """Return the counts that the status line carries, after checking that it says them."""
    status = page.locator("#error-count[role=status]")
    found = {name: int(str(status.get_attribute(f"data-{name}"))) for name in ("matching", "shown", "total")}
    text = status.inner_text()
    assert all(str(number) in text for number in found.values() if number)
    return found


def shown_rows(page: Page) -> list[int]:
    """Return the rows of the cards in their order, after checking them against the counts."""
    rows: list[int] = page.locator("#error-results").evaluate(
        "results => [...results.querySelectorAll('article.review-card')].map(card => Number(card.dataset.row))"
    )
    assert len(rows) == counts(page)["shown"]
    return rows
