"""Promise: the baselines are the published ones, see the training part only, and are fitted once."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_matrix

from pipeline import baselines
from pipeline.baselines import MAJORITY, NB_SVM, TFIDF, BaselineCorpus, baseline_scores

PRAISE = ["a warm film", "warm and <br />funny", "funny, warm, kind", "a kind story", "kind and funny"]
SCORN = ["a dull film", "dull and <br/>long", "long, dull, cold", "a cold story", "cold and long"]


class Reader:
    """Counts how often the training texts are read."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> list[str]:
        self.calls += 1
        return PRAISE + SCORN


def toy_corpus(reader: Reader) -> BaselineCorpus:
    labels = np.array([1] * 5 + [0] * 5, dtype=np.int8)
    return BaselineCorpus("f1", np.arange(10), labels, reader, ["WARM and kind", "dull and cold", "a film, dull, dull"])


def test_log_count_ratio_equals_the_worked_numbers() -> None:
    counts = csr_matrix(np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0]], dtype=np.float32))
    labels = np.array([1, 1, 0], dtype=np.int8)
    # positive counts 2 1 1, negative 0 1 0; plus one each: 3 2 2 of 7 and 1 2 1 of 4
    expected = np.log([(3 / 7) / (1 / 4), (2 / 7) / (2 / 4), (2 / 7) / (1 / 4)])
    np.testing.assert_allclose(baselines.log_count_ratio(counts, labels), expected)


def test_columns_are_scaled() -> None:
    counts = csr_matrix(np.array([[1, 0, 1], [0, 1, 1]], dtype=np.float32))
    scaled = baselines.scale_columns(counts, np.array([2.0, 3.0, -1.0]))
    assert scaled.toarray().tolist() == [[2, 0, -1], [0, 3, -1]]


def test_breaks_become_spaces_and_case_is_dropped() -> None:
    assert baselines.plain_text("Good<br /><BR>Bad<br>x") == "good  bad x"


def test_baselines_learn_a_separable_corpus(tmp_path: Path) -> None:
    results = {result.name: result for result in baseline_scores(toy_corpus(Reader()), tmp_path)}
    assert list(results) == [MAJORITY, TFIDF, NB_SVM]
    for name in (TFIDF, NB_SVM):
        assert (results[name].scores >= 0).tolist() == [True, False, False]
        assert (results[name].training_rows, results[name].from_cache) == (10, False)


def test_second_evaluation_reads_the_cache(tmp_path: Path) -> None:
    reader = Reader()
    first = baseline_scores(toy_corpus(reader), tmp_path)
    fitted: list[str] = []
    second = baseline_scores(toy_corpus(reader), tmp_path, on_fit=fitted.append)
    assert (reader.calls, fitted) == (1, [])
    for before, after in zip(first, second, strict=True):
        np.testing.assert_array_equal(before.scores, after.scores)
        assert after.from_cache == (after.name != MAJORITY)


@pytest.mark.parametrize("change", [{"fingerprint": "f2"}, {"training_rows": np.arange(1, 11)}])
def test_another_corpus_or_training_part_is_fitted_anew(tmp_path: Path, change: dict[str, object]) -> None:
    reader = Reader()
    baseline_scores(toy_corpus(reader), tmp_path)
    baseline_scores(replace(toy_corpus(reader), **change), tmp_path)
    assert reader.calls == 2


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_a_damaged_cache_is_fitted_anew(tmp_path: Path, damage: bytes | None) -> None:
    reader = Reader()
    first = baseline_scores(toy_corpus(reader), tmp_path)
    for path in tmp_path.glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    second = baseline_scores(toy_corpus(reader), tmp_path)
    assert reader.calls == 2
    np.testing.assert_allclose(first[2].scores, second[2].scores)


def test_a_cache_with_objects_is_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    np.savez(path, scores=np.array([{"a": 1}], dtype=object), seconds=np.float64(1))
    assert baselines.read_cached_scores(path, 1) is None


def test_majority_follows_the_training_labels(tmp_path: Path) -> None:
    assert baselines.majority_scores(np.array([0, 0, 1], dtype=np.int8), 2).tolist() == [-1, -1]
    assert baselines.majority_scores(np.array([0, 1], dtype=np.int8), 1).tolist() == [1]
    one_class = replace(toy_corpus(Reader()), training_labels=np.ones(10, dtype=np.int8))
    assert [result.name for result in baseline_scores(one_class, tmp_path)] == [MAJORITY]


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_baselines_reach_their_published_accuracy_on_imdb(tmp_path: Path) -> None:
    """Fitted on all of train, as in the literature: NB-SVM 0.9182 in mesnilgr/nbsvm."""
    if "SENTIMENT_IMDB" not in os.environ:
        pytest.skip("SENTIMENT_IMDB does not name the folder of stanfordnlp/imdb")
    folder = Path(os.environ["SENTIMENT_IMDB"]) / "plain_text"
    train, test = (pq.read_table(folder / f"{split}-00000-of-00001.parquet") for split in ("train", "test"))
    labels = np.asarray(train.column("label")).astype(np.int8)
    texts = test.column("text").to_pylist()
    corpus = BaselineCorpus("imdb", np.arange(labels.size), labels, train.column("text").to_pylist, texts)
    truth = np.asarray(test.column("label"))
    accuracy = {
        result.name: float(np.mean((result.scores >= 0) == truth)) for result in baseline_scores(corpus, tmp_path)
    }
    assert accuracy[MAJORITY] == 0.5
    assert accuracy[TFIDF] == pytest.approx(0.907, abs=0.002)
    assert accuracy[NB_SVM] == pytest.approx(0.9182, abs=0.002)
