"""``report.html``: one file that holds all it shows.

Styles, scripts and pictures stand in it; it loads nothing, and its content security policy allows the styles and
scripts of ``templates/`` alone, by their SHA-256, so that nothing in a review or a file name can run. Every number on
it comes out of ``metrics.json``, most by their key (``<data data-key=...>``), what thresholds and scores mean from the
counts under ``all.thresholds``; but for the section on the ladder, which shows the ``ladder.json`` beside the reports
where there is one of the same data. The sections are ``templates/sections/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pipeline.report.error_browser import error_browser
from pipeline.report.evaluated import Evaluated
from pipeline.report.mistakes import most_confident_mistakes
from pipeline.report.numbers import Numbers
from pipeline.report.page_json import page_json
from pipeline.report.pictures import comparison, data_address
from pipeline.report.readable_text import printable
from pipeline.report.score_lookup import FEWEST_REVIEWS, WIDEST_INTERVAL, WIDEST_RANGE, score_rows
from pipeline.report.templates_of_pages import content_security_policy, template_text, templates
from pipeline.report.threshold_effects import abstention_rows, threshold_rows
from pipeline.report.verdict import verdict

STYLES = ("report.css", "controls.css")
SCRIPTS: tuple[str, ...] = (
    "page_data.js",
    "thresholds.js",
    "score_lookup.js",
    "marked_text.js",
    "review_card.js",
    "error_browser.js",
    "deep_links.js",
)
"""Files of ``templates/``, in the order in which they stand in the page."""


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
    numbers = Numbers(evaluated.metrics)
    styles, scripts = [template_text(name) for name in STYLES], [template_text(name) for name in SCRIPTS]
    entries = comparison(evaluated.metrics)
    counts, reviews = evaluated.metrics["all"]["thresholds"], error_browser(evaluated)
    template = templates().get_template("report.html.j2")
    text = template.render(
        metrics=evaluated.metrics,
        show=numbers.show,
        interval=numbers.interval,
        policy=content_security_policy(styles, scripts),
        styles=[Markup(text) for text in styles],
        scripts=[Markup(text) for text in scripts],
        page_data=page_json({"thresholds": counts, "errors": reviews}),
        threshold_rows=threshold_rows(counts),
        abstention_rows=abstention_rows(counts),
        score_rows=score_rows(counts),
        fewest_reviews=FEWEST_REVIEWS,
        widest_range=WIDEST_RANGE,
        widest_interval=WIDEST_INTERVAL,
        error_lists=reviews["lists"],
        error_slicings=reviews["slicings"],
        errors_explained=reviews["explained"],
        pictures=shown,
        ladder=ladder,
        entries=entries,
        verdict=verdict(evaluated.metrics, entries),
        mistakes=most_confident_mistakes(evaluated.data, evaluated.probabilities),
    )
    return printable(text)  # names of files and models too
