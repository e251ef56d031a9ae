"""Scoring on many cores or machines: a Ray Data job that scores each block of the inputs into a shard of its own.

Each block goes through the scorer of one machine (:func:`pipeline.scoring.score.score_table`), so that a row's result
is the same. Ray gives the blocks to workers, one on each core, and those of a worker or machine that dies to others. A
finished shard has a record beside it, written last: the same command again scores what has none. Ctrl-C, a dead driver
and a lost cluster therefore cost the blocks under way, no more. ``_SUCCESS.json`` is written at the end, when every
shard is there and as many rows came out as went in.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import SentimentModel
from pipeline.scoring.cluster.blocks import ROWS_OF_BLOCK, Block, plan_blocks
from pipeline.scoring.cluster.job_folder import SUCCESS, clear_traces, finished_records, make_room, manifest
from pipeline.scoring.cluster.job_progress import JobProgress
from pipeline.scoring.cluster.ray_session import imported_ray, quiet_context, ray_session
from pipeline.scoring.cluster.ray_worker import BlockScorer, packed_model
from pipeline.scoring.cluster.shard_folder import open_folder, write_record
from pipeline.scoring.cluster.shards import Record, Task, key_of
from pipeline.scoring.inputs import expand_inputs, open_table
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.urls import is_url
from pipeline.scoring.windows import windows
from pipeline.text_column import find_text_column

_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1 << 20


def score_with_ray(
    inputs: Sequence[str],
    output: str,
    model_folder: Path,
    console: Console,
    options: ScoreOptions | None = None,
    *,
    workers: int | None = None,
    address: str | None = None,
    rows_of_block: int = ROWS_OF_BLOCK,
) -> dict[str, Any]:
    """Score files into a folder of shards; return what ``_SUCCESS.json`` holds.

    Args:
        inputs: paths, globs and URLs that all workers can read.
        output: path or URL of a folder that all workers can write to: an empty one, or an earlier job's.
        model_folder: need be on this machine only.
        console: for messages and progress.
        options: how rows are scored; the defaults where None. Without a text column, the first input's is everybody's.
        workers: processes of one core; one on each core of the cluster where None.
        address: of a running Ray cluster; None starts Ray on this machine.
        rows_of_block: of a part of a Parquet file, at least.

    Raises:
        SentimentError: an input or the output is at fault, or Ray is; finished shards stay.
        UsageError: the command line is.
    """
    started = time.perf_counter()
    folder = open_folder(output)
    model = SentimentModel.load(model_folder)
    if model.notice:
        console.say(f"score: {model.notice}")
    paths = [_everywhere(path) for path in expand_inputs(inputs)]
    blocks = plan_blocks(paths, (options or ScoreOptions()).output_format, rows_of_block)
    if not blocks:
        raise UsageError("no input; name files for --engine ray")
    options = _with_text_column(options or ScoreOptions(), paths)
    task = Task(_everywhere(output), options, key_of(model.fingerprint, options))
    with _held(output):
        make_room(folder, blocks)
        records = finished_records(blocks, folder, task.key)
        if records:
            console.say(f"{output}: {len(records):,} of {len(blocks):,} shards are there from an earlier run")
        missing = [block for block in blocks if block.number not in records]
        with JobProgress(console, blocks, records) as progress:
            for answer in _answers(missing, task, model_folder, workers, address) if missing else ():
                progress.note(answer, strict=options.strict)
        progress.refuse_failures(output)
        named = {"name": model.name, "fingerprint": model.fingerprint}
        success = manifest(blocks, progress.records, folder, named, task)
        success["seconds"] = round(time.perf_counter() - started, 3)
        write_record(folder, SUCCESS, success)
        clear_traces(folder)
    _report(output, success, len(missing), console)
    return success


def _everywhere(path: str) -> str:
    """Return a path as workers in other folders understand it."""
    return path if path == "-" or is_url(path) else str(Path(path).absolute())


def _held(output: str) -> AbstractContextManager[None]:
    """Keep a second job of this machine out of a local folder."""
    return nullcontext() if is_url(output) else artifacts.exclusive(Path(output).absolute())


def _with_text_column(options: ScoreOptions, paths: Sequence[str]) -> ScoreOptions:
    """Return the options with the text column of the first input that can be read: all blocks score the same one.

    Raises:
        SentimentError: it has no such column, or no input can be read.
    """
    failure = SentimentError("no input can be read")
    for path in dict.fromkeys(paths):
        try:
            with open_table([path], options.of_input()) as table:
                sample = [row.fields for row in next(windows(table.rows(), _SAMPLE_ROWS, _SAMPLE_CHARACTERS), [])]
        except SentimentError as error:  # which its block tells again
            failure = error
            continue
        name = table.header[find_text_column(table.header, sample, options.text_column, table.name)]
        is_clear = options.text_column is None and list(table.header).count(name) == 1
        return replace(options, text_column=name) if is_clear else options
    raise failure


def _answers(
    blocks: Sequence[Block], task: Task, model_folder: Path, workers: int | None, address: str | None
) -> Iterator[Record]:
    """Score blocks on Ray's workers; yield what :class:`BlockScorer` answers, as it comes.

    Raises:
        SentimentError: Ray fails.
    """
    ray = imported_ray()
    with ray_session(ray, address, workers) as most_workers:
        quiet_context(ray)
        largest_first = sorted(blocks, key=lambda block: -block.weight)  # the last to end are small ones then
        items = [{"block": json.dumps(block.to_dict())} for block in largest_first]
        model = ray.put(packed_model(model_folder))
        try:
            answers = ray.data.from_items(items, override_num_blocks=len(items)).map(
                BlockScorer,
                fn_constructor_args=(task, model),
                compute=ray.data.ActorPoolStrategy(size=min(most_workers, len(items)), max_tasks_in_flight_per_actor=1),
                num_cpus=1,
            )
            for row in answers.iter_rows():
                yield json.loads(row["answer"])
        except ray.exceptions.RayError as error:
            raise SentimentError(
                f"Ray: the job failed ({type(error).__name__}: {_reason_of(error)}); finished shards are kept in "
                f"{task.output}, the same command goes on from them"
            ) from error


def _reason_of(error: Exception) -> str:
    """Return the line of a Ray error that says what happened: the last one of a traceback, else the first."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines() if line.strip()]
    return (lines or [""])[-1 if any(line.startswith('File "') for line in lines) else 0][:300]


def _report(output: str, success: dict[str, Any], scored: int, console: Console) -> None:
    """Say at the end what was done and what deserves a look."""
    totals = success["totals"]
    answered = totals["positive"] + totals["negative"] + totals["uncertain"]
    share = f", {totals['positive'] / answered:.1%} positive" if answered else ""
    if totals["uncertain"]:
        share += f", {totals['uncertain'] / answered:.1%} uncertain"
    shards = len(success["shards"])
    console.say(
        f"{output}: {totals['rows_out']:,} rows in {shards:,} shards{share}; {scored:,} of the shards scored in "
        f"{success['seconds']:.1f} s, the start of Ray included"
    )
    redone = sum(record["attempts"] > 1 for record in success["shards"])
    if redone:
        console.say(f"  {redone:,} of the blocks begun again after their worker had died")
    if totals["problems"]:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in Counter(totals["problems"]).most_common())
        console.say(f"  {totals['rows_with_problems']:,} rows with a note in score_error: {kinds}")
    if totals["rejected"]:
        console.say(f"  {totals['rejected']:,} rows kept as they were in {output}/_rejects")
