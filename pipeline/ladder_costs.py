"""What a model took to train: its own run, and whatever it started from or learnt from.

CPU time is taken as wall time x threads x processes: the most that the threads can have used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline.artifacts import MANIFEST_NAME, read_json
from pipeline.inference import CONFIG_NAME

NB_SVM_TEACHER = "NB-SVM"
"""How the manifest of a teacher's labels names the linear model among the teachers."""


@dataclass(frozen=True)
class Cost:
    """One run that had to be paid for.

    Attributes:
        what: ``training``, ``encoder``, ``teacher`` or ``labels``.
        name: of the model, the encoder or the labels.
        seconds: wall time; None where it is not recorded here.
        threads: that could run at a time, over all processes.
        device: ``cpu``, or where else it ran.
        source: the file that says so, or what measured it.
    """

    what: str
    name: str
    seconds: float | None
    threads: float = 1
    device: str = "cpu"
    source: str = ""

    @property
    def on_cpu(self) -> bool:
        """Say whether it ran on the processor."""
        return self.device.startswith("cpu")

    def entry(self) -> dict[str, Any]:
        """Return the cost as kept in ``ladder.json``."""
        minutes = None if self.seconds is None else self.seconds / 60
        return {
            "what": self.what,
            "name": self.name,
            "device": self.device,
            "threads": self.threads,
            "minutes": minutes,
            "cpu_minutes": minutes * self.threads if minutes is not None and self.on_cpu else None,
            "source": self.source,
        }


def training_cost(what: str, name: str, training: Mapping[str, Any] | None, source: str) -> Cost:
    """Return the cost of a training run from the ``training`` entry of ``config.json`` or ``metrics.json``."""
    training = training or {}
    threads = float(training.get("threads") or 1) * float(training.get("processes") or 1)
    return Cost(what, name, training.get("seconds"), threads, str(training.get("device") or "cpu"), source)


def encoder_cost(data_folder: Path, name: str) -> Cost:
    """Return the cost of a pretrained encoder; each of its directions has a thread of its own."""
    source = f"encoders/{name}/{MANIFEST_NAME}"
    if not (data_folder / source).is_file():
        return Cost("encoder", name, None, source=source)
    manifest = read_json(data_folder / source, f"run `sentiment pretrain --name {name}` again")
    directions = 2 if manifest.get("settings", {}).get("bidirectional") else 1
    device = str(manifest.get("device") or "cpu")
    return Cost("encoder", name, manifest.get("seconds"), float(manifest.get("threads") or directions), device, source)


@dataclass
class Bill:
    """Adds up what runs have in common once: an encoder that two teachers started from was paid for once.

    Attributes:
        data_folder: what the stages leave, with ``encoders``, ``teachers`` and ``models``.
        models: what is known of models whose folder may not be here, by name: the ``model`` entry of ``metrics.json``.
        nb_svm: the cost of NB-SVM, as measured.
        paid: the costs so far, in the order they were met.
        met: labels that were looked at.
    """

    data_folder: Path
    models: Mapping[str, Mapping[str, Any]]
    nb_svm: Cost
    paid: dict[tuple[str, str], Cost] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def add_origins(self, recipe: Mapping[str, Any]) -> None:
        """Add the costs of what a recipe starts from and learns from."""
        encoder = recipe.get("model", {}).get("encoder")
        if encoder:
            self.paid.setdefault(("encoder", encoder), encoder_cost(self.data_folder, encoder))
        labels = recipe.get("training", {}).get("teacher")
        if labels and labels not in self.met:
            self.met.add(labels)
            self._add_labels(labels)

    def _add_labels(self, name: str) -> None:
        source = f"teachers/{name}/{MANIFEST_NAME}"
        there = (self.data_folder / source).is_file()
        manifest = read_json(self.data_folder / source, f"run `sentiment teach --name {name}` again") if there else {}
        if not there or manifest.get("seconds") is not None:  # manifests that do not say how long it took count nothing
            threads = float(manifest.get("threads") or 1)
            self.paid["labels", name] = Cost("labels", name, manifest.get("seconds"), threads, source=source)
        for teacher in manifest.get("teachers", ()):
            self._add_teacher(str(teacher))

    def _add_teacher(self, name: str) -> None:
        if ("teacher", name) in self.paid:
            return
        if name == NB_SVM_TEACHER:
            self.paid["teacher", name] = self.nb_svm
            return
        source = f"models/{name}/{CONFIG_NAME}"
        if (self.data_folder / source).is_file():
            config: Mapping[str, Any] = read_json(self.data_folder / source, "train again")
        else:
            config, source = self.models.get(name, {}), "metrics.json"
        self.paid["teacher", name] = training_cost("teacher", name, config.get("training"), source)
        self.add_origins(config.get("recipe") or {})


def summed(costs: Sequence[Cost]) -> dict[str, Any]:
    """Return the sum of costs: ``minutes`` and ``cpu_minutes`` of those on the processor, ``other_minutes`` elsewhere.

    ``complete`` says whether all are known; the sums are of those that are.
    """
    entries = [(cost, cost.seconds / 60) for cost in costs if cost.seconds is not None]
    return {
        "minutes": sum(minutes for _, minutes in entries),
        "cpu_minutes": sum(minutes * cost.threads for cost, minutes in entries if cost.on_cpu),
        "other_minutes": sum(minutes for cost, minutes in entries if not cost.on_cpu),
        "complete": len(entries) == len(costs),
    }


def cost_entry(own: Sequence[Cost], before: Sequence[Cost]) -> dict[str, Any]:
    """Return the ``cost`` entry of a rung: ``own`` (the mean of its runs), ``before`` (once), ``in_all``, ``parts``."""
    each = [summed([cost]) for cost in own]
    names = ("minutes", "cpu_minutes", "other_minutes")
    mean: dict[str, Any] = {name: fmean(entry[name] for entry in each) for name in names}
    mean["complete"] = all(entry["complete"] for entry in each)
    origins = summed(before)
    in_all = {name: mean[name] + origins[name] for name in names}
    return {
        "own": mean,
        "before": origins if before else None,
        "in_all": {**in_all, "complete": mean["complete"] and origins["complete"]},
        "parts": [cost.entry() for cost in [*own, *before]],
    }
