"""From texts to lower-cased spaCy tokens, behind a memory of white-space chunks. Training and scoring share it.

The tokens of a text are the tokens of its chunks, so each distinct chunk is taken apart once. That is what spaCy makes
of the whole text, but for rare runs of punctuation. spaCy looks for emoticons across white space too: in ``:) )`` it
finds the three tokens of ``:))``, leaves them alone for the blank between them, and so misses the ``:)`` that is there.
Here it is one token. 7 of the 100,000 reviews of IMDb differ for that: 3 in train, 2 in test, 2 without a label.

Token ids come from :mod:`~pipeline.chunk_kernel` where it could be compiled, else from :class:`ChunkMemory`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import chain
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.chunk_kernel import CompiledChunkMemory, load_chunk_library
from pipeline.chunk_rules import FormsOfChunk
from pipeline.review_text import HTML_BREAK
from pipeline.spacy_rules import english_chunk_rules

LONGEST_CHUNK = 1_000
"""Characters. Punctuation is stripped one character at a time, so that a longer chunk would cost its square."""
LONGEST_REMEMBERED_CHUNK = 40
MOST_CHUNKS = 500_000

Value = TypeVar("Value")
OfChunk = TypeVar("OfChunk")


def without_breaks(text: str) -> str:
    """Return a text with white space in place of HTML line breaks."""
    if "<" not in text:
        return text
    spaced = text.replace("<br />", " ")  # the usual spelling, much faster than the expression
    return HTML_BREAK.sub(" ", text) if "<" in spaced else spaced


def chunks_of(text: str) -> list[str]:
    """Return the white-space chunks of a text; HTML line breaks count as white space."""
    return [piece for chunk in without_breaks(text).split() for piece in pieces_of(chunk)]


def pieces_of(chunk: str) -> list[str]:
    """Return a chunk, in pieces where it is too long."""
    return [chunk[start : start + LONGEST_CHUNK] for start in range(0, len(chunk), LONGEST_CHUNK)]


class ChunkMemory(dict[str, OfChunk]):
    """What each chunk gives, worked out when it is first asked for; at most half of ``most`` chunks.

    A full memory is replaced by its :meth:`successor`, which begins empty and still knows what this one knows. So
    chunks that keep coming are never worked out again, and no moment of forgetting is dear.

    Args:
        work_out: what a chunk gives.
        most: chunks, in this memory and its predecessor together.
        predecessor: asked before a chunk is worked out.
    """

    def __init__(
        self, work_out: Callable[[str], OfChunk], most: int, predecessor: dict[str, OfChunk] | None = None
    ) -> None:
        self._work_out = work_out
        self._most = most
        self._room = most // 2
        self._predecessor = predecessor or {}

    def __missing__(self, chunk: str) -> OfChunk:
        """Work out what a chunk gives, or ask the predecessor."""
        of_chunk = self._predecessor.get(chunk)
        if of_chunk is None:
            of_chunk = self._work_out(chunk)
        if len(self) < self._room and len(chunk) <= LONGEST_REMEMBERED_CHUNK:
            self[chunk] = of_chunk
        return of_chunk

    @property
    def is_full(self) -> bool:
        """Whether it takes no more chunks."""
        return len(self) >= self._room

    def successor(self) -> ChunkMemory[OfChunk]:
        """Return an empty memory that knows what this one knows; this one forgets its own predecessor."""
        self._predecessor = {}
        return ChunkMemory(self._work_out, self._most, self)


class ChunkTokenizer(Generic[Value]):
    """The tokenizer of a blank English spaCy pipeline, lower-casing, behind a bounded memory of chunks.

    Args:
        value_of_form: what to return for each lower-cased token form: the form itself, or its token id.
        max_chunks: how many chunks are remembered at most.
    """

    def __init__(self, value_of_form: Callable[[str], Value], max_chunks: int = MOST_CHUNKS) -> None:
        self._value_of_form = value_of_form
        self._max_chunks = max_chunks
        self._values = ChunkMemory(self._values_of_chunk, max_chunks)
        self._packed_ids = ChunkMemory(self._packed_ids_of_chunk, max_chunks)

    @cached_property
    def _forms_of_chunk(self) -> FormsOfChunk:
        return english_chunk_rules()  # when the first chunk comes, so that making a tokenizer costs nothing

    @cached_property
    def _compiled(self) -> CompiledChunkMemory | None:
        library = load_chunk_library()
        return None if library is None else CompiledChunkMemory(library, self._packed_ids_of_chunk, self._max_chunks)

    def __call__(self, texts: Iterable[str]) -> Iterator[list[Value]]:
        """Yield the values of each text's tokens, in order."""
        for text in texts:
            if self._values.is_full:
                self._values = self._values.successor()
            chunks = without_breaks(text).split()
            yield list(chain.from_iterable(map(self._values.__getitem__, chunks)))

    def token_id_arrays(self, texts: Iterable[str]) -> list[NDArray[np.int32]]:
        """Return the values of each text's tokens as read-only int32 arrays, (tokens,); the faster way for token ids.

        Raises:
            struct.error: a value is no int32.
        """
        texts = list(map(without_breaks, texts))
        if self._compiled is not None:
            return self._compiled.token_id_arrays(texts)
        return list(map(self._token_ids, texts))

    def _token_ids(self, text: str) -> NDArray[np.int32]:
        if self._packed_ids.is_full:
            self._packed_ids = self._packed_ids.successor()
        return np.frombuffer(b"".join(map(self._packed_ids.__getitem__, text.split())), dtype=np.int32)

    def _forms_of_pieces(self, chunk: str) -> list[str]:
        if len(chunk) <= LONGEST_CHUNK:
            return self._forms_of_chunk(chunk)
        return [form for piece in pieces_of(chunk) for form in self._forms_of_chunk(piece)]

    def _values_of_chunk(self, chunk: str) -> tuple[Value, ...]:
        return tuple(map(self._value_of_form, self._forms_of_pieces(chunk)))

    def _packed_ids_of_chunk(self, chunk: str) -> bytes:
        forms = self._forms_of_pieces(chunk)
        return _int32_packer(len(forms))(*map(self._value_of_form, forms))


@lru_cache(maxsize=64)
def _int32_packer(count: int) -> Callable[..., bytes]:
    return struct.Struct(f"={count}i").pack
