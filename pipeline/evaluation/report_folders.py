"""Where reports lie: the folder that an evaluation writes, and the one that a name on the command line stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import MANIFEST_NAME, read_json
from pipeline.errors import SentimentError, UsageError
from pipeline.evaluation.finished_report import METRICS_NAME
from pipeline.inference import CONFIG_NAME, WEIGHTS_NAME

COMPARISON_NAME = "comparison.json"
FILES_OF_A_REPORT = (METRICS_NAME, "report.html", COMPARISON_NAME, "comparison.html")
"""Files that are taken for their folder: the commands print the paths of the pages."""
FAILED_GATE = "failed_gate"
"""Key of a report's manifest: whether it failed the regression gate."""
AT_HOME: Mapping[str, bool] = {"trained_on_this_corpus": True}
"""For :func:`report_name`: what a report on the model's own corpus says of its data."""


def shown_name(name: str, config: Mapping[str, Any]) -> str:
    """Return a model's name; a compact copy is told from the model that it was made from."""
    return f"{name}-compact" if "bundle" in config else name


def report_name(model_name: str, description: Mapping[str, Any]) -> str:
    """Return the folder name of a report: the model's, and what else it was measured on but its own corpus.

    A model's name comes from its folder's files and is not to be a path.

    Args:
        model_name: of :func:`shown_name`.
        description: the ``data`` entry of ``metrics.json``.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model_name).strip("-.") or "model"
    at_home = description.get("trained_on_this_corpus", False)
    return name if at_home else f"{name}-on-{description.get('slug') or description['name']}"


def folder_if_worse(place: Path) -> Path:
    """Return the folder of a report that failed the regression gate: beside the one that stays in place."""
    return place.with_name(f"{place.name}-worse")


def failed_the_gate(folder: Path) -> bool:
    """Say whether a folder holds a report that failed the regression gate."""
    try:
        return read_json(folder / MANIFEST_NAME, "").get(FAILED_GATE) is True
    except SentimentError:
        return False


def require_failed_report(folder: Path) -> None:
    """Check, before anything is scored, that a report which fails the gate will take the place of such a one alone.

    Raises:
        SentimentError: something else stands there, such as the report of a model whose name ends so.
    """
    if (folder / MANIFEST_NAME).is_file() and not failed_the_gate(folder):
        raise SentimentError(
            f"{folder}: stands where this report goes if it fails the gate, and is no such report; move it away"
        )


def weights_of(metrics: Path) -> str | None:
    """Return the SHA-256 of the weights that a ``metrics.json`` is about; None where it does not say."""
    try:
        weights = read_json(metrics, "")["model"]["weights_sha256"]
    except (SentimentError, KeyError, TypeError):
        return None
    return weights if isinstance(weights, str) else None


def report_of_model(reports_folder: Path, model_folder: Path) -> Path:
    """Return the folder of the report of a model: by its weights, for a name may be that of another model too.

    Args:
        reports_folder: holds the reports.
        model_folder: holds the model.

    Raises:
        SentimentError: there is none, or there are several and none of them is on the model's own corpus.
    """
    config = read_json(model_folder / CONFIG_NAME, "train the model again")
    weights = (config.get("files") or {}).get(WEIGHTS_NAME)
    every = sorted(reports_folder.glob(f"*/{METRICS_NAME}"))
    found = [path.parent for path in every if weights is not None and weights_of(path) == weights]
    usual = report_name(shown_name(str(config.get("name")), config), AT_HOME)
    at_home = [folder for folder in found if folder.name == usual]
    if len(at_home or found) == 1:
        return (at_home or found)[0]
    if found:
        names = ", ".join(folder.name for folder in found)
        raise SentimentError(f"{model_folder}: several reports of this model in {reports_folder} ({names}); name one")
    raise SentimentError(
        f"{model_folder}: no report of these weights in {reports_folder}; run `sentiment evaluate [FILE] "
        f"--model {model_folder}` first"
    )


def find_report(reports_folder: Path, name: str) -> Path:
    """Return the folder of the report that a name stands for.

    Args:
        reports_folder: holds the reports.
        name: a report's folder or a file in it, the name of one in ``reports_folder``, or the model folder that it is
            the report of.

    Raises:
        UsageError: the name is empty.
        SentimentError: there is none; the message says how to get one.
    """
    there = ", ".join(sorted(path.parent.name for path in reports_folder.glob(f"*/{METRICS_NAME}"))) or "none"
    if not name.strip():
        raise UsageError(f"the name of a report is empty; in {reports_folder}: {there}")
    if Path(name).name in FILES_OF_A_REPORT:
        name = str(Path(name).parent)
    for folder in (Path(name), reports_folder / name):
        if (folder / METRICS_NAME).is_file():
            return folder
        if (folder / COMPARISON_NAME).is_file():
            raise SentimentError(f"{name}: a comparison; name one of its two reports; in {reports_folder}: {there}")
    if (Path(name) / CONFIG_NAME).is_file():
        return report_of_model(reports_folder, Path(name))
    fault = f"a folder without a report (no {METRICS_NAME})" if Path(name).is_dir() else "no report of that name"
    raise SentimentError(f"{name}: {fault}; in {reports_folder}: {there}; {how_to_get_a_report(Path(name).name)}")


def how_to_get_a_report(name: str) -> str:
    """Return the advice for a report that is not there; one on a labelled file has ``-on-`` in its name."""
    on_a_file = "`sentiment evaluate FILE --model MODEL` makes one on a labelled file"
    if "-on-" in name:
        return on_a_file
    return f"{on_a_file}, and without FILE on the test split of the model's corpus"
