"""A small corpus of made-up reviews, drawn from a grammar: what the demo and the tests train on.

The reviews need word order. Most hold words of both kinds, and the verdict lies in how they are joined: negation
("not dull at all"), double negation, contrast ("could have been great, but ..."), and which clause follows "but" or
"although". A bag of words sees both kinds in equal measure. The test part uses sentence frames that no training
review uses; word classes and connectives are the same, so what can carry over is the order alone.
"""

from __future__ import annotations

import csv
import io
import random
import re
from pathlib import Path

from pipeline.artifacts import write_text_atomically
from pipeline.sample_grammar import NEUTRAL, NUMBERS, POLAR, TEST, TRAIN, Frames

ROWS = {"train": 4000, "test": 1000}
FRAMES = {"train": TRAIN, "test": TEST}
SHINGLE_TOKENS = 5
MAXIMUM_SIMILARITY = 0.5
"""Jaccard similarity of 5-token shingles above which a draw is thrown away; the audit reports from 0.8."""
REPEATED = 8
"""Training reviews that stand there twice, so that the audit of the demo has something to find."""

CONTRAST_SHARE = 0.6
CLAUSE_SHARES = {"plain": 0.62, "negated": 0.31, "double": 0.07}

_SLOT = re.compile(r"\{(\w+)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")
_SENTENCE_START = re.compile(r"(^|[.!?] )([a-z])")
_WORD = re.compile(r"[A-Za-z']+|\d+")
_LONG_WORD = re.compile(r"\b[a-z]{6,}\b")


class ReviewWriter:
    """Draws reviews from the frames of one part; the same state of the generator gives the same reviews."""

    def __init__(self, frames: Frames, generator: random.Random) -> None:
        self._frames = frames
        self._generator = generator

    def review(self, label: int) -> str:
        """Return one review whose verdict is ``label`` (1 positive, 0 negative)."""
        draw = self._generator
        contrast = draw.random() < CONTRAST_SHARE
        verdict = [self._fill(draw.choice(self._frames.contrasts), label) if contrast else self._statement(label)]
        if draw.random() < (0.25 if contrast else 0.6):
            verdict.insert(draw.randrange(2), self._statement(label))
        neutral = draw.sample(self._frames.neutral, draw.choice((0, 1, 1, 2)))
        fillers = [self._fill(frame, label) for frame in neutral]
        ahead = draw.randrange(len(fillers) + 1)
        return self._dress(fillers[:ahead] + verdict + fillers[ahead:])

    def _statement(self, polarity: int) -> str:
        return self._clause(polarity) + self._generator.choice("...!")

    def _clause(self, polarity: int, about: str = "") -> str:
        """Return a clause of the polarity from a frame that holds the text ``about``."""
        (kind,) = self._generator.choices(list(CLAUSE_SHARES), list(CLAUSE_SHARES.values()))
        frames = [frame for frame in getattr(self._frames, kind) if about in frame]
        return self._fill(self._generator.choice(frames), polarity)

    def _fill(self, frame: str, polarity: int) -> str:
        """Fill a frame's slots; a slot named twice in a frame gets the same word, ``other_`` a different one."""
        words: dict[str, str] = {}
        for slot in _SLOT.findall(frame):
            if slot not in words:
                words[slot] = self._word(slot, polarity, taken=set(words.values()))
        return _SLOT.sub(lambda match: words[match[1]], frame)

    def _word(self, slot: str, polarity: int, taken: set[str]) -> str:
        if slot == "kept":
            return self._clause(polarity)
        if slot == "dropped":
            return self._clause(1 - polarity)
        if slot == "dropped_part":
            return self._clause(1 - polarity, about="{part}")
        if slot in NUMBERS:
            return str(self._generator.choice(NUMBERS[slot]))
        if slot.startswith("opposite"):
            polarity = 1 - polarity
        name = slot.removeprefix("other_").removeprefix("opposite_").replace("opposite", "adjective")
        words = POLAR[name][polarity] if name in POLAR else NEUTRAL[name]
        return self._generator.choice([word for word in words if word not in taken])

    def _dress(self, sentences: list[str]) -> str:
        """Join sentences into a review as people type them: capitals, now and then a break, a typo, an emoji."""
        draw = self._generator
        text = (" <br /><br />" if draw.random() < 0.1 else " ").join(
            _SENTENCE_START.sub(lambda match: match[1] + match[2].upper(), sentence) for sentence in sentences
        )
        text = _ARTICLE.sub(r"\1n ", text)
        if draw.random() < 0.04:
            text = _misspelt(text, draw)
        if draw.random() < 0.04:
            text = f"{text} {draw.choice('🎬🍿🎥📽')}"
        return text.lower() if draw.random() < 0.04 else text


class DuplicateFilter:
    """Remembers the texts it let through, by their 5-token shingles, and turns near duplicates away."""

    def __init__(self, maximum_similarity: float) -> None:
        self._maximum_similarity = maximum_similarity
        self._shingles: list[set[str]] = []
        self._texts_with: dict[str, list[int]] = {}

    def accepts(self, text: str) -> bool:
        """Return whether the text is unlike every one accepted so far, and remember it if so."""
        shingles = shingles_of(text)
        shared: dict[int, int] = {}
        for shingle in shingles:
            for index in self._texts_with.get(shingle, ()):
                shared[index] = shared.get(index, 0) + 1
        for index, common in shared.items():
            if common > self._maximum_similarity * (len(shingles) + len(self._shingles[index]) - common):
                return False
        for shingle in shingles:
            self._texts_with.setdefault(shingle, []).append(len(self._shingles))
        self._shingles.append(shingles)
        return True


def shingles_of(text: str) -> set[str]:
    """Return the set of runs of five consecutive words (the whole text where it is shorter), lower-cased."""
    words = _WORD.findall(text.lower())
    return {" ".join(words[i : i + SHINGLE_TOKENS]) for i in range(max(1, len(words) - SHINGLE_TOKENS + 1))}


def sample_corpus(seed: int) -> dict[str, list[tuple[str, int]]]:
    """Return the sample: ``{"train": [(text, label), ...], "test": [...]}``, label 1 positive, 0 negative.

    Both parts are balanced and in random order. The same seed gives the same texts, on every platform. No two texts
    are near duplicates but the few in train that stand there twice.
    """
    unlike = DuplicateFilter(MAXIMUM_SIMILARITY)
    return {part: _draw_part(part, seed, unlike) for part in ROWS}


def _draw_part(part: str, seed: int, unlike: DuplicateFilter) -> list[tuple[str, int]]:
    generator = random.Random(f"gru-sentiment {part} {seed}")
    writer = ReviewWriter(FRAMES[part], generator)
    repeated = REPEATED if part == "train" else 0
    reviews: list[tuple[str, int]] = []
    while len(reviews) < ROWS[part] - repeated:
        label = len(reviews) % 2
        text = writer.review(label)
        if unlike.accepts(text):
            reviews.append((text, label))
    reviews.extend(reviews[:repeated])
    generator.shuffle(reviews)
    return reviews


def _misspelt(text: str, generator: random.Random) -> str:
    """Swap two neighbouring letters inside one of the longer words."""
    words = list(_LONG_WORD.finditer(text))
    if not words:
        return text
    at = generator.choice(words).start() + generator.randrange(1, 4)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


PRODUCTS = ("The Glass Orchard", "Nine Lanterns", "Salt Road", "A Winter in Tarn", "Paper Wolves")

AWKWARD_REVIEWS = (
    'My uncle said "you will be bored".\nI was not bored; not once.\n\n"Boring" is the wrong word for this film.',
    "",
    "Could have been great; got a mess instead 🍿",
    'Not bad at all, and the "villain" is a joy;\tsee it, twice.',
    "   ",
    "Très long, mais la fin est belle. In short: I loved it, although the opening is dull. 🎬",
    "<br /><br />Hardly a masterpiece. Hardly.<br />",
)
"""Reviews that break careless readers: line breaks and quotes inside a cell, blanks, separators, accents, markup."""


def sample_reviews_csv(seed: int) -> str:
    """Return the CSV that the demo scores: columns ``id`` (leading zeros), ``product``, ``review``; 20 rows."""
    generator = random.Random(f"gru-sentiment csv {seed}")
    writer = ReviewWriter(TEST, generator)
    reviews = [writer.review(label=row % 2) for row in range(20 - len(AWKWARD_REVIEWS))]
    for row, review in enumerate(AWKWARD_REVIEWS):
        reviews.insert(2 + 2 * row, review)
    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(("id", "product", "review"))
    for number, review in enumerate(reviews, start=7):
        lines.writerow((f"{number:05d}", generator.choice(PRODUCTS), review))
    return table.getvalue()


def write_sample_reviews(path: Path, seed: int = 1) -> None:
    """Write :func:`sample_reviews_csv` to a file, whole or not at all.

    Raises:
        SentimentError: the file cannot be written.
    """
    write_text_atomically(path, sample_reviews_csv(seed))
