"""Promise: on a real Ray cluster each row's result is that of one machine, whatever worker, node or driver is killed.

Needs the extra ``distributed``, and moto[server] for the part on S3: `pytest -m distributed tests/test_ray.py`.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("ray") is None:
    pytest.skip("needs the extra distributed", allow_module_level=True)

from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.inference import BUNDLED_FOLDER, SentimentModel, find_model
from pipeline.scoring.cluster import ray_job
from pipeline.scoring.cluster.ray_job import score_with_ray
from pipeline.scoring.cluster.ray_session import imported_ray
from pipeline.scoring.cluster.ray_worker import BlockScorer
from pipeline.scoring.options import ScoreOptions
from pipeline.scoring.score import score_table

ray = imported_ray()

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own are its own affair
    pytest.mark.skipif(not BUNDLED_FOLDER.exists(), reason="needs the bundled model"),
]

ROOT = Path(__file__).parents[1]
QUIET = Console(quiet=True)
WORDS = ["film", "wonderful", "dull", "a", "mess", "music", "it", "I", "do", "not", "never", "again", "great", "boring"]
FILES, ROWS = 12, 4000  # a block takes a second or so, enough to be killed in


def write_reviews(folder: Path, files: int = FILES, rows: int = ROWS) -> str:
    """Write files of generated reviews; return the pattern that names them."""
    folder.mkdir()
    draw = random.Random(1)
    for number in range(files):
        with (folder / f"r{number:02d}.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(["id", "review"])
            table.writerows([f"{number}-{row:05d}", " ".join(draw.choices(WORDS, k=200))] for row in range(rows))
    return str(folder / "*.csv")


@pytest.fixture(scope="module")
def model_folder() -> Path:
    return find_model(Path("nowhere"), None, or_bundled=True)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of three nodes with a core each, the driver's one among them."""
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 100 << 20}
    running = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **store})
    running.others = [running.add_node(num_cpus=1, **store) for _ in range(2)]
    yield running
    ray.shutdown()
    running.shutdown()


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def assert_rows_are_those_of_one_machine(inputs: Path, output: Path, model_folder: Path) -> None:
    model = SentimentModel.load(model_folder)
    shards = sorted(output.glob("part-*"))
    files = sorted(inputs.iterdir())
    assert len(shards) == len(files)
    for file, shard in zip(files, shards, strict=True):
        alone = output.parent / "alone.csv"
        score_table(str(file), str(alone), model, QUIET)
        rows, expected = read_rows(shard), read_rows(alone)
        place = expected[0].index("positive_probability")
        assert [row[:place] + row[place + 1 :] for row in rows] == [row[:place] + row[place + 1 :] for row in expected]
        for row, other in zip(rows[1:], expected[1:], strict=True):
            assert float(row[place]) == pytest.approx(float(other[place]), abs=1e-3)


def fresh_marks(output: Path, workers: str) -> list[Path]:
    """Return the marks of blocks that workers have begun with less than 0.3 seconds ago."""
    begun: list[Path] = []
    for mark in output.glob(f"_attempts/*/*-{workers}*"):
        with suppress(FileNotFoundError):
            if time.time() - mark.stat().st_mtime < 0.3:
                begun.append(mark)
    return begun


def when_under_way(output: Path, workers: str, act: Callable[[str], None]) -> threading.Thread:
    """Do something once a worker whose name begins so has finished a block and is in the middle of the next one.

    Args:
        output: of the job.
        workers: the beginning of their names.
        act: gets the mark of the attempt, ``SHARD/NUMBER-WORKER.json``.
    """

    def watch() -> None:
        for _ in range(10_000):
            time.sleep(0.02)
            done = any(f'"worker": "{workers}' in path.read_text("utf-8") for path in output.glob("_records/*"))
            marks = fresh_marks(output, workers) if done else []
            if marks:
                act(f"{marks[0].parent.name}/{marks[0].name}")
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_cluster_gives_the_rows_of_one_machine(
    cluster: Any, model_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pattern = write_reviews(tmp_path / "in", files=9, rows=1500)
    capfd.readouterr()
    success = score_with_ray([pattern], str(tmp_path / "out"), model_folder, Console(), address=cluster.address)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1, captured.err
    assert success["totals"]["rows_in"] == success["totals"]["rows_out"] == 9 * 1500
    assert len({worker.split("-")[0] for worker in success["workers"]}) == 3  # nodes
    assert {record["models_loaded"] for record in success["shards"]} == {1}
    assert_rows_are_those_of_one_machine(tmp_path / "in", tmp_path / "out", model_folder)


def test_blocks_of_a_killed_node_are_redone(cluster: Any, model_folder: Path, tmp_path: Path) -> None:
    pattern, output = write_reviews(tmp_path / "in"), tmp_path / "out"
    node = cluster.others[1]
    lost: list[str] = []

    def kill(mark: str) -> None:
        lost.append(mark.split("/")[0])
        cluster.remove_node(node, allow_graceful=False)

    watch = when_under_way(output, node.node_id[:12], kill)
    success = score_with_ray([pattern], str(output), model_folder, QUIET, address=cluster.address)
    watch.join()
    by_shard = {record["shard"]: record for record in success["shards"]}
    on_node = [record["shard"] for record in success["shards"] if record["worker"].startswith(node.node_id[:12])]
    assert on_node  # it had finished some
    assert lost[0] not in on_node  # and had begun with one that another node finished
    assert by_shard[lost[0]]["attempts"] == 2
    assert success["totals"]["rows_out"] == FILES * ROWS
    assert_rows_are_those_of_one_machine(tmp_path / "in", output, model_folder)


def test_a_worker_killed_at_work_costs_one_block_begun_again(
    model_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pattern, output = write_reviews(tmp_path / "in", files=6), tmp_path / "out"
    killed: list[str] = []

    def kill(mark: str) -> None:
        killed.append(mark)
        os.kill(int(mark.removesuffix(".json").rpartition("-")[2]), signal.SIGKILL)

    watch = when_under_way(output, "", kill)
    success = score_with_ray([pattern], str(output), model_folder, Console(), workers=2)
    watch.join()
    redone = [record for record in success["shards"] if record["attempts"] == 2]
    assert [record["shard"] for record in redone] == [killed[0].split("/")[0]]
    assert redone[0]["worker"] not in killed[0]
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "1 of the blocks begun again" in captured.err
    assert len(captured.err.splitlines()) == 2, captured.err
    assert {path.name for path in output.glob("_*")} == {"_plan.json", "_records", "_SUCCESS.json"}
    assert_rows_are_those_of_one_machine(tmp_path / "in", output, model_folder)


def test_a_killed_job_goes_on_from_the_finished_shards(model_folder: Path, tmp_path: Path) -> None:
    pattern, output = write_reviews(tmp_path / "in", files=8, rows=3000), tmp_path / "out"
    program = (
        "import sys; from pathlib import Path; from pipeline.console import Console\n"
        "from pipeline.scoring.cluster.ray_job import score_with_ray\n"
        "score_with_ray([sys.argv[1]], sys.argv[2], Path(sys.argv[3]), Console(), workers=1)"
    )
    command = [sys.executable, "-c", program, pattern, str(output), str(model_folder)]
    job = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    when_under_way(output, "", lambda mark: job.kill()).join()
    assert job.wait() == -signal.SIGKILL
    records = {path.name: path.read_bytes() for path in output.glob("_records/*")}
    assert 0 < len(records) < 8
    time.sleep(2)  # its Ray ends with it
    success = score_with_ray([pattern], str(output), model_folder, QUIET, workers=1)
    assert {name: (output / "_records" / name).read_bytes() for name in records} == records
    assert success["totals"]["rows_out"] == 8 * 3000
    assert len(success["workers"]) == 2
    assert_rows_are_those_of_one_machine(tmp_path / "in", output, model_folder)


def test_an_error_of_a_worker_is_one_line_and_costs_its_block(
    model_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pattern, output = write_reviews(tmp_path / "in", files=3, rows=50), tmp_path / "out"
    whole = (tmp_path / "in" / "r01.csv").read_bytes()
    (tmp_path / "in" / "r01.csv").write_bytes(gzip.compress(whole)[:-200])
    options = ScoreOptions(text_column="review")
    with pytest.raises(SentimentError) as caught:
        score_with_ray([pattern], str(output), model_folder, QUIET, options, workers=1)
    assert "1 of 3 blocks failed" in str(caught.value)
    assert "r01.csv: is cut short" in str(caught.value)
    assert "\n" not in str(caught.value)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    (tmp_path / "in" / "r01.csv").write_bytes(whole)
    success = score_with_ray([pattern], str(output), model_folder, QUIET, options, workers=1)
    assert success["totals"]["rows_out"] == 150


class UnstartableScorer(BlockScorer):
    def __init__(self, *_: object) -> None:
        raise ModuleNotFoundError("No module named 'pipeline'")


def test_a_worker_that_cannot_start_is_one_line(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ray_job, "BlockScorer", UnstartableScorer)
    pattern = write_reviews(tmp_path / "in", files=1, rows=5)
    with pytest.raises(SentimentError) as caught:
        score_with_ray([pattern], str(tmp_path / "out"), model_folder, QUIET, workers=1)
    assert "Ray: the job failed" in str(caught.value)
    assert "No module named 'pipeline'" in str(caught.value)
    assert "\n" not in str(caught.value)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_cluster_that_is_not_there_is_one_line(model_folder: Path, tmp_path: Path) -> None:
    pattern = write_reviews(tmp_path / "in", files=1, rows=5)
    with pytest.raises(SentimentError, match=r"Ray at 127\.0\.0\.1:1: does not answer"):
        score_with_ray([pattern], str(tmp_path / "out"), model_folder, QUIET, address="127.0.0.1:1")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 server of this machine with one bucket; gives its file system."""
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    yield system
    running.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def test_from_s3_to_s3(bucket: Any, model_folder: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_reviews(tmp_path / "in", files=3, rows=100)
    for path in (tmp_path / "in").iterdir():
        bucket.put_file(str(path), f"bucket/in/{path.name}")
    reviews = pa.table({"id": range(90), "review": [f"the {WORDS[row % 14]} film" for row in range(90)]})
    pq.write_table(reviews, tmp_path / "r.parquet", row_group_size=10)
    bucket.put_file(str(tmp_path / "r.parquet"), "bucket/in/r.parquet")
    inputs = ["s3://bucket/in/*.csv", "s3://bucket/in/r.parquet"]
    for run in range(2):
        success = score_with_ray(inputs, "s3://bucket/out", model_folder, QUIET, workers=1, rows_of_block=30)
        assert success["totals"]["rows_out"] == 390, run
        assert len(success["shards"]) == 6
    assert json.loads(bucket.cat_file("bucket/out/_SUCCESS.json")) == success
    bucket.get("bucket/out/", str(tmp_path / "out"), recursive=True)
    for path in (tmp_path / "out").glob("part-*.csv"):
        (tmp_path / "csv").mkdir(exist_ok=True)
        path.rename(tmp_path / "csv" / path.name)
    assert_rows_are_those_of_one_machine(tmp_path / "in", tmp_path / "csv", model_folder)
    score_table(str(tmp_path / "r.parquet"), str(tmp_path / "a.parquet"), SentimentModel.load(model_folder), QUIET)
    parts = [pq.read_table(path) for path in sorted((tmp_path / "out").glob("part-*.parquet"))]
    assert pa.concat_tables(parts).equals(pq.read_table(tmp_path / "a.parquet"))
