"""Packed inputs, gzip and Zstandard, read as if they were not; told by their first bytes, whatever their names.

A file that is damaged or cut short gives what comes before the damage, then :class:`DamagedInputError`. Of gzip that is
every byte that can be had, of Zstandard all but the last few hundred. What a checksum tells is known at the end of a
member only: rows before may then be damaged too.
"""

from __future__ import annotations

import zlib
from typing import Any

from pipeline.scoring.input_bytes import DamagedInputError, SteadyBytes

GZIP, ZSTANDARD = "gzip", "Zstandard"
SUFFIXES = {".gz": GZIP, ".gzip": GZIP, ".zst": ZSTANDARD, ".zstd": ZSTANDARD}
_FIRST_BYTES = {b"\x1f\x8b": GZIP, b"\x28\xb5\x2f\xfd": ZSTANDARD}
_SKIPPABLE_FRAME = b"\x2a\x4d\x18"  # after a byte 0x50 to 0x5f; parallel packers write one first
_PACKED_BYTES = 1 << 16  # read at a time
_LAST_BYTES_AT_RISK = 512  # of Zstandard; pyarrow gives nothing of a call that fails
_REMEDY = "get the file again, or unpack what can be saved and score that"


def compression_of(head: bytes) -> str | None:
    """Return how bytes are packed, by the first four of them; None where they are not."""
    if head[1:4] == _SKIPPABLE_FRAME and head[0] >> 4 == 5:
        return ZSTANDARD
    return next((kind for magic, kind in _FIRST_BYTES.items() if head.startswith(magic)), None)


def unpacked(stream: SteadyBytes, kind: str, name: str) -> SteadyBytes:
    """Return the bytes of a packed stream.

    Args:
        stream: the packed bytes, from their start.
        kind: as :func:`compression_of` gives it.
        name: the file in messages.
    """
    return GzipBytes(stream, name) if kind == GZIP else ZstandardBytes(stream, name)


class GzipBytes(SteadyBytes):
    """What a gzip file holds, all of its members one after another."""

    def __init__(self, stream: SteadyBytes, name: str) -> None:
        super().__init__()
        self._stream = stream
        self._name = name
        self._packed = b""
        self._damage: DamagedInputError | None = None
        self._member: Any = None  # zlib's decompressor has no public name

    def pull(self, size: int) -> bytes:
        """Return at most so many of the next bytes."""
        while True:
            if self._damage is not None:
                raise self._damage
            self._packed = self._packed or self._stream.read(_PACKED_BYTES)
            if self._member is None and not self._begin_member():
                return b""
            at_end = not self._packed
            piece = self._unpack(size)
            if piece:
                return piece
            if at_end and self._member is not None:
                raise DamagedInputError(self._name, "is cut short: its gzip data stop before their end", _REMEDY)

    def _begin_member(self) -> bool:
        """Begin to unpack what follows; False at the end, where zeros may stand."""
        while self._packed and not self._packed.strip(b"\0"):
            self._packed = self._stream.read(_PACKED_BYTES)
        if not self._packed:
            return False
        self._packed = self._packed.lstrip(b"\0")
        self._member = zlib.decompressobj(wbits=31)
        return True

    def _unpack(self, size: int) -> bytes:
        before = self._member.copy()
        try:
            piece: bytes = self._member.decompress(self._packed, size)
        except zlib.error as error:
            self._damage = DamagedInputError(self._name, f"its gzip data are damaged ({error})", _REMEDY)
            self._damage.__cause__ = error
            return _before_damage(before, self._packed)
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        if self._member.eof:
            self._member = None
        return piece


def _before_damage(member: Any, packed: bytes) -> bytes:
    """Return what a decompressor makes of packed bytes up to the one that it refuses."""
    pieces = []
    for place in range(len(packed)):
        try:
            pieces.append(member.decompress(packed[place : place + 1]))
        except zlib.error:
            break
    return b"".join(pieces)


class ZstandardBytes(SteadyBytes):
    """What a Zstandard file holds, all of its frames one after another."""

    def __init__(self, stream: SteadyBytes, name: str) -> None:
        super().__init__()
        import pyarrow

        self._name = name
        self._damage: type[Exception] = pyarrow.ArrowException
        self._stream = pyarrow.CompressedInputStream(pyarrow.PythonFile(stream, mode="r"), "zstd")

    def pull(self, size: int) -> bytes:
        """Return at most so many of the next bytes."""
        try:
            piece: bytes = self._stream.read(min(size, _LAST_BYTES_AT_RISK))
        except (OSError, self._damage) as error:
            reason = str(error).strip().split("\n")[0]
            what = "is cut short" if "Truncated" in reason else "its data are damaged"
            raise DamagedInputError(self._name, f"{what} (Zstandard: {reason})", _REMEDY) from error
        return piece
