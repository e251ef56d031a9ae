"""What the pages share: their templates, and the policy that lets a browser run nothing but what stands in them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.report.numbers import flattened
from pipeline.report.readable_text import shortened
from pipeline.report.robustness_verdict import robustness_verdict
from pipeline.report.verdict import LEAST_REVIEWS, against_all, band_honesty

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


@cache
def templates() -> Environment:
    """Return the environment of the templates, which are compiled once."""
    environment = Environment(
        loader=PackageLoader("pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(flattened=flattened, shortened=shortened, robustness_verdict=robustness_verdict)
    environment.globals.update(against_all=against_all, band_honesty=band_honesty, least_reviews=LEAST_REVIEWS)
    return environment
