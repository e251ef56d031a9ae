"""The memory of chunks in compiled code: cuts texts at white space and looks up the token ids of their chunks.

Several times faster than :class:`~pipeline.chunk_tokenizer.ChunkMemory`, which serves where nothing could be compiled,
and in less memory. It knows no rule of tokenising: each new chunk is handed out, once, to be worked out.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import kernel_library

BYTES_PER_CHUNK = 64
"""What a chunk and its ids may take on average. Longer ones fill the memory sooner."""
TEXTS_PER_CALL = 500
_NUMBER, _POINTER = ctypes.c_int64, ctypes.c_void_p
_SIGNATURES: dict[str, tuple[Any, Sequence[Any]]] = {
    "new_chunk_memory": (_POINTER, (_NUMBER, _NUMBER)),
    "delete_chunk_memory": (None, (_POINTER,)),
    "read_chunks": (_NUMBER, (_POINTER, ctypes.c_char_p, _POINTER, _NUMBER)),
    "bytes_of_unknown_chunks": (_NUMBER, (_POINTER,)),
    "copy_unknown_chunks": (None, (_POINTER, ctypes.c_char_p)),
    "learn_chunks": (_NUMBER, (_POINTER, ctypes.c_char_p, _POINTER, _POINTER)),
    "copy_token_ids": (None, (_POINTER, _POINTER)),
}


def load_chunk_library() -> ctypes.CDLL | None:
    """Return the compiled kernels with their signatures set; None where they cannot be had."""
    if kernel_library.load_kernels() is None:  # remembers a failure, so that it is not tried again
        return None
    try:
        library = kernel_library.load_library()
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (kernel_library.KernelError, AttributeError):
        return None
    return library


def _offsets(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    offsets[1:] = np.cumsum(np.asarray(lengths, dtype=np.int64))
    return offsets


class CompiledChunkMemory:
    """From texts to token ids, behind a bounded memory of chunks.

    Args:
        library: from :func:`load_chunk_library`.
        packed_ids_of_chunk: the token ids of a chunk, int32, as bytes.
        most: how many chunks are remembered at most, besides those of the last ``TEXTS_PER_CALL`` texts.
    """

    def __init__(self, library: ctypes.CDLL, packed_ids_of_chunk: Callable[[str], bytes], most: int) -> None:
        self._library = library
        self._packed_ids_of_chunk = packed_ids_of_chunk
        self._lock = threading.Lock()  # the calls release the interpreter's own
        self._memory = library.new_chunk_memory(most, most * BYTES_PER_CHUNK)
        if not self._memory:
            raise MemoryError
        weakref.finalize(self, library.delete_chunk_memory, self._memory)

    def token_id_arrays(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return the token ids of texts without HTML breaks, read-only int32, (tokens,) each."""
        arrays: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), TEXTS_PER_CALL):
            with self._lock:
                arrays += self._arrays_of_some(texts[start : start + TEXTS_PER_CALL])
        return arrays

    def _arrays_of_some(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        starts = _offsets(list(map(len, encoded)))
        unknown = self._library.read_chunks(self._memory, b"".join(encoded), starts.ctypes.data, len(texts))
        packed = list(map(self._packed_ids_of_chunk, self._unknown_chunks())) if unknown else []
        first_ids = _offsets([len(ids) // 4 for ids in packed])
        counts = np.empty(len(texts), dtype=np.int64)
        total = self._library.learn_chunks(self._memory, b"".join(packed), first_ids.ctypes.data, counts.ctypes.data)
        ids = np.empty(total, dtype=np.int32)
        self._library.copy_token_ids(self._memory, ids.ctypes.data)
        ids.flags.writeable = False
        return [ids[start:end] for start, end in pairwise(_offsets(counts).tolist())]

    def _unknown_chunks(self) -> list[str]:
        chunks = ctypes.create_string_buffer(self._library.bytes_of_unknown_chunks(self._memory))
        self._library.copy_unknown_chunks(self._memory, chunks)
        return chunks.raw.decode("utf-8", "surrogatepass").split(" ")[:-1]
