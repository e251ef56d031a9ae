"""How a delimited text file is written: its encoding, its delimiter and its line ends.

All three are found while the file streams by, so that a pipe is read like a file. Nothing here fails on odd bytes: what
no encoding explains is carried through the CSV parser as *marks*, code points that no decoder produces (lone
surrogates), so that the row and the field they came from are known and the original bytes can be given back.
"""

from __future__ import annotations

import base64
import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.errors import SentimentError, UsageError
from pipeline.text_column import wanted_columns

CHUNK_BYTES = 1 << 18  # read at a time
EVIDENCE_BYTES = 1 << 16  # from the first byte that is not ASCII; decides the encoding
DELIMITERS = (",", ";", "\t", "|")
NO_DELIMITER = "\udead"  # reads a line as one field: stands in no decoded text
MASKED_RETURN = "\ude0d"  # a carriage return that ends no line, hidden from the CSV parser
SAMPLE_ROWS = 1000
_FITTING_WITHOUT_HEADER = 0.6  # commas of prose are no delimiters

_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Scripts that Windows-1252 cannot write; only a file dense in bytes beyond ASCII is tried against them.
_OTHER_SCRIPTS = [
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
    *("cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1252"),
]
_DENSE = 0.2
_FIRST_BYTES = 12

_UNDECODABLE = "sentiment.undecodable"
_MARK = re.compile("[\udc00-\uddff]")
_FIRST_MARK = re.compile("[\ud800-\udcff\ude00-\udfff]")
_LATER_MARK = re.compile("[\udd00-\uddff]")


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Stand in for undecodable bytes: U+DC00 + byte for the first of a sequence, U+DD00 + byte for the others."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    first, *others = error.object[error.start : error.end]
    return chr(0xDC00 + first) + "".join(chr(0xDD00 + byte) for byte in others), error.end


codecs.register_error(_UNDECODABLE, _mark_undecodable)


def count_marks(text: str) -> int:
    """Return how many bytes of the text could not be decoded."""
    return len(_MARK.findall(text))


def replace_marks(text: str) -> str:
    """Return the text with one U+FFFD for each undecodable sequence, as ``errors="replace"`` would have given it."""
    return _LATER_MARK.sub("", _FIRST_MARK.sub("\ufffd", text))


def original_bytes(text: str, encoding: str) -> str:
    """Return a marked field's bytes as they stood in the file, in base 64."""
    parts = []
    for part in re.split("([\udc00-\uddff])", text):
        marked = _MARK.fullmatch(part)
        parts.append(bytes([ord(part) & 0xFF]) if marked else part.encode(encoding, errors="replace"))
    return base64.b64encode(b"".join(parts)).decode("ascii")


def _encodable(text: str) -> bool:
    """Whether a text holds no surrogates: UTF-8 encodes all else, and encoding is faster than a search."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def check_encoding(encoding: str) -> str:
    """Return an encoding's name as Python spells it.

    Raises:
        UsageError: Python has no such text encoding.
    """
    try:
        name = codecs.lookup(encoding).name
        "a,b".encode(name)
        b"a,b ".decode(name, errors=_UNDECODABLE)
    except (LookupError, UnicodeError, ValueError):
        raise UsageError(
            f"--encoding {encoding}: not a text encoding Python knows; try utf-8, utf-16 or windows-1252"
        ) from None
    return name


def check_delimiter(delimiter: str) -> str:
    """Return the delimiter as one character; ``tab``, ``\\t``, ``comma``, ``semicolon``, ``pipe`` and ``space`` too.

    Raises:
        UsageError: it is not one character, or one that has a meaning of its own in a CSV file.
    """
    character = _DELIMITER_NAMES.get(delimiter.lower(), delimiter)
    if len(character) != 1 or character in '"\r\n\0' or "\ud800" <= character <= "\udfff":
        raise UsageError(f"--delimiter {delimiter!r}: needs one character, such as , or ; or | or the word tab")
    return character


def _guess_wide_encoding(head: bytes) -> str | None:
    """Return UTF-16's byte order where every other byte is (mostly) NUL, as in Latin text without a mark.

    So it must be from the start: NUL may stand in the values of other files too.
    """
    if len(head) < 4:
        return None
    for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if all(
            part[offset::2].count(0) > 0.4 * len(part[offset::2])
            and part[1 - offset :: 2].count(0) < 0.05 * len(part[1 - offset :: 2])
            for part in (head, head[:_FIRST_BYTES])
        ):
            return name
    return None


def guess_encoding(evidence: bytes, complete: bool) -> str:
    """Return the encoding of bytes that begin with one beyond ASCII; not ``complete``, they may stop in a character.

    UTF-8 where at least as many sequences are sound as are not: one bad byte must not turn a whole file into
    another encoding. Otherwise Windows-1252, the usual answer for English text, unless the bytes are so dense that
    another script is likely; charset_normalizer decides among those.
    """
    text = codecs.getincrementaldecoder("utf-8")(errors=_UNDECODABLE).decode(evidence, final=complete)
    unsound = len(_FIRST_MARK.findall(text))
    sound = sum(character > "\x7f" for character in text) - count_marks(text)
    if sound >= unsound:
        return "utf-8"
    dense = sum(byte > 0x7F for byte in evidence) > max(32, _DENSE * len(evidence))
    if dense:
        from charset_normalizer import from_bytes

        whole_lines = evidence[: evidence.rfind(b"\n") + 1] or evidence
        best = from_bytes(whole_lines, cp_isolation=_OTHER_SCRIPTS).best()
        if best is not None:
            return best.encoding
    return "cp1252"


class DecodedText:
    """The text of a byte stream, in chunks, with marks for undecodable bytes.

    The encoding is the one given, else what a byte-order mark says, else decided at the first byte that is not
    ASCII from what follows it, however late that comes.

    Attributes:
        encoding: the encoding in use; ``ascii`` as long as nothing else was needed.
        bytes_read: how far the stream has been read.
        has_marks: whether the text has held marks, or lone surrogates that are in the file itself (UTF-7).

    Raises:
        SentimentError: while iterating, the stream cannot be read further; all text before has been given.
    """

    def __init__(self, stream: BinaryIO, name: str, encoding: str | None) -> None:
        self.name = name
        self.encoding = "ascii" if encoding is None else check_encoding(encoding)
        self.bytes_read = 0
        self.has_marks = False
        self._stream = stream
        self._decided = encoding is not None
        self._failure: SentimentError | None = None

    def __iter__(self) -> Iterator[str]:
        """Yield the text without its byte-order mark."""
        pending = self._read(CHUNK_BYTES)
        if not self._decided:
            self._decide_from_head(pending)
        while not self._decided and pending and pending.isascii():
            yield pending.decode("ascii")
            pending = self._read(CHUNK_BYTES)
        if not self._decided and pending:
            start = next(position for position, byte in enumerate(pending) if byte > 0x7F)
            if start:
                yield pending[:start].decode("ascii")
            pending = pending[start:]
            if len(pending) < EVIDENCE_BYTES:
                pending += self._read(EVIDENCE_BYTES - len(pending))
            complete = len(pending) < EVIDENCE_BYTES
            self.encoding, self._decided = guess_encoding(pending[:EVIDENCE_BYTES], complete), True
        yield from self._decode(pending)

    def _decide_from_head(self, head: bytes) -> None:
        marked = next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), None)
        found = marked or _guess_wide_encoding(head[:4096])
        if found is not None:
            self.encoding, self._decided = found, True

    def _decode(self, pending: bytes) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)(errors=_UNDECODABLE)
        at_start = self.bytes_read == len(pending)
        while True:
            try:
                text = decoder.decode(pending, final=not pending)
            except UnicodeError as error:  # of UTF-16 and UTF-32 without the mark that tells the order of bytes
                raise SentimentError(
                    f"{self.name}: is not {self.encoding} ({error}); leave --encoding away, or name another, such as "
                    "utf-16-le"
                ) from error
            if at_start and text:
                text, at_start = text.removeprefix("\ufeff"), False
            if not self.has_marks and not text.isascii():
                self.has_marks = not _encodable(text)
            if text:
                yield text
            if not pending:
                if self._failure is not None:
                    raise self._failure
                return
            pending = self._read(CHUNK_BYTES)

    def _read(self, size: int) -> bytes:
        """Return the next bytes; none at the end and where reading fails, which is kept for when they are used up."""
        if self._failure is not None:
            return b""
        try:
            content = self._stream.read(size)
        except SentimentError as failure:
            self._failure = failure
            return b""
        except OSError as error:
            self._failure = SentimentError(
                f"{self.name}: cannot be read beyond byte {self.bytes_read:,} ({error.strerror or error}); "
                "copy it to a sound disk and try again"
            )
            self._failure.__cause__ = error
            return b""
        self.bytes_read += len(content)
        return content


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file are written; the quote is always ``"``, doubled within a quoted field.

    Attributes:
        delimiter: between fields of the output.
        reading_delimiter: between fields of the input; :data:`NO_DELIMITER` where each line is one field.
        line_end: of the output.
        splits_at_return: a lone carriage return ends a row (files of the old Mac OS).
        skipped_lines: lines before the header that are no data (``sep=;``).
    """

    delimiter: str
    reading_delimiter: str
    line_end: str
    splits_at_return: bool
    skipped_lines: int = 0


def split_into_lines(text: str, splits_at_return: bool) -> list[str]:
    """Split a text into lines that keep their ends.

    LF and CRLF are line ends, and CR where it splits; elsewhere it is masked, for the CSV parser would refuse it.
    """
    if splits_at_return:
        return list(io.StringIO(text, newline=""))
    *lines, rest = text.split("\n")
    ended = [line + "\n" for line in lines] + ([rest] if rest else [])
    return list(map(_mask_returns, ended)) if "\r" in text else ended


def _mask_returns(line: str) -> str:
    body = line.rstrip("\r\n")
    return body.replace("\r", MASKED_RETURN) + line[len(body) :] if "\r" in body else line


def _first_line_end(sample: str) -> str:
    """Return the first line end that no quote encloses: LF, CRLF or CR; LF where there is none."""
    for found in re.finditer("\r\n|\r|\n", sample):
        if sample.count('"', 0, found.start()) % 2 == 0:
            return found.group()
    return "\r\n" if "\r\n" in sample else "\n"


def row_widths(lines: list[str], delimiter: str, complete: bool) -> list[int]:
    """Return the number of fields of each row that is not blank, the first being the header's, of a sample."""
    widths = []
    reader = csv.reader(lines, delimiter=delimiter)
    for fields in reader:
        if fields:
            widths.append(len(fields))
        if len(widths) > SAMPLE_ROWS:
            return widths
    if not complete and len(widths) > 1:
        widths.pop()  # the sample stops within this row
    return widths


def usual_width(widths: list[int]) -> int:
    """Return the number of fields that most rows have; of two the one that came first."""
    return Counter(widths).most_common(1)[0][0]


def _choose_delimiter(lines: list[str], complete: bool, text_column: str | None, has_header: bool) -> str | None:
    """Return the delimiter that gives the most rows the header's number of fields; None where the header has one.

    A delimiter must occur in the header, the cleanest line of a file; one with which the header holds the wanted text
    column goes before the others, then the wider header, then the order of :data:`DELIMITERS`. Where there is no
    header, the width that most rows have stands for it, and well over half of the rows must have it.
    """
    ranks = {}
    for delimiter in DELIMITERS:
        widths = row_widths(lines, delimiter, complete)
        if not widths:
            continue
        expected = widths[0] if has_header else usual_width(widths)
        fitting = sum(width == expected for width in widths) / len(widths)
        if expected < 2 or (not has_header and fitting < _FITTING_WITHOUT_HEADER):
            continue
        header = [""] * expected
        if has_header:
            header = next(fields for fields in csv.reader(lines, delimiter=delimiter) if fields)
        has_wanted_column = text_column is not None and bool(wanted_columns(header, text_column))
        ranks[delimiter] = (has_wanted_column, round(fitting, 2), expected)
    return max(ranks, key=lambda delimiter: ranks[delimiter]) if ranks else None


def detect_dialect(
    sample: str, complete: bool, delimiter: str | None, text_column: str | None, has_header: bool = True
) -> Dialect:
    """Find out how a file is written from its beginning.

    Args:
        sample: the decoded beginning of the file.
        complete: whether the sample is the whole file.
        delimiter: one character where it is known.
        text_column: the name or number of the column asked for, as a hint.
        has_header: whether the first row holds the names of the columns.
    """
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))  # the default refuses fields above 128 KiB
    end = _first_line_end(sample)
    splits_at_return = end == "\r"
    line_end = "\r\n" if end == "\r\n" else "\n"
    declared = re.match('sep=([^\r\n"])\r?\n', sample, flags=re.IGNORECASE)  # Excel's own hint
    skipped = 1 if declared else 0
    if delimiter is None and declared:
        delimiter = declared.group(1)
    if delimiter is not None:
        return Dialect(delimiter, delimiter, line_end, splits_at_return, skipped)
    lines = split_into_lines(sample, splits_at_return)
    chosen = _choose_delimiter(lines, complete, text_column, has_header)
    return Dialect(chosen or ",", chosen or NO_DELIMITER, line_end, splits_at_return, skipped)
