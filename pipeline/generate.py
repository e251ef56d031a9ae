"""Samples reviews from the language model that ``sentiment pretrain`` left: a look at what it learnt.

The direction that reads on writes on: a word is drawn from its softmax over the whole vocabulary, read, and so on, one
step of the recurrence a word. ``<unk>`` is never drawn; the end of a review ends the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.console import Console
from pipeline.encoder import VOCABULARY_NAME, read_encoder_manifest, read_language_model
from pipeline.language_model import LanguageModel
from pipeline.readable_text import joined
from pipeline.review_streams import END_ID
from pipeline.special_tokens import UNKNOWN_ID
from pipeline.vocabulary import Vocabulary

SENTENCE_START = "."
"""An empty prompt stands for the start of a sentence: what may come after this."""


@dataclass(frozen=True)
class SamplingSettings:
    """How words are drawn.

    Attributes:
        tokens: the longest text, in tokens after the prompt.
        temperature: divides the logits, at least 0; below 1 likely words come more often, at 0 only the likeliest.
        top_p: share of probability, in (0, 1]; only the likeliest words that make it up are drawn (Holtzman et al.
            2020).
        seed: of the draws.
    """

    tokens: int = 100
    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 1


def word_probabilities(logits: NDArray[np.float32], temperature: float, top_p: float) -> NDArray[np.float64]:
    """Return the probability with which each word is drawn, float64, (V,); ``<unk>`` has none.

    Args:
        logits: (V,).
        temperature: see :class:`SamplingSettings`.
        top_p: likewise; the fewest words, likeliest first, whose probabilities sum to it or more.
    """
    allowed = logits.astype(np.float64)
    allowed[UNKNOWN_ID] = -np.inf
    if temperature == 0:
        return np.asarray(np.arange(len(allowed)) == allowed.argmax(), dtype=np.float64)
    with np.errstate(over="ignore"):  # so cold that all but the likeliest word vanish
        probabilities = np.exp((allowed - allowed.max()) / temperature)
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    sums = np.cumsum(probabilities[order])
    kept = order[: np.searchsorted(sums, top_p * sums[-1]) + 1]
    nucleus = np.zeros(len(probabilities), dtype=np.float64)
    nucleus[kept] = probabilities[kept] / probabilities[kept].sum()
    return nucleus


def drawn_from(probabilities: NDArray[np.float64], generator: np.random.Generator) -> int:
    """Draw a word."""
    sums = np.cumsum(probabilities)
    word = np.searchsorted(sums, generator.random() * sums[-1], side="right")
    return int(min(word, np.flatnonzero(probabilities)[-1]))  # rounding must not lead to a word without probability


class TextGenerator:
    """The language model with its vocabulary, for writing.

    Args:
        model: in which a direction reads on.
        vocabulary: whose token ids it reads.
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self.model, self.vocabulary = model.eval(), vocabulary
        self._tokenizer = ChunkTokenizer(str)

    @classmethod
    def load(cls, folder: Path) -> TextGenerator:
        """Read and verify an encoder's folder.

        Raises:
            SentimentError: it is missing or damaged.
        """
        manifest = read_encoder_manifest(folder)
        weights = read_language_model(folder, manifest)
        settings = manifest["settings"]
        words, size = weights["embedding.weight"].shape
        model = LanguageModel(words, size, settings["hidden_size"], bidirectional=settings["bidirectional"])
        model.load_state_dict(weights)
        return cls(model, Vocabulary.load(folder / VOCABULARY_NAME))

    def forms(self, prompt: str) -> list[str]:
        """Return the prompt's tokens."""
        return next(iter(self._tokenizer([prompt])))

    def unknown_words(self, prompt: str) -> list[str]:
        """Return those tokens of the prompt that the model reads as ``<unk>``, each once."""
        return list(dict.fromkeys(form for form in self.forms(prompt) if form not in self.vocabulary))

    @torch.inference_mode()
    def words_after(self, prompt: str, settings: SamplingSettings, index: int) -> list[str]:
        """Return the words of a text after the prompt; see :meth:`text`."""
        forms = self.forms(prompt)
        generator = np.random.default_rng([settings.seed, index])
        gru = self.model.directions()[0]
        state: Tensor | None = None  # (1, 1, H)
        read = self.vocabulary.token_ids(forms or [SENTENCE_START]).tolist()
        words: list[str] = []
        while len(words) < settings.tokens:
            states, state = gru(self.model.embedding(torch.tensor([read])), state)  # (1, T, H)
            logits = self.model.logits(states[0, -1:], 0)[0].numpy()  # (V,)
            if not forms and not words:
                logits[END_ID] = -np.inf  # nothing at all would be no text
            word = drawn_from(word_probabilities(logits, settings.temperature, settings.top_p), generator)
            if word == END_ID:
                break
            words.append(self.vocabulary.forms[word])
            read = [word]
        return words

    def text(self, prompt: str, settings: SamplingSettings, index: int = 0) -> str:
        """Return the prompt and what the model writes after it.

        Args:
            prompt: any text, also an empty one; kept as it is but for white space around it.
            settings: how to draw.
            index: of the text among those of a seed; none depends on the others.
        """
        prompt = prompt.strip()
        return joined(self.words_after(prompt, settings, index), prompt)


def generate_texts(
    folder: Path, prompt: str, settings: SamplingSettings, count: int, console: Console
) -> Iterator[str]:
    """Yield texts of a language model.

    Args:
        folder: what ``sentiment pretrain`` wrote.
        prompt: what each begins with.
        settings: how to draw.
        count: of texts.
        console: told which words of the prompt are unknown.

    Raises:
        SentimentError: the language model is missing or damaged.
    """
    generator = TextGenerator.load(folder)
    console.say(f"generate: language model {folder}")
    unknown = generator.unknown_words(prompt)
    if unknown:
        console.say(f"generate: not in its vocabulary: {', '.join(map(repr, unknown))}")
    for index in range(count):
        yield generator.text(prompt, settings, index)
