"""Promise: the error browser's reviews are the right ones, whole, with each push on its word, in bounded bytes."""

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.evaluation.slices import Slicing
from pipeline.report.chosen_reviews import LARGEST_LIST, chosen_reviews, random_sample
from pipeline.report.error_browser import (
    LARGEST_JSON,
    PUSH_STEPS,
    SMALLEST_SHADED,
    error_browser,
    readable_spans,
    shortened_spans,
)
from pipeline.report.evaluated import Evaluated, PushesInPlace
from pipeline.report.page_json import page_json
from pipeline.report.readable_text import ReadableText, printable, readable, shortened
from pipeline.review_text import HTML_BREAK

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "line\u2028separator\u2029end",
    "half a character \ud83d alone \udc00",
    "nul \x00 and escape \x1b[31m",
    "\u202eright to left\u2066",
    "__proto__ constructor",
    "a" * 5_000,
    "emoji \U0001f600\U0001f3ac fine",
    "&lt;b&gt; &amp;",
    "\\u003c \\ \" '",
    "",
]
PIECES = st.sampled_from(
    [
        "good",
        "BAD",
        " ",
        "\n",
        "<br />",
        "<BR>",
        "<br",
        "<b>",
        "\x00",
        "\r",
        "\x85",
        "\u202e",
        "\U0001f600",
        "é",
        "\ud800",
    ]
)
RAW_TEXTS = st.lists(PIECES, max_size=30).map("".join)


def words_of(text: str) -> list[tuple[int, int, float]]:
    """Each run of what is neither white space nor a break, with a push of its own; every third has none."""
    visible = HTML_BREAK.sub(lambda found: " " * len(found[0]), text)
    return [
        (*found.span(), (-1) ** place * (place % 3) * (1 + place))
        for place, found in enumerate(re.finditer(r"\S+", visible))
    ]


def evaluated_of(
    texts: list[str], probabilities: list[float] | None = None, explain: PushesInPlace | None = words_of
) -> Evaluated:
    """Reviews of which every second one is positive; the model is sure that all are."""
    labels = (np.arange(len(texts)) % 2).astype(np.int8)
    values = np.linspace(0.6, 0.9, len(texts)) if probabilities is None else np.array(probabilities)
    data = LabelledTexts(texts, labels, np.arange(len(texts)), {})
    groups = Slicing("parity", "Parity", "Of the row", ("even", "odd"), labels)
    return Evaluated({}, data, values, [groups], explain)


def decoded(entry: dict[str, Any]) -> list[tuple[str, float]]:
    """The shaded words of a review, found as a script finds them."""
    units = entry["text"].encode("utf-16-le", "surrogatepass")
    found, place = [], 0
    for gap, length, push in zip(*[iter(entry["spans"])] * 3, strict=True):
        start, place = place + gap, place + gap + length
        found.append((units[2 * start : 2 * place].decode("utf-16-le", "surrogatepass"), push / PUSH_STEPS))
    return found


@given(RAW_TEXTS)
def test_a_word_keeps_its_push_when_its_review_is_made_readable(raw: str) -> None:
    text = ReadableText.of(raw)
    assert text.text == readable(raw)
    expected = [(printable(raw[start:end]).strip(), push) for start, end, push in words_of(raw)]
    found = [(text.text[start:end].strip(), push) for start, end, push in readable_spans(text, words_of(raw))]
    assert found == [(word, push) for word, push in expected if word]


@given(st.lists(RAW_TEXTS, min_size=1, max_size=4))
@settings(max_examples=40)
def test_no_text_is_lost_and_every_shaded_word_is_where_the_script_looks(texts: list[str]) -> None:
    reviews = error_browser(evaluated_of(texts))["reviews"]
    assert [entry["groups"] for entry in reviews] == [[row % 2] for row in range(len(texts))]
    for entry, raw in zip(reviews, texts, strict=True):
        assert (entry["text"], entry["cut"]) == (readable(raw), None)
        text = ReadableText.of(raw)
        spans = readable_spans(text, words_of(raw))
        assert decoded(entry) == [(text.text[start:end], push) for start, end, push in spans if push]


def test_words_behind_the_cut_of_a_long_review_stay_shaded_where_they_are() -> None:
    text = "head words, a long middle part, tail words"
    head, left_out = len("head words, "), len("a long middle part, ")
    shown = text[:head] + text[head + left_out :]
    spans = [(text.index(word), text.index(word) + len(word), 1.0) for word in ("words,", "middle", "tail")]
    assert [shown[start:end] for start, end, _ in shortened_spans(spans, head, left_out)] == ["words,", "tail"]


def test_weak_pushes_are_not_shaded() -> None:
    weak = SMALLEST_SHADED / 2
    entry = error_browser(evaluated_of(["one two"], explain=lambda _: [(0, 3, weak), (4, 7, -2.0)]))["reviews"][0]
    assert decoded(entry) == [("two", -2.0)]
    assert entry["strongest"] == [["two", -2.0], ["one", weak]]


@given(st.text(max_size=60), st.integers(1, 70))
def test_a_long_text_is_cut_in_its_middle_alone(text: str, characters: int) -> None:
    parts = shortened(text, characters)
    assert len(parts.head + parts.tail) == min(len(text), characters)
    assert text == parts.head + text[len(parts.head) : len(parts.head) + parts.left_out] + parts.tail


def test_the_lists_are_the_worst_the_least_certain_and_a_sample() -> None:
    texts = [f"review {i}" for i in range(6)]
    labels = np.array([1, 0, 1, 0, 1, 0], dtype=np.int8)
    worst, uncertain, sample = chosen_reviews(texts, labels, np.array([0.1, 0.9, 0.8, 0.45, 0.02, 0.5]), 3)
    assert (worst.positions, worst.among) == ([4, 0, 1], 4)
    assert (uncertain.positions, uncertain.among) == ([5, 3, 2], 6)
    assert len(set(sample.positions)) == 3


@given(st.permutations([f"text {i}" for i in range(12)]), st.integers(0, 3))
def test_the_sample_depends_on_the_texts_alone(texts: list[str], seed: int) -> None:
    ordered = sorted(texts)
    expected = [ordered[position] for position in random_sample(ordered, 5, seed)]
    assert [texts[position] for position in random_sample(texts, 5, seed)] == expected


def test_another_seed_draws_another_sample_and_each_review_has_its_chance() -> None:
    texts = [f"text {i}" for i in range(20)]
    drawn = [random_sample(texts, 5, seed) for seed in range(400)]
    counts = np.bincount(np.concatenate(drawn), minlength=20)
    assert 60 < counts.min() <= counts.max() < 145  # 100 each, four standard deviations


def test_many_reviews_cost_no_more_than_few() -> None:
    explained: list[str] = []

    def explain(text: str) -> list[tuple[int, int, float]]:
        explained.append(text)
        return words_of(text)

    found = error_browser(evaluated_of([f"review number {i}" for i in range(3_000)], explain=explain))
    assert [len(each["reviews"]) for each in found["lists"]] == [LARGEST_LIST] * 3
    assert len(found["reviews"]) == len(set(explained)) == len(explained) <= 3 * LARGEST_LIST


@pytest.mark.parametrize("budget", [LARGEST_JSON, 1])
def test_reviews_of_any_length_fit_the_page(budget: int) -> None:
    texts = [f"{i} " + "< \u2028 " * 700 for i in range(90)]
    explained: list[str] = []
    found = error_browser(evaluated_of(texts, explain=lambda text: explained.append(text) or words_of(text)), budget)
    assert len(explained) == len(set(explained))
    assert 0 < len(page_json(found).encode()) <= LARGEST_JSON
    assert [len(each["reviews"]) for each in found["lists"]] == ([45, 90, 90] if budget == LARGEST_JSON else [20] * 3)
    for entry in found["reviews"]:
        head, left_out = entry["cut"]
        whole = readable(texts[entry["row"]])
        assert len(entry["text"]) + left_out == len(whole)
        assert (entry["text"][:head], entry["text"][head:]) == (whole[:head], whole[head + left_out :])
        assert all(word.strip() == word != "" for word, _ in decoded(entry))


def test_a_model_without_explanations_shows_its_reviews() -> None:
    found = error_browser(evaluated_of(["one", "two"], explain=None))
    assert not found["explained"]
    assert [(entry["text"], entry["spans"], entry["strongest"]) for entry in found["reviews"]] == [
        ("one", [], []),
        ("two", [], []),
    ]


def test_hostile_texts_come_back_as_they_were_and_cannot_end_the_script() -> None:
    value = {"texts": HOSTILE, "__proto__": 1}
    text = page_json(value)
    assert json.loads(text) == value
    assert not re.search("[<>&\u2028\u2029]", text)
    text.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_review_has_nothing_that_acts(text: str) -> None:
    (entry,) = error_browser(evaluated_of([text]))["reviews"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", entry["text"])
    assert len(entry["text"]) == len(text.strip())
