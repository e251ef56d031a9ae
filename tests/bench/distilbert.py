"""Times DistilBERT's architecture with random weights on random token ids: no download, and the same arithmetic.

A program of its own: ``python distilbert.py float32|bfloat16 BATCHES BATCH_SIZE TOKENS THREADS`` prints one JSON list,
the seconds of each batch after one to warm up.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

POSITIVE = 1


def seconds_of_batches(precision: str, batches: int, batch_size: int, tokens: int) -> list[float]:
    """Return the wall time of each batch, from token ids to probabilities."""
    torch.manual_seed(1)
    config = DistilBertConfig()
    model = DistilBertForSequenceClassification(config).to(getattr(torch, precision))
    model.train(False)
    seconds = []
    with torch.inference_mode():
        for _ in range(batches + 1):
            token_ids = torch.randint(1000, config.vocab_size, (batch_size, tokens))
            mask = torch.ones_like(token_ids)
            started = time.perf_counter()
            logits = model(input_ids=token_ids, attention_mask=mask).logits  # (B, 2)
            torch.softmax(logits.float(), dim=1)[:, POSITIVE].tolist()
            seconds.append(time.perf_counter() - started)
    return seconds[1:]


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[5]))
    print(json.dumps(seconds_of_batches(sys.argv[1], *map(int, sys.argv[2:5]))))
