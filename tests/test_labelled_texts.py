"""Promise: texts of a file stay on the disk and read as a list would; clear stars are kept as they are."""

import errno
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SentimentError
from pipeline.evaluation import stored_texts
from pipeline.evaluation.labelled_texts import LabelledTexts, read_labelled_file
from pipeline.evaluation.stored_texts import StoredTexts, store_reviews
from pipeline.reviews import ReviewRows


def stored(texts: list[str]) -> StoredTexts:
    def read(rows: ReviewRows) -> None:
        for number, text in enumerate(texts):
            rows.append(text, number % 2)

    return store_reviews(read)[1]


@pytest.fixture(scope="module")
def pair() -> tuple[list[str], StoredTexts]:
    texts = [f"review {number} é\n" * (number % 3 + 1) for number in range(2 * stored_texts.ROWS_PER_BATCH + 7)]
    return texts, stored(texts)


@settings(max_examples=40)
@given(index=st.slices(2 * stored_texts.ROWS_PER_BATCH + 7))
def test_slices_are_those_of_a_list(pair: tuple[list[str], StoredTexts], index: slice) -> None:
    assert pair[1][index] == pair[0][index]


def test_the_rest_of_a_list_too(pair: tuple[list[str], StoredTexts]) -> None:
    texts, found = pair
    last = len(texts) - 1
    assert len(found) == len(texts)
    assert list(found) == texts
    assert [found[index] for index in (0, 999, 1000, last, -1, np.int64(5))] == [
        texts[index] for index in (0, 999, 1000, last, -1, 5)
    ]
    with pytest.raises(IndexError):
        found[len(texts)]
    assert len(stored([])) == 0


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    texts = stored(["a", "b"])
    assert list(tmp_path.iterdir()) == []
    assert texts[1] == "b"


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullFile:
        def write(self, content: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name: str) -> Any:
            return getattr(kept, name)

    kept = tempfile.TemporaryFile()  # noqa: SIM115
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda prefix: FullFile())
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\nfine,1\n")
    with pytest.raises(SentimentError, match=r"temporary folder .*No space left.*TMPDIR"):
        read_labelled_file(path, None, None, None)
    assert kept.closed


def read_csv(folder: Path, content: str) -> LabelledTexts:
    path = folder / "reviews.csv"
    path.write_text(content, encoding="utf-8")
    return read_labelled_file(path, None, None, None)


@pytest.mark.parametrize("name", ["rating", "Stars", "star_rating"])
def test_stars_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    data = read_csv(tmp_path, f"text,label,{name}\nfine,1,10\n,1,3\ndull,0, 2.0\nwarm,1,\n")
    assert data.ratings is not None
    assert data.ratings.tolist() == [10, 2, -1]
    assert list(data.texts) == ["fine", "dull", "warm"]


@pytest.mark.parametrize(
    "content",
    [
        "text,label,rating\nfine,1,97\ndull,0,5\n",
        "text,label,rating\nfine,1,4.5\ndull,0,5\n",
        "text,label,rating\nfine,1,0\ndull,0,5\n",
        "text,label,rating\nfine,1,good\ndull,0,5\n",
        "text,label,rating,stars\nfine,1,8,4\ndull,0,2,1\n",
        "text,label,rating\nfine,1,\ndull,0,\n",
        "text,rating\nfine,1\ndull,0\n",
    ],
)
def test_what_may_be_no_stars_is_left_out(tmp_path: Path, content: str) -> None:
    data = read_csv(tmp_path, content)
    assert data.ratings is None
    assert data.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([8, None, 1], [8, -1, 1]),
        ([8.0, float("nan"), 1.0], [8, -1, 1]),
        ([8.0, 4.5, 1.0], None),
        (["8", "", "1"], None),
    ],
)
def test_stars_of_a_parquet_file_are_numbers(tmp_path: Path, values: list[Any], expected: list[int] | None) -> None:
    path = tmp_path / "reviews.parquet"
    pq.write_table(pa.table({"text": ["fine", "warm", "dull"], "label": [1, 1, 0], "rating": values}), path)
    ratings = read_labelled_file(path, None, None, None).ratings
    assert (None if ratings is None else ratings.tolist()) == expected


def test_stars_in_one_file_of_a_corpus_only_leave_the_others_without(tmp_path: Path) -> None:
    rows, others = ReviewRows(), ReviewRows()
    rows.append("fine", 1, 8)
    others.append("dull", 0, 3)
    others.unclear_ratings = 1
    rows.extend(others)
    assert rows.table().column("rating").to_pylist() == [None, None]
