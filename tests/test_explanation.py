"""Promise: an explanation names the words that moved the answer, each with its sign, whatever is scored beside it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from pipeline.artifacts import sha256_of_file
from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.config import ModelSettings
from pipeline.head_and_tail import cut_to_head_and_tail
from pipeline.inference import CONFIG_NAME, WEIGHTS_NAME, SentimentModel
from pipeline.kernel_library import BFLOAT16, kernel_problem, load_kernels
from pipeline.scoring import integrated_gradients
from pipeline.scoring.explanation import SMALLEST_PUSH, Explainer, WordPush, explanation_text, strongest
from pipeline.scoring.integrated_gradients import CompiledTokenPushes
from pipeline.scoring.words_in_place import WordReader
from pipeline.special_tokens import UNKNOWN_ID
from tests.conftest import Workspace
from tests.stub_models import write_random_model

needs_kernels = pytest.mark.skipif(bool(kernel_problem()), reason="needs the compiled kernels")
needs_bfloat16 = pytest.mark.skipif(load_kernels(BFLOAT16) is None, reason="the processor has no bfloat16 products")

WORDS = ["the", "film", "was", "good", "bad", "so", "not", "a", "mess", "music", "and", "!", ".", ":)", "n't", "is"]
TEXTS = [
    "The film was good, and the music was so good!",
    "A bad film. A MESS :)<br /><br />It isn't good.",
    "good",
    "Nothing here that is known",
    "so so so bad",
]
REVIEWS = st.lists(st.sampled_from([*WORDS, "Good", "unheard", "<br />", "isn't"]), min_size=1, max_size=30).map(
    " ".join
)
ALL_SETTINGS = [
    ModelSettings(16, pooling=("max", "mean", "attention")),
    ModelSettings(16, pooling=("last",), bidirectional=False),
    ModelSettings(32, pooling=("last", "max", "mean"), layers=2),
    ModelSettings(16, pooling=("attention", "last"), layers=2, bidirectional=False),
]
OF_SETTINGS = ["usual", "textbook", "two layers", "two layers forward"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentimentModel:
    return SentimentModel.load(write_random_model(tmp_path_factory.mktemp("m") / "random", ALL_SETTINGS[0], WORDS))


@pytest.fixture(scope="module")
def explainer(model: SentimentModel) -> Explainer:
    return Explainer(model)


def rewritten(folder: Path, change: Callable[[dict[str, np.ndarray]], None]) -> Path:
    """Change the weights of a model folder, and its config's word for them."""
    weights = {name: np.array(array) for name, array in load_file(folder / WEIGHTS_NAME).items()}
    change(weights)
    (folder / WEIGHTS_NAME).write_bytes(save(weights))
    config = json.loads((folder / CONFIG_NAME).read_text("utf-8"))
    config["files"][WEIGHTS_NAME] = sha256_of_file(folder / WEIGHTS_NAME)
    (folder / CONFIG_NAME).write_text(json.dumps(config), "utf-8")
    return folder


def many_steps(monkeypatch: pytest.MonkeyPatch, steps: int = 200) -> None:
    monkeypatch.setattr(integrated_gradients, "SHARES_OF_THE_WAY", tuple((step + 0.5) / steps for step in range(steps)))


def as_pairs(explained: Sequence[Sequence[WordPush]]) -> list[list[tuple[str, Any]]]:
    return [[(pushed.word, pytest.approx(pushed.push, abs=1e-5)) for pushed in pushes] for pushes in explained]


def plain_pairs(explained: Sequence[Sequence[WordPush]]) -> list[list[tuple[str, float]]]:
    return [[(pushed.word, pushed.push) for pushed in pushes] for pushes in explained]


@pytest.mark.parametrize("of_model", ALL_SETTINGS, ids=OF_SETTINGS)
@needs_kernels
def test_pushes_add_up_to_the_logit_above_unknown_words(
    of_model: ModelSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SentimentModel.load(write_random_model(tmp_path / "random", of_model, WORDS))
    explainer = Explainer(model)
    sequences = model.encode(TEXTS)
    unknown = model.logits_of([np.full_like(token_ids, UNKNOWN_ID) for token_ids in sequences])
    wanted = (model.logits_of(sequences) - unknown) / model.temperature

    def gaps() -> np.ndarray:
        added = [sum(push for _, _, push in explainer.pushes_in_place(text)) for text in TEXTS]
        return np.abs(np.asarray(added) - wanted)

    roughly = gaps()
    many_steps(monkeypatch)
    exactly = gaps()
    assert exactly.max() < 0.02 * np.abs(wanted).max()
    assert roughly.mean() < 0.25 * np.abs(wanted).mean()
    assert np.abs(wanted).max() > 0.3


def test_the_pushes_of_a_network_that_adds_up_are_known(tmp_path: Path) -> None:
    """One unit that forgets at once and is averaged: a word adds 6 tanh(its number) / length to the logit."""

    def one_unit(weights: dict[str, np.ndarray]) -> None:
        for array in weights.values():
            array[...] = 0
        weights["embedding.weight"][2 + WORDS.index("good"), 0] = 1.0
        weights["embedding.weight"][2 + WORDS.index("bad"), 0] = -0.5
        weights["layers.0.forward_gru.bias_ih_l0"][16:32] = -30.0  # z: keep nothing of the state before
        weights["layers.0.forward_gru.weight_ih_l0"][32, 0] = 1.0  # n, unit 0
        weights["output.weight"][0, 0] = 6.0
        weights["output.bias"][0] = 0.7

    folder = write_random_model(tmp_path / "adds-up", ModelSettings(16, pooling=("mean",), bidirectional=False), WORDS)
    model = SentimentModel.load(rewritten(folder, one_unit))
    assert model.temperature == 1.3
    (pushes,) = Explainer(model).explain(["Good film, not bad and GOOD! unheard"], 5)
    share = 6 / 9 / 1.3
    assert plain_pairs([pushes]) == [
        [
            ("Good", pytest.approx(2 * share * np.tanh(1.0), rel=0.01)),
            ("bad", pytest.approx(-share * np.tanh(0.5), rel=0.01)),
        ]
    ]


@pytest.mark.parametrize("of_model", ALL_SETTINGS, ids=OF_SETTINGS)
@needs_kernels
def test_kernels_and_torch_agree(of_model: ModelSettings, tmp_path: Path) -> None:
    from pipeline.scoring.torch_gradients import TorchTokenPushes
    from pipeline.torch_inference import TorchClassifier

    folder = write_random_model(tmp_path / "random", of_model, WORDS)
    model = SentimentModel.load(folder)
    explainer = Explainer(model)
    assert isinstance(explainer._token_pushes, CompiledTokenPushes)
    by_torch = TorchTokenPushes(TorchClassifier.from_weights(load_file(folder / WEIGHTS_NAME), of_model))
    sequences = [*model.encode(TEXTS), np.empty(0, dtype=np.int32)]
    told: list[int] = []
    ours, theirs = explainer._token_pushes(sequences), by_torch(sequences, told.append)
    assert sum(told) == len(sequences)
    for mine, other, token_ids in zip(ours, theirs, sequences, strict=True):
        assert mine.shape == other.shape == token_ids.shape
        np.testing.assert_allclose(mine, other, atol=2e-5)
    assert max(float(np.abs(of_text).max(initial=0)) for of_text in ours) > 0.05


@needs_bfloat16
def test_reduced_precision_moves_pushes_little(model: SentimentModel, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "random", ALL_SETTINGS[0], WORDS)
    config = json.loads((folder / CONFIG_NAME).read_text("utf-8"))
    (folder / CONFIG_NAME).write_text(json.dumps({**config, "scoring_precision": "int8"}), "utf-8")
    rough = Explainer(SentimentModel.load(folder))._token_pushes(model.encode(TEXTS))
    fine = Explainer(model)._token_pushes(model.encode(TEXTS))
    furthest = max(float(np.abs(one - other).max()) for one, other in zip(rough, fine, strict=True))
    assert 0 < furthest < 0.03 * max(float(np.abs(of_text).max()) for of_text in fine)


def test_where_the_kernels_cannot_compute_a_network_torch_explains_it(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "odd", ModelSettings(10, pooling=("max", "last")), WORDS)
    explainer = Explainer(SentimentModel.load(folder))
    assert type(explainer._token_pushes).__name__ == "TorchTokenPushes"
    assert explainer.explain(TEXTS, 3)[2][0].word == "good"


def test_planted_words_are_found_as_leaving_out_finds_them(tmp_path: Path) -> None:
    def planted(weights: dict[str, np.ndarray]) -> None:
        generator = np.random.default_rng(3)
        weights["embedding.weight"][1:] = generator.normal(0, 0.05, weights["embedding.weight"][1:].shape)
        direction = generator.normal(0, 1.0, 8)
        weights["embedding.weight"][2 + WORDS.index("good")] = direction
        weights["embedding.weight"][2 + WORDS.index("bad")] = -direction

    model = SentimentModel.load(rewritten(write_random_model(tmp_path / "planted", ALL_SETTINGS[0], WORDS), planted))
    filler = "the film was so a music and the film is not a film ."
    for word in ("good", "bad"):
        text = f"{filler} {word} {filler}"
        ((pushed,),) = Explainer(model).explain([text], 1)
        effect = float(model.logits([text])[0] - model.logits([f"{filler} {filler}"])[0])
        assert pushed.word == word
        assert np.sign(pushed.push) == np.sign(effect) != 0


@settings(max_examples=20)
@given(st.lists(REVIEWS, min_size=1, max_size=12), st.randoms())
def test_an_explanation_depends_on_its_own_text_alone(explainer: Explainer, texts: list[str], chance: Any) -> None:
    together = explainer.explain(texts, 40)
    order = list(range(len(texts)))
    chance.shuffle(order)
    shuffled = explainer.explain([texts[place] for place in order], 40)
    alone = [explainer.explain([text], 40)[0] for text in texts]
    assert plain_pairs(alone) == as_pairs(together)
    assert plain_pairs(shuffled) == as_pairs([together[place] for place in order])


def test_several_threads_may_explain_at_a_time(model: SentimentModel) -> None:
    generator = np.random.default_rng(5)
    windows = [
        [" ".join(generator.choice(WORDS, generator.integers(1, 60))) for _ in range(generator.integers(1, 40))]
        for _ in range(24)
    ]
    wanted = [Explainer(model).explain(window, 5) for window in windows]
    fresh, interval = Explainer(model), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(lambda window: fresh.explain(window, 5), windows)) == wanted
    finally:
        sys.setswitchinterval(interval)


def test_the_check_is_told_of_every_text_and_may_stop(explainer: Explainer) -> None:
    told: list[int] = []
    explainer.explain([" ".join(TEXTS)] * 1000, 2, told.append)
    assert sum(told) == 1000
    assert len(told) > 1

    class StoppedError(Exception):
        pass

    def stop(_: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        explainer.explain(TEXTS, 2, stop)


@given(REVIEWS, st.integers(0, 8))
def test_the_strongest_come_first_and_no_more_than_asked_for(explainer: Explainer, text: str, count: int) -> None:
    (pushes,) = explainer.explain([text], count)
    (all_pushes,) = explainer.explain([text], 1000)
    assert pushes == all_pushes[:count]
    strengths = [abs(pushed.push) for pushed in all_pushes]
    assert strengths == sorted(strengths, reverse=True)
    assert all(strength >= SMALLEST_PUSH for strength in strengths)
    assert "unheard" not in [pushed.word for pushed in all_pushes]


@given(REVIEWS)
def test_a_words_places_are_added_whatever_their_case(explainer: Explainer, text: str) -> None:
    (pushes,) = explainer.explain([text], 1000)
    places = explainer.pushes_in_place(text)
    for pushed in pushes:
        of_word = [push for start, end, push in places if text[start:end].lower() == pushed.word.lower()]
        assert pushed.push == pytest.approx(sum(of_word), abs=1e-5)
    first = {text[start:end].lower(): text[start:end] for start, end, _ in reversed(places)}
    assert all(first[pushed.word.lower()] == pushed.word for pushed in pushes)


def test_equal_pushes_stay_in_the_order_of_the_text() -> None:
    pushes = strongest(["b", "a", "c", "B"], [0.5, -1.0, 1.0, 0.5], 9)
    assert pushes == [WordPush("b", 1.0), WordPush("a", -1.0), WordPush("c", 1.0)]


def test_of_a_long_text_only_the_words_that_are_read_count(tmp_path: Path) -> None:
    cut = dataclasses.replace(ALL_SETTINGS[0], max_tokens=5)
    model = SentimentModel.load(write_random_model(tmp_path / "cut", cut, WORDS))
    explainer = Explainer(model)
    text = "good film " + "music and " * 30 + "a bad mess"
    assert {pushed.word for pushed in explainer.explain([text], 99)[0]} == {"good", "film", "a", "bad", "mess"}
    places = explainer.pushes_in_place(text)
    assert [text[start:end] for start, end, _ in places] == ["good", "film", "a", "bad", "mess"]
    assert places[-1][1] == len(text)


def test_a_very_long_text_is_explained(explainer: Explainer) -> None:
    text = "the film was good . " * 1200
    (pushes,) = explainer.explain([text], 4)
    assert {pushed.word for pushed in pushes} <= {"the", "film", "was", "good", "."}
    assert len(pushes) >= 1


def test_the_word_of_the_review_is_shown_not_the_one_that_stands_in(tmp_path: Path) -> None:
    folder = write_random_model(
        tmp_path / "fallback", dataclasses.replace(ALL_SETTINGS[0], unknown_words="fallback"), WORDS
    )
    explainer = Explainer(SentimentModel.load(folder))
    assert [pushed.word for pushed in explainer.explain(["Goooood"], 5)[0]] == ["Goooood"]


def test_a_text_without_words_has_no_explanation(explainer: Explainer) -> None:
    assert explainer.explain(["", "<br />", "unheard of"], 5) == [[], [], []]
    assert explainer.explain([], 5) == []
    assert explainer.pushes_in_place("") == []


WORD = st.text(min_size=1, max_size=8).filter(lambda word: not any(map(str.isspace, word)))


@given(st.lists(st.tuples(WORD | st.sampled_from([";", "+1.00;", "-0.5"]), st.floats(-99, 99)), max_size=6))
def test_the_line_of_an_explanation_can_be_read_again(pushes: list[tuple[str, float]]) -> None:
    line = explanation_text([WordPush(word, push) for word, push in pushes])
    parts = line.split(" ") if line else []
    assert parts[::2] == [word for word, _ in pushes]
    assert [float(part.removesuffix(";")) for part in parts[1::2]] == [
        pytest.approx(push, abs=0.00501) for _, push in pushes
    ]


def test_the_line_of_an_explanation() -> None:
    assert explanation_text([WordPush("wonderful", 1.3249), WordPush("not", -0.875001)]) == "wonderful +1.32; not -0.88"


TAKEN_APART = [
    "<br />",
    "<BR>",
    "<br<br />>",
    "don't",
    "CAN'T",
    ":-)",
    "(Costner,",
    "well-made",
    "İSTANBUL'S",
    "ΑΣ",
    "ß",
]
NOT_LETTERS = ["👩\u200d👧", "👍🏽", "\x1b[31m", "\0", "\u2028", "\xa0", "\ud800", "e\u0301", "\u200b", " ", "\n"]
STRANGE = st.sampled_from([*TAKEN_APART, *NOT_LETTERS, "x" * 1001, "İ" * 1001])


@given(st.lists(STRANGE | st.text(max_size=6), max_size=10).map("".join))
def test_words_are_those_that_the_model_reads_and_where_they_stand(text: str) -> None:
    (forms,) = ChunkTokenizer(str)([text])
    reader = WordReader()
    words, spans = reader.words(text), reader.spans(text)
    assert [word.lower() for word in words] == forms
    assert [text[start:end] for start, end in spans] == words
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert not any(character.isspace() for word in words for character in word)


def test_the_memory_of_chunks_is_bounded_and_takes_new_ones_when_it_is_full() -> None:
    reader = WordReader(most_chunks=20)
    text = " ".join(f"word{number}" for number in range(500))
    assert reader.words(text) == text.split()
    assert [text[start:end] for start, end in reader.spans(text)] == text.split()
    assert len(reader._pieces) <= 20
    reader.words("new words")
    assert {"new", "words"} <= set(reader._pieces)


@needs_kernels
def test_explaining_imports_neither_torch_nor_spacy(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path / "random", ALL_SETTINGS[0], WORDS)
    program = (
        "import sys; from pathlib import Path; from pipeline.inference import SentimentModel\n"
        "from pipeline.scoring.explanation import Explainer\n"
        "print(Explainer(SentimentModel.load(Path(sys.argv[1]))).explain(['good film'], 1)[0][0].word)\n"
        "print([name for name in ('torch', 'spacy', 'pyarrow', 'pandas') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.stdout.splitlines()[1:] == ["[]"], done.stderr
    environment = {**os.environ, "SENTIMENT_KERNELS": "off"}
    without = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1], env=environment
    )
    assert without.stdout.splitlines()[0] == done.stdout.splitlines()[0], without.stderr


def test_the_section_of_the_benchmark_runs(workspace: Workspace, trained_model: Path, tmp_path: Path) -> None:
    from tests.test_bench import bench

    result = bench(workspace, trained_model, tmp_path, "--only", "explanations")
    section = result["sections"]["explanations"]
    assert section["failures"] == {}
    measures = {name: measure["median"] for name, measure in section["measures"].items()}
    assert measures["integrated gradients, mean fall"] > measures["words by chance, mean fall"]
    assert 0 <= measures["share of the logit not accounted for"] < 0.3


def test_places_of_a_cut_text_are_those_of_its_tokens() -> None:
    """What the explainer leans on: words are cut as token ids are."""
    token_ids = np.arange(100, dtype=np.int32)
    assert cut_to_head_and_tail(token_ids, 7).tolist() == [0, 1, 2, 96, 97, 98, 99]
