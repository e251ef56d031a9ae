"""Promise: a report shows what the labelled probes say of these very weights, and nothing of any others."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from pipeline.artifacts import StageOutput, write_json_atomically
from pipeline.evaluation.metrics_schema import metrics_schema
from pipeline.evaluation.probed import probe_figures
from pipeline.metrics import wilson_interval
from pipeline.probes import GROUPS, SCHEMA_VERSION, probe_summary, probes_csv, read_probes
from pipeline.report.page import page
from tests.test_report import Page, evaluated_case

WEIGHTS = "ab" * 32
PROBES = read_probes(probes_csv())


def written(folder: Path, **changes: Any) -> dict[str, Any]:
    """Write a ``probes.json`` of a model that calls every text positive; return its content."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "model": {"name": "m", "weights_sha256": WEIGHTS},
        "probes": {"sha256": "cd" * 32, "rows": len(PROBES)},
        **probe_summary(PROBES, np.ones(len(PROBES), dtype=np.int8)),
        **changes,
    }
    write_json_atomically(folder / "probes.json", content)
    return content


def test_the_figures_are_those_of_the_file(tmp_path: Path) -> None:
    content = written(tmp_path)
    found = probe_figures(tmp_path, WEIGHTS)
    assert found is not None
    assert [group["definition"] for group in found["groups"]] == list(GROUPS.values())
    negation = next(group for group in found["groups"] if group["name"] == "negation")
    entry = content["groups"]["negation"]
    assert (negation["rows"], negation["accuracy"]) == (entry["rows"], entry["accuracy"])
    assert negation["accuracy_interval"] == wilson_interval(entry["correct"], entry["rows"])
    schema = metrics_schema()
    Draft202012Validator({**schema["properties"]["probes"], "$defs": schema["$defs"]}).validate(found)
    evaluated = evaluated_case()
    evaluated.metrics["probes"] = found
    text = page(evaluated, {})
    assert Page(text).figures["probes.groups.2.accuracy"] == repr(negation["accuracy"])
    assert 'href="#probes"' in text


def test_without_probes_the_command_is_named() -> None:
    text = page(evaluated_case(), {})
    assert "probes." not in "".join(Page(text).figures)
    assert "no test of understanding" in text
    assert "<code>sentiment probe</code>" in text


def test_other_weights_and_damage_are_no_probes(tmp_path: Path) -> None:
    assert probe_figures(tmp_path, WEIGHTS) is None
    content = written(tmp_path)
    assert probe_figures(tmp_path, "ef" * 32) is None
    assert probe_figures(tmp_path, None) is None
    damaged = copy.deepcopy(content)
    damaged["groups"]["short"]["correct"] = 10_000
    for other in ("{", "[]", json.dumps(damaged), json.dumps({**content, "schema_version": SCHEMA_VERSION + 1})):
        (tmp_path / "probes.json").write_text(other)
        assert probe_figures(tmp_path, WEIGHTS) is None


@pytest.mark.parametrize("times", [1, 2])
def test_an_evaluation_leaves_the_probes_where_they_are(tmp_path: Path, times: int) -> None:
    written(tmp_path)
    for _ in range(times):
        with StageOutput(tmp_path, "evaluate") as output:
            output.path("metrics.json").write_text("{}")
            output.commit({}, {}, {})
    assert probe_figures(tmp_path, WEIGHTS) is not None
