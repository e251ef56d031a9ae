"""CPU time of tokenising the second half of the training reviews after the first: ours beside spaCy by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.special_tokens import UNKNOWN_ID
from pipeline.vocabulary import Vocabulary
from tests.bench.material import Material
from tests.bench.options import Options
from tests.bench.results import Goal, Section

OURS = "ours"
SPACY = "spaCy's tokenizer called per review"
NOTES = (
    "CPU seconds of one process on one thread over the second half of the train split, in the order of the corpus, "
    "after the same tokenizer has read the first half; a new tokenizer for each repeat.",
    "Ours is ChunkTokenizer giving arrays of token ids, as the scorer uses it. spaCy is "
    "spacy.blank('en').tokenizer called on each review as it stands, taking token.lower_ of each token; it keeps its "
    "own cache warm likewise.",
)

Tokenise = Callable[[Sequence[str]], int]


def our_tokeniser(vocabulary: Vocabulary) -> Tokenise:
    """Return a fresh tokenizer of ours; it returns the number of tokens."""
    id_of_form = {form: token_id for token_id, form in enumerate(vocabulary.forms) if token_id > UNKNOWN_ID}
    tokenizer = ChunkTokenizer(lambda form: id_of_form.get(form, UNKNOWN_ID))
    return lambda texts: sum(map(len, tokenizer.token_id_arrays(texts)))


def spacy_tokeniser() -> Tokenise:
    """Return a fresh tokenizer of spaCy's; it returns the number of tokens."""
    import spacy

    tokenizer = spacy.blank("en").tokenizer
    return lambda texts: sum(len([token.lower_ for token in tokenizer(text)]) for text in texts)


def cpu_seconds(tokenise: Tokenise, first: Sequence[str], second: Sequence[str]) -> tuple[float, int]:
    """Return the CPU seconds of the second texts after the first, and their tokens."""
    tokenise(first)
    started = time.process_time()
    tokens = tokenise(second)
    return time.process_time() - started, tokens


def measure(material: Material, options: Options) -> Section:
    """Measure both tokenizers in turn."""
    section = Section("tokenising", "Tokenising, one core")
    section.notes.extend(NOTES)
    texts = material.texts("train")
    if options.quick:
        texts = texts[:400]
    first, second = texts[: len(texts) // 2], texts[len(texts) // 2 :]
    vocabulary = Vocabulary.load(material.root / "vocabulary" / "vocabulary.txt")
    makers: dict[str, Callable[[], Tokenise]] = {OURS: lambda: our_tokeniser(vocabulary), SPACY: spacy_tokeniser}
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    for repeat in range(options.repeats_of_slow):
        for name, make in makers.items():
            if name in section.failures:
                continue
            with section.attempt(name):
                spent, tokens = cpu_seconds(make(), first, second)
                seconds[name].append(spent)
                section.details[f"tokens, {name}"] = tokens
                rate = len(second) / spent
                material.console.say(
                    f"tokenising: repeat {repeat + 1} of {options.repeats_of_slow}, {name}: {rate:,.0f} reviews/s"
                )
    for name, spent_in_repeats in seconds.items():
        section.add(
            f"{name}, CPU microseconds a review",
            "us",
            [1e6 * spent / len(second) for spent in spent_in_repeats],
        )
        section.add(f"{name}, reviews/s", "reviews/s", [len(second) / spent for spent in spent_in_repeats])
    section.details["reviews"] = len(second)
    section.find(
        "tokenising, per core: spaCy per review / ours",
        f"{SPACY}, CPU microseconds a review",
        f"{OURS}, CPU microseconds a review",
        Goal(">=", 4.0),
    )
    return section
