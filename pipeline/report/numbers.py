"""Figures of ``metrics.json`` as the page writes them: looked up by key, so that the page cannot say anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from markupsafe import Markup

FORMATS: Mapping[str, Callable[[Any], str]] = {
    "percent": lambda value: f"{value:.2%}",
    "count": lambda value: f"{value:,}",
    "decimal": lambda value: f"{value:.4f}",
    "p_value": lambda value: "< 0.0001" if value < 0.0001 else f"{value:.4f}",
    "points": lambda value: f"{100 * value:+.2f}",
    "signed": lambda value: f"{value:+.4f}",
    "short": lambda value: f"{value:,.4g}",
}


class Numbers:
    """Looks figures up in ``metrics.json`` for the page, so that the page cannot say anything else."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._metrics = metrics

    def value(self, key: str) -> Any:
        """Return the value at a dotted key; a number in it is a position in a list."""
        value: Any = self._metrics
        for part in key.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value

    def show(self, key: str, form: str) -> Markup:
        """Return a figure as a ``<data>`` element that names its key and carries the full value."""
        value = self.value(key)
        if value is None:
            return Markup('<span class="none" title="undefined here">&ndash;</span>')
        return Markup('<data data-key="{}" value="{}">{}</data>').format(key, repr(value), FORMATS[form](value))

    def interval(self, key: str) -> Markup:
        """Return a proportion's interval as "low to high" in percent."""
        if self.value(key) is None:
            return Markup('<span class="none">&ndash;</span>')
        return Markup('<span class="interval">{} to {}</span>').format(
            self.show(f"{key}.0", "percent"), self.show(f"{key}.1", "percent")
        )


def flattened(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the entries of nested settings or findings as (name, text), in their order."""
    for key, entry in value.items():
        name = prefix + str(key).replace("_", " ").replace("|", " and ")
        if isinstance(entry, Mapping):
            yield from flattened(entry, f"{name}, ")
        elif isinstance(entry, bool) or entry is None:
            yield name, {True: "yes", False: "no", None: "-"}[entry]
        elif isinstance(entry, int):
            yield name, f"{entry:,}" if abs(entry) >= 10_000 else str(entry)
        elif isinstance(entry, float):
            yield name, f"{entry:.6g}"
        elif isinstance(entry, list | tuple):
            if len(entry) <= 12 and not any(isinstance(item, Mapping) for item in entry):
                yield name, ", ".join(map(str, entry))
        else:
            yield name, str(entry)
