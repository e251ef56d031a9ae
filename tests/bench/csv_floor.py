"""Reads a CSV and writes it with the three columns, without any model: the floor of scoring.

A program of its own: ``python csv_floor.py ours|pandas IN.csv OUT.csv``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.scoring.reading_notes import Reading


class ConstantModel:
    """Answers 0.5 to every text."""

    name = "constant"
    fingerprint = "constant"
    threads = 0

    def read(self, texts: Sequence[str]) -> Reading:
        """Return a number for each text."""
        return Reading([np.zeros(1, dtype=np.int32)] * len(texts), [None] * len(texts), cut=0)

    def probabilities_of(
        self, sequences: Sequence[object], on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float64]:
        """Return 0.5 for each text."""
        return np.full(len(sequences), 0.5)


def with_our_tables(input_path: str, output_path: str) -> None:
    """Read and write as ``sentiment score`` does."""
    from pipeline.console import Console
    from pipeline.scoring.score import score_table

    score_table(input_path, output_path, ConstantModel(), Console(quiet=True))


def with_pandas(input_path: str, output_path: str) -> None:
    """Read and write as people do."""
    import pandas as pd

    table = pd.read_csv(input_path)
    table["predicted_sentiment"] = "positive"
    table["positive_probability"] = 0.5
    table.to_csv(output_path, index=False)


if __name__ == "__main__":
    {"ours": with_our_tables, "pandas": with_pandas}[sys.argv[1]](*sys.argv[2:])
