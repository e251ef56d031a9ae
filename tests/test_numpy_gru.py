"""Promise: the NumPy GRU is the GRU of the equations, and torch's GRU is that same function."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.numpy_gru import Array, Gate, GRULayer, Reset, Update, bidirectional, layer_from_torch, logistic

TOLERANCE = 1e-12
sizes = st.integers(1, 7)
seeds = st.integers(0, 2**32 - 1)


def weights_of(module: nn.GRU) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def random_layer(rng: np.random.Generator, inputs: int, hidden: int) -> GRULayer:
    def gate() -> Gate:
        return Gate(
            rng.normal(size=(hidden, inputs)),
            rng.normal(size=(hidden, hidden)),
            rng.normal(size=hidden),
            rng.normal(size=hidden),
        )

    return GRULayer(gate(), gate(), gate())


@settings(deadline=None, max_examples=50)
@given(batch=sizes, steps=sizes, inputs=sizes, hidden=sizes, layers=st.integers(1, 3), bias=st.booleans(), seed=seeds)
def test_equals_torch_in_float64(
    batch: int, steps: int, inputs: int, hidden: int, layers: int, bias: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    module = nn.GRU(inputs, hidden, layers, bias=bias, batch_first=True, dtype=torch.float64)
    x = torch.randn(batch, steps, inputs, dtype=torch.float64)
    initial = torch.randn(layers, batch, hidden, dtype=torch.float64)
    with torch.no_grad():
        expected, last = module(x, initial)
    states = x.numpy()
    for layer in range(layers):
        states = layer_from_torch(weights_of(module), f"_l{layer}").forward(states, initial[layer].numpy())
        np.testing.assert_allclose(states[:, -1], last[layer].numpy(), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(states, expected.numpy(), rtol=0, atol=TOLERANCE)


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(sizes, min_size=1, max_size=5), inputs=sizes, hidden=sizes, seed=seeds)
def test_both_directions_equal_torch_on_packed_sequences(
    lengths: list[int], inputs: int, hidden: int, seed: int
) -> None:
    torch.manual_seed(seed)
    module = nn.GRU(inputs, hidden, batch_first=True, bidirectional=True, dtype=torch.float64)
    x = torch.randn(len(lengths), max(lengths), inputs, dtype=torch.float64)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    with torch.no_grad():
        expected, _ = nn.utils.rnn.pad_packed_sequence(module(packed)[0], batch_first=True)
    weights = weights_of(module)
    states = bidirectional(
        layer_from_torch(weights), layer_from_torch(weights, "_l0_reverse"), x.numpy(), np.array(lengths)
    )
    np.testing.assert_allclose(states, expected.numpy(), rtol=0, atol=TOLERANCE)


@given(batch=sizes, steps=sizes, inputs=sizes, hidden=sizes, seed=seeds, reset=st.sampled_from(Reset))
def test_update_conventions_are_one_function_with_the_gate_negated(
    batch: int, steps: int, inputs: int, hidden: int, seed: int, reset: Reset
) -> None:
    rng = np.random.default_rng(seed)
    layer = replace(random_layer(rng, inputs, hidden), reset_convention=reset)
    other = layer.with_other_update_convention()
    assert {layer.update_convention, other.update_convention} == set(Update)
    x = rng.normal(size=(batch, steps, inputs))
    np.testing.assert_allclose(other.forward(x), layer.forward(x), rtol=0, atol=TOLERANCE)
    back = other.with_other_update_convention()
    np.testing.assert_array_equal(back.forward(x), layer.forward(x))


def test_the_update_conventions_differ_without_negation() -> None:
    rng = np.random.default_rng(1)
    layer = random_layer(rng, 3, 4)
    swapped = replace(layer, update_convention=Update.TAKES_CANDIDATE)
    x = rng.normal(size=(2, 3, 3))
    assert np.abs(layer.forward(x) - swapped.forward(x)).max() > 0.1


def test_reset_before_and_after_differ_in_general() -> None:
    rng = np.random.default_rng(2)
    after = random_layer(rng, 3, 4)
    before = replace(after, reset_convention=Reset.BEFORE)
    x = rng.normal(size=(2, 5, 3))
    assert np.abs(after.forward(x) - before.forward(x)).max() > 0.01


@given(inputs=sizes, hidden=sizes, steps=sizes, seed=seeds)
def test_reset_before_and_after_agree_where_the_state_map_is_diagonal_and_unbiased(
    inputs: int, hidden: int, steps: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, inputs, hidden)
    diagonal = replace(layer.candidate, state_weight=np.diag(rng.normal(size=hidden)), state_bias=np.zeros(hidden))
    after = replace(layer, candidate=diagonal)
    before = replace(after, reset_convention=Reset.BEFORE)
    x = rng.normal(size=(2, steps, inputs))
    np.testing.assert_allclose(before.forward(x), after.forward(x), rtol=0, atol=TOLERANCE)


def test_one_step_by_hand() -> None:
    """One unit, one input, worked out on paper: r = s(0) = 0.5, z = s(ln 3) = 0.75, n = tanh(0.5 + 0.5 * 2)."""

    def gate(w: float, u: float, b: float, c: float) -> Gate:
        return Gate(np.array([[w]]), np.array([[u]]), np.array([b]), np.array([c]))

    layer = GRULayer(gate(0, 0, 0, 0), gate(0, 0, np.log(3.0), 0), gate(0.5, 1, 0, 1))
    n = np.tanh(0.5 + 0.5 * (1.0 + 1.0))
    state = layer.step(np.array([[1.0]]), np.array([[1.0]]))
    assert state == pytest.approx(0.75 * 1.0 + 0.25 * n, abs=1e-15)
    before = replace(layer, reset_convention=Reset.BEFORE).step(np.array([[1.0]]), np.array([[1.0]]))
    assert before == pytest.approx(0.75 + 0.25 * np.tanh(0.5 + 0.5 + 1.0), abs=1e-15)


def test_saturated_gates_keep_or_replace_the_state() -> None:
    layer = random_layer(np.random.default_rng(3), 2, 3)
    keep = replace(layer, update=replace(layer.update, input_bias=np.full(3, 1e4)))
    initial = np.full((1, 3), 0.25)
    x = np.random.default_rng(4).normal(size=(1, 6, 2))
    np.testing.assert_array_equal(keep.forward(x, initial), np.full((1, 6, 3), 0.25))
    forget = replace(layer, update=replace(layer.update, input_bias=np.full(3, -1e4)))
    assert np.abs(forget.forward(x, initial)[:, 0] - 0.25).min() > 0


def test_logistic_is_accurate_and_never_overflows() -> None:
    a = np.array([-800.0, -1.0, 0.0, 1.0, 800.0])
    np.testing.assert_allclose(logistic(a), [0.0, 0.2689414213699951, 0.5, 0.7310585786300049, 1.0], atol=1e-15)
