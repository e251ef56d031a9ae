"""The facts of the page's data card: what the reviews are, where from, how many, and what is not known of them.

It answers the questions of Gebru et al. 2021, "Datasheets for Datasets" (arXiv:1803.09010), as far as the source says
or a count shows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.audit import word_counts
from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.evaluation.wording import windows_of

Facts = dict[str, Any]

IMDB_LABELLED_REVIEWS = 50_000
PAPER = (
    "A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts: Learning Word Vectors for Sentiment Analysis. "
    "ACL 2011, pages 142-150"
)

IMDB: Mapping[str, Any] = {
    "title": "Large Movie Review Dataset (IMDb)",
    "summary": "Film reviews that users of IMDb wrote until 2011, at most 30 of one film. The class is the writer's "
    "own rating: 7 stars or more of 10 is positive, 4 or fewer negative. The films of train and test differ.",
    "citation": PAPER,
    "language": "English, as the paper says; not checked here",
    "limits": [
        "Ratings of 5 and 6 stars are left out: the test has no lukewarm reviews, and real ones are harder.",
        "Half of the reviews are positive. Where that is otherwise, precision and calibration are otherwise too.",
        "The class is the rating, not a reading of the text: some reviews are labelled against what they say.",
        "Films only, by people who chose to write on one site, until 2011: words change, and so do their meanings.",
    ],
    "unknown": ["Who wrote the reviews, and whether they agreed to this use.", "A licence: the archive names none."],
}
SAMPLE: Mapping[str, Any] = {
    "title": "Generated sample",
    "summary": "Sentences that a grammar of this package puts together, so that the pipeline can be tried in a minute. "
    "No person wrote them. The frames of the test sentences are not those of the training sentences.",
    "citation": None,
    "language": "English, by construction",
    "limits": ["The figures show that everything works. They say nothing about reviews that people wrote."],
    "unknown": [],
}
CORPUS: Mapping[str, Any] = {
    "title": "A corpus of your own",
    "summary": "Texts and classes as the source gives them.",
    "citation": None,
    "language": "not known; the model reads English",
    "limits": ["What the figures say holds for texts like these."],
    "unknown": [
        "Who wrote the texts, when and about what.",
        "How the classes were given, and how often they are wrong.",
    ],
}
FILE: Mapping[str, Any] = {
    **CORPUS,
    "title": "A labelled file",
    "unknown": [
        *CORPUS["unknown"],
        "Whether the model has seen some of these texts in training. If it has, the figures flatter.",
    ],
}


def is_imdb(description: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Say whether a corpus is taken for IMDb's: by its name, and by as many labelled reviews."""
    named = re.search("imdb", f"{description['name']} {manifest.get('source')}", flags=re.IGNORECASE)
    rows = manifest.get("rows", {})
    return bool(named) and rows.get("train", 0) + rows.get("test", 0) == IMDB_LABELLED_REVIEWS


def text_facts(texts: Sequence[str]) -> Facts:
    """Return ``words`` (white-space-separated, of a text) and ``repeated_rows`` (equal to an earlier text)."""
    lengths = np.zeros(len(texts), dtype=np.int64)
    digests = np.zeros(len(texts), dtype=np.int64)
    for window in windows_of(texts):
        batch = texts[window]
        lengths[window] = word_counts(pa.array(batch, pa.large_string()))
        digests[window] = [hash(text) for text in batch]
    return {
        "words": {
            "mean": round(float(lengths.mean()), 2),
            "median": float(np.median(lengths)),
            "percentile_95": round(float(np.percentile(lengths, 95)), 2),
            "longest": int(lengths.max()),
        },
        "repeated_rows": len(texts) - np.unique(digests).size,
    }


def data_card(data: LabelledTexts, manifest: Mapping[str, Any] | None) -> Facts:
    """Return the ``data_card`` entry of ``metrics.json``.

    Args:
        data: what was scored, at least one review.
        manifest: of the corpus; None for a labelled file.

    Returns:
        ``title, summary, citation, language, limits, unknown`` (what is known of such data), ``source``, ``split``,
        ``rows`` (of each split), ``rows_without_text``, ``scored`` (what was counted in the N reviews) and ``command``
        (that makes the corpus, or None).
    """
    description, known = data.description, FILE
    if manifest is not None:
        known = SAMPLE if description["sample"] else IMDB if is_imdb(description, manifest) else CORPUS
    manifest = manifest or {}
    blank = sum(manifest.get("blank_rows_left_out", {}).values()) or description.get("rows_without_text", 0)
    positive = int(data.labels.sum())
    return {
        **known,
        "source": description.get("source"),
        "split": description.get("split"),
        "rows": dict(manifest.get("rows", {})),
        "rows_without_text": blank,
        "scored": {
            "rows": len(data.texts),
            "negative": len(data.texts) - positive,
            "positive": positive,
            "rated": 0 if data.ratings is None else int((data.ratings >= 0).sum()),
            **text_facts(data.texts),
        },
        "command": data_command(description, manifest) if manifest else None,
    }


def data_command(description: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return the command that makes the corpus; of a local source it has the name alone."""
    settings = manifest.get("settings", {})
    source = "sample" if description["sample"] else description.get("source") or "SOURCE"
    words = ["sentiment", "data", "--source", source]
    for name in ("text_column", "label_column", "label_positive"):
        if settings.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(settings[name])]
    if settings.get("seed", 1) != 1:
        words += ["--seed", str(settings["seed"])]
    return shlex.join(words)
