"""Damage to files: seeded edits at random places, and what of the original they left alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

TOKENS = [
    b'"',
    b'""',
    b",",
    b";",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b'"\n',
    b',"',
    b'",',
    b"\xff",
    b"\xef\xbb\xbf",
    b"{",
    b"}",
]
_LONGEST_SLICE = 200


@dataclass(frozen=True)
class Edit:
    """Bytes from ``start`` to ``end`` of the original that are replaced."""

    start: int
    end: int
    replacement: bytes


@dataclass(frozen=True)
class Damaged:
    """A damaged file.

    Attributes:
        content: what is left of it.
        edits: what was done to the original, in order, none over another.
    """

    content: bytes
    edits: Sequence[Edit]

    @property
    def first_touched(self) -> int:
        """Return where in the original the first edit is."""
        return self.edits[0].start

    def leaves_alone(self, start: int, end: int) -> bool:
        """Whether nothing is changed in a stretch of the original, nor inserted right before or after it."""
        return all(edit.end < start or edit.start > end for edit in self.edits)


def damage(content: bytes, seed: int, protected: int = 0) -> Damaged:
    """Return a damaged copy.

    Args:
        content: the original.
        seed: the same gives the same damage.
        protected: so many bytes at the beginning stay as they are.
    """
    draw = random.Random(seed)
    edits: list[Edit] = []
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        kind = draw.choice(["flip", "insert", "token", "token", "delete", "cut", "duplicate", "swap"])
        drawn = _edits_of(kind, content, draw, protected)
        if all(edit.end < other.start or edit.start > other.end for edit in drawn for other in edits):
            edits.extend(drawn)
    edits.sort(key=lambda edit: edit.start)
    pieces, done = [], 0
    for edit in edits:
        pieces += [content[done : edit.start], edit.replacement]
        done = edit.end
    return Damaged(b"".join([*pieces, content[done:]]), edits)


def flipped(content: bytes, seed: int, start: int, end: int) -> Damaged:
    """Return a copy with a few bits turned over between two places; its length stays."""
    draw = random.Random(seed)
    places = sorted({draw.randrange(start, end) for _ in range(draw.choice([1, 2, 8]))})
    edits = [Edit(place, place + 1, bytes([content[place] ^ (1 << draw.randrange(8))])) for place in places]
    damaged = bytearray(content)
    for edit in edits:
        damaged[edit.start : edit.end] = edit.replacement
    return Damaged(bytes(damaged), edits)


def _edits_of(kind: str, content: bytes, draw: random.Random, protected: int) -> list[Edit]:
    place = draw.randrange(protected, len(content))
    start, end = _slice(content, draw, protected)
    if kind == "flip":
        return [Edit(place, place + 1, bytes([content[place] ^ (1 << draw.randrange(8))]))]
    if kind == "insert":
        return [Edit(place, place, draw.randbytes(draw.randint(1, 8)))]
    if kind == "token":
        return [Edit(place, place, draw.choice(TOKENS))]
    if kind == "delete":
        return [Edit(start, end, b"")]
    if kind == "cut":
        return [Edit(place, len(content), b"")]
    if kind == "duplicate":
        return [Edit(place, place, content[start:end])]
    others = _slice(content, draw, protected)
    first, second = sorted([(start, end), others])
    if first[1] >= second[0]:
        return [Edit(place, place + 1, b"")]
    return [Edit(*first, content[slice(*second)]), Edit(*second, content[slice(*first)])]


def _slice(content: bytes, draw: random.Random, protected: int) -> tuple[int, int]:
    start = draw.randrange(protected, len(content))
    return start, min(len(content), start + draw.randint(1, draw.choice([2, 10, _LONGEST_SLICE])))
