"""Promise: by the rules of the installed spaCy the tokens of a chunk are spaCy's, whatever the chunk."""

import os
import string
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import chunk_rules
from pipeline.chunk_rules import ASCII_PUNCTUATION, ChunkRules
from pipeline.chunk_tokenizer import chunks_of
from pipeline.spacy_rules import rules_of
from pipeline.tokenizer_rules import RuleTokenizer

LANGUAGE = spacy.blank("en")
RULES = rules_of(LANGUAGE.tokenizer)
assert RULES is not None, "the tokenizer of the installed spaCy is put together in a way not known here"
FORMS_OF_CHUNK = ChunkRules(RULES, RuleTokenizer(RULES))

WORDS = st.text(string.ascii_letters, min_size=1, max_size=8) | st.sampled_from(
    [
        "film",
        "Film",
        "FILM",
        "McDonald",
        "it",
        "US",
        "km",
        "s",
        "x",
        "com",
        "café",
        "ÉCLAT",
        "ΌΣ",
        "日本",
        "5",
        "1980s",
        "3.5",
    ]
)
PUNCTUATION = st.sampled_from(
    [
        *ASCII_PUNCTUATION,
        "...",
        "..",
        "--",
        "---",
        "’",
        "”",
        "«",
        "…",
        "—",
        "°",
        "£",
        "²",
        "🙂",
        "'s",
        "n't",
        "://",
        ":)",
        ":-(",
    ]
)
EXCEPTIONS = st.sampled_from(sorted(RULES.exceptions))
CHUNKS = st.lists(WORDS | PUNCTUATION | EXCEPTIONS, min_size=1, max_size=7).map("".join) | st.text(
    st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=12
)
AFFIXES = [
    ("(", ""),
    ('"', "."),
    ("'", ","),
    ("", "'"),
    ("", ".."),
    ("-", "!)"),
    ("film-", "'s"),
    ("é", ";)"),
    ("5", "/film"),
]


def spacy_forms(chunk: str) -> list[str]:
    return [token.lower_ for token in LANGUAGE.tokenizer(chunk)]


def differences(chunks: Iterator[str]) -> list[str]:
    different = []
    with LANGUAGE.memory_zone():
        for chunk in chunks:
            if FORMS_OF_CHUNK(chunk) != spacy_forms(chunk):
                different.append(chunk)
    return different


@settings(max_examples=500)
@given(CHUNKS.filter(lambda chunk: chunk.split() == [chunk]))
def test_any_chunk_has_the_tokens_of_spacy(chunk: str) -> None:
    assert FORMS_OF_CHUNK(chunk) == spacy_forms(chunk)


def test_exceptions_in_every_spelling_and_between_affixes_have_the_tokens_of_spacy() -> None:
    spellings = {spelling for text in RULES.exceptions for spelling in (text, text.lower(), text.upper(), text.title())}
    chunks = {before + text + after for text in spellings for before, after in AFFIXES}
    assert not differences(iter(chunks | spellings))


def test_what_the_rules_spell_out_has_the_tokens_of_spacy() -> None:
    chunks = (
        before + word + after
        for word in RULES.spelled_out()
        for before in ("", "5", "$", "'", "°", "film")
        for after in ("", ".", "$", "'s", "/", "-film")
    )
    assert not differences(chunks)


@pytest.mark.parametrize("length", [1, 2, pytest.param(3, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_every_short_ascii_chunk_has_the_tokens_of_spacy(length: int) -> None:
    printable = [chr(code) for code in range(33, 127)]
    assert not differences(map("".join, product(printable, repeat=length)))


def test_words_of_every_case_between_any_punctuation_have_the_tokens_of_spacy() -> None:
    words = ["qz", "Qz", "QZ", "qZ", "QzQ", "QZq", "qz-Qz", "QZ-qZ", "qz.Qz", "QZ.Qz", "qz/QZ", "qz...qz", "Qz's"]
    affixes = ["", *ASCII_PUNCTUATION, "...", "'.", ").", "?!", "\"'", ".)", "--", "/."]
    assert not differences(before + word + after for before, after in product(affixes, affixes) for word in words)


def test_long_chunks_have_the_tokens_of_spacy() -> None:
    words = ["film" * 20, "!" * 200, "film" + "." * 150, "(" * 90 + "Film" + ")" * 90, "film-" * 30 + "film"]
    addresses = [f"{'a' * length}.{'com' * count}" for length in (61, 62, 63, 64) for count in (1, 20, 21, 22)]
    assert not differences(iter([*words, *addresses, "a" * 70 + ".Com"]))


def test_words_are_interchangeable_only_while_the_rules_do_not_spell_them_out() -> None:
    spelled_out = RULES.spelled_out()
    assert {"km", "US", "s", "gonna", "Mr"} <= spelled_out
    assert not spelled_out & {"film", "qqq", "Qqq", "QQQ", "qQQ", "QqQ", "qqQ"}


def test_a_full_memory_of_surroundings_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_rules, "MOST_SURROUNDINGS", 2)
    rules = ChunkRules(RULES, RuleTokenizer(RULES))
    chunks = ["(film", "film.", "film,", "(film", "film.)", "film."]
    assert list(map(rules, chunks)) == list(map(spacy_forms, chunks))
    assert len(rules._surroundings) <= 2


def test_a_rule_that_cuts_every_word_has_no_short_cut() -> None:
    rules = replace(RULES, prefix=RULES.prefix + "|^q")
    forms_of_chunk, tokenizer = ChunkRules(rules, RuleTokenizer(rules)), RuleTokenizer(rules)
    for chunk in ("(qqq)", "'quote'", "(film)"):
        assert "".join(forms_of_chunk(chunk)) == chunk == "".join(tokenizer(chunk))


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("split", ["train", "test", "unsupervised"])
def test_every_chunk_of_imdb_has_the_tokens_of_spacy(split: str) -> None:
    if "SENTIMENT_IMDB" not in os.environ:
        pytest.skip("SENTIMENT_IMDB names no folder of IMDb")
    (path,) = (Path(os.environ["SENTIMENT_IMDB"]) / "plain_text").glob(f"{split}-*.parquet")
    chunks = {chunk for text in pq.read_table(path)["text"].to_pylist() for chunk in chunks_of(text)}
    assert not differences(iter(chunks))
