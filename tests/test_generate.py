"""Promises: the text is drawn from the model's own probabilities, reads well, and is the same for the same seed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline import generate
from pipeline.chunk_tokenizer import ChunkTokenizer
from pipeline.cli import main
from pipeline.console import Console
from pipeline.generate import SamplingSettings, TextGenerator, drawn_from, generate_texts, word_probabilities
from pipeline.readable_text import joined
from pipeline.special_tokens import UNKNOWN_ID
from tests.conftest import OPENINGS, tiny_reviews

logits_of_words = st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=40).map(
    lambda values: np.asarray(values, dtype=np.float32)
)


@pytest.fixture(scope="module")
def generator(language_model: Path) -> TextGenerator:
    return TextGenerator.load(language_model)


@given(logits=logits_of_words, temperature=st.floats(0.05, 5), top_p=st.floats(0.01, 1))
def test_the_nucleus_is_the_fewest_likeliest_words_that_sum_to_top_p(
    logits: np.ndarray, temperature: float, top_p: float
) -> None:
    found = word_probabilities(logits, temperature, top_p)
    allowed = np.delete(logits.astype(np.float64), UNKNOWN_ID) / temperature
    whole = np.insert(torch.softmax(torch.from_numpy(allowed), dim=0).numpy(), UNKNOWN_ID, 0.0)
    kept = found > 0
    assert found.sum() == pytest.approx(1)
    assert not kept[UNKNOWN_ID]
    assert found[kept] == pytest.approx(whole[kept] / whole[kept].sum())
    assert whole[kept].sum() >= top_p - 1e-9
    assert whole[kept].sum() - whole[kept].min() < top_p + 1e-9  # one word fewer would be too few
    left_out = np.delete(whole, np.append(np.flatnonzero(kept), UNKNOWN_ID))
    assert left_out.max(initial=0) <= whole[kept].min() + 1e-12


@given(logits=logits_of_words)
def test_at_temperature_0_and_near_it_the_likeliest_word_is_sure(logits: np.ndarray) -> None:
    allowed = logits.astype(np.float64)
    allowed[UNKNOWN_ID] = -np.inf
    assert word_probabilities(logits, 0, 1.0)[allowed.argmax()] == 1
    cold = word_probabilities(logits, 1e-300, 1.0)
    assert (cold > 0).tolist() == (allowed == allowed.max()).tolist()


def test_words_are_drawn_as_often_as_their_probability_says() -> None:
    probabilities = np.array([0.0, 0.5, 0.0, 0.3, 0.2, 0.0])
    generator = np.random.default_rng(0)
    drawn = np.bincount([drawn_from(probabilities, generator) for _ in range(10_000)], minlength=6) / 10_000
    assert np.abs(drawn - probabilities).max() < 0.02
    assert not drawn[probabilities == 0].any()


def test_each_word_is_drawn_from_the_softmax_after_all_words_before(
    generator: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def noted(logits: np.ndarray, temperature: float, top_p: float) -> np.ndarray:
        seen.append(logits.copy())
        return word_probabilities(logits, temperature, top_p)

    monkeypatch.setattr(generate, "word_probabilities", noted)
    words = generator.words_after("The FILM was", SamplingSettings(tokens=12, temperature=1.5, top_p=1.0), 0)
    forms = ["the", "film", "was", *words]
    token_ids = torch.from_numpy(generator.vocabulary.token_ids(forms)).long()
    with torch.no_grad():
        states, _ = generator.model.directions()[0](generator.model.embedding(token_ids))
        expected = generator.model.logits(states, 0).numpy()[2 : 2 + len(seen)]
    assert len(seen) >= len(words) > 0
    assert np.abs(np.stack(seen) - expected).max() < 1e-4


def test_it_writes_what_it_read(generator: TextGenerator) -> None:
    known = {token for text, _ in tiny_reviews(OPENINGS[:2]) for token in generator.forms(text)}
    settings = SamplingSettings(tokens=40, temperature=0)
    words = generator.words_after("I thought the", settings, 0)
    assert words[1] == "was"
    assert set(words) <= known
    assert len(words) < 40  # it has learnt that reviews end
    assert all(len(generator.words_after("We", SamplingSettings(tokens=n, temperature=2.0), 0)) <= n for n in (1, 2, 5))


@pytest.mark.parametrize("prompt", ["", "  \n ", "The film", "zzyzx \udcff\x1b[31m <unk> <pad>"])
def test_no_word_stands_for_unknown_ones_whatever_the_heat(generator: TextGenerator, prompt: str) -> None:
    for index in range(20):
        words = generator.words_after(prompt, SamplingSettings(tokens=30, temperature=50.0, top_p=1.0), index)
        assert not {"<unk>", "<pad>"} & set(words)
        assert words or prompt.strip()  # an empty prompt still gives a text


def test_a_seed_gives_the_same_texts_and_more_texts_change_none(language_model: Path, quiet: Console) -> None:
    def texts(count: int, seed: int) -> list[str]:
        settings = SamplingSettings(tokens=20, temperature=1.5, seed=seed)
        return list(generate_texts(language_model, "The", settings, count, quiet))

    three = texts(3, seed=4)
    assert texts(3, seed=4) == three
    assert texts(1, seed=4) == three[:1]
    assert len(set(three)) > 1
    assert texts(3, seed=5) != three


SENTENCES = [
    "It's a well-made film, isn't it? They've said (more than once) that I can't judge!",
    'He said: "I don\'t know," and left. "You\'ll see," she said.',
    "10/10... the best/worst of 2003; 90% of it cost $5. Gonna watch it again, let's go.",
    "Mr. X of the U.S. met Dr. No at 5 p.m., i.e. too late.",
    "The film -- all of it -- was 'good'. And (yes!) I'd go.",
]


def test_tokens_of_a_sentence_join_to_the_sentence() -> None:
    sentences = [*SENTENCES, *(text.replace("<br />", " ") for text, _ in tiny_reviews(OPENINGS))]
    written = [joined(tokens) for tokens in ChunkTokenizer(str)(sentences)]
    assert written == [sentence.replace(" X ", " x ").replace(" No ", " no ") for sentence in sentences]


TOKENS = [
    "film",
    ",",
    ".",
    "!",
    "?",
    '"',
    "(",
    ")",
    "-",
    "'",
    "n't",
    "'s",
    "i",
    "mr.",
    "u.s.",
    "$",
    "10",
    "%",
    "...",
    "dull",
]


@given(st.lists(st.sampled_from(TOKENS), max_size=15))
def test_joining_loses_nothing_but_blanks_and_capitals(tokens: list[str]) -> None:
    text = joined(tokens)
    assert "".join(text.split()).lower() == "".join(tokens)
    assert "  " not in text
    assert text == text.strip()
    assert joined(tokens, "A (short").startswith("A (short")


@pytest.mark.parametrize(
    ("start", "tokens", "text"),
    [
        ("This film", ["is", "n't", "bad", "."], "This film isn't bad."),
        ("This film.", ["it", "is"], "This film. It is"),
        ('He says "no', ['"', "."], 'He says "no".'),
        ("a well-", ["made"], "a well-made"),
        ("", ["\x1b[31mred", "a\x96b", "\x93x\x94"], "[31mred a–b “x”"),
    ],
)
def test_the_prompt_is_kept_and_gone_on_from(start: str, tokens: list[str], text: str) -> None:
    assert joined(tokens, start) == text


def command(folder: Path, *options: str) -> int:
    return main(["--data-dir", str(folder.parents[1]), "generate", *options])


def test_the_command_writes_texts_to_standard_output_and_the_rest_elsewhere(
    language_model: Path, generator: TextGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--prompt", "The film xyzzy", "--tokens", "9", "--temperature", "1", "--top-p", "0.9", "--seed", "3"]
    assert command(language_model, *options, "--count", "2") == 0
    captured = capsys.readouterr()
    settings = SamplingSettings(tokens=9, temperature=1.0, top_p=0.9, seed=3)
    texts = [generator.text("The film xyzzy", settings, index) for index in range(2)]
    assert captured.out == f"{texts[0]}\n\n{texts[1]}\n"
    assert "not in its vocabulary: 'xyzzy'" in captured.err
    assert command(language_model, "--prompt", "a\udcffb", "--tokens", "1", "--quiet") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("a\ufffdb ")
    assert captured.err == ""


def test_the_command_without_prompt_begins_by_itself(language_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(language_model, "--tokens", "5") == 0
    out = capsys.readouterr().out
    assert out.strip()
    assert out[0].isupper()


def test_without_an_encoder_the_command_to_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(tmp_path), "generate", "--encoder", "mine"]) == 1
    captured = capsys.readouterr()
    assert "run `sentiment pretrain --name mine`" in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_damaged_encoder_is_refused(language_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(language_model, tmp_path / "encoders" / "default"))
    (folder / "vocabulary.txt").write_text("<pad>\n<unk>\n")
    assert command(folder) == 1
    assert "vocabulary.txt: changed since it was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--tokens", "0"],
        ["--count", "0"],
        ["--temperature", "-1"],
        ["--temperature", "nan"],
        ["--temperature", "inf"],
        ["--top-p", "0"],
        ["--top-p", "1.1"],
        ["--seed", "-3"],
        ["--encoder", "../x"],
    ],
)
def test_bad_ranges_are_the_command_lines_fault(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["generate", *options])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
