"""What a benchmark measured: values of several repeats, findings made of their medians, and what failed."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.errors import SentimentError

_FOLDERS_OF_A_PATH = re.compile(r"(?<![\w.:/])(?:file://)?/(?:[^\s/'\",;()]+/)+")


@dataclass(frozen=True)
class Measure:
    """One quantity, a value for each repeat."""

    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the repeats; of an even number the mean of the middle two."""
        return statistics.median(self.values)

    def to_dict(self) -> dict[str, Any]:
        """Return unit, values, median and the spread for the JSON file."""
        return {
            "unit": self.unit,
            "values": list(self.values),
            "repeats": len(self.values),
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
        }


@dataclass(frozen=True)
class Goal:
    """What a finding should reach."""

    direction: Literal[">=", "<="]
    value: float

    def met_by(self, value: float) -> bool:
        """Say whether a value reaches the goal."""
        return value >= self.value if self.direction == ">=" else value <= self.value

    def __str__(self) -> str:
        """Return the goal as it stands in a table."""
        return f"{self.direction} {self.value:g}"


@dataclass(frozen=True)
class Finding:
    """A headline: the median of one measure over that of another, or one measure by itself.

    Attributes:
        title: what is compared, for the reader.
        numerator: name of a measure.
        denominator: name of another, or None for the measure by itself.
        goal: what it should reach, where there is such a thing.
    """

    title: str
    numerator: str
    denominator: str | None = None
    goal: Goal | None = None


def ratio_spread(numerator: Measure, denominator: Measure) -> tuple[float, float] | None:
    """Return the least and the greatest ratio of one repeat's two values; None where repeats do not correspond."""
    if len(numerator.values) != len(denominator.values):
        return None
    ratios = [above / below for above, below in zip(numerator.values, denominator.values, strict=True)]
    return min(ratios), max(ratios)


def without_folders(text: str) -> str:
    """Return a text with each absolute path cut to its last part, so that no place of the machine is named."""
    return _FOLDERS_OF_A_PATH.sub("", text)


def one_line_reason(error: BaseException) -> str:
    """Return why something failed, on one line and without folders."""
    message = " ".join(str(error).split())
    kind = "" if isinstance(error, SentimentError) and message else f"{type(error).__name__}: "
    return without_folders(f"{kind}{message}")[:500]


@dataclass
class Section:
    """The results of one section.

    Attributes:
        name: as ``--only`` takes it.
        title: for the reader.
        measures: by name, which is read by people.
        findings: the headlines.
        failures: peer or part -> why it has no figure.
        notes: what was compared and how it was set up.
        details: anything else worth keeping in the JSON file.
        seconds: wall time of the section.
    """

    name: str
    title: str
    measures: dict[str, Measure] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, name: str, unit: str, values: Sequence[float]) -> None:
        """Keep a measure; one without values is left out, for its peer has failed."""
        if values:
            self.measures[name] = Measure(unit, tuple(float(value) for value in values))

    def find(self, title: str, numerator: str, denominator: str | None = None, goal: Goal | None = None) -> None:
        """Keep a headline; one whose measures are missing is kept too, and reported as not measured."""
        self.findings.append(Finding(title, numerator, denominator, goal))

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Note the failure of a peer in place of an exception, so that the others are still measured."""
        try:
            yield
        except Exception as error:
            self.failures[name] = one_line_reason(error)

    def describe_finding(self, finding: Finding) -> dict[str, Any]:
        """Return a headline with its value, computed from the medians; the value is None where one is missing."""
        numerator = self.measures.get(finding.numerator)
        denominator = None if finding.denominator is None else self.measures.get(finding.denominator)
        value, spread, unit = None, None, "x"
        if finding.denominator is None:
            if numerator is not None:
                value, spread, unit = numerator.median, (min(numerator.values), max(numerator.values)), numerator.unit
        elif numerator is not None and denominator is not None and denominator.median != 0:
            value, spread = numerator.median / denominator.median, ratio_spread(numerator, denominator)
        return {
            "section": self.name,
            "title": finding.title,
            "numerator": finding.numerator,
            "denominator": finding.denominator,
            "unit": unit,
            "value": value,
            "spread": None if spread is None else list(spread),
            "goal": None if finding.goal is None else str(finding.goal),
            "met": None if finding.goal is None or value is None else finding.goal.met_by(value),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the section for the JSON file."""
        return {
            "title": self.title,
            "seconds": round(self.seconds, 1),
            "measures": {name: measure.to_dict() for name, measure in self.measures.items()},
            "findings": [self.describe_finding(finding) for finding in self.findings],
            "failures": dict(self.failures),
            "notes": list(self.notes),
            "details": self.details,
        }
