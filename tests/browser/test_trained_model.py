"""Promise: the report of a trained model shades the words by the pushes that the model's own explanations give."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.console import Console
from pipeline.evaluation.evaluate import evaluate_model
from pipeline.inference import SentimentModel
from pipeline.report.error_browser import SMALLEST_SHADED
from pipeline.scoring.explanation import Explainer
from tests.browser.chromium import Pages
from tests.browser.error_cards import choose_list, show_everything
from tests.conftest import OPENINGS, Workspace, tiny_reviews

pytestmark = pytest.mark.browser


def test_the_words_of_a_trained_model_are_shaded(
    pages: Pages, trained_model: Path, workspace: Workspace, tmp_path: Path, quiet: Console
) -> None:
    evaluate_model(
        trained_model,
        workspace.corpus,
        tmp_path / "reports",
        quiet,
        baselines=False,
        with_robustness=False,
        cache_folder=tmp_path / "cache",
    )
    (path,) = tmp_path.glob("reports/*/report.html")
    page = pages.open(path)
    choose_list(page, "uncertain")
    show_everything(page)
    shaded = page.locator("#error-results").evaluate("""results =>
      [...results.querySelectorAll("article.review-card")].map((card) => [
        Number(card.dataset.row),
        [...card.querySelectorAll(".card-text [class*=push-]")].map((s) => [s.textContent, s.className.slice(0, 7)]),
      ])""")
    explain = Explainer(SentimentModel.load(trained_model)).pushes_in_place
    texts = [text for text, _ in tiny_reviews(OPENINGS[2:])]
    assert len(shaded) > 20
    for row, found in shaded:
        strong = [each for each in explain(texts[row]) if abs(each[2]) >= SMALLEST_SHADED]
        expected = [[texts[row][start:end], "push-up" if push > 0 else "push-do"] for start, end, push in strong]
        assert found == expected
