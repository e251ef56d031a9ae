"""A server on this machine that answers what ``datasets.load_dataset`` asks of the hub, with files of our own."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class FakeHub:
    """One data set at one revision.

    Attributes:
        files: content of each file by its path in the repository.
        requests: ``METHOD path`` of each request so far.
        cut: send only the first half of a Parquet file's bytes, then close.
    """

    def __init__(self, identifier: str, revision: str, files: Mapping[str, bytes]) -> None:
        self.identifier = identifier
        self.revision = revision
        self.files = dict(files)
        self.requests: list[str] = []
        self.cut = False
        self.address = ""

    def entry(self, path: str) -> dict[str, object]:
        content = self.files[path]
        return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def entries(self, folder: str, recursive: bool) -> list[dict[str, object]]:
        prefix = f"{folder}/" if folder else ""
        inside = [path for path in sorted(self.files) if path.startswith(prefix)]
        files = [self.entry(path) for path in inside if recursive or "/" not in path[len(prefix) :]]
        folders = sorted({prefix + path[len(prefix) :].split("/")[0] for path in inside if "/" in path[len(prefix) :]})
        return [{"type": "directory", "path": path, "oid": "0" * 40} for path in folders] + files

    def api(self, path: str, query: Mapping[str, list[str]], body: bytes) -> object | None:
        """Return the answer of ``/api/datasets/ID/...``, or None where there is nothing."""
        root = f"/api/datasets/{self.identifier}"
        if path in (root, f"{root}/revision/{self.revision}"):
            siblings = [{"rfilename": name} for name in self.files]
            return {"id": self.identifier, "sha": self.revision, "siblings": siblings, "tags": [], "private": False}
        if path.startswith(f"{root}/tree/{self.revision}"):
            folder = path.removeprefix(f"{root}/tree/{self.revision}").strip("/")
            return self.entries(folder, query.get("recursive", ["false"])[0].lower() == "true")
        if path == f"{root}/paths-info/{self.revision}":
            wanted = paths_of(body)
            return [self.entry(name) for name in wanted if name in self.files]
        return None


def paths_of(body: bytes) -> list[str]:
    """Return the ``paths`` of a request's body, sent as JSON or as a form."""
    if body.startswith(b"{"):
        return list(json.loads(body)["paths"])
    return parse_qs(body.decode())["paths"]


def handler_of(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply()

        def do_HEAD(self) -> None:
            self.reply()

        def do_POST(self) -> None:
            self.reply()

        def reply(self) -> None:
            parts = urlsplit(self.path)
            path = unquote(parts.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.requests.append(f"{self.command} {path}")
            resolve = f"/datasets/{hub.identifier}/resolve/{hub.revision}/"
            name = path.removeprefix(resolve)
            if path.startswith(resolve) and name in hub.files:
                self.send_file(name)
            elif (answer := hub.api(path, parse_qs(parts.query), body)) is not None:
                self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
            else:
                error = "EntryNotFound" if path.startswith(resolve) else "RepoNotFound"
                self.send(404, b"", {"X-Error-Code": error, "X-Error-Message": "not here"})

        def send_file(self, name: str) -> None:
            content = hub.files[name]
            etag = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": hub.revision}
            cut = hub.cut and name.endswith(".parquet")
            self.send(200, content, etag, sent=len(content) // 2 if cut else len(content))
            self.close_connection = cut

        def send(self, status: int, content: bytes, headers: Mapping[str, str], sent: int | None = None) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[:sent])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve a hub on a free port of this machine; ``hub.address`` is what ``HF_ENDPOINT`` is to be."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(hub))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
