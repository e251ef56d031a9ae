"""Promise: IMDb comes from the hub at its pinned revision, without a network from the cache, or one line says how."""

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.columns import ColumnChoice
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.hub import IMDB, IMDB_REVISION, PROBE_SECONDS, HubDataset, checked_revision, is_reachable, read_hub
from tests.fake_hub import FakeHub, serving

ROOT = Path(__file__).parents[1]
README = """---
configs:
- config_name: plain_text
  default: true
  data_files:
  - {split: train, path: plain_text/train-*}
  - {split: test, path: plain_text/test-*}
  - {split: unsupervised, path: plain_text/unsupervised-*}
---
"""
COMMAND = """
import sys
from pathlib import Path
from pipeline.console import Console
from pipeline.corpus import build_corpus
from pipeline.errors import SentimentError
try:
    manifest = build_corpus(sys.argv[1], Path(sys.argv[2]), Console(quiet=True))
except SentimentError as error:
    sys.exit(f"error: {error}")
assert "torch" not in sys.modules
print(manifest["name"], manifest["source"], manifest["inputs"]["source"], manifest["rows"], manifest["split"])
"""


def parquet(texts: Sequence[str], labels: Sequence[int]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": texts, "label": pa.array(labels, pa.int64())}), stream)
    return stream.getvalue()


def imdb_hub() -> FakeHub:
    files = {
        "README.md": README.encode(),
        "plain_text/train-00000-of-00001.parquet": parquet(["a poor start", "a fine end"], [0, 1]),
        "plain_text/test-00000-of-00001.parquet": parquet(["dull", "bright", "bright again"], [0, 1, 1]),
        "plain_text/unsupervised-00000-of-00001.parquet": parquet(["nobody said"], [-1]),
    }
    return FakeHub(IMDB, IMDB_REVISION, files)


def build(endpoint: str, home: Path, source: str = IMDB) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = kept | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hub"), "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-c", COMMAND, source, str(home / "corpus")]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100)


def closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_imdb_from_the_hub_and_then_from_the_cache(tmp_path: Path) -> None:
    with serving(imdb_hub()) as hub:
        online = build(hub.address, tmp_path)
    assert online.returncode == 0, online.stderr
    rows = {"train": 2, "test": 3, "unsupervised": 1}
    assert online.stdout.strip() == f"imdb {IMDB}@{IMDB_REVISION} {IMDB_REVISION} {rows} source"
    assert online.stderr == ""
    assert all("telemetry" not in request for request in hub.requests)
    assert {path.name for path in (tmp_path / "corpus").glob("*.arrow")} == {f"{split}.arrow" for split in rows}
    # The hub is gone now, and its port closed.
    offline = build(hub.address, tmp_path)
    assert (offline.returncode, offline.stdout) == (0, online.stdout), offline.stderr


class FakeSplit:
    """What is asked of a ``datasets.Dataset``."""

    def __init__(self, labels: list[int], names: list[str]) -> None:
        self.data = SimpleNamespace(table=pa.table({"text": ["first", "second"], "label": labels}))
        self.features = {"text": None, "label": SimpleNamespace(names=names)}
        self.cache_files: list[dict[str, str]] = []


@pytest.mark.parametrize(("names", "expected"), [(["pos", "neg"], [1, 0]), (["no", "yes"], [0, 1])])
def test_classes_by_name_and_splits_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], names: list[str], expected: list[int]
) -> None:
    splits = {split: FakeSplit([0, 1], names) for split in ("train", "validation")}
    monkeypatch.setattr("pipeline.hub.load_splits", lambda dataset, console: splits)
    rows, _ = read_hub(HubDataset("a/b", None, "main"), ColumnChoice(), Console())
    assert rows["train"].table().column("label").to_pylist() == expected
    assert "a/b@main: left out validation" in capsys.readouterr().err


def test_without_a_network_one_line_says_what_to_do(tmp_path: Path) -> None:
    result = build(closed_port(), tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    for words in (IMDB, "no network", "--source", "SOURCE="):
        assert words in line
    assert not (tmp_path / "corpus").exists()  # nothing half-made, and no empty folder


@pytest.mark.slow
def test_a_download_that_breaks_off_or_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    with serving(imdb_hub()) as hub:
        hub.cut = True
        cut = build(hub.address, tmp_path)
        absent = build(hub.address, tmp_path, "nobody/nothing")
        hub.cut = False
        again = build(hub.address, tmp_path)
    for result, name in ((cut, IMDB), (absent, "nobody/nothing")):
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert name in result.stderr
        assert "--source" in result.stderr
    assert again.returncode == 0, again.stderr


def test_another_revision_in_the_cache_is_not_taken_for_the_one_asked_for() -> None:
    pinned = HubDataset.parse(IMDB, None)
    other = "f" * 40
    assert checked_revision(pinned, [{"filename": f"/cache/0.0.0/{IMDB_REVISION}/imdb-train.arrow"}]) == IMDB_REVISION
    assert checked_revision(HubDataset("a/b", None, "main"), [{"filename": f"/cache/{other}/x.arrow"}]) == other
    with pytest.raises(SentimentError, match="another revision"):
        checked_revision(pinned, [{"filename": f"/cache/0.0.0/{other}/imdb-train.arrow"}])


def test_a_server_that_never_answers_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PROBE_SECONDS <= 10
    monkeypatch.setattr("pipeline.hub.PROBE_SECONDS", 0.2)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        assert not is_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - start < 2


def test_any_answer_means_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(FakeHub("a/b", "main", {})) as hub:
        assert is_reachable(hub.address)  # 404
    assert not is_reachable(hub.address)
    assert not is_reachable("no address")
