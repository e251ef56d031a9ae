"""Whether decisions stand when reviews are written otherwise: the entry ``robustness`` of ``metrics.json``.

A sample of the reviews is changed in each of the ways of :mod:`pipeline.evaluation.perturbations` and scored again.
A text that a change leaves as it was is not scored again, so that its decision stands by definition, and one of which
nothing readable would be left is not changed. Both count as ``unchanged``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SentimentError
from pipeline.evaluation.perturbations import EXAMPLE, PERTURBATIONS, SHORT_TEXTS, Perturbation, perturbed
from pipeline.evaluation.scorer import Scorer
from pipeline.inference import sigmoid
from pipeline.metrics import Labels, Probabilities, accuracy_summary, mcnemar, predictions, wilson_interval

SAMPLE_ROWS = 2_000
SEED = 1
MOST_EXAMPLE_DRAWS = 100
CHANGES = len(PERTURBATIONS) + len(SHORT_TEXTS)
"""Made to each review of the sample."""


def sampled_positions(rows: int, most: int, seed: int) -> NDArray[np.int64]:
    """Return ``most`` positions of ``rows``, drawn without replacement and in order; all where there are no more."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def example_of(perturbation: Perturbation, seed: int) -> str | None:
    """Return our own example, changed; None where it stays, whichever review's draws it gets."""
    changed = (perturbed(EXAMPLE, perturbation, seed, row) for row in range(MOST_EXAMPLE_DRAWS))
    return next((text for text in changed if text != EXAMPLE), None)


def scored_again(
    model: Scorer, texts: Sequence[str], before: Sequence[str], probabilities: Probabilities
) -> Probabilities:
    """Return the probabilities of changed texts; a text that stayed keeps its own.

    Args:
        model: scores them.
        texts: N changed ones.
        before: the same before the change.
        probabilities: float64 (N,), of those before.

    Raises:
        SentimentError: a logit is not a number.
    """
    changed = [place for place, (text, old) in enumerate(zip(texts, before, strict=True)) if text != old]
    found = probabilities.copy()
    if changed:
        logits = model.logits([texts[place] for place in changed])
        if not np.isfinite(logits).all():
            raise SentimentError(f"{model.name}: gives a score that is not a number; train the model again")
        found[changed] = sigmoid(logits, model.temperature)
    return found


def perturbation_figures(labels: Labels, before: Probabilities, after: Probabilities) -> dict[str, Any]:
    """Return how decisions and accuracy change from one set of probabilities of N reviews to another.

    Args:
        labels: (N,).
        before: float64 (N,).
        after: float64 (N,).

    Returns:
        ``rows, correct, accuracy, accuracy_interval`` after the change, ``flipped, flipped_share, flipped_interval``
        (decisions that are others; intervals are 95%, Wilson), ``right_to_wrong, wrong_to_right, p_value`` (McNemar's
        exact test) and ``mean_absolute_change`` of the probability.
    """
    old, new = predictions(before), predictions(after)
    flipped, rows = int((old != new).sum()), int(labels.size)
    test = mcnemar(labels, old, new)
    return {
        **accuracy_summary(labels, new),
        "flipped": flipped,
        "flipped_share": flipped / rows,
        "flipped_interval": wilson_interval(flipped, rows),
        "right_to_wrong": test["only_first"],
        "wrong_to_right": test["only_second"],
        "p_value": test["p_value"],
        "mean_absolute_change": float(np.abs(after - before).mean()),
    }


def robustness(
    model: Scorer,
    texts: Sequence[str],
    labels: Labels,
    probabilities: Probabilities,
    rows: NDArray[np.int64],
    *,
    seed: int = SEED,
    most: int = SAMPLE_ROWS,
    on_done: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Return the ``robustness`` entry of ``metrics.json``.

    Args:
        model: scores the changed reviews.
        texts: N raw texts, at least one.
        labels: (N,).
        probabilities: float64 (N,), of the texts as they are, after the temperature.
        rows: int64 (N,), numbers that tell the reviews apart; with the seed they settle each review's draws.
        seed: of the sample and of the changes.
        most: reviews in the sample.
        on_done: told each time that one of the :data:`CHANGES` is scored.

    Returns:
        ``seed, rows, sampled, correct, accuracy_unchanged, accuracy_unchanged_interval``, ``example`` (our own text),
        ``perturbations`` (of each ``name, title, definition, kind, unchanged, example`` and
        :func:`perturbation_figures`) and ``short_texts`` (``title, definition, groups``, the same of each).

    Raises:
        SentimentError: a logit is not a number.
    """
    chosen = sampled_positions(len(texts), most, seed)
    sample, sample_rows = [texts[place] for place in chosen], [int(row) for row in rows[chosen]]
    sample_labels, before = labels[chosen], probabilities[chosen]

    def entry(perturbation: Perturbation) -> dict[str, Any]:
        changed = [perturbed(text, perturbation, seed, row) for text, row in zip(sample, sample_rows, strict=True)]
        after = scored_again(model, changed, sample, before)
        on_done()
        return {
            "name": perturbation.name,
            "title": perturbation.title,
            "definition": perturbation.definition,
            "kind": perturbation.kind,
            "example": example_of(perturbation, seed),
            "unchanged": sum(new == old for new, old in zip(changed, sample, strict=True)),
            **perturbation_figures(sample_labels, before, after),
        }

    whole = accuracy_summary(sample_labels, predictions(before))
    return {
        "seed": seed,
        "rows": len(sample),
        "sampled": len(sample) < len(texts),
        "correct": whole["correct"],
        "accuracy_unchanged": whole["accuracy"],
        "accuracy_unchanged_interval": whole["accuracy_interval"],
        "example": EXAMPLE,
        "perturbations": [entry(perturbation) for perturbation in PERTURBATIONS],
        "short_texts": {
            "title": "Openings",
            "definition": "Only the first words of each review, against the class of the whole review",
            "groups": [entry(perturbation) for perturbation in SHORT_TEXTS],
        },
    }
