"""Score a model on the probes: a small labelled set of our own, for what a test split of long film reviews hides.

The texts lie in ``probes/probes.csv`` and were written for it by hand, each with the label that a careful reader would
give it. They are for looking, not for choosing: a model that was tuned on them is no longer probed by them.
``GROUPS`` says what each group asks; ``probes.json`` is described at :func:`probe_model`.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts import exclusive, sha256_of_text, write_json_atomically
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.metrics import Labels, Probabilities, accuracy_summary, predictions, wilson_interval

SCHEMA_VERSION = 1
PROBES_NAME = "probes.json"
COLUMNS = ("id", "group", "pair", "text", "label")
CLASSES = ("negative", "positive")
GROUPS: Mapping[str, str] = {
    "short": "one sentence",
    "fragment": "two to five words",
    "negation": "praise by denying faults, blame by denying merits, double negation",
    "contrast": "a concession, and then the verdict",
    "edited": "pairs: a review, and the same with a few words changed so that it means the opposite",
    "products": "books, phones, shoes and other things people buy",
    "services": "restaurants, hotels, repairs, apps",
    "noisy": "misspellings, stretched letters, capitals, emoji, ratings in figures, slang",
    "long_turn": "five to eight sentences whose verdict overturns their opening",
}


class ProbeModel(Protocol):
    """What probing needs of a model; :class:`pipeline.inference.SentimentModel` has it."""

    name: str
    config: dict[str, Any]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the calibrated probabilities of the positive class, float64 (N,), in the order given."""
        ...


@dataclass(frozen=True)
class Probe:
    """One text.

    Attributes:
        id: names it.
        group: one of ``GROUPS``.
        pair: the same for both texts of a pair; empty where there is none.
        text: of one line.
        label: 1 positive, 0 negative.
    """

    id: str
    group: str
    pair: str
    text: str
    label: int


def probes_csv() -> str:
    """Return the table of the probes as it lies in the package."""
    return (resources.files("pipeline") / "probes" / "probes.csv").read_text(encoding="utf-8")


def read_probes(table: str) -> list[Probe]:
    """Read the table of the probes.

    Raises:
        SentimentError: it has other columns, or a row with an unknown group or label.
    """
    rows = csv.DictReader(io.StringIO(table, newline=""))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise SentimentError(f"probes.csv: its columns are not {', '.join(COLUMNS)}; install the package again")
    probes = []
    for row in rows:
        if row["group"] not in GROUPS or row["label"] not in CLASSES:
            raise SentimentError(f"probes.csv: line {rows.line_num} is damaged; install the package again")
        probes.append(Probe(row["id"], row["group"], row["pair"], row["text"], CLASSES.index(row["label"])))
    return probes


def pairs_summary(probes: Sequence[Probe], predicted: Labels) -> dict[str, Any] | None:
    """Return how many pairs there are, how many with both texts right, their share and its 95% interval.

    Args:
        probes: N of them.
        predicted: int8 (N,).

    Returns:
        None without pairs.
    """
    both: dict[str, bool] = {}
    for probe, label in zip(probes, predicted.tolist(), strict=True):
        if probe.pair:
            both[probe.pair] = both.get(probe.pair, True) and label == probe.label
    if not both:
        return None
    count = sum(both.values())
    return {
        "pairs": len(both),
        "both_right": count,
        "share": count / len(both),
        "share_interval": wilson_interval(count, len(both)),
    }


def group_summary(probes: Sequence[Probe], predicted: Labels) -> dict[str, Any]:
    """Return the figures of some probes: accuracy with interval, texts and right ones of each class.

    Args:
        probes: N of them.
        predicted: int8 (N,).
    """
    labels = np.array([probe.label for probe in probes], dtype=np.int8)
    right = predicted == labels
    classes = {
        name: {"rows": int((labels == label).sum()), "correct": int(right[labels == label].sum())}
        for label, name in enumerate(CLASSES)
    }
    return {**accuracy_summary(labels, predicted), "classes": classes}


def probe_summary(probes: Sequence[Probe], predicted: Labels) -> dict[str, Any]:
    """Return the figures of each group that has probes and of all of them, and the ids of the wrong ones."""
    groups = {}
    for group in GROUPS:
        places = [place for place, probe in enumerate(probes) if probe.group == group]
        if places:
            of_group, answers = [probes[place] for place in places], predicted[places]
            groups[group] = {**group_summary(of_group, answers), "pairs": pairs_summary(of_group, answers)}
    wrong = [probe.id for probe, label in zip(probes, predicted.tolist(), strict=True) if probe.label != label]
    return {"groups": groups, "all": group_summary(probes, predicted), "wrong": wrong}


def table_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return the table that the person reads: a heading, a line for each group, a line for all."""
    lines = [f"{'group':<10} {'texts':>5}  {'accuracy':>8}  {'95% interval':<16}  {'positive':>8}  {'negative':>8}"]
    for name, entry in [*summary["groups"].items(), ("all", summary["all"])]:
        low, high = entry["accuracy_interval"]
        line = f"{name:<10} {entry['rows']:>5}  {entry['accuracy']:>8.1%}  {f'{low:.1%} to {high:.1%}':<16}"
        for label in reversed(CLASSES):
            counts = entry["classes"][label]
            share = f"{counts['correct']}/{counts['rows']}"
            line += f"  {share:>8}"
        pairs = entry.get("pairs")
        if pairs is not None:
            low, high = pairs["share_interval"]
            line += f"  both of a pair: {pairs['both_right']}/{pairs['pairs']}, {pairs['share']:.1%}"
            line += f" ({low:.1%} to {high:.1%})"
        lines.append(line)
    return lines


def wrong_lines(probes: Sequence[Probe], probabilities: Probabilities) -> list[str]:
    """Return the wrong texts, tab-separated under a heading: id, label, probability of positive, text."""
    predicted = predictions(probabilities).tolist()
    return ["id\tlabel\tpositive_probability\ttext"] + [
        f"{probe.id}\t{CLASSES[probe.label]}\t{probability:.4f}\t{probe.text}"
        for probe, label, probability in zip(probes, predicted, probabilities.tolist(), strict=True)
        if label != probe.label
    ]


def report_folder_name(model_name: str) -> str:
    """Return the name of a model's folder of reports, as evaluation gives it: the model's, which is to be no path."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model_name).strip("-.") or "model"


def probe_model(model: ProbeModel, reports_folder: Path, console: Console, *, show: bool = False) -> dict[str, Any]:
    """Score the probes, print the table, and write ``reports_folder/<model>/probes.json``, whole or not at all.

    Args:
        model: the loaded model.
        reports_folder: receives the file.
        console: told the table.
        show: write the wrong texts to standard output, as :func:`wrong_lines` gives them.

    Returns:
        The content of ``probes.json``: ``model`` (name, weights), ``probes`` (fingerprint of the table), ``groups``
        (rows, correct, accuracy, accuracy_interval, classes, pairs), ``all`` (the same but pairs), ``wrong`` (ids).

    Raises:
        SentimentError: a probability is no number; the file cannot be written, or another run writes there.
    """
    table = probes_csv()
    probes = read_probes(table)
    console.say(f"probe: {model.name} on {len(probes)} texts of our own")
    probabilities = model.probabilities([probe.text for probe in probes])
    if not np.isfinite(probabilities).all():
        raise SentimentError(f"{model.name}: gives a score that is not a number; train the model again")
    result = {
        "schema_version": SCHEMA_VERSION,
        "model": {"name": model.name, "weights_sha256": model.config.get("files", {}).get("model.safetensors")},
        "probes": {"sha256": sha256_of_text(table), "rows": len(probes)},
        **probe_summary(probes, predictions(probabilities)),
    }
    suffix = "-compact" if "bundle" in model.config else ""  # as evaluation names the report of a compact copy
    path = reports_folder / (report_folder_name(model.name) + suffix) / PROBES_NAME
    with exclusive(path.parent):
        write_json_atomically(path, result)
    for line in table_lines(result):
        console.say(line)
    if show:
        sys.stdout.buffer.write(("\n".join(wrong_lines(probes, probabilities)) + "\n").encode("utf-8"))
        sys.stdout.flush()
    console.say(f"probe: figures in {path}")
    return result
