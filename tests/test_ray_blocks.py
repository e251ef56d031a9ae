"""Promise: each block has one shard of its own, equal to what one machine writes; a job ends whole or says why not."""

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import ModelSettings
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.cluster import ray_job, shards
from pipeline.scoring.cluster.blocks import Block, group_ranges, plan_blocks, shard_name
from pipeline.scoring.cluster.job_folder import PLAN, SUCCESS
from pipeline.scoring.cluster.ray_job import score_with_ray
from pipeline.scoring.cluster.ray_worker import packed_model, unpacked_model
from pipeline.scoring.cluster.shard_folder import ShardFolder, open_folder, read_record, write_record
from pipeline.scoring.cluster.shards import Record, Task, finished_record, record_name, rejects_name, score_block
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.output_format import output_format
from pipeline.scoring.score import score_table
from tests.stub_models import HashModel, probability_of, write_random_model

QUIET = Console(quiet=True)
OPTIONS = ScoreOptions(text_column="review")


def write_csv(path: Path, rows: int, start: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "review"])
        table.writerows([f"{start + row:04d}", f'a "film",\nnumber {start + row}'] for row in range(rows))
    return path


def write_parquet(path: Path, rows: int, group: int) -> Path:
    table = pa.table({"id": range(rows), "review": [f"film {row}" for row in range(rows)]})
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShardFolder]:
    if request.param == "local":
        yield open_folder(str(tmp_path / "out"))
        return
    yield open_folder("memory://bucket/out")
    fsspec.filesystem("memory").store.clear()


# ------------------------------------------------------------------------------------------------------------- blocks


@given(st.lists(st.integers(0, 30)), st.integers(1, 50))
def test_ranges_of_row_groups_cover_all_of_them_once(groups: list[int], rows: int) -> None:
    ranges = list(group_ranges(groups, rows))
    assert [group for first, behind in ranges for group in range(first, behind)] == list(range(len(groups)))
    assert all(sum(groups[first:behind]) >= rows for first, behind in ranges[:-1])
    assert all(sum(groups[first : behind - 1]) < rows for first, behind in ranges)


@given(st.integers(0, 10**6), st.text(min_size=1), st.sampled_from([None, "csv", "jsonl", "parquet"]))
def test_any_input_has_a_shard_name_that_says_its_format(number: int, name: str, shard_format: str | None) -> None:
    shard = shard_name(number, f"some/folder/{name.replace('/', '')}", shard_format)
    assert shard.startswith(f"part-{number:05d}-")
    assert "/" not in shard
    assert len(shard) < 120
    assert shard_format in (None, output_format(shard).name)


@pytest.mark.parametrize(
    ("path", "shard_format", "shard"),
    [
        ("in/r.csv", None, "part-00003-r.csv"),
        ("in/r.tsv.gz", None, "part-00003-r.tsv.gz"),
        ("s3://bucket/a/r.jsonl.zst", None, "part-00003-r.jsonl.zst"),
        ("r.csv.gz", "parquet", "part-00003-r.parquet"),
        ("r.parquet", "csv", "part-00003-r.csv"),
        ("https://host/r.csv?key=secret", None, "part-00003-r.csv"),
        ("r.dat", None, "part-00003-r.csv"),
    ],
)
def test_shard_names(path: str, shard_format: str | None, shard: str) -> None:
    assert shard_name(3, path, shard_format) == shard


def test_files_are_blocks_in_order_and_parquet_is_cut_between_row_groups(tmp_path: Path) -> None:
    paths = [write_csv(tmp_path / "b.csv", 3), write_parquet(tmp_path / "a.parquet", 25, 10)]
    paths.append(write_parquet(tmp_path / "one.parquet", 25, 10))
    blocks = plan_blocks(list(map(str, paths[:2])), rows=15) + plan_blocks([str(paths[2])], rows=100)
    assert [(block.number, block.row_groups, block.rows) for block in blocks] == [
        (0, None, None),
        (1, (0, 2), 20),
        (2, (2, 3), 5),
        (0, None, 25),
    ]
    assert [block.shard for block in blocks[:3]] == ["part-00000-b.csv", "part-00001-a.parquet", "part-00002-a.parquet"]
    assert all(Block.from_dict(json.loads(json.dumps(block.to_dict()))) == block for block in blocks)


def test_streams_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name files for --engine ray"):
        plan_blocks(["-"])
    with pytest.raises(SentimentError, match=r"missing\.csv"):
        plan_blocks([str(tmp_path / "missing.csv")])


# ------------------------------------------------------------------------------------------------------------- shards


def task_for(folder: ShardFolder, options: ScoreOptions = OPTIONS) -> Task:
    return Task(folder.url, options, "key")


def test_a_shard_is_what_one_machine_writes(folder: ShardFolder, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in" / "r.csv", 40)
    path.write_bytes(path.read_bytes() + b"x,good,really\n")
    (block,) = plan_blocks([str(path)])
    record = score_block(block, folder, task_for(folder), HashModel(0), "worker")
    summary = score_table(str(path), str(tmp_path / "alone.csv"), HashModel(), QUIET, OPTIONS)
    assert folder.read(block.shard) == (tmp_path / "alone.csv").read_bytes()
    assert folder.read(rejects_name(block.shard)) == (tmp_path / "alone.csv.rejects.jsonl").read_bytes()
    assert (record["rows_in"], record["rows_out"], record["positive"]) == (41, 41, summary.positive)
    assert record["problems"] == {"surplus fields": 1}
    assert read_record(folder, record_name(block.shard)) == record
    assert not [name for name in folder.sizes() if "temporary" in name]


def test_parts_of_a_parquet_file_are_together_the_whole(folder: ShardFolder, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "r.parquet", 95, 10)
    blocks = plan_blocks([str(path)], rows=30)
    assert len(blocks) == 4
    for block in blocks:
        score_block(block, folder, task_for(folder), HashModel(), "worker")
    score_table(str(path), str(tmp_path / "alone.parquet"), HashModel(), QUIET, OPTIONS)
    parts = [pq.read_table(pa.BufferReader(folder.read(block.shard))) for block in blocks]
    assert pa.concat_tables(parts).equals(pq.read_table(tmp_path / "alone.parquet"))


@pytest.mark.parametrize("shard_format", ["csv", "jsonl", "parquet"])
def test_packed_inputs_and_other_formats(tmp_path: Path, shard_format: str) -> None:
    path = write_csv(tmp_path / "r.csv", 20)
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    folder = open_folder(str(tmp_path / "out"))
    (block,) = plan_blocks([str(tmp_path / "r.csv.gz")], shard_format)
    options = replace(OPTIONS, output_format=shard_format)
    assert score_block(block, folder, task_for(folder, options), HashModel(), "worker")["rows_out"] == 20


def test_a_finished_shard_counts_only_for_the_same_input_model_and_options(folder: ShardFolder, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", 20)
    (block,) = plan_blocks([str(path)])
    assert finished_record(block, folder, "key") is None
    record = score_block(block, folder, task_for(folder), HashModel(), "worker")
    assert finished_record(block, folder, "key") == record
    assert finished_record(block, folder, "another key") is None
    write_csv(path, 21)
    (changed,) = plan_blocks([str(path)])
    assert finished_record(changed, folder, "key") is None
    folder.remove([block.shard])
    assert finished_record(block, folder, "key") is None


def test_rejects_of_an_earlier_run_are_removed(folder: ShardFolder, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "r.csv", 3)
    whole = path.read_bytes()
    for content, rejected in [(whole + b"1,good,really\n", 1), (whole, 0)]:
        path.write_bytes(content)
        (block,) = plan_blocks([str(path)])
        assert score_block(block, folder, task_for(folder), HashModel(), "worker")["rejected"] == rejected
        assert (folder.size(rejects_name(block.shard)) is not None) == bool(rejected)


def test_a_lost_row_is_noticed_and_nothing_put_in_place(
    folder: ShardFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(path: str, output: str, *arguments: Any) -> Any:
        summary = score_table(path, output, *arguments)
        lines = Path(output).read_bytes().split(b"\r\n")
        Path(output).write_bytes(b"\r\n".join(lines[:-2] + lines[-1:]))
        return summary

    monkeypatch.setattr(shards, "score_table", careless)
    (block,) = plan_blocks([str(write_csv(tmp_path / "r.csv", 5))])
    with pytest.raises(SentimentError, match="5 rows, 5 read, 4 written"):
        score_block(block, folder, task_for(folder), HashModel(), "worker")
    assert block.shard not in folder.sizes()
    assert finished_record(block, folder, "key") is None


def test_a_block_that_kills_its_workers_is_given_up(folder: ShardFolder, tmp_path: Path) -> None:
    (block,) = plan_blocks([str(write_csv(tmp_path / "r.csv", 5))])
    attempts = [shards.attempt_of(block, folder, f"worker-{death}") for death in range(5)]
    assert [attempt.__enter__() for attempt in attempts] == [1, 2, 3, 4, 5]  # and never left
    with pytest.raises(SentimentError, match=r"r\.csv: 5 workers died"):
        score_block(block, folder, task_for(folder), HashModel(), "worker")


def test_a_block_that_fails_has_not_killed_its_worker(folder: ShardFolder, tmp_path: Path) -> None:
    (block,) = plan_blocks([str(write_csv(tmp_path / "r.csv", 5))])
    for _ in range(9):
        with pytest.raises(SentimentError, match="no column 'text'"):
            score_block(block, folder, task_for(folder, ScoreOptions(text_column="text")), HashModel(), "worker")
    assert score_block(block, folder, task_for(folder), HashModel(), "worker")["attempts"] == 1


def test_messages_name_the_file_and_not_the_copy_of_a_part(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "r.parquet", 20, 10)
    folder = open_folder(str(tmp_path / "out"))
    block = plan_blocks([str(path)], rows=10)[1]
    with pytest.raises(SentimentError) as caught:
        score_block(block, folder, task_for(folder, ScoreOptions(text_column="text")), HashModel(), "worker")
    assert f"{path} (row groups 1 to 1): no column 'text'" in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- whole jobs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random", ModelSettings(16), ["film", "a", "number"])


@pytest.fixture
def scored_blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have this process do what Ray's workers do; return the numbers of the blocks as they are scored."""
    numbers: list[int] = []

    def answers(blocks: Sequence[Block], task: Task, *_: object) -> Iterator[Record]:
        for block in blocks:
            numbers.append(block.number)
            try:
                answer = score_block(block, open_folder(task.output), task, HashModel(), "worker")
            except SentimentError as error:
                answer = {"error": str(error), "exit_code": error.exit_code}
            yield {**answer, "number": block.number}

    monkeypatch.setattr(ray_job, "_answers", answers)
    return numbers


def test_a_job_counts_its_rows_and_the_second_run_scores_nothing(
    tmp_path: Path, model: Path, scored_blocks: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        write_csv(tmp_path / "in" / f"r{number}.csv", 10 + number, number * 100)
    output = str(tmp_path / "out")
    success = score_with_ray([str(tmp_path / "in" / "*.csv")], output, model, Console())
    assert (success["totals"]["rows_in"], success["totals"]["rows_out"], scored_blocks) == (46, 46, [0, 1, 2, 3])
    assert json.loads((tmp_path / "out" / SUCCESS).read_text("utf-8")) == success
    assert "46 rows in 4 shards" in capsys.readouterr().err
    score_with_ray([str(tmp_path / "in" / "*.csv")], output, model, Console())
    assert scored_blocks == [0, 1, 2, 3]
    write_csv(tmp_path / "in" / "r2.csv", 7)
    assert score_with_ray([str(tmp_path / "in" / "*.csv")], output, model, QUIET)["totals"]["rows_out"] == 41
    assert scored_blocks == [0, 1, 2, 3, 2]
    score_with_ray([str(tmp_path / "in" / "*.csv")], output, model, QUIET, ScoreOptions(threshold=0.7))
    assert len(scored_blocks) == 9


def test_a_failed_block_leaves_the_others_and_the_same_command_goes_on(
    tmp_path: Path, model: Path, scored_blocks: list[int]
) -> None:
    for number in range(3):
        write_csv(tmp_path / "in" / f"r{number}.csv", 10)
    (tmp_path / "in" / "r1.csv").write_bytes(b"")
    inputs, output = [str(tmp_path / "in" / "*.csv")], tmp_path / "out"
    with pytest.raises(SentimentError, match=r"1 of 3 blocks failed.*r1\.csv"):
        score_with_ray(inputs, str(output), model, QUIET)
    assert not (output / SUCCESS).exists()
    assert (output / "part-00002-r2.csv").exists()
    write_csv(tmp_path / "in" / "r1.csv", 5)
    assert score_with_ray(inputs, str(output), model, QUIET)["totals"]["rows_out"] == 25
    assert scored_blocks == [0, 1, 2, 1]
    (tmp_path / "in" / "r1.csv").write_bytes(b"")
    with pytest.raises(SentimentError, match=r"1 of 3 blocks failed.*r1\.csv"):
        score_with_ray(inputs, str(output), model, QUIET)
    assert not (output / SUCCESS).exists()


def test_strict_and_wrong_options_stop_at_the_first_failure(
    tmp_path: Path, model: Path, scored_blocks: list[int]
) -> None:
    for number in range(3):
        path = write_csv(tmp_path / "in" / f"r{number}.csv", 10)
        path.write_bytes(path.read_bytes() + b"1,\n" * (number == 1))
    inputs, output = [str(tmp_path / "in" / "*.csv")], str(tmp_path / "out")
    with pytest.raises(SentimentError, match=r"r1\.csv: row 11"):
        score_with_ray(inputs, output, model, QUIET, ScoreOptions(strict=True))
    assert scored_blocks == [0, 1]
    (tmp_path / "in" / "r0.csv").write_text("review,score_error\ngood,x\n", encoding="utf-8")
    scored_blocks.clear()
    with pytest.raises(UsageError, match="--prefix"):
        score_with_ray(inputs, output, model, QUIET)
    assert scored_blocks == [0]


def test_shards_of_inputs_that_are_gone_are_removed_and_files_of_others_are_not(
    tmp_path: Path, model: Path, scored_blocks: list[int]
) -> None:
    for number in range(3):
        path = write_csv(tmp_path / "in" / f"r{number}.csv", 10)
    path.write_bytes(path.read_bytes() + b"1,good,really\n")
    inputs, output = [str(tmp_path / "in" / "*.csv")], tmp_path / "out"
    score_with_ray(inputs, str(output), model, QUIET)
    assert (output / rejects_name("part-00002-r2.csv")).exists()
    path.unlink()
    score_with_ray(inputs, str(output), model, QUIET)
    names = sorted(open_folder(str(output)).sizes())
    assert [name for name in names if "r2" in name] == []
    assert {"part-00000-r0.csv", "part-00001-r1.csv", PLAN, SUCCESS} <= set(names)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SentimentError, match=r"no scoring job wrote \(notes\.txt\)"):
        score_with_ray(inputs, str(tmp_path / "elsewhere"), model, QUIET)
    with pytest.raises(SentimentError, match="is a file"):
        score_with_ray(inputs, str(tmp_path / "elsewhere" / "notes.txt"), model, QUIET)


def test_the_first_input_says_which_column_all_blocks_score(
    tmp_path: Path, model: Path, scored_blocks: list[int]
) -> None:
    (tmp_path / "a.csv").write_text("id,words\n1,a film like no other one\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("words,review\nthe one,the other of them both\n", encoding="utf-8")
    output = tmp_path / "out"
    success = score_with_ray([str(tmp_path / "*.csv")], str(output), model, QUIET)
    assert success["options"]["text_column"] == "words"
    assert probability_of("the one") in (output / "part-00001-b.csv").read_text("utf-8")
    with pytest.raises(SentimentError, match=r"a\.csv: no column 'wrods'"):
        score_with_ray([str(tmp_path / "*.csv")], str(output), model, QUIET, ScoreOptions(text_column="wrods"))
    assert scored_blocks == [0, 1]
    assert (output / SUCCESS).exists()


def test_a_first_input_that_cannot_be_read_leaves_the_others(
    tmp_path: Path, model: Path, scored_blocks: list[int]
) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    write_csv(tmp_path / "b.csv", 10)
    with pytest.raises(SentimentError, match=r"1 of 2 blocks failed.*a\.csv"):
        score_with_ray([str(tmp_path / "*.csv")], str(tmp_path / "out"), model, QUIET)
    assert (tmp_path / "out" / "part-00001-b.csv").exists()
    (tmp_path / "b.csv").write_bytes(b"")
    with pytest.raises(SentimentError, match=r"b\.csv: is empty"):
        score_with_ray([str(tmp_path / "*.csv")], str(tmp_path / "out"), model, QUIET)


def test_a_shard_that_goes_missing_is_noticed(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(blocks: Sequence[Block], task: Task, *_: object) -> Iterator[Record]:
        for block in blocks:
            yield {**score_block(block, open_folder(task.output), task, HashModel(), "w"), "number": block.number}
        (Path(task.output) / blocks[0].shard).write_bytes(b"cut")

    monkeypatch.setattr(ray_job, "_answers", answers)
    path = write_csv(tmp_path / "r.csv", 10)
    with pytest.raises(SentimentError, match=r"part-00000-r\.csv is missing or was changed"):
        score_with_ray([str(path)], str(tmp_path / "out"), model, QUIET)


def test_two_jobs_keep_out_of_each_others_folder(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, output = write_csv(tmp_path / "r.csv", 10), str(tmp_path / "out")

    def answers(*_: object) -> Iterator[Record]:
        with pytest.raises(SentimentError, match="another run is writing here"):
            score_with_ray([str(path)], output, model, QUIET)
        yield {"number": 0, "error": "enough", "exit_code": 1}

    monkeypatch.setattr(ray_job, "_answers", answers)
    with pytest.raises(SentimentError, match="enough"):
        score_with_ray([str(path)], output, model, QUIET)


# ------------------------------------------------------------------------------------------------- folders, the model


def test_folders_are_alike_wherever_they_lie(folder: ShardFolder) -> None:
    assert folder.sizes() == {}
    assert folder.read("a.json") is None
    assert folder.size("a.json") is None
    write_record(folder, "a.json", {"x": 1})
    write_record(folder, "_records/b.json", {"y": None})
    assert read_record(folder, "_records/b.json") == {"y": None}
    assert folder.sizes() == {name: folder.size(name) for name in ("a.json", "_records/b.json")}
    assert len(folder.sizes("_records")) == 1
    write_record(folder, "a.json", {"x": 2})
    assert read_record(folder, "a.json") == {"x": 2}
    with folder.scratch("0") as scratch:
        (scratch / "damaged.json").write_bytes(b"{")
        assert "damaged.json" not in "".join(folder.sizes())
        folder.publish(scratch / "damaged.json", "damaged.json")
    assert not [path for path in fsspec.filesystem("memory").store if "_temporary" in path]
    assert read_record(folder, "damaged.json") is None
    folder.remove(["a.json", "missing.json"])
    assert folder.size("a.json") is None
    folder.discard("_records")
    folder.discard("_records")
    assert set(folder.sizes()) == {"damaged.json"}


def test_a_store_that_refuses_is_told_in_one_line() -> None:
    with pytest.raises(SentimentError, match="nowhere://bucket/out: cannot be used"):
        open_folder("nowhere://bucket/out").sizes()


def test_workers_get_the_model_without_its_folder(model: Path) -> None:
    files = packed_model(model)
    texts = ["a film", "number a film"]
    unpacked, original = unpacked_model(files), unpacked_model(packed_model(model))
    assert (unpacked.probabilities(texts) == original.probabilities(texts)).all()
    with pytest.raises(SentimentError, match="changed since training"):
        unpacked_model({**files, "vocabulary.txt": b"other\n"})
    with pytest.raises(SentimentError, match="copy the model folder whole"):
        packed_model(model / "nowhere")
