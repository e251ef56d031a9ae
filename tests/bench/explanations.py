"""How faithful explanations are, by deletion, and what they cost: ours beside the exact way and chance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.inference import TEXTS_PER_WINDOW, WINDOWS_UNDER_WAY, SentimentModel, settings_of
from pipeline.overlap import overlapped
from pipeline.scoring.explanation import Explainer
from pipeline.scoring.words_in_place import WordReader
from pipeline.special_tokens import UNKNOWN_ID
from tests.bench.material import Material
from tests.bench.options import Options
from tests.bench.results import Goal, Section

OURS = "integrated gradients"
OCCLUSION = "each word left out in turn"
CHANCE = "words by chance"
DELETED = (1, 3, 5, 10)
NAMED = 5
JUDGED_REVIEWS, TIMED_REVIEWS, QUICK_REVIEWS = 300, 2000, 6
NOTES = (
    "Reviews of the validation part of train, chosen by chance. Deletion: all tokens of the words that push most "
    "towards the class that was predicted are taken out of the review, as many words as said, and the review is scored "
    "again; the value is how much less probable that class is then, on the mean of the reviews. The larger, the more "
    "do the words matter that an explanation names. The mean is that over 1, 3, 5 and 10 words.",
    "Leaving out is the exact effect of each word alone: the logit less that without the word, at one pass through the "
    "network for each distinct word.",
    "The share not accounted for is how far the pushes of a review add up beside what its logit is above that of as "
    "many unknown words, on the mean of the reviews, over the mean of that difference.",
    "Speed: five words of each review, in windows and threads as `sentiment score` uses them, without reading and "
    "writing a file; the reviews' tokens are known by then.",
)


@dataclass(frozen=True)
class ReadReview:
    """A review as the network reads it.

    Attributes:
        token_ids: int32, (T,).
        forms: its distinct words, lower-cased, in the order they appear.
        words: int64, (T,); for each token its place in ``forms``.
    """

    token_ids: NDArray[np.int32]
    forms: dict[str, int]
    words: NDArray[np.int64]

    def without(self, words: Sequence[int]) -> NDArray[np.int32]:
        """Return the token ids without some words."""
        return self.token_ids[~np.isin(self.words, words)]


def read_reviews(model: SentimentModel, texts: Sequence[str]) -> list[ReadReview]:
    """Return the texts as the network reads them."""
    reader, most = WordReader(), settings_of(model.config).max_tokens
    reviews = []
    for text, token_ids in zip(texts, model.encode(texts), strict=True):
        read = [word.lower() for word in reader.words(text)]
        kept = cut_to_head_and_tail(np.arange(len(read), dtype=np.int32), most)
        forms: dict[str, int] = {}
        places = [forms.setdefault(read[place], len(forms)) for place in kept]
        reviews.append(ReadReview(token_ids, forms, np.asarray(places, dtype=np.int64)))
    return reviews


def logits_without(model: SentimentModel, review: ReadReview) -> NDArray[np.float32]:
    """Return the logit of a review without each of its words, float32, (words,)."""
    return model.logits_of([review.without([word]) for word in range(len(review.forms))])


def rankings(
    model: SentimentModel, texts: Sequence[str], reviews: Sequence[ReadReview], logits: NDArray[np.float32]
) -> dict[str, list[list[int]]]:
    """Return for each way and review the words that it says push towards the predicted class, strongest first."""
    signs = np.where(logits >= 0, 1.0, -1.0)
    explained = Explainer(model).explain(texts, max(len(review.forms) for review in reviews))
    ours = [
        [review.forms[pushed.word.lower()] for pushed in pushes if pushed.push * sign > 0]
        for review, pushes, sign in zip(reviews, explained, signs, strict=True)
    ]
    left_out = []
    for review, logit, sign in zip(reviews, logits, signs, strict=True):
        falls = sign * (logit - logits_without(model, review))
        left_out.append([word for word in np.argsort(-falls, kind="stable").tolist() if falls[word] > 0])
    generator = np.random.default_rng(1)
    chance = [generator.permutation(len(review.forms)).tolist() for review in reviews]
    return {OURS: ours, OCCLUSION: left_out, CHANCE: chance}


def falls_in_probability(
    model: SentimentModel, reviews: Sequence[ReadReview], logits: NDArray[np.float32], ranking: Sequence[Sequence[int]]
) -> list[float]:
    """Return how much less probable the predicted class is without the first words, the mean of the reviews.

    One value for each of :data:`DELETED`.
    """
    signs = np.where(logits >= 0, 1.0, -1.0)

    def probability(of: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(1.0 / (1.0 + np.exp(-signs * of.astype(np.float64) / model.temperature)))

    falls = []
    for count in DELETED:
        shorter = [review.without(words[:count]) for review, words in zip(reviews, ranking, strict=True)]
        falls.append(float(np.mean(probability(logits) - probability(model.logits_of(shorter)))))
    return falls


def share_not_accounted_for(
    model: SentimentModel, texts: Sequence[str], reviews: Sequence[ReadReview], logits: NDArray[np.float32]
) -> float:
    """Return how far pushes add up beside the logit's difference from unknown words, as a share of it."""
    explainer = Explainer(model)
    unknown = model.logits_of([np.full_like(review.token_ids, UNKNOWN_ID) for review in reviews])
    differences = (logits - unknown) / model.temperature
    added = [sum(push for _, _, push in explainer.pushes_in_place(text)) for text in texts]
    return float(np.mean(np.abs(added - differences)) / np.mean(np.abs(differences)))


def windows_of(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts as many at a time as go through the network together."""
    return (texts[start : start + TEXTS_PER_WINDOW] for start in range(0, len(texts), TEXTS_PER_WINDOW))


def explain_all(model: SentimentModel, explainer: Explainer, texts: Sequence[str]) -> None:
    """Explain texts in windows, in as many threads as scoring uses."""
    with closing(
        overlapped(
            windows_of(texts),
            lambda window, check: explainer.explain(window, NAMED, check),
            threads=model.threads,
            size_of=lambda _: 1,
            most=WINDOWS_UNDER_WAY,
        )
    ) as results:
        assert sum(len(explained) for _, explained in results) == len(texts)


def timed(work: Callable[[], object], texts: int) -> tuple[float, float]:
    """Return how many texts some work does in a second, and in a second of one core's time."""
    started, cpu_started = time.perf_counter(), time.process_time()
    work()
    return texts / (time.perf_counter() - started), texts / (time.process_time() - cpu_started)


def add_speed(section: Section, model: SentimentModel, texts: Sequence[str], repeats: int) -> None:
    """Keep how fast texts are explained and, beside it, scored."""
    explainer = Explainer(model)
    works: dict[str, Callable[[], object]] = {
        "explained": lambda: explain_all(model, explainer, texts),
        "scored": lambda: model.logits(texts),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for repeat in range(repeats + 1):  # the first one warms up
        for name, work in works.items():
            rate = timed(work, len(texts))
            rates[name] += [rate] * (repeat > 0)
    for name, of_repeats in rates.items():
        section.add(f"{name}, reviews/s", "reviews/s", [rate for rate, _ in of_repeats])
        section.add(f"{name}, reviews a second of one core", "reviews/s", [rate for _, rate in of_repeats])


def measure(material: Material, options: Options) -> Section:
    """Measure the deletion test, then the speed."""
    section = Section("explanations", "Explanations: faithfulness by deletion, and cost")
    section.notes.extend(NOTES)
    model = SentimentModel.load(material.model_folder)
    rows = np.random.default_rng(1).permutation(material.training_data.validation_rows)
    all_texts = material.texts("train")
    judged, timed_texts = (
        [all_texts[row] for row in rows[: QUICK_REVIEWS if options.quick else most]]
        for most in (JUDGED_REVIEWS, TIMED_REVIEWS)
    )
    reviews, logits = read_reviews(model, judged), model.logits(judged)
    section.details |= {"reviews_judged": len(judged), "reviews_timed": len(timed_texts), "words": list(DELETED)}
    for way, ranking in rankings(model, judged, reviews, logits).items():
        falls = falls_in_probability(model, reviews, logits, ranking)
        for count, fall in zip(DELETED, falls, strict=True):
            section.add(f"{way}, fall in probability without {count}", "", [fall])
        section.add(f"{way}, mean fall", "", [float(np.mean(falls))])
        material.console.say(f"explanations: {way}: mean fall {np.mean(falls):.4f}")
    section.add("share of the logit not accounted for", "", [share_not_accounted_for(model, judged, reviews, logits)])
    add_speed(section, model, timed_texts, options.repeats_of_slow)
    for other, goal in ((OCCLUSION, Goal(">=", 0.95)), (CHANCE, Goal(">=", 10.0))):
        section.find(f"deletion test: {OURS} / {other}", f"{OURS}, mean fall", f"{other}, mean fall", goal)
    section.find("explanations", "explained, reviews/s", goal=Goal(">=", 300.0))
    section.find(
        "CPU time: explaining / scoring",
        "scored, reviews a second of one core",
        "explained, reviews a second of one core",
    )
    return section
