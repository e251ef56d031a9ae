"""A local HTTP server that serves one file and misbehaves on demand."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"


@dataclass(frozen=True)
class Fault:
    """After how many bytes of a body the connection is closed, or falls silent."""

    at: int
    silent: bool = False


@dataclass
class Manners:
    """How the server answers.

    ``faults`` befall, one each, the answers to requests whose ``Range`` ends with ``faults_for``; when they are used up
    the answers are whole.
    """

    ranges: bool = True
    status: int = 200
    page: bool = False
    page_type: str = "text/html"
    wrong_range: bool = False
    declared_size: int | None = None
    faults: list[Fault] = field(default_factory=list)
    faults_for: str = ""


class HostileServer:
    """Serves ``content`` at ``url`` with the given manners; remembers the ranges asked for and the bytes sent."""

    def __init__(self, content: bytes, manners: Manners) -> None:
        self.content = content
        self.manners = manners
        self.asked: list[str] = []
        self.bytes_sent = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/glove.6B.zip"

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        manners = self.manners
        with self._lock:
            asked = handler.headers.get("Range", "")
            self.asked.append(asked)
            faulty = manners.faults and asked.endswith(manners.faults_for)
            fault = manners.faults.pop(0) if faulty else None
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked) if manners.ranges else None
        body, total = self.content, manners.declared_size or len(self.content)
        if manners.page or manners.status != 200:
            handler.send_response(manners.status)
            handler.send_header("Content-Type", manners.page_type)
            body = PAGE
        elif span:
            first, last = int(span[1]), int(span[2])
            body = self.content[first : last + 1]
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first + manners.wrong_range}-{last}/{total}")
        else:
            handler.send_response(200)
        declared = total if body is self.content else len(body)
        handler.send_header("Content-Length", str(declared))
        handler.end_headers()
        self._send(handler, body, fault)

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes, fault: Fault | None) -> None:
        limit = min(len(body), fault.at) if fault else len(body)
        try:
            for start in range(0, limit, 1 << 14):
                block = body[start : min(start + (1 << 14), limit)]
                handler.wfile.write(block)
                self.bytes_sent += len(block)
            handler.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            return
        if fault and fault.silent:
            self.closing.wait(30)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@contextmanager
def serving(content: bytes, manners: Manners | None = None) -> Iterator[HostileServer]:
    server = HostileServer(content, manners or Manners())
    try:
        yield server
    finally:
        server.close()
