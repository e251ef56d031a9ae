"""Which format an input has: by its name, else by its first bytes; what is neither is refused by its proper name."""

from __future__ import annotations

import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from pipeline.errors import SentimentError, UsageError
from pipeline.scoring.compression import SUFFIXES
from pipeline.scoring.urls import is_url, shown_url

CSV, JSON_LINES, PARQUET = "csv", "jsonl", "parquet"
HEAD_BYTES = 1 << 16
"""How far :func:`format_of_bytes` looks."""
FORMAT_NAMES = {CSV: "CSV", JSON_LINES: "JSON lines", PARQUET: "Parquet"}
_FORMATS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), CSV),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), JSON_LINES),
    **dict.fromkeys((".parquet", ".pq"), PARQUET),
}
_OTHER_FORMATS = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb"), "an Excel workbook"),
    ".ods": "a spreadsheet of OpenDocument",
    **dict.fromkeys((".bz2", ".xz", ".lzma", ".7z", ".rar", ".lz4"), "packed in a way that is not read"),
    ".zip": "a zip archive",
    ".tar": "a tar archive",
    ".tgz": "a tar archive",
    **dict.fromkeys((".arrow", ".feather", ".orc", ".avro"), "in a format that is not read"),
    **dict.fromkeys((".pkl", ".pickle"), "a pickle, which may run code when it is read"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "a database"),
    **dict.fromkeys((".pdf", ".doc", ".docx"), "a document"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif"), "a picture"),
}
_PARQUET, _ENCRYPTED_PARQUET = b"PAR1", b"PARE"
_FIRST_BYTES = {
    b"\x1f\x8b": "packed twice",
    b"\x28\xb5\x2f\xfd": "packed twice",
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF-": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"ARROW1\0\0": "an Arrow file",
    b"SQLite format 3\0": "a database",
    b"\xfd7zXZ\0": "packed by xz",
    **{b"BZh%d" % level + block: "packed by bzip2" for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")},
}
_TEXT_CONTROLS = b"\t\n\v\f\r\x1b"
_BYTES_OF_EVIDENCE = 32
_ADVICE = "export or unpack it as CSV, JSON lines or Parquet first"


def format_of_name(path: str) -> str | None:
    """Return the format that a name tells; None where it tells none.

    Args:
        path: a path or URL; a suffix of compression is passed over.

    Raises:
        UsageError: the name is that of a format that is not read.
    """
    suffix, _ = _suffixes(path)
    if suffix in _OTHER_FORMATS:
        raise UsageError(f"{shown_url(path) if is_url(path) else path}: is {_OTHER_FORMATS[suffix]}; {_ADVICE}")
    return _FORMATS.get(suffix)


def compression_of_name(path: str) -> str | None:
    """Return the compression that a name tells; None where it tells none."""
    return _suffixes(path)[1]


def _suffixes(path: str) -> tuple[str, str | None]:
    if path.lower().startswith(("http://", "https://")):
        path = urlsplit(path).path
    name = PurePosixPath(path.replace("\\", "/"))
    packing = SUFFIXES.get(name.suffix.lower())
    return (name.with_suffix("") if packing else name).suffix.lower(), packing


def check_first_bytes(head: bytes, name: str, told: str | None) -> None:
    """Refuse bytes that are those of another format, or of another one than the name tells.

    Args:
        head: the first bytes, unpacked.
        name: the file in messages.
        told: the format that its name tells.

    Raises:
        SentimentError: what the file is, and the way out.
    """
    for magic, description in _FIRST_BYTES.items():
        if head.startswith(magic):
            raise SentimentError(f"{name}: is {description}, not {FORMAT_NAMES[told or CSV]}; {_ADVICE}")
    for mark, description in ((b"GIF8", "a picture"), (_ENCRYPTED_PARQUET, "an encrypted Parquet file")):
        if head.startswith(mark) and (told == PARQUET or _goes_on_in_bytes(head, mark)):
            raise SentimentError(f"{name}: is {description}, not {FORMAT_NAMES[told or CSV]}; {_ADVICE}")
    if told in (CSV, JSON_LINES) and format_of_bytes(head) == PARQUET:
        raise SentimentError(f"{name}: is a Parquet file, not {FORMAT_NAMES[told]}; rename it to end in .parquet")
    if told == PARQUET and head and not head.startswith(_PARQUET):
        raise SentimentError(f"{name}: is no Parquet file, whatever its name says; is it damaged, or a CSV file?")


def format_of_bytes(head: bytes) -> str:
    """Return the format that the first bytes tell: Parquet by its mark, JSON lines by an object in the first line."""
    if head.startswith(_PARQUET) and _goes_on_in_bytes(head, _PARQUET):
        return PARQUET
    return JSON_LINES if _first_line_is_object(head) else CSV


def _goes_on_in_bytes(head: bytes, mark: bytes) -> bool:
    """Return whether what follows a mark is no text; a table may begin with such letters: ``PARENT_ID,review``."""
    following = head[len(mark) : _BYTES_OF_EVIDENCE]
    return following.endswith(mark) or any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in following)


def _first_line_is_object(head: bytes) -> bool:
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        text = head[: len(head) // 2 * 2].decode("utf-16", errors="replace")
    else:
        text = head.removeprefix(BOM_UTF8).decode("utf-8", errors="replace")
    line, ended, _ = text.lstrip().partition("\n")
    if line.strip() == "{" or (line.startswith("[") and text.lstrip("[ \t\r\n").startswith("{")):
        return True  # JSON, but not in lines, as its reader will say
    if not line.startswith("{"):
        return False
    if not ended and len(head) >= HEAD_BYTES:
        return line[1:].lstrip().startswith('"')  # the line goes on beyond what is seen
    try:
        return isinstance(json.loads(line, strict=False, parse_int=str), dict)
    except (ValueError, RecursionError):
        return False
