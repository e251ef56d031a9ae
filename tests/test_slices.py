"""Promise: a review falls into the group that the definition says, and a group's accuracy is that of its reviews."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation import slices, wording
from pipeline.evaluation.slices import Slicing, accuracy_by_group, confidence_slicing, slicings_of
from pipeline.metrics import wilson_interval


def slicing(name: str, texts: list[str], ratings: list[int] | None = None) -> Slicing:
    stars = None if ratings is None else np.array(ratings, dtype=np.int8)
    return next(found for found in slicings_of(texts, stars) if found.name == name)


def groups_of(found: Slicing) -> list[str | None]:
    return [found.groups[position] if position >= 0 else None for position in found.membership]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It is NOT good, and never was; no.", 3),
        ("I don't, I won’t, I CAN'T, I cannot.", 4),
        ("dont and didnt and WOULDNT", 3),
        ("nothing but a notable knot, normally another snob, Nora", 1),
        ("nobody<br />nowhere", 2),
        ("don'ts, won't've", 1),
        ("", 0),
    ],
)
def test_negations_are_counted(text: str, count: int) -> None:
    assert wording.occurrences([text], (wording.NEGATION,))[0].tolist() == [count]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("But it works, though slowly; in spite of that, yet again.", 4),
        ("butter, although, thorough thought", 1),
        ("However.However", 2),
    ],
)
def test_words_of_contrast_are_counted(text: str, count: int) -> None:
    assert wording.occurrences([text], (wording.CONTRAST,))[0].tolist() == [count]


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("8/10", True),
        ("I gave it 7.5 out of 10.", True),
        ("<b>(9,5/10)</b> in all", True),
        ("7 1/2 out of 10", True),
        ("3½ stars", True),
        ("A 4-star film", True),
        ("10 Stars!", True),
        ("1 star", True),
        ("a good film.10/10<br />", True),
        ("8 / 10, or 2 out of 5", True),
        ("seen on 9/10/2001, and on 1/5/10", False),
        ("24/7, 24/5, 11/10 and 9/11", False),
        ("8 out of 100", False),
        ("4/5ths of it, 1 start, 5 starships", False),
        ("three stars, as he counts; ****", False),
        ("8 of 10 people, 10 minutes", False),
        ("", False),
    ],
)
def test_a_score_in_the_text_is_found(text: str, stated: bool) -> None:
    assert groups_of(slicing("stated_score", [text])) == ["stated" if stated else "none"]


pieces = st.sampled_from(
    [
        *("not", "No", "but", "n't", "don’t", "note", "in spite of", " ", ", ", "<br />", "é", "_", "yet"),
        *("8", "10", "/", "½", " out of ", "star", "s", "."),
    ]
)


@settings(max_examples=30)
@given(st.lists(st.lists(pieces, max_size=12).map("".join), max_size=6))
def test_counting_follows_the_patterns_as_python_reads_them(texts: list[str]) -> None:
    patterns = (wording.NEGATION, wording.CONTRAST, wording.STATED_SCORE)
    expected = [[len(re.findall(pattern, text, re.I | re.A)) for text in texts] for pattern in patterns]
    assert [counts.tolist() for counts in wording.occurrences(texts, patterns)] == expected


def test_density_decides_and_not_length() -> None:
    texts = ["fine " * 100, "not " + "fine " * 100, "not " + "fine " * 99, "not " * 20 + "fine " * 980, "not fine"]
    assert groups_of(slicing("negation", texts)) == ["none", "under 1", "1 to 2", "2 to 3", "3 and more"]
    texts = [text.replace("not", "but") for text in texts]
    assert groups_of(slicing("contrast", texts)) == ["none", "under 1", "1 to 2", "2 and more", "2 and more"]


def test_a_text_without_words_has_no_negation() -> None:
    assert groups_of(slicing("negation", ["<br />"])) == ["none"]


def test_windows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["not " * i + "but fine<br />" * (7 - i) for i in range(8)]
    whole = slicings_of(texts)
    monkeypatch.setattr(wording, "TEXTS_PER_WINDOW", 3)
    for first, second in zip(whole, slicings_of(texts), strict=True):
        assert first.membership.tolist() == second.membership.tolist()


def test_a_definition_names_every_word() -> None:
    negation, contrast = (slicing(name, ["fine"]).definition for name in ("negation", "contrast"))
    for word in (*wording.NEGATION_WORDS, *wording.NEGATION_WITHOUT_APOSTROPHE):
        assert re.search(rf"\b{word}\b", negation)
    for word in wording.CONTRAST_WORDS:
        assert re.search(rf"\b{word}\b", contrast)


def test_stars_are_groups_where_the_source_has_them() -> None:
    found = slicing("stars", ["a", "b", "c", "d"], [1, 10, -1, 4])
    assert groups_of(found) == ["1", "10", None, "4"]
    assert found.groups == ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
    assert "stars" not in [other.name for other in slicings_of(["a"])]


def test_the_accuracy_of_each_group_by_hand() -> None:
    labels, predicted = np.array([[1, 0, 1, 1, 0], [1, 1, 1, 0, 0]], dtype=np.int8)
    found = slicing("stars", ["a", "b", "c", "d", "e"], [2, 2, 2, 3, -1])
    table = accuracy_by_group(found, labels, predicted)["groups"]
    assert table[1] == {
        "name": "2",
        "rows": 3,
        "correct": 2,
        "accuracy": 2 / 3,
        "accuracy_interval": wilson_interval(2, 3),
    }
    assert (table[2]["rows"], table[2]["correct"]) == (1, 0)
    assert sum(entry["rows"] for entry in table) == 4
    within = np.array([True, False, True, False, True])
    assert [entry["rows"] for entry in accuracy_by_group(found, labels, predicted, within)["groups"]][1:3] == [2, 0]


def test_confidence_is_that_of_the_predicted_class() -> None:
    found = confidence_slicing(np.array([0.5, 0.6, 0.05, 0.95, 0.99, 0.001, 1.0]))
    assert [group for group in groups_of(found) if group] == [
        *("0.50-0.60", "0.60-0.70", "0.95-0.99", "0.95-0.99", "0.99-1.00", "0.99-1.00", "0.99-1.00"),
    ]
    assert slices.NO_GROUP not in found.membership
