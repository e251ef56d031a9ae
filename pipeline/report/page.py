"""``report.html``: one file that holds all it shows.

Styles, scripts and pictures stand in it; it loads nothing, and its content security policy allows the styles and
scripts of ``templates/`` alone, by their SHA-256, so that nothing in a review or a file name can run. Every number on
it comes out of ``metrics.json`` by its key (``<data data-key=...>``), but for the section on the ladder, which shows
the ``ladder.json`` beside the reports where there is one of the same data. The sections are ``templates/sections/``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.report.evaluated import Evaluated
from pipeline.report.mistakes import most_confident_mistakes
from pipeline.report.numbers import Numbers, flattened
from pipeline.report.pictures import comparison, data_address

STYLES = ("report.css",)
SCRIPTS: tuple[str, ...] = ()
"""Files of ``templates/``, in the order in which they stand in the page."""
NOTHING = "'none'"


def template_text(name: str) -> str:
    """Return the text of a style or script."""
    return resources.files("pipeline.report").joinpath(f"templates/{name}").read_text(encoding="utf-8")


def source_hash(text: str) -> str:
    """Return how a content security policy names an inline style or script of this text (CSP 3, hash-source)."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def content_security_policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Return the policy that allows these inline styles and scripts, pictures from ``data:``, and nothing else."""
    named = {"style-src": styles, "script-src": scripts}
    inline = [f"{name} {' '.join(map(source_hash, texts)) if texts else NOTHING}" for name, texts in named.items()]
    closed = [f"{name} {NOTHING}" for name in ("default-src", "base-uri", "form-action")]
    return "; ".join([*closed, "img-src data:", *inline])


def page_json(value: Any) -> Markup:
    """Return a value as JSON that may stand inside a ``<script type="application/json">``, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def page(evaluated: Evaluated, shown: Mapping[str, Mapping[str, Any]], ladder: Mapping[str, Any] | None = None) -> str:
    """Return ``report.html``.

    Args:
        evaluated: what to show.
        shown: pictures by name, each with ``alt, light, dark`` (addresses).
        ladder: what :func:`pipeline.ladder_section.ladder_section` returns.
    """
    if ladder is not None:
        addresses = {name: data_address(ladder[name], "image/svg+xml") for name in ("light", "dark")}
        shown = {**shown, "ladder": {"alt": ladder["alt"], **addresses}}
    environment = Environment(
        loader=PackageLoader("pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    numbers = Numbers(evaluated.metrics)
    environment.globals.update(show=numbers.show, interval=numbers.interval, flattened=flattened)
    styles, scripts = [template_text(name) for name in STYLES], [template_text(name) for name in SCRIPTS]
    entries = comparison(evaluated.metrics)
    return environment.get_template("report.html.j2").render(
        metrics=evaluated.metrics,
        policy=content_security_policy(styles, scripts),
        styles=[Markup(text) for text in styles],
        scripts=[Markup(text) for text in scripts],
        page_data=page_json({"thresholds": evaluated.metrics["all"]["thresholds"]}),
        pictures=shown,
        ladder=ladder,
        entries=entries,
        best_baseline=next((entry for entry in entries if not entry["is_model"]), None),
        mistakes=most_confident_mistakes(evaluated.data, evaluated.probabilities),
    )
