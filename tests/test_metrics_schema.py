"""Promise: every key of metrics.json is documented in the schema that ships with the package, and has that type."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from pipeline.evaluation.metrics_schema import SCHEMA_NAME, SCHEMA_VERSION, metrics_schema
from pipeline.evaluation.score_curves import precision_recall_points, roc_points, score_curves
from pipeline.evaluation.slices import confidence_slicing, slicings_of
from pipeline.evaluation.summary import subset_summary
from pipeline.metrics import accuracy_summary, mcnemar

LABELS = np.array([0, 1, 1, 0, 1, 0], dtype=np.int8)
PROBABILITIES = np.array([0.1, 0.9, 0.4, 0.6, 0.8, 0.2])
STARS = np.array([1, 10, 7, 4, -1, 2], dtype=np.int8)


def checked_by(key: str) -> Draft202012Validator:
    """Return what checks the value of a top-level key."""
    schema = metrics_schema()
    return Draft202012Validator({**schema["properties"][key], "$defs": schema["$defs"]})


def objects_in(schema: Any, place: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part of the schema that describes an object, with where it stands."""
    if isinstance(schema, dict):
        if "properties" in schema and "additionalProperties" in schema:
            yield place, schema
        for key, value in schema.items():
            yield from objects_in(value, f"{place}/{key}")
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            yield from objects_in(value, f"{place}/{position}")


def whole(labels: Any, ratings: Any = STARS) -> dict[str, Any]:
    """Return the entry ``all``."""
    slicings = [*slicings_of(["fine not but"] * 6, ratings), confidence_slicing(PROBABILITIES)]
    summary = subset_summary(labels, PROBABILITIES, PROBABILITIES, slicings, 3)
    return {**summary, **score_curves(labels, PROBABILITIES)}


def test_the_schema_is_one_and_has_the_version_that_is_written() -> None:
    schema = metrics_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_every_key_is_described() -> None:
    for place, entry in objects_in(metrics_schema()):
        for key, value in entry["properties"].items():
            assert value.get("description", "").endswith("."), f"{place}: {key}"
        assert set(entry.get("required", ())) <= set(entry["properties"]), place


@pytest.mark.parametrize("labels", [LABELS, np.zeros(6, dtype=np.int8), np.ones(6, dtype=np.int8)])
def test_the_figures_are_as_documented_with_one_class_too(labels: Any) -> None:
    checked_by("all").validate(whole(labels))
    checked_by("all").validate(whole(labels, None))


def test_a_baseline_is_as_documented() -> None:
    predicted = (PROBABILITIES > 0.3).astype(np.int8)
    entry = {
        **{"title": "A baseline", "settings": {}, "training_rows": 3, "seconds": 0.1, "from_cache": False},
        **accuracy_summary(LABELS, predicted),
        "leak_free": accuracy_summary(LABELS[:0], predicted[:0]),
        "mcnemar": mcnemar(LABELS, LABELS, predicted),
        "roc_curve": roc_points(LABELS, PROBABILITIES),
        "precision_recall_curve": precision_recall_points(LABELS, PROBABILITIES),
    }
    checked_by("baselines").validate({"a": entry})
    assert not checked_by("baselines").is_valid({"a": {**entry, "auc": 0.5}})


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": 1.5},
        {"accuracy": None},
        {"rows": 6.5},
        {"accuracy_interval": [0.1]},
        {"precision": "high"},
        {"sensitivity": 0.5},
    ],
)
def test_another_type_or_an_unknown_key_is_refused(change: dict[str, Any]) -> None:
    assert not checked_by("all").is_valid({**whole(LABELS), **change})


def test_a_missing_key_is_refused() -> None:
    entry = whole(LABELS)
    del entry["slices"]["negation"]
    assert not checked_by("all").is_valid(entry)


def test_the_reference_runs_of_this_version_are_as_documented() -> None:
    checked = Draft202012Validator(metrics_schema())
    for path in (Path(__file__).parents[1] / "reports/reference").glob("*/metrics.json"):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if metrics["schema_version"] == SCHEMA_VERSION:
            checked.validate(metrics)


def test_the_schema_ships_with_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["pipeline.evaluation"]
    assert any(Path(SCHEMA_NAME).match(pattern) for pattern in patterns)
