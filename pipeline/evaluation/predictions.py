"""``predictions.parquet``: what a model answered on each review, and which groups the review falls into; no text.

Columns: ``row`` (int64, in the split or among a file's reviews that have text), ``label`` and ``predicted`` (int8, 1
positive), ``probability`` (float64, of positive), ``leak_free`` (bool, null where unknown), and for each slicing that
does not depend on the model ``slice_NAME`` (string, null where the review falls into no group).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.evaluation.slices import Slicing
from pipeline.metrics import Probabilities, predictions

PREDICTIONS_NAME = "predictions.parquet"
SLICE_PREFIX = "slice_"


def slice_column(slicing: Slicing) -> pa.Array:
    """Return the name of each review's group, null where it is in none; dictionary-encoded strings (N,)."""
    indices = pa.array(slicing.membership, mask=slicing.membership < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(slicing.groups, pa.string()))


def predictions_table(data: LabelledTexts, probabilities: Probabilities, slicings: Sequence[Slicing]) -> pa.Table:
    """Return the content of ``predictions.parquet``, a row for each review in the order of the texts."""
    columns = {
        "row": pa.array(data.rows, pa.int64()),
        "label": pa.array(data.labels, pa.int8()),
        "probability": pa.array(probabilities, pa.float64()),
        "predicted": pa.array(predictions(probabilities), pa.int8()),
        "leak_free": pa.nulls(len(data.texts), pa.bool_()) if data.leak_free is None else pa.array(data.leak_free),
    }
    columns |= {SLICE_PREFIX + slicing.name: slice_column(slicing) for slicing in slicings}
    return pa.table(columns)
