"""What labelled probes say of the model: the entry ``probes`` of ``metrics.json``, read from ``probes.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json
from pipeline.errors import SentimentError
from pipeline.metrics import wilson_interval
from pipeline.probes import GROUPS, PROBES_NAME, SCHEMA_VERSION


def shares_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``rows, correct, accuracy, accuracy_interval`` from an entry's two counts.

    Raises:
        ValueError: they are no counts of some texts and of the right ones among them.
    """
    rows, correct = entry["rows"], entry["correct"]
    if type(rows) is not int or type(correct) is not int or not 0 <= correct <= rows or rows == 0:
        raise ValueError(f"{correct} of {rows} texts right")
    share = correct / rows
    return {"rows": rows, "correct": correct, "accuracy": share, "accuracy_interval": wilson_interval(correct, rows)}


def probe_figures(folder: Path, weights_sha256: str | None) -> dict[str, Any] | None:
    """Return the accuracy of each kind of probe.

    Args:
        folder: where ``sentiment probe`` leaves the model's ``probes.json``.
        weights_sha256: of the model; a file about other weights does not count.

    Returns:
        ``table_sha256, rows, correct, accuracy, accuracy_interval`` and ``groups`` (``name, definition`` and the same
        figures); None without a file of these weights, or with a damaged one: an evaluation is not to fail for it.
    """
    path = folder / PROBES_NAME
    if weights_sha256 is None or not path.is_file():
        return None
    try:
        found = read_json(path, "run `sentiment probe` again")
        if found["schema_version"] != SCHEMA_VERSION or found["model"]["weights_sha256"] != weights_sha256:
            return None
        groups = [
            {"name": name.replace("_", " "), "definition": definition, **shares_of(found["groups"][name])}
            for name, definition in GROUPS.items()
            if name in found["groups"]
        ]
        return {"table_sha256": str(found["probes"]["sha256"]), **shares_of(found["all"]), "groups": groups}
    except (SentimentError, KeyError, TypeError, ValueError):
        return None
