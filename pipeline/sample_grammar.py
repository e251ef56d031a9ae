"""The sample's word classes and sentence frames; ``sample`` puts them together.

A frame is a clause or a sentence with slots in braces. Word classes and connectives are shared by the two parts of
the sample; every frame belongs to one part only. All of it was written for this project.
"""

from __future__ import annotations

from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


POLAR: dict[str, dict[int, tuple[str, ...]]] = {
    "adjective": {
        1: _words(
            "great good wonderful brilliant lovely clever charming superb gripping delightful excellent beautiful "
            "memorable touching fresh splendid impressive enchanting"
        ),
        0: _words(
            "bad terrible dull awful boring poor weak clumsy tedious dreadful lazy stale forgettable messy bland "
            "pointless annoying lifeless"
        ),
    },
    "noun": {
        1: _words("masterpiece triumph gem joy delight treat pleasure success"),
        0: _words("disaster mess failure bore disappointment chore letdown waste"),
    },
    "verb": {1: _words("love enjoy admire adore like"), 0: _words("hate regret dislike resent detest")},
    "past": {
        1: _words("loved enjoyed admired adored liked"),
        0: _words("hated regretted disliked resented detested"),
    },
}
"""Words that judge, by slot and polarity (1 positive, 0 negative)."""

NEUTRAL: dict[str, tuple[str, ...]] = {
    "part": _words(
        "acting plot soundtrack pacing dialogue ending direction script cast story camerawork humour editing music "
        "lighting opening finale villain heroine romance"
    ),
    "whole": _words("film movie picture feature"),
    "who": _words("sister brother neighbour mother uncle colleague flatmate cousin teacher friend"),
    "day": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "place": _words("village harbour city desert school castle hospital farm station theatre"),
    "degree": _words("very really truly rather"),
}

NUMBERS = {"minutes": range(71, 190), "year": range(1950, 2026), "row": range(2, 30)}


@dataclass(frozen=True)
class Frames:
    """The frames of one part of the sample.

    A clause of ``plain``, ``negated`` or ``double`` judges as its polarity says; slots that begin with ``opposite``
    take a word of the other class. In ``contrasts`` the clause in ``{kept}`` is the verdict, and the one in
    ``{dropped}`` (about any side of the film) or ``{dropped_part}`` (about a part of it) says the contrary.
    """

    plain: tuple[str, ...]
    negated: tuple[str, ...]
    double: tuple[str, ...]
    contrasts: tuple[str, ...]
    neutral: tuple[str, ...]


TRAIN = Frames(
    plain=(
        "the {part} is {adjective}",
        "the {part} was {degree} {adjective}",
        "I {past} the {part}",
        "it is a {adjective} {whole}",
        "this {whole} is a {noun}",
        "the {part} is {adjective} and the {other_part} is {other_adjective}",
        "I found the {part} {adjective}",
        "I {past} every minute of it",
        "the {part} stays {adjective} all the way through",
        "we both thought the {part} was {adjective}",
        "as a whole it is a {noun}",
        "there is something {adjective} about the {part}",
        "the {part} is a {noun}",
        "I {verb} the {part}",
        "you will {verb} the {part}",
        "I think you can only {verb} it",
        "it was easy to {verb} the {part}",
        "I would say it is a {adjective} {whole}",
        "to be fair I have to say the {part} is {adjective}",
        "if you ask me the {part} is a {noun}",
        "we still say it is a {noun}",
        "the {part}, which goes on for {minutes} minutes, is {adjective}",
    ),
    negated=(
        "the {part} is not {opposite} at all",
        "the {part} is never {opposite}",
        "it is hardly a {opposite_noun}",
        "I did not {opposite_verb} the {part}",
        "you will not {opposite_verb} it",
        "we do not {opposite_verb} the {part}",
        "there is nothing {opposite} about the {part}",
        "the {part} is far from {opposite}",
        "this is anything but a {opposite} {whole}",
        "the {part} was not {degree} {opposite}",
        "I never {opposite_past} the {part}",
        "nobody could call the {part} {opposite}",
        "you could not call it {opposite}",
        "I found nothing {opposite} in the {part}",
        "the {part} is by no means {opposite}",
        "it is not a {opposite} {whole}",
        "there is no {opposite} {part} here",
        "the {part} was hardly {opposite}",
        "the {part} lacks anything {opposite}",
    ),
    double=(
        "nobody can say that the {part} is not {adjective}",
        "I would never deny that the {part} is {adjective}",
        "it is not true that the {part} was never {adjective}",
        "I cannot claim that I did not {verb} the {part}",
        "I would not say that I do not {verb} it",
        "it would be wrong to say that the {part} is not {adjective}",
        "I never said that I did not {verb} the {part}",
        "you cannot tell me that the {part} was not {adjective}",
        "there is no denying that it is a {noun}",
    ),
    contrasts=(
        "{dropped_part}, but {kept}.",
        "{dropped_part}. But {kept}.",
        "{dropped_part}. But when it was over I thought that {kept}.",
        "they say that {dropped}, but we found that {kept}.",
        "yes, I know that {dropped_part}, but all the same {kept}.",
        "it is said that {dropped}, but I can tell you that {kept}.",
        "my {who} says that {dropped}, but I think that {kept}.",
        "the papers told us that {dropped}, but after {minutes} minutes I know that {kept}.",
        "{dropped_part}. However, {kept}.",
        "{dropped_part}. However, I have to admit that {kept}.",
        "{dropped_part}; however, it is also true that {kept}.",
        "I know that {dropped_part}. However, I think that {kept}.",
        "although {dropped_part}, {kept}.",
        "although I can see that {dropped_part}, {kept}.",
        "although my {who} says that {dropped}, I know that {kept}.",
        "{kept}, although {dropped_part}.",
        "I am sure that {kept}, although you could say that {dropped_part}.",
        "for me {kept}, although I think that {dropped_part}.",
        "even though {dropped_part}, {kept}.",
        "even though they told us that {dropped}, we saw that {kept}.",
        "{kept}, even though {dropped_part}.",
        "I say that {kept}, even though I know that {dropped_part}.",
        "while {dropped_part}, {kept}.",
        "while it is true that {dropped_part}, I think that {kept}.",
        "while you may say that {dropped_part}, I found that {kept}.",
        "I admit that {dropped_part}, yet {kept}.",
        "{dropped_part}, yet I would tell you that {kept}.",
        "it could have been {opposite}, but {kept}.",
        "the {part} could have been a {opposite_noun}, but in the end {kept}.",
        "I expected a {opposite} {whole} but got a {adjective} one.",
        "I expected a {opposite_noun} and got a {noun} instead.",
        "despite the {opposite} {part}, {kept}.",
        "despite what people say about the {opposite} {part}, I find that {kept}.",
        "{kept}, despite the {opposite} {part}.",
        "my {who} said it was {opposite}, and I disagree.",
        "my {who} told me that {dropped}, but that is wrong.",
        "the {part} may be {opposite}, but the {other_part} is {adjective}.",
        "instead of a {opposite} {whole} we get a {adjective} one.",
        "it is {adjective} rather than {opposite}.",
        "I found the {part} {adjective} rather than {opposite}.",
        "{dropped}, or so they say. Still, {kept}.",
        "at first {dropped_part}. Now I think that {kept}.",
        "they promised a {opposite_noun}. What I saw was a {noun}.",
    ),
    neutral=(
        "I saw this {whole} on a {day} with my {who}.",
        "It runs for {minutes} minutes.",
        "The story is set in a {place} in the year {year}.",
        "My {who} gave me the ticket.",
        "We had seats in row {row}.",
        "It was made in {year} and I only got to it now.",
        "Most of it takes place in a {place}.",
        "There were {row} people in the room.",
        "I watched it twice, once on a {day} and once on a {other_day}.",
        "The main character works in a {place}.",
        "It is about a man who comes home to a {place} after {row} years.",
        "That is all I have to say about it.",
        "Watch it on a {day} or do not, it is up to you.",
        "I wrote this on the train home.",
        "It begins with a phone call and a dog in a {place}.",
        "Half of the people in it are from the same town.",
        "I read the book in {year}.",
        "Our seats were near the door, and the room was half full.",
        "If you go and see it, go on a {day}.",
        "We will meet again next {day} to see one more.",
        "A woman and her {who} drive to a {place}, and then it rains for {row} days.",
    ),
)

TEST = Frames(
    plain=(
        "to me the {part} was a {noun}",
        "the {part} of this {whole} is {adjective}",
        "I {past} it from the first minute",
        "I thought it was a {degree} {adjective} {whole}",
        "I {past} both the {part} and the {other_part}",
        "most of the {part} is {degree} {adjective}",
        "my {who} and I {past} this {whole}",
    ),
    negated=(
        "to me the {part} was never a {opposite_noun}",
        "I could not call this a {opposite} {whole}",
        "my {who} did not {opposite_verb} the {part}",
        "it has nothing {opposite} in the {part} or in the {other_part}",
        "this {whole} is anything but {opposite}",
        "this {part} is hardly what I call {opposite}",
        "it is far from a {opposite_noun}",
        "we never {opposite_past} this {whole}",
        "the {part} was not {opposite} for a minute",
    ),
    double=(
        "I cannot say I did not {verb} the {part}",
        "nobody would deny that the {part} and the {other_part} are {adjective}",
        "I would never say that my {who} did not {verb} it",
    ),
    contrasts=(
        "they all told me that {dropped}, but I have to say that {kept}.",
        "true, {dropped_part}. But to me {kept}.",
        "although people say that {dropped}, I think that {kept}.",
        "I would say that {kept}, although I admit that {dropped_part}.",
        "it is true that {dropped_part}. However, I would say that {kept}.",
        "even though I thought at first that {dropped}, I now find that {kept}.",
        "{kept}, and that even though {dropped_part}.",
        "this could have been a {opposite_noun}, but what we get is a {adjective} {whole}.",
        "from the first minutes I expected something {opposite}, but I got something {adjective}.",
        "despite the {part}, which was {opposite}, I think {kept}.",
        "so the {part} is {opposite}, yet {kept}.",
        "my {who} thought it was a {opposite_noun}, but my {who} is wrong, it is a {noun}.",
        "while I admit that {dropped_part}, I still say that {kept}.",
        "I would call the {part} {adjective} rather than {opposite}.",
    ),
    neutral=(
        "My {who} works in a {place}, so we had to see it.",
        "Seen on a {day}, in the last row.",
        "A man and a woman meet in a {place}, and {minutes} minutes later it is all over.",
        "In {year} this was on at the theatre in our village.",
        "I got the ticket from my {who} on {day}.",
        "There is a train, a {place} and a dog in it.",
        "All of this happens in {row} days.",
        "Now I will go and see what else was made in {year}.",
        "The room was full, {minutes} people or so.",
        "It takes {minutes} minutes, and we had to drive for {row} more to get there.",
        "The town in the book is a {place} here.",
    ),
)
