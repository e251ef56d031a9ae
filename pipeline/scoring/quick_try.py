"""A quick try: texts of the command line, each with the answer, its probability and the words that mattered.

In colour green words push towards positive and red ones towards negative, the stronger the bolder. Without colour each
carries its push: ``bad[-1.1]``. What a text says to the terminal itself, such as an escape sequence, is shown and never
sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from pipeline.review_text import is_blank
from pipeline.scoring.answers import answer
from pipeline.scoring.explanation import Explainer, WordPush, explanation_text, strongest

if TYPE_CHECKING:
    from pipeline.inference import SentimentModel

WORDS = 5
"""Named below the text."""
SMALLEST_MARKED = 0.1
_STYLES = ((1.0, "1;30;42", "1;37;41"), (0.5, "1;32", "1;31"), (SMALLEST_MARKED, "32", "31"))
"""From which push on: how it looks towards positive, and towards negative. On a bright ground, bold, plain."""
_JOINERS = "\u200c\u200d"
"""Hold emoji and letters of some scripts together; harmless."""
_INDENT = "  "


def quick_try(
    texts: Sequence[str],
    model: SentimentModel,
    stream: TextIO,
    threshold: float,
    abstain_below: float | None,
    colour: bool,
) -> None:
    """Score texts and write what mattered in them; a blank one has no answer.

    Args:
        texts: N texts.
        model: scores them.
        stream: receives some lines for each; what its encoding lacks is written as an escape.
        threshold: probability from which a text counts as positive.
        abstain_below: the answer is ``uncertain`` where the more likely class is less probable than this.
        colour: whether the stream is a terminal that shows colours.
    """
    explainer = Explainer(model)
    for number, text in enumerate(texts):
        if number:
            stream.write("\n")
        for line in lines_of(text, model, explainer, threshold, abstain_below, colour):
            encoding = stream.encoding or "utf-8"
            stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def lines_of(
    text: str,
    model: SentimentModel,
    explainer: Explainer,
    threshold: float,
    abstain_below: float | None,
    colour: bool,
) -> Iterator[str]:
    """Yield the lines about one text: the answer, the text itself, the strongest words, what is worth knowing."""
    if is_blank(text):
        yield "no answer: the text is blank"
        return
    (probability,) = model.probabilities([text]).tolist()
    yield f"{answer(probability, threshold, abstain_below)}   positive_probability {probability:.6f}"
    places = explainer.pushes_in_place(text)
    yield from (_INDENT + line for line in marked(text, places, colour).split("\n"))
    words = strongest([text[start:end] for start, end, _ in places], [push for _, _, push in places], WORDS)
    shown = explanation_text([WordPush(shown_safely(word.word), word.push) for word in words])
    yield f"{_INDENT}words that mattered: {shown or 'none'}"
    reading = model.read([text])
    yield from (f"{_INDENT}note: {shown_safely(str(note))}" for note in reading.notes if note is not None)
    if reading.cut:
        yield f"{_INDENT}note: only the {len(places)} words at the beginning and the end were read"


def marked(text: str, places: Sequence[tuple[int, int, float]], colour: bool) -> str:
    """Return a text with the words marked that push by 0.1 or more, safe to write to a terminal.

    Args:
        text: as given.
        places: start, end and push of its words, in order.
        colour: whether to mark by colour, else by number.
    """
    parts = []
    done = 0
    for start, end, push in places:
        if abs(push) < SMALLEST_MARKED:
            continue
        word = shown_safely(text[start:end])
        parts.append(shown_safely(text[done:start]))
        parts.append(f"\x1b[{style_of(push)}m{word}\x1b[0m" if colour else f"{word}[{push:+.1f}]")
        done = end
    return "".join([*parts, shown_safely(text[done:])])


def style_of(push: float) -> str:
    """Return the terminal's code for the look of a push of at least 0.1."""
    return next(positive if push > 0 else negative for least, positive, negative in _STYLES if abs(push) >= least)


def shown_safely(text: str) -> str:
    """Return a text that a terminal shows and does not obey: line ends stay, other white space becomes blanks.

    Control characters and those that turn the direction of writing become escapes such as ``\\x1b``.
    """
    if text.isprintable():
        return text
    return "".join(map(_character_shown_safely, text))


def _character_shown_safely(character: str) -> str:
    if character == "\n" or character in _JOINERS or character.isprintable():
        return character
    return " " if character.isspace() else character.encode("unicode_escape").decode("ascii")
