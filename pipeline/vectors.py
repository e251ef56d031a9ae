"""Word vectors in GloVe's text format: a word, then its numbers, separated by single spaces, one word a line.

Tables are read as bytes and split at ``\\n`` alone, because published tables hold words with other line separators
(Twitter's has U+0085) and words with spaces (840B's has ``. . .``): a line is split from the right into exactly as many
numbers as the table has dimensions. Only the wanted words' vectors are kept in memory, but every line is looked at, so
that a damaged table is found whichever words are wanted.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SentimentError
from pipeline.special_tokens import PAD_ID

Distribution = Literal["matched", "standard"]

"""The row of ``<pad>``; it stays zero."""
SCALE_WITHOUT_VECTORS = 0.1
"""Standard deviation of drawn rows where there is no found vector to match."""
LONGEST_LINE = 1 << 20
"""Bytes. A longer line means that the file is no table; it is refused before it fills the memory."""
READ_BUFFER = 1 << 20
PREFERRED_DIMENSION = 100
"""Taken from a zip of several tables when no dimension is asked for."""

NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
NUMBER_BYTES = b"0123456789+-.eE "
TABLE_SUFFIXES = (".txt", ".vec")


class GloveTable:
    """A table in GloVe's text format, in a text file or in a zip; a word2vec header line is skipped.

    Args:
        path: ``.txt`` (or any other text file), or a zip that holds such files.
        dimension: numbers a word must have; None takes what the first line has. In a zip of several tables it
            chooses the one (``...100d.txt``).

    Attributes:
        name: path (and member) for messages.
        file_name: of the text file, in the zip or outside.
        dimension: numbers a word has; None until the first line has been read.
        sha256: of the table's text, the same for a text file and for the zip around it; empty until all is read.
    """

    def __init__(self, path: Path, dimension: int | None = None) -> None:
        self.path = path
        self.name = str(path)
        self.file_name = path.name
        self.dimension = dimension
        self.sha256 = ""
        self._line_number = 0

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield each line's word and numbers as UTF-8 bytes, in file order.

        Raises:
            SentimentError: the file is missing, damaged, no table, or has a line of another dimension.
        """
        try:
            with ExitStack() as stack:
                yield from self._entries(self._open(stack))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise SentimentError(f"{self.name}: damaged zip ({error}); download it again") from error
        except OSError as error:
            raise SentimentError(f"{self.name}: cannot be read ({error.strerror or error})") from error

    def numbers(self, numbers: bytes) -> NDArray[np.float32]:
        """Return the numbers of the line read last, float32, (dimension,).

        Raises:
            SentimentError: one of them is no finite number.
        """
        try:
            with np.errstate(over="ignore"):
                vector = np.array([float(number) for number in numbers.split(b" ")], dtype=np.float32)
        except ValueError:
            raise self._broken("holds something that is no number; mend the line or get the file again") from None
        if not np.isfinite(vector).all():
            raise self._broken("holds a number that 32 bits cannot hold")
        return vector

    def _open(self, stack: ExitStack) -> BinaryIO:
        if self.path.suffix.lower() != ".zip" and not zipfile.is_zipfile(self.path):
            return stack.enter_context(self.path.open("rb", buffering=READ_BUFFER))
        if self.path.is_file() and not zipfile.is_zipfile(self.path):
            raise SentimentError(f"{self.path}: no zip file (a saved error page?); download it again")
        archive = stack.enter_context(zipfile.ZipFile(self.path))
        member = table_member(archive, self.path, self.dimension)
        self.name = f"{self.path}:{member.filename}"
        self.file_name = Path(member.filename).name
        try:
            return io.BufferedReader(stack.enter_context(archive.open(member)), READ_BUFFER)  # type: ignore[type-var]
        except (NotImplementedError, RuntimeError) as error:
            raise SentimentError(f"{self.name}: cannot be unpacked ({error}); unpack it yourself") from error

    def _entries(self, stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
        digest = hashlib.sha256()
        first = True
        while line := stream.readline(LONGEST_LINE):
            self._line_number += 1
            digest.update(line)
            if len(line) == LONGEST_LINE:
                raise self._broken(f"longer than {LONGEST_LINE:,} bytes; the file is no table in GloVe format")
            content = line.rstrip(b"\r\n ")
            if not content:
                if stream.readline(1):
                    raise self._broken("empty; take the line out")
                break
            if first:
                first = False
                content = content.removeprefix(b"\xef\xbb\xbf")
                if self._is_header(content):
                    continue
            yield self._split(content)
        if first:
            raise SentimentError(f"{self.name}: empty; give a table in GloVe format")
        self.sha256 = digest.hexdigest()

    def _is_header(self, content: bytes) -> bool:
        """Take the dimension from the first line; return whether it is word2vec's ``WORDS DIMENSION``."""
        pieces = content.split(b" ")
        header = len(pieces) == 2 and pieces[0].isdigit() and pieces[1].isdigit()
        if header:
            found = int(pieces[1])
        else:
            trailing = (index for index, piece in enumerate(reversed(pieces)) if not NUMBER.match(piece))
            found = min(next(trailing, len(pieces)), len(pieces) - 1)
        if not found:
            raise self._broken("no numbers after the word; the file is no table in GloVe format")
        if self.dimension is not None and found != self.dimension:
            raise self._broken(
                f"{found} dimensions where {self.dimension} were asked for; "
                f"give --dimension {found}, or a table of {self.dimension}"
            )
        self.dimension = found
        return header

    def _split(self, content: bytes) -> tuple[bytes, bytes]:
        """Split a line from the right into its word and exactly ``dimension`` numbers."""
        dimension = self.dimension or 0
        count = content.count(b" ")
        if count < dimension:
            raise self._broken(f"{count} numbers where {dimension} belong; mend the line or get the file again")
        if count == dimension:
            word, _, numbers = content.partition(b" ")
        else:
            word = content.rsplit(b" ", dimension)[0]
            numbers = content[len(word) + 1 :]
            if NUMBER.match(word.rpartition(b" ")[2]):
                raise self._broken(f"more than {dimension} numbers")
        if numbers.translate(None, NUMBER_BYTES):
            raise self._broken("holds something that is no number; mend the line or get the file again")
        return word, numbers

    def _broken(self, reason: str) -> SentimentError:
        return SentimentError(f"{self.name}: line {self._line_number}: {reason}")


def table_member(archive: zipfile.ZipFile, path: Path, dimension: int | None) -> zipfile.ZipInfo:
    """Return the table of a zip: the only one, or the one whose name says the dimension.

    Raises:
        SentimentError: there is none, or the name of none or several says it.
    """
    tables = [
        member
        for member in archive.infolist()
        if member.filename.lower().endswith(TABLE_SUFFIXES) and not member.filename.startswith("__MACOSX/")
    ]
    if len(tables) == 1:
        return tables[0]
    wanted = dimension or PREFERRED_DIMENSION
    named = [table for table in tables if re.search(rf"(?<!\d){wanted}d(?![a-z0-9])", table.filename)]
    if len(named) == 1:
        return named[0]
    names = ", ".join(table.filename for table in tables) or "no .txt file at all"
    raise SentimentError(f"{path}: cannot tell which table of {wanted} dimensions to take; it holds {names}")


def wanted_entries(table: GloveTable, words: Sequence[str]) -> Iterator[tuple[int, bytes, NDArray[np.float32]]]:
    """Yield ``(index in words, line without its end, vector)`` of each wanted word's first line in the table.

    Raises:
        SentimentError: see :class:`GloveTable`.
    """
    index_of_word = {word.encode(): index for index, word in enumerate(words)}
    for word, numbers in table:
        index = index_of_word.pop(word, None)
        if index is not None:
            yield index, word + b" " + numbers, table.numbers(numbers)


def read_vectors(table: GloveTable, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Read the vectors of some words.

    Returns:
        vectors: float32, (len(words), dimension); zero where the table has no vector.
        found: uint8, (len(words),); 1 where it has.

    Raises:
        SentimentError: see :class:`GloveTable`.
    """
    vector_of_index = {index: vector for index, _, vector in wanted_entries(table, words)}
    vectors = np.zeros((len(words), table.dimension or 0), dtype=np.float32)
    found = np.zeros(len(words), dtype=np.uint8)
    for index, vector in vector_of_index.items():
        vectors[index] = vector
        found[index] = 1
    return vectors, found


def draw_missing_vectors(
    vectors: NDArray[np.float32],
    found: NDArray[np.uint8],
    *,
    seed: int,
    distribution: Distribution = "matched",
) -> NDArray[np.float32]:
    """Return a copy whose rows without a vector are drawn from a normal distribution, row by row.

    Args:
        vectors: float32, (V, D).
        found: (V,); the rows where it is not 0 are kept as they are.
        seed: the same seed draws the same rows.
        distribution: ``matched`` takes each dimension's mean and standard deviation over the found rows (0 and 0.1
            where fewer than two were found); ``standard`` takes 0 and 1, as the textbook recipe does.

    Returns:
        float32, (V, D); row 0 (``<pad>``) is zero.
    """
    missing = found == 0
    known = vectors[~missing].astype(np.float64)
    drawn = np.random.default_rng(seed).standard_normal((int(missing.sum()), vectors.shape[1]))
    if distribution == "matched":
        matchable = len(known) > 1
        scale = known.std(axis=0) if matchable else SCALE_WITHOUT_VECTORS
        drawn = drawn * scale + (known.mean(axis=0) if matchable else 0.0)
    result = vectors.astype(np.float32)
    result[missing] = drawn.astype(np.float32)
    result[PAD_ID] = 0.0
    return result


def coverage(counts: NDArray[np.int64], found: NDArray[np.uint8], train_tokens: int) -> dict[str, int | float]:
    """Say how much of the train text has a vector.

    Args:
        counts: (words,); how often each word of the vocabulary stands in train.
        found: (words,); 1 where the table has a vector.
        train_tokens: all tokens of train, in the vocabulary or not.

    Returns:
        ``types``: share of the vocabulary's words with a vector. ``tokens``: share of all train tokens with one;
        ``vocabulary_tokens``: share of them in the vocabulary at all. The counts stand beside the shares.
    """
    with_vector = int((found != 0).sum())
    covered = int(counts[found != 0].sum())
    return {
        "words": len(counts),
        "words_with_vector": with_vector,
        "train_tokens": train_tokens,
        "types": with_vector / max(len(counts), 1),
        "tokens": covered / max(train_tokens, 1),
        "vocabulary_tokens": int(counts.sum()) / max(train_tokens, 1),
    }
