"""Promises: every review once in an epoch; long reviews cut to head and tail; batches bounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batches import batches_by_length, shuffled_batches
from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.padding import pad

LENGTHS = st.lists(st.integers(0, 500), min_size=1, max_size=300).map(lambda values: np.asarray(values, dtype=np.int64))


@given(LENGTHS, st.integers(1, 40), st.integers(0, 5))
def test_every_review_once_in_an_epoch(lengths: np.ndarray, batch_size: int, seed: int) -> None:
    batches = shuffled_batches(lengths, batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(len(batch) <= batch_size for batch in batches)
    assert len(batches) == -(-len(lengths) // batch_size)


@given(LENGTHS, st.integers(1, 2000))
def test_scoring_batches_are_whole_and_bounded(lengths: np.ndarray, max_tokens: int) -> None:
    batches = batches_by_length(lengths, max_tokens)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= max_tokens for batch in batches)


@pytest.mark.parametrize(
    ("maximum", "expected"), [(0, [0, 1, 2, 3, 4]), (5, [0, 1, 2, 3, 4]), (3, [0, 3, 4]), (2, [0, 4])]
)
def test_head_and_tail(maximum: int, expected: list[int]) -> None:
    assert cut_to_head_and_tail(np.arange(5, dtype=np.int32), maximum).tolist() == expected


def test_pad_puts_padding_behind() -> None:
    token_ids, lengths = pad([np.array([5, 6, 7], dtype=np.int32), np.array([], dtype=np.int32)])
    assert token_ids.tolist() == [[5, 6, 7], [0, 0, 0]]
    assert lengths.tolist() == [3, 1]
