"""Promise: ``SentimentClassifier`` is a scikit-learn classifier of texts; what it fits is a model like any other."""

import copy
import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import column_or_1d, estimator_checks, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from pipeline import SentimentClassifier, load_model
from pipeline.classifier import two_classes
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.inference import BUNDLED_FOLDER
from pipeline.sample import sample_corpus
from pipeline.tokens import build_tokens
from tests.conftest import OPENINGS, Workspace, tiny_reviews

TRAIN, TEST = tiny_reviews(OPENINGS[:2]), tiny_reviews(OPENINGS[2:])
TEXTS = [text for text, _ in TRAIN]
LABELS = np.array(["loved" if label else "hated" for _, label in TRAIN])
TEST_TEXTS = [text for text, _ in TEST]
TEST_LABELS = np.array(["loved" if label else "hated" for _, label in TEST])


def quick(**changes: Any) -> SentimentClassifier:
    return SentimentClassifier(**{"recipe": "demo", "epochs": 4, **changes})


@pytest.fixture(scope="module")
def fitted() -> SentimentClassifier:
    return quick().fit(TEXTS, LABELS)


def test_it_learns_from_texts_and_labels(fitted: SentimentClassifier) -> None:
    assert fitted.classes_.tolist() == ["hated", "loved"]
    assert fitted.score(TEST_TEXTS, TEST_LABELS) > 0.9
    probabilities = fitted.predict_proba(TEST_TEXTS)
    assert probabilities.shape == (len(TEST_TEXTS), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert fitted.predict(TEST_TEXTS).tolist() == fitted.classes_[probabilities.argmax(axis=1)].tolist()
    assert roc_auc_score(TEST_LABELS, fitted.decision_function(TEST_TEXTS)) > 0.95


def test_the_same_fit_gives_the_same_model_and_touches_no_generator(fitted: SentimentClassifier) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    again = quick().fit(pd.Series(TEXTS, index=range(5, 5 + len(TEXTS))), pd.Series(LABELS))
    assert torch.equal(torch.rand(1), expected)
    assert _without_times(again) == _without_times(fitted)
    np.testing.assert_array_equal(again.predict_proba(TEST_TEXTS), fitted.predict_proba(TEST_TEXTS))


def _without_times(classifier: SentimentClassifier) -> list[bytes]:
    return [classifier.model_.files[name] for name in ("model.safetensors", "vocabulary.txt")]


def test_another_seed_gives_another_model(fitted: SentimentClassifier) -> None:
    generator = np.random.RandomState(5)
    other = quick(random_state=generator, epochs=1).fit(TEXTS, LABELS)
    assert _without_times(other)[0] != _without_times(quick(epochs=1).fit(TEXTS, LABELS))[0]


@pytest.mark.parametrize("labels", [[True, False], [1, 0], [7, -3], ["zzz", "a b"], [2.0, 1.0]])
def test_any_two_labels_come_back_as_they_were(labels: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = quick(epochs=1)
    seen: list[np.ndarray] = []

    def remember(texts: list[str], positive: np.ndarray, settings: object) -> Any:
        seen.append(positive)
        return _Constant()

    monkeypatch.setattr("pipeline.classifier.fit_model", remember)
    y = np.array([labels[0] if label == "loved" else labels[1] for label in LABELS])
    classifier.fit(TEXTS, y)
    assert seen[0].tolist() == (LABELS == "loved").tolist()
    assert classifier.classes_.tolist() == sorted(labels)
    predicted = classifier.predict(TEXTS[:2])
    assert predicted.tolist() == sorted(labels)
    assert predicted.dtype == y.dtype


class _Constant:
    """In place of a fitted model: the first text is of the first class, the second of the second."""

    @property
    def loaded(self) -> "_Constant":
        return self

    def predict_proba(self, texts: list[str]) -> np.ndarray:
        return np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.mark.parametrize("dtype", ["string", "category", "Int64", "boolean", "object"])
def test_labels_of_pandas_will_do(dtype: str) -> None:
    numbers = pd.Series((LABELS == "loved").astype(int))
    y = numbers.astype(dtype) if dtype in ("Int64", "boolean") else pd.Series(LABELS).astype(dtype)
    classes, second = two_classes(column_or_1d(y))
    assert second.tolist() == (LABELS == "loved").tolist()
    assert len(classes) == 2


def test_a_fitted_model_is_a_model_folder_like_any_other(fitted: SentimentClassifier, tmp_path: Path) -> None:
    from pipeline.cli import main

    folder = fitted.save(tmp_path / "mine")
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.predict_proba(TEST_TEXTS), fitted.predict_proba(TEST_TEXTS))
    assert ["hated" if answer == "negative" else "loved" for answer in loaded.predict(TEST_TEXTS)] == fitted.predict(
        TEST_TEXTS
    ).tolist()
    pd.DataFrame({"review": TEST_TEXTS}).to_csv(tmp_path / "in.csv", index=False)
    output = tmp_path / "out.csv"
    assert main(["score", str(tmp_path / "in.csv"), "-o", str(output), "--model", str(folder), "--quiet"]) == 0
    scored = pd.read_csv(output)["positive_probability"]
    np.testing.assert_allclose(scored, fitted.predict_proba(TEST_TEXTS)[:, 1], atol=1.1e-6)
    assert "A GRU" in (folder / "README.md").read_text()
    fitted.save(folder)  # over itself


def test_it_travels_to_other_processes(fitted: SentimentClassifier, tmp_path: Path) -> None:
    expected = fitted.predict_proba(TEST_TEXTS)
    joblib.dump(fitted, tmp_path / "fitted")
    for copied in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted), joblib.load(tmp_path / "fitted")):
        np.testing.assert_array_equal(copied.predict_proba(TEST_TEXTS), expected)
    assert b"_network" not in pickle.dumps(fitted)


def test_a_clone_keeps_the_parameters_and_drops_the_model(fitted: SentimentClassifier) -> None:
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "model_")
    assert copied.set_params(epochs=9).get_params()["epochs"] == 9
    with pytest.raises(NotFittedError):
        copied.predict(TEST_TEXTS)
    with pytest.raises(NotFittedError):
        copied.save(Path("nowhere"))


def test_it_runs_in_cross_validation_and_pipelines() -> None:
    squeezed = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    frame = np.array(TEXTS, dtype=object)
    assert cross_val_score(make_pipeline(squeezed, quick()), frame, LABELS, cv=2).min() > 0.7


@pytest.mark.slow
def test_it_runs_in_grids() -> None:
    search = GridSearchCV(quick(), {"epochs": [1, 4]}, cv=2, scoring="roc_auc", refit=False).fit(TEXTS, LABELS)
    assert search.best_params_ == {"epochs": 4}


@pytest.mark.parametrize(
    ("texts", "labels", "error", "message"),
    [
        (TEXTS, None, ValueError, "requires y to be passed"),
        (TEXTS, LABELS[:-1], ValueError, "inconsistent numbers of samples"),
        (TEXTS, np.ones(len(TEXTS), dtype=int), ValueError, "only one class"),
        (TEXTS, np.arange(len(TEXTS)) % 3, ValueError, "Only binary classification is supported.*multiclass"),
        (TEXTS, np.linspace(0, 1, len(TEXTS)), ValueError, "Unknown label type: continuous"),
        (TEXTS, [None, *LABELS[1:]], ValueError, "y contains NaN or None"),
        (TEXTS, [np.nan, *np.ones(len(TEXTS) - 1)], ValueError, "y contains NaN"),
        ("one text", ["loved"], ValueError, "only one class"),
        ("one text", ["loved", "hated"], TypeError, "not one str"),
        ([None, "x"], ["loved", "hated"], ValueError, "text 0 is missing"),
        ([1, 2], ["loved", "hated"], TypeError, "text 0 is 1, of type int"),
        (["good", "bad"], ["loved", "hated"], ValueError, "n_samples=2 texts that are not blank"),
        (["good"] * 50 + ["bad"] * 50, ["loved"] * 50 + ["hated"] * 50, ValueError, "1 of the rarer class"),
        ([" ", ""] * 20, ["loved", "hated"] * 20, ValueError, "n_samples=0 texts that are not blank"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_line(
    texts: Any, labels: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        quick().fit(texts, labels)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "nonsense"}, "no recipe 'nonsense'; there are"),
        ({"recipe": "best"}, "starts from a pretrained model, which fit has not"),
        ({"epochs": 0}, "epochs = 0 is less than 1"),
        ({"epochs": 2.5}, "epochs = 2.5 is not of type int"),
        ({"batch_size": 0}, "batch_size = 0 is less than 1"),
        ({"vocabulary_size": 0}, "must be 1 or more"),
        ({"random_state": -1}, "random_state = -1 is negative"),
    ],
)
def test_bad_parameters_are_refused_when_fitted(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quick(**changes).fit(TEXTS, LABELS)


def test_missing_vectors_are_named() -> None:
    with pytest.raises(SentimentError, match=r"no-such\.txt: no such file"):
        quick(vectors="no-such.txt").fit(TEXTS, LABELS)


def test_word_vectors_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.txt").write_text("wonderful 1 2 3 4 5 6 7 8\ndreadful 8 7 6 5 4 3 2 1\n")
    quick(vectors=tmp_path / "table.txt", epochs=1, verbose=True).fit(TEXTS, LABELS)
    assert "table.txt has 2 of" in capsys.readouterr().err


@pytest.mark.skipif(not list(BUNDLED_FOLDER.glob("*/config.json")), reason="the package carries no model")
def test_the_bundled_vectors_are_a_start() -> None:
    classifier = quick(vectors="bundled", epochs=6).fit(TEXTS, LABELS)
    assert classifier.score(TEST_TEXTS, TEST_LABELS) > 0.8
    config = json.loads(classifier.model_.files["config.json"])
    assert config["vectors"]["name"] == "bundled.txt"
    assert config["coverage"]["tokens"] > 0.95


def test_fitting_is_silent_starts_no_process_leaves_no_file_and_works_beside_the_main_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.delattr("pipeline.tokens.ProcessPoolExecutor")  # a worker would run the caller's script again
    scores: list[float] = []
    thread = threading.Thread(target=lambda: scores.append(quick(epochs=1).fit(TEXTS, LABELS).score(TEXTS, LABELS)))
    thread.start()
    thread.join()
    assert len(scores) == 1
    assert list(here.iterdir()) == []
    assert list(temporary.glob("sentiment-*")) == []  # torch may have made a folder of its own
    assert capfd.readouterr() == ("", "")


def test_blank_texts_are_left_out_of_the_fit(fitted: SentimentClassifier) -> None:
    texts = ["", *TEXTS[:50], " \n", *TEXTS[50:], "<br />"]
    labels = ["loved", *LABELS[:50], "hated", *LABELS[50:], "loved"]
    assert _without_times(quick().fit(texts, labels)) == _without_times(fitted)


def test_tokens_made_in_this_process_are_those_of_workers(workspace: Workspace, tmp_path: Path, quiet: Console) -> None:
    build_tokens(workspace.corpus, tmp_path / "tokens", quiet, processes=0)
    for name in ("forms.arrow", "train.arrow", "test.arrow"):
        assert (tmp_path / "tokens" / name).read_bytes() == (workspace.tokens / name).read_bytes()


WITHOUT_DATA = [
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_valid_tag_types,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_mixin_order,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_estimators_unfitted,
    estimator_checks.check_requires_y_none,
    estimator_checks.check_estimators_partial_fit_n_features,
    estimator_checks.check_non_transformer_estimators_n_iter,
]


@pytest.mark.parametrize("check", WITHOUT_DATA, ids=lambda check: check.__name__)
def test_estimator_checks_that_need_no_numbers(check: Callable[[str, Any], None]) -> None:
    check("SentimentClassifier", SentimentClassifier())


def test_tags_say_that_it_takes_texts_of_two_classes() -> None:
    tags = get_tags(SentimentClassifier())
    assert is_classifier(SentimentClassifier())
    assert (tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array) == (True, True, False)
    assert not tags.classifier_tags.multi_class
    assert not tags.non_deterministic
    assert tags.requires_fit
    assert tags.target_tags.required


class OfNumbers(SentimentClassifier):
    """Spells each row's numbers as words: scikit-learn's checks feed numbers, and so they can be run nevertheless."""

    def fit(self, X: Any, y: Any) -> "OfNumbers":  # noqa: N803
        rows, labels = validate_data(self, X, y)
        return super().fit(spelt(rows), labels)

    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        check_is_fitted(self)
        return super().predict_proba(spelt(validate_data(self, X, reset=False)))

    def decision_function(self, X: Any) -> Any:  # noqa: N803
        check_is_fitted(self)
        return super().decision_function(spelt(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = False, False, True
        return tags


def spelt(rows: np.ndarray) -> list[str]:
    """Return a text for each row: of each number a rough word, and a fine one that keeps near rows apart."""
    return [
        " ".join(f"c{column}v{round(2 * float(value))} c{column}w{round(50 * float(value))}" for column, value in row)
        for row in map(enumerate, rows)
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_estimator_checks_on_numbers_spelt_as_words() -> None:
    results = estimator_checks.check_estimator(OfNumbers("demo", epochs=6), on_skip=None, on_fail=None)
    failed = [(result["check_name"], str(result["exception"])) for result in results if result["status"] == "failed"]
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert failed == []
    assert skipped <= {"check_array_api_input"}  # runs where SCIPY_ARRAY_API is set
    assert len(results) > 45


@pytest.mark.slow
def test_it_reads_the_order_of_words_in_the_sample() -> None:
    parts = {
        part: ([text for text, _ in rows], [label for _, label in rows]) for part, rows in sample_corpus(seed=1).items()
    }
    classifier = SentimentClassifier("demo").fit(*parts["train"])
    assert classifier.score(*parts["test"]) > 0.8


def test_a_folder_of_something_else_is_not_written_into(fitted: SentimentClassifier, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(SentimentError, match=r"holds files that are no model's \(README.md\)"):
        fitted.save(tmp_path)
    with pytest.raises(SentimentError, match="is a file; name a folder"):
        fitted.save(tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text() == "mine"
    fitted.save(fitted.save(tmp_path / "model"))
