"""The classifier as it scores: torch's logits, whatever stands beside a review and whoever else is scoring."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from pipeline.config import ModelSettings
from pipeline.folded import FoldedClassifier, folded_available
from pipeline.kernel_library import BFLOAT16, FLOAT32, StoredKind, load_kernels
from pipeline.model import SentimentClassifier
from pipeline.torch_inference import compute_logits

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
    return FoldedClassifier.from_weights(
        weights, classifier.settings, threads=threads, kind=kind, eight_bits=eight_bits
    )


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


@needs_eight_bits
def test_a_recurrence_of_whole_steps_is_exact_in_eight_bits() -> None:
    classifier = classifier_of(NETWORKS["one direction"])
    with torch.no_grad():  # weights that eight bits hold: multiples of 1/127 of the largest in each row, which is 1
        recurrent = classifier.layers[0].forward_gru.weight_hh_l0
        recurrent.copy_(torch.randint(-127, 128, recurrent.shape) / 127)
        recurrent[:, 0] = 1.0
    short = [review[:1] for review in reviews() if len(review)]  # the state before the first token is exactly 0
    expected = folded_of(classifier, BFLOAT16).logits(short)
    np.testing.assert_allclose(
        folded_of(classifier, BFLOAT16, eight_bits=True).logits(short), expected, rtol=0, atol=1e-6
    )


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
