"""Write one evaluation as files: figures, tables, the worst errors as text, and a page that shows them together."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import pyarrow.parquet as pq

from pipeline.artifacts import StageOutput, to_json, to_utf8
from pipeline.errors import SentimentError
from pipeline.evaluation.predictions import PREDICTIONS_NAME, predictions_table
from pipeline.ladder_section import ladder_section
from pipeline.report.evaluated import Evaluated
from pipeline.report.mistakes import errors_text, most_confident_mistakes
from pipeline.report.page import page
from pipeline.report.pictures import pictures, write_pictures


def confusion_csv(matrix: Mapping[str, int]) -> str:
    """Return ``confusion_matrix.csv``: a row for each true class, a column for each predicted one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["true_class", "predicted_negative", "predicted_positive"])
    writer.writerow(["negative", matrix["true_negative"], matrix["false_positive"]])
    writer.writerow(["positive", matrix["false_negative"], matrix["true_positive"]])
    return buffer.getvalue()


def write_report(output: StageOutput, evaluated: Evaluated) -> None:
    """Write all files of the report into a stage's output; the caller commits.

    Raises:
        SentimentError: the disk refused.
    """
    metrics = evaluated.metrics
    try:
        shown = write_pictures(output, pictures(metrics))
        texts = {
            "metrics.json": to_json(metrics),
            "confusion_matrix.csv": confusion_csv(metrics["all"]["confusion_matrix"]),
            "errors.txt": errors_text(most_confident_mistakes(evaluated.data, evaluated.probabilities), metrics),
            "report.html": page(evaluated, shown, ladder_section(output.folder.parent, metrics)),
        }
        for name, text in texts.items():
            output.path(name).write_bytes(to_utf8(text))
        table = predictions_table(evaluated.data, evaluated.probabilities, evaluated.slicings)
        with output.path(PREDICTIONS_NAME).open("wb") as stream:  # pyarrow takes no path that is not UTF-8
            pq.write_table(table, stream)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise SentimentError(f"{output.folder}: cannot be written ({reason}); nothing was changed") from error
