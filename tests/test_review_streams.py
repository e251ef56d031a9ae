"""Promise: an epoch's streams hold each token once with what follows it; a segment goes on where another stopped."""

import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.review_streams import END_ID, Chunk, ReviewStreams


def distinct_reviews(lengths: list[int]) -> list[np.ndarray]:
    """Reviews in which no token stands twice, so that a token says where it is from."""
    ends = np.cumsum(lengths)
    return [np.arange(end - length + 2, end + 2, dtype=np.int32) for end, length in zip(ends, lengths, strict=True)]


def segments_of(chunk: Chunk) -> list[tuple[list[int], list[int]]]:
    """The tokens and targets of each sorted segment, from the time-major layout."""
    batch = chunk.batch
    segments = []
    for row, length in enumerate(batch.lengths):
        positions = batch.offsets[:length] + row
        segments.append((batch.token_ids[positions].tolist(), chunk.targets[positions].tolist()))
    return segments


epochs = given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    streams=st.integers(1, 7),
    chunk_length=st.integers(1, 9),
    reversed_in_time=st.booleans(),
    seed=st.integers(0, 5),
)


def read(lengths: list[int], streams: int, chunk_length: int, reversed_in_time: bool, seed: int) -> ReviewStreams:
    order = np.random.default_rng(seed).permutation(len(lengths))
    return ReviewStreams(
        distinct_reviews(lengths),
        order,
        streams=streams,
        chunk_length=chunk_length,
        reversed_in_time=reversed_in_time,
    )


@epochs
def test_each_token_is_read_once_with_the_one_that_follows(
    lengths: list[int], streams: int, chunk_length: int, reversed_in_time: bool, seed: int
) -> None:
    following = {}
    for review in distinct_reviews(lengths):
        direction = (review[::-1] if reversed_in_time else review).tolist()
        following |= dict(zip(direction, [*direction[1:], END_ID], strict=True))
    epoch = read(lengths, streams, chunk_length, reversed_in_time, seed)
    pairs = []
    for index in range(epoch.chunks):
        chunk = epoch.chunk(index)
        assert chunk.batch.token_ids.dtype == chunk.targets.dtype == np.int32
        assert len(chunk.batch.token_ids) <= streams * chunk_length
        pairs += zip(chunk.batch.token_ids.tolist(), chunk.targets.tolist(), strict=True)
    assert len(pairs) == sum(lengths)
    assert dict(pairs) == following


@epochs
def test_a_segment_goes_on_where_its_review_stopped(
    lengths: list[int], streams: int, chunk_length: int, reversed_in_time: bool, seed: int
) -> None:
    reviews = [review[::-1] if reversed_in_time else review for review in distinct_reviews(lengths)]
    before = {token: earlier for review in reviews for earlier, token in itertools.pairwise(review)}
    epoch = read(lengths, streams, chunk_length, reversed_in_time, seed)
    reached: dict[int, int] = {}  # of each stream the last token
    cut_by_streams = 0
    for index in range(epoch.chunks):
        chunk = epoch.chunk(index)
        now = {}
        for (tokens, _), entered, carried in zip(
            segments_of(chunk), chunk.entered_from.tolist(), chunk.carried_to.tolist(), strict=True
        ):
            assert all(before.get(token) == earlier for earlier, token in itertools.pairwise(tokens))
            if entered >= 0:
                assert before[tokens[0]] == reached[entered]
            elif tokens[0] in before:  # a review that lies across two streams
                assert index == 0
                cut_by_streams += 1
            if carried >= 0:
                assert carried not in now
                now[carried] = tokens[-1]
        reached |= now
    assert cut_by_streams < streams


@epochs
def test_the_number_of_chunks_is_what_the_tokens_need(
    lengths: list[int], streams: int, chunk_length: int, reversed_in_time: bool, seed: int
) -> None:
    epoch = read(lengths, streams, chunk_length, reversed_in_time, seed)
    assert epoch.chunks == math.ceil(math.ceil(sum(lengths) / streams) / chunk_length)
