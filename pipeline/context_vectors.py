"""Vectors for words that the table lacks, read off their neighbours in the training text.

A word's context vector is the average of the known vectors around its occurrences, with frequent words weighing less
(Arora et al. 2017). A linear map from context vectors to known vectors, fitted on the words that have both, then gives
every other word a vector of its own ("A la carte embedding", Khodak et al. 2018). No label and no other text is read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pipeline.special_tokens import PAD_ID, UNKNOWN_ID

WINDOW = 5
"""Tokens to each side that count as context."""
FREQUENT_SHARE = 1e-3
"""A word with this share of all tokens weighs half as much in a context as a rare one."""


def context_sums(
    token_ids: NDArray[np.int32], review_of_token: NDArray[np.int64], weighted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum a matrix's rows over the neighbours of each word's occurrences.

    Args:
        token_ids: (N,); all reviews, one after the other.
        review_of_token: (N,); neighbours are of one review.
        weighted: (V, K); what each word contributes where it stands in a context.

    Returns:
        float64, (V, K).
    """
    size = len(weighted)
    sums = np.zeros_like(weighted)
    for distance in range(1, WINDOW + 1):
        together = review_of_token[:-distance] == review_of_token[distance:]
        left, right = token_ids[:-distance][together], token_ids[distance:][together]
        ones = np.ones(len(left), dtype=np.float32)
        neighbours = sparse.coo_array((ones, (left, right)), shape=(size, size)).tocsr()
        sums += neighbours @ weighted + neighbours.T @ weighted
    return sums


def fill_from_contexts(
    vectors: NDArray[np.float32],
    found: NDArray[np.uint8],
    token_ids: NDArray[np.int32],
    review_of_token: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return a copy whose words without a vector have one made of their contexts.

    The new vectors are scaled to the mean length of the known ones. Words that never stand beside a known word keep
    what they have, and so do ``<pad>`` and ``<unk>``.

    Args:
        vectors: float32, (V, D).
        found: (V,); 1 where the vector is known.
        token_ids: int32, (N,); the training text, one review after the other.
        review_of_token: int64, (N,); which review each token is of.

    Returns:
        float32, (V, D).
    """
    known = found != 0
    counts = np.bincount(token_ids, minlength=len(vectors)).astype(np.float64)
    weights = known * FREQUENT_SHARE / (FREQUENT_SHARE + counts / max(counts.sum(), 1.0))  # (V,)
    contributions = np.concatenate([vectors * weights[:, None], weights[:, None]], axis=1)  # (V, D + 1)
    sums = context_sums(token_ids, review_of_token, contributions)
    has_context = sums[:, -1] > 0
    contexts = sums[:, :-1] / np.where(has_context, sums[:, -1], 1.0)[:, None]  # (V, D)
    fitted = known & has_context
    target = ~known & has_context
    target[[PAD_ID, UNKNOWN_ID]] = False
    if fitted.sum() <= vectors.shape[1] or not target.any():
        return vectors.copy()
    importance = np.sqrt(counts[fitted])[:, None]  # a word seen often has a context vector with less noise
    mapping = np.linalg.lstsq(contexts[fitted] * importance, vectors[fitted] * importance, rcond=None)[0]  # (D, D)
    made = contexts[target] @ mapping
    mean_length = np.linalg.norm(vectors[known], axis=1).mean()
    result = vectors.copy()
    result[target] = made * (mean_length / max(np.linalg.norm(made, axis=1).mean(), 1e-12))
    return result
