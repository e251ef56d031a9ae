"""Promise: what the page says of thresholds and scores is what scikit-learn and a plain count say."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from pipeline.evaluation.score_curves import threshold_counts
from pipeline.metrics import wilson_interval
from pipeline.report.score_lookup import SCORES_SHOWN, neighbourhood, score_rows
from pipeline.report.threshold_effects import abstention_rows, threshold_effect, threshold_rows
from pipeline.scoring.answers import UNCERTAIN, answer

REVIEWS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(st.integers(0, 40).map(lambda k: k / 40), st.floats(0, 1).map(lambda p: round(p, 6))),
    ),
    min_size=1,
    max_size=40,
)


def defined(value: float) -> float | None:
    return None if np.isnan(value) else pytest.approx(value, abs=1e-12)


@settings(max_examples=50)
@given(REVIEWS, st.integers(0, 200), st.one_of(st.none(), st.integers(100, 200)))
def test_a_threshold_does_what_scoring_does(reviews: list[tuple[int, float]], cut: int, lowest: int | None) -> None:
    labels = np.array([label for label, _ in reviews], dtype=np.int8)
    probabilities = np.array([probability for _, probability in reviews])
    confidence = None if lowest is None else lowest / 200
    effect = threshold_effect(threshold_counts(labels, probabilities), cut / 200, confidence)
    answers = np.array([answer(float(probability), cut / 200, confidence) for probability in probabilities])
    kept = answers != UNCERTAIN
    assert (effect.rows, effect.answered) == (len(reviews), kept.sum())
    assert effect.abstained_share == pytest.approx(1 - kept.mean())
    if not kept.any():
        assert (effect.accuracy, effect.precision, effect.recall, effect.f1) == (None, None, None, None)
        return
    truth, predicted = labels[kept], (answers[kept] == "positive").astype(np.int8)
    counts = effect.true_negative, effect.false_positive, effect.false_negative, effect.true_positive
    assert counts == tuple(confusion_matrix(truth, predicted, labels=[0, 1]).ravel())
    assert effect.accuracy == defined(accuracy_score(truth, predicted))
    assert effect.accuracy_interval == wilson_interval(int((truth == predicted).sum()), truth.size)
    for value, score in ((effect.precision, precision_score), (effect.recall, recall_score), (effect.f1, f1_score)):
        assert value == defined(score(truth, predicted, zero_division=np.nan))


def test_the_tables_hold_what_they_say() -> None:
    probabilities = np.linspace(0.003, 0.997, 120)
    labels = (probabilities > 0.4).astype(np.int8)
    counts = threshold_counts(labels, probabilities)
    for row in threshold_rows(counts):
        assert row.true_positive == ((probabilities >= row.threshold) & (labels == 1)).sum()
    for row in abstention_rows(counts):
        assert row.confidence is not None
        assert row.answered == (np.maximum(probabilities, 1 - probabilities) >= row.confidence).sum()


@given(REVIEWS, st.integers(0, 1000).map(lambda k: k / 1000), st.integers(1, 50))
def test_a_score_is_held_against_the_reviews_nearest_to_it(
    reviews: list[tuple[int, float]], score: float, fewest: int
) -> None:
    labels = np.array([label for label, _ in reviews], dtype=np.int8)
    probabilities = np.array([probability for _, probability in reviews])
    found = neighbourhood(threshold_counts(labels, probabilities), score, fewest)
    inside = (probabilities >= found.low) & ((probabilities < found.high) | (found.high == 1))
    assert found.low <= score <= found.high
    assert (found.rows, found.positive) == (inside.sum(), labels[inside].sum())
    assert found.rows >= min(fewest, len(reviews))
    assert found.interval == wilson_interval(found.positive, found.rows)
    low, high = (round(200 * found.low) + 1) / 200, (round(200 * found.high) - 1) / 200
    assert ((probabilities >= low) & (probabilities < high)).sum() < fewest  # a narrower range would not do


def counts_of(rows: int, score: float, positive: int) -> dict[str, Any]:
    """Counts of reviews that all have one score, so many of them positive, and of as many far from it."""
    probabilities = np.concatenate([np.full(rows, score), np.full(rows, 1 - score)])
    labels = np.zeros(2 * rows, dtype=np.int8)
    labels[:positive] = 1
    return threshold_counts(labels, probabilities)


@pytest.mark.parametrize(
    ("rows", "score", "positive", "worth"),
    [
        (1_000, 0.8, 800, "holds"),
        (1_000, 0.8, 860, "too low"),
        (1_000, 0.8, 740, "too high"),
        (1_000, 0.2, 260, "too low"),
        (1_000, 0.2, 140, "too high"),
        (200, 0.7, 140, "agrees"),
        (200, 0.97, 194, "holds"),
    ],
)
def test_a_score_is_held_against_the_reviews_near_it(rows: int, score: float, positive: int, worth: str) -> None:
    assert neighbourhood(counts_of(rows, score, positive), score).worth == worth


def test_a_score_that_too_few_reviews_are_near_to_is_not_judged() -> None:
    few, scattered = counts_of(60, 0.9, 54), np.linspace(0, 1, 300)
    assert neighbourhood(few, 0.9).worth == "few"
    assert score_rows(few) == []
    assert neighbourhood(threshold_counts(np.ones(300, dtype=np.int8), scattered), 0.5).worth == "wide"


def test_a_model_that_says_what_is_so_is_believed_at_every_score() -> None:
    generator = np.random.default_rng(1)
    probabilities = generator.uniform(0, 1, 40_000)
    labels = (generator.uniform(0, 1, probabilities.size) < probabilities).astype(np.int8)
    rows = score_rows(threshold_counts(labels, probabilities))
    assert len(rows) == len(SCORES_SHOWN)
    assert sum(row.worth in ("holds", "agrees") for row in rows) >= len(rows) - 1
    for row in rows:
        inside = (probabilities >= row.low) & (probabilities < row.high)
        assert row.mean == pytest.approx(probabilities[inside].mean(), abs=row.step / 2)
