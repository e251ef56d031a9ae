"""First stage: from a source of reviews to the corpus, in one Arrow schema, with an audit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.artifacts import StageOutput, to_json
from pipeline.audit import audit_corpus, summary_lines
from pipeline.columns import ColumnChoice
from pipeline.console import Console
from pipeline.duplicates import find_duplicate_groups, numbered_by_first_occurrence
from pipeline.errors import SentimentError
from pipeline.reviews import REVIEWS_PER_BATCH
from pipeline.sources import read_source
from pipeline.splits import held_out_rows

CORPUS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("text", pa.string()),
        ("label", pa.int8()),
        ("rating", pa.int8()),
        ("duplicate_group", pa.int64()),
    ]
)
TEST_FRACTION = 0.2
SPLIT_OF_SOURCE = "source"
SPLIT_BY_SEED = "seeded 80/20"

Groups = dict[str, NDArray[np.int64]]
Tables = dict[str, pa.Table]


def build_corpus(
    source: str,
    folder: Path,
    console: Console,
    *,
    name: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    label_positive: str | None = None,
    seed: int = 1,
) -> dict[str, Any]:
    """Read a source, find its duplicates, split it where it has no test split, write it; return the manifest.

    The same source, choices and seed give the same bytes.

    Args:
        source: hub id, folder, archive, table or ``sample``; see :func:`pipeline.sources.read_source`.
        folder: receives ``SPLIT.arrow`` for each split, ``audit.json`` and ``manifest.json``.
        console: told about progress and about the findings.
        name: slug of the corpus; None takes it from the source.
        text_column: column of texts; None finds it by name.
        label_column: column of labels; None finds it by name.
        label_positive: label that means positive; None understands 1/0, positive/negative, pos/neg, true/false.
        seed: seed of the split and of the sample.

    Raises:
        SentimentError: the source is missing, damaged or not as it must be, or the disk refuses.
    """
    choice = ColumnChoice(text_column, label_column, label_positive)
    with StageOutput(folder, "data") as output:
        reviews = read_source(source, choice, console, name=name, seed=seed)
        tables, groups = with_groups(reviews.tables, console)
        split = SPLIT_OF_SOURCE
        if "test" not in tables:
            tables, groups = seeded_split(tables, groups, seed, reviews.description)
            split = SPLIT_BY_SEED
        audit = audit_corpus(tables, groups)
        for part, table in tables.items():
            write_split(output.path(f"{part}.arrow"), table, groups[part])
        output.path("audit.json").write_text(to_json(audit), encoding="utf-8")
        rows = {part: table.num_rows for part, table in tables.items()}
        manifest = output.commit(
            inputs={"source": reviews.fingerprint},
            settings={
                "source": source,
                "text_column": text_column,
                "label_column": label_column,
                "label_positive": label_positive,
                "seed": seed,
            },
            details={
                "name": reviews.name,
                "source": reviews.description,
                "sample": reviews.sample,
                "rows": rows,
                "split": split,
                "blank_rows_left_out": reviews.blank,
                "audit": summary_lines(audit),
            },
        )
    report(manifest, folder, console)
    return manifest


def with_groups(tables: Tables, console: Console) -> tuple[Tables, Groups]:
    """Find near duplicates over all splits; return the tables and the group of each of their rows."""
    flat = find_duplicate_groups(tables.values(), console)
    ends = np.cumsum([table.num_rows for table in tables.values()])
    return tables, dict(zip(tables, np.split(flat, ends[:-1]), strict=True))


def seeded_split(tables: Tables, groups: Groups, seed: int, where: str) -> tuple[Tables, Groups]:
    """Cut a test split out of train: a fifth of each label, near duplicates kept on one side, rows in their order.

    Raises:
        SentimentError: there are too few reviews for both sides to have both labels.
    """
    train = tables["train"]
    labels = train.column("label").to_numpy()
    held_out = held_out_rows(labels, groups["train"], TEST_FRACTION, seed)
    rows = {"train": np.setdiff1d(np.arange(train.num_rows), held_out), "test": held_out}
    if any(len(np.unique(labels[chosen])) < 2 for chosen in rows.values()):
        raise SentimentError(
            f"{where}: too few reviews that are no near duplicates ({len(np.unique(groups['train']))}) to cut a test "
            "split with both labels out of; give more, or a folder with train.csv and test.csv"
        )
    split_tables = {part: train.take(pa.array(chosen)) for part, chosen in rows.items()}
    split_groups = {part: groups["train"][chosen] for part, chosen in rows.items()}
    if "unsupervised" in tables:
        split_tables["unsupervised"] = tables["unsupervised"]
        split_groups["unsupervised"] = groups["unsupervised"]
    renumbered = numbered_by_first_occurrence(np.concatenate(list(split_groups.values())))
    ends = np.cumsum([table.num_rows for table in split_tables.values()])
    return split_tables, dict(zip(split_tables, np.split(renumbered, ends[:-1]), strict=True))


def write_split(path: Path, table: pa.Table, groups: NDArray[np.int64]) -> None:
    """Write a split as an Arrow IPC file (``CORPUS_SCHEMA``) in record batches of ``REVIEWS_PER_BATCH`` rows."""
    with pa.ipc.new_file(str(path), CORPUS_SCHEMA) as writer:
        for start in range(0, table.num_rows, REVIEWS_PER_BATCH):
            part = table.slice(start, REVIEWS_PER_BATCH).combine_chunks()
            columns = [
                pa.array(np.arange(start, start + part.num_rows)),
                *(part.column(name).chunk(0) for name in ("text", "label", "rating")),
                pa.array(groups[start : start + part.num_rows]),
            ]
            writer.write_batch(pa.record_batch(columns, schema=CORPUS_SCHEMA))


def report(manifest: Mapping[str, Any], folder: Path, console: Console) -> None:
    """Tell the person what was made and what the audit found."""
    rows = ", ".join(f"{count:,} {split}" for split, count in manifest["rows"].items())
    console.say(f"corpus {manifest['name']} from {manifest['source']}: {rows} (split: {manifest['split']})")
    for line in manifest["audit"]:
        console.say(f"  {line}")
    console.say(f"corpus: {folder}, audit in {folder / 'audit.json'}")
