"""The classifier as it scores: torch's logits, whatever stands beside a review and whoever else is scoring."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from pipeline.compiled_gru import CompiledGRU, DirectionWeights
from pipeline.config import ModelSettings
from pipeline.folded import FoldedClassifier, folded_available
from pipeline.kernel_library import BFLOAT16, FLOAT32, StoredKind, load_kernels
from pipeline.model import SentimentClassifier
from pipeline.packing import narrowed, widened
from pipeline.time_major import TimeMajorBatch, time_major
from pipeline.torch_inference import compute_logits
from pipeline.workspace import Workspace

pytestmark = pytest.mark.skipif(load_kernels() is None, reason="no compiled kernels")
needs_bfloat16 = pytest.mark.skipif(load_kernels(BFLOAT16) is None, reason="no bfloat16 products here")
_of_bfloat16 = load_kernels(BFLOAT16)
needs_eight_bits = pytest.mark.skipif(_of_bfloat16 is None or not _of_bfloat16.has_int8, reason="no byte products here")
NETWORKS = {
    "default's kind": ModelSettings(32, pooling=("max", "mean", "attention")),
    "two layers": ModelSettings(16, layers=2, pooling=("last", "max")),
    "one direction": ModelSettings(48, bidirectional=False, pooling=("last",)),
}


def classifier_of(settings: ModelSettings) -> SentimentClassifier:
    torch.manual_seed(1)
    return SentimentClassifier(200, 30, settings).eval()


def folded_of(
    classifier: SentimentClassifier, kind: StoredKind, threads: int = 1, *, eight_bits: bool = False
) -> FoldedClassifier:
    weights = {name: tensor.numpy() for name, tensor in classifier.state_dict().items()}
    precision = "int8" if eight_bits else {BFLOAT16.name: "bfloat16"}.get(kind.name, "float32")
    return FoldedClassifier.from_weights(weights, classifier.settings, precision, threads=threads)


def reviews(count: int = 60, longest: int = 200) -> list[np.ndarray]:
    generator = np.random.default_rng(4)
    lengths = generator.integers(0, longest, size=count)
    return [generator.integers(0, 200, size=length).astype(np.int32) for length in lengths]


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_float32_gives_torchs_logits(settings: ModelSettings) -> None:
    classifier = classifier_of(settings)
    expected = compute_logits(classifier, reviews(), torch.device("cpu"))
    np.testing.assert_allclose(folded_of(classifier, FLOAT32).logits(reviews()), expected, rtol=0, atol=1e-5)


@needs_bfloat16
@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_bfloat16_stays_near(settings: ModelSettings) -> None:
    classifier = classifier_of(settings)
    expected = compute_logits(classifier, reviews(), torch.device("cpu"))
    np.testing.assert_allclose(folded_of(classifier, BFLOAT16).logits(reviews()), expected, rtol=0, atol=5e-3)


@needs_eight_bits
@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_eight_bits_stay_near_and_are_used(settings: ModelSettings) -> None:
    classifier = classifier_of(settings)
    expected = compute_logits(classifier, reviews(), torch.device("cpu"))
    in_eight_bits = folded_of(classifier, BFLOAT16, eight_bits=True).logits(reviews())
    np.testing.assert_allclose(in_eight_bits, expected, rtol=0, atol=2e-2)
    assert not np.array_equal(in_eight_bits, folded_of(classifier, BFLOAT16).logits(reviews()))


def emulated_states(
    gates: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, batch: TimeMajorBatch, *, eight_bits: bool = True
) -> np.ndarray:
    """The states after each token, (N, H), from the gates' tables (V, 3H), W_hh (3H, H) and its bias of n, (H,)."""
    levels = 127.0 if eight_bits else 1e9
    hidden = recurrent.shape[1]
    largest = np.abs(recurrent).max(axis=1)  # (3H,)
    whole_weights = np.rint(recurrent * (levels / largest)[:, None])
    state = np.zeros((len(batch.lengths), hidden))
    states = np.empty((len(batch.token_ids), hidden))
    for start, stop in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        earlier = state[: stop - start]
        products = np.rint(earlier * levels) @ whole_weights.T * (largest / levels**2)
        r, z, q = np.split(products, 3, axis=1)
        x_r, x_z, x_n = np.split(gates[batch.token_ids[start:stop]], 3, axis=1)
        reset, update = 1 / (1 + np.exp(-x_r - r)), 1 / (1 + np.exp(-x_z - z))
        new = np.tanh(x_n + reset * (q + bias))
        state[: stop - start] = states[start:stop] = new + update * (earlier - new)
    return states


@needs_eight_bits
@pytest.mark.parametrize("hidden", [16, 48])
def test_the_recurrence_in_eight_bits_rounds_states_and_weights_and_nothing_else(hidden: int) -> None:
    kernels = load_kernels(BFLOAT16)
    assert kernels is not None
    generator = np.random.default_rng(5)
    recurrent = generator.normal(size=(3 * hidden, hidden)) * generator.uniform(0.1, 1.0, size=(3 * hidden, 1))
    recurrent *= 1.2 / np.sqrt(hidden)
    recurrent[np.arange(3 * hidden), generator.integers(0, hidden, 3 * hidden)] *= 12  # makes each row's steps coarse
    no_input, biases = np.empty((3 * hidden, 0)), generator.normal(size=(2, 3 * hidden))
    weights = DirectionWeights(*(part.astype(np.float32) for part in (no_input, recurrent, *biases)))
    tables = narrowed(kernels, generator.normal(size=(200, 3 * hidden)).astype(np.float32))
    batch = time_major([generator.integers(0, 200, size=length).astype(np.int32) for length in [7, 2, 5, 1, 6] * 4])
    layer = CompiledGRU(kernels, [weights], Workspace(), "layer", threads=1)
    layer.use_bytes()
    states = widened(kernels, layer.forward_folded(batch, [tables]))

    gates, bias = widened(kernels, tables), weights.recurrent_bias[2 * hidden :]

    def expected(recurrent: np.ndarray, **how: bool) -> np.ndarray:
        exact = emulated_states(gates, recurrent, bias, batch, **how).astype(np.float32)
        return widened(kernels, narrowed(kernels, exact))

    def difference(recurrent: np.ndarray, **how: bool) -> float:
        return float(np.sqrt(np.mean((states - expected(recurrent, **how)) ** 2)))

    # Most states are the very same; where rounding fell the other way, a step of 1/127 shows from there on.
    np.testing.assert_allclose(states, expected(recurrent), rtol=0, atol=2e-2)
    assert difference(recurrent) < 1e-3
    assert difference(recurrent, eight_bits=False) > 2e-3  # the rounding shows,
    assert difference(np.roll(recurrent, 1, axis=1)) > 0.1  # and so would another order of the bytes,
    assert difference(np.roll(recurrent, 1, axis=0)) > 0.1  # or of the rows,
    assert difference(recurrent * 0.9) > 1e-2  # or another factor


@pytest.mark.parametrize("pooling", ["max", "mean", "attention", "last"])
@pytest.mark.parametrize(
    ("kind", "eight_bits"),
    [
        (FLOAT32, False),
        pytest.param(BFLOAT16, False, marks=needs_bfloat16),
        pytest.param(BFLOAT16, True, marks=needs_eight_bits),
    ],
)
def test_what_is_no_number_is_not_passed_over(kind: StoredKind, eight_bits: bool, pooling: str) -> None:
    classifier = classifier_of(ModelSettings(32, pooling=(pooling,)))
    given = [review for review in reviews() if len(review)]
    with torch.no_grad():
        classifier.embedding.weight[7, 3] = torch.nan
    logits = folded_of(classifier, kind, eight_bits=eight_bits).logits(given)
    assert np.isnan(logits).tolist() == [7 in review for review in given]
    for weight in ("weight_hh_l0", "bias_hh_l0"):
        spoilt = classifier_of(classifier.settings)
        with torch.no_grad():
            spoilt.layers[0].forward_gru.get_parameter(weight)[-1] = torch.nan
        assert np.isnan(folded_of(spoilt, kind, eight_bits=eight_bits).logits(given)).all()


@pytest.mark.parametrize(
    ("kind", "eight_bits"),
    [
        (FLOAT32, False),
        pytest.param(BFLOAT16, False, marks=needs_bfloat16),
        pytest.param(BFLOAT16, True, marks=needs_eight_bits),
    ],
)
def test_a_reviews_logit_depends_on_nothing_beside_it(kind: StoredKind, eight_bits: bool) -> None:
    classifier = classifier_of(NETWORKS["default's kind"])
    together = folded_of(classifier, kind, eight_bits=eight_bits).logits(reviews())
    in_threads = folded_of(classifier, kind, threads=3, eight_bits=eight_bits)
    alone = [in_threads.logits([review])[0] for review in reviews()]
    backwards = in_threads.logits(reviews()[::-1])[::-1]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)
    np.testing.assert_allclose(together, backwards, rtol=0, atol=1e-6)


def test_threads_may_share_a_classifier() -> None:
    folded = folded_of(classifier_of(NETWORKS["default's kind"]), FLOAT32)
    expected = folded.logits(reviews())
    with ThreadPoolExecutor(4) as pool:
        for logits in pool.map(folded.logits, [reviews()] * 12):
            np.testing.assert_array_equal(logits, expected)


def test_a_size_that_is_no_multiple_of_the_lanes_is_left_to_torch() -> None:
    assert folded_available(ModelSettings(32))
    assert not folded_available(ModelSettings(20))


def test_nothing_to_score_is_no_error() -> None:
    assert folded_of(classifier_of(NETWORKS["one direction"]), FLOAT32).logits([]).shape == (0,)
