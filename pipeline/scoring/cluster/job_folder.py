"""The output folder of a job of many shards, from the plan to the manifest.

``_plan.json`` is written first and says which shards the job makes; ``_SUCCESS.json`` last, when all of them are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from pipeline import __version__
from pipeline.errors import SentimentError
from pipeline.scoring.cluster.blocks import Block
from pipeline.scoring.cluster.local_folder import SCRATCH
from pipeline.scoring.cluster.shard_folder import ShardFolder, read_record, write_record
from pipeline.scoring.cluster.shards import ATTEMPTS, Record, Task, finished_record, record_name, rejects_name

PLAN, SUCCESS = "_plan.json", "_SUCCESS.json"
_RECORDS_AT_A_TIME = 32
_TOTALS = ("rows_in", "rows_out", "positive", "negative", "uncertain", "rejected", "rows_with_problems")


def make_room(folder: ShardFolder, blocks: Sequence[Block]) -> None:
    """Remove what an earlier job left that this one does not make again, and write down what this one makes.

    Raises:
        SentimentError: the folder holds files of somebody else.
    """
    sizes = folder.sizes()
    earlier = read_record(folder, PLAN)
    if sizes and earlier is None:
        raise SentimentError(
            f"{folder.url}: holds files that no scoring job wrote ({min(sizes)}); name an empty folder with -o"
        )
    folder.remove([SUCCESS])
    clear_traces(folder)
    shards = [block.shard for block in blocks]
    if earlier is not None:
        stale = sorted(set(earlier.get("shards", ())) - set(shards))
        names = {name for shard in stale for name in (record_name(shard), rejects_name(shard), shard)}
        folder.remove(name for name in sorted(names) if name in sizes)
    write_record(folder, PLAN, {"program": __version__, "shards": shards})


def clear_traces(folder: ShardFolder) -> None:
    """Remove what workers that died have left."""
    folder.discard(ATTEMPTS)
    folder.discard(SCRATCH)


def finished_records(blocks: Sequence[Block], folder: ShardFolder, key: str) -> dict[int, Record]:
    """Return the records of the blocks that an earlier run has scored, by the block's number."""
    sizes = folder.sizes()
    there = [block for block in blocks if record_name(block.shard) in sizes]
    with ThreadPoolExecutor(_RECORDS_AT_A_TIME) as threads:
        records = threads.map(lambda block: finished_record(block, folder, key), there)
        return {block.number: record for block, record in zip(there, records, strict=True) if record is not None}


def manifest(
    blocks: Sequence[Block], records: Mapping[int, Record], folder: ShardFolder, model: Mapping[str, str], task: Task
) -> dict[str, Any]:
    """Return the manifest of a job of which every shard is there and no row is lost.

    Raises:
        SentimentError: one is not, or one is.
    """
    sizes = folder.sizes()
    for block in blocks:
        record = records.get(block.number)
        if record is None or sizes.get(block.shard) != record["shard_bytes"]:
            raise SentimentError(
                f"{folder.url}: {block.shard} is missing or was changed meanwhile; the same command makes it again"
            )
    ordered = [records[block.number] for block in blocks]
    totals = {name: sum(record[name] for record in ordered) for name in _TOTALS}
    if totals["rows_in"] != totals["rows_out"]:
        raise SentimentError(
            f"{folder.url}: {totals['rows_in']} rows read but {totals['rows_out']} written, which is an error of this "
            "program; please report it"
        )
    problems: Counter[str] = Counter()
    for record in ordered:
        problems.update(record["problems"])
    return {
        "program": __version__,
        "model": dict(model),
        "options": asdict(task.options),
        "totals": {**totals, "problems": dict(problems)},
        "workers": sorted({record["worker"] for record in ordered}),
        "shards": ordered,
    }
