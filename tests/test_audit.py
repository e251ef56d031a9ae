"""Promise: the audit finds exact and near duplicates, odd characters and lengths, and no test label moves it."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit import (
    audit_corpus,
    count_oddities,
    exact_duplicates,
    lengths_in_words,
    near_duplicates,
    summary_lines,
    word_counts,
)
from pipeline.console import Console
from pipeline.duplicates import (
    DisjointSets,
    find_duplicate_groups,
    hash_shingles,
    hash_words,
    jaccard,
    numbered_by_first_occurrence,
)
from pipeline.reviews import ReviewRows

QUIET = Console(quiet=True)
WORDS = [f"word{number}" for number in range(400)]


def table(texts: Sequence[str], labels: Sequence[int] | None = None) -> pa.Table:
    rows = ReviewRows()
    for number, text in enumerate(texts):
        rows.append(text, labels[number] if labels is not None else number % 2)
    return rows.table()


def groups_of(*texts: str) -> list[int]:
    groups: list[int] = find_duplicate_groups([table(texts)], QUIET).tolist()
    return groups


def shingles(text: str) -> set[tuple[str, ...]]:
    """The definition, said plainly, for texts of plain words."""
    words = text.split()
    width = min(5, len(words))
    return {tuple(words[start : start + width]) for start in range(len(words) - width + 1)}


def true_groups(texts: Sequence[str]) -> list[int]:
    """Components of the graph of all pairs, by brute force."""
    group = list(range(len(texts)))
    for one, other in combinations(range(len(texts)), 2):
        first, second = shingles(texts[one]), shingles(texts[other])
        if len(first & second) >= 0.8 * len(first | second):
            old, new = group[other], group[one]
            group = [new if number == old else number for number in group]
    order: dict[int, int] = {}
    return [order.setdefault(number, len(order)) for number in group]


def test_case_punctuation_and_html_breaks_do_not_part_duplicates() -> None:
    assert groups_of("One fine day, at sea!", "one fine day<br /><BR/>at SEA", "one fine day at shore") == [0, 0, 1]


def test_a_word_changed_in_a_long_text_is_near_and_in_a_short_one_is_not() -> None:
    long = " ".join(WORDS[:100])
    assert groups_of(long, long.replace("word50", "other")) == [0, 0]
    short = " ".join(WORDS[:12])
    assert groups_of(short, short.replace("word6", "other")) == [0, 1]


def test_the_threshold_is_met_at_four_fifths_exactly() -> None:
    words = WORDS[:20]
    # 16 shingles; four more on one side only make 16 / 20.
    assert groups_of(" ".join(words), " ".join([*words, "a", "b", "c", "d"])) == [0, 0]
    assert groups_of(" ".join(words), " ".join([*words, "a", "b", "c", "d", "e"])) == [0, 1]


def test_short_texts_are_one_shingle_and_wordless_ones_are_themselves() -> None:
    assert groups_of("good", "Good!", "good one", "very good", "!!!", "***", "!!!") == [0, 0, 1, 2, 3, 4, 3]


def test_repeated_words() -> None:
    assert groups_of("no no no no no", "no no no no no no no no", "no no no no") == [0, 0, 1]


def test_groups_are_transitive_and_numbered_over_all_tables() -> None:
    chain = [" ".join([*WORDS[start : start + 60]]) for start in (0, 4, 8, 12)]
    first, second = table([chain[0], "alone here"]), table([chain[3], chain[1], chain[2]])
    assert find_duplicate_groups([first, second], QUIET).tolist() == [0, 1, 0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_groups_equal_brute_force(data: st.DataObject) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    texts: list[str] = []
    for _ in range(data.draw(st.integers(2, 25))):
        if texts and generator.random() < 0.6:
            words = texts[generator.integers(len(texts))].split()
            for _ in range(generator.integers(0, 3)):
                words[generator.integers(len(words))] = WORDS[generator.integers(400)]
        else:
            words = [WORDS[number] for number in generator.integers(0, 400, generator.integers(1, 120))]
        texts.append(" ".join(words))
    assert groups_of(*texts) == true_groups(texts)


def test_ten_thousand_copies_cost_no_more_than_one() -> None:
    assert set(groups_of(*[" ".join(WORDS[:50])] * 10_000)) == {0}


def test_hashes_of_words_stand_by_text() -> None:
    words = hash_words(pa.array(["", "a b", "--", " b a. ", "é É\u0301"]))
    lengths = [len(of_text) for of_text in words.of_each_text()]
    assert lengths == [0, 2, 0, 2, 2]
    a, b = words.flat[:2]
    assert words.flat[2:4].tolist() == [b, a]
    assert hash_shingles(words.flat[:2]).tolist() != hash_shingles(words.flat[2:4]).tolist()
    assert hash_words(pa.array(["x", "a"]).slice(1)).flat.tolist() == [a]


def test_disjoint_sets_and_numbering() -> None:
    sets = DisjointSets(5)
    sets.join(3, 4)
    sets.join(4, 1)
    assert sets.roots().tolist() == [0, 1, 2, 1, 1]
    assert numbered_by_first_occurrence(np.array([7, 3, 7, 0])).tolist() == [0, 1, 0, 2]
    assert jaccard(frozenset(), frozenset()) == 1.0
    assert jaccard(frozenset((1, 2)), frozenset((2, 3))) == pytest.approx(1 / 3)


def test_exact_duplicates_inside_and_across() -> None:
    tables = {"train": table(["a", "a", "b", "c"]), "test": table(["b", "b", "d", "A"])}
    found = exact_duplicates(tables)
    assert found["within"] == {
        "train": {"rows": 4, "distinct_texts": 3, "repeated_rows": 1},
        "test": {"rows": 4, "distinct_texts": 3, "repeated_rows": 1},
    }
    assert found["across"] == {"train|test": {"distinct_texts": 1, "rows": {"train": 1, "test": 2}}}


def test_near_duplicates_across_splits() -> None:
    tables = {"train": table(["a", "b", "c", "d"], [1, 0, 1, 1]), "test": table(["e", "f", "g"])}
    groups = {"train": np.array([0, 0, 1, 2]), "test": np.array([0, 3, 3])}
    found = near_duplicates(tables, groups)
    assert (found["groups"], found["rows_in_groups"], found["largest_group"]) == (2, 5, 3)
    assert found["across"] == {"train|test": {"groups": 1, "rows": {"train": 2, "test": 1}}}
    assert found["train_groups_with_both_labels"] == 1


def test_lengths_count_words_between_white_space() -> None:
    assert word_counts(pa.array(["  one two<br /><br />three ", "<br>", "one"])).tolist() == [3, 0, 1]
    lengths = lengths_in_words(table(["a", "a b", "a b c", "a b c d"]))
    assert lengths == {"mean": 2.5, "median": 2.5, "percentile_95": 3.85, "longest": 4}


@pytest.mark.parametrize(
    ("text", "oddity"),
    [
        ("bell \x07", "control_characters"),
        ("next line \x85", "control_characters"),
        ("lost \ufffd", "replacement_characters"),
        ("so<BR>so", "html_breaks"),
        ("salt &amp; pepper", "html_entities"),
        ("it&#39;s", "html_entities"),
        ("cafÃ©", "mojibake"),
        ("itâ€™s", "mojibake"),
        ("Â£5", "mojibake"),
    ],
)
def test_oddities_are_counted_once_a_review(text: str, oddity: str) -> None:
    counts = count_oddities(table([f"{text} {text}", "plain"]))
    assert {name for name, count in counts.items() if count} == {oddity}
    assert counts[oddity] == 1


def test_ordinary_texts_have_no_oddity() -> None:
    texts = ["AT&T; a < b > c", "tab\tand\r\nline", "crème brûlée, São Paulo, Âge, naïve", "“quotes” — dashes… €5 👍🏽"]
    assert set(count_oddities(table(texts)).values()) == {0}


def test_no_test_label_moves_the_audit() -> None:
    train = table(["good film", "bad film", "good film"], [1, 0, 1])
    texts = ["good film", "fine film"]
    groups = {"train": np.array([0, 1, 0]), "test": np.array([0, 2])}
    audits = [audit_corpus({"train": train, "test": table(texts, labels)}, groups) for labels in ([0, 1], [1, 0])]
    assert audits[0] == audits[1]
    assert audits[0]["train_labels"] == {"positive": 2, "negative": 1}


def test_the_summary_is_short_and_names_the_leak() -> None:
    tables = {"train": table(["good<br>film", "bad film"]), "test": table(["bad film", "fine film"])}
    groups = {"train": np.array([0, 1]), "test": np.array([1, 2])}
    lines = summary_lines(audit_corpus(tables, groups))
    assert any("train and test: 1 texts stand in both; 1 rows of test have a near duplicate" in line for line in lines)
    assert any("html breaks: in 1 reviews" in line for line in lines)
    assert len(lines) <= 12
