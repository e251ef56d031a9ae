"""The compact copy of a model is small, says where it comes from, and scores as near to its source as it states."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file, save_file

from pipeline import bundle, cli, inference
from pipeline.artifacts import sha256_of_file
from pipeline.bundle import MOST_BYTES, bundle_model, place_in_package
from pipeline.compact_weights import LEVELS, SCALE, compacted, in_eight_bits, widened
from pipeline.config import ModelSettings
from pipeline.console import Console
from pipeline.copy_comparison import figures_on_test, texts_to_compare
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import CONFIG_NAME, SentimentModel, find_model, shown
from pipeline.weight_shapes import EMBEDDING
from tests.conftest import Workspace
from tests.stub_models import write_random_model

ROOT = Path(__file__).parents[1]
FILES = {"README.md", "config.json", "model.safetensors", "vocabulary.txt"}
TEXTS = ["The film was wonderful.", "A dull, lazy mess!", "We all found the music moving.", "", "xyzzy"]


@pytest.fixture(scope="module")
def copy(trained_model: Path, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory, quiet: Console) -> Path:
    """The compact copy of the tiny model."""
    folder = tmp_path_factory.mktemp("bundled") / trained_model.name
    bundle_model(trained_model, folder, workspace.corpus, folder.parent / "reports" / "none", quiet)
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the package's bundled models."""
    folder = tmp_path / "package" / "bundled"
    for module in (inference, bundle):
        monkeypatch.setattr(module, "BUNDLED_FOLDER", folder)
    return folder


TABLES = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=2), elements=st.floats(-(2.0**100), 2.0**100, width=32)
)


@given(table=TABLES)
def test_eight_bits_are_within_half_a_step_of_each_row(table: np.ndarray) -> None:
    whole, scales = in_eight_bits(table)
    again = widened({"x": whole, "x" + SCALE: scales})["x"]
    assert again.dtype == np.float32
    largest = np.abs(table).max(axis=1, keepdims=True)
    assert (np.abs(again.astype(np.float64) - table) <= largest / 127 * 0.5001 + 1e-37).all()


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_widens_to_the_same_names_and_shapes(trained_model: Path, level: str) -> None:
    weights = load_file(trained_model / "model.safetensors")
    stored = compacted(weights, level)
    again = widened(stored)
    assert {name: array.shape for name, array in again.items()} == {name: of.shape for name, of in weights.items()}
    assert all(array.dtype == np.float32 for array in again.values())
    assert all(np.abs(again[name] - array).max() <= 0.005 * np.abs(array).max() for name, array in weights.items())
    kinds = {name: str(array.dtype) for name, array in stored.items() if array.ndim == 2 and len(array) > 1}
    expected = {"float16": set(), "int8 embeddings": {EMBEDDING}, "int8": set(kinds)}[level]
    assert {name for name, kind in kinds.items() if kind == "int8"} == expected


def test_weights_in_float32_pass_untouched() -> None:
    weights = {"a": np.ones((2, 2), np.float32), "b.scale": np.ones(2, np.float32)}
    assert all(widened(weights)[name] is array for name, array in weights.items())


def test_a_copy_holds_four_files_and_is_loaded_like_any_model(copy: Path, trained_model: Path) -> None:
    assert {path.name for path in copy.iterdir()} == FILES
    config, source = (json.loads((folder / CONFIG_NAME).read_text()) for folder in (copy, trained_model))
    assert config["files"] == {name: sha256_of_file(copy / name) for name in FILES - {CONFIG_NAME}}
    assert config["bytes"] == (copy / "model.safetensors").stat().st_size < source["bytes"] / 1.5
    assert config["bundle"]["source"]["weights_sha256"] == source["files"]["model.safetensors"]
    kept = ("recipe", "seed", "temperature", "validation", "training", "corpus", "vectors", "scoring_precision")
    assert {name: config[name] for name in kept} == {name: source[name] for name in kept}
    assert SentimentModel.load(copy).name == SentimentModel.load(trained_model).name
    assert config["bundle"]["source"]["weights_sha256"][:16] in (copy / "README.md").read_text()


def test_the_stated_differences_are_those_of_the_validation_reviews(
    copy: Path, trained_model: Path, workspace: Workspace
) -> None:
    stated = json.loads((copy / CONFIG_NAME).read_text())["bundle"]["differences"]
    compared = texts_to_compare(trained_model, workspace.corpus, SentimentModel.load(trained_model).config)
    assert (stated["compared_on"], stated["reviews"]) == ("validation reviews", len(compared.texts))
    ours, theirs = (SentimentModel.load(folder).probabilities(compared.texts) for folder in (copy, trained_model))
    assert 0 < stated["quantile_999"] <= stated["largest"] < 0.05
    assert np.abs(ours - theirs).max() == pytest.approx(stated["largest"], abs=1e-5)
    assert stated["accuracy"] == np.mean((ours >= 0.5) == compared.labels)


def test_without_its_corpus_a_copy_is_compared_on_generated_reviews(
    trained_model: Path, tmp_path: Path, quiet: Console
) -> None:
    config = bundle_model(trained_model, tmp_path / "copy", tmp_path / "corpus", tmp_path / "reports", quiet)
    assert config["bundle"]["differences"]["compared_on"] == "generated reviews"
    assert config["bundle"]["differences"]["reviews"] == 1000


def test_figures_of_the_test_split_are_taken_over_where_they_are_of_the_same_weights(
    trained_model: Path, workspace: Workspace, tmp_path: Path, quiet: Console
) -> None:
    metrics = json.loads((ROOT / "reports/reference/imdb-default-s1/metrics.json").read_text())
    weights_sha256 = sha256_of_file(trained_model / "model.safetensors")
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert figures_on_test(tmp_path, weights_sha256) is None
    metrics["model"]["weights_sha256"] = weights_sha256
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    config = bundle_model(trained_model, tmp_path / "copy", workspace.corpus, tmp_path, quiet)
    assert config["bundle"]["figures_of_source"]["accuracy"] == metrics["all"]["accuracy"]
    assert f"{metrics['all']['accuracy']:.4f}" in (tmp_path / "copy" / "README.md").read_text()


def test_a_copy_can_be_evaluated(copy: Path, quiet: Console) -> None:
    from pipeline.evaluation.provenance import model_entry
    from pipeline.evaluation.scorer import load_scorer, score_texts

    model = load_scorer(copy, quiet)
    assert len(score_texts(model, TEXTS, quiet)[0]) == len(TEXTS)
    assert model_entry(model)["weights_sha256"] == sha256_of_file(copy / "model.safetensors")


def test_torch_and_the_kernels_read_the_same_weights(copy: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.inference import SentimentModel\n"
        "model = SentimentModel.load(Path(sys.argv[1]))\nprint(*model.probabilities(sys.argv[2:]))\n"
    )
    command = [sys.executable, "-c", program, str(copy), *TEXTS]
    environment = {**os.environ, "SENTIMENT_KERNELS": "off"}
    by_torch = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    by_kernels = SentimentModel.load(copy).probabilities(TEXTS)
    assert np.allclose(by_kernels, list(map(float, by_torch)), atol=5e-3)


def test_a_changed_copy_is_refused(copy: Path, tmp_path: Path) -> None:
    for path in copy.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    stored = load_file(tmp_path / "model.safetensors")
    stored[EMBEDDING + SCALE] *= 2
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(SentimentError, match="changed since training"):
        SentimentModel.load(tmp_path)


def test_a_model_too_large_for_float16_is_stored_more_roughly(
    trained_model: Path, workspace: Workspace, tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def most_bytes(number: int) -> None:
        monkeypatch.setattr(bundle, "MOST_BYTES", number + bundle.ROOM_FOR_TEXT)

    def written(folder: Path) -> tuple[str, int]:
        config = bundle_model(trained_model, folder, workspace.corpus, tmp_path, quiet, level="float16")
        return config["bundle"]["stored_as"][EMBEDDING], config["bytes"]

    _, largest = written(tmp_path / "copy")
    vocabulary = (trained_model / "vocabulary.txt").stat().st_size
    most_bytes(largest + vocabulary - 1)
    kind, smaller = written(tmp_path / "copy")
    assert (kind, smaller < largest) == ("int8", True)
    most_bytes(smaller // 2)
    before = {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()}
    with pytest.raises(SentimentError, match="even in eight bits; train one with a smaller vocabulary"):
        written(tmp_path / "copy")
    assert {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()} == before


def test_a_copy_of_a_copy_is_refused(copy: Path, tmp_path: Path, quiet: Console) -> None:
    with pytest.raises(SentimentError, match="is a compact copy already"):
        bundle_model(copy, tmp_path / "again", tmp_path, tmp_path, quiet)


def test_weights_that_float16_lacks_are_refused(tmp_path: Path, quiet: Console) -> None:
    with pytest.raises(ValueError, match=r"output\.bias holds what is too large"):
        compacted({"output.bias": np.array([1e6], np.float32)}, "int8")
    with pytest.raises(ValueError, match="x holds what is no number"):
        compacted({"x": np.full((2, 2), np.nan, np.float32)}, "int8")


def test_the_package_carries_one_model(package: Path) -> None:
    assert place_in_package("one") == package / "one"
    write_random_model(package / "one", ModelSettings(16), ["film"])
    assert place_in_package("one") == package / "one"
    with pytest.raises(SentimentError, match="one: the package carries this model already"):
        place_in_package("two")


def test_score_uses_the_model_named_then_the_last_trained_then_the_bundled(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.csv").write_text("review\nA film.\n")
    arguments = ["score", "reviews.csv", "-o", "scored.csv"]
    assert cli.main(arguments) == 1
    assert "no trained model; run `make train` first" in capsys.readouterr().err
    bundled = write_random_model(package / "carried", ModelSettings(16), ["film"])
    write_random_model(tmp_path / "data" / "demo" / "models" / "demo", ModelSettings(16), ["film"])
    assert cli.main(arguments) == 0
    assert f"score: model {shown(bundled)}" in capsys.readouterr().err
    assert shown(bundled).startswith("carried, bundled with the package")
    trained = write_random_model(tmp_path / "data" / "models" / "trained", ModelSettings(16), ["film"])
    for more, used in (([], "data/models/trained"), (["--model", "carried"], shown(bundled))):
        assert cli.main([*arguments, *more]) == 0
        assert f"score: model {used}" in capsys.readouterr().err
    with pytest.raises(SentimentError, match="no trained model"):
        find_model(tmp_path / "nowhere", None)  # the other commands ask for a model of one's own
    assert shown(trained) == str(trained)


def test_the_command_writes_into_the_package(
    package: Path, copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied.parents[2])
    assert cli.main(["bundle", "--model", copied.name]) == 0
    assert f"bundle: {copied.name} in {package / copied.name}" in capsys.readouterr().err
    assert {path.name for path in (package / copied.name).iterdir()} == FILES


@pytest.fixture
def copied(trained_model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "models" / trained_model.name
    folder.mkdir(parents=True)
    for path in trained_model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_the_wheel_carries_what_is_bundled() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "bundled/*/*" in project["tool"]["setuptools"]["package-data"]["pipeline"]


def test_the_bundled_model_is_whole_small_and_right_on_the_obvious() -> None:
    carried = sorted((ROOT / "pipeline" / "bundled").glob(f"*/{CONFIG_NAME}"))
    if not carried:
        pytest.skip("the package carries no model")
    (folder,) = (path.parent for path in carried)
    files = list(folder.rglob("*"))
    assert {path.name for path in files} == FILES
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
    config = json.loads((folder / CONFIG_NAME).read_text())
    assert config["files"] == {name: sha256_of_file(folder / name) for name in FILES - {CONFIG_NAME}}
    assert config["name"] == folder.name
    assert not config["corpus"]["sample"]
    model = SentimentModel.load(folder)
    praise, blame, praise_again = model.probabilities(
        [
            "A wonderful film: moving, funny and beautifully acted. I loved every minute of it.",
            "A terrible, boring mess. The worst film I have seen in years, a complete waste of time.",
            "One of the best films ever made, a masterpiece.",
        ]
    )
    assert praise > 0.9
    assert praise_again > 0.9
    assert blame < 0.1


def test_a_trained_model_is_never_replaced_by_its_copy(
    trained_model: Path, workspace: Workspace, tmp_path: Path, quiet: Console
) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained_model, model)
    before = {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match="holds a trained model, which a copy would replace"):
        bundle_model(model, model, workspace.corpus, tmp_path / "reports", quiet)
    assert {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()} == before


def test_a_copys_report_stands_beside_its_sources_with_the_same_baselines(
    trained_model: Path, workspace: Workspace, tmp_path: Path, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.evaluation import evaluate

    monkeypatch.setattr(evaluate, "write_report", lambda output, evaluated: None)
    copy = tmp_path / "copy"
    bundle_model(trained_model, copy, workspace.corpus, tmp_path / "reports", quiet)
    reports, cache = tmp_path / "reports", tmp_path / "cache"
    source, metrics = (
        evaluate.evaluate_model(model, workspace.corpus, reports, quiet, cache_folder=cache)
        for model in (trained_model, copy)
    )
    assert metrics["baselines"]["nb_svm"]["from_cache"]  # fitted on the reviews that its source did not hold out
    assert metrics["baselines"]["nb_svm"]["accuracy"] == source["baselines"]["nb_svm"]["accuracy"]
    assert sorted(path.name for path in reports.iterdir() if path.is_dir()) == [
        trained_model.name,
        f"{trained_model.name}-compact",
    ]
