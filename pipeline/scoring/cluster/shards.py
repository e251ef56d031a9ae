"""One block scored into its shard, and the record beside it that says so; no Ray in here.

Shards lie in the output folder; their records in ``_records/``, written after them; rows that a shard could not hold in
``_rejects/``. Readers of many files skip names that begin with ``_``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import __version__, artifacts
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.cluster.blocks import Block
from pipeline.scoring.cluster.shard_folder import ShardFolder, read_record, write_record
from pipeline.scoring.inputs import InputOptions, open_table
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.output_format import output_format, rejects_path
from pipeline.scoring.score import score_table
from pipeline.scoring.summary import ScoreSummary
from pipeline.scoring.windows import ProbabilityModel

RECORD_FORMAT = 1
ATTEMPTS = "_attempts"
MOST_ATTEMPTS = 5
"""Times that a block is begun whose workers die, before it is given up as what kills them."""
_COPIED_ROWS = 4096  # of a Parquet file, at a time
_COUNTS = ("positive", "negative", "uncertain", "rejected", "rows_with_problems")

Record = dict[str, Any]
"""What is known of a finished shard; JSON can hold it."""


@dataclass(frozen=True)
class Task:
    """What is the same for all blocks of a job.

    Attributes:
        output: path or URL of the folder of the shards.
        options: how rows are scored.
        key: of model, options and program; a shard of another key is scored again.
        program: the version of the package that the job was started with.
    """

    output: str
    options: ScoreOptions
    key: str
    program: str = __version__


def key_of(model_fingerprint: str, options: ScoreOptions) -> str:
    """Return what changes with whatever may change a shard beside its input."""
    values = {"program": __version__, "model": model_fingerprint, "options": asdict(options)}
    return artifacts.sha256_of_text(artifacts.to_json(values))


def record_name(shard: str) -> str:
    """Return where the record of a shard is kept."""
    return f"_records/{shard}.json"


def rejects_name(shard: str) -> str:
    """Return where the rejects of a shard are kept."""
    return f"_rejects/{rejects_path(shard)}"


def finished_record(block: Block, folder: ShardFolder, key: str) -> Record | None:
    """Return the record of a block that has been scored; None where it is to be scored.

    Args:
        block: the block.
        folder: of the shards.
        key: of :func:`key_of`.
    """
    record = read_record(folder, record_name(block.shard))
    if record is None:
        return None
    wanted = {
        "format": RECORD_FORMAT,
        "key": key,
        "block": block.identity(),
        "shard_bytes": folder.size(block.shard),
    }
    return record if all(record.get(what) == value for what, value in wanted.items()) else None


def score_block(block: Block, folder: ShardFolder, task: Task, model: ProbabilityModel, worker: str) -> Record:
    """Score a block with the scorer of one machine, put its shard in place, then its record; return the record.

    The rows of the finished shard are counted by reading it again.

    Args:
        block: the block.
        folder: of the shards.
        task: of the job.
        model: gives the probabilities.
        worker: who works, for the record.

    Raises:
        SentimentError: input or output are at fault, or a row was lost.
    """
    started = time.perf_counter()
    attempt = attempt_of(block, folder, worker)
    with attempt as attempts, folder.scratch(f"{block.number:05d}-{worker}") as scratch:
        shard = scratch / block.shard
        with _input_of(block, scratch) as path, _shown_as(block, path):
            summary = score_table(path, str(shard), model, Console(quiet=True), task.options)
        counted = count_rows(shard, summary, task.options)
        planned = summary.rows if block.rows is None else block.rows
        if not planned == summary.rows == counted:
            raise SentimentError(
                f"{block.shown()}: {planned} rows, {summary.rows} read, {counted} written, which is an error of this "
                "program; the shard was not put in place, please report it"
            )
        record: Record = {
            "format": RECORD_FORMAT,
            "key": task.key,
            "block": block.identity(),
            "shard": block.shard,
            "shard_bytes": shard.stat().st_size,
            "rows_in": summary.rows,
            "rows_out": counted,
            **{name: getattr(summary, name) for name in _COUNTS},
            "problems": dict(summary.problems),
            "worker": worker,
            "attempts": attempts,
        }
        _publish_rejects(block, folder, shard)
        folder.publish(shard, block.shard)
        record["seconds"] = round(time.perf_counter() - started, 3)
        write_record(folder, record_name(block.shard), record)
    return record


def _publish_rejects(block: Block, folder: ShardFolder, shard: Path) -> None:
    """Put the rejects in place, or remove those of an earlier run."""
    rejects = Path(rejects_path(str(shard)))
    if rejects.exists():
        folder.publish(rejects, rejects_name(block.shard))
    else:
        folder.remove([rejects_name(block.shard)])


@contextmanager
def attempt_of(block: Block, folder: ShardFolder, worker: str) -> Iterator[int]:
    """Leave a mark in ``_attempts/`` while a worker has a block; give the number of those that have begun with it.

    The marks of workers that died stay. Without them Ray would give a block to one worker after another for ever, if
    each of them dies of it.

    Raises:
        SentimentError: so many have died that the block must be what kills them.
    """
    dead = folder.sizes(f"{ATTEMPTS}/{block.shard}")
    if len(dead) >= MOST_ATTEMPTS:
        raise SentimentError(
            f"{block.shown()}: {len(dead)} workers died while they scored it; is there memory enough? Score it by "
            "itself with `sentiment score`, or leave it out"
        )
    mark = f"{ATTEMPTS}/{block.shard}/{len(dead)}-{worker}.json"
    write_record(folder, mark, {"worker": worker})
    try:
        yield len(dead) + 1
    finally:
        folder.remove([mark])


def count_rows(shard: Path, summary: ScoreSummary, options: ScoreOptions) -> int:
    """Return the rows of a finished shard: of Parquet as its footer says, else read again."""
    kind = output_format(str(shard)).name
    if kind == "parquet":
        import pyarrow.parquet

        return int(pyarrow.parquet.read_metadata(str(shard)).num_rows)
    reading = InputOptions(encoding="utf-8")
    if kind == "csv":
        reading = InputOptions(summary.input.delimiter, "utf-8", None, options.has_header)
    with open_table([str(shard)], reading) as table:
        return sum(1 for _ in table.rows())


@contextmanager
def _input_of(block: Block, scratch: Path) -> Iterator[str]:
    """Give the file to score; of a part of a Parquet file a copy of these row groups."""
    if block.row_groups is None:
        yield block.path
        return
    import fsspec
    import pyarrow.parquet

    part = scratch / "part.parquet"
    with fsspec.open(block.path, "rb") as stream:
        whole = pyarrow.parquet.ParquetFile(stream)
        groups = list(range(*block.row_groups))
        with pyarrow.parquet.ParquetWriter(str(part), whole.schema_arrow) as writer:
            for batch in whole.iter_batches(_COPIED_ROWS, row_groups=groups):
                writer.write_batch(batch)
    yield str(part)
    part.unlink()


@contextmanager
def _shown_as(block: Block, path: str) -> Iterator[None]:
    """Have messages name the block where a copy of it is read."""
    try:
        yield
    except SentimentError as error:
        if path == block.path:
            raise
        kind = UsageError if isinstance(error, UsageError) else SentimentError
        raise kind(str(error).replace(path, block.shown())) from error
