"""Scores a CSV with a fitted scikit-learn pipeline, as people do it: pandas in, ``predict_proba``, pandas out.

A program of its own: ``python linear_scorer.py PIPELINE.joblib IN.csv OUT.csv [--processes N]``.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
from typing import Any

import joblib
import numpy as np
import pandas as pd

model: Any = None


def positive_probability(texts: pd.Series) -> Any:
    """Return the probability of the positive class of each text."""
    return model.predict_proba(texts)[:, 1]


def main() -> None:
    """Read, score, write."""
    global model
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    model = joblib.load(arguments.model)
    table = pd.read_csv(arguments.input)
    texts = table["review"].fillna("")
    if arguments.processes == 1:
        probability = positive_probability(texts)
    else:
        bounds = np.linspace(0, len(texts), arguments.processes + 1).astype(int)
        parts = [texts.iloc[start:end] for start, end in itertools.pairwise(bounds)]
        with multiprocessing.get_context("fork").Pool(arguments.processes) as pool:  # the model is shared, not copied
            probability = np.concatenate(pool.map(positive_probability, parts))
    table["predicted_sentiment"] = np.where(probability >= 0.5, "positive", "negative")
    table["positive_probability"] = probability
    table.to_csv(arguments.output, index=False)


if __name__ == "__main__":
    main()
