"""Inputs named by URLs: ``http`` and ``https`` through requests, all others (``s3://``, ``memory://``) through fsspec.

Neither is imported before the first URL. Whatever they raise becomes one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.input_bytes import FileBytes

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")
_SECONDS_TO_ANSWER = 60
_AGES = ("ETag", "etag", "LastModified", "last_modified", "updated", "mtime", "modified", "created")


def is_url(path: str) -> bool:
    """Return whether a name is a URL, chained ones of fsspec (``zip://a.csv::s3://...``) included."""
    return _URL.match(path) is not None


def shown_url(url: str) -> str:
    """Return a URL for messages: of http without user, query and fragment, which may hold secrets."""
    if not _is_http(url):
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def open_url(url: str) -> tuple[FileBytes, int | None]:
    """Open what a URL names; return its bytes and how many they are, where that is known.

    Raises:
        SentimentError: there is no such thing, it may not be read, or a package is missing.
    """
    with _one_line_errors(url):
        if _is_http(url):
            answer = _ask("GET", url)
            packed = answer.headers.get("Content-Encoding", "identity") != "identity"
            length = None if packed else answer.headers.get("Content-Length")
            return FileBytes(_AnswerBytes(answer), shown_url(url), remote=True), None if length is None else int(length)
        system, path = _file_system(url)
        size = system.info(path).get("size")
        return FileBytes(system.open(path, "rb"), url, remote=True), size


def check_url(url: str) -> None:
    """Refuse a URL that names nothing.

    Raises:
        SentimentError: as :func:`open_url`; also where it names a folder.
    """
    facts = _facts(url)
    if facts.get("type") == "directory":
        raise SentimentError(f"{url}: is a folder; name the files in it, as in '{url.rstrip('/')}/*.csv'")


def url_fingerprint(url: str) -> dict[str, Any]:
    """Return the name, the size and what tells of a change (ETag, time) where the place says so."""
    facts = _facts(url)
    age = next((str(facts[key]) for key in _AGES if facts.get(key) is not None), None)
    return {"name": shown_url(url), "bytes": facts.get("size"), "changed": age}


def expand_url(pattern: str) -> list[str]:
    """Return the URLs that a pattern matches, sorted; of http always the URL itself, where ``?`` begins a query.

    Raises:
        SentimentError: the place cannot be asked.
    """
    if _is_http(pattern) or not re.search(r"[*?\[]", pattern):
        return [pattern]
    with _one_line_errors(pattern):
        system, path = _file_system(pattern)
        if system.exists(path):
            return [pattern]
        found: dict[str, dict[str, Any]] = system.glob(path, detail=True)
        return sorted(system.unstrip_protocol(name) for name, facts in found.items() if facts["type"] != "directory")


class _AnswerBytes:
    """The body of an answer; what came before a connection broke is given before the error."""

    def __init__(self, answer: Any) -> None:
        answer.raw.decode_content = True
        packed = answer.headers.get("Content-Encoding", "identity") != "identity"
        self._answer = answer
        self._read = answer.raw.read if packed else getattr(answer.raw, "read1", answer.raw.read)

    def read(self, size: int) -> bytes:
        return bytes(self._read(size))

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._answer.close()


def _is_http(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _file_system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(url)
    return system, path


def _facts(url: str) -> dict[str, Any]:
    with _one_line_errors(url):
        if _is_http(url):
            with _ask("HEAD", url) as answer:
                headers = answer.headers
                length = headers.get("Content-Length")
                age = headers.get("ETag") or headers.get("Last-Modified")
                return {"size": None if length is None else int(length), "ETag": age}
        system, path = _file_system(url)
        return dict(system.info(path))


def _ask(method: str, url: str) -> Any:
    import requests

    identity = {"Accept-Encoding": "identity"}  # so that the length told is that of what comes
    try:
        answer = requests.request(
            method, url, stream=True, timeout=_SECONDS_TO_ANSWER, allow_redirects=True, headers=identity
        )
    except requests.exceptions.ConnectionError as error:
        raise ConnectionError(str(error)) from error
    if answer.status_code >= 400:
        answer.close()
    if method == "HEAD" and answer.status_code in (405, 501):  # the server does not know it
        return _ask("GET", url)
    if answer.status_code in (404, 410):
        raise FileNotFoundError(url)
    if answer.status_code in (401, 403):
        raise PermissionError(url)
    if answer.status_code >= 400:
        raise OSError(f"the server answers {answer.status_code} {answer.reason}")
    return answer


@contextmanager
def _one_line_errors(url: str) -> Iterator[None]:
    """Turn whatever a file system raises into one line that names the URL."""
    name = shown_url(url)
    try:
        yield
    except SentimentError:
        raise
    except ImportError as error:
        package = _missing_package(url, error)
        raise SentimentError(
            f"{name}: such URLs need the package {package}, which is not installed; pip install {package}"
        ) from error
    except FileNotFoundError as error:
        raise SentimentError(f"{name}: not found; check the URL") from error
    except PermissionError as error:
        raise SentimentError(f"{name}: access refused; check your credentials for it") from error
    except ValueError as error:
        if "rotocol not known" in str(error):
            raise UsageError(f"{name}: no such kind of URL ({_first_line(error)}); copy the file here") from error
        raise SentimentError(f"{name}: cannot be read ({_first_line(error)}); check the URL") from error
    except ConnectionError as error:
        raise SentimentError(f"{name}: no connection; check the URL and the network") from error
    except Exception as error:
        raise SentimentError(
            f"{name}: cannot be reached ({_first_line(error)}); check the URL and the network"
        ) from error


def _missing_package(url: str, error: ImportError) -> str:
    """Return what to install for a URL: the class of fsspec's table names it, or the import that failed does."""
    from fsspec.registry import known_implementations

    protocol = re.split("::|://", url)[0].lower()
    owner = str(known_implementations.get(protocol, {}).get("class", "fsspec")).split(".")[0]
    cause = error.name or getattr(error.__cause__, "name", None)
    return owner if owner != "fsspec" else str(cause or protocol)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
