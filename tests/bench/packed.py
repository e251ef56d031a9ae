"""The tutorials' GRU layer: ``pack_padded_sequence`` around one bidirectional ``nn.GRU``."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class PackedGRULayer(nn.Module):
    """Takes the place of :class:`pipeline.gru.GRULayer`: same arguments, same result at real tokens, 0 at padding."""

    def __init__(self, input_size: int, hidden_size: int, bidirectional: bool) -> None:
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)
        self.output_size = hidden_size * (2 if bidirectional else 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the state after each token, (B, T, output_size)."""
        packed = pack_padded_sequence(inputs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = self.gru(packed)
        unpacked: Tensor
        unpacked, _ = pad_packed_sequence(states, batch_first=True, total_length=inputs.shape[1])  # (B, T, S)
        return unpacked
