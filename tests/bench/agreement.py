"""Whether speed costs exactness: the scorer's probabilities beside float32 ``nn.GRU``, and their independence."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import nn

from pipeline.artifacts import read_json
from pipeline.batches import batches_by_length
from pipeline.compact_weights import widened
from pipeline.config import recipe_from_dict
from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.inference import CONFIG_NAME, VOCABULARY_NAME, WEIGHTS_NAME, sigmoid
from pipeline.model import SentimentClassifier
from pipeline.padding import pad
from pipeline.tokens import read_form_ids, read_forms
from pipeline.vocabulary import Vocabulary
from tests.bench.conditions import confined_to
from tests.bench.material import Material
from tests.bench.options import Options
from tests.bench.processes import run_command
from tests.bench.results import Goal, Section
from tests.bench.scoring import score_arguments

TOKENS_PER_BATCH = 16_384
MOST_DIFFERENCE_999 = 5e-3
MOST_FLIPS = 5e-4
MOST_DEPENDENCE = 1e-3
NOTES = (
    "Reference: the same weights in pipeline.model.SentimentClassifier with torch's own nn.GRU in float32, padded "
    "batches, on the token ids of the corpus stage. Ours: the columns that `sentiment score` writes (six decimals).",
    "Independence: the same reviews scored again in another order, each in a window by itself, and on one core; the "
    "greatest absolute difference of a probability from the first run.",
)


@dataclass(frozen=True)
class Scored:
    """What a scored CSV says: probabilities, NaN where there is none, and whether each row was called positive."""

    probabilities: NDArray[np.float64]
    positive: NDArray[np.bool_]


def read_scored(path: Path) -> Scored:
    """Read the columns that the scorer appends."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(row["positive_probability"], row["predicted_sentiment"]) for row in csv.DictReader(stream)]
    probabilities = np.asarray([float(probability or "nan") for probability, _ in rows])
    return Scored(probabilities, np.asarray([answer == "positive" for _, answer in rows]))


def score(material: Material, name: str, texts: Sequence[str], *more: str) -> Scored:
    """Score texts by the command."""
    path, output = material.write_reviews(name, texts), material.work / f"{name}-scored.csv"
    run_command(score_arguments(path, output, material.model_folder, *more))
    return read_scored(output)


def reference_probabilities(material: Material, rows: int) -> NDArray[np.float64]:
    """Return the probabilities of the first test reviews by float32 ``nn.GRU``, (rows,)."""
    folder = material.model_folder
    config = read_json(folder / CONFIG_NAME, "train again")
    parts = {name: config["recipe"][name] for name in ("model", "training")}
    recipe = recipe_from_dict(parts, config["recipe"]["name"], CONFIG_NAME)
    vocabulary = Vocabulary.load(folder / VOCABULARY_NAME)
    weights = widened(load_file(folder / WEIGHTS_NAME))
    classifier = SentimentClassifier(len(vocabulary), weights["embedding.weight"].shape[1], recipe.model)
    classifier.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    classifier.float().eval()
    form_ids, offsets = read_form_ids(material.root / "tokens", "test")
    token_ids = vocabulary.token_ids(read_forms(material.root / "tokens"), recipe.model.unknown_words)[form_ids]
    cut = recipe.model.max_tokens
    sequences = [
        cut_to_head_and_tail(token_ids[start:end], cut) for start, end in itertools.pairwise(offsets[: rows + 1])
    ]
    logits = logits_of(classifier, sequences, material.options.threads)
    return sigmoid(logits, float(config["temperature"]))


def logits_of(classifier: nn.Module, sequences: Sequence[NDArray[np.int32]], threads: int) -> NDArray[np.float32]:
    """Return the logits of reviews on so many threads, a batch on each: its products are too small to share."""
    logits = np.empty(len(sequences), dtype=np.float32)

    def compute(batch: NDArray[np.int64]) -> None:
        with torch.inference_mode():
            logits[batch] = classifier(*pad([sequences[index] for index in batch])).numpy()

    lengths = np.asarray([len(sequence) for sequence in sequences], dtype=np.int64)
    threads_before = torch.get_num_threads()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in pool.map(compute, batches_by_length(lengths, TOKENS_PER_BATCH)):
            pass
    torch.set_num_threads(threads_before)
    return logits


def add_agreement(section: Section, ours: Scored, reference: NDArray[np.float64]) -> None:
    """Keep how far the probabilities are from the reference, over the rows that have one."""
    known = ~np.isnan(ours.probabilities)
    differences = np.abs(ours.probabilities - reference)[known]
    flips = int((ours.positive != (reference >= 0.5))[known].sum())
    section.details["reviews"] = int(known.sum())
    section.details["labels_flipped"] = flips
    section.add("99.9th percentile of the absolute difference", "", [float(np.quantile(differences, 0.999))])
    section.add("greatest absolute difference", "", [float(differences.max())])
    section.add("mean absolute difference", "", [float(differences.mean())])
    section.add("share of labels flipped", "", [flips / int(known.sum())])


def add_independence(section: Section, material: Material, texts: Sequence[str], base: Scored, alone: int) -> None:
    """Keep the greatest difference that order, window and cores make.

    Args:
        section: receives them.
        material: the model.
        texts: scored again.
        base: of these texts, from the first run among all others.
        alone: how many of the texts are scored one by one.
    """

    def keep(name: str, again: NDArray[np.float64], before: NDArray[np.float64]) -> None:
        section.add(f"greatest difference, {name}", "", [float(np.nanmax(np.abs(again - before)))])

    order = np.random.default_rng(1).permutation(len(texts))
    with section.attempt("in another order"):
        again = score(material, "order", [texts[place] for place in order])
        keep("in another order", again.probabilities, base.probabilities[order])
    with section.attempt("each by itself"):
        again = score(material, "alone", texts[:alone], "--window-rows", "1")
        keep("each by itself", again.probabilities, base.probabilities[:alone])
    with section.attempt("on one core"), confined_to(1):
        again = score(material, "core", texts)
        keep("on one core", again.probabilities, base.probabilities[: len(texts)])


def measure(material: Material, options: Options) -> Section:
    """Measure agreement with the reference, then independence."""
    section = Section("agreement", "Agreement with float32 nn.GRU, and independence")
    section.notes.extend(NOTES)
    texts = material.texts("test")
    if options.quick:
        texts = texts[:200]
    ours = score(material, "agreement", texts)
    with section.attempt("float32 nn.GRU"):
        material.console.say(f"agreement: {len(texts):,} reviews by float32 nn.GRU")
        add_agreement(section, ours, reference_probabilities(material, len(texts)))
    fewer = min(len(texts), 2000)
    first = Scored(ours.probabilities[:fewer], ours.positive[:fewer])
    add_independence(section, material, texts[:fewer], first, min(fewer, 100))
    percentile, flips = "99.9th percentile of the absolute difference", "share of labels flipped"
    section.find(
        f"probabilities, ours against float32 nn.GRU: {percentile}", percentile, goal=Goal("<=", MOST_DIFFERENCE_999)
    )
    section.find(f"probabilities, ours against float32 nn.GRU: {flips}", flips, goal=Goal("<=", MOST_FLIPS))
    for name in ("in another order", "each by itself", "on one core"):
        section.find(
            f"greatest difference when scored {name}", f"greatest difference, {name}", goal=Goal("<=", MOST_DEPENDENCE)
        )
    return section
