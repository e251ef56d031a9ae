"""The language model that a classifier can start from: embeddings and GRU of the classifier, a softmax beside them.

Each direction is a model of its own over the same table of embeddings, one that reads on and one that reads back
(Peters et al. 2018): a state is projected to the size of an embedding and compared with the embedding of each word
(Inan et al. 2017). Its weights carry the classifier's names, so that a classifier takes over what both have.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline.gru import GRULayer


class LanguageModel(nn.Module):
    """Embeddings, one layer of GRU in one direction or both, a projection for each direction, a bias for each word.

    Row ``END_ID`` of the table is what follows a review's last token; as an input it never occurs.

    Args:
        vocabulary_size: rows of the embedding table.
        embedding_size: size of a word vector.
        hidden_size: units of each direction.
        bidirectional: whether a second model reads each review from its end.
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.layers = nn.ModuleList([GRULayer(embedding_size, hidden_size, bidirectional)])
        self.projections = nn.ModuleList(
            nn.Linear(hidden_size, embedding_size, bias=False) for _ in range(1 + bidirectional)
        )
        self.output_bias = nn.Parameter(torch.zeros(vocabulary_size))

    def directions(self) -> list[nn.GRU]:
        """Return the GRU that reads on and, if there is one, the GRU that reads back."""
        layer = self.layers[0]
        assert isinstance(layer, GRULayer)
        return [layer.forward_gru] + ([] if layer.backward_gru is None else [layer.backward_gru])

    def heads(self) -> list[nn.Linear]:
        """Return the projection of each direction."""
        return [projection for projection in self.projections if isinstance(projection, nn.Linear)]

    def logits(self, states: Tensor, direction: int) -> Tensor:
        """Return the logits of every word, (N, V), from states of one direction, (N, H)."""
        projected = self.projections[direction](states)  # (N, E)
        return torch.addmm(self.output_bias, projected, self.embedding.weight.T)
