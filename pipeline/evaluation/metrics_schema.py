"""The layout of ``metrics.json``, as a JSON Schema (draft 2020-12) that ships beside this file.

Every key stands there with what it means, its unit and its type. A reader of ``metrics.json`` needs nothing else of
this package.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

SCHEMA_VERSION = 2
"""Raised when a key goes or changes its meaning, unit or type; a new key does not raise it."""
SCHEMA_NAME = "metrics.schema.json"


def metrics_schema() -> dict[str, Any]:
    """Return the schema."""
    text = resources.files("pipeline.evaluation").joinpath(SCHEMA_NAME).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
