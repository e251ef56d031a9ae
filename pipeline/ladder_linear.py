"""The linear baselines as scorers: fitted once, asked as often as wanted, with what fitting took.

The models are those of :mod:`pipeline.baselines`, which fits and asks in one go; a test holds their scores equal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline.arrow_files import read_arrow
from pipeline.baselines import NB_SVM, SETTINGS, TFIDF, Labels, Scores, log_count_ratio, plain_text, scale_columns

Decision = Callable[[Sequence[str]], Scores]


@dataclass(frozen=True)
class FittedLinear:
    """A fitted baseline.

    Attributes:
        decision: returns the decision values of texts, float64 (N,).
        training_rows: reviews it was fitted on.
        seconds: wall time of fitting.
        cpu_seconds: CPU time of fitting.
    """

    decision: Decision
    training_rows: int
    seconds: float
    cpu_seconds: float

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probabilities of the positive class, float64 (N,)."""
        return np.asarray(expit(self.decision(texts)), dtype=np.float64)


def fit_tfidf(train: Sequence[str], labels: Labels) -> Decision:
    """Fit TF-IDF with logistic regression, as :func:`pipeline.baselines.tfidf_scores` does."""
    settings = SETTINGS[TFIDF]
    vectorizer = TfidfVectorizer(
        preprocessor=plain_text, ngram_range=tuple(settings["ngrams"]), sublinear_tf=settings["sublinear"]
    )
    classifier = LogisticRegression(C=settings["C"], solver=settings["solver"], max_iter=1000)
    classifier.fit(vectorizer.fit_transform(train), labels)
    return lambda texts: np.asarray(classifier.decision_function(vectorizer.transform(texts)), dtype=np.float64)


def fit_nb_svm(train: Sequence[str], labels: Labels) -> Decision:
    """Fit NB-SVM, as :func:`pipeline.baselines.nb_svm_scores` does."""
    settings = SETTINGS[NB_SVM]
    vectorizer = CountVectorizer(
        preprocessor=plain_text,
        token_pattern=settings["tokens"],
        ngram_range=tuple(settings["ngrams"]),
        binary=True,
        dtype=np.float32,
    )
    counts = vectorizer.fit_transform(train)
    ratio = log_count_ratio(counts, labels, settings["alpha"])
    classifier = LogisticRegression(
        C=settings["C"], solver=settings["solver"], fit_intercept=settings["intercept"], max_iter=1000
    )
    classifier.fit(scale_columns(counts, ratio), labels)

    def decision(texts: Sequence[str]) -> Scores:
        return np.asarray(
            classifier.decision_function(scale_columns(vectorizer.transform(texts), ratio)), dtype=np.float64
        )

    return decision


FITS: Mapping[str, Callable[[Sequence[str], Labels], Decision]] = {TFIDF: fit_tfidf, NB_SVM: fit_nb_svm}


def training_part(corpus_folder: Path, model_folder: Path | None, most: int | None) -> tuple[list[str], Labels]:
    """Return texts and labels of the train split but for a model's validation part, or some of them, drawn.

    Args:
        corpus_folder: what ``sentiment data`` wrote.
        model_folder: of a model of this corpus; None leaves nothing out.
        most: how many reviews; None for all.
    """
    table = read_arrow(corpus_folder / "train.arrow", ["text", "label"], "data")
    rows = np.arange(table.num_rows)
    if model_folder is not None and (model_folder / "validation.arrow").is_file():
        held_out = read_arrow(model_folder / "validation.arrow", ["row"], "train").column("row").to_numpy()
        rows = np.setdiff1d(rows, held_out)
    if most is not None and most < rows.size:
        rows = np.sort(np.random.default_rng(1).permutation(rows)[:most])
    chosen = table.take(pa.array(rows))
    return chosen.column("text").to_pylist(), chosen.column("label").to_numpy().astype(np.int8)


def fit_linear(name: str, train: Sequence[str], labels: Labels) -> FittedLinear:
    """Fit a baseline and take the time.

    Args:
        name: a key of ``FITS``.
        train: M texts.
        labels: int8 (M,), of both classes.
    """
    started, cpu_started = time.perf_counter(), time.process_time()
    decision = FITS[name](train, labels)
    return FittedLinear(decision, len(train), time.perf_counter() - started, time.process_time() - cpu_started)
