"""Promise: every figure equals scikit-learn's on the same arrays, or a number worked out by hand."""

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from sklearn import metrics as reference

from pipeline import metrics
from pipeline.evaluation import slices
from pipeline.evaluation.summary import subset_summary

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 0], dtype=np.int8)
PROBABILITIES = np.array([0.9, 0.8, 0.7, 0.4, 0.1, 0.2, 0.6, 0.3, 0.5, 0.49])


def test_a_half_counts_as_positive() -> None:
    assert metrics.predictions(np.array([0.5, 0.4999999, 0.0, 1.0])).tolist() == [1, 0, 0, 1]


def test_figures_equal_scikit_learn() -> None:
    predicted = (PROBABILITIES >= 0.5).astype(int)
    summary = metrics.classification_summary(LABELS, PROBABILITIES)
    assert summary["accuracy"] == reference.accuracy_score(LABELS, predicted) == 0.8
    assert summary["precision"] == reference.precision_score(LABELS, predicted)
    assert summary["recall"] == reference.recall_score(LABELS, predicted)
    assert summary["f1"] == reference.f1_score(LABELS, predicted)
    assert summary["macro_f1"] == reference.f1_score(LABELS, predicted, average="macro")
    assert summary["roc_auc"] == reference.roc_auc_score(LABELS, PROBABILITIES)
    assert summary["average_precision"] == reference.average_precision_score(LABELS, PROBABILITIES)
    assert summary["support"] == {"negative": 5, "positive": 5}
    assert summary["confusion_matrix"] == {
        "true_negative": 4,
        "false_positive": 1,
        "false_negative": 1,
        "true_positive": 4,
    }
    calibration = metrics.calibration_summary(LABELS, PROBABILITIES)
    assert calibration["log_loss"] == reference.log_loss(LABELS, PROBABILITIES)
    assert calibration["brier"] == pytest.approx(np.mean((LABELS - PROBABILITIES) ** 2))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_any_input_has_consistent_counts_and_no_nan(rows: list[tuple[int, float]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.int8)
    probabilities = np.array([probability for _, probability in rows])
    slicings = [
        *slices.slicings_of(["word " * 37 * i for i in range(len(rows))]),
        slices.confidence_slicing(probabilities),
    ]
    summary = subset_summary(labels, probabilities, probabilities, slicings, bins=15)
    assert sum(summary["confusion_matrix"].values()) == len(rows)
    for name in ("length", "negation", "contrast", "confidence"):
        groups = summary["slices"][name]["groups"]
        assert sum(group["rows"] for group in groups) == len(rows)
        assert sum(group["correct"] for group in groups) == summary["correct"]
    assert "nan" not in repr(summary).lower()
    low, high = summary["accuracy_interval"]
    assert 0 <= low <= summary["accuracy"] <= high <= 1 or summary["accuracy"] in (0, 1)


def test_one_class_leaves_the_undefined_figures_empty() -> None:
    negative = metrics.classification_summary(np.zeros(3, dtype=np.int8), np.array([0.1, 0.2, 0.3]))
    assert (negative["accuracy"], negative["roc_auc"], negative["average_precision"]) == (1.0, None, None)
    assert negative["macro_f1"] is None  # a mean of both classes needs both
    assert (negative["precision"], negative["recall"], negative["f1"]) == (None, None, None)
    positive = metrics.classification_summary(np.ones(4, dtype=np.int8), np.array([0.1, 0.9, 0.8, 0.7]))
    assert (positive["accuracy"], positive["recall"], positive["precision"]) == (0.75, 0.75, 1.0)


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    # 8 of 10 by hand: (0.8 + 3.8415/20 +- 1.96 sqrt(0.016 + 3.8415/400)) / (1 + 3.8415/10)
    [(8, 10, [0.490162, 0.943318]), (0, 10, [0.0, 0.277533]), (10, 10, [0.722467, 1.0])],
)
def test_wilson_interval_equals_the_worked_numbers(successes: int, trials: int, expected: list[float]) -> None:
    assert metrics.wilson_interval(successes, trials) == pytest.approx(expected, abs=1e-6)


@given(st.integers(1, 5_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_any_wilson_interval_equals_scipys(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert metrics.wilson_interval(*counts) == pytest.approx([expected.low, expected.high], abs=1e-12)


def test_no_trials_have_no_interval() -> None:
    assert metrics.wilson_interval(0, 0) is None


def test_calibration_error_equals_the_worked_number() -> None:
    labels = np.array([0, 0, 1, 1, 1, 0], dtype=np.int8)
    probabilities = np.array([0.1, 0.2, 0.3, 0.6, 0.8, 0.9])
    # three bins of two: |0.15 - 0|, |0.45 - 1|, |0.85 - 0.5|, mean of the three
    bins = metrics.reliability_bins(labels, probabilities, bins=3)
    assert metrics.calibration_error(bins) == pytest.approx((0.15 + 0.55 + 0.35) / 3)
    # one bin: |0.48333 - 0.5|
    assert metrics.calibration_error(metrics.reliability_bins(labels, probabilities, 1)) == pytest.approx(
        abs(2.9 / 6 - 0.5)
    )


def test_unequal_bins_are_weighted_by_their_rows() -> None:
    labels = np.array([0, 0, 1], dtype=np.int8)
    probabilities = np.array([0.0, 0.3, 0.9])
    # two bins: {0.0, 0.3} gap 0.15 weight 2, {0.9} gap 0.1 weight 1
    bins = metrics.reliability_bins(labels, probabilities, bins=2)
    assert metrics.calibration_error(bins) == pytest.approx((2 * 0.15 + 0.1) / 3)


def calibration_error_one_by_one(labels: list[int], probabilities: list[float], bins: int) -> float:
    """Recompute the calibration error with lists: reviews of equal probability share their mean label, then bins."""
    shared = [
        statistics.fmean(label for label, other in zip(labels, probabilities, strict=True) if other == probability)
        for probability in probabilities
    ]
    rows = sorted(zip(probabilities, shared, strict=True))
    bins = min(bins, len(rows))
    sizes = [len(rows) // bins + (number < len(rows) % bins) for number in range(bins)]
    total, start = 0.0, 0
    for size in sizes:
        part = rows[start : start + size]
        total += size * abs(statistics.fmean(row[0] for row in part) - statistics.fmean(row[1] for row in part))
        start += size
    return total / len(rows)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))), min_size=1
    ),
    st.integers(1, 20),
)
def test_any_calibration_error_equals_a_recomputation(rows: list[tuple[int, float]], bins: int) -> None:
    labels, probabilities = zip(*rows, strict=True)
    arrays = np.array(labels, dtype=np.int8), np.array(probabilities)
    summary = metrics.calibration_summary(*arrays, bins)
    assert summary["calibration_error"] == pytest.approx(
        calibration_error_one_by_one(list(labels), list(probabilities), bins)
    )
    assert sum(entry["rows"] for entry in summary["bins"]) == len(rows)
    assert summary["brier"] == pytest.approx(np.mean((arrays[0] - arrays[1]) ** 2))
    assert summary["log_loss"] == pytest.approx(reference.log_loss(*arrays, labels=[0, 1]))


def test_order_of_rows_does_not_move_the_calibration_error() -> None:
    """Rows sorted by label with tied probabilities would otherwise look badly calibrated."""
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 50)
    probabilities = np.full(100, 0.5)
    bins = metrics.reliability_bins(labels, probabilities, bins=4)
    assert metrics.calibration_error(bins) == 0.0
    shuffled = np.random.default_rng(1).permutation(100)
    assert metrics.reliability_bins(labels[shuffled], probabilities, bins=4) == bins


def test_lengths_fall_into_the_buckets_at_their_borders() -> None:
    words = np.array([0, 99, 100, 199, 200, 399, 400, 799, 800, 5000])
    assert np.bincount(slices.bands_of(words, slices.LENGTH_BANDS)).tolist() == [2, 2, 2, 2, 2]


def test_an_empty_bucket_has_no_accuracy() -> None:
    table = slices.accuracy_by_group(slices.slicings_of(["five words there are here"] * 10)[0], LABELS, LABELS)[
        "groups"
    ]
    assert (table[0]["accuracy"], table[1]["accuracy"], table[1]["accuracy_interval"]) == (1.0, None, None)


def test_mcnemar_equals_the_worked_number() -> None:
    labels = np.ones(10, dtype=np.int8)
    first = np.array([1, 1, 1, 1, 1, 1, 0, 0, 1, 1], dtype=np.int8)
    second = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 1], dtype=np.int8)
    # 6 against 1: two-sided binomial 2 * (C(7,0) + C(7,1)) / 2**7
    assert metrics.mcnemar(labels, first, second) == {
        "only_first": 6,
        "only_second": 1,
        "p_value": pytest.approx(2 * 8 / 128),
    }
    assert metrics.mcnemar(labels, first, first)["p_value"] == 1.0


@given(st.integers(0, 40), st.integers(0, 40))
def test_any_mcnemar_equals_the_binomial_tail(only_first: int, only_second: int) -> None:
    labels = np.ones(only_first + only_second + 3, dtype=np.int8)
    first = labels.copy()
    first[only_first : only_first + only_second] = 0
    second = labels.copy()
    second[:only_first] = 0
    tail = binom.cdf(min(only_first, only_second), only_first + only_second, 0.5)
    assert metrics.mcnemar(labels, first, second) == {
        "only_first": only_first,
        "only_second": only_second,
        "p_value": pytest.approx(min(1.0, 2 * tail)),
    }


def test_figures_of_a_part_are_those_of_its_reviews_alone() -> None:
    part = np.array([1, 1, 0, 1, 1, 0, 1, 0, 1, 1], dtype=np.bool_)
    texts = ["not fine " * 60, "fine", "but fine"] * 3 + ["fine"]
    slicings = slices.slicings_of(texts)
    of_part = slices.slicings_of([text for text, inside in zip(texts, part, strict=True) if inside])
    before = PROBABILITIES**2
    assert subset_summary(LABELS, PROBABILITIES, before, slicings, 4, part) == subset_summary(
        LABELS[part], PROBABILITIES[part], before[part], of_part, 4
    )


def test_errors_come_worst_first() -> None:
    labels = np.array([1, 0, 1, 0, 1], dtype=np.int8)
    probabilities = np.array([0.01, 0.99, 0.4, 0.1, 0.01])
    assert metrics.most_confident_errors(labels, probabilities, 20).tolist() == [0, 1, 4, 2]
    assert metrics.most_confident_errors(labels, probabilities, 2).tolist() == [0, 1]
