"""Promise: the sample is balanced, repeatable and free of leaks, and bags of words cannot read it."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sample import (
    AWKWARD_REVIEWS,
    MAXIMUM_SIMILARITY,
    REPEATED,
    DuplicateFilter,
    sample_corpus,
    sample_reviews_csv,
    shingles_of,
    write_sample_reviews,
)
from pipeline.sample_grammar import NEUTRAL, NUMBERS, POLAR, TEST, TRAIN, Frames

Reviews = list[tuple[str, int]]
KINDS = ("plain", "negated", "double", "contrasts", "neutral")


@pytest.fixture(scope="module")
def corpus() -> dict[str, Reviews]:
    return sample_corpus(1)


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower().replace("<br />", " "))


def all_frames(frames: Frames) -> set[str]:
    return {frame for kind in KINDS for frame in getattr(frames, kind)}


def test_size_and_balance(corpus: dict[str, Reviews]) -> None:
    assert set(corpus) == {"train", "test"}
    assert len(corpus["train"]) + len(corpus["test"]) >= 2000
    for reviews in corpus.values():
        assert Counter(label for _, label in reviews) == {0: len(reviews) // 2, 1: len(reviews) // 2}
        assert all(text.strip() for text, _ in reviews)


def test_the_same_seed_gives_the_same_texts(corpus: dict[str, Reviews]) -> None:
    assert sample_corpus(1) == corpus
    other = sample_corpus(2)
    assert len({text for text, _ in other["test"]} & {text for text, _ in corpus["test"]}) < 10


def test_no_frame_is_in_both_parts() -> None:
    assert not all_frames(TRAIN) & all_frames(TEST)
    for kind in KINDS:
        assert len(set(getattr(TRAIN, kind))) == len(getattr(TRAIN, kind))


def test_every_slot_of_every_frame_is_known() -> None:
    known = {"kept", "dropped", "dropped_part", "opposite", *NUMBERS, *NEUTRAL, *POLAR}
    known |= {f"opposite_{name}" for name in POLAR} | {f"other_{name}" for name in (*NEUTRAL, *POLAR)}
    for frame in all_frames(TRAIN) | all_frames(TEST):
        assert set(re.findall(r"\{(\w+)\}", frame)) <= known, frame


def test_a_contrast_names_both_sides() -> None:
    for frames in (TRAIN, TEST):
        for frame in frames.contrasts:
            assert "{dropped" in frame or "{opposite" in frame, frame
            assert (
                "{kept}" in frame
                or "{adjective}" in frame
                or "{noun}" in frame
                or "wrong" in frame
                or ("disagree" in frame)
            ), frame
        for frame in frames.neutral:
            assert not set(re.findall(r"\{(\w+)\}", frame)) & {"adjective", "noun", "verb", "past", "opposite"}


def test_no_near_duplicates_but_the_repeated_ones(corpus: dict[str, Reviews]) -> None:
    texts_with: dict[str, list[int]] = {}
    texts = [text for part in ("train", "test") for text, _ in corpus[part]]
    shingles = [shingles_of(text) for text in texts]
    similar = []
    for index, own in enumerate(shingles):
        shared = Counter(other for shingle in own for other in texts_with.get(shingle, ()))
        for other, common in shared.items():
            if common / len(own | shingles[other]) > MAXIMUM_SIMILARITY:
                similar.append((other, index))
        for shingle in own:
            texts_with.setdefault(shingle, []).append(index)
    assert len(similar) == REPEATED
    assert all(texts[first] == texts[second] for first, second in similar)
    assert max(index for pair in similar for index in pair) < len(corpus["train"])


def test_duplicate_filter() -> None:
    unlike = DuplicateFilter(0.5)
    assert unlike.accepts("one two three four five six seven")
    assert not unlike.accepts("One two three, four five six seven!")
    assert not unlike.accepts("one two three four five six seven eight")
    assert unlike.accepts("seven six five four three two one")
    assert unlike.accepts("short")
    assert not unlike.accepts("short")


def test_test_words_are_known_from_train(corpus: dict[str, Reviews]) -> None:
    known = {word for text, _ in corpus["train"] for word in words_of(text)}
    tokens = [word for text, _ in corpus["test"] for word in words_of(text)]
    assert sum(word not in known for word in tokens) / len(tokens) < 0.03


def test_it_has_what_reviews_have(corpus: dict[str, Reviews]) -> None:
    text = " ".join(review for review, _ in corpus["train"])
    assert "<br /><br />" in text
    assert re.search(r"\d", text)
    assert any(ord(character) > 0xFFFF for character in text)
    assert any(review == review.lower() for review, _ in corpus["train"])
    assert not re.search(r"\ba [aeiou]", text)
    assert not re.search(r"[{}]|  ", text)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_words_without_order_do_not_tell(seed: int) -> None:
    """Counts of judging words, by themselves, are barely better than a coin on the test part."""
    judging = {word: 2 * label - 1 for group in POLAR.values() for label in (0, 1) for word in group[label]}
    reviews = sample_corpus(seed)["test"]
    right = 0.0
    for text, label in reviews:
        balance = sum(judging.get(word, 0) for word in words_of(text))
        right += 0.5 if balance == 0 else float((balance > 0) == label)
    assert 0.5 < right / len(reviews) < 0.75


def test_linear_model_is_well_short(corpus: dict[str, Reviews]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    train, test = ([text for text, _ in corpus[part]] for part in ("train", "test"))
    model = LogisticRegression(C=10).fit(vectorizer.fit_transform(train), [label for _, label in corpus["train"]])
    assert 0.55 < model.score(vectorizer.transform(test), [label for _, label in corpus["test"]]) < 0.8


def test_csv_has_its_awkward_rows() -> None:
    text = sample_reviews_csv(1)
    assert text == sample_reviews_csv(1)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == 20
    assert list(rows[0]) == ["id", "product", "review"]
    assert all(re.fullmatch(r"0\d{4}", row["id"]) for row in rows)
    reviews = [row["review"] for row in rows]
    assert set(AWKWARD_REVIEWS) <= set(reviews)
    assert sum(not review.strip() for review in reviews) == 2
    assert any("\n" in review and '"' in review for review in reviews)
    assert any(";" in review for review in reviews)


def test_csv_is_written_as_it_is(tmp_path: Path) -> None:
    write_sample_reviews(tmp_path / "new" / "reviews.csv")
    assert (tmp_path / "new" / "reviews.csv").read_bytes().decode("utf-8") == sample_reviews_csv(1)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small matrices gain nothing from threads, and lose much where other programs use the cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_gru_reads_it(seed: int) -> None:
    """A plain bidirectional GRU, its states pooled by maximum and mean, nine epochs: the order can be learnt."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

    torch.manual_seed(seed)
    parts = sample_corpus(seed)
    numbers = {
        word: number for number, word in enumerate(sorted({w for t, _ in parts["train"] for w in words_of(t)}), 2)
    }
    encoded = {
        part: [(torch.tensor([numbers.get(word, 1) for word in words_of(text)]), label) for text, label in reviews]
        for part, reviews in parts.items()
    }
    embedding, dropout = nn.Embedding(len(numbers) + 2, 100, padding_idx=0), nn.Dropout(0.3)
    nn.init.normal_(embedding.weight, std=0.3)
    gru, linear = nn.GRU(100, 64, batch_first=True, bidirectional=True), nn.Linear(256, 1)
    modules = nn.ModuleList([embedding, dropout, gru, linear])

    def logits(batch: list[tuple[torch.Tensor, int]]) -> torch.Tensor:
        lengths = torch.tensor([len(tokens) for tokens, _ in batch])
        padded = dropout(embedding(pad_sequence([tokens for tokens, _ in batch], batch_first=True)))  # (B, T, 100)
        packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(gru(packed)[0], batch_first=True, padding_value=-2.0)  # (B, T, 128)
        real = states > -1.5
        pooled = torch.cat([states.amax(1), (states * real).sum(1) / lengths[:, None]], dim=1)  # (B, 256)
        return linear(dropout(pooled)).squeeze(1)

    optimizer = torch.optim.Adam(modules.parameters(), 2e-3)
    for _ in range(9):
        for rows in torch.randperm(len(encoded["train"])).split(32):
            batch = [encoded["train"][row] for row in rows]
            labels = torch.tensor([float(label) for _, label in batch])
            loss = nn.functional.binary_cross_entropy_with_logits(logits(batch), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    modules.eval()
    with torch.no_grad():
        correct = (logits(encoded["test"]) > 0) == torch.tensor([label == 1 for _, label in encoded["test"]])
    assert correct.double().mean() > 0.85
