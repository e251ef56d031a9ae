"""Promise: texts that a model cannot read well get a note, real reviews next to never, and no note changes a result."""

import csv
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ModelSettings
from pipeline.console import Console
from pipeline.inference import BUNDLED_FOLDER, SentimentModel
from pipeline.scoring.reading_notes import FRONT_WORDS, FUNCTION_WORDS, ReadingNotes
from pipeline.scoring.rows import Problem
from pipeline.sources import ColumnChoice, read_source
from tests.strange_texts import FOREIGN, NO_LANGUAGE, UNUSUAL_ENGLISH
from tests.stub_models import write_random_model

PROBES = Path(__file__).parents[1] / "pipeline" / "probes" / "probes.csv"
BUNDLED = sorted(BUNDLED_FOLDER.glob("*/config.json"))
pytestmark = pytest.mark.skipif(not BUNDLED, reason="the package carries no model")


@pytest.fixture(scope="module", params=["fallback", "unk"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SentimentModel:
    """The bundled model, and one with its vocabulary that lets no word stand in for another."""
    if request.param == "fallback":
        return SentimentModel.load(BUNDLED[0].parent)
    forms = (BUNDLED[0].parent / "vocabulary.txt").read_text("utf-8").removesuffix("\n").split("\n")
    folder = tmp_path_factory.mktemp("models") / "random"
    return SentimentModel.load(write_random_model(folder, ModelSettings(16, max_tokens=20), forms[2:]))


def notes_of(model: SentimentModel, texts: list[str]) -> list[Problem | None]:
    return model.read(texts).notes


@pytest.mark.parametrize("texts", [FOREIGN, NO_LANGUAGE], ids=["foreign", "no language"])
def test_what_is_no_english_gets_a_note(model: SentimentModel, texts: dict[str, str]) -> None:
    notes = dict(zip(texts, notes_of(model, list(texts.values())), strict=True))
    assert [name for name, note in notes.items() if note is None] == []
    assert {note.kind for note in notes.values() if note} <= {"mostly unknown words", "hardly English"}
    assert all(note.is_note and note.detail for note in notes.values() if note)


def test_unusual_english_gets_none(model: SentimentModel) -> None:
    with PROBES.open(encoding="utf-8", newline="") as stream:
        probes = [row["text"] for row in csv.DictReader(stream)]
    texts = [*UNUSUAL_ENGLISH.values(), *probes, "", " ", "-"]
    assert [(text, str(note)) for text, note in zip(texts, notes_of(model, texts), strict=True) if note] == []


def test_a_note_depends_on_the_text_alone(model: SentimentModel) -> None:
    texts = [*FOREIGN.values(), "", *UNUSUAL_ENGLISH.values(), *NO_LANGUAGE.values(), ""]
    together = notes_of(model, texts)
    assert [notes_of(model, [text])[0] for text in texts] == together
    assert notes_of(model, texts[::-1])[::-1] == together
    assert notes_of(model, []) == []


def test_reading_gives_what_encoding_gives_and_counts_the_cut_ones(model: SentimentModel) -> None:
    texts = [*FOREIGN.values(), "", "A good film."]
    reading = model.read(texts)
    for read, encoded in zip(reading.sequences, model.encode(texts), strict=True):
        np.testing.assert_array_equal(read, encoded)
    most = model.config["recipe"]["model"]["max_tokens"]
    lengths = [len(ids) for ids in SentimentModel.load(BUNDLED[0].parent).encode(texts)]
    assert reading.cut == (sum(length > most for length in lengths) if most else 0)
    assert (reading.cut > 0) == (most > 0)


def test_the_note_says_how_many_words_are_unknown() -> None:
    forms = ["<pad>", "<unk>", "one", "two", "three", ".", "!"]
    notes = ReadingNotes(forms, None)
    sequence = np.array([1] * 6 + [2, 3, 4, 5, 6, 6], dtype=np.int32)
    (note,) = notes.of(["text"], [sequence])
    assert str(note) == "mostly unknown words: 6 of 9 words unknown to the model"
    assert notes.of(["text"], [sequence[1:]]) == [None]  # too short to tell
    assert notes.of(["text"], [np.append(sequence[1:], [2]).astype(np.int32)]) != [None]
    assert notes.of(["text"], [np.append(sequence[2:], [2, 2]).astype(np.int32)]) == [None]  # 4 of 9


def test_counts_of_very_long_texts_do_not_run_over() -> None:
    notes = ReadingNotes(["<pad>", "<unk>", "good", "the", "#"], None)
    for token_id, noted in ((1, True), (2, False), (3, False), (4, False)):
        (note,) = notes.of(["text"], [np.full(200_000, token_id, dtype=np.int32)])
        assert (note is not None) == noted


def test_a_model_of_another_language_finds_no_fault_with_texts_of_that_language(tmp_path: Path) -> None:
    words = dict.fromkeys(word.strip(",.!") for word in FOREIGN["german"].lower().split())
    model = SentimentModel.load(write_random_model(tmp_path / "german", ModelSettings(16), list(words)))
    assert notes_of(model, [FOREIGN["german"], FOREIGN["chinese"]]) == [None, None]
    assert "mostly unknown" in str(notes_of(model, [FOREIGN["russian"]])[0])


def test_a_tiny_vocabulary_says_what_it_does_not_know(tmp_path: Path) -> None:
    """The demo's model knows some hundred words: real reviews are beyond it, and the note says so."""
    words = [*FRONT_WORDS, "a", "film", "is", "was", ".", ",", "dull", "good", "not", "at", "all", "but"]
    model = SentimentModel.load(write_random_model(tmp_path / "tiny", ModelSettings(16), words))
    known = "The film was not dull at all, but to this day it is not that good, and with a good film for a while."
    unknown = (
        "Lanterns drift past while her brother quietly counts every missing coin underneath their wooden staircase."
    )
    assert [None if note is None else note.kind for note in notes_of(model, [known, unknown])] == [
        None,
        "mostly unknown words",
    ]


def test_what_is_noted_is_scored_all_the_same(model: SentimentModel) -> None:
    texts = list(FOREIGN.values())
    read = model.probabilities_of(model.read(texts).sequences)
    np.testing.assert_array_equal(read, model.probabilities_of(model.encode(texts)))


def test_function_words_are_words_of_the_model() -> None:
    forms = (BUNDLED[0].parent / "vocabulary.txt").read_text("utf-8").split("\n")
    assert 100 <= len(FUNCTION_WORDS) <= 150
    assert set(forms) >= FUNCTION_WORDS >= set(FRONT_WORDS)


def test_notes_cost_next_to_nothing() -> None:
    model = SentimentModel.load(BUNDLED[0].parent)
    generator = random.Random(1)
    words = " ".join(UNUSUAL_ENGLISH.values()).split()
    texts = [" ".join(generator.choices(words, k=200)) for _ in range(256)]
    sequences = model.encode(texts)
    notes = ReadingNotes((BUNDLED[0].parent / "vocabulary.txt").read_text("utf-8").split("\n"), None)

    def seconds(work: object) -> float:
        started = time.perf_counter()
        work()  # type: ignore[operator]
        return time.perf_counter() - started

    counting = min(seconds(lambda: notes.of(texts, sequences)) for _ in range(7))
    scoring = min(seconds(lambda: model.probabilities_of(model.encode(texts))) for _ in range(2))
    assert counting < 0.02 * scoring  # 0.5% where nothing else runs


@pytest.mark.real_data
def test_real_reviews_get_next_to_none(model: SentimentModel) -> None:
    source = os.environ.get("SENTIMENT_IMDB")
    if not source:
        pytest.skip("SENTIMENT_IMDB is not set")
    reviews = read_source(source, ColumnChoice(), Console(quiet=True), name=None, seed=1)
    texts = reviews.tables["train"].column("text").to_pylist()
    assert sum(note is not None for note in notes_of(model, texts)) <= len(texts) / 2000
