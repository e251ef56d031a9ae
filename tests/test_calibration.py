"""Calibration: the intercept and the temperature that made the logits are found again, and chance is not fitted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calibration import FEWEST_REVIEWS, fit_bias, fit_temperature, log_loss_of_logits


def drawn(shift: float, temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are off by a shift and a temperature, and labels as the true probabilities draw them."""
    generator = np.random.default_rng(0)
    true = generator.normal(scale=2, size=count)
    labels = (generator.random(count) < 1 / (1 + np.exp(-true))).astype(np.int8)
    return ((true + shift) * temperature).astype(np.float32), labels


@settings(max_examples=25)
@given(shift=st.floats(-1.5, 1.5), temperature=st.floats(0.3, 15))
def test_a_known_shift_is_taken_back_at_any_scale(shift: float, temperature: float) -> None:
    logits, labels = drawn(shift, temperature)
    bias = fit_bias(logits, labels)
    assert bias / temperature == pytest.approx(-shift, abs=0.1)
    assert fit_temperature(logits + np.float32(bias), labels) == pytest.approx(temperature, rel=0.1)


def test_the_bias_never_makes_the_log_loss_worse() -> None:
    logits, labels = drawn(0.7, 2.0, 2_500)
    moved = logits + np.float32(fit_bias(logits, labels))
    before, after = (log_loss_of_logits(of, labels, fit_temperature(of, labels)) for of in (logits, moved))
    assert after < before - 0.01


def test_classes_that_are_apart_move_nothing() -> None:
    labels = np.arange(400) % 2
    assert fit_bias((16.0 * labels - 8).astype(np.float32), labels.astype(np.int8)) == pytest.approx(0, abs=0.5)


def test_few_reviews_move_nothing() -> None:
    logits, labels = drawn(1.0, 1.0, FEWEST_REVIEWS - 1)
    assert fit_bias(logits, labels) == 0
    assert fit_temperature(logits, labels) == 1
