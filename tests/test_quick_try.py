"""Promise: a quick try shows the answer and what mattered where it stands, and no text commands the terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import ModelSettings
from pipeline.inference import SentimentModel
from pipeline.scoring.explanation import Explainer
from pipeline.scoring.quick_try import SMALLEST_MARKED, marked, quick_try, shown_safely, style_of
from tests.stub_models import write_random_model

WORDS = ["the", "film", "was", "good", "bad", "so", "not", "a", "mess", "and", "!", ".", ":)", "is", "br", "at", "\x07"]
STYLE = re.compile(r"\x1b\[(?:1;30;42|1;37;41|1;32|1;31|32|31|0)m")
PUSH = re.compile(r"\[[+-]\d+\.\d\]")
TEXTS = st.lists(
    st.sampled_from(
        [*WORDS, "Good", "<br />", "🙂", "👩\u200d👧", "\x1b[2J", "\x07", "\u202e", "\r\n", "\t", " ", "\ud800", "é"]
    )
    | st.text(max_size=5),
    max_size=25,
).map(" ".join)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SentimentModel:
    settings = ModelSettings(16, pooling=("max", "mean", "attention"))
    return SentimentModel.load(write_random_model(tmp_path_factory.mktemp("models") / "random", settings, WORDS))


@pytest.fixture(scope="module")
def explainer(model: SentimentModel) -> Explainer:
    return Explainer(model)


def tried(
    model: SentimentModel,
    *texts: str,
    threshold: float = 0.5,
    abstain_below: float | None = None,
    colour: bool = False,
) -> str:
    stream = io.StringIO()
    quick_try(texts, model, stream, threshold, abstain_below, colour)
    return stream.getvalue()


@given(TEXTS)
def test_without_the_marks_the_text_is_the_one_given(explainer: Explainer, text: str) -> None:
    places = explainer.pushes_in_place(text)
    assert STYLE.sub("", marked(text, places, colour=True)) == shown_safely(text)
    numbered = marked(text, places, colour=False)
    if not PUSH.search(text):
        assert PUSH.sub("", numbered) == shown_safely(text)
    assert len(PUSH.findall(numbered)) - len(PUSH.findall(text)) == sum(
        abs(push) >= SMALLEST_MARKED for _, _, push in places
    )


@given(TEXTS, st.booleans())
def test_nothing_of_a_text_commands_the_terminal(model: SentimentModel, text: str, colour: bool) -> None:
    shown = STYLE.sub("", tried(model, text, colour=colour)) if colour else tried(model, text)
    assert all(character.isprintable() or character in "\n\u200c\u200d" for character in shown)


def test_words_are_marked_where_they_stand() -> None:
    text = "Not bad,\nnot bad <br />at all 🙂"
    places = [(0, 3, 0.72), (4, 7, -1.26), (7, 8, 0.05), (9, 12, 0.1), (23, 25, -0.55), (30, 31, 0.3)]
    assert marked(text, places, colour=False) == "Not[+0.7] bad[-1.3],\nnot[+0.1] bad <br />at[-0.6] all 🙂[+0.3]"
    assert marked(text, places, colour=True) == (
        "\x1b[1;32mNot\x1b[0m \x1b[1;37;41mbad\x1b[0m,\n\x1b[32mnot\x1b[0m bad <br />\x1b[1;31mat\x1b[0m all "
        "\x1b[32m🙂\x1b[0m"
    )
    assert marked("a\x1b[0mb", [(0, 6, 2.0)], colour=False) == "a\\x1b[0mb[+2.0]"


@pytest.mark.parametrize(("push", "style"), [(5.0, "1;30;42"), (-1.0, "1;37;41"), (0.99, "1;32"), (-0.1, "31")])
def test_the_stronger_the_bolder(push: float, style: str) -> None:
    assert style_of(push) == style


def test_the_answer_is_that_of_the_scorer(model: SentimentModel) -> None:
    texts = ["the film was good", "a bad mess", "so so"]
    probabilities = model.probabilities(texts).tolist()
    blocks = tried(model, *texts, threshold=0.6).split("\n\n")
    for text, probability, block in zip(texts, probabilities, blocks, strict=True):
        first, second, third = block.strip("\n").split("\n")[:3]
        verdict = "positive" if probability >= 0.6 else "negative"
        assert first == f"{verdict}   positive_probability {probability:.6f}"
        assert PUSH.sub("", second) == f"  {text}"
        assert third.startswith("  words that mattered: ")
    assert all(line.startswith("uncertain ") for line in tried(model, texts[2], abstain_below=1.0).splitlines()[:1])


def test_the_words_that_mattered_are_those_of_the_explanation(model: SentimentModel, explainer: Explainer) -> None:
    text = "The film was bad, and bad is not good!"
    line = next(line for line in tried(model, text).splitlines() if "mattered" in line)
    named = [part.split(" ")[0] for part in line.split(": ", 1)[1].split("; ")]
    assert named == [pushed.word for pushed in explainer.explain([text], 5)[0]]
    assert "words that mattered: none" in tried(model, "unheard of")


def test_a_blank_text_has_no_answer(model: SentimentModel) -> None:
    assert tried(model, " \n", "good").startswith("no answer: the text is blank\n\n")


def test_a_terminal_that_lacks_a_character_gets_its_escape(model: SentimentModel) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="")
    quick_try(["good 🙂 \ud83d"], model, stream, 0.5, None, False)
    stream.flush()
    assert rb"\U0001f642 \ud83d" in raw.getvalue()


def test_what_was_noticed_while_reading_is_said(model: SentimentModel, tmp_path: Path) -> None:
    settings = ModelSettings(16, pooling=("max",), max_tokens=4)
    cut = SentimentModel.load(write_random_model(tmp_path / "cut", settings, WORDS))
    assert "note: only the 4 words at the beginning and the end were read" in tried(cut, "the film was so good !")
    assert "note:" not in tried(cut, "the film was good")
    (note,) = model.read(["Nichts von alledem ist dem Netz bekannt und lesen kann es davon kaum ein Wort hier"]).notes
    assert note is not None
    assert f"note: {note}" in tried(
        model, "Nichts von alledem ist dem Netz bekannt und lesen kann es davon kaum ein Wort hier"
    )
