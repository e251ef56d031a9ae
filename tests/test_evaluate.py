"""Promise: the test split is measured once, openly, and fairly: ledger, leak-free part, same training part for all."""

import csv
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, roc_auc_score

from pipeline.artifacts import StageOutput, read_manifest
from pipeline.baselines import BaselineCorpus
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.evaluation import evaluate
from pipeline.evaluation.evaluate import evaluate_model
from pipeline.evaluation.held_out import baseline_corpus
from pipeline.evaluation.labelled_texts import name_of_source, read_test_split
from pipeline.evaluation.ledger import LEDGER_COLUMNS, append_to_ledger, lines_of_corpus
from pipeline.evaluation.metrics_schema import metrics_schema
from pipeline.evaluation.provenance import evaluation_command
from pipeline.report import write
from pipeline.splits import SPLIT_SEED, fingerprint_of_rows, held_out_rows

TRAIN = [("a fine warm film", 1), ("fine acting", 1), ("warm and fine", 1)] * 4 + [
    ("a dull cold film", 0),
    ("dull acting", 0),
    ("cold and dull", 0),
] * 4
TEST = [
    ("a fine film", 1),
    ("fine and warm", 1),
    ("dull, then fine, then dull", 1),
    ("so dull", 0),
    ("cold", 0),
    ("fine trailer, <script>alert(1)</script> fine poster", 0),
]


class StubModel:
    """Scores a text by its words; the temperature halves the logits."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.name: str = config["name"]
        self.config = config
        self.temperature = 2.0

    def logits(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        if on_batch is not None:
            on_batch(len(texts))
        counts = [2.0 * text.count("fine") - 1.5 * text.count("dull") - text.count("cold") for text in texts]
        return np.array(counts, dtype=np.float32)


def write_split(path: Path, reviews: Sequence[tuple[str, int]], groups: Sequence[int]) -> None:
    table = pa.table(
        {
            "row": pa.array(range(len(reviews)), pa.int64()),
            "text": [text for text, _ in reviews],
            "label": pa.array([label for _, label in reviews], pa.int8()),
            "rating": pa.nulls(len(reviews), pa.int8()),
            "duplicate_group": pa.array(groups, pa.int64()),
        }
    )
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=5)


class Workspace:
    """A corpus of a few reviews and a model that was trained on it; group 3 stands in train, 50 in unsupervised."""

    def __init__(self, folder: Path, test: Sequence[tuple[str, int]] = TEST) -> None:
        self.corpus, self.model_folder, self.reports = folder / "corpus", folder / "models/m", folder / "reports"
        self.cache = folder / "cache"
        self.model_folder.mkdir(parents=True)
        with StageOutput(self.corpus, "data") as output:
            write_split(output.path("train.arrow"), TRAIN, range(len(TRAIN)))
            write_split(output.path("test.arrow"), test, [100, 3, 101, 50, 102, 103][: len(test)])
            write_split(output.path("unsupervised.arrow"), [("who knows", -1)], [50])
            self.manifest = output.commit({}, {}, {"name": "tiny", "source": "own words", "split": "source"})
        self.config: dict[str, Any] = {
            "name": "tiny-default-s1",
            "seed": 1,
            "files": {"model.safetensors": "ab" * 32},
            "corpus": {"name": "tiny", "fingerprint": self.manifest["fingerprint"]},
            "vectors": {"name": "glove.6B.100d"},
            "coverage": {"types": 0.5},
        }

    def write_validation(self, rows: Sequence[int]) -> None:
        table = pa.table({"row": pa.array(rows, pa.int64())})
        with pa.ipc.new_file(str(self.model_folder / "validation.arrow"), table.schema) as writer:
            writer.write_table(table)

    def evaluate(self, **options: Any) -> dict[str, Any]:
        return evaluate_model(
            self.model_folder,
            self.corpus,
            self.reports,
            Console(quiet=options.pop("quiet", True)),
            cache_folder=self.cache,
            model=StubModel(self.config),
            **options,
        )

    def ledger(self) -> list[dict[str, str]]:
        with (self.reports / "test-evaluations.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))


def require_documented(metrics: dict[str, Any]) -> None:
    Draft202012Validator(metrics_schema()).validate(metrics)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out drawing and page, which these tests do not look at."""
    monkeypatch.setattr(evaluate, "write_report", lambda output, evaluated: None)


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing, which takes most of a report's time."""
    monkeypatch.setattr(write, "write_pictures", lambda output, drawn: {})


def test_everything_is_written_and_the_files_agree(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace.write_validation([0, 12])
    (workspace.corpus / "audit.json").write_text('{"near_duplicates": {"train and test": 1}}')
    metrics = workspace.evaluate(quiet=False)
    folder = workspace.reports / "tiny-default-s1"
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    require_documented(metrics)
    table = pq.read_table(folder / "predictions.parquet").to_pydict()
    assert table["row"] == list(range(6))
    assert metrics["all"]["accuracy"] == accuracy_score(table["label"], table["predicted"]) == 4 / 6
    assert metrics["all"]["roc_auc"] == roc_auc_score(table["label"], table["probability"])
    assert table["leak_free"] == [True, False, True, True, True, True]
    assert read_manifest(folder, "evaluate")["rows"] == 6
    assert {path.name for path in folder.iterdir()} >= {"report.html", "errors.txt", "confusion_matrix.csv"}
    for figure in (
        "confusion_matrix",
        "roc_curve",
        "precision_recall_curve",
        "reliability",
        "score_histogram",
        "accuracy_by_length",
        "accuracy_comparison",
    ):
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (folder / f"{figure}.svg").read_bytes()
    assert (folder / "confusion_matrix.csv").read_text() == (
        "true_class,predicted_negative,predicted_positive\nnegative,2,1\npositive,1,2\n"
    )
    assert metrics["baselines"]["nb_svm"]["training_rows"] == len(TRAIN) - 2
    assert metrics["vectors"] == {"name": "glove.6B.100d", "coverage": {"types": 0.5}}
    shown = capsys.readouterr()
    assert shown.out == ""
    for expected in ("66.67%", "leak-free", "NB-SVM", "report.html"):
        assert expected in shown.err


@pytest.mark.usefixtures("without_report")
def test_probabilities_are_after_the_temperature_and_both_are_reported(workspace: Workspace) -> None:
    calibration = workspace.evaluate(baselines=False)["all"]["calibration"]
    logits = StubModel(workspace.config).logits([text for text, _ in TEST]).astype(float)
    labels = np.array([label for _, label in TEST])
    for name, temperature in (("before_temperature", 1.0), ("after_temperature", 2.0)):
        probabilities = 1 / (1 + np.exp(-logits / temperature))
        assert calibration[name]["brier"] == pytest.approx(np.mean((labels - probabilities) ** 2))


@pytest.mark.usefixtures("without_report")
def test_leak_free_leaves_out_what_has_a_duplicate_in_training(workspace: Workspace) -> None:
    metrics = workspace.evaluate(baselines=False)
    assert (metrics["leak_free"]["rows"], metrics["leak_free"]["accuracy"]) == (5, 3 / 5)
    assert metrics["leakage"] == {
        "known": True,
        "compared_with": ["train"],
        "shared_with": {"train": 1},
        "rows": 1,
        "test_evaluations": 1,
    }


@pytest.mark.usefixtures("without_report")
def test_unlabelled_text_that_stands_in_test_was_never_read(workspace: Workspace) -> None:
    workspace.config["origins"] = {
        "encoder": {"name": "default"}
    }  # which leaves such text out: test_pretraining_data.py
    metrics = workspace.evaluate(baselines=False)
    assert metrics["leak_free"]["rows"] == 5
    assert metrics["leakage"]["shared_with"] == {"train": 1}
    assert metrics["model"]["pretrained_on_unlabelled_text"]


@pytest.mark.usefixtures("without_report")
def test_each_reading_of_the_test_labels_adds_a_line(workspace: Workspace) -> None:
    for _ in range(2):
        metrics = workspace.evaluate(baselines=False)
    first, second = workspace.ledger()
    assert metrics["leakage"]["test_evaluations"] == 2
    assert list(first) == list(LEDGER_COLUMNS)
    assert (first["model"], first["weights_sha256"], first["corpus"]) == ("tiny-default-s1", "ab" * 6, "tiny")
    assert (first["rows"], first["accuracy"], first["leak_free_accuracy"]) == ("6", "0.66667", "0.60000")
    assert first["corpus_fingerprint"] == workspace.manifest["fingerprint"][:12]
    assert first["command"] == second["command"]
    assert first["command"] == (
        f"sentiment evaluate --model {workspace.model_folder} --data-dir {workspace.corpus.parent} "
        f"--reports-dir {workspace.reports} --no-baselines"
    )


def test_a_report_that_fails_still_counts_as_a_reading(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(output: StageOutput, evaluated: object) -> None:
        raise SentimentError("disk full")

    monkeypatch.setattr(evaluate, "write_report", full_disk)
    with pytest.raises(SentimentError, match="disk full"):
        workspace.evaluate(baselines=False)
    assert len(workspace.ledger()) == 1
    assert not (workspace.reports / "tiny-default-s1" / "manifest.json").exists()


def test_lines_of_other_corpora_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "test-evaluations.csv"
    assert lines_of_corpus(path, "ab" * 32) == 0
    for fingerprint in ("ab" * 6, "ab" * 6, "cd" * 6):
        append_to_ledger(path, {**dict.fromkeys(LEDGER_COLUMNS, "a,b"), "corpus_fingerprint": fingerprint})
    assert lines_of_corpus(path, "ab" * 32) == 2


def add_lines(path: Path, count: int) -> None:
    for _ in range(count):
        append_to_ledger(path, dict.fromkeys(LEDGER_COLUMNS, "a,b"))


def test_runs_at_once_lose_no_line(tmp_path: Path) -> None:
    path = tmp_path / "test-evaluations.csv"
    with ThreadPoolExecutor(3) as pool:
        for result in [pool.submit(add_lines, path, 5) for _ in range(3)]:
            result.result()
    lines = path.read_text().splitlines()
    assert len(lines) == 16
    assert lines[0] == ",".join(LEDGER_COLUMNS)


def test_a_ledger_without_final_newline_or_with_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "test-evaluations.csv"
    path.write_text(",".join(LEDGER_COLUMNS) + "\n1,2,3,4,5,6,7,8,9")
    add_lines(path, 1)
    assert len(path.read_text().splitlines()) == 3
    path.write_text("something,else\n")
    with pytest.raises(SentimentError, match="line 1 does not name the columns"):
        add_lines(path, 1)


def baselines_of(workspace: Workspace) -> BaselineCorpus | None:
    data = read_test_split(workspace.corpus, workspace.config)
    return baseline_corpus(workspace.model_folder, workspace.config, workspace.corpus, data)


def test_baselines_of_a_compact_copy_leave_out_what_its_source_held_out(workspace: Workspace) -> None:
    assert baselines_of(workspace) is None
    labels = np.array([label for _, label in TRAIN], dtype=np.int8)
    held_out = held_out_rows(labels, np.arange(len(TRAIN)), 0.25, SPLIT_SEED)
    workspace.config["validation"] = {"fraction": 0.25, "fingerprint": fingerprint_of_rows(held_out)}
    corpus = baselines_of(workspace)
    assert corpus is not None
    assert sorted([*corpus.training_rows, *held_out]) == list(range(len(TRAIN)))
    workspace.config["validation"]["fingerprint"] = "of other rows"
    assert baselines_of(workspace) is None


def test_baselines_see_train_without_validation(workspace: Workspace) -> None:
    workspace.write_validation([0, 5, 23])
    corpus = baselines_of(workspace)
    assert corpus is not None
    kept = [row for row in range(24) if row not in (0, 5, 23)]
    assert corpus.training_rows.tolist() == kept
    assert corpus.read_training_texts() == [TRAIN[row][0] for row in kept]
    assert corpus.training_labels.tolist() == [TRAIN[row][1] for row in kept]


def test_validation_rows_of_another_corpus_are_refused(workspace: Workspace) -> None:
    workspace.write_validation([24])
    with pytest.raises(SentimentError, match="names a row that"):
        workspace.evaluate()


@pytest.mark.usefixtures("without_report")
def test_a_model_of_another_corpus_has_no_leak_free_part(workspace: Workspace) -> None:
    workspace.config["corpus"]["fingerprint"] = "other"
    workspace.write_validation([0])
    metrics = workspace.evaluate()
    assert metrics["leak_free"] is None
    reason = "the model was trained on another corpus"
    assert metrics["leakage"] == {"known": False, "reason": reason, "test_evaluations": 1}
    assert metrics["baselines"]["nb_svm"]["training_rows"] == len(TRAIN)


@pytest.mark.usefixtures("without_report")
def test_second_evaluation_takes_the_baselines_from_the_cache(workspace: Workspace) -> None:
    workspace.write_validation([0])
    first, second = workspace.evaluate(), workspace.evaluate()
    assert not first["baselines"]["nb_svm"]["from_cache"]
    assert second["baselines"]["nb_svm"]["from_cache"]
    assert first["baselines"]["nb_svm"]["accuracy"] == second["baselines"]["nb_svm"]["accuracy"]


@pytest.mark.usefixtures("without_pictures")
def test_a_labelled_file_has_its_own_report_and_no_ledger(workspace: Workspace) -> None:
    path = workspace.reports.parent / "My Reviews 2.csv"
    path.write_text('review,sentiment\n"fine, fine",positive\n   ,negative\ndull,negative\n', encoding="utf-8")
    metrics = workspace.evaluate(labelled_file=path)
    assert (workspace.reports / "tiny-default-s1-on-my-reviews-2" / "report.html").is_file()
    assert not (workspace.reports / "test-evaluations.csv").exists()
    assert metrics["data"]["rows_without_text"] == 1
    assert (metrics["all"]["accuracy"], metrics["all"]["rows"]) == (1.0, 2)
    assert (metrics["leak_free"], metrics["leakage"], metrics["baselines"]) == (None, None, {})
    require_documented(metrics)


def test_one_class_only_is_no_fault(workspace: Workspace) -> None:
    path = workspace.reports.parent / "praise.csv"
    path.write_text("text,label\nfine,1\nfine fine,1\ndull,1\n", encoding="utf-8")
    metrics = workspace.evaluate(labelled_file=path)
    assert metrics["all"]["roc_auc"] is None
    require_documented(metrics)
    assert metrics["all"]["accuracy"] == 2 / 3
    folder = workspace.reports / "tiny-default-s1-on-praise"
    assert not (folder / "roc_curve.png").exists()
    assert "need reviews of both classes" in (folder / "report.html").read_text(encoding="utf-8")


def test_missing_and_damaged_input_is_named(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match=r"nowhere\.csv: not found"):
        workspace.evaluate(labelled_file=tmp_path / "nowhere.csv")
    (workspace.corpus / "test.arrow").write_bytes(b"cut")
    with pytest.raises(SentimentError, match=r"test\.arrow: not readable as Arrow"):
        workspace.evaluate()
    (workspace.corpus / "manifest.json").unlink()
    with pytest.raises(SentimentError, match="run `sentiment data`"):
        workspace.evaluate()


def test_a_test_split_without_labels_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, test=[("fine", 1), ("who knows", -1)])
    with pytest.raises(SentimentError, match="row 1 has label -1"):
        workspace.evaluate()


def test_the_command_is_short_in_the_usual_folders_and_quoted() -> None:
    options = {"--data-dir": None, "--label-positive": "very good"}
    assert evaluation_command(Path("data/models/m"), Path("my file.csv"), options, True) == (
        "sentiment evaluate 'my file.csv' --model data/models/m --label-positive 'very good'"
    )


def test_a_score_that_is_no_number_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StubModel, "logits", lambda self, texts, on_batch=None: np.full(len(texts), np.nan))
    with pytest.raises(SentimentError, match="not a number"):
        workspace.evaluate()


@pytest.mark.usefixtures("without_report")
def test_a_model_name_is_not_a_path(workspace: Workspace) -> None:
    workspace.config["name"] = "../../outside"
    workspace.evaluate(baselines=False)
    assert (workspace.reports / "outside" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("source", "name"),
    [("stanfordnlp/imdb@e628166", "stanfordnlp/imdb@e628166"), ("../mine/imdb", "imdb"), ("/data/a.csv", "a.csv")],
)
def test_a_report_names_no_path_of_the_machine(source: str, name: str) -> None:
    assert name_of_source(source) == name
