"""Why a review was called what it was: the words that pushed the decision most, each with its sign.

A word's push is what it adds to the calibrated logit, log(p / (1 - p)), above what an unknown word in its place would
add: + towards positive, - towards negative. A push of 1 multiplies the odds by e. All of a review's tokens of one
spelling, whatever their case, count as one word, and their pushes are added. How it is computed:
:mod:`pipeline.scoring.integrated_gradients`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SentimentError
from pipeline.folded import FoldedClassifier
from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.inference import Encoded, SentimentModel, settings_of
from pipeline.scoring.integrated_gradients import CompiledTokenPushes, Pushes, TokenPushes
from pipeline.scoring.words_in_place import WordReader

SMALLEST_PUSH = 0.005
"""Smaller ones would be written as zero. An unknown word's is zero: the model reads nothing in it."""


@dataclass(frozen=True, slots=True)
class WordPush:
    """A word as the review has it where it first stands, and its push."""

    word: str
    push: float


class Explainer:
    """Names the words that pushed a model's decisions; several threads may call it at a time.

    Args:
        model: whose decisions they are.
    """

    def __init__(self, model: SentimentModel) -> None:
        self._model = model
        self._max_tokens = settings_of(model.config).max_tokens
        self._reader = WordReader()
        self._token_pushes = token_pushes_of(model)

    def explain(
        self, texts: Sequence[str], count: int, check: Callable[[int], None] | None = None
    ) -> list[list[WordPush]]:
        """Return of each text the words that pushed most, the strongest first; none depends on the other texts.

        Args:
            texts: N texts. Of one that is cut for its length only the words count that the model reads.
            count: of words at most; a text has fewer where fewer push at all.
            check: told the number of texts now and then; its exceptions go through.
        """
        sequences = self._model.encode(texts)
        pushes = self._token_pushes(sequences, check)
        return [
            strongest(self._words_read(text, len(of_tokens)), of_tokens.tolist(), count)
            for text, of_tokens in zip(texts, self._calibrated(pushes), strict=True)
        ]

    def pushes_in_place(self, text: str) -> list[tuple[int, int, float]]:
        """Return where each word that the model reads starts and ends in a text, and the push of that one place."""
        sequences: Encoded = self._model.encode([text])
        (pushes,) = self._calibrated(self._token_pushes(sequences))
        spans = self._reader.spans(text)
        places = self._places_read(len(spans), len(pushes))
        return [(*spans[place], push) for place, push in zip(places, pushes.tolist(), strict=True)]

    def _calibrated(self, pushes: Pushes) -> Pushes:
        return [of_tokens / np.float32(self._model.temperature) for of_tokens in pushes]

    def _words_read(self, text: str, tokens: int) -> list[str]:
        words = self._reader.words(text)
        return words if len(words) == tokens else [words[place] for place in self._places_read(len(words), tokens)]

    def _places_read(self, words: int, tokens: int) -> list[int]:
        """Return which of a text's words the model reads.

        Raises:
            SentimentError: words and tokens do not correspond.
        """
        places = cut_to_head_and_tail(np.arange(words, dtype=np.int32), self._max_tokens)
        if len(places) != tokens:
            raise SentimentError(
                f"a text of {words} words has {tokens} tokens, which is an error of this program; score without "
                "--explain, and please report it"
            )
        kept: list[int] = places.tolist()
        return kept


def token_pushes_of(model: SentimentModel) -> TokenPushes:
    """Return what gives the pushes of tokens: the kernels where they score, else torch."""
    network = model.network
    if isinstance(network, FoldedClassifier):
        return CompiledTokenPushes(network)
    from pipeline.scoring.torch_gradients import TorchTokenPushes
    from pipeline.torch_inference import TorchClassifier

    assert isinstance(network, TorchClassifier)
    return TorchTokenPushes(network)


def strongest(words: Sequence[str], pushes: Sequence[float], count: int) -> list[WordPush]:
    """Return the words with the largest pushes, those of one spelling added up; of equal ones the first comes first.

    Args:
        words: of a text, in order.
        pushes: of each.
        count: how many words to return at most.
    """
    spelling: dict[str, str] = {}
    added: dict[str, float] = {}
    for word, push in zip(words, pushes, strict=True):
        form = word.lower()
        if form in added:
            added[form] += push
        else:
            spelling[form], added[form] = word, push
    felt = [(form, push) for form, push in added.items() if abs(push) >= SMALLEST_PUSH]
    felt.sort(key=lambda item: -abs(item[1]))
    return [WordPush(spelling[form], push) for form, push in felt[:count]]


def explanation_text(pushes: Sequence[WordPush]) -> str:
    """Return words and pushes on one line, as in ``wonderful +1.32; not -0.88``; empty for none.

    No word holds a blank, so the line cut at its blanks is word, push, word, push, whatever signs the words hold; each
    push but the last ends in ``;``.
    """
    return "; ".join(f"{word_push.word} {word_push.push:+.2f}" for word_push in pushes)
