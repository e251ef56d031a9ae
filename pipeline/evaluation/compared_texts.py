"""The texts of the reviews that a comparison shows. Reports hold none: they come from where they were evaluated on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.arrow_files import read_arrow
from pipeline.artifacts import read_manifest, sha256_of_file
from pipeline.columns import ColumnChoice, named_column
from pipeline.errors import SentimentError, UsageError
from pipeline.review_tables import column_names, read_reviews
from pipeline.reviews import ReviewRows

TEST_SPLIT = "test split"


@dataclass(frozen=True)
class TextSource:
    """Where the texts may be found.

    Attributes:
        corpus_folder: of the corpus, for reports on a test split.
        file: the labelled file, for reports on one; None where it was not given.
        text_column: of the file; None takes the one that was evaluated.
    """

    corpus_folder: Path
    file: Path | None = None
    text_column: str | None = None

    def check(self, data: Mapping[str, Any]) -> None:
        """Check, before anything is computed, that a file that was given is the one that was evaluated on.

        Args:
            data: the ``data`` entry of ``metrics.json``.

        Raises:
            UsageError: the reports are about a test split.
            SentimentError: the file is missing, or not the one that was scored, or the column is another one.
        """
        if self.file is None:
            return
        if data["kind"] == TEST_SPLIT:
            raise UsageError(
                f"{self.file}: these reports are about the test split of {data['name']}, whose texts stand in "
                f"{self.corpus_folder}; leave out --texts"
            )
        if not self.file.is_file():
            raise SentimentError(f"{self.file}: not found; name the labelled file that was evaluated on")
        if sha256_of_file(self.file) != data["fingerprint"]:
            raise SentimentError(
                f"{self.file}: not the file that was evaluated on ({data['name']}), or changed since; give that one, "
                "or leave out --texts"
            )
        scored = data.get("text_column")
        if None not in (self.text_column, scored) and self._named_column(self.file) != scored:
            raise SentimentError(
                f"{self.file}: column {scored!r} was evaluated, not {self.text_column!r}; leave out --text-column"
            )

    def _named_column(self, file: Path) -> str:
        try:
            return named_column(column_names(file), str(self.text_column), "text")
        except SentimentError as error:
            raise SentimentError(f"{file}: {error}") from error

    def texts(self, data: Mapping[str, Any], rows: Sequence[int]) -> dict[int, str]:
        """Return the texts of some reviews by row; empty where the texts are not to be had.

        Raises:
            SentimentError: the place is the right one, and damaged.
        """
        if data["kind"] == TEST_SPLIT:
            return corpus_texts(self.corpus_folder, data["fingerprint"], rows)
        column = self.text_column or data.get("text_column")
        return {} if self.file is None else file_texts(self.file, column, rows)


def corpus_texts(corpus_folder: Path, fingerprint: str, rows: Sequence[int]) -> dict[int, str]:
    """Return texts of a corpus' test split; none where there is no corpus, or another one. No label is read."""
    try:
        manifest = read_manifest(corpus_folder, "data")
    except SentimentError:
        return {}
    if manifest["fingerprint"] != fingerprint:
        return {}
    texts = read_arrow(corpus_folder / "test.arrow", ["text"], "data").column("text")
    return {row: texts[row].as_py() for row in rows if 0 <= row < len(texts)}


def file_texts(path: Path, text_column: str | None, rows: Sequence[int]) -> dict[int, str]:
    """Return texts of a labelled file, counted as evaluation counts them: blank ones are left out."""
    found: dict[int, str] = {}
    wanted = sorted(rows)
    passed = 0

    def take(batch: pa.RecordBatch) -> None:
        nonlocal passed
        for row in wanted[bisect_left(wanted, passed) : bisect_left(wanted, passed + batch.num_rows)]:
            found[row] = batch.column("text")[row - passed].as_py()
        passed += batch.num_rows

    reviews = ReviewRows(on_batch=take)
    read_reviews(path, ColumnChoice(text=text_column), None, reviews)
    reviews.finish()
    return found
