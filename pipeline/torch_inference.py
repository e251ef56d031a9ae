"""The network through torch: what scores where there is no compiled kernel, and what training validates with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.batches import batches_by_length
from pipeline.config import ModelSettings
from pipeline.model import SentimentClassifier
from pipeline.padding import pad

MAX_TOKENS_PER_BATCH = 16_384
"""Reviews x longest review. Larger batches gain little on a CPU and cost memory."""


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


class TorchClassifier:
    """The network for scoring, on the best device; the same interface as :class:`pipeline.folded.FoldedClassifier`.

    Attributes:
        classifier: the module, in evaluation mode.
        device: where it lies.
    """

    def __init__(self, classifier: SentimentClassifier, device: torch.device) -> None:
        self.classifier = classifier.to(device).eval()
        self.device = device

    @classmethod
    def from_weights(cls, weights: Mapping[str, NDArray[Any]], settings: ModelSettings) -> TorchClassifier:
        """Build the network from the arrays of ``model.safetensors``, by name."""
        vocabulary_size, embedding_size = weights["embedding.weight"].shape
        classifier = SentimentClassifier(vocabulary_size, embedding_size, settings)
        classifier.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
        return cls(classifier, best_device())

    def logits(
        self, sequences: Sequence[NDArray[np.int32]], on_batch: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return the logits of reviews, float32, (N,), in the order given."""
        return compute_logits(self.classifier, sequences, self.device, on_batch)
