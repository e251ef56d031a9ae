"""What every source of reviews is turned into before the corpus is written: one table a split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from pipeline.errors import SentimentError
from pipeline.review_text import is_blank

SPLITS = ("train", "test", "unsupervised")
POSITIVE, NEGATIVE, UNLABELLED = 1, 0, -1
REVIEWS_PER_BATCH = 5_000
REVIEW_SCHEMA = pa.schema([("text", pa.string()), ("label", pa.int8()), ("rating", pa.int8())])
"""text: raw, as the source has it; label: 1, 0 or -1; rating: stars 1-10 or null."""


class ReviewRows:
    """Gathers the reviews of one split; blank texts are left out and counted.

    Args:
        on_batch: handed each batch (``REVIEW_SCHEMA``) in place of its being kept here; :meth:`finish` hands the last.

    Attributes:
        blank: texts left out.
        unclear_ratings: ratings that are no whole number from 1 to 10; one is enough to leave out all.
    """

    def __init__(self, on_batch: Callable[[pa.RecordBatch], None] | None = None) -> None:
        self.blank = 0
        self.unclear_ratings = 0
        self._batches: list[pa.RecordBatch] = []
        self._on_batch = self._batches.append if on_batch is None else on_batch
        self._texts: list[str] = []
        self._labels: list[int] = []
        self._ratings: list[int | None] = []

    def append(self, text: str | None, label: int, rating: int | None = None) -> None:
        """Add one review, unless its text is blank (:func:`pipeline.review_text.is_blank`)."""
        if text is None or is_blank(text):
            self.blank += 1
            return
        self._texts.append(text)
        self._labels.append(label)
        self._ratings.append(rating)
        if len(self._texts) == REVIEWS_PER_BATCH:
            self.finish()

    def extend(self, rows: ReviewRows) -> None:
        """Add all reviews of another gathering, which must not be used after."""
        self.finish()
        rows.finish()
        for batch in rows._batches:
            self._on_batch(batch)
        self.blank += rows.blank
        self.unclear_ratings += rows.unclear_ratings

    def finish(self) -> None:
        """Make a batch of the reviews that are not in one yet."""
        if not self._texts:
            return
        columns = [
            pa.array(self._texts, pa.string()),
            pa.array(self._labels, pa.int8()),
            pa.array(self._ratings, pa.int8()),
        ]
        self._on_batch(pa.record_batch(columns, schema=REVIEW_SCHEMA))
        self._texts, self._labels, self._ratings = [], [], []

    def table(self) -> pa.Table:
        """Return what was gathered, as chunks of ``REVIEWS_PER_BATCH`` rows (``REVIEW_SCHEMA``)."""
        self.finish()
        return self.with_clear_ratings(pa.Table.from_batches(self._batches, schema=REVIEW_SCHEMA))

    def with_clear_ratings(self, table: pa.Table) -> pa.Table:
        """Return a table of the reviews gathered here without its ratings, should one of them have been unclear.

        A column of percentages, say, has some values that look like stars.
        """
        if not self.unclear_ratings:
            return table
        nulls = pa.nulls(table.num_rows, pa.int8())
        return table.set_column(table.schema.get_field_index("rating"), "rating", nulls)


@dataclass
class SourceReviews:
    """The reviews of a source.

    Attributes:
        name: slug of the corpus (``[a-z0-9-]``).
        description: the source in words, for the manifest.
        fingerprint: SHA-256 of what was read, or the revision where the source is content-addressed.
        tables: a table (``REVIEW_SCHEMA``) for each split, in the order of ``SPLITS``; ``test`` may be absent.
        blank: rows without text that were left out, by split.
        sample: the reviews are generated and say nothing about real ones.
    """

    name: str
    description: str
    fingerprint: str
    tables: dict[str, pa.Table] = field(default_factory=dict)
    blank: dict[str, int] = field(default_factory=dict)
    sample: bool = False

    def add(self, split: str, rows: ReviewRows) -> None:
        """Take over a split.

        Raises:
            SentimentError: it holds no review.
        """
        table = rows.table()
        if table.num_rows == 0:
            reason = f"all {rows.blank} texts are blank" if rows.blank else "there are no rows"
            raise SentimentError(f"{self.description}: no review for {split}: {reason}")
        self.tables[split] = table
        if rows.blank:
            self.blank[split] = rows.blank
