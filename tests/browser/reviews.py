"""Reviews of our own for the pages that the browser opens: of all lengths, and some that try to take the page over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PRAISE = {"wonderful": 1.1, "moving": 0.8, "clever": 0.7, "warm": 0.5, "funny": 0.4}
BLAME = {"dreadful": -1.2, "dull": -0.8, "lazy": -0.7, "cold": -0.5, "clumsy": -0.4}
WEIGHTS = {**PRAISE, **BLAME}
"""What each word adds to the logit of :class:`tests.browser.word_model.WordModel`."""

NEUTRAL = """
the a this that film story plot scene actor music camera town winter river evening letter we I they found thought saw
heard was seemed felt and but although not never with without again really quite almost today
"""
PLAIN = tuple(NEUTRAL.split())

ACTING = (
    '<script>window.takenOver = "script"; document.title = "taken over"</script> dull',
    "<img src=x onerror=\"window.takenOver = 'image'\"><svg onload=\"window.takenOver = 'svg'\"> dull",
    "</script><script>window.takenOver = 'closed script'</script> dull",
    "</div></details></section><iframe srcdoc=\"<script>parent.takenOver = 'frame'</script>\"></iframe> dull",
    "<a href=\"javascript:window.takenOver = 'link'\">read on</a> [here](javascript:alert(1)) dull",
    "</noscript></template></textarea></title></style><script>window.takenOver = 'noscript'</script> dull",
    "{{ 7*7 }} {% raw %} ${window.takenOver = 'braces'} #{7*7} <%= 7*7 %> dull",
    "\x1b[31mred\x1b[0m \x00 nought \u202eesrever\u202c \u2066isolated\u2069 \ufeff\x85 dull",
    "<!-- <script> --> ]]> <!--<script>window.takenOver = 'comment' dull",
    "__proto__ constructor \u2028 \u2029 \"double\" 'single' \\ \\u003cscript\\u003e &lt;b&gt; dull",
    '<style>*{display:none}</style><base href="http://example.invalid/"><meta http-equiv="refresh" content="0;url='
    'http://example.invalid/"><link rel="stylesheet" href="http://example.invalid/a.css"> dull',
    f"{'unbroken' * 60} dull",
    "كان الفيلم رائعا من البداية حتى النهاية dreadful 这部电影非常精彩 🎬👨‍👩‍👧‍👦 dull",
)
HOSTILE = tuple(f"{text} dreadful dreadful dreadful" for text in ACTING)
"""Negative by their words; their true class is positive, so that they are the mistakes of which the model is surest."""
CERTAIN = "wonderful " * 60
"""Its probability is 1 to the last bit; its true class is negative."""


@dataclass(frozen=True)
class Reviews:
    """N reviews: texts, true classes (int8, N), stars 1 to 10 (int8, N)."""

    texts: list[str]
    labels: np.ndarray
    ratings: np.ndarray


def review(generator: np.random.Generator, words: int, lean: float) -> str:
    """Return a review of so many words; some words judge, by the lean (-1 to 1) in favour or against."""
    sides = [generator.choice(list(side), words) for side in (PRAISE, BLAME)]
    judging = np.where(generator.random(words) < (1 + lean) / 2, *sides)
    chosen = np.where(generator.random(words) < min(0.4, 8 / words), judging, generator.choice(PLAIN, words)).tolist()
    ends = generator.integers(8, 15, size=words).cumsum()
    for end in ends[ends < words]:
        chosen[end] += str(generator.choice([".", "!", "?", ".<br /><br />"]))
    return " ".join(chosen)


def own_reviews(
    count: int, seed: int = 1, shortest: int = 4, longest: int = 1200, hostile: tuple[str, ...] = HOSTILE
) -> Reviews:
    """Return ``count`` reviews of ``shortest`` to ``longest`` words, one in ten against its words, with hostile ones.

    No two texts are equal.
    """
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(np.int8)
    lengths = np.exp(generator.uniform(np.log(shortest), np.log(longest), count)).astype(int)
    texts = []
    for number, (label, length) in enumerate(zip(labels, lengths, strict=True)):
        lean = generator.choice([0.8, 0.4, -0.5], p=[0.7, 0.2, 0.1]) * (1 if label == 1 else -1)
        texts.append(f"{review(generator, int(length), float(lean))} number {number}.")
    if hostile:
        texts[0] = CERTAIN
    for position, text in enumerate(hostile):
        texts[2 * position + 1] = text
    stars = np.where(labels == 1, generator.integers(7, 11, count), generator.integers(1, 5, count))
    return Reviews(texts, labels, stars.astype(np.int8))
