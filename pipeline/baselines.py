"""Linear models on bags of n-grams: what a classifier without a recurrent layer reaches on the same split.

Two strong and cheap ones stand beside the GRU in every report, and the majority class as the floor:

- TF-IDF over 1-2-grams (sublinear term frequency) with logistic regression, C = 10;
- NB-SVM over 1-3-grams: binary counts scaled by the naive Bayes log-count ratio, then a linear classifier
  (Wang & Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification").

They are fitted on the rows the GRU was fitted on. Their decision scores on the test texts are cached, since
neither the corpus nor the settings change from one evaluation to the next.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline.artifacts import sha256_of_text, to_json, write_bytes_atomically
from pipeline.review_text import HTML_BREAK

Labels = NDArray[np.int8]
Scores = NDArray[np.float64]

Decision = Callable[[Sequence[str]], Scores]
"""Gives the decision values of texts, positive class where >= 0."""

WORDS_AND_MARKS = r'[^\s.,"()!?;:]+|[.,"()!?;:]'
"""Tokens of mesnilgr/nbsvm: punctuation marks are tokens of their own, "don't" is one."""

TFIDF = "tfidf_logistic_regression"
NB_SVM = "nb_svm"
MAJORITY = "majority_class"

TITLES: Mapping[str, str] = {
    MAJORITY: "Majority class",
    TFIDF: "TF-IDF 1-2-grams, logistic regression",
    NB_SVM: "NB-SVM 1-3-grams",
}

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    MAJORITY: {},
    TFIDF: {"ngrams": [1, 2], "sublinear": True, "C": 10.0, "solver": "lbfgs", "tokens": "scikit-learn default"},
    NB_SVM: {
        "ngrams": [1, 3],
        "alpha": 1.0,
        "C": 1.0,
        "solver": "liblinear",
        "intercept": False,
        "tokens": WORDS_AND_MARKS,
    },
}


CACHE_FORMAT = 1


@dataclass(frozen=True)
class BaselineCorpus:
    """What the baselines are fitted on and asked about.

    Attributes:
        fingerprint: of the corpus, for the cache.
        training_rows: int64 (M,), rows of the train split the baselines may see.
        training_labels: (M,).
        read_training_texts: returns the M training texts in that order.
        test_texts: the N texts to score.
    """

    fingerprint: str
    training_rows: NDArray[np.int64]
    training_labels: Labels
    read_training_texts: Callable[[], list[str]]
    test_texts: Sequence[str]


@dataclass(frozen=True)
class BaselineScores:
    """What one baseline says about the test texts.

    Attributes:
        name: key in ``TITLES`` and ``SETTINGS``.
        scores: float64 (N,), decision value, positive class where >= 0.
        training_rows: number of reviews it was fitted on.
        seconds: wall time of fitting and predicting, when it was computed.
        from_cache: whether this run read the scores instead of computing them.
    """

    name: str
    scores: Scores
    training_rows: int
    seconds: float
    from_cache: bool = False


def plain_text(text: str) -> str:
    """Return the text in lower case with HTML line breaks as spaces."""
    return HTML_BREAK.sub(" ", text).lower()


def log_count_ratio(counts: csr_matrix, labels: Labels, alpha: float = 1.0) -> Scores:
    """Return the naive Bayes log-count ratio of each feature (Wang & Manning 2012, section 2).

    Args:
        counts: binary counts, (N, V).
        labels: 1 positive, 0 negative, (N,).
        alpha: smoothing added to the count of every feature in both classes.

    Returns:
        float64 (V,): log of (p / sum p) / (q / sum q), p and q being the smoothed counts by class.
    """
    positive = alpha + np.asarray(counts[labels == 1].sum(axis=0), dtype=np.float64).ravel()
    negative = alpha + np.asarray(counts[labels == 0].sum(axis=0), dtype=np.float64).ravel()
    ratio: Scores = np.log(positive / positive.sum()) - np.log(negative / negative.sum())
    return ratio


def fit_tfidf(train: Sequence[str], labels: Labels) -> Decision:
    """Fit TF-IDF with logistic regression; return what gives the decision values of other texts."""
    settings = SETTINGS[TFIDF]
    vectorizer = TfidfVectorizer(
        preprocessor=plain_text, ngram_range=tuple(settings["ngrams"]), sublinear_tf=settings["sublinear"]
    )
    classifier = LogisticRegression(C=settings["C"], solver=settings["solver"], max_iter=1000)
    classifier.fit(vectorizer.fit_transform(train), labels)
    return lambda texts: np.asarray(classifier.decision_function(vectorizer.transform(texts)), dtype=np.float64)


def fit_nb_svm(train: Sequence[str], labels: Labels) -> Decision:
    """Fit NB-SVM; return what gives the decision values of other texts.

    The linear classifier is liblinear's L2-regularised logistic regression without an intercept, as in
    mesnilgr/nbsvm (Mesnil et al. 2015), where it reaches 0.9182 on IMDb.
    """
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


def tfidf_scores(train: Sequence[str], labels: Labels, test: Sequence[str]) -> Scores:
    """Fit TF-IDF with logistic regression on ``train`` and return the decision values of ``test``."""
    return fit_tfidf(train, labels)(test)


def nb_svm_scores(train: Sequence[str], labels: Labels, test: Sequence[str]) -> Scores:
    """Fit NB-SVM on ``train`` and return the decision values of ``test``."""
    return fit_nb_svm(train, labels)(test)


def scale_columns(counts: csr_matrix, ratio: Scores) -> csr_matrix:
    """Return ``counts`` (N, V) with column j multiplied by ``ratio[j]``; the sparsity pattern is shared."""
    data = counts.data * ratio[counts.indices]
    return csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)


def majority_scores(labels: Labels, rows: int) -> Scores:
    """Return +1 for every row where at least half of the training labels are positive, else -1; (rows,)."""
    return np.full(rows, 1.0 if 2 * int((labels == 1).sum()) >= labels.size else -1.0)


FITTED: Mapping[str, Callable[[Sequence[str], Labels, Sequence[str]], Scores]] = {
    TFIDF: tfidf_scores,
    NB_SVM: nb_svm_scores,
}


def cache_key(name: str, corpus_fingerprint: str, training_rows: NDArray[np.int64]) -> str:
    """Return the fingerprint of everything the scores of a baseline depend on."""
    return sha256_of_text(
        to_json(
            {
                "format": CACHE_FORMAT,
                "baseline": name,
                "corpus": corpus_fingerprint,
                "training_rows": sha256_of_text(",".join(map(str, training_rows.tolist()))),
                "settings": dict(SETTINGS[name]),
                "scikit-learn": sklearn.__version__,
            }
        )
    )


def read_cached_scores(path: Path, rows: int) -> tuple[Scores, float] | None:
    """Return cached scores (rows,) with the seconds they took, or None where the file is missing or unfit."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            scores = np.asarray(stored["scores"], dtype=np.float64)
            seconds = float(stored["seconds"])
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    return (scores, seconds) if scores.shape == (rows,) and bool(np.isfinite(scores).all()) else None


def write_cached_scores(path: Path, scores: Scores, seconds: float) -> None:
    """Write scores for :func:`read_cached_scores`, whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, scores=scores, seconds=np.float64(seconds))
    write_bytes_atomically(path, buffer.getvalue())


def baseline_scores(
    corpus: BaselineCorpus, cache_folder: Path, on_fit: Callable[[str], None] | None = None
) -> list[BaselineScores]:
    """Return the scores of all baselines, from the cache where it has them.

    Args:
        corpus: the texts; the training texts are read only where a baseline must be fitted.
        cache_folder: where scores are kept, one ``.npz`` a baseline.
        on_fit: called with a baseline's title before it is fitted.
    """
    labels = corpus.training_labels
    train: list[str] | None = None
    results = [BaselineScores(MAJORITY, majority_scores(labels, len(corpus.test_texts)), labels.size, 0.0)]
    for name, fit in FITTED.items():
        if np.unique(labels).size < 2:
            break  # one class: nothing to fit, the majority class is all there is
        key = cache_key(name, corpus.fingerprint, corpus.training_rows)
        path = cache_folder / f"baseline-{name}-{key[:16]}.npz"
        cached = read_cached_scores(path, len(corpus.test_texts))
        if cached is not None:
            results.append(BaselineScores(name, cached[0], labels.size, cached[1], from_cache=True))
            continue
        if on_fit is not None:
            on_fit(TITLES[name])
        if train is None:
            train = corpus.read_training_texts()
        started = time.perf_counter()
        scores = fit(train, labels, corpus.test_texts)
        seconds = time.perf_counter() - started
        write_cached_scores(path, scores, seconds)
        results.append(BaselineScores(name, scores, labels.size, seconds))
    return results
