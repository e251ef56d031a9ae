"""Whether what the stages left was made from each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import SentimentError


def check_lineage(corpus: Mapping[str, Any], tokens: Mapping[str, Any], words: Mapping[str, Any] | None = None) -> None:
    """Refuse stages that were not made from each other.

    Args:
        corpus: manifest of the corpus.
        tokens: manifest of the tokens.
        words: manifest of the vocabulary, where it is used.

    Raises:
        SentimentError: naming the stage to run again.
    """
    if tokens["inputs"]["corpus"] != corpus["fingerprint"]:
        raise SentimentError("the tokens are of another corpus; run `sentiment tokens` (or `make tokens`) again")
    if words is not None and words["inputs"]["tokens"] != tokens["fingerprint"]:
        raise SentimentError("the vocabulary is of other tokens; run `sentiment vocab` (or `make vocab`) again")
