"""Promise: a model is scored as roughly as its validation reviews show to be harmless, and no rougher."""

from __future__ import annotations

import numpy as np

from pipeline.scoring_precision import LARGEST_DIFFERENCE, choose_precision, differences

EXACT = np.linspace(-6, 6, 2001).astype(np.float32) + np.float32(1e-3)


def test_the_roughest_that_is_near_is_chosen() -> None:
    near, far = EXACT + np.float32(1e-4), EXACT + np.float32(0.1)
    assert choose_precision({"int8": near, "bfloat16": near, "float32": EXACT}, 1.0)[0] == "int8"
    assert choose_precision({"int8": far, "bfloat16": near, "float32": EXACT}, 1.0)[0] == "bfloat16"
    assert choose_precision({"int8": far, "bfloat16": far, "float32": EXACT}, 1.0)[0] == "float32"
    assert choose_precision({"float32": EXACT}, 1.0)[0] == "float32"


def test_flipped_labels_forbid_a_precision_however_small_the_difference() -> None:
    doubtful = np.concatenate([EXACT, np.full(5, 1e-6)]).astype(np.float32)
    flipped = doubtful.copy()
    flipped[-5:] = -1e-6
    assert choose_precision({"int8": flipped, "float32": doubtful}, 1.0)[0] == "float32"
    flipped[-4:] = 1e-6
    assert choose_precision({"int8": flipped, "float32": doubtful}, 1.0)[0] == "int8"


def test_what_is_no_number_is_never_harmless() -> None:
    broken = EXACT.copy()
    broken[7] = np.nan
    assert choose_precision({"int8": broken, "float32": EXACT}, 1.0)[0] == "float32"


def test_differences_are_of_probabilities() -> None:
    found = differences(EXACT + np.float32(0.04), EXACT, 2.0)
    assert 0 < found["quantile_999"] <= 0.04 / 2 / 4 + 1e-6  # the sigmoid is steepest at 0, by a quarter
    assert found["quantile_999"] > 0.99 * 0.04 / 2 / 4 - 1e-4
    assert LARGEST_DIFFERENCE == 2.5e-3  # as the README says
