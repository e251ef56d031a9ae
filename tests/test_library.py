"""Promise: as a library the project answers what a scored CSV says, for any column, and refuses what is no text."""

import csv
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pipeline
from pipeline import load_model
from pipeline.errors import SentimentError
from pipeline.inference import BUNDLED_FOLDER, SentimentModel
from pipeline.kernel_library import kernel_problem
from pipeline.library import LoadedModel
from pipeline.scoring.windows import LONGEST_TEXT
from pipeline.text_input import texts_from

ROOT = Path(__file__).parents[1]
TEXTS = [
    "The film was wonderful.",
    "A dull mess, lazy and cold!<br />Go and judge for yourself.",
    "dull",
    "🙂 unseen wørds",
    'She said "not good at all",\nand left.',
    "wonderful " * (LONGEST_TEXT // 20) + "dull " * (LONGEST_TEXT // 5) + "a joy " * (LONGEST_TEXT // 20),
]
pytestmark = pytest.mark.skipif(not list(BUNDLED_FOLDER.glob("*/config.json")), reason="the package carries no model")


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model()


def test_it_answers_what_a_scored_csv_says(model: LoadedModel, tmp_path: Path) -> None:
    from pipeline.cli import main

    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["review"], *([text] for text in TEXTS)])
    command = ["score", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--model", model.name, "--quiet"]
    assert main([*command, "--data-dir", str(tmp_path)]) == 0
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["positive_probability"]) for row in rows] == pytest.approx(
        model.predict_proba(TEXTS)[:, 1].tolist(), abs=1.1e-6
    )
    assert [row["predicted_sentiment"] for row in rows] == model.predict(TEXTS).tolist()
    assert {row["predicted_sentiment"] for row in rows} == {"positive", "negative"}


def test_arrays_are_those_of_scikit_learn(model: LoadedModel) -> None:
    probabilities = model.predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), 2)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=0, atol=1e-15)
    assert model.classes_.tolist() == ["negative", "positive"]
    assert model.predict(TEXTS).tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()
    odds = np.log(probabilities[:, 1] / probabilities[:, 0])
    np.testing.assert_allclose(model.decision_function(TEXTS), odds, atol=1e-9)
    assert model.predict_proba([]).shape == (0, 2)
    assert model.predict([]).shape == (0,)


@pytest.mark.parametrize(
    "kind",
    [
        tuple,
        iter,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: np.array(texts)[:, None],
        lambda texts: (text for text in texts),
        lambda texts: pd.Series(texts, index=range(7, 7 + len(texts))),
        lambda texts: pd.Series(texts, dtype="string"),
        lambda texts: pd.Series(texts, dtype="category"),
        lambda texts: pd.DataFrame({"review": texts}),
        lambda texts: dict.fromkeys(texts).keys(),
    ],
)
def test_any_column_of_texts_will_do(model: LoadedModel, kind: Callable[[list[str]], Iterable[str]]) -> None:
    np.testing.assert_array_equal(model.predict_proba(kind(TEXTS)), model.predict_proba(TEXTS))
    assert all(type(text) is str for text in texts_from(kind(TEXTS)))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("The film was wonderful.", "give several texts, such as a list of them, not one str"),
        (b"bytes", "not one bytes"),
        ({"review": ["good"]}, "not one dict"),
        (None, "not one NoneType"),
        (7, "not one int"),
        (["good", 7], "text 1 is 7, of type int and not str"),
        (["good", b"bad"], "text 1 is b'bad', of type bytes"),
        ([["good"]], r"text 0 is \['good'\], of type list"),
        (np.array([1.5, 2.5]), "text 0 is .*1.5"),
        (["x", ["a long list"] * 100], r"text 1 is .{36,40}\.\.\., of type list"),
    ],
)
def test_what_is_no_text_is_refused_in_a_line(model: LoadedModel, texts: Any, message: str) -> None:
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(TypeError, match=message) as raised:
            method(texts)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["good", None], "text 1 is missing"),
        (["good", float("nan")], "text 1 is missing"),
        (pd.Series(["good", None]), "text 1 is missing"),
        (pd.Series(["good", pd.NA], dtype="string"), "text 1 is missing"),
        (np.array([["a", "b"], ["c", "d"]]), r"shape \(2, 2\), give one column"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), r"shape \(1, 2\), give one column"),
        (np.array("text"), r"shape \(\), give one column"),
    ],
)
def test_missing_texts_and_tables_are_refused_in_a_line(model: LoadedModel, texts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        model.predict(texts)
    assert "\n" not in str(raised.value)


def test_blank_texts_are_answered_as_an_empty_review(model: LoadedModel) -> None:
    blank = model.predict_proba(["", " \n", "<br />", "\u200b" * (LONGEST_TEXT + 1), "dull"])
    assert len(set(blank[:3, 1].tolist())) == 1
    assert blank[0, 1] != blank[4, 1]
    assert np.isfinite(blank).all()


def test_half_a_surrogate_pair_is_no_crash(model: LoadedModel) -> None:
    assert np.isfinite(model.predict_proba(["\ud800", "good \udfff"])).all()


def test_the_bundled_model_whatever_was_trained_in_this_folder(
    trained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(trained_model.parent, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    assert load_model().name in {path.parent.name for path in BUNDLED_FOLDER.glob("*/config.json")}
    assert load_model(load_model().name).name == load_model().name
    for name in (trained_model, str(trained_model), trained_model.name):
        expected = SentimentModel.load(trained_model).probabilities(TEXTS)
        np.testing.assert_allclose(load_model(name).predict_proba(TEXTS)[:, 1][:5], expected[:5], atol=1e-9)
    with pytest.raises(
        SentimentError, match=r"no-such-model: no model folder .*bundled: imdb-small-s1; .*`make train`"
    ):
        load_model("no-such-model")


def test_the_package_offers_two_names_and_no_other() -> None:
    assert set(pipeline.__all__) == {"SentimentClassifier", "__version__", "load_model"}
    assert pipeline.SentimentClassifier.__name__ == "SentimentClassifier"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pipeline.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import pipeline", ["numpy", "torch", "sklearn", "pipeline.inference"]),
        ("from pipeline import load_model; load_model", ["torch", "sklearn", "scipy", "pandas", "pyarrow"]),
        ("from pipeline import load_model; load_model().predict(['good'])", ["torch", "sklearn", "scipy", "pandas"]),
    ],
)
def test_importing_costs_nothing_that_is_not_asked_for(program: str, absent: list[str]) -> None:
    if "predict" in program and kernel_problem():
        pytest.skip("needs the compiled kernels")
    shown = f"import sys; {program}; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
