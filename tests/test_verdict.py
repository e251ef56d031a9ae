"""Promise: the page's words about trust and failure follow the intervals, and say so where there is too little."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.slices import CONFIDENCE_BANDS, names_of
from pipeline.metrics import wilson_interval
from pipeline.report.verdict import (
    LEAST_REVIEWS,
    against_all,
    band_honesty,
    compared,
    example_band,
    failing_groups,
    failing_probes,
    kind_of_review,
    only_class,
    verdict,
)


def group(name: str, rows: int, correct: int) -> dict[str, Any]:
    accuracy = correct / rows if rows else None
    interval = wilson_interval(correct, rows)
    return {"name": name, "rows": rows, "correct": correct, "accuracy": accuracy, "accuracy_interval": interval}


def metrics_of(slices: dict[str, list[dict[str, Any]]], rows: int = 2_000, correct: int = 1_800) -> dict[str, Any]:
    entries = {name: {"title": name.title(), "groups": groups} for name, groups in slices.items()}
    bands = [group(name, 1_000, 920) for name in names_of(CONFIDENCE_BANDS)]
    entries["confidence"] = {"title": "Confidence", "groups": bands}
    answers = {"positive": bands, "negative": bands}
    support = {"negative": rows // 2, "positive": rows - rows // 2}
    return {
        "all": {**group("all", rows, correct), "slices": entries, "support": support, "confidence_by_answer": answers}
    }


@pytest.mark.parametrize(
    ("rows", "correct", "honesty"),
    [
        (0, 0, "empty"),
        (29, 29, "few"),
        (1_000, 970, "holds"),
        (1_000, 900, "too sure"),
        (10_000, 9_999, "too modest"),
        (40, 38, "unclear"),
        (300, 290, "holds"),
    ],
)
def test_a_band_is_judged_by_its_interval(rows: int, correct: int, honesty: str) -> None:
    assert band_honesty(group("0.95-0.99", rows, correct)) == honesty


def test_every_band_can_be_judged_and_one_holds_the_example() -> None:
    metrics = metrics_of({})
    assert {band_honesty(entry) for entry in metrics["all"]["slices"]["confidence"]["groups"]} >= {"holds", "too sure"}
    band = example_band(metrics)
    assert (band["name"], band["key"]) == ("0.95-0.99", "all.confidence_by_answer.positive.5")
    with pytest.raises(ValueError, match="no band"):
        example_band(metrics, 0.3)


@given(st.integers(1, 3_000), st.floats(0, 1), st.floats(0.01, 0.99))
def test_a_group_is_marked_only_where_its_interval_leaves_out_all(rows: int, share: float, overall: float) -> None:
    entry = group("g", rows, round(share * rows))
    low, high = entry["accuracy_interval"]
    side = against_all(entry, overall)
    assert (side == "lower") == (rows >= LEAST_REVIEWS and high < overall)
    assert (side == "higher") == (rows >= LEAST_REVIEWS and low > overall)


def test_failing_groups_come_worst_first_with_their_keys() -> None:
    length = [group("under 100", 500, 470), group("100-199", 900, 780), group("200-399", 0, 0), group("rest", 600, 550)]
    negation = [group("none", 1_000, 800), group("some", 12, 2), group("more", 988, 988)]
    found = failing_groups(metrics_of({"length": length, "negation": negation}))
    assert [(entry["key"], entry["kind"]) for entry in found] == [
        ("all.slices.negation.groups.0", "no negation"),
        ("all.slices.length.groups.1", "100-199 words"),
    ]


def test_a_group_of_all_reviews_and_one_of_few_are_not_judged() -> None:
    metrics = metrics_of({"length": [group("all of them", 2_000, 1_800), group("few", 5, 0)]})
    found = verdict(metrics, [])
    assert (found["failing"], found["groups"], found["baseline"], found["previous"]) == ([], 0, None, None)


def test_of_many_groups_that_do_not_differ_few_reports_name_one_as_failing() -> None:
    generator, found = np.random.default_rng(1), 0
    for _ in range(300):
        counts = generator.binomial(500, 0.9, 20)
        groups = [group(f"{place}", 500, int(count)) for place, count in enumerate(counts)]
        found += bool(failing_groups(metrics_of({"length": groups}, 10_000, int(counts.sum()))))
    assert found / 300 < 0.05  # without a correction it would be a third


def test_few_answers_of_a_model_that_is_too_sure_are_not_taken_for_a_yes() -> None:
    counts = np.random.default_rng(1).binomial(60, 0.9, 300)
    yes = [band_honesty(group("0.95-0.99", 60, int(count))) == "holds" for count in counts]
    assert np.mean(yes) < 0.01


def test_other_slicings_are_told_by_their_title() -> None:
    assert kind_of_review("genre", "Genre", "horror") == "genre: horror"
    assert kind_of_review("stars", "Stars", "10") == "10 stars"


def test_a_difference_needs_a_test() -> None:
    assert compared(None, 0.9, 0.8) is None
    assert compared({"p_value": 0.05}, 0.9, 0.8) == "no clear difference"
    assert compared({"p_value": 0.049}, 0.9, 0.8) == "better"
    assert compared({"p_value": 0.049}, 0.8, 0.9) == "worse"


def test_probes_that_are_right_clearly_less_often_are_named_the_worst_first() -> None:
    groups = [group("short", 50, 40), group("negation", 50, 27), group("long_turn", 40, 15), group("few", 5, 0)]
    metrics = {**metrics_of({}), "probes": {**group("all", 450, 350), "groups": groups}}
    assert [(entry["name"], entry["key"]) for entry in failing_probes(metrics)] == [
        ("long_turn", "probes.groups.2"),
        ("negation", "probes.groups.1"),
    ]
    assert failing_probes({**metrics, "probes": None}) == []


def test_one_class_is_seen() -> None:
    metrics = metrics_of({})
    assert only_class(metrics) is None
    metrics["all"]["support"] = {"negative": 9, "positive": 0}
    assert only_class(metrics) == "negative"
