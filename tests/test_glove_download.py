"""The GloVe download against a server that cuts, lies and stalls."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import glove_download
from pipeline.artifacts import exclusive
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.glove_download import Archive, fetch_glove
from pipeline.mirror import BLOCK, Patience
from tests.hostile_server import Fault, HostileServer, Manners, serving

NAME = "glove.6B.100d"
HASTE = Patience(connect_s=2.0, read_s=0.3, pause_s=0.0, attempts=3)


def table_text(dimension: int) -> bytes:
    """Return text that deflate cannot shrink much, so that a cut falls into the middle of the member."""
    numbers = (hashlib.sha256(f"{dimension} {index}".encode()).hexdigest() for index in range(9_000))
    return "".join(f"word{index} {number}\n" for index, number in enumerate(numbers)).encode()


TABLES = {f"glove.6B.{dimension}d.txt": table_text(dimension) for dimension in (50, 100)}


def zip_of(tables: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, table in tables.items():
            archive.writestr(name, table)
    return content.getvalue()


ZIP = zip_of(TABLES)
EXPECTED = TABLES["glove.6B.100d.txt"]


with zipfile.ZipFile(io.BytesIO(ZIP)) as _archive:
    END_OF_MEMBER = f"-{_archive.start_dir - 1}"  # the wanted table is the last member


def starts_of_member_requests(server: HostileServer) -> list[int]:
    wanted = [asked for asked in server.asked if asked.endswith(END_OF_MEMBER)]
    return [int(asked.removeprefix("bytes=").split("-")[0]) for asked in wanted]


def archive_at(*mirrors: HostileServer | str) -> Archive:
    urls = tuple(mirror if isinstance(mirror, str) else mirror.url for mirror in mirrors)
    return Archive(urls, len(ZIP), hashlib.sha256(ZIP).hexdigest())


def fetch(folder: Path, *mirrors: HostileServer | str, name: str = NAME) -> bytes:
    path = fetch_glove(name, folder, Console(quiet=True), archive=archive_at(*mirrors), patience=HASTE)
    assert path == folder / f"{name}.txt"
    return path.read_bytes()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def corrupted(content: bytes, first: int) -> bytes:
    return content[:first] + bytes(byte ^ 0xFF for byte in content[first : first + 50]) + content[first + 50 :]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_only_the_wanted_table_is_fetched_where_ranges_are_granted(tmp_path: Path, method: int) -> None:
    content = zip_of({"large.txt": os.urandom(2_000_000), **TABLES}, method)
    archive_size = len(content)
    with serving(content) as server:
        archive = Archive((server.url,), archive_size, "unknown")
        path = fetch_glove(NAME, tmp_path, Console(quiet=True), archive=archive, patience=HASTE)
        assert path.read_bytes() == EXPECTED
        assert server.bytes_sent < archive_size / 2
    assert names_in(tmp_path) == ["glove.6B.100d.txt"]


def test_the_whole_zip_is_fetched_without_ranges_and_serves_the_next_table(tmp_path: Path) -> None:
    with serving(ZIP, Manners(ranges=False)) as server:
        assert fetch(tmp_path, server) == EXPECTED
        asked = len(server.asked)
        assert fetch(tmp_path, server, name="glove.6B.50d") == TABLES["glove.6B.50d.txt"]
        assert len(server.asked) == asked
    assert names_in(tmp_path) == ["glove.6B.100d.txt", "glove.6B.50d.txt", "glove.6B.zip"]


def test_a_kept_table_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / "glove.6B.100d.txt").write_bytes(b"kept")
    assert fetch(tmp_path, "http://127.0.0.1:9/glove.6B.zip") == b"kept"


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 200_000), max_size=6), ranges=st.booleans())
def test_cut_transfers_are_completed(cuts: list[int], ranges: bool) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(ZIP, Manners(ranges=ranges, faults=[Fault(cut) for cut in cuts])) as server,
    ):
        patience = Patience(connect_s=2.0, read_s=2.0, pause_s=0.0, attempts=8)
        archive = archive_at(server)
        path = fetch_glove(NAME, Path(folder), Console(quiet=True), archive=archive, patience=patience)
        assert path.read_bytes() == EXPECTED


def test_a_cut_transfer_goes_on_from_where_it_stopped(tmp_path: Path) -> None:
    faults = [Fault(150_000), Fault(100_000)]
    with serving(ZIP, Manners(faults=faults, faults_for=END_OF_MEMBER)) as server:
        assert fetch(tmp_path, server) == EXPECTED
        first, second, third = starts_of_member_requests(server)
    assert 150_000 - BLOCK < second - first <= 150_000
    assert 100_000 - BLOCK < third - second <= 100_000


@pytest.mark.parametrize(
    "manners",
    [
        Manners(page=True),
        Manners(page=True, page_type="application/zip"),
        Manners(page=True, page_type="application/zip", declared_size=len(ZIP)),
        Manners(status=404),
        Manners(status=503),
        Manners(wrong_range=True),
        Manners(declared_size=len(ZIP) + 1),
        Manners(ranges=False, declared_size=len(ZIP) - 1),
        Manners(faults=[Fault(0, silent=True)] * 9),
        Manners(ranges=False, faults=[Fault(200_000, silent=True)] * 9),
    ],
    ids=[
        "page",
        "typed-page",
        "long-page",
        "404",
        "503",
        "other-range",
        "other-size",
        "other-size-whole",
        "silent",
        "stalls",
    ],
)
def test_the_second_mirror_stands_in_for_a_bad_one(tmp_path: Path, manners: Manners) -> None:
    with serving(ZIP, manners) as bad, serving(ZIP) as good:
        assert fetch(tmp_path, bad, good) == EXPECTED
        assert len(bad.asked) <= 6


@pytest.mark.parametrize(("ranges", "reason"), [(True, "damaged bytes|checksum"), (False, "SHA-256")])
def test_wrong_bytes_are_found_out_and_not_kept(tmp_path: Path, ranges: bool, reason: str) -> None:
    middle = len(ZIP) * 3 // 4
    with serving(corrupted(ZIP, middle), Manners(ranges=ranges)) as server:
        with pytest.raises(SentimentError, match=reason):
            fetch(tmp_path, server)
    assert names_in(tmp_path) == []
    with serving(ZIP, Manners(ranges=ranges)) as server:
        assert fetch(tmp_path, server) == EXPECTED


def test_the_member_s_checksum_is_checked(tmp_path: Path) -> None:
    content = zip_of(TABLES, zipfile.ZIP_STORED)  # no deflate stream that could break by itself
    with serving(corrupted(content, len(content) * 3 // 4)) as server:
        archive = Archive((server.url,), len(content), "unknown")
        with pytest.raises(SentimentError, match="do not fit the zip's checksum"):
            fetch_glove(NAME, tmp_path, Console(quiet=True), archive=archive, patience=HASTE)
    assert names_in(tmp_path) == []


def test_what_has_arrived_is_kept_for_the_next_run(tmp_path: Path) -> None:
    faults = [Fault(100_000), *[Fault(0)] * 9]
    with serving(ZIP, Manners(faults=faults, faults_for=END_OF_MEMBER)) as server:
        with pytest.raises(SentimentError, match="run again to go on from what has arrived"):
            fetch(tmp_path, server)
        server.manners = Manners()
        before = server.bytes_sent
        assert fetch(tmp_path, server) == EXPECTED
        assert server.bytes_sent - before < len(ZIP)


def test_a_zip_without_the_table_is_refused(tmp_path: Path) -> None:
    content = zip_of({"other.txt": os.urandom(len(ZIP))})
    with serving(content) as server:
        archive = Archive((server.url,), len(content), "unknown")
        with pytest.raises(SentimentError, match=r"no readable glove\.6B\.100d\.txt"):
            fetch_glove(NAME, tmp_path, Console(quiet=True), archive=archive, patience=HASTE)


def test_the_error_names_every_mirror_and_the_way_out(tmp_path: Path) -> None:
    with serving(ZIP, Manners(page=True)) as page, serving(ZIP, Manners(status=404)) as missing:
        closed = "http://127.0.0.1:9/glove.6B.zip"
        with pytest.raises(SentimentError) as caught:
            fetch(tmp_path, page, missing, closed)
        assert len(missing.asked) == 1
    message = str(caught.value)
    assert "web page" in message
    assert "HTTP status 404" in message
    assert "127.0.0.1:9 cannot be reached" in message
    assert "--vectors FILE" in message
    assert "VECTORS=FILE" in message
    assert "\n" not in message


def test_a_passing_server_error_is_tried_again(tmp_path: Path) -> None:
    with serving(ZIP, Manners(status=503)) as server:

        class Recovering(list[str]):
            def append(self, asked: str) -> None:
                super().append(asked)
                if len(self) == 2:
                    server.manners.status = 200

        server.asked = Recovering()
        assert fetch(tmp_path, server) == EXPECTED


@pytest.mark.parametrize("ranges", [True, False])
def test_a_killed_download_resumes(tmp_path: Path, ranges: bool) -> None:
    faults = [Fault(150_000, silent=True)] * 9
    faults_for = END_OF_MEMBER if ranges else ""
    if not ranges:
        faults.insert(0, Fault(10**9))  # the first request only looks whether ranges are granted
    with serving(ZIP, Manners(ranges=ranges, faults=faults, faults_for=faults_for)) as server:
        process = start_download(tmp_path, server)
        try:
            partial = wait_for_partial(tmp_path, 100_000)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert not (tmp_path / "glove.6B.100d.txt").exists()
        have = partial.stat().st_size
        first = starts_of_member_requests(server)
        server.manners = Manners(ranges=ranges)
        server.asked.clear()
        assert fetch(tmp_path, server) == EXPECTED
        if ranges:
            assert starts_of_member_requests(server) == [first[0] + have]
        else:
            assert server.asked[1] == f"bytes={have}-{len(ZIP) - 1}"


def start_download(folder: Path, server: HostileServer) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from pathlib import Path; from pipeline.console import Console\n"
        "from pipeline.glove_download import Archive, fetch_glove\n"
        "url, size, sha256, folder = sys.argv[1:]\n"
        "fetch_glove('glove.6B.100d', Path(folder), Console(), archive=Archive((url,), int(size), sha256))\n"
    )
    archive = archive_at(server)
    arguments = [server.url, str(archive.size), archive.sha256, str(folder)]
    return subprocess.Popen([sys.executable, "-c", program, *arguments], stderr=subprocess.DEVNULL)


def wait_for_partial(folder: Path, size: int) -> Path:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for path in folder.glob(".*.partial"):
            if path.stat().st_size >= size:
                return path
        time.sleep(0.02)
    raise AssertionError("the download brought nothing")


def test_two_downloads_of_one_table_exclude_each_other(tmp_path: Path) -> None:
    with exclusive(tmp_path / "glove.6B.100d.txt"), pytest.raises(SentimentError, match="another run"):
        fetch(tmp_path, "http://127.0.0.1:9/glove.6B.zip")


def test_a_full_disk_is_one_line_and_leaves_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(glove_download, "sync_file", full)
    with serving(ZIP) as server, pytest.raises(SentimentError, match="No space left on device"):
        fetch(tmp_path, server)
    assert not (tmp_path / "glove.6B.100d.txt").exists()


def test_a_foreign_zip_in_the_cache_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "glove.6B.zip").write_bytes(b"<html>saved by mistake</html>")
    with serving(ZIP) as server:
        assert fetch(tmp_path, server) == EXPECTED


def test_the_published_archive_is_the_one_of_the_facts() -> None:
    archive = glove_download.GLOVE_6B
    assert archive.size == 862_182_613
    assert archive.sha256 == "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb"
    assert len(archive.mirrors) == 2
