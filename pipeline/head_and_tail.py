"""Long reviews are cut in the middle, in training and scoring alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def cut_to_head_and_tail(token_ids: NDArray[np.int32], max_tokens: int) -> NDArray[np.int32]:
    """Return at most ``max_tokens`` token ids: the first half and the last half of a longer review; 0 never cuts."""
    if max_tokens == 0 or len(token_ids) <= max_tokens:
        return token_ids
    head = max_tokens // 2
    return np.concatenate([token_ids[:head], token_ids[len(token_ids) - (max_tokens - head) :]])
