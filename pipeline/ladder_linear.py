"""The linear baselines as scorers: fitted once, asked as often as wanted, with what fitting took.

The models are those of :mod:`pipeline.baselines`.
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

from pipeline.arrow_files import read_arrow
from pipeline.baselines import NB_SVM, TFIDF, Decision, Labels, fit_nb_svm, fit_tfidf


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
