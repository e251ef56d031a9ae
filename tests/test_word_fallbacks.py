"""Words that a vocabulary lacks fall back to a word that means about the same, alike in training and in scoring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import ModelSettings, Recipe, settings_from
from pipeline.console import Console
from pipeline.emoji_words import EMOJI_WORDS, FORM_WORDS
from pipeline.inference import SentimentModel
from pipeline.misspellings import Misspellings
from pipeline.number_fallbacks import NumberFallbacks, score_of
from pipeline.special_tokens import PAD, UNKNOWN, UNKNOWN_ID
from pipeline.tokens import read_forms
from pipeline.vocabulary import SPECIALS, Vocabulary, build_vocabulary
from pipeline.word_fallbacks import LONGEST_FORM, WordFallbacks, id_lookup
from tests.conftest import Workspace
from tests.stub_models import write_random_model

WORDS_BY_FREQUENCY = (
    "the . , ' \" ... - to it is was not n't no so i've don't movie film good bad too great love time story mins years "
    "because boring hilarious gripe terrible crap fucking asshole character definitely embarrassing disappointing "
    "believe gripping amazing favorite colour organized movies happy happily predictable unwatchable francois amelie "
    "cia non and/or * :) :( 10 20 50 150 1000 1912 1936 2010 60s 1900s 20th 42nd 4.5 7/10 8/10 1/10 10/10 0/10 a+ "
    "you're painful painless likable careful god lol thanks wasp rip star matters"
)
WORDS = WORDS_BY_FREQUENCY.split()
ID_OF_WORD = {word: token_id for token_id, word in enumerate(WORDS, start=UNKNOWN_ID + 1)}
FALLBACKS = WordFallbacks(ID_OF_WORD)
FORMS = st.one_of(
    st.text(max_size=20).map(str.lower),
    st.text(alphabet="abeginorst'’-./!*0189:()é😂👍🏽\u200d", max_size=LONGEST_FORM + 2),
    st.sampled_from(WORDS),
)


@given(form=FORMS)
def test_a_stand_in_is_a_word_of_the_vocabulary_and_a_known_form_is_its_own(form: str) -> None:
    word = FALLBACKS.stand_in(form)
    assert word is None or word in ID_OF_WORD
    if form in ID_OF_WORD:
        assert word == form
    assert word == WordFallbacks(ID_OF_WORD).stand_in(form)  # whatever was asked before


@pytest.mark.parametrize(
    ("forms", "word"),
    [
        ("soooo sooooooooo", "so"),
        ("goood goooooood", "good"),
        ("tooooo", "too"),
        ("baaaaad", "bad"),
        ("loooovvve", "love"),
        ("movie- -movie movie/ (movie movie.the movie.it and)movie movie!the", "movie"),
        ("i`ve i´ve i’ve", "i've"),
        ("wasn`t wasn´t could'nt isn;t", "n't"),
        ("story's story´s", "story"),
        ("françois", "francois"),
        ("ｇｏｏｄ", "good"),
        ("c.i.a.", "cia"),
        ("f**king", "fucking"),
        ("a**hole a$$hole", "asshole"),
        ("cr@p", "crap"),
        ("non-", "non"),
        ("............", "..."),
        (":)) :-))) =] 🙂 🙂🙂 ☺️", ":)"),
        ("❤️ ❤ 😍 💕 <3 luv", "love"),
        ("👍 👍🏽 👍🏽👍🏽 gr8", "great"),
        ("👎 👎🏿", "bad"),
        ("😂😂😂", "hilarious"),
        ("😴", "boring"),
        ("★ ⭐", "*"),
        ("lmao", "lol"),
        ("1911 1913", "1912"),
        ("2023", "2010"),
        ("33rd", "42nd"),
        ("1880s", "1900s"),
        ("early-60s late-60s", "60s"),
        ("160 140", "150"),
        ("9,000", "1000"),
        ("4.4", "4.5"),
        ("11/10 100/10 5/5 100/100 9.9/10", "10/10"),
        ("-2/10 0.0/10", "0/10"),
        ("7.8/10 81/100 8/10.", "8/10"),
        ("7/10,but", "7/10"),
        ("90mins", "mins"),
        ("14years", "years"),
        ("a+++", "a+"),
        ("characters charecter", "character"),
        ("definately definitly", "definitely"),
        ("embarassing", "embarrassing"),
        ("dissapointing disapointing dissappointing", "disappointing"),
        ("beleive", "believe"),
        ("organised", "organized"),
        ("color", "colour"),
        ("likeable", "likable"),
        ("predictably", "predictable"),
        ("greatness", "great"),
        ("happiness happier happiest", "happy"),
        ("griping griped gripes", "gripe"),
    ],
)
def test_what_people_write_falls_back_to_what_it_says(forms: str, word: str) -> None:
    assert {form: FALLBACKS.stand_in(form) for form in forms.split()} == dict.fromkeys(forms.split(), word)


@pytest.mark.parametrize(
    "form",
    [
        *("sadako", "fincher", "kitano", "zohan", "viii", "xiii"),  # names and Roman numbers
        *("unlovable", "timeless", "careless", "dislike", "unhappy", "nongood"),  # prefixes and -less turn round
        *("not/good", "never-boring", "isn't)good", "no.good", "without/love"),  # and so does a "not"
        *("boeing", "doring", "mutters", "wating"),  # short words differ from others by a letter
        *("http://www.movie.com", "www.good.com", "love@movie.com", "good" * 20),
        *(PAD, UNKNOWN, "", "🏽", "\ufe0f", "c&c", "10/31/04", "ss5", "🦖"),
    ],
)
def test_what_could_be_anything_stays_unknown(form: str) -> None:
    assert FALLBACKS.stand_in(form) is None


def test_a_stretched_letter_stands_for_itself_where_the_doubled_word_is_far_rarer() -> None:
    assert WordFallbacks({"so": 20, "soo": 1999}).stand_in("soooo") == "soo"
    assert WordFallbacks({"so": 20, "soo": 2001}).stand_in("soooo") == "so"


def test_a_doubled_consonant_before_an_ending_is_no_slip_in_a_short_word() -> None:
    known = Misspellings(["gripping", "starred", "beginning", "immediately"])
    assert known.meant("griping") is None
    assert known.meant("stared") is None
    assert known.meant("begining") == "beginning"
    assert known.meant("imediately") == "immediately"


@given(
    word=st.permutations("bcdfghjklmnp").map("".join), place=st.integers(1, 10), letter=st.sampled_from(["x", "z", "q"])
)
def test_one_slip_is_seen_and_two_are_not(word: str, place: int, letter: str) -> None:
    known = Misspellings([word])
    before, at, after = word[:place], word[place], word[place + 1 :]
    for form in (before + letter + at + after, before + after, before + at + at + after):
        assert known.meant(form) == word
        assert known.meant(form[:-1] + "vv" + form[-1]) is None
    assert known.meant(before + after[0] + at + after[1:]) == word
    assert known.meant(letter + word[1:]) is None  # the first letter is right
    assert known.meant(before + letter + after) is None  # one consonant for another, as in defective, detective


def test_of_two_words_that_were_likely_meant_the_one_must_be_far_more_frequent() -> None:
    filler = [f"filler{letter}" for letter in "abcdefghijklmnopqrst"]
    assert Misspellings(["contents", "contants"]).meant("contints") is None
    assert Misspellings(["contents", *filler, "contants"]).meant("contints") == "contents"


@given(number=st.integers(0, 10**30).map(str), known=st.lists(st.integers(0, 3000).map(str), min_size=1, unique=True))
def test_a_number_falls_back_to_the_nearest_of_its_kind(number: str, known: list[str]) -> None:
    def is_year(text: str) -> bool:
        return len(text) == 4 and 1800 <= int(text) < 2100

    alike = [word for word in known if is_year(word) == is_year(number)]
    found = NumberFallbacks(known).stand_in(number)
    assert (found is None) == (not alike)
    if found is not None:
        ratios = {word: (int(word) + 1) / (int(number) + 1) for word in alike}
        nearest = min(max(ratio, 1 / ratio) for ratio in ratios.values())
        assert max(ratios[found], 1 / ratios[found]) == pytest.approx(nearest)


@given(points=st.floats(-5, 30).map(lambda points: round(points, 1)))
def test_a_score_falls_back_to_the_nearest_score(points: float) -> None:
    known = [f"{score}/10" for score in range(11)]
    found = NumberFallbacks(known).stand_in(f"{points}/10")
    assert found is not None
    assert abs(float(found.removesuffix("/10")) - min(max(points, 0), 10)) <= 0.5001


def test_dates_are_no_scores() -> None:
    assert [score_of(form) for form in ("9/11", "24/7", "10/10/2005", "1/2", "50/50")] == [None] * 5


def test_tables_hold_lower_case_and_no_contradiction() -> None:
    for form, words in {**EMOJI_WORDS, **FORM_WORDS}.items():
        assert words
        assert form == form.lower()
        assert all(word == word.lower() for word in words)


def test_a_models_setting_reaches_training_and_scoring_alike(tmp_path: Path) -> None:
    tokens = "a goooood movie , 9.5/10 ! i ’ve seen 1911 👍 🏽 👍 🏽 ( embarassing sadako … )"
    text = "A goooood movie, 9.5/10! I’ve seen 1911 👍🏽👍🏽 (embarassing sadako…)"
    vocabulary = Vocabulary([*SPECIALS, *WORDS])
    ids = {}
    for choice in ("unk", "fallback"):
        settings = ModelSettings(hidden_size=16, unknown_words=choice)  # type: ignore[arg-type]
        model = SentimentModel.load(write_random_model(tmp_path / choice, settings, WORDS))
        (ids[choice],) = model.encode([text])
        assert ids[choice].tolist() == vocabulary.token_ids(tokens.split(), settings.unknown_words).tolist()
    known = ids["unk"] != UNKNOWN_ID
    assert (ids["fallback"][known] == ids["unk"][known]).all()
    gained = [WORDS[token_id - 2] for token_id in ids["fallback"][~known] if token_id != UNKNOWN_ID]
    assert gained == ["good", "10/10", "1912", "great", "great", "embarrassing", "..."]


def test_models_from_before_the_setting_go_on_as_they_were() -> None:
    assert settings_from(ModelSettings, {"hidden_size": 16}, "config.json").unknown_words == "unk"
    assert id_lookup(ID_OF_WORD, "unk")("goood") == UNKNOWN_ID


def test_a_trained_model_scores_its_validation_reviews_as_in_training(
    workspace: Workspace, tiny_recipe: Recipe, tmp_path: Path, quiet: Console
) -> None:
    from pipeline.train import train_model

    words = tmp_path / "vocabulary"
    build_vocabulary(
        workspace.tokens, words, quiet, vectors="none", size=25, seed=1, cache_folder=tmp_path, dimension=8
    )
    vocabulary, forms = Vocabulary.load(words / "vocabulary.txt"), read_forms(workspace.tokens)
    plain, fallen = (vocabulary.token_ids(forms, choice) for choice in ("unk", "fallback"))  # type: ignore[arg-type]
    assert (plain == UNKNOWN_ID).sum() > (fallen == UNKNOWN_ID).sum()  # or else this test would say nothing
    recipe = replace(
        tiny_recipe,
        model=replace(tiny_recipe.model, unknown_words="fallback"),
        training=replace(tiny_recipe.training, epochs=1, validation_fraction=0.4),
    )
    folder = train_model(recipe, workspace.corpus, workspace.tokens, words, tmp_path / "models", quiet, seed=1)
    with pa.ipc.open_file(str(folder / "validation.arrow")) as reader:
        validation = reader.read_all()
    with pa.ipc.open_file(str(workspace.corpus / "train.arrow")) as reader:
        texts = reader.read_all()["text"].take(validation["row"]).to_pylist()
    model = SentimentModel.load(folder)
    assert np.allclose(model.logits(texts), validation["logit"].to_numpy(), atol=1e-5)
