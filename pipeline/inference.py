"""A trained model as its users see it: texts in, probabilities out. Holds no training code.

A model folder is verified when it is loaded: format, weights and vocabulary must be those that ``config.json`` names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline.artifacts import read_json, sha256_of_file
from pipeline.batches import batches_by_length, cut_to_head_and_tail, pad
from pipeline.config import recipe_from_dict
from pipeline.errors import SentimentError
from pipeline.model import SentimentClassifier
from pipeline.special_tokens import UNKNOWN_ID
from pipeline.tokens import ChunkTokenizer

MODEL_FORMAT = 1
WEIGHTS_NAME = "model.safetensors"
VOCABULARY_NAME = "vocabulary.txt"
CONFIG_NAME = "config.json"
LAST_TRAINED_NAME = "last-trained.txt"
MAX_TOKENS_PER_BATCH = 16_384
"""Reviews x longest review. Larger batches gain little on a CPU and cost memory."""


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


def best_device() -> torch.device:
    """Return the accelerator of this machine, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps") if torch.backends.mps.is_available() else torch.device("cpu")


def compute_logits(
    classifier: SentimentClassifier,
    sequences: Sequence[NDArray[np.int32]],
    device: torch.device,
    on_batch: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Return the logits of reviews, in the order given; no review's logit depends on the others.

    Args:
        classifier: in evaluation mode, on ``device``.
        sequences: N int32 arrays of token ids.
        device: where the classifier is.
        on_batch: told the number of reviews after each batch.

    Returns:
        float32, (N,).
    """
    logits = np.empty(len(sequences), dtype=np.float32)
    lengths = np.asarray([len(sequence) for sequence in sequences], dtype=np.int64)
    with torch.inference_mode():
        for batch in batches_by_length(lengths, MAX_TOKENS_PER_BATCH):
            token_ids, batch_lengths = pad([sequences[index] for index in batch])
            logits[batch] = classifier(token_ids.to(device), batch_lengths.to(device)).cpu().numpy()
            if on_batch is not None:
                on_batch(len(batch))
    return logits


class SentimentModel:
    """A trained classifier with its vocabulary, tokenizer and temperature; made by :meth:`load`.

    Attributes:
        name: the model folder's name.
        config: the content of ``config.json``.
        temperature: divides the logits before the sigmoid.
    """

    def __init__(
        self, classifier: SentimentClassifier, forms: Sequence[str], config: dict[str, Any], device: torch.device
    ) -> None:
        self.name: str = config["name"]
        self.config = config
        self.temperature = float(config["temperature"])
        self._classifier = classifier.to(device).eval()
        self._device = device
        token_id_of_form = {form: token_id for token_id, form in enumerate(forms) if token_id > UNKNOWN_ID}
        self._tokenizer = ChunkTokenizer(lambda form: token_id_of_form.get(form, UNKNOWN_ID))

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
        recipe = recipe_from_dict(
            {"model": config["recipe"]["model"], "training": config["recipe"]["training"]},
            config["recipe"]["name"],
            str(folder / CONFIG_NAME),
        )
        try:
            weights = load_file(folder / WEIGHTS_NAME)
        except (SafetensorError, OSError) as error:
            raise SentimentError(f"{folder / WEIGHTS_NAME}: not readable ({error}); train again") from error
        classifier = SentimentClassifier(len(forms), weights["embedding.weight"].shape[1], recipe.model)
        classifier.load_state_dict(weights)
        return cls(classifier, forms, config, best_device())

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return the token ids of each text, int32, cut to head and tail where the recipe says so."""
        max_tokens = int(self.config["recipe"]["model"]["max_tokens"])
        return [
            cut_to_head_and_tail(np.asarray(token_ids, dtype=np.int32), max_tokens)
            for token_ids in self._tokenizer(texts)
        ]

    def logits(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """Return the uncalibrated logits of texts, float32, (N,), in the order given."""
        return compute_logits(self._classifier, self.encode(texts), self._device, on_batch)

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


def find_model(models_folder: Path, model: str | None) -> Path:
    """Return the folder of the model to use: the one named, else the last one trained here.

    Args:
        models_folder: where ``train`` keeps its models.
        model: a model folder, or the name of one in ``models_folder``; None for the last trained.

    Raises:
        SentimentError: there is none; the message says how to get one.
    """
    if model is not None:
        for folder in (Path(model), models_folder / model):
            if (folder / CONFIG_NAME).is_file():
                return folder
        names = ", ".join(sorted(path.parent.name for path in models_folder.glob(f"*/{CONFIG_NAME}"))) or "none"
        raise SentimentError(f"{model}: no model folder (no {CONFIG_NAME} in it); trained here: {names}")
    pointer = models_folder / LAST_TRAINED_NAME
    if pointer.is_file():
        folder = models_folder / pointer.read_text(encoding="utf-8").strip()
        if (folder / CONFIG_NAME).is_file():
            return folder
    complete = sorted(models_folder.glob(f"*/{CONFIG_NAME}"), key=lambda path: path.stat().st_mtime)
    if complete:  # the pointer is written just before its model is: a run that was killed in between leaves it ahead
        return complete[-1].parent
    raise SentimentError(
        f"{models_folder}: no trained model; run `make train` first, or name a model folder with --model (make: MODEL=)"
    )
