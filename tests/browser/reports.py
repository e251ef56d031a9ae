"""Reports for the browser to open: made by the evaluation itself, of own reviews and a model of a few word weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.artifacts import StageOutput, read_manifest, to_json, write_text_atomically
from pipeline.audit import audit_corpus
from pipeline.config import ModelSettings, Recipe
from pipeline.console import Console
from pipeline.corpus import CORPUS_SCHEMA
from pipeline.evaluation import evaluate
from pipeline.evaluation.compare import compare_reports
from pipeline.evaluation.compared_texts import TextSource
from pipeline.evaluation.evaluate import evaluate_model
from pipeline.machine import machine_description, versions_in_use
from tests.browser.reviews import WEIGHTS, Reviews, own_reviews
from tests.browser.word_model import BIAS, WordModel, probabilities_of, pushes_in_place

TRAINING_CSV = """epoch,training_loss,validation_log_loss,validation_accuracy
1,0.61,0.52,0.78
2,0.44,0.41,0.83
3,0.31,0.43,0.82
"""


@dataclass(frozen=True)
class Report:
    """A report on disk, and what it was made of.

    Attributes:
        folder: holds ``report.html``.
        reviews: the N reviews.
        probabilities: of positive, float64 (N,), recomputed from the texts and not read from the report.
    """

    folder: Path
    reviews: Reviews
    probabilities: NDArray[np.float64]

    @property
    def page(self) -> Path:
        return self.folder / "report.html"


def split_table(reviews: Reviews, first_group: int) -> pa.Table:
    """Return reviews as a split of a corpus, each a duplicate group of its own."""
    count = len(reviews.texts)
    columns = [
        pa.array(range(count), pa.int64()),
        pa.array(reviews.texts, pa.string()),
        pa.array(reviews.labels, pa.int8()),
        pa.array(reviews.ratings, pa.int8()),
        pa.array(range(first_group, first_group + count), pa.int64()),
    ]
    return pa.table(columns, schema=CORPUS_SCHEMA)


def model_config(name: str, corpus: dict[str, Any]) -> dict[str, Any]:
    """Return what a trained model's ``config.json`` says."""
    return {
        "name": name,
        "seed": 1,
        "recipe": Recipe("words", "A few words and their weights.", ModelSettings(hidden_size=16)).to_dict(),
        "files": {"model.safetensors": hashlib.sha256(name.encode()).hexdigest()},
        "corpus": corpus,
        "parameters": len(WEIGHTS),
        "bytes": 4_000_000,
        "fitted_bias": BIAS,
        "vectors": {"name": "glove.6B.100d", "dimension": 100, "sha256": "cd" * 32},
        "coverage": {
            "words": 50,
            "words_with_vector": 45,
            "types": 0.9,
            "tokens": 0.95,
            "train_tokens": 9000,
            "vocabulary_tokens": 0.99,
        },
        "training": {
            "best_epoch": 2,
            "epochs_run": 3,
            "labelled_reviews": 54,
            "seconds": 12.5,
            "device": "cpu",
            "precision": "float32",
            "processes": 1,
            "threads": 2,
            "peak_memory_bytes": 500_000_000,
            "reviews_per_second": 1234.5,
        },
        "validation": {"rows": 6, "fraction": 0.1, "accuracy": 0.83, "log_loss": 0.41, "fingerprint": "ef" * 32},
        "machine": machine_description(),
        "versions": versions_in_use(),
    }


def write_sources(folder: Path, test: Reviews, train: Reviews, corpus_name: str, model_name: str) -> dict[str, Any]:
    """Write ``corpus/`` and a model folder of a training history; return the model's config.

    The first ten test reviews have a near duplicate in train.
    """
    with StageOutput(folder / "corpus", "data") as output:
        tables = {"train": split_table(train, 0), "test": split_table(test, len(train.texts) - 10)}
        for split, table in tables.items():
            with pa.ipc.new_file(str(output.path(f"{split}.arrow")), CORPUS_SCHEMA) as writer:
                writer.write_table(table, max_chunksize=1000)
        groups = {split: table.column("duplicate_group").to_numpy() for split, table in tables.items()}
        output.path("audit.json").write_text(to_json(audit_corpus(tables, groups)), encoding="utf-8")
        rows = {split: len(table) for split, table in tables.items()}
        details = {"name": corpus_name, "source": "own words", "split": "source", "rows": rows}
        manifest = output.commit({}, {}, details)
    model = folder / "models" / "m"
    write_text_atomically(model / "training.csv", TRAINING_CSV)
    held_out = pa.table({"row": pa.array([0, 1], pa.int64())})
    with pa.ipc.new_file(str(model / "validation.arrow"), held_out.schema) as writer:
        writer.write_table(held_out)
    return model_config(model_name, {"name": corpus_name, "fingerprint": manifest["fingerprint"], "sample": False})


def evaluate_words(root: Path, config: dict[str, Any], bias: float = BIAS, **options: Any) -> Path:
    """Evaluate a model of word weights on the test split of ``root / "corpus"``; return the report's folder.

    Args:
        root: holds ``corpus/`` and ``models/``; receives ``reports/``.
        config: of the model.
        bias: of the model.
        options: of :func:`pipeline.evaluation.evaluate.evaluate_model`; baselines and robustness only if asked for.
    """
    evaluate_model(
        root / "models" / "m",
        root / "corpus",
        root / "reports",
        Console(quiet=True),
        cache_folder=root / "cache",
        model=WordModel(config, bias),
        **{"baselines": False, "with_robustness": False, **options},
    )
    return max((root / "reports").glob("*/report.html"), key=lambda path: path.stat().st_mtime_ns).parent


def build_report(
    root: Path,
    test: Reviews,
    *,
    train: Reviews | None = None,
    earlier_bias: float | None = None,
    corpus_name: str = "own-words",
    model_name: str = "words-s1",
    explained: bool = True,
    **options: Any,
) -> Report:
    """Evaluate a model of word weights on reviews.

    Args:
        root: receives ``corpus/``, ``models/`` and ``reports/``.
        test: the reviews to measure.
        train: for the baselines; None fits none.
        earlier_bias: of the model whose report stood in the place before; None for no earlier report.
        corpus_name: as the page calls the data.
        model_name: as the page calls the model.
        explained: let the model say which words pushed its decisions.
        options: of :func:`evaluate_words`.
    """
    some_train = train if train is not None else own_reviews(20, seed=7, longest=30, hostile=())
    config = write_sources(root, test, some_train, corpus_name, model_name)
    if earlier_bias is not None:
        evaluate_words(root, {**config, "files": {"model.safetensors": "12" * 32}}, earlier_bias)
    with mock.patch.object(evaluate, "pushes_of", return_value=pushes_in_place if explained else None):
        folder = evaluate_words(root, config, baselines=train is not None, **options)
    return Report(folder, test, probabilities_of(test.texts))


def build_comparison(report: Report, model_name: str, bias: float) -> Path:
    """Compare a report with one of a model of another name and bias on the same reviews; return the page."""
    root = report.folder.parents[1]
    manifest = read_manifest(root / "corpus", "data")
    corpus = {"name": manifest["name"], "fingerprint": manifest["fingerprint"], "sample": False}
    second = evaluate_words(root, model_config(model_name, corpus), bias)
    names = (report.folder.name, second.name)
    compare_reports(names, root / "reports", TextSource(root / "corpus"), Console(quiet=True))
    return root / "reports" / f"{names[0]}-vs-{names[1]}" / "comparison.html"
