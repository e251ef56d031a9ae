"""Finds near duplicates: reviews whose sets of five-word shingles have a Jaccard index of 0.8 or more.

Candidates come from MinHash signatures in a locality-sensitive index (Broder 1997; Leskovec, Rajaraman and Ullman,
Mining of Massive Datasets, chapter 3), by ``datasketch``. Each candidate is then verified on its shingles themselves,
so that the index can miss a pair (2 in 10,000 of those at 0.8 exactly, fewer above) but never adds a false one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from pipeline.console import Console

Hashes = NDArray[np.uint64]

SHINGLE_WORDS = 5
LEAST_JACCARD = 0.8
PERMUTATIONS = 64
BANDS, BAND_ROWS = 16, 4
"""A pair of Jaccard index s becomes a candidate with probability 1 - (1 - s^4)^16: 0.9998 at 0.8, 0.025 at 0.2."""
HTML_BREAK = r"(?i)<br\s*/?>"
BETWEEN_WORDS = r"[^\pL\pM\pN]+"
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(32)
REMEMBERED_SHINGLES = 5_000


@dataclass(frozen=True)
class WordHashes:
    """The words of several texts, each as a 64-bit hash.

    Attributes:
        flat: uint64, (total words,).
        offsets: int64, (texts + 1,); the words of text ``i`` are ``flat[offsets[i]:offsets[i + 1]]``.
    """

    flat: Hashes
    offsets: NDArray[np.int64]

    def of_each_text(self) -> Iterator[Hashes]:
        """Yield the words of each text, uint64 (words,)."""
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.flat[start:end]


def hash_of_bytes(content: bytes) -> int:
    """Return a 64-bit hash that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def hash_words(texts: pa.Array) -> WordHashes:
    """Cut texts into lower-cased words (runs of letters, marks and digits; HTML line breaks part words) and hash them.

    Args:
        texts: strings without nulls.
    """
    lowered = pc.utf8_lower(pc.replace_substring_regex(texts, HTML_BREAK, " "))
    pieces = pc.split_pattern_regex(lowered, BETWEEN_WORDS)
    ends = np.cumsum(pc.list_value_length(pieces).to_numpy(zero_copy_only=False), dtype=np.int64)
    encoded = pieces.flatten().dictionary_encode()
    words = encoded.dictionary.to_pylist()
    hash_of_word = np.fromiter((hash_of_bytes(word.encode()) for word in words), np.uint64, len(words))
    is_word = np.fromiter((bool(word) for word in words), np.bool_, len(words))
    positions = encoded.indices.to_numpy()
    kept = is_word[positions]  # a text that starts or ends between words has an empty piece there
    words_before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
    return WordHashes(hash_of_word[positions[kept]], words_before[np.concatenate([[0], ends])])


def hash_shingles(words: Hashes) -> Hashes:
    """Return the hashes of a text's shingles, in order: each run of five words, or all words where they are fewer.

    Args:
        words: uint64, (words,).

    Returns:
        uint64, (max(words - 4, 1),); empty for a text without words.
    """
    if len(words) == 0:
        return words
    width = min(SHINGLE_WORDS, len(words))
    count = len(words) - width + 1
    hashes = np.full(count, width, dtype=np.uint64)
    for position in range(width):
        # Array arithmetic wraps around, as meant; the shift brings the high bits, which are mixed best, back down.
        hashes = (hashes ^ words[position : position + count]) * MULTIPLIER
        hashes ^= hashes >> SHIFT
    return hashes


def jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    """Return the share of the elements of two sets that both have; 1 for two empty sets."""
    if not first and not second:
        return 1.0
    common = len(first & second)
    return common / (len(first) + len(second) - common)


class DisjointSets:
    """Numbers joined into sets; each set goes by its smallest number."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def find(self, number: int) -> int:
        """Return the smallest number of the set."""
        root = number
        while self._parent[root] != root:
            root = self._parent[root]
        while self._parent[number] != root:
            self._parent[number], number = root, self._parent[number]
        return root

    def join(self, first: int, second: int) -> None:
        """Make one set of two."""
        one, other = self.find(first), self.find(second)
        self._parent[max(one, other)] = min(one, other)

    def roots(self) -> NDArray[np.int64]:
        """Return the smallest number of each number's set, int64 (size,)."""
        return np.fromiter((self.find(number) for number in range(len(self._parent))), np.int64, len(self._parent))


class DuplicateFinder:
    """Groups near duplicates among texts that come one after the other.

    Texts with the same words in the same order are joined at once and only the first goes into the index, so that a
    text that stands there thousands of times costs no more than one.
    """

    def __init__(self, texts: pa.ChunkedArray) -> None:
        self._texts = texts
        self._sets = DisjointSets(len(texts))
        self._first_with_words: dict[bytes, int] = {}
        self._index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, BAND_ROWS))
        self._empty_signature = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
        self._shingles = lru_cache(maxsize=REMEMBERED_SHINGLES)(self._shingles_of_row)

    def add(self, row: int, words: Hashes) -> None:
        """Take the next text and join it to its near duplicates among the earlier ones.

        Args:
            row: its position among all texts.
            words: uint64, (words,).
        """
        # Texts without any word (a face, a row of stars) are alike only where they are equal.
        content = words.tobytes() or self._texts[row].as_py().encode()
        key = hashlib.blake2b(content, digest_size=16, person=b"words" if len(words) else b"text").digest()
        first = self._first_with_words.setdefault(key, row)
        if first != row:
            self._sets.join(first, row)
        elif len(words) >= SHINGLE_WORDS:  # a shorter text is one shingle, which no longer text has
            self._join_candidates(row, hash_shingles(words))

    def _join_candidates(self, row: int, shingles: Hashes) -> None:
        signature = self._empty_signature.copy()
        signature.update_batch((shingles >> SHIFT).tolist())
        for candidate in self._index.query(signature):
            apart = self._sets.find(candidate) != self._sets.find(row)
            if apart and jaccard(self._shingles(candidate), self._shingles(row)) >= LEAST_JACCARD:
                self._sets.join(candidate, row)
        self._index.insert(row, signature, check_duplication=False)

    def _shingles_of_row(self, row: int) -> frozenset[int]:
        words = hash_words(pa.array([self._texts[row].as_py()], pa.string())).flat
        return frozenset(hash_shingles(words).tolist())

    def groups(self) -> NDArray[np.int64]:
        """Return a number for each text, the same for near duplicates, numbered by first occurrence; int64 (texts,)."""
        return numbered_by_first_occurrence(self._sets.roots())


def numbered_by_first_occurrence(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Replace values by 0, 1, 2, ... in the order in which they first occur."""
    _, first_rows, positions = np.unique(values, return_index=True, return_inverse=True)
    numbers = np.empty(len(first_rows), np.int64)
    numbers[np.argsort(first_rows)] = np.arange(len(first_rows))
    return numbers[positions]


def find_duplicate_groups(tables: Iterable[pa.Table], console: Console) -> NDArray[np.int64]:
    """Group near duplicates over all rows of all tables.

    Similarity is made transitive: a group is a connected component.

    Args:
        tables: have a column ``text`` of strings without nulls.
        console: told about progress.

    Returns:
        int64, (rows of all tables,); the same number for near duplicates, numbered by first occurrence.
    """
    chunks = [chunk for table in tables for chunk in table.column("text").chunks]
    texts = pa.chunked_array(chunks, pa.string())
    finder = DuplicateFinder(texts)
    row = 0
    with console.progress(len(texts), "finding near duplicates") as progress:
        for chunk in chunks:
            for words in hash_words(chunk).of_each_text():
                finder.add(row, words)
                row += 1
            progress.update(len(chunk))
    return finder.groups()
