"""How far each token pushes the logit, by torch's own derivatives: where there is no compiled kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.batches import batches_by_length
from pipeline.padding import pad
from pipeline.scoring.integrated_gradients import SHARES_OF_THE_WAY, Pushes
from pipeline.special_tokens import UNKNOWN_ID
from pipeline.torch_inference import TorchClassifier

MAX_TOKENS_PER_BATCH = 16_384


class TorchTokenPushes:
    """The same as :class:`pipeline.scoring.integrated_gradients.CompiledTokenPushes`, in float32 on any device.

    Args:
        network: the scorer's.
    """

    def __init__(self, network: TorchClassifier) -> None:
        self._classifier = network.classifier
        self._device = network.device

    def __call__(self, sequences: Sequence[NDArray[np.int32]], check: Callable[[int], None] | None = None) -> Pushes:
        """Return the pushes of each text's tokens; see :class:`pipeline.scoring.integrated_gradients.TokenPushes`."""
        pushes: Pushes = [np.empty(0, dtype=np.float32)] * len(sequences)
        lengths = np.asarray([len(sequence) for sequence in sequences], dtype=np.int64)
        for rows in batches_by_length(lengths, MAX_TOKENS_PER_BATCH):
            of_batch = self._pushes_of_batch([sequences[row] for row in rows])  # (B, T)
            for place, row in enumerate(rows):
                pushes[row] = of_batch[place, : lengths[row]]
            if check is not None:
                check(len(rows))
        return pushes

    def _pushes_of_batch(self, sequences: Sequence[NDArray[np.int32]]) -> NDArray[np.float32]:
        classifier = self._classifier
        token_ids, lengths = (tensor.to(self._device) for tensor in pad(sequences))  # (B, T), (B,)
        table = classifier.embedding.weight.detach()
        unknown = table[UNKNOWN_ID]  # (E,)
        differences = table[token_ids] - unknown  # (B, T, E)
        gradients = torch.zeros_like(differences)
        for share in SHARES_OF_THE_WAY:
            embedded = (unknown + share * differences).requires_grad_()
            # cuDNN has no way back through a recurrence that is not being trained
            with torch.backends.cudnn.flags(enabled=False), torch.enable_grad():
                logits = classifier.of_embedded(embedded, lengths)
                gradients += torch.autograd.grad(logits.sum(), embedded)[0]
        pushes: NDArray[np.float32] = ((gradients * differences).sum(dim=2) / len(SHARES_OF_THE_WAY)).cpu().numpy()
        return pushes
