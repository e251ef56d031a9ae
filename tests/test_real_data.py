"""Promises that only the real reviews can show; skipped without SENTIMENT_IMDB and SENTIMENT_GLOVE."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import spacy

from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.review_text import HTML_BREAK

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def imdb() -> Path:
    if "SENTIMENT_IMDB" not in os.environ:
        pytest.skip("SENTIMENT_IMDB names no folder of IMDb")
    return Path(os.environ["SENTIMENT_IMDB"])


@pytest.mark.parametrize(("split", "documented"), [("train", 3), ("test", 2), ("unsupervised", 2)])
def test_tokens_are_those_of_spacy_but_for_rare_emoticons(imdb: Path, split: str, documented: int) -> None:
    (path,) = (imdb / "plain_text").glob(f"{split}-*.parquet")
    texts = pq.read_table(path)["text"].to_pylist()
    language = spacy.blank("en")
    different = 0
    for text, tokens in zip(texts, ChunkTokenizer(str)(texts), strict=True):
        with language.memory_zone():
            expected = [token.lower_ for token in language.tokenizer(HTML_BREAK.sub(" ", text)) if not token.is_space]
        different += tokens != expected
    assert different == documented
