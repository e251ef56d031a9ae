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
NETWORKS = {
    "default's kind": ModelSettings(32, pooling=("max", "mean", "attention")),
    "two layers": ModelSettings(16, layers=2, pooling=("last", "max")),
    "one direction": ModelSettings(48, bidirectional=False, pooling=("last",)),
}


def classifier_of(settings: ModelSettings) -> SentimentClassifier:
    torch.manual_seed(1)
    return SentimentClassifier(200, 30, settings).eval()


def folded_of(classifier: SentimentClassifier, kind: StoredKind, threads: int = 1) -> FoldedClassifier:
    weights = {name: tensor.numpy() for name, tensor in classifier.state_dict().items()}
    return FoldedClassifier.from_weights(weights, classifier.settings, threads=threads, kind=kind)


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


@pytest.mark.parametrize(("kind", "tolerance"), [(FLOAT32, 1e-6), pytest.param(BFLOAT16, 1e-6, marks=needs_bfloat16)])
def test_a_reviews_logit_depends_on_nothing_beside_it(kind: StoredKind, tolerance: float) -> None:
    classifier = classifier_of(NETWORKS["default's kind"])
    together = folded_of(classifier, kind).logits(reviews())
    alone = [folded_of(classifier, kind, threads=3).logits([review])[0] for review in reviews()]
    backwards = folded_of(classifier, kind, threads=2).logits(reviews()[::-1])[::-1]
    np.testing.assert_allclose(together, alone, rtol=0, atol=tolerance)
    np.testing.assert_allclose(together, backwards, rtol=0, atol=tolerance)


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
