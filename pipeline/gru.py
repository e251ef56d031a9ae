"""A gated recurrent unit over padded batches, in both directions, without packing.

Padding stands after each review, so it can never reach the forward states of real tokens. The backward direction reads
each review reversed within its own length, which puts the padding behind again. The states at real tokens are those of
a packed ``nn.GRU``; what stands at padding is undefined and is masked by the pooling.

Source of the equations: Cho et al. 2014, with the reset gate applied after the recurrent product (the convention of
cuDNN and of ``torch.nn.GRU``): h' = (1 - z) * n + z * h.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def reverse_within_length(inputs: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence within its own length; padding stays where it is. Its own inverse.

    Args:
        inputs: (B, T, D).
        lengths: int64, (B,).

    Returns:
        (B, T, D).
    """
    positions = torch.arange(inputs.shape[1], device=inputs.device)  # (T,)
    mirrored = lengths[:, None] - 1 - positions  # (B, T), negative at padding
    sources = torch.where(mirrored >= 0, mirrored, positions)  # (B, T)
    return inputs.gather(1, sources[:, :, None].expand(-1, -1, inputs.shape[2]))


class GRULayer(nn.Module):
    """One layer of GRU, in one direction or both.

    Args:
        input_size: size of each input vector.
        hidden_size: units of each direction.
        bidirectional: whether the states of a backward direction are concatenated.
    """

    def __init__(self, input_size: int, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.forward_gru = nn.GRU(input_size, hidden_size, batch_first=True)
        self.backward_gru = nn.GRU(input_size, hidden_size, batch_first=True) if bidirectional else None
        self.output_size = hidden_size * (2 if bidirectional else 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the state after each token.

        Args:
            inputs: (B, T, input_size).
            lengths: int64, (B,).

        Returns:
            (B, T, output_size): forward states, then backward states; undefined at padding.
        """
        forward_states, _ = self.forward_gru(inputs)  # (B, T, H)
        if self.backward_gru is None:
            return forward_states  # type: ignore[no-any-return]
        reversed_states, _ = self.backward_gru(reverse_within_length(inputs, lengths))  # (B, T, H)
        backward_states = reverse_within_length(reversed_states, lengths)  # (B, T, H)
        return torch.cat([forward_states, backward_states], dim=2)  # (B, T, 2H)
