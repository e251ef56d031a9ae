"""Which reviews a reader may look at in the page: the worst mistakes, the least certain, and some drawn at random."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import THRESHOLD, Labels, Probabilities, most_confident_errors, predictions

SEED = 1
LARGEST_LIST = 100


@dataclass(frozen=True)
class ReviewList:
    """Some reviews in an order that says something.

    Attributes:
        name: of the list in the page's data.
        title: what a reader calls it.
        positions: of the reviews among the N, first to last.
        among: how many reviews they were chosen from.
    """

    name: str
    title: str
    positions: list[int]
    among: int


def least_certain(probabilities: Probabilities, count: int) -> NDArray[np.int64]:
    """Return the positions of the ``count`` probabilities nearest to 0.5, nearest first, ties by position."""
    return np.argsort(np.abs(probabilities - THRESHOLD), kind="stable")[:count]


def random_sample(texts: Sequence[str], count: int, seed: int = SEED) -> list[int]:
    """Return the positions of ``count`` texts drawn without regard to their order: those with the smallest keyed hash.

    The same texts give the same sample however they are ordered, and one text more changes it by one text at most.
    """
    key = str(seed).encode("ascii")
    drawn = ((keyed_hash(text, key), position) for position, text in enumerate(texts))
    return [position for _, position in heapq.nsmallest(count, drawn)]


def keyed_hash(text: str, key: bytes) -> bytes:
    """Return eight bytes that follow from a text and a key as if by chance (BLAKE2, RFC 7693)."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()


def chosen_reviews(
    texts: Sequence[str], labels: Labels, probabilities: Probabilities, count: int = LARGEST_LIST
) -> list[ReviewList]:
    """Return the lists of the page, each of at most ``count`` reviews; a review may stand in several.

    Args:
        texts: N raw texts.
        labels: (N,).
        probabilities: (N,).
        count: of reviews in a list.
    """
    wrong = int((predictions(probabilities) != labels).sum())
    worst = most_confident_errors(labels, probabilities, count).tolist()
    uncertain = least_certain(probabilities, count).tolist()
    return [
        ReviewList("mistakes", "Most confident mistakes", worst, wrong),
        ReviewList("uncertain", "Least certain", uncertain, len(texts)),
        ReviewList("random", "Random sample", random_sample(texts, count), len(texts)),
    ]
