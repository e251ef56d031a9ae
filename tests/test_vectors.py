"""Reading GloVe's text format, drawing missing rows, coverage."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SentimentError
from pipeline.vectors import GloveTable, coverage, draw_missing_vectors, read_vectors

LINES = ["the 0.1 -0.2 3e-1", "film 1 2.5 -3", "good .5 -1.5E+2 7."]


def write_table(folder: Path, lines: list[str], end: str = "\n", name: str = "table.txt") -> Path:
    path = folder / name
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def write_zip(folder: Path, members: dict[str, str]) -> Path:
    path = folder / "tables.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def read(path: Path, words: list[str], dimension: int | None = None) -> dict[str, list[float]]:
    vectors, found = read_vectors(GloveTable(path, dimension), words)
    assert vectors.dtype == np.float32
    assert not vectors[found == 0].any()
    return {word: vectors[index].tolist() for index, word in enumerate(words) if found[index]}


def test_wanted_words_get_their_numbers(tmp_path: Path) -> None:
    table = GloveTable(write_table(tmp_path, LINES))
    vectors, found = read_vectors(table, ["good", "missing", "the"])
    assert found.tolist() == [1, 0, 1]
    expected = np.array([[0.5, -150.0, 7.0], [0, 0, 0], [0.1, -0.2, 0.3]], dtype=np.float32)
    np.testing.assert_array_equal(vectors, expected)
    assert table.dimension == 3
    assert table.sha256 == hashlib.sha256(table.path.read_bytes()).hexdigest()


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\n\r ", exclude_categories=("Cs",)), min_size=1),
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4),
        min_size=1,
    )
)
def test_what_is_written_is_read_back_bit_for_bit(table: dict[str, list[float]]) -> None:
    lines = [f"{word} {' '.join(repr(number) for number in numbers)}" for word, numbers in table.items()]
    with tempfile.TemporaryDirectory() as folder:
        assert read(write_table(Path(folder), lines), list(table), dimension=4) == table


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_line_ends_header_and_byte_order_mark_do_no_harm(tmp_path: Path, end: str) -> None:
    expected = read(write_table(tmp_path, LINES), ["the", "good"])
    assert read(write_table(tmp_path, ["3 3", *LINES], end), ["the", "good"]) == expected
    assert read(write_table(tmp_path, ["\ufeff" + LINES[0], *LINES[1:]], end), ["the", "good"]) == expected
    whole = write_table(tmp_path, LINES, end).read_bytes()
    (tmp_path / "table.txt").write_bytes(whole.rstrip())
    assert read(tmp_path / "table.txt", ["the", "good"]) == expected


def test_words_with_spaces_and_odd_separators_keep_the_lines_apart(tmp_path: Path) -> None:
    lines = [
        "the 1 2 3",
        ". . . 4 5 6",
        "at name@domain.example 7 8 9",
        "a\u0085b 1 1 1",
        "\u2028 2 2 2",
        "\u00a0 3 3 3",
    ]
    words = ["the", "a\u0085b", "\u2028", "\u00a0", ". . ."]
    expected = {"the": [1, 2, 3], "a\u0085b": [1, 1, 1], "\u2028": [2, 2, 2], "\u00a0": [3, 3, 3], ". . .": [4, 5, 6]}
    assert read(write_table(tmp_path, lines), words) == expected


def test_the_first_of_two_equal_words_counts(tmp_path: Path) -> None:
    assert read(write_table(tmp_path, ["a 1 2", "a 3 4"]), ["a"]) == {"a": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a 1 2 3", "b 1 2"], "line 2: 2 numbers where 3 belong"),
        (["a 1 2 3", "b 1 2 3 4"], "line 2: more than 3 numbers"),
        (["a 1 2 3", "b 1 two 3"], "line 2: holds something that is no number"),
        (["a 1 2 3", "wanted 1 2-3 3"], "line 2: holds something that is no number"),
        (["a 1 2 3", "wanted 1  3"], "line 2: holds something that is no number"),
        (["a 1 2 3", "b 1 nan 3"], "line 2: holds something that is no number"),
        (["a 1 2 3", "wanted 1 1e39 3"], "line 2: holds a number that 32 bits cannot hold"),
        (["a 1 2 3", "wanted 1 1e999 3"], "line 2: holds a number that 32 bits cannot hold"),
        (["a 1 2 3", "", "b 1 2 3"], "line 2: empty"),
        (["2 4", "a 1 2 3"], "line 2: 3 numbers where 4 belong"),
        (["<!DOCTYPE html>", "<html>"], "line 1: no numbers after the word"),
        (["a\t1\t2"], "line 1: no numbers after the word"),
        ([], "table.txt: empty"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    path = write_table(tmp_path, lines)
    with pytest.raises(SentimentError, match=message) as caught:
        read(path, ["wanted"])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_table_is_found_out(tmp_path: Path) -> None:
    path = write_table(tmp_path, LINES)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SentimentError, match="line 3: 2 numbers where 3 belong"):
        read(path, [])


def test_an_endless_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_bytes(b"x" * (1 << 21))
    with pytest.raises(SentimentError, match="line 1: longer than"):
        read(path, [])


def test_another_dimension_than_asked_for_is_named(tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match=r"line 1: 3 dimensions where 100 were asked for; give --dimension 3"):
        read(write_table(tmp_path, LINES), ["the"], dimension=100)


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.txt", tmp_path / "missing.zip", tmp_path):
        with pytest.raises(SentimentError, match="cannot be read"):
            read(path, [])


def test_zip_and_text_give_the_same(tmp_path: Path) -> None:
    path = write_table(tmp_path, LINES)
    archive = write_zip(tmp_path, {"folder/table.txt": path.read_text(), "__MACOSX/table.txt": "x", "readme.md": "x"})
    text, zipped = GloveTable(path), GloveTable(archive)
    for first, second in zip(read_vectors(text, ["the"]), read_vectors(zipped, ["the"]), strict=True):
        np.testing.assert_array_equal(first, second)
    assert text.sha256 == zipped.sha256
    assert text.file_name == zipped.file_name == "table.txt"


def test_the_dimension_chooses_among_a_zip_s_tables(tmp_path: Path) -> None:
    members = {f"glove.{dimension}d.txt": "a" + f" {dimension}" * dimension for dimension in (2, 12, 100)}
    path = write_zip(tmp_path, members)
    assert read(path, ["a"], dimension=2) == {"a": [2.0] * 2}
    assert read(path, ["a"]) == {"a": [100.0] * 100}
    with pytest.raises(SentimentError, match=r"of 5 dimensions.*glove\.2d\.txt, glove\.12d\.txt"):
        read(path, ["a"], dimension=5)
    with pytest.raises(SentimentError, match=r"no \.txt file"):
        read(write_zip(tmp_path, {"a.csv": "x"}), ["a"])


def test_a_damaged_zip_is_one_line(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).standard_normal((500, 3))
    text = "".join(f"word{index} {a} {b} {c}\n" for index, (a, b, c) in enumerate(numbers))
    path = write_zip(tmp_path, {"table.txt": text})
    content = bytearray(path.read_bytes())
    content[3_000:3_040] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(SentimentError):
        read(path, [])
    path.write_bytes(bytes(content[:5_000]))
    with pytest.raises(SentimentError, match=r"no zip file \(a saved error page\?\)"):
        read(path, [])


def test_missing_rows_match_the_found_ones_and_padding_stays_zero() -> None:
    generator = np.random.default_rng(0)
    vectors = (generator.standard_normal((6_000, 3)) * [0.2, 1.0, 3.0] + [5.0, 0.0, -1.0]).astype(np.float32)
    found = (np.arange(6_000) % 2).astype(np.uint8)
    drawn = draw_missing_vectors(vectors, found, seed=1)
    np.testing.assert_array_equal(drawn[found == 1], vectors[found == 1])
    assert not drawn[0].any()
    missing = drawn[found == 0][1:]
    np.testing.assert_allclose(missing.mean(axis=0), [5.0, 0.0, -1.0], atol=0.2)
    np.testing.assert_allclose(missing.std(axis=0), [0.2, 1.0, 3.0], rtol=0.05)
    standard = draw_missing_vectors(vectors, found, seed=1, distribution="standard")[found == 0][1:]
    np.testing.assert_allclose(standard.mean(axis=0), 0.0, atol=0.06)
    np.testing.assert_allclose(standard.std(axis=0), 1.0, rtol=0.05)


def test_a_seed_draws_the_same_rows_whatever_stood_there() -> None:
    vectors, found = np.ones((5, 2), dtype=np.float32), np.array([0, 0, 1, 0, 1], dtype=np.uint8)
    first = draw_missing_vectors(vectors, found, seed=3)
    other = vectors.copy()
    other[found == 0] = 9.0
    np.testing.assert_array_equal(first, draw_missing_vectors(other, found, seed=3))
    assert (vectors == 1).all()
    assert (
        draw_missing_vectors(vectors, found, seed=3, distribution="standard")
        != draw_missing_vectors(vectors, found, seed=4, distribution="standard")
    ).any()


def test_without_any_vector_all_rows_are_small() -> None:
    drawn = draw_missing_vectors(np.zeros((2_000, 4), np.float32), np.zeros(2_000, np.uint8), seed=0)
    assert not drawn[0].any()
    np.testing.assert_allclose(drawn[1:].std(), 0.1, rtol=0.05)


def test_coverage_counts_types_and_tokens() -> None:
    covered = coverage(np.array([60, 20, 10]), np.array([1, 0, 1], dtype=np.uint8), 100)
    assert covered == {
        "words": 3,
        "words_with_vector": 2,
        "train_tokens": 100,
        "types": pytest.approx(2 / 3),
        "tokens": 0.7,
        "vocabulary_tokens": 0.9,
    }
    assert coverage(np.zeros(0, np.int64), np.zeros(0, np.uint8), 0)["tokens"] == 0.0
