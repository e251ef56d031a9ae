"""Ways to change a review, to see whether a model's decision stands: the list of them, and one applied to one review.

The changes themselves: ``surface_changes`` (typing, case, marks), ``shortening`` (cuts), ``denial`` and ``opposites``
(meaning). Which slips a text gets depends on the seed, the review's row and the change alone, never on other reviews
or their order.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipeline.evaluation.denial import statements_denied
from pipeline.evaluation.opposites import opposites
from pipeline.evaluation.shortening import first_sentence, first_words, last_sentence, last_words, middle_third
from pipeline.evaluation.surface_changes import (
    lower_case,
    no_apostrophes,
    no_line_breaks,
    no_punctuation,
    random_case,
    stretched_letters,
    typos,
    upper_case,
)
from pipeline.review_text import is_blank

Kind = Literal["harmless", "shortened", "meaning"]

EXAMPLE = (
    "The plot isn't original, but it is told with a light hand. I loved the two leads!<br /><br />"
    "A good film for a rainy evening, 8/10."
)
"""Our own; shows on the page what each change does."""


@dataclass(frozen=True)
class Perturbation:
    """One way to change a review.

    Attributes:
        name: its key in ``metrics.json``.
        title: what a reader calls it.
        definition: what it does, in a sentence.
        kind: ``harmless``: a reader would answer the same; ``shortened``: part of the review is left, and a reader
            would often answer the same; ``meaning``: where it turns the verdict another answer is wanted; how often it
            does so was not counted.
        change: takes a text and a random generator, and returns the changed text.
    """

    name: str
    title: str
    definition: str
    kind: Kind
    change: Callable[[str, random.Random], str]


PERTURBATIONS: tuple[Perturbation, ...] = (
    Perturbation(
        "few_typos",
        "Few typos",
        "A slip of the finger in one of 20 words of four letters or more: a neighbouring key, two letters in the wrong "
        "order, one left out or written twice",
        "harmless",
        typos(1 / 20),
    ),
    Perturbation("many_typos", "Many typos", "The same slips in one of seven such words", "harmless", typos(1 / 7)),
    Perturbation("lower_case", "Small letters", "No capitals", "harmless", lower_case),
    Perturbation("upper_case", "Capitals", "All letters are capitals", "harmless", upper_case),
    Perturbation("random_case", "Random case", "Each letter a capital or not, by chance", "harmless", random_case),
    Perturbation(
        "no_punctuation",
        "No punctuation",
        "All marks dropped but apostrophes, and those between digits as in 7.5/10",
        "harmless",
        no_punctuation,
    ),
    Perturbation(
        "no_apostrophes", "No apostrophes", "Those inside words dropped, as in dont", "harmless", no_apostrophes
    ),
    Perturbation("no_line_breaks", "No line breaks", "One paragraph in one line", "harmless", no_line_breaks),
    Perturbation(
        "stretched_letters",
        "Stretched letters",
        "A vowel written three to five times in one of ten words of four letters or more",
        "harmless",
        stretched_letters(1 / 10),
    ),
    Perturbation("first_50_words", "First 50 words", "Only the first 50 words", "shortened", first_words(50)),
    Perturbation("last_50_words", "Last 50 words", "Only the last 50 words", "shortened", last_words(50)),
    Perturbation("middle_third", "Middle third", "Without the first and last third", "shortened", middle_third),
    Perturbation(
        "first_sentence",
        "First sentence",
        "Only the first sentence of three words or more",
        "shortened",
        first_sentence,
    ),
    Perturbation(
        "last_sentence", "Last sentence", "Only the last sentence of three words or more", "shortened", last_sentence
    ),
    Perturbation(
        "denied",
        "Statements denied",
        "Every statement denied, and every denial taken back: is becomes is not, wasn't becomes was, never goes",
        "meaning",
        statements_denied,
    ),
    Perturbation(
        "opposites",
        "Opposite words",
        "Judging words swapped for their opposites: good and bad, best and worst, love and hate",
        "meaning",
        opposites,
    ),
)

SHORT_TEXTS: tuple[Perturbation, ...] = tuple(
    Perturbation(
        f"first_{count}_words",
        f"first {count}",
        f"Only the first {count} words",
        "shortened",
        first_words(count),
    )
    for count in (5, 10, 20, 50, 100)
)
"""The openings of reviews, from a few words up."""


def perturbed(text: str, perturbation: Perturbation, seed: int, row: int) -> str:
    """Return a changed review; the review itself where nothing readable would be left of it.

    Args:
        text: raw.
        perturbation: what to do to it.
        seed: of the run.
        row: of the review; with the seed it settles every draw.
    """
    changed = perturbation.change(text, random.Random(f"{seed}|{row}|{perturbation.name}"))
    return text if is_blank(changed) else changed
