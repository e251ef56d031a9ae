"""Promise: any source becomes one Arrow schema with a manifest, the same bytes each time, no duplicate straddling."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from pipeline.artifacts import read_manifest
from pipeline.console import Console
from pipeline.corpus import CORPUS_SCHEMA, SPLIT_BY_SEED, build_corpus, seeded_split, write_split
from pipeline.errors import SentimentError
from pipeline.evaluation.labelled_texts import read_test_split
from pipeline.reviews import REVIEW_SCHEMA, ReviewRows

QUIET = Console(quiet=True)
SUBJECTS = ("plot", "cast", "score", "ending", "pace", "camera", "script", "dialogue", "opening", "cut")
PLACES = ("Oslo", "Lima", "Accra", "Hanoi", "Quito", "Turin", "Perth", "Dakar", "Osaka", "Minsk")


def sentence(number: int) -> str:
    subject, place = SUBJECTS[number % 10], PLACES[number // 10 % 10]
    return f"seen in {place} on day {number} the {subject} number {number * 7} was number {number * 13} of them all"


def own_csv(path: Path, count: int = 100, copies: int = 20) -> Path:
    texts = [sentence(number) for number in range(count)]
    texts += [text.upper() + " !" for text in texts[:copies]]
    lines = [f"{text},{number % count % 2}" for number, text in enumerate(texts)]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


def table_of(folder: Path, split: str) -> pa.Table:
    with pa.memory_map(str(folder / f"{split}.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    assert table.schema == CORPUS_SCHEMA
    return table


def column(table: pa.Table, name: str) -> Any:
    return table.column(name).to_numpy()


def review_table(labels: list[int]) -> pa.Table:
    rows = ReviewRows()
    for number, label in enumerate(labels):
        rows.append(f"text {number}", label)
    return rows.table()


def test_a_source_without_test_split_is_split_by_seed(tmp_path: Path) -> None:
    manifest = build_corpus(str(own_csv(tmp_path / "My Guests.csv")), tmp_path / "corpus", QUIET, seed=3)
    assert manifest == read_manifest(tmp_path / "corpus", "data")
    assert (manifest["name"], manifest["split"]) == ("my-guests", "seeded 80/20")
    assert manifest["source"].endswith("My Guests.csv")
    train, test = (table_of(tmp_path / "corpus", split) for split in ("train", "test"))
    assert manifest["rows"] == {"train": train.num_rows, "test": test.num_rows}
    assert train.num_rows + test.num_rows == 120
    assert 22 <= test.num_rows <= 27
    assert 10 <= column(test, "label").sum() <= 14
    assert not set(column(train, "duplicate_group")) & set(column(test, "duplicate_group"))
    for table in (train, test):
        assert column(table, "row").tolist() == list(range(table.num_rows))
        assert column(table, "rating").tolist() == [None] * table.num_rows or np.isnan(column(table, "rating")).all()
    groups = np.concatenate([column(train, "duplicate_group"), column(test, "duplicate_group")])
    assert len(np.unique(groups)) == 100
    first_seen = list(dict.fromkeys(groups.tolist()))
    assert first_seen == list(range(100))


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    source = str(own_csv(tmp_path / "own.csv"))
    first = build_corpus(source, tmp_path / "one", QUIET)
    second = build_corpus(source, tmp_path / "two", QUIET)
    assert first == second
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert build_corpus(source, tmp_path / "three", QUIET, seed=2)["fingerprint"] != first["fingerprint"]


@settings(max_examples=50)
@given(
    data=st.data(),
    labels=st.lists(st.integers(0, 1), min_size=20, max_size=60).filter(lambda labels: 8 < sum(labels) < 12),
    seed=st.integers(0, 99),
)
def test_near_duplicates_never_straddle_a_seeded_split(data: st.DataObject, labels: list[int], seed: int) -> None:
    numbers = st.lists(st.integers(0, len(labels)), min_size=len(labels), max_size=len(labels))
    groups = np.array(data.draw(numbers), np.int64)
    try:
        tables, split_groups = seeded_split({"train": review_table(labels)}, {"train": groups}, seed, "own.csv")
    except SentimentError:
        reject()
    texts = [table.column("text").to_pylist() for table in tables.values()]
    assert sorted(texts[0] + texts[1]) == sorted(f"text {number}" for number in range(len(labels)))
    assert not set(split_groups["train"]) & set(split_groups["test"])
    for part, table in tables.items():
        assert set(column(table, "label")) == {0, 1}
        assert len(split_groups[part]) == table.num_rows


def test_too_few_reviews_to_split(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("text,label\ngood,1\nbad,0\n")
    with pytest.raises(SentimentError, match=r"own\.csv: too few reviews .*test\.csv"):
        build_corpus(str(tmp_path / "own.csv"), tmp_path / "corpus", QUIET)
    assert not (tmp_path / "corpus" / "manifest.json").exists()


def test_what_the_manifest_and_the_console_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = own_csv(tmp_path / "own.csv")
    source.write_text(source.read_text() + ' ,1\n"\t",\n')
    manifest = build_corpus(str(source), tmp_path / "corpus", Console(), label_column="label")
    assert manifest["blank_rows_left_out"] == {"train": 2}
    assert manifest["settings"] == {
        "source": str(source),
        "text_column": None,
        "label_column": "label",
        "label_positive": None,
        "seed": 1,
    }
    assert len(manifest["inputs"]["source"]) == 64
    printed = capsys.readouterr()
    assert printed.out == ""
    for words in ("2 rows of train left out", "corpus own from", SPLIT_BY_SEED, *manifest["audit"]):
        assert words in printed.err
    audit = json.loads((tmp_path / "corpus" / "audit.json").read_text())
    assert audit["near_duplicates"]["groups"] == 20
    assert audit["near_duplicates"]["across"]["train|test"]["groups"] == 0


def test_a_source_split_is_kept_and_splits_of_an_older_corpus_go(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for split, content in (("train", "good,1\nbad,0\n"), ("test", "fine,1\n"), ("unsupervised", "hm,\n")):
        (folder / f"{split}.csv").write_text("text,label\n" + content)
    manifest = build_corpus(str(folder), tmp_path / "corpus", QUIET)
    assert manifest["split"] == "source"
    assert manifest["rows"] == {"train": 2, "test": 1, "unsupervised": 1}
    assert column(table_of(tmp_path / "corpus", "unsupervised"), "label").tolist() == [-1]
    (folder / "unsupervised.csv").unlink()
    build_corpus(str(folder), tmp_path / "corpus", QUIET)
    assert not (tmp_path / "corpus" / "unsupervised.arrow").exists()


def test_the_sample_alone_is_marked_as_such(tmp_path: Path) -> None:
    for source, is_sample in ((own_csv(tmp_path / "demo.csv"), False), ("sample", True)):
        manifest = build_corpus(str(source), tmp_path / "corpus", QUIET)
        assert (manifest["name"], manifest["sample"]) == ("demo", is_sample)
        assert read_test_split(tmp_path / "corpus", {}).description["sample"] is is_sample


def test_a_failed_build_leaves_the_old_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build_corpus(str(own_csv(tmp_path / "own.csv")), tmp_path / "corpus", QUIET)

    def full(*arguments: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pipeline.corpus.write_split", full)
    with pytest.raises(SentimentError, match="No space left on device"):
        build_corpus(str(own_csv(tmp_path / "other.csv", 50)), tmp_path / "corpus", QUIET)
    assert read_manifest(tmp_path / "corpus", "data") == before
    assert len(table_of(tmp_path / "corpus", "train")) == before["rows"]["train"]


def test_record_batches_are_small_whatever_the_chunks(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(12_001)]
    columns = [pa.array(texts), pa.array([1] * 12_001, pa.int8()), pa.array([None] * 12_001, pa.int8())]
    table = pa.table(columns, schema=REVIEW_SCHEMA)
    uneven = pa.concat_tables([table.slice(0, 7), table.slice(7, 9_000), table.slice(9_007)])
    write_split(tmp_path / "train.arrow", uneven, np.arange(12_001))
    with pa.memory_map(str(tmp_path / "train.arrow")) as source:
        reader = pa.ipc.open_file(source)
        assert [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)] == [5_000, 5_000, 2_001]
        assert reader.read_all().column("text").to_pylist() == texts


@pytest.mark.real_data
@pytest.mark.slow
def test_imdb(tmp_path: Path) -> None:
    source = os.environ.get("SENTIMENT_IMDB")
    if not source:
        pytest.skip("SENTIMENT_IMDB names no copy of IMDb")
    manifest = build_corpus(source, tmp_path / "corpus", QUIET)
    assert manifest["rows"] == {"train": 25_000, "test": 25_000, "unsupervised": 50_000}
    audit = json.loads((tmp_path / "corpus" / "audit.json").read_text())
    exact = audit["exact_duplicates"]
    assert [exact["within"][split]["distinct_texts"] for split in ("train", "test")] == [24_904, 24_801]
    assert {pair: counts["distinct_texts"] for pair, counts in exact["across"].items()} == {
        "train|test": 123,
        "train|unsupervised": 354,
        "test|unsupervised": 266,
    }
    # Equal to an exhaustive comparison of all pairs (1,682 of them near duplicates), made once.
    near = audit["near_duplicates"]
    assert (near["groups"], near["rows_in_groups"]) == (1_527, 3_121)
    assert near["across"]["train|test"] == {"groups": 123, "rows": {"train": 123, "test": 123}}
    assert audit["train_labels"] == {"negative": 12_500, "positive": 12_500}
