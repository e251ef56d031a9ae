"""Second stage: from texts to lower-cased spaCy tokens, by the tokenizer that scoring uses too.

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
from functools import partial
from itertools import islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import StageOutput, read_manifest, require_unchanged
from pipeline.chunk_kernel import load_chunk_library
from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.spacy_rules import known_rules

REVIEWS_PER_TASK = 500
TASKS_IN_FLIGHT_PER_PROCESS = 4
MOST_PROCESSES = 16
"""Taken unasked. Each holds a memory of chunks, and this process must keep up with them all."""
MOST_NUMBERED_FORMS = 1_000_000

TOKENS_SCHEMA = pa.schema([("row", pa.int64()), ("form_ids", pa.large_list(pa.int32()))])
FORMS_SCHEMA = pa.schema([("form", pa.string())])


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


class FormNumbers(dict[str, int]):
    """A number for each form that was asked for, in the order of asking."""

    def __missing__(self, form: str) -> int:
        """Give a form the next number."""
        self[form] = number = len(self)
        return number


class TextTokenizer:
    """Tokenises several texts at a time and names each distinct form once.

    Args:
        most_forms: how many forms are numbered; then numbers and chunks are forgotten, so that memory stays bounded.
    """

    def __init__(self, most_forms: int = MOST_NUMBERED_FORMS) -> None:
        self._most_forms = most_forms
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._numbers = FormNumbers()
        self._forms: list[str] = []
        self._tokenizer = ChunkTokenizer(self._numbers.__getitem__)

    def __call__(self, texts: Sequence[str]) -> TokenizedTexts:
        """Return the tokens of texts."""
        if len(self._numbers) > self._most_forms:
            self._begin_anew()
        arrays = self._tokenizer.token_id_arrays(texts)
        self._forms += islice(self._numbers, len(self._forms), None)
        numbers = np.concatenate([*arrays, np.empty(0, dtype=np.int32)])
        occurrences = np.arange(len(numbers), dtype=np.int32)
        first_of_number = np.full(len(self._forms), len(numbers), dtype=np.int32)
        np.minimum.at(first_of_number, numbers, occurrences)
        distinct = numbers[first_of_number[numbers] == occurrences]  # in order of first occurrence
        position_of_number = np.empty(len(self._forms), dtype=np.int32)
        position_of_number[distinct] = np.arange(len(distinct), dtype=np.int32)
        return TokenizedTexts(
            [self._forms[number] for number in distinct.tolist()],
            position_of_number[numbers],
            np.asarray([len(array) for array in arrays], dtype=np.int64),
        )


_tokenizer_of_process: TextTokenizer | None = None


def _exit_with_parent() -> None:
    """End this worker when its parent dies, even by SIGKILL; the pool alone would leave it waiting for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _start_worker() -> None:
    global _tokenizer_of_process
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _tokenizer_of_process = TextTokenizer()


def _tokenize_in_worker(texts: list[str]) -> TokenizedTexts:
    assert _tokenizer_of_process is not None
    return _tokenizer_of_process(texts)


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


@contextmanager
def tokenizing(processes: int) -> Iterator[Callable[[Iterable[list[str]]], Iterator[TokenizedTexts]]]:
    """Return what yields the tokens of tasks, in order; 0 processes do it in this one."""
    if processes == 0:
        yield partial(map, TextTokenizer())
        return
    with worker_pool(processes) as pool:
        yield partial(in_order_and_bounded, pool, in_flight=processes * TASKS_IN_FLIGHT_PER_PROCESS)


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
        processes: worker processes; 0 works in this one, None takes one for each core it may run on,
            ``MOST_PROCESSES`` at most.

    Raises:
        SentimentError: the corpus is missing or damaged.
    """
    corpus = read_manifest(corpus_folder, "data")
    rows: dict[str, int] = corpus["rows"]
    processes = min(usable_cores(), MOST_PROCESSES) if processes is None else processes
    table = FormTable()
    tokens_of_split: dict[str, int] = {}
    load_chunk_library()  # compiles it where nobody has yet, before every worker would
    known_rules()  # likewise
    with StageOutput(folder, "tokens") as output, tokenizing(processes) as tokenized_of:
        for split, split_rows in rows.items():
            tokens_of_split[split] = 0
            tasks = read_texts(corpus_folder / f"{split}.arrow")
            results = tokenized_of(tasks)
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
