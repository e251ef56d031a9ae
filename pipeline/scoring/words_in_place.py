"""The words of a text as they stand there: one for each token that the model reads, and where it is.

The tokenizer gives lower-cased forms without places. A chunk's tokens add up to the chunk, so each form is found again
by going through it from the left; lower-casing may change the length of a word.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from itertools import chain

from pipeline.chunk_tokenizer import ChunkMemory, chunks_of, pieces_of
from pipeline.review_text import HTML_BREAK
from pipeline.spacy_rules import english_chunk_rules

MOST_CHUNKS = 100_000
"""Fewer than the tokenizer remembers: with their pieces they take more memory, some 25 MB."""
_CHUNK = re.compile(r"\S+")


def pieces_as_written(chunk: str, forms: Sequence[str]) -> tuple[str, ...]:
    """Cut a chunk into the pieces whose lower-cased forms are given; what is left over belongs to the last one."""
    pieces = []
    start = 0
    for form in forms[:-1]:
        end = start + len(form)
        if chunk[start:end].lower() != form:  # some capitals become two characters
            ends = range(start + 1, min(start + len(form), len(chunk)) + 1)
            end = next((found for found in ends if chunk[start:found].lower() == form), end)
        pieces.append(chunk[start:end])
        start = end
    return (*pieces, chunk[start:]) if forms else ()


class WordReader:
    """Takes texts apart as the model's tokenizer does, and leaves the words as they are; several threads may call it.

    Args:
        most_chunks: how many chunks are remembered at most.
    """

    def __init__(self, most_chunks: int = MOST_CHUNKS) -> None:
        self._lock = threading.Lock()
        self._forms_of_chunk = english_chunk_rules()
        self._pieces = ChunkMemory(self._pieces_of_chunk, most_chunks)

    def _pieces_of_chunk(self, chunk: str) -> tuple[str, ...]:
        return pieces_as_written(chunk, self._forms_of_chunk(chunk))

    def words(self, text: str) -> list[str]:
        """Return the words of a text, one for each token, in order; none holds white space."""
        with self._lock:
            return list(chain.from_iterable(map(self._known_pieces().__getitem__, chunks_of(text))))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where each word of a text starts and ends, in the order of :meth:`words`."""
        spans: list[tuple[int, int]] = []
        # the tokenizer takes breaks for white space; here it is as long as they are
        for found in _CHUNK.finditer(HTML_BREAK.sub(lambda found: " " * len(found[0]), text)):
            start = found.start()
            for chunk in pieces_of(found[0]):
                with self._lock:
                    pieces = self._known_pieces()[chunk]
                for piece in pieces:
                    spans.append((start, start + len(piece)))
                    start += len(piece)
        return spans

    def _known_pieces(self) -> ChunkMemory[tuple[str, ...]]:
        if self._pieces.is_full:
            self._pieces = self._pieces.successor()
        return self._pieces
