"""A trained model as its users see it: texts in, probabilities out. Holds no training code, and imports torch only
where there is no compiled kernel.

A model folder is verified when it is loaded: format, weights and vocabulary must be those that ``config.json`` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from pipeline.artifacts import read_json, sha256_of_file, sha256_of_text, to_json
from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.compact_weights import widened
from pipeline.config import ModelSettings, recipe_from_dict
from pipeline.errors import SentimentError
from pipeline.folded import FoldedClassifier, folded_available, obstacle
from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.overlap import StopCheck, overlapped, threads_beside
from pipeline.scoring.reading_notes import Reading, ReadingNotes
from pipeline.special_tokens import UNKNOWN_ID
from pipeline.weight_shapes import misfit
from pipeline.word_fallbacks import id_lookup

MODEL_FORMAT = 1
WEIGHTS_NAME = "model.safetensors"
VOCABULARY_NAME = "vocabulary.txt"
CONFIG_NAME = "config.json"
LAST_TRAINED_NAME = "last-trained.txt"
BUNDLED_FOLDER = Path(__file__).parent / "bundled"
"""Holds the model that comes with the package, in a folder of its name; need not be there."""
TEXTS_PER_WINDOW = 256
"""Go through the network together where many are scored: enough for batches of like length, few enough that all cores
have work from the start to the end."""
WINDOWS_UNDER_WAY = 16
PLAIN_CHUNKS = 20_000
"""Remembered of texts that look strange; a file of the model's own language has few."""

Encoded = Sequence[NDArray[np.int32]]
"""The token ids of several texts."""


class Network(Protocol):
    """What turns token ids into logits."""

    def logits(self, sequences: Encoded, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """Return the logits, float32, (N,), in the order given; none depends on the others."""


def sigmoid(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Return the calibrated probabilities of the positive class: 1 / (1 + exp(-logit / temperature)).

    Args:
        logits: (N,).
        temperature: of Guo et al. 2017; 1 leaves the logits as they are.

    Returns:
        float64, (N,).
    """
    scaled = np.clip(logits.astype(np.float64) / temperature, -700, 700)  # exp overflows float64 beyond
    return np.asarray(1.0 / (1.0 + np.exp(-scaled)), dtype=np.float64)


def network_from(weights: Mapping[str, NDArray[Any]], settings: ModelSettings, precision: str) -> tuple[Network, int]:
    """Return the network, and how many threads beside the calling one may run it at a time.

    It is the compiled one where the kernels are, else torch's, which shares its work among threads by itself.

    Args:
        weights: the arrays of ``model.safetensors``, by name.
        settings: of the network.
        precision: one of :data:`pipeline.scoring_precision.PRECISIONS`; torch computes in float32 whatever it is.
    """
    if folded_available(settings):
        return FoldedClassifier.from_weights(weights, settings, precision, threads=1), threads_beside()
    from pipeline.torch_inference import TorchClassifier

    return TorchClassifier.from_weights(weights, settings), 0


def settings_of(config: Mapping[str, Any]) -> ModelSettings:
    """Return the settings of the network that a ``config.json`` describes."""
    recipe = config["recipe"]
    values = {"model": recipe["model"], "training": recipe["training"]}
    return recipe_from_dict(values, recipe["name"], CONFIG_NAME).model


class SentimentModel:
    """A trained classifier with its vocabulary, tokenizer and temperature; made by :meth:`load`.

    Attributes:
        name: the model folder's name.
        config: the content of ``config.json``.
        temperature: divides the logits before the sigmoid.
        threads: how many threads beside the calling one may run :meth:`probabilities_of` at a time.
        network: turns token ids into logits.
        notice: what the user is to know of how fast it runs; empty where it runs as it should.
    """

    def __init__(self, network: Network, threads: int, forms: Sequence[str], config: dict[str, Any]) -> None:
        self.name: str = config["name"]
        self.config = config
        self.temperature = float(config["temperature"])
        self.threads = threads
        settings = settings_of(config)
        reason = obstacle(settings)
        self.notice = f"{reason}; torch runs the network, slower" if reason else ""
        self.network = network
        self._max_tokens = int(config["recipe"]["model"]["max_tokens"])
        self._forms = forms
        self._unknown_words = settings.unknown_words
        self._token_id_of_form = {form: token_id for token_id, form in enumerate(forms) if token_id > UNKNOWN_ID}
        self._tokenizer = ChunkTokenizer(id_lookup(self._token_id_of_form, settings.unknown_words))

    @property
    def fingerprint(self) -> str:
        """Changes with whatever the model answers: weights, vocabulary, temperature and precision of scoring."""
        return sha256_of_text(to_json(self.config))

    @classmethod
    def load(cls, folder: Path) -> SentimentModel:
        """Load and verify a model folder.

        Raises:
            SentimentError: a file is missing, damaged, changed since training, or of another format version.
        """
        config = read_json(folder / CONFIG_NAME, "give a model folder that `sentiment train` wrote")
        if config.get("format") != MODEL_FORMAT:
            raise SentimentError(
                f"{folder / CONFIG_NAME}: format {config.get('format')!r} is not {MODEL_FORMAT}; train again"
            )
        for name in (WEIGHTS_NAME, VOCABULARY_NAME):
            verify_file(folder / name, config["files"].get(name))
        forms = (folder / VOCABULARY_NAME).read_text(encoding="utf-8").removesuffix("\n").split("\n")
        settings = settings_of(config)
        try:
            weights = widened(load_file(folder / WEIGHTS_NAME))
        except (SafetensorError, OSError, TypeError) as error:  # TypeError: a kind of number that NumPy lacks
            raise SentimentError(f"{folder / WEIGHTS_NAME}: not readable ({error}); train again") from error
        difference = misfit(weights, settings, len(forms))
        if difference:
            raise SentimentError(f"{folder / WEIGHTS_NAME}: not as {CONFIG_NAME} says ({difference}); train again")
        precision = config.get("scoring_precision", "float32")
        return cls(*network_from(weights, settings, precision), forms, config)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Return the token ids of each text, int32, cut to head and tail where the recipe says so."""
        return [
            cut_to_head_and_tail(token_ids, self._max_tokens) for token_ids in self._tokenizer.token_id_arrays(texts)
        ]

    def read(self, texts: Sequence[str]) -> Reading:
        """Return the token ids of each text as :meth:`encode` does, and what is worth knowing of how it was read."""
        sequences = self._tokenizer.token_id_arrays(texts)
        notes = self._reading_notes.of(texts, sequences)
        cut = [cut_to_head_and_tail(token_ids, self._max_tokens) for token_ids in sequences]
        return Reading(cut, notes, sum(len(kept) < len(whole) for kept, whole in zip(cut, sequences, strict=True)))

    @cached_property
    def _reading_notes(self) -> ReadingNotes:
        plain = ChunkTokenizer(id_lookup(self._token_id_of_form, "unk"), PLAIN_CHUNKS)
        return ReadingNotes(self._forms, None if self._unknown_words == "unk" else plain.token_id_arrays)

    def probabilities_of(
        self, sequences: Encoded, on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float64]:
        """Return the calibrated probabilities of encoded texts, float64, (N,); may run in several threads at a time."""
        return sigmoid(self.network.logits(sequences, on_batch), self.temperature)

    def logits_of(self, sequences: Encoded) -> NDArray[np.float32]:
        """Return the uncalibrated logits of token ids, float32, (N,), cut to head and tail where the recipe says so."""
        windows = (
            [cut_to_head_and_tail(ids, self._max_tokens) for ids in sequences[start : start + TEXTS_PER_WINDOW]]
            for start in range(0, len(sequences), TEXTS_PER_WINDOW)
        )
        return self._logits_of_windows(windows, None)

    def logits(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """Return the uncalibrated logits of texts, float32, (N,), in the order given.

        Args:
            texts: N texts.
            on_batch: told the number of texts as they are done.
        """
        return self._logits_of_windows(self._encoded(texts), on_batch)

    def _logits_of_windows(
        self, windows: Iterator[Encoded], on_batch: Callable[[int], None] | None
    ) -> NDArray[np.float32]:
        def work(sequences: Encoded, check: StopCheck) -> NDArray[np.float32]:
            return self.network.logits(sequences, check)

        logits = [np.empty(0, dtype=np.float32)]
        with closing(
            overlapped(windows, work, threads=self.threads, size_of=lambda _: 1, most=WINDOWS_UNDER_WAY)
        ) as results:
            for _, of_window in results:
                logits.append(of_window)
                if on_batch is not None:
                    on_batch(len(of_window))
        return np.concatenate(logits)

    def _encoded(self, texts: Sequence[str]) -> Iterator[Encoded]:
        for start in range(0, len(texts), TEXTS_PER_WINDOW):
            yield self.encode(texts[start : start + TEXTS_PER_WINDOW])

    def probabilities(
        self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float64]:
        """Return the calibrated probabilities of the positive class, float64, (N,), in the order given."""
        return sigmoid(self.logits(texts, on_batch=on_batch), self.temperature)


def verify_file(path: Path, expected_sha256: str | None) -> None:
    """Check that a file is the one that ``config.json`` names.

    Raises:
        SentimentError: it is missing or its content is another.
    """
    if not path.is_file():
        raise SentimentError(f"{path}: not found; the model folder is incomplete, train again or copy it whole")
    if sha256_of_file(path) != expected_sha256:
        raise SentimentError(f"{path}: changed since training (SHA-256 differs); restore it or train again")


def find_model(models_folder: Path, model: str | None, *, or_bundled: bool = False) -> Path:
    """Return the folder of the model to use: the one named, else the last one trained here.

    Args:
        models_folder: where ``train`` keeps its models.
        model: a model folder, or the name of one in ``models_folder`` or of the bundled one; None for the last trained.
        or_bundled: take the bundled one where none was trained here.

    Raises:
        SentimentError: there is none; the message says how to get one.
    """
    if model is not None:
        for folder in (Path(model), models_folder / model, BUNDLED_FOLDER / model):
            if (folder / CONFIG_NAME).is_file():
                return folder
        trained_here, carried = (
            ", ".join(sorted(path.parent.name for path in place.glob(f"*/{CONFIG_NAME}"))) or "none"
            for place in (models_folder, BUNDLED_FOLDER)
        )
        raise SentimentError(
            f"{model}: no model folder (no {CONFIG_NAME} in it); bundled: {carried}; trained here: {trained_here} "
            "(`make train` trains one)"
        )
    pointer = models_folder / LAST_TRAINED_NAME
    if pointer.is_file():
        folder = models_folder / pointer.read_text(encoding="utf-8").strip()
        if (folder / CONFIG_NAME).is_file():
            return folder
    complete = sorted(models_folder.glob(f"*/{CONFIG_NAME}"), key=lambda path: path.stat().st_mtime)
    if complete:  # the pointer is written just before its model is: a run that was killed in between leaves it ahead
        return complete[-1].parent
    bundled = sorted(BUNDLED_FOLDER.glob(f"*/{CONFIG_NAME}"))
    if or_bundled and bundled:
        return bundled[0].parent
    raise SentimentError(
        f"{models_folder}: no trained model; run `make train` first, or name a model folder with --model (make: MODEL=)"
    )


def shown(model_folder: Path) -> str:
    """Return a model folder as the console shows it: the bundled one by its name, others by their path."""
    if model_folder.parent == BUNDLED_FOLDER:
        return f"{model_folder.name}, bundled with the package (`make train` trains one here)"
    return str(model_folder)
