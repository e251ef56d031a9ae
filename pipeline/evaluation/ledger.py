"""The ledger of test evaluations: one line for each time the labels of a test split were read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipeline.artifacts import to_utf8, write_bytes_atomically
from pipeline.errors import SentimentError

LEDGER_NAME = "test-evaluations.csv"
LEDGER_COLUMNS = (
    "time_utc",
    "model",
    "weights_sha256",
    "corpus",
    "corpus_fingerprint",
    "rows",
    "accuracy",
    "leak_free_accuracy",
    "command",
)
FINGERPRINT_DIGITS = 12
LEDGER_WAIT_SECONDS = 60.0


def append_to_ledger(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a line to ``test-evaluations.csv``, waiting for another run that is adding one.

    Raises:
        SentimentError: the file has other columns, the disk refused, or another run held it for a minute.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LEDGER_WAIT_SECONDS):
            before = path.read_text(encoding="utf-8") if path.is_file() else ",".join(LEDGER_COLUMNS) + "\n"
            if before.split("\n", 1)[0].rstrip("\r") != ",".join(LEDGER_COLUMNS):
                raise SentimentError(f"{path}: line 1 does not name the columns of the ledger; move the file away")
            line = io.StringIO()
            csv.DictWriter(line, LEDGER_COLUMNS, lineterminator="\n").writerow(entry)
            write_bytes_atomically(path, to_utf8(before + ("" if before.endswith("\n") else "\n") + line.getvalue()))
    except Timeout:
        raise SentimentError(f"{path}: another run is writing here; wait for it or stop it first") from None


def lines_of_corpus(path: Path, corpus_fingerprint: str) -> int:
    """Return how many lines of ``test-evaluations.csv`` are about a corpus; 0 without the file."""
    if not path.is_file():
        return 0
    with path.open(encoding="utf-8", newline="", errors="replace") as stream:
        lines = csv.DictReader(stream)
        return sum(line.get("corpus_fingerprint") == corpus_fingerprint[:FINGERPRINT_DIGITS] for line in lines)


def ledger_entry(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ledger's line of an evaluation, by column."""
    data, leak_free = metrics["data"], metrics["leak_free"]
    return {
        "time_utc": metrics["evaluated_at"],
        "model": metrics["model"]["name"],
        "weights_sha256": (metrics["model"]["weights_sha256"] or "")[:FINGERPRINT_DIGITS],
        "corpus": data["name"],
        "corpus_fingerprint": data["fingerprint"][:FINGERPRINT_DIGITS],
        "rows": data["rows"],
        "accuracy": f"{metrics['all']['accuracy']:.5f}",
        "leak_free_accuracy": "" if leak_free is None else f"{leak_free['accuracy']:.5f}",
        "command": metrics["command"],
    }
