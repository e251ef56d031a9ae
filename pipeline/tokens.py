"""Second stage: from texts to lower-cased spaCy tokens.

The tokenizer is that of a blank English spaCy pipeline, which needs no model download. It is put behind a memory of
white-space chunks: the tokens of a text are the tokens of its chunks, so each distinct chunk meets spaCy once. The one
exception is spaCy's few tokens that hold white space themselves (an emoticon such as ``: )``), which come out as two
tokens here. The same class serves training and scoring, so the two cannot disagree.

On disk a corpus holds each distinct token form once (``forms.arrow``) and each review as a list of form ids.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import StageOutput, read_manifest, require_unchanged
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.review_text import HTML_BREAK

LONGEST_CHUNK = 1_000
"""Characters. spaCy strips punctuation one character at a time, so that a longer chunk would cost its square."""
LONGEST_REMEMBERED_CHUNK = 40
REVIEWS_PER_TASK = 500
TASKS_IN_FLIGHT_PER_PROCESS = 4
MOST_PROCESSES = 16
"""Taken unasked. Each holds a spaCy pipeline and a memory of chunks, and this process must keep up with them all."""

TOKENS_SCHEMA = pa.schema([("row", pa.int64()), ("form_ids", pa.large_list(pa.int32()))])
FORMS_SCHEMA = pa.schema([("form", pa.string())])

Value = TypeVar("Value")


def chunks_of(text: str) -> list[str]:
    """Return the white-space chunks of a text; HTML line breaks count as white space."""
    chunks = HTML_BREAK.sub(" ", text).split() if "<" in text else text.split()
    if all(len(chunk) <= LONGEST_CHUNK for chunk in chunks):
        return chunks
    return [chunk[start : start + LONGEST_CHUNK] for chunk in chunks for start in range(0, len(chunk), LONGEST_CHUNK)]


class ChunkTokenizer(Generic[Value]):
    """spaCy's English tokenizer behind a bounded memory of white-space chunks.

    Args:
        value_of_form: what to return for each lower-cased token form: the form itself, or its token id.
        max_chunks: how many chunks are remembered; a full memory is emptied, so that it stays bounded on any stream.
    """

    def __init__(self, value_of_form: Callable[[str], Value], max_chunks: int = 500_000) -> None:
        import spacy

        self._language = spacy.blank("en")
        self._value_of_form = value_of_form
        self._max_chunks = max_chunks
        self._remembered: dict[str, tuple[Value, ...]] = {}

    def __call__(self, texts: Iterable[str]) -> Iterator[list[Value]]:
        """Yield the values of each text's tokens, in order.

        spaCy's string store grows with each new string; the memory zone empties it at the end.
        """
        with self._language.memory_zone():
            for text in texts:
                yield self._values_of_text(text)

    def _values_of_text(self, text: str) -> list[Value]:
        remembered = self._remembered
        values: list[Value] = []
        for chunk in chunks_of(text):
            of_chunk = remembered.get(chunk)
            values.extend(self._values_of_chunk(chunk) if of_chunk is None else of_chunk)
        return values

    def _values_of_chunk(self, chunk: str) -> tuple[Value, ...]:
        values = tuple(
            self._value_of_form(token.lower_) for token in self._language.tokenizer(chunk) if not token.is_space
        )
        if len(chunk) <= LONGEST_REMEMBERED_CHUNK:
            if len(self._remembered) >= self._max_chunks:
                self._remembered.clear()
            self._remembered[chunk] = values
        return values


@dataclass(frozen=True)
class TokenizedTexts:
    """Several texts' tokens as one task returns them.

    Attributes:
        forms: the distinct forms, in order of first occurrence.
        positions: int32, (total tokens,); index into ``forms``.
        lengths: int64, (texts,); tokens of each text.
    """

    forms: list[str]
    positions: NDArray[np.int32]
    lengths: NDArray[np.int64]


def tokenize_texts(tokenizer: ChunkTokenizer[str], texts: Sequence[str]) -> TokenizedTexts:
    """Tokenise texts and name each distinct form once."""
    position_of_form: dict[str, int] = {}
    positions: list[int] = []
    lengths = []
    for forms in tokenizer(texts):
        positions.extend(position_of_form.setdefault(form, len(position_of_form)) for form in forms)
        lengths.append(len(forms))
    return TokenizedTexts(
        list(position_of_form), np.asarray(positions, dtype=np.int32), np.asarray(lengths, dtype=np.int64)
    )


_tokenizer_of_process: ChunkTokenizer[str] | None = None


def _exit_with_parent() -> None:
    """End this worker when its parent dies, even by SIGKILL; the pool alone would leave it waiting for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _start_worker() -> None:
    global _tokenizer_of_process
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _tokenizer_of_process = ChunkTokenizer(str)


def _tokenize_in_worker(texts: list[str]) -> TokenizedTexts:
    assert _tokenizer_of_process is not None
    return tokenize_texts(_tokenizer_of_process, texts)


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def worker_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Return a pool whose workers make way at once when the work is given up: what waits is dropped."""
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Let Ctrl-C wait; a process that is started meanwhile never gets it, not even before its first line runs."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def in_order_and_bounded(
    pool: ProcessPoolExecutor, tasks: Iterable[list[str]], in_flight: int
) -> Iterator[TokenizedTexts]:
    """Yield the tasks' results in order, with at most ``in_flight`` of them under way, so that memory stays flat."""
    waiting: deque[Future[TokenizedTexts]] = deque()
    for task in tasks:
        with interrupts_held_back():  # submitting starts a worker where one is wanted
            waiting.append(pool.submit(_tokenize_in_worker, task))
        if len(waiting) >= in_flight:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class FormTable:
    """The distinct forms of a corpus in order of first occurrence: the position of a form is its form id."""

    def __init__(self) -> None:
        self._id_of_form: dict[str, int] = {}

    def ids(self, forms: Sequence[str]) -> NDArray[np.int32]:
        """Return the form ids, int32, (len(forms),); new forms are added."""
        table = self._id_of_form
        return np.asarray([table.setdefault(form, len(table)) for form in forms], dtype=np.int32)

    def to_table(self) -> pa.Table:
        """Return the forms as an Arrow table with one column."""
        return pa.table({"form": pa.array(list(self._id_of_form), pa.string())}, schema=FORMS_SCHEMA)


def to_record_batch(first_row: int, tokenized: TokenizedTexts, table: FormTable) -> pa.RecordBatch:
    """Return rows ``first_row...`` with form ids in place of forms."""
    ids = table.ids(tokenized.forms)
    form_ids = ids[tokenized.positions] if len(ids) else np.empty(0, dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum(tokenized.lengths)]).astype(np.int64)
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(form_ids, pa.int32()))
    rows = np.arange(first_row, first_row + len(tokenized.lengths), dtype=np.int64)
    return pa.record_batch([pa.array(rows), lists], schema=TOKENS_SCHEMA)


def read_texts(path: Path) -> Iterator[list[str]]:
    """Yield the texts of a corpus split, a few hundred at a time.

    Raises:
        SentimentError: the file is missing or damaged.
    """
    for texts in read_arrow(path, ["text"], "data").column("text").chunks:
        for start in range(0, len(texts), REVIEWS_PER_TASK):
            yield texts.slice(start, REVIEWS_PER_TASK).to_pylist()


def build_tokens(corpus_folder: Path, folder: Path, console: Console, *, processes: int | None) -> dict[str, Any]:
    """Tokenise every split of the corpus; return the manifest.

    The result does not depend on the number of processes.

    Args:
        corpus_folder: what ``sentiment data`` wrote.
        folder: receives ``forms.arrow``, one ``SPLIT.arrow`` for each split and ``manifest.json``.
        console: told about progress.
        processes: worker processes; None takes one for each core it may run on, ``MOST_PROCESSES`` at most.

    Raises:
        SentimentError: the corpus is missing or damaged.
    """
    corpus = read_manifest(corpus_folder, "data")
    rows: dict[str, int] = corpus["rows"]
    processes = processes or min(usable_cores(), MOST_PROCESSES)
    table = FormTable()
    tokens_of_split: dict[str, int] = {}
    with StageOutput(folder, "tokens") as output, worker_pool(processes) as pool:
        for split, split_rows in rows.items():
            tokens_of_split[split] = 0
            tasks = read_texts(corpus_folder / f"{split}.arrow")
            results = in_order_and_bounded(pool, tasks, processes * TASKS_IN_FLIGHT_PER_PROCESS)
            with (
                pa.ipc.new_file(str(output.path(f"{split}.arrow")), TOKENS_SCHEMA) as writer,
                console.progress(split_rows, f"tokens of {split}") as progress,
            ):
                done = 0
                for tokenized in results:
                    writer.write_batch(to_record_batch(done, tokenized, table))
                    done += len(tokenized.lengths)
                    tokens_of_split[split] += int(tokenized.lengths.sum())
                    progress.update(len(tokenized.lengths))
            if done != split_rows:
                raise SentimentError(f"{corpus_folder / split}.arrow: {done} rows, the manifest says {split_rows}")
        forms = table.to_table()
        with pa.ipc.new_file(str(output.path("forms.arrow")), FORMS_SCHEMA) as writer:
            writer.write_table(forms)
        require_unchanged(corpus_folder, "data", corpus)
        manifest = output.commit(
            inputs={"corpus": corpus["fingerprint"]},
            settings={"tokenizer": "spacy.blank('en'), lower-cased, per white-space chunk"},
            details={"name": corpus["name"], "rows": rows, "tokens": tokens_of_split, "forms": len(forms)},
        )
    console.say(f"tokens: {sum(tokens_of_split.values()):,} tokens of {len(forms):,} forms in {folder}")
    return manifest


def read_forms(folder: Path) -> list[str]:
    """Return the forms of a tokenised corpus; the position of a form is its form id.

    Raises:
        SentimentError: the file is missing or damaged.
    """
    forms: list[str] = read_arrow(folder / "forms.arrow", ["form"], "tokens").column("form").to_pylist()
    return forms


def read_form_ids(folder: Path, split: str) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return a split's form ids, flat, and the offsets of its reviews.

    Returns:
        form_ids: int32, (total tokens,).
        offsets: int64, (rows + 1,); review ``i`` is ``form_ids[offsets[i]:offsets[i + 1]]``.

    Raises:
        SentimentError: the file is missing or damaged.
    """
    lists = read_arrow(folder / f"{split}.arrow", ["form_ids"], "tokens").column("form_ids").combine_chunks()
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    form_ids = lists.flatten().to_numpy(zero_copy_only=False).copy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return form_ids.astype(np.int32), offsets
