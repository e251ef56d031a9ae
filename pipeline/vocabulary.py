"""Third stage: the words of the train split, numbered, and their vectors.

A word's token id is its rank in the train split, after ``<pad>`` (0) and ``<unk>`` (1). Texts of other splits never
count. The vectors come from a table in GloVe's text format; rows without one are drawn from a matched normal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors.numpy import save

from pipeline.artifacts import (
    StageOutput,
    read_manifest,
    require_unchanged,
    write_bytes_atomically,
    write_text_atomically,
)
from pipeline.config import UnknownWords
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.special_tokens import PAD, UNKNOWN
from pipeline.tokens import read_form_ids, read_forms
from pipeline.vectors import (
    PREFERRED_DIMENSION,
    GloveTable,
    coverage,
    draw_missing_vectors,
    read_vectors,
    wanted_entries,
)
from pipeline.word_fallbacks import id_lookup

Backend = Literal["default", "torchtext"]

SPECIALS = (PAD, UNKNOWN)
UNK_ID = 1
TRAIN = "train"
NO_VECTORS = "none"
TABLE_SUFFIXES = (".txt", ".vec", ".zip")


class Vocabulary:
    """Token ids of lower-cased forms: ``<pad>`` is 0, ``<unk>`` is 1, then the words.

    Attributes:
        forms: the form of each token id.

    Args:
        forms: must begin with ``<pad>`` and ``<unk>``, be distinct and hold no white space.

    Raises:
        ValueError: they do not; the message names the line of ``vocabulary.txt``.
    """

    def __init__(self, forms: Sequence[str]) -> None:
        if tuple(forms[: len(SPECIALS)]) != SPECIALS:
            raise ValueError(f"line 1 and 2 must be {PAD} and {UNKNOWN}")
        self.forms = list(forms)
        self._id_of_word: dict[str, int] = {}
        for token_id, form in enumerate(self.forms):
            if form.split() != [form]:
                raise ValueError(f"line {token_id + 1} is empty or holds white space")
            if token_id >= len(SPECIALS) and (form in SPECIALS or form in self._id_of_word):
                raise ValueError(f"line {token_id + 1} repeats {form!r}")
            if token_id >= len(SPECIALS):
                self._id_of_word[form] = token_id

    @classmethod
    def from_counts(cls, forms: Sequence[str], counts: Sequence[int], size: int) -> Vocabulary:
        """Take the ``size`` most frequent forms; of equally frequent ones, those first by code point.

        Forms that never occur, and texts that spell ``<pad>`` or ``<unk>``, get no row.
        """
        words = [
            (-count, form) for form, count in zip(forms, counts, strict=True) if count > 0 and form not in SPECIALS
        ]
        return cls([*SPECIALS, *(form for _, form in sorted(words)[:size])])

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read ``vocabulary.txt``.

        Raises:
            SentimentError: it is missing or damaged.
        """
        try:
            return cls(path.read_bytes().decode("utf-8").removesuffix("\n").split("\n"))
        except OSError as error:
            raise SentimentError(f"{path}: cannot be read ({error.strerror}); run `sentiment vocab`") from error
        except ValueError as error:
            raise SentimentError(f"{path}: damaged ({error}); run `sentiment vocab` again") from error

    def save(self, path: Path) -> None:
        """Write ``vocabulary.txt``: UTF-8, one form a line, the line number from 0 is the token id."""
        write_text_atomically(path, "".join(f"{form}\n" for form in self.forms))

    def __len__(self) -> int:
        """Return the number of token ids, ``<pad>`` and ``<unk>`` included."""
        return len(self.forms)

    def __contains__(self, form: object) -> bool:
        """Say whether a form is a word of the vocabulary."""
        return form in self._id_of_word

    @property
    def words(self) -> list[str]:
        """The forms without ``<pad>`` and ``<unk>``; word ``i`` has token id ``i + 2``."""
        return self.forms[len(SPECIALS) :]

    def token_id(self, form: str) -> int:
        """Return a form's token id; that of ``<unk>`` for other forms, a text's literal ``<pad>`` included."""
        return self._id_of_word.get(form, UNK_ID)

    def token_ids(self, forms: Iterable[str], unknown_words: UnknownWords = "unk") -> NDArray[np.int32]:
        """Return the token ids of forms, int32, (number of forms,).

        Args:
            forms: lower-cased.
            unknown_words: what becomes of those that are no words of the vocabulary; a model's setting.
        """
        return np.fromiter(map(id_lookup(self._id_of_word, unknown_words), forms), dtype=np.int32)


@dataclass(frozen=True)
class TrainTokens:
    """The train split as forms.

    Attributes:
        forms: the distinct forms of the corpus; position = form id. Some may stand in other splits only.
        form_ids: int32, (tokens,).
        offsets: int64, (reviews + 1,); review ``i`` is ``form_ids[offsets[i]:offsets[i + 1]]``.
        counts: int64, (forms,); occurrences in train.
    """

    forms: list[str]
    form_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def read(cls, tokens_folder: Path) -> TrainTokens:
        """Read and count the train split of a tokenised corpus.

        Raises:
            SentimentError: a file is missing or damaged.
        """
        try:
            forms = read_forms(tokens_folder)
            form_ids, offsets = read_form_ids(tokens_folder, TRAIN)
        except (OSError, pa.ArrowException, KeyError) as error:
            reason = " ".join(str(error).split())
            raise SentimentError(f"{tokens_folder}: damaged ({reason}); run `sentiment tokens` again") from error
        if len(form_ids) and not 0 <= int(form_ids.min()) <= int(form_ids.max()) < len(forms):
            raise SentimentError(f"{tokens_folder}: train and forms do not fit; run `sentiment tokens` again")
        counts = np.bincount(form_ids, minlength=len(forms)).astype(np.int64)
        return cls(forms, form_ids, offsets, counts)

    def lines(self) -> Iterator[str]:
        """Yield each review's forms with spaces between; those that spell ``<pad>`` or ``<unk>`` are left out."""
        forms = np.array(["" if form in SPECIALS else form for form in self.forms], dtype=object)
        for start, end in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield " ".join(filter(None, forms[self.form_ids[start:end]]))


def find_table(vectors: str, dimension: int | None, cache_folder: Path, console: Console) -> GloveTable | None:
    """Return the table that ``vectors`` names, downloaded where it must be; None for ``none``.

    Raises:
        UsageError: it names nothing known.
        SentimentError: the file is not there, or the download failed.
    """
    from pipeline.glove_download import GLOVE_TABLES, fetch_glove

    if vectors == NO_VECTORS:
        return None
    if vectors in GLOVE_TABLES:
        return GloveTable(fetch_glove(vectors, cache_folder, console), GLOVE_TABLES[vectors])
    path = Path(vectors).expanduser()
    if path.is_file():
        return GloveTable(path, dimension)
    if path.suffix.lower() in TABLE_SUFFIXES or len(path.parts) > 1:
        raise SentimentError(f"{path}: no such file; give a table in GloVe format with --vectors")
    choices = ", ".join([*GLOVE_TABLES, NO_VECTORS])
    raise UsageError(f"--vectors {vectors}: unknown; choose one of {choices}, or give a .txt or .zip file")


def build_with_torchtext(
    train: TrainTokens, table: GloveTable | None, size: int, dimension: int
) -> tuple[Vocabulary, NDArray[np.float32], NDArray[np.uint8]]:
    """Let torchtext build the vocabulary and look its words up; return both as the default backend does.

    torchtext is given those lines of the table whose word stands in train, so that both backends read a table alike.
    """
    from pipeline.torchtext_environment import run_torchtext

    forms = [form for form, count in zip(train.forms, train.counts, strict=True) if count]
    lines = (line for _, line, _ in wanted_entries(table, forms)) if table is not None else ()
    built = run_torchtext(train.lines(), lines, size)
    vocabulary = Vocabulary(built.forms)
    if built.vectors is None or built.found is None:
        return vocabulary, *no_vectors(vocabulary, dimension)
    return vocabulary, built.vectors, built.found


def no_vectors(vocabulary: Vocabulary, dimension: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return what :func:`read_vectors` returns where a table has none of the words."""
    words = len(vocabulary.words)
    return np.zeros((words, dimension), dtype=np.float32), np.zeros(words, dtype=np.uint8)


def with_special_rows(
    word_vectors: NDArray[np.float32], found: NDArray[np.uint8], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the rows of ``<pad>`` and ``<unk>`` before the words' and draw what is missing.

    Returns:
        float32, (words + 2, D), and found, uint8, (words + 2,).
    """
    vectors = np.pad(word_vectors, ((len(SPECIALS), 0), (0, 0)))
    found = np.pad(found, (len(SPECIALS), 0))
    return draw_missing_vectors(vectors, found, seed=seed), found


def count_of_words(train: TrainTokens, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Return how often each word of the vocabulary stands in train, int64, (words,)."""
    counts = np.zeros(len(vocabulary), dtype=np.int64)
    np.add.at(counts, vocabulary.token_ids(train.forms), train.counts)
    return counts[len(SPECIALS) :]


def build_vocabulary(
    tokens_folder: Path,
    folder: Path,
    console: Console,
    *,
    vectors: str,
    size: int,
    seed: int,
    backend: Backend = "default",
    cache_folder: Path,
    dimension: int | None = None,
) -> dict[str, Any]:
    """Build the vocabulary of the train split and its vectors; return the manifest.

    Args:
        tokens_folder: what ``sentiment tokens`` wrote.
        folder: receives ``vocabulary.txt``, ``vectors.safetensors`` (``vectors``: float32, (V, D); ``found``: uint8,
            (V,), 1 where the table had a vector) and ``manifest.json``.
        console: told about progress and coverage.
        vectors: a name (``glove.6B.100d``: downloaded), a table or zip in GloVe format, or ``none``.
        size: words at most, without ``<pad>`` and ``<unk>``.
        seed: draws the rows without a vector.
        backend: ``default``, or ``torchtext`` in its own environment; both give the same files.
        cache_folder: keeps downloads.
        dimension: of the vectors; None takes the table's (100 for ``none`` and for a zip of several tables). A name
            such as ``glove.6B.300d`` carries its own.

    Raises:
        UsageError: an argument is out of range or names nothing known.
        SentimentError: an input is missing or damaged, or no word of train has a vector.
    """
    if size < 1 or (dimension is not None and dimension < 1):
        raise UsageError("the vocabulary's size and the vectors' dimension must be 1 or more")
    if backend not in ("default", "torchtext"):
        raise UsageError(f"--backend {backend}: unknown; choose default or torchtext")
    tokens = read_manifest(tokens_folder, "tokens")
    with StageOutput(folder, "vocab") as output:
        table = find_table(vectors, dimension, cache_folder, console)
        train = TrainTokens.read(tokens_folder)
        require_unchanged(tokens_folder, "tokens", tokens)
        width = dimension or PREFERRED_DIMENSION
        if backend == "torchtext":
            vocabulary, word_vectors, found = build_with_torchtext(train, table, size, width)
        else:
            vocabulary = Vocabulary.from_counts(train.forms, train.counts.tolist(), size)
            word_vectors, found = read_vectors(table, vocabulary.words) if table else no_vectors(vocabulary, width)
        if table is not None and not found.any():
            raise SentimentError(f"{table.name}: holds no word of the train split; give vectors of its language")
        matrix, found = with_special_rows(word_vectors, found, seed)
        vocabulary.save(output.path("vocabulary.txt"))
        write_bytes_atomically(output.path("vectors.safetensors"), save({"vectors": matrix, "found": found}))
        covered = coverage(count_of_words(train, vocabulary), found[len(SPECIALS) :], len(train.form_ids))
        manifest = output.commit(
            inputs={"tokens": tokens["fingerprint"], "corpus": tokens["inputs"]["corpus"]},
            settings={"vectors": vectors, "size": size, "seed": seed, "backend": backend},
            details={
                "name": tokens["name"],
                "entries": len(vocabulary),
                "coverage": covered,
                "vectors": {
                    "name": table.file_name if table else NO_VECTORS,
                    "sha256": table.sha256 if table else None,
                    "dimension": matrix.shape[1],
                },
            },
        )
    console.say(summary(manifest, folder))
    return manifest


def summary(manifest: dict[str, Any], folder: Path) -> str:
    """Return the lines that tell the person what came out."""
    covered = manifest["coverage"]
    lines = (
        f"vocabulary: {manifest['entries']:,} entries in {folder}; they cover {covered['vocabulary_tokens']:.1%} of "
        f"{covered['train_tokens']:,} train tokens"
    )
    if manifest["vectors"]["name"] == NO_VECTORS:
        return f"{lines}\nvectors: none; all rows drawn, {manifest['vectors']['dimension']} dimensions"
    return (
        f"{lines}\nvectors: {manifest['vectors']['name']} has {covered['words_with_vector']:,} of "
        f"{covered['words']:,} words ({covered['types']:.1%}), {covered['tokens']:.1%} of the train tokens"
    )
