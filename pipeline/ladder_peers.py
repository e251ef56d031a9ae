"""Published results on the test split of IMDb that stand on the ladder beside what was measured here.

None of them was run here. Their accuracies are those of the papers; the one speed, DistilBERT's, is that of its
architecture as ``make bench`` measured it, where it was measured on this kind of machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json
from pipeline.errors import SentimentError
from pipeline.metrics import wilson_interval

IMDB_TEST_REVIEWS = 25_000
BENCHMARK_NAME = "benchmark.json"
NOT_RUN_HERE = "published, not run here"
MEASURED_BY_BENCH = "measured by make bench"


@dataclass(frozen=True)
class Published:
    """A published result.

    Attributes:
        name: what it is called.
        accuracy: on the 25,000 test reviews.
        source: the paper, and where in it.
        bench: how the measures of its architecture in ``benchmark.json`` begin; empty where there are none.
    """

    name: str
    accuracy: float
    source: str
    bench: str = ""


PUBLISHED = (
    Published("SA-LSTM", 0.9276, "Dai and Le 2015, Semi-supervised sequence learning (error 7.24%)"),
    Published("DistilBERT", 0.9282, "Sanh et al. 2019, DistilBERT", bench="DistilBERT's architecture"),
    Published("BERT-base", 0.9346, "Sanh et al. 2019, DistilBERT"),
    Published(
        "LSTM, virtual adversarial",
        0.9409,
        "Miyato et al. 2017, Adversarial training methods for semi-supervised text classification (error 5.91%)",
    ),
    Published(
        "ULMFiT (with WikiText)",
        0.9540,
        "Howard and Ruder 2018, Universal language model fine-tuning (error 4.6%); two directions, WikiText-103 too",
    ),
)


def is_imdb(corpus: Mapping[str, Any], test_reviews: int) -> bool:
    """Say whether a corpus has IMDb's own test split, by its manifest and the number of its test reviews."""
    named = any("imdb" in str(corpus.get(key, "")).lower() for key in ("name", "source"))
    own_split = corpus.get("split", "source") == "source" and not corpus.get("sample")
    return named and own_split and test_reviews == IMDB_TEST_REVIEWS


def benchmark_speed(reports_folder: Path, peer: Published, machine: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a peer's speed from ``benchmark.json``, in the faster of the precisions that were measured.

    Returns:
        None where it was not measured, or on another kind of machine than this.
    """
    path = reports_folder / BENCHMARK_NAME
    if not peer.bench or not path.is_file():
        return None
    try:
        benchmark = read_json(path, "run `make bench` again")
        there = benchmark["conditions"]["machine"]
        measures = benchmark["sections"]["scoring"]["measures"]
        found = {
            name.removeprefix(f"{peer.bench}, ").removesuffix(", rows/s"): measure
            for name, measure in measures.items()
            if name.startswith(f"{peer.bench}, ") and name.endswith(", rows/s")
        }
    except (SentimentError, KeyError, TypeError, AttributeError):
        return None  # a benchmark that cannot be read is a speed that is not known
    if not found or (there.get("processor"), there.get("cores")) != (machine["processor"], machine["cores"]):
        return None
    precision = max(found, key=lambda name: float(found[name]["median"]))
    return {
        "reviews_per_second": found[precision]["median"],
        "lowest": found[precision]["min"],
        "highest": found[precision]["max"],
        "source": f"{MEASURED_BY_BENCH}: {precision}, random weights, 320 tokens a review, the network alone",
        "others": {name: measure["median"] for name, measure in found.items() if name != precision},
    }


def published_rung(peer: Published, speed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the ladder's entry of a published result; its interval is Wilson's, as everywhere on the ladder."""
    rows = IMDB_TEST_REVIEWS
    return {
        "name": peer.name,
        "kind": "published",
        "rows": rows,
        "accuracy": peer.accuracy,
        "accuracy_interval": wilson_interval(round(peer.accuracy * rows), rows),
        "interval_of": "the published figure, over reviews",
        "speed": dict(speed) if speed else None,
        "source": f"{NOT_RUN_HERE}: {peer.source}",
    }
