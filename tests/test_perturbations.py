"""Promise: a changed review is changed as its definition says and in nothing else, the same way in every run."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.denial import statements_denied
from pipeline.evaluation.opposites import OPPOSITE, PAIRS, opposites
from pipeline.evaluation.perturbations import PERTURBATIONS, SHORT_TEXTS, Perturbation, perturbed
from pipeline.evaluation.shortening import first_words, last_words
from pipeline.evaluation.surface_changes import TAG, no_line_breaks, typos
from pipeline.review_text import HTML_BREAK, is_blank

BY_NAME = {entry.name: entry for entry in (*SHORT_TEXTS, *PERTURBATIONS)}
CUTS = [entry for entry in BY_NAME.values() if entry.kind == "shortened"]
REWRITTEN = [entry for entry in BY_NAME.values() if entry.kind != "shortened"]
WORDS = [
    "the",
    "plot",
    "isn't",
    "good",
    "really",
    "9.5/10",
    "Anna's",
    "10th",
    "bad,",
    "never",
    "(warm)",
    "music!",
    "end.",
]
GAPS = [" ", "  ", "<br />", "<br><br />", "\n", " <i>", "</i> "]
REVIEWS = st.builds(
    lambda start, pairs: start + "".join(word + gap for word, gap in pairs),
    st.sampled_from(["", *GAPS[:5]]),
    st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), min_size=1, max_size=60),
)
ANY_TEXT = st.one_of(st.text(max_size=200), REVIEWS)
ROWS = st.integers(0, 10**9)


def changed(name: str, text: str, seed: int = 1, row: int = 0) -> str:
    return perturbed(text, BY_NAME[name], seed, row)


def words(text: str) -> list[str]:
    return HTML_BREAK.sub(" ", text).split()


@settings(max_examples=25)
@given(ANY_TEXT, ROWS, ROWS)
def test_any_text_is_changed_the_same_way_whatever_was_changed_before(text: str, seed: int, row: int) -> None:
    first = [perturbed(text, entry, seed, row) for entry in BY_NAME.values()]
    again = [perturbed(text, entry, seed, row) for entry in reversed(BY_NAME.values())]
    assert first == again[::-1]
    assert all(is_blank(result) == is_blank(text) for result in first)


def test_seed_row_and_change_each_settle_the_draws() -> None:
    text = "several words are written here " * 40
    results = {changed("many_typos", text, seed, row) for seed in (1, 2) for row in (0, 1)}
    assert len(results) == 4
    twin = Perturbation("another_name", "", "", "harmless", BY_NAME["many_typos"].change)
    assert perturbed(text, twin, 1, 0) not in results


@settings(max_examples=25)
@given(REVIEWS, ROWS)
def test_tags_and_digits_stay_where_the_text_is_rewritten(text: str, row: int) -> None:
    for entry in REWRITTEN:
        result = perturbed(text, entry, 1, row)
        if entry.name != "no_line_breaks":
            assert TAG.findall(result) == TAG.findall(text), entry.name
        assert re.findall(r"\d", result) == re.findall(r"\d", text), entry.name


@settings(max_examples=25)
@given(ANY_TEXT)
def test_a_cut_keeps_a_stretch_letter_by_letter(text: str) -> None:
    for entry in CUTS:
        assert perturbed(text, entry, 1, 0) in text, entry.name


@settings(max_examples=25)
@given(REVIEWS, st.integers(1, 70))
def test_as_many_words_are_kept_as_asked_for(text: str, count: int) -> None:
    generator = random.Random(0)
    assert words(first_words(count)(text, generator)) == words(text)[:count]
    assert words(last_words(count)(text, generator)) == words(text)[-count:]
    third = len(words(text)) // 3
    assert words(changed("middle_third", text)) == words(text)[third : len(words(text)) - third]


@pytest.mark.parametrize(("name", "share"), [("few_typos", 1 / 20), ("many_typos", 1 / 7), ("stretched_letters", 0.1)])
def test_as_many_words_are_hit_as_promised(name: str, share: float) -> None:
    text = "<br />".join(["wonderful acting though"] * 4000)
    before, after = words(text), words(changed(name, text))
    hit = sum(old != new for old, new in zip(before, after, strict=True))
    assert abs(hit - share * len(before)) < 4 * (share * (1 - share) * len(before)) ** 0.5


@settings(max_examples=25)
@given(st.text("abcdefgz", min_size=4, max_size=12), ROWS)
def test_a_slip_is_one_slip(word: str, seed: int) -> None:
    result = typos(1.0)(word, random.Random(seed))
    assert result != word
    assert abs(len(result) - len(word)) <= 1
    start = next((i for i, (a, b) in enumerate(zip(word, result, strict=False)) if a != b), min(len(word), len(result)))
    rest = [(word[start + skipped :], result[start + skipped + len(result) - len(word) :]) for skipped in (0, 1, 2)]
    assert any(old == new for old, new in rest)


def test_short_words_and_words_with_digits_have_no_slips() -> None:
    text = "not now x1000 2nd1 1000times don't <strong> &amp; 12345 " * 20
    assert typos(1.0)(text, random.Random(1)) == text


@settings(max_examples=25)
@given(REVIEWS)
def test_case_is_all_that_changes_with_case(text: str) -> None:
    assert changed("lower_case", text) == text.lower()
    for name in ("upper_case", "random_case"):
        assert changed(name, text).lower() == text.lower()
    assert not re.search("[a-z]", TAG.sub("", changed("upper_case", text)))


@settings(max_examples=25)
@given(REVIEWS)
def test_marks_go_and_words_stay(text: str) -> None:
    result = changed("no_punctuation", text)
    assert [word.strip(",.!()") for word in words(TAG.sub(" ", text))] == words(TAG.sub(" ", result))
    assert changed("no_apostrophes", text) == text.replace("'", "")


def test_marks_between_words_leave_a_blank_and_nothing_left_leaves_the_text() -> None:
    assert changed("no_punctuation", "warm...and slow/dull - 7.5/10!") == "warm and slow dull  7.5/10"
    assert changed("no_punctuation", "?!<br />...") == "?!<br />..."


def test_breaks_become_one_blank() -> None:
    text = "One.<br /><br />Two.<BR>\nThree."
    assert no_line_breaks(text, random.Random(0)) == "One. Two. Three."


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Wow! What a film. I slept. Go and see it!", "Wow! What a film.", "Go and see it!"),
        ('I met Mr. Smith there. Fine.<br />Nice to see ("again!") here', "I met Mr. Smith there.", "here"),
        ("No end of sentence here", "No end of sentence here", "No end of sentence here"),
        ("A heading without mark<br /><br />Then the text begins.", "A heading without mark", "Then the text begins."),
    ],
)
def test_sentences_end_at_marks_and_breaks(text: str, first: str, last: str) -> None:
    assert changed("first_sentence", text) == first
    assert changed("last_sentence", text).endswith(last)


DENIED = [
    ("The plot is thin.", "The plot is not thin."),
    ("It wasn't bad, it was great!", "It was bad, it was not great!"),
    ("It's fun and they're good.", "It's not fun and they're not good."),
    ("I never laughed.", "I laughed."),
    ("I really loved it.", "I did not really love it."),
    ("I recommend this.", "I do not recommend this."),
    ("Don't miss it.", "Do miss it."),
    ("You won't regret it, you can't.", "You will regret it, you can."),
    ("It has a plot.", "It does not have a plot."),
    ("Nothing works.", "Something works."),
    ("There is no tension at all.", "There is some tension."),
    ("It is neither funny nor clever.", "It is both funny and clever."),
    ("I do not think that it is good.", "I do think that it is good."),
    ("It didnt work<br />It works.", "It did work<br />It works."),
    ("A film that is slow, which can bore.", "A film that is not slow, which cannot bore."),
]


@pytest.mark.parametrize(("text", "expected"), DENIED)
def test_statements_are_denied_and_denials_taken_back(text: str, expected: str) -> None:
    assert statements_denied(text, random.Random(0)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Is it any good?",
        "What is the point?",
        "It is not only long",
        "A can of worms",
        "Will Smith acts",
        "To have a dog",
    ],
)
def test_what_states_nothing_is_left_alone(text: str) -> None:
    assert statements_denied(text, random.Random(0)) == text


@settings(max_examples=30)
@given(
    st.sampled_from(["The film", "Her voice", "This"]),
    st.sampled_from(["is", "was", "would be", "should have been", "will be", "has been"]),
    st.sampled_from(["good", "a waste", "really quite slow"]),
)
def test_denying_twice_gives_the_statement_again(subject: str, verb: str, rest: str) -> None:
    text = f"{subject} {verb} {rest}."
    once = statements_denied(text, random.Random(0))
    first, *others = verb.split()
    assert once == " ".join([subject, first, "not", *others, f"{rest}."])
    assert statements_denied(once, random.Random(0)) == text


def test_each_judging_word_has_one_opposite() -> None:
    assert len(OPPOSITE) == 2 * len(PAIRS)
    assert not {first for first, _ in PAIRS} & {second for _, second in PAIRS}


@settings(max_examples=25)
@given(st.lists(st.sampled_from([*sorted(OPPOSITE), "plot", "<br />", "music."]), max_size=20), st.booleans())
def test_swapping_twice_gives_the_text_again(chosen: list[str], in_capitals: bool) -> None:
    text = " ".join(word.upper() if in_capitals and word != "<br />" else word.capitalize() for word in chosen)
    once = opposites(text, random.Random(0))
    assert opposites(once, random.Random(0)) == text
    assert (once != text) == any(word in OPPOSITE for word in chosen)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["not x" + " " * 100_000 + "x", "neither " * 10_000, "<a" * 50_000, "." * 100_000])
def test_time_grows_with_the_text_and_no_faster(text: str) -> None:
    for entry in PERTURBATIONS:
        perturbed(text, entry, 1, 0)


def test_the_article_goes_with_the_word() -> None:
    assert opposites("A good end, an awful start.", random.Random(0)) == "A bad end, an excellent start."
    assert opposites("A beautiful goodbye.", random.Random(0)) == "An ugly goodbye."
