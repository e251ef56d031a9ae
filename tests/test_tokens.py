"""Promises: spaCy's tokens, lower-cased; the same whatever the process count; white space never a token."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artifacts import read_manifest
from pipeline.chunk_tokenizer import LONGEST_CHUNK, ChunkMemory, ChunkTokenizer, chunks_of, without_breaks
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.review_text import HTML_BREAK
from pipeline.tokens import TextTokenizer, build_tokens, read_form_ids, read_forms, usable_cores
from pipeline.training_data import read_labels_and_groups
from tests.conftest import Workspace, write_corpus

LANGUAGE = spacy.blank("en")
TOKENIZER = ChunkTokenizer(str)

WORDS = st.sampled_from(
    [
        "don't",
        "U.S.A.",
        "(great)",
        "10/10",
        "can't-miss",
        "e.g.",
        "...",
        "ok!!!",
        "it's",
        "ÉCLAT",
        "🙂",
        "$9.99",
        "«non»",
    ]
)


@given(st.lists(WORDS, max_size=30))
def test_tokens_are_those_of_spacy(words: list[str]) -> None:
    text = " ".join(words)
    expected = [token.lower_ for token in LANGUAGE.tokenizer(text) if not token.is_space]
    assert next(TOKENIZER([text])) == expected


@given(st.text(max_size=300))
def test_no_token_holds_white_space_and_no_character_is_lost(text: str) -> None:
    tokens = next(TOKENIZER([text]))
    assert all(token and token.split() == [token] for token in tokens)
    assert "".join(tokens) == "".join(part.lower() for part in "".join(chunks_of(text)).split()) or "Σ" in text


def test_html_breaks_are_white_space() -> None:
    assert next(TOKENIZER(["good<br /><br>film<BR/>!"])) == ["good", "film", "!"]


@given(st.lists(st.sampled_from(["<br />", "<br>", "<BR/>", "<br", " />", "<", ">", "/", "b", " "]), max_size=12))
def test_no_break_is_missed_or_invented(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert without_breaks(text) == HTML_BREAK.sub(" ", text)


@pytest.mark.parametrize(
    ("text", "ours", "of_spacy"),
    [
        ("fine : )", ["fine", ":", ")"], ["fine", ":", ")"]),
        ("fine:) )", ["fine", ":)", ")"], ["fine", ":", ")", ")"]),
        ("Elvis' ''Love", ["elvis", "'", "''", "love"], ["elvis", "'", "'", "'", "love"]),
    ],
)
def test_emoticons_are_sought_within_a_chunk_as_documented(text: str, ours: list[str], of_spacy: list[str]) -> None:
    assert next(TOKENIZER([text])) == ours
    assert [token.lower_ for token in LANGUAGE.tokenizer(text)] == of_spacy


@given(st.lists(st.text(max_size=60) | WORDS, max_size=5))
def test_arrays_hold_the_values_of_the_lists(texts: list[str]) -> None:
    tokenizer = ChunkTokenizer(lambda form: -len(form))
    arrays = tokenizer.token_id_arrays(texts)
    assert [array.tolist() for array in arrays] == list(tokenizer(texts))
    assert all(array.dtype == np.int32 for array in arrays)


@pytest.mark.parametrize("max_chunks", [0, 1, 2, 5])
def test_a_full_memory_changes_nothing(max_chunks: int) -> None:
    texts = ["one two, three!", "two, three! four", "one four", "", "two two", "one two, three!"]
    forgetful = ChunkTokenizer(str, max_chunks)
    assert list(forgetful(texts)) == list(TOKENIZER(texts))
    counting = ChunkTokenizer(len, max_chunks)
    assert [array.tolist() for array in counting.token_id_arrays(texts)] == list(ChunkTokenizer(len)(texts))


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=30), st.integers(0, 12))
def test_memory_is_bounded_and_keeps_what_comes_often(texts: list[list[int]], most: int) -> None:
    worked_out: list[str] = []
    memory = ChunkMemory(lambda chunk: worked_out.append(chunk) or chunk.upper(), most)
    for numbers in texts:
        if memory.is_full:
            memory = memory.successor()
        known = {*memory, *memory._predecessor}
        worked_out.clear()
        assert [memory[f"chunk{number}"] for number in numbers] == [f"CHUNK{number}" for number in numbers]
        assert not known.intersection(worked_out)
        assert len({*memory, *memory._predecessor}) <= most
        assert not getattr(memory._predecessor, "_predecessor", None)


def test_long_chunks_are_not_remembered() -> None:
    tokenizer = ChunkTokenizer(len)
    assert list(tokenizer(["a" * 41, "b" * 40])) == [[41], [40]]
    assert list(tokenizer._values) == ["b" * 40]


@given(st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=6), st.integers(0, 20))
def test_forms_are_named_once_in_order_of_first_occurrence(texts: list[str], most_forms: int) -> None:
    tokenizer = TextTokenizer(most_forms)
    for part in (texts, texts[::-1], texts):
        tokenized = tokenizer(part)
        expected = list(TOKENIZER(part))
        forms = [form for of_text in expected for form in of_text]
        assert tokenized.forms == list(dict.fromkeys(forms))
        assert [tokenized.forms[position] for position in tokenized.positions] == forms
        assert tokenized.lengths.tolist() == [len(of_text) for of_text in expected]


def test_endless_chunk_is_cut_in_pieces() -> None:
    assert max(map(len, chunks_of("a" * (3 * LONGEST_CHUNK + 1)))) == LONGEST_CHUNK
    assert sum(map(len, next(TOKENIZER(["!" * 5000])))) == 5000


def test_stored_ids_give_back_the_tokens(workspace: Workspace) -> None:
    forms = read_forms(workspace.tokens)
    with pa.memory_map(str(workspace.corpus / "test.arrow")) as source:
        texts = pa.ipc.open_file(source).read_all()["text"].to_pylist()
    form_ids, offsets = read_form_ids(workspace.tokens, "test")
    stored = [[forms[index] for index in form_ids[offsets[row] : offsets[row + 1]]] for row in range(len(texts))]
    assert stored == list(TOKENIZER(texts))


@pytest.mark.slow
def test_process_count_changes_nothing(workspace: Workspace, tmp_path: Path, quiet: Console) -> None:
    build_tokens(workspace.corpus, tmp_path / "two", quiet, processes=2)
    fingerprints = [read_manifest(folder, "tokens")["fingerprint"] for folder in (workspace.tokens, tmp_path / "two")]
    assert fingerprints[0] == fingerprints[1]


def test_reviews_without_tokens_keep_their_row(tmp_path: Path, quiet: Console) -> None:
    write_corpus(tmp_path / "corpus", {"train": [("", 0), ("<br />", 1), ("word", 1)]})
    build_tokens(tmp_path / "corpus", tmp_path / "tokens", quiet, processes=1)
    _, offsets = read_form_ids(tmp_path / "tokens", "train")
    assert np.diff(offsets).tolist() == [0, 0, 1]


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_file_is_named_with_the_way_out(
    workspace: Workspace, tmp_path: Path, quiet: Console, damage: str
) -> None:
    corpus, tokens = tmp_path / "corpus", tmp_path / "tokens"
    shutil.copytree(workspace.corpus, corpus)
    shutil.copytree(workspace.tokens, tokens)
    for path in (*corpus.glob("*.arrow"), *tokens.glob("*.arrow")):
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SentimentError, match=r"corpus/\w+\.arrow: .*run `sentiment data` again"):
        build_tokens(corpus, tmp_path / "new", quiet, processes=1)
    with pytest.raises(SentimentError, match=r"corpus/train\.arrow: .*run `sentiment data` again"):
        read_labels_and_groups(corpus)
    with pytest.raises(SentimentError, match=r"tokens/train\.arrow: .*run `sentiment tokens` again"):
        read_form_ids(tokens, "train")
    with pytest.raises(SentimentError, match=r"forms\.arrow: .*run `sentiment tokens` again"):
        read_forms(tokens)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_cores_are_those_this_process_may_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.skipif(not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("delay", [0.05, pytest.param(0.5, marks=pytest.mark.slow)])
def test_an_early_interrupt_is_one_line(tmp_path: Path, delay: float) -> None:
    slow_texts = [" ".join(f"{row}x{column}" for column in range(100)) for row in range(10_000)]  # no chunk comes twice
    write_corpus(tmp_path / "corpus", {"train": [(text, row % 2) for row, text in enumerate(slow_texts)]})
    command = [sys.executable, "-m", "pipeline", "--data-dir", str(tmp_path), "tokens", "--processes", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while process.poll() is None and len(children.read_text().split()) < 3:  # a tracker and two workers
            time.sleep(0.01)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    (line,) = errors.splitlines()
    assert "interrupted" in line
    assert not (tmp_path / "tokens" / "manifest.json").exists()
