"""Promise: the points that metrics.json keeps are exact, and what any threshold does follows from its counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipeline.evaluation import score_curves
from pipeline.evaluation.answers import confidence_by_answer
from pipeline.evaluation.slices import CONFIDENCE_BANDS
from pipeline.metrics import Labels, Probabilities

STEPS = 20
GRID = np.arange(STEPS + 1) / STEPS


@pytest.fixture(scope="module")
def many() -> tuple[Labels, Probabilities]:
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 2, 5_000).astype(np.int8)
    return labels, np.clip(labels * 0.3 + generator.normal(0.35, 0.25, labels.size), 0, 1).round(3)


def test_roc_points_lie_on_scikit_learns_curve(many: tuple[Labels, Probabilities]) -> None:
    x, y, _ = reference.roc_curve(*many)
    curve = score_curves.roc_points(*many)
    assert curve is not None
    kept = list(zip(curve["false_positive_rate"], curve["true_positive_rate"], strict=True))
    assert set(kept) <= set(zip(x.tolist(), y.tolist(), strict=True))
    assert (kept[0], kept[-1]) == ((0, 0), (1, 1))
    assert len(set(kept)) == score_curves.CURVE_POINTS < x.size
    assert reference.auc(*zip(*kept, strict=True)) == pytest.approx(reference.roc_auc_score(*many), abs=1e-3)


def test_precision_recall_points_lie_on_scikit_learns_curve(many: tuple[Labels, Probabilities]) -> None:
    precision, recall, _ = reference.precision_recall_curve(*many)
    curve = score_curves.precision_recall_points(*many)
    assert curve is not None
    kept = list(zip(curve["recall"], curve["precision"], strict=True))
    assert set(kept) <= set(zip(recall.tolist(), precision.tolist(), strict=True))
    assert (kept[0], kept[-1]) == ((1, many[0].mean()), (0, 1))
    assert len(set(kept)) == score_curves.CURVE_POINTS < recall.size


def test_answers_of_each_class_are_right_as_often_as_told(many: tuple[Labels, Probabilities]) -> None:
    labels, probabilities = many
    found, predicted = confidence_by_answer(labels, probabilities), probabilities >= 0.5
    for name, answered in (("positive", predicted), ("negative", ~predicted)):
        for group, (_, low, high) in zip(found[name], CONFIDENCE_BANDS, strict=True):
            confidence = np.where(predicted, probabilities, 1 - probabilities)
            inside = answered & (confidence >= low) & (confidence < high)
            assert (group["rows"], group["correct"]) == (inside.sum(), (labels == predicted)[inside].sum())
            assert group["accuracy"] == pytest.approx(reference.accuracy_score(labels[inside], predicted[inside]))


def test_one_class_has_no_curves() -> None:
    labels, probabilities = np.ones(3, dtype=np.int8), np.array([0.1, 0.5, 0.9])
    assert score_curves.roc_points(labels, probabilities) is None
    assert score_curves.precision_recall_points(labels, probabilities) is None


def test_histogram_equals_the_counts_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1], dtype=np.int8)
    probabilities = np.array([0.0, 0.25, 0.49, 0.5, 0.75, 1.0])  # an edge belongs to the bin above it, 1 to the last
    assert score_curves.score_histogram(labels, probabilities, bins=4) == {
        "edges": [0.0, 0.25, 0.5, 0.75, 1.0],
        "negative": [1, 2, 0, 0],
        "positive": [0, 0, 1, 2],
    }


scores = st.one_of(st.sampled_from(GRID.tolist()), st.floats(0, 1))


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 1), scores), min_size=1, max_size=30),
    st.integers(0, STEPS),
    st.integers(STEPS // 2, STEPS),
)
def test_any_threshold_and_abstention_follow_from_the_counts(
    rows: list[tuple[int, float]], threshold: int, confidence: int
) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.int8)
    probabilities = np.array([probability for _, probability in rows])
    counts = score_curves.threshold_counts(labels, probabilities, STEPS)
    assert counts["thresholds"] == GRID.tolist()

    predicted = (probabilities >= GRID[threshold]).astype(np.int8)
    sure = np.where(predicted == 1, probabilities >= GRID[confidence], probabilities <= GRID[STEPS - confidence])
    called_positive, called_negative = {}, {}
    for name in ("negative", "positive"):
        at_least, at_most = counts["at_least"][name], counts["at_most"][name]
        called_positive[name] = at_least[max(threshold, confidence)]
        called_negative[name] = min(at_least[0] - at_least[threshold], at_most[STEPS - confidence])

    assert sum(called_positive.values()) + sum(called_negative.values()) == int(sure.sum())
    table = [[called_negative[name], called_positive[name]] for name in ("negative", "positive")]
    assert table == confusion(labels[sure], predicted[sure])
    for figure, of in (
        (reference.precision_score, sum(called_positive.values())),
        (reference.recall_score, called_negative["positive"] + called_positive["positive"]),
    ):
        if of:
            assert called_positive["positive"] / of == figure(labels[sure], predicted[sure], zero_division=0)


def confusion(labels: Labels, predicted: Labels) -> list[list[int]]:
    if labels.size == 0:
        return [[0, 0], [0, 0]]
    table: list[list[int]] = reference.confusion_matrix(labels, predicted, labels=[0, 1]).tolist()
    return table
