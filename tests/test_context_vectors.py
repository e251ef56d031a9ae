"""Promise: a word without a vector gets one like those of the words it stands among; the known ones stay."""

import numpy as np
import pytest

from pipeline.context_vectors import fill_from_contexts

SIZE, DIMENSION = 40, 4


@pytest.fixture
def text() -> tuple[np.ndarray, np.ndarray]:
    """Reviews about one of two topics: words 2-20 in the one, 21-39 in the other."""
    generator = np.random.default_rng(0)
    reviews = [generator.integers(2, 21, 30) if topic else generator.integers(21, 40, 30) for topic in (0, 1) * 60]
    return np.concatenate(reviews).astype(np.int32), np.repeat(np.arange(len(reviews)), 30)


def vectors_by_topic() -> np.ndarray:
    generator = np.random.default_rng(1)
    centres = np.where(np.arange(SIZE)[:, None] <= 20, [[2.0, 0, 0, 0]], [[0, 2.0, 0, 0]])
    return (centres + generator.normal(0, 0.3, (SIZE, DIMENSION))).astype(np.float32)


def test_missing_words_come_out_among_their_neighbours(text: tuple[np.ndarray, np.ndarray]) -> None:
    truth, found = vectors_by_topic(), np.ones(SIZE, dtype=np.uint8)
    missing = [0, 1, 5, 30]
    found[missing] = 0
    start = truth.copy()
    start[missing] = 0
    filled = fill_from_contexts(start, found, *text)
    known = np.setdiff1d(np.arange(SIZE), missing)
    assert np.array_equal(filled[known], truth[known])
    assert not filled[:2].any()
    assert filled[5, 0] > 1 > abs(filled[5, 1])
    assert filled[30, 1] > 1 > abs(filled[30, 0])


def test_contexts_do_not_reach_across_reviews(text: tuple[np.ndarray, np.ndarray]) -> None:
    truth, found = vectors_by_topic(), np.ones(SIZE, dtype=np.uint8)
    found[[0, 1, 5]] = 0
    token_ids, review_of_token = text
    order = np.argsort(review_of_token % 2, kind="stable")  # the topics' reviews now stand apart
    one, other = (
        fill_from_contexts(truth, found, ids, reviews)
        for ids, reviews in ((token_ids, review_of_token), (token_ids[order], review_of_token[order]))
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_too_little_known_changes_nothing(text: tuple[np.ndarray, np.ndarray]) -> None:
    truth, found = vectors_by_topic(), np.zeros(SIZE, dtype=np.uint8)
    found[2:5] = 1
    assert np.array_equal(fill_from_contexts(truth, found, *text), truth)
