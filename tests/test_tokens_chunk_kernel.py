"""Promise: the compiled memory of chunks gives what the one in Python gives, bounded, and after any interruption."""

import ctypes
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import chunk_kernel, chunk_tokenizer, kernel_library
from pipeline.chunk_kernel import CompiledChunkMemory, load_chunk_library
from pipeline.chunk_tokenizer import ChunkTokenizer

LIBRARY = load_chunk_library()
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="no compiled kernels here")

CHUNKS = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["film.", "(great)", "é" * 9, "\0", "\ud800", "a" * 1001]
)
TEXTS = st.lists(st.lists(CHUNKS, max_size=12).map(" ".join), max_size=8)


def packed(chunk: str) -> bytes:
    """As many ids as the chunk has characters, each that character's code point."""
    return np.asarray([ord(character) for character in chunk], dtype=np.int32).tobytes()


def compiled(most: int) -> tuple[CompiledChunkMemory, Counter[str]]:
    assert LIBRARY is not None
    worked_out: Counter[str] = Counter()
    return CompiledChunkMemory(LIBRARY, lambda chunk: worked_out.update([chunk]) or packed(chunk), most), worked_out


def expected(text: str) -> list[int]:
    return [ord(character) for chunk in text.split() for character in chunk]


def test_every_character_is_white_space_or_not_as_in_python() -> None:
    memory, _ = compiled(1_000)
    texts = ["".join(f"a{chr(code)}b" for code in range(start, start + 64)) for start in range(0, sys.maxunicode, 64)]
    assert [array.tolist() for array in memory.token_id_arrays(texts)] == list(map(expected, texts))


@given(TEXTS, st.integers(0, 12))
def test_ids_are_those_of_the_chunks_whatever_is_forgotten(texts: list[str], most: int) -> None:
    memory, _ = compiled(most)
    for _ in range(3):
        arrays = memory.token_id_arrays(texts)
        assert [array.tolist() for array in arrays] == list(map(expected, texts))
        assert all(array.dtype == np.int32 and not array.flags.writeable for array in arrays)


@given(TEXTS)
def test_both_memories_agree(texts: list[str]) -> None:
    tokenizers = [ChunkTokenizer(len), ChunkTokenizer(len)]
    tokenizers[1].__dict__["_compiled"] = None
    assert isinstance(tokenizers[0]._compiled, CompiledChunkMemory)
    by_each = [[array.tolist() for array in tokenizer.token_id_arrays(texts)] for tokenizer in tokenizers]
    assert by_each[0] == by_each[1]


def test_a_chunk_is_worked_out_once_while_it_keeps_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_kernel, "TEXTS_PER_CALL", 2)
    memory, worked_out = compiled(20)
    memory.token_id_arrays([f"often only-{number} often" for number in range(500)])
    assert worked_out["often"] == 1
    memory.token_id_arrays(["only-0 only-499"])
    assert (worked_out["only-0"], worked_out["only-499"]) == (2, 1)


def test_long_chunks_fill_the_memory_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_kernel, "TEXTS_PER_CALL", 1)
    memory, worked_out = compiled(100)
    memory.token_id_arrays(["first", *("x" * 3_000 + str(number) for number in range(3)), "first"])
    assert worked_out["first"] == 2


def test_growing_tables_lose_nothing() -> None:
    memory, worked_out = compiled(1_000_000)
    text = " ".join(str(number) for number in range(30_000))
    for _ in range(2):
        (array,) = memory.token_id_arrays([text])
        assert array.tolist() == expected(text)
    assert worked_out.total() == 30_000


def test_a_call_that_was_given_up_leaves_no_chunk_without_ids() -> None:
    assert LIBRARY is not None
    troubles = [KeyboardInterrupt()]

    def work_out(chunk: str) -> bytes:
        if chunk == "two" and troubles:
            raise troubles.pop()
        return packed(chunk)

    memory = CompiledChunkMemory(LIBRARY, work_out, 100)
    memory.token_id_arrays(["zero"])
    with pytest.raises(KeyboardInterrupt):
        memory.token_id_arrays(["zero one two three"])
    (array,) = memory.token_id_arrays(["zero one two three"])
    assert array.tolist() == expected("zero one two three")


def test_threads_may_share_a_memory() -> None:
    memory, _ = compiled(50)
    texts = [f"shared {number % 97} word{number} " * 20 for number in range(2_000)]
    parts = [texts[start : start + 100] for start in range(0, len(texts), 100)]
    with ThreadPoolExecutor(4) as threads:
        arrays = [array.tolist() for part in threads.map(memory.token_id_arrays, parts) for array in part]
    assert arrays == list(map(expected, texts))


@pytest.mark.parametrize("problem", ["no library", "an older library"])
def test_without_it_the_memory_in_python_serves(monkeypatch: pytest.MonkeyPatch, problem: str) -> None:
    def load() -> ctypes.CDLL:
        if problem == "no library":
            raise kernel_library.KernelError("none here")
        return ctypes.CDLL(None)

    monkeypatch.setattr(kernel_library, "load_library", load)
    assert chunk_tokenizer.load_chunk_library() is None
    tokenizer = ChunkTokenizer(len)
    assert [array.tolist() for array in tokenizer.token_id_arrays(["a film<br />!", ""])] == [[1, 4, 1], []]
    assert len(tokenizer._packed_ids) == 3
