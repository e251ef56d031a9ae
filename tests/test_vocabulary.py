"""The vocabulary of the train split and the stage that builds it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from pipeline import artifacts
from pipeline.artifacts import StageOutput, read_manifest
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.tokens import FORMS_SCHEMA, TOKENS_SCHEMA
from pipeline.vocabulary import SPECIALS, Vocabulary, build_vocabulary

TRAIN = ["the film was good , the best film", "not bad at all , film", "the end . the", ""]
TEST = ["unseen unseen unseen film good good good good good good"]
TABLE = "the 1 2 3\nfilm 2 3 4\ngood 3 4 5\nunseen 9 9 9\nother 7 7 7\n"

forms_of_texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=5).filter(
    lambda form: form.split() == [form]
)


def write_tokens(folder: Path, splits: dict[str, list[list[str]]]) -> None:
    """Write token files as the stage before does; other splits come first, so that form ids are not ranks."""
    ids: dict[str, int] = {}
    with StageOutput(folder, "tokens") as output:
        for split, reviews in sorted(splits.items()):
            rows = [[ids.setdefault(form, len(ids)) for form in review] for review in reviews]
            columns = [pa.array(range(len(rows)), pa.int64()), pa.array(rows, pa.large_list(pa.int32()))]
            with pa.ipc.new_file(str(output.path(f"{split}.arrow")), TOKENS_SCHEMA) as writer:
                writer.write_table(pa.table(columns, schema=TOKENS_SCHEMA), max_chunksize=2)
        with pa.ipc.new_file(str(output.path("forms.arrow")), FORMS_SCHEMA) as writer:
            writer.write_table(pa.table({"form": pa.array(list(ids), pa.string())}, schema=FORMS_SCHEMA))
        details = {"name": "tiny", "rows": {split: len(reviews) for split, reviews in splits.items()}}
        output.commit(inputs={"corpus": "corpus-fingerprint"}, settings={}, details=details)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    splits = {"train": [text.split() for text in TRAIN], "test": [text.split() for text in TEST]}
    write_tokens(tmp_path / "tokens", splits)
    return tmp_path / "tokens"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.txt"
    path.write_text(TABLE)
    return path


def build(tokens: Path, *, folder: str = "vocabulary", vectors: Path | str = "none", **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"size": 100, "seed": 0, "cache_folder": tokens.parent / "downloads"}
    target = tokens.parent / folder
    return build_vocabulary(tokens, target, Console(quiet=True), vectors=str(vectors), **{**settings, **changes})


def test_words_are_ranked_by_count_and_then_by_code_point(tokens: Path) -> None:
    build(tokens)
    lines = (tokens.parent / "vocabulary" / "vocabulary.txt").read_bytes().decode().split("\n")
    expected = ["<pad>", "<unk>", "the", "film", ",", ".", "all", "at", "bad", "best", "end", "good", "not", "was", ""]
    assert lines == expected


def test_no_text_of_another_split_counts(tokens: Path, table: Path) -> None:
    with_test = build(tokens, vectors=table)
    write_tokens(tokens, {"train": [text.split() for text in TRAIN]})
    without = build(tokens, vectors=table, folder="other")
    assert with_test["fingerprint"] == without["fingerprint"]
    assert with_test["coverage"] == without["coverage"]


@settings(max_examples=20, deadline=None)
@given(
    reviews=st.lists(st.lists(st.one_of(forms_of_texts, st.sampled_from(["a", "b", *SPECIALS])), max_size=12)),
    size=st.integers(1, 10),
)
def test_any_train_split_gives_its_most_frequent_forms(reviews: list[list[str]], size: int) -> None:
    counts = Counter(form for review in reviews for form in review if form not in SPECIALS)
    expected = sorted(counts, key=lambda form: (-counts[form], form))[:size]
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens"
        write_tokens(tokens, {"train": reviews, "test": [["unseen"] * 50]})
        build(tokens, size=size, dimension=2)
        vocabulary = Vocabulary.load(Path(folder) / "vocabulary" / "vocabulary.txt")
    assert vocabulary.words == expected
    assert vocabulary.token_ids([*expected, "unseen", *SPECIALS]).tolist() == [*range(2, len(expected) + 2), 1, 1, 1]


def test_the_size_counts_words_without_the_specials(tokens: Path) -> None:
    assert build(tokens, size=3)["entries"] == 5


@settings(max_examples=50, deadline=None)
@given(st.lists(forms_of_texts.filter(lambda form: form not in SPECIALS), unique=True))
def test_a_vocabulary_survives_the_disk(words: list[str]) -> None:
    vocabulary = Vocabulary([*SPECIALS, *words])
    with tempfile.TemporaryDirectory() as folder:
        vocabulary.save(Path(folder) / "vocabulary.txt")
        loaded = Vocabulary.load(Path(folder) / "vocabulary.txt")
    assert loaded.forms == vocabulary.forms
    assert len(loaded) == len(words) + 2
    assert all(word in loaded and loaded.token_id(word) == loaded.forms.index(word) for word in words)


def test_unknown_and_special_forms_are_unknown_in_a_text() -> None:
    vocabulary = Vocabulary([*SPECIALS, "film"])
    token_ids = vocabulary.token_ids(["film", "novel", "<pad>", "<unk>"])
    assert token_ids.tolist() == [2, 1, 1, 1]
    assert token_ids.dtype == np.int32
    assert "<pad>" not in vocabulary


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<unk>\n<pad>\na\n", "line 1 and 2"),
        ("", "line 1 and 2"),
        ("<pad>\n<unk>\na\nb\na\n", "line 5 repeats 'a'"),
        ("<pad>\n<unk>\na\n<unk>\n", "line 4 repeats"),
        ("<pad>\n<unk>\n\nb\n", "line 3 is empty"),
        ("<pad>\n<unk>\na b\n", "line 3 is empty or holds white space"),
        ("<pad>\r\n<unk>\r\na\r\n", "line 1 and 2"),
    ],
)
def test_a_damaged_vocabulary_names_the_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(content.encode())
    with pytest.raises(SentimentError, match=message):
        Vocabulary.load(path)


def test_a_vocabulary_that_is_missing_or_no_utf_8_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    with pytest.raises(SentimentError, match="cannot be read"):
        Vocabulary.load(path)
    path.write_bytes(b"<pad>\n<unk>\n\xff\n")
    with pytest.raises(SentimentError, match="damaged"):
        Vocabulary.load(path)


def test_vectors_stand_in_the_rows_of_their_words(tokens: Path, table: Path) -> None:
    manifest = build(tokens, vectors=table)
    stored = load_file(tokens.parent / "vocabulary" / "vectors.safetensors")
    vocabulary = Vocabulary.load(tokens.parent / "vocabulary" / "vocabulary.txt")
    assert stored["vectors"].shape == (len(vocabulary), 3)
    assert stored["vectors"].dtype == np.float32
    assert not stored["vectors"][0].any()
    assert stored["vectors"][1].any()
    found = [vocabulary.forms[row] for row in np.flatnonzero(stored["found"])]
    assert found == ["the", "film", "good"]
    np.testing.assert_array_equal(stored["vectors"][vocabulary.token_ids(found)], [[1, 2, 3], [2, 3, 4], [3, 4, 5]])
    assert manifest["vectors"] == {
        "name": "table.txt",
        "dimension": 3,
        "sha256": hashlib.sha256(TABLE.encode()).hexdigest(),
    }


def test_the_manifest_carries_coverage_and_origin(
    tokens: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_vocabulary(
        tokens, tokens.parent / "v", Console(), vectors=str(table), size=4, seed=0, cache_folder=tokens.parent
    )
    manifest = read_manifest(tokens.parent / "v", "vocab")
    assert manifest["inputs"]["corpus"] == "corpus-fingerprint"
    assert manifest["inputs"]["tokens"] == read_manifest(tokens, "tokens")["fingerprint"]
    assert manifest["name"] == "tiny"
    # the 4, film 3, "," 2 and "." 1 of 18 tokens are in the vocabulary; the and film have a vector
    coverage = manifest["coverage"]
    assert (coverage["words"], coverage["words_with_vector"], coverage["train_tokens"]) == (4, 2, 18)
    assert coverage["tokens"] == pytest.approx(7 / 18)
    assert coverage["vocabulary_tokens"] == pytest.approx(10 / 18)
    told = capsys.readouterr()
    assert "2 of 4 words (50.0%), 38.9% of the train tokens" in told.err
    assert told.out == ""


def test_a_seed_gives_the_same_files_and_another_seed_others(tokens: Path, table: Path) -> None:
    first, again = (build(tokens, vectors=table, folder=name) for name in ("one", "two"))
    other = build(tokens, vectors=table, seed=1)
    assert first["files"] == again["files"]
    assert first["files"]["vocabulary.txt"] == other["files"]["vocabulary.txt"]
    assert first["files"]["vectors.safetensors"] != other["files"]["vectors.safetensors"]


def test_without_vectors_every_row_but_padding_is_drawn(tokens: Path) -> None:
    manifest = build(tokens, dimension=7)
    stored = load_file(tokens.parent / "vocabulary" / "vectors.safetensors")
    assert stored["vectors"].shape == (14, 7)
    assert not stored["found"].any()
    assert not stored["vectors"][0].any()
    assert stored["vectors"][1:].all()
    assert manifest["vectors"] == {"name": "none", "sha256": None, "dimension": 7}
    assert build(tokens)["vectors"]["dimension"] == 100


def test_a_named_table_comes_from_the_cache(tokens: Path) -> None:
    cache = tokens.parent / "downloads"
    cache.mkdir()
    (cache / "glove.6B.50d.txt").write_text("the" + " 1" * 50 + "\n")
    assert build(tokens, vectors="glove.6B.50d")["vectors"]["name"] == "glove.6B.50d.txt"


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"vectors": "glove.7B.100d"}, UsageError, "choose one of glove.6B.50d, .*none, or give a .txt or .zip file"),
        ({"vectors": "missing.txt"}, SentimentError, "missing.txt: no such file"),
        ({"vectors": "folder/table"}, SentimentError, "folder/table: no such file"),
        ({"size": 0}, UsageError, "size"),
        ({"dimension": 0}, UsageError, "dimension"),
        ({"backend": "other"}, UsageError, "choose default or torchtext"),
    ],
)
def test_bad_arguments_are_one_line(
    tokens: Path, changes: dict[str, Any], kind: type[SentimentError], message: str
) -> None:
    with pytest.raises(SentimentError, match=message) as caught:
        build(tokens, **changes)
    assert type(caught.value) is kind
    assert not (tokens.parent / "vocabulary" / "manifest.json").exists()


def test_a_table_of_another_language_is_refused(tokens: Path, table: Path) -> None:
    table.write_text("кино 1 2 3\n")
    with pytest.raises(SentimentError, match="holds no word of the train split"):
        build(tokens, vectors=table)


def test_a_broken_table_leaves_the_old_result(tokens: Path, table: Path) -> None:
    before = build(tokens, vectors=table)
    table.write_text(TABLE + "late 1 2\n")
    with pytest.raises(SentimentError, match="line 6: 2 numbers where 3 belong"):
        build(tokens, vectors=table)
    assert read_manifest(tokens.parent / "vocabulary", "vocab") == before


def test_tokens_that_are_missing_or_damaged_are_one_line(tokens: Path) -> None:
    train = tokens / "train.arrow"
    content = train.read_bytes()
    train.write_bytes(content[: len(content) // 2])
    with pytest.raises(SentimentError, match="run `sentiment tokens` again"):
        build(tokens)
    train.unlink()
    with pytest.raises(SentimentError, match="run `sentiment tokens` again"):
        build(tokens)
    (tokens / "manifest.json").unlink()
    with pytest.raises(SentimentError, match="run `sentiment tokens`"):
        build(tokens)


def test_tokens_with_unknown_form_ids_are_refused(tokens: Path) -> None:
    empty = pa.table({"form": pa.array(["a"], pa.string())}, schema=FORMS_SCHEMA)
    with pa.ipc.new_file(str(tokens / "forms.arrow"), FORMS_SCHEMA) as writer:
        writer.write_table(empty)
    with pytest.raises(SentimentError, match="do not fit"):
        build(tokens)


def test_a_full_disk_is_one_line(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(artifacts, "sync_file", full)
    with pytest.raises(SentimentError, match="No space left on device"):
        build(tokens)


def test_the_torchtext_backend_says_how_to_get_its_environment(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.torchtext_environment.ENVIRONMENT", ".no-such-environment")
    with pytest.raises(SentimentError, match="run `make torchtext` first"):
        build(tokens, backend="torchtext")


@pytest.mark.real_data
def test_the_real_table_is_read_whole(tokens: Path) -> None:
    path = os.environ.get("SENTIMENT_GLOVE")
    if not path:
        pytest.skip("SENTIMENT_GLOVE names no table")
    manifest = build(tokens, vectors=path)
    assert manifest["vectors"]["dimension"] == 100
    assert manifest["coverage"]["words_with_vector"] == manifest["coverage"]["words"]
