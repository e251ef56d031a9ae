"""The torture corpus: hostile tables with what scoring must make of each, row by row. Delimited text stands here."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Case:
    """A file and the rows that must come out of it.

    Attributes:
        content: the file.
        header: the columns that come out, the appended ones left aside.
        rows: their values.
        text: the position of the column of reviews.
        flags: for the command line.
        kinds: what ``score_error`` names, by the row's number from 1; it is empty in all other rows.
        rejects: the fields in the rejects file, by the row's number; there are no others.
        delimiter: of the output.
        name: of the file.
        has_header: whether the output has a header line.
        others: further files, by name.
        inputs: what the command line names: files, patterns, ``-`` for the content as standard input; the file where
            empty.
    """

    content: bytes
    header: list[str]
    rows: list[list[str]]
    text: int = 1
    flags: Sequence[str] = ()
    kinds: Mapping[int, list[str]] = field(default_factory=dict)
    rejects: Mapping[int, list[str]] = field(default_factory=dict)
    delimiter: str = ","
    name: str = "in.csv"
    has_header: bool = True
    others: Mapping[str, bytes] = field(default_factory=dict)
    inputs: Sequence[str] = ()


@dataclass(frozen=True)
class Refusal:
    """A file that cannot be scored, and what the one line must name."""

    content: bytes
    parts: Sequence[str]
    flags: Sequence[str] = ()
    name: str = "in.csv"


PAIR = ["id", "review"]
TRIPLE = ["id", "review", "note"]
REVIEWS = [["007", "a fine film"], ["008", "dull, and too long"], ["009", 'she said "no"']]
ACCENTS = [["1", "un café crème, très bon"], ["2", "“quoted” – 5 €"], ["3", "plain"]]
LATIN = [["1", "un café crème, très bon"], ["2", "déjà vu"], ["3", "plain"]]


def written(header: list[str], rows: Sequence[Sequence[str]], delimiter: str = ",", line_end: str = "\n") -> str:
    """Return a table as Python's csv module writes it."""
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter, lineterminator=line_end).writerows([header, *rows])
    return stream.getvalue()


def sound(header: list[str], rows: list[list[str]], **options: object) -> Case:
    """Return a case in which nothing is broken."""
    encoding = str(options.pop("encoding", "utf-8"))
    delimiter = str(options.get("delimiter", ","))
    content = written(header, rows, delimiter, str(options.pop("line_end", "\n"))).encode(encoding)
    return Case(content, header, rows, **options)  # type: ignore[arg-type]


def one_text(text: str) -> Case:
    """Return a case with an odd text between two plain ones."""
    return sound(TRIPLE, [["1", "a fine film", "x"], ["2", text, "y"], ["3", "dull", text]])


PLAIN = b"id,review\n1,good\n2,bad\n3,fair\n"
PLAIN_ROWS = [["1", "good"], ["2", "bad"], ["3", "fair"]]
WIDE = [f"c{number}" for number in range(999)]
ODD_VALUES = {
    "id": ["0001", "-0", "+7", "1_000", "00"],
    "review": ["NA", "null", "nan", "None", "1e400"],
    "price": ["0.10", "1.10000000000000001", "1,5", "1e400", ".5"],
    "flag": ["TRUE", "true", "T", "yes", "0"],
    "day": ["2024-02-30", "01/02/03", "2024-01-01T00:00:00Z", "5-Mar", "12:30"],
    "rest": ["NULL", "#N/A", "NaN", "inf", "-"],
}

TEXT_CASES: dict[str, Case] = {
    "commas": sound(PAIR, REVIEWS),
    "semicolons": sound(PAIR, REVIEWS, delimiter=";"),
    "tabs": sound(PAIR, REVIEWS, delimiter="\t", name="in.tsv"),
    "pipes": sound(PAIR, REVIEWS, delimiter="|"),
    "a delimiter of its own": sound(PAIR, REVIEWS, delimiter="^", flags=["--delimiter", "^"]),
    "CRLF": sound(PAIR, REVIEWS, line_end="\r\n"),
    "CR alone": Case(PLAIN.replace(b"\n", b"\r"), PAIR, PLAIN_ROWS),
    "mixed line ends": Case(b"id,review\n1,good\r\n2,bad\r3,fair\n", PAIR, PLAIN_ROWS),
    "no final line end": Case(PLAIN[:-1], PAIR, PLAIN_ROWS),
    "blank lines between rows": Case(b"\n\nid,review\n\n1,good\n\n\n2,bad\n3,fair\n\n\n", PAIR, PLAIN_ROWS),
    "quoted line ends": Case(
        b'id,review\r\n1,"a\nb\r\n\r\nc\rd"\r\n2,"\n"\r\n3,x\r\n',
        PAIR,
        [["1", "a\nb\r\n\r\nc\rd"], ["2", "\n"], ["3", "x"]],
        kinds={2: ["blank text"]},
    ),
    "CR within quotes": Case(b'id,review\n1,"a\rb"\n"\r2",c\n', PAIR, [["1", "a\rb"], ["\r2", "c"]]),
    "doubled quotes": sound(PAIR, [["1", '"'], ["2", '""'], ["3", 'a ""b"" "c"'], ["4", '"all of it"']]),
    "quotes in the middle": Case(
        b'id,review\n1,a 5" nail\n2,the "best" film\n3,fair\n',
        PAIR,
        [["1", 'a 5" nail'], ["2", 'the "best" film'], ["3", "fair"]],
    ),
    "text after a closing quote": Case(
        b'id,review\n1,"good" film\n2,bad\n',
        PAIR,
        [["1", "good film"], ["2", "bad"]],
        kinds={1: ["stray quote"]},
        rejects={1: ['1,"good" film']},
    ),
    "unterminated quote in the middle": Case(
        b'id,review,note\n1,"good,a\n2,bad,b\n3,"fair",c\n4,poor,d\n',
        TRIPLE,
        [["1", '"good', "a"], ["2", "bad", "b"], ["3", "fair", "c"], ["4", "poor", "d"]],
        kinds={1: ["unterminated quote"]},
    ),
    "unterminated quote at the end": Case(
        b'id,review\n1,good\n2,"bad\n', PAIR, [["1", "good"], ["2", '"bad']], kinds={2: ["unterminated quote"]}
    ),
    "cut short within quotes": Case(
        b'id,review\n1,good\n2,"it was\nlong and',
        PAIR,
        [["1", "good"], ["2", "it was\nlong and"]],
        kinds={2: ["unterminated quote"]},
    ),
    "an unterminated quote on every line": Case(
        b"id,review\n" + b'"x","y\n' * 50,
        PAIR,
        [["x", '"y']] * 50,
        kinds={row: ["unterminated quote"] for row in range(1, 51)},
    ),
    "UTF-8 mark": sound(PAIR, ACCENTS, encoding="utf-8-sig"),
    "UTF-8": sound(PAIR, ACCENTS),
    "UTF-16 little-endian": Case(("\ufeff" + written(PAIR, ACCENTS)).encode("utf-16-le"), PAIR, ACCENTS),
    "UTF-16 big-endian": Case(("\ufeff" + written(PAIR, ACCENTS)).encode("utf-16-be"), PAIR, ACCENTS),
    "UTF-16 without mark": sound(PAIR, ACCENTS, encoding="utf-16-le"),
    "UTF-32": sound(PAIR, ACCENTS, encoding="utf-32"),
    "Windows-1252": sound(PAIR, ACCENTS, encoding="cp1252"),
    "Latin-1 by flag": sound(PAIR, LATIN, encoding="latin-1", flags=["--encoding", "latin-1"]),
    "one bad byte": Case(
        b"id,review\n1,caf\xc3\xa9\n2,na\xffive\n3,ol\xc3\xa9\n",
        PAIR,
        [["1", "café"], ["2", "na\ufffdive"], ["3", "olé"]],
        kinds={2: ["undecodable bytes"]},
        rejects={2: ["2", "na\ufffdive"]},
    ),
    "NUL bytes": Case(
        b"id,review\n1,go\0od\n2,\0\n3\0,bad\n",
        PAIR,
        [["1", "go\0od"], ["2", "\0"], ["3\0", "bad"]],
        kinds={2: ["blank text"]},
    ),
    "header alone": Case(b"id,review\n", PAIR, []),
    "header alone, no line end": Case(b"id,review", PAIR, []),
    "header and blank lines": Case(b"id,review\n\n\r\n\n", PAIR, []),
    "one column": Case(
        b"review\ngood, really; yes\n\nbad | so\n\n\n",
        ["review"],
        [["good, really; yes"], [""], ["bad | so"]],
        text=0,
        kinds={2: ["blank text"]},
    ),
    "a thousand columns": sound(["review", *WIDE], [["good", *WIDE], ["bad", *[""] * 999]], text=0),
    "a cell of 20,000 characters": one_text("so good " * 2_500),
    "a cell of 5 MB": Case(
        b'id,review\n1,good\n2,"' + b"so, so good " * 436_907 + b'"\n3,bad\n',
        PAIR,
        [["1", "good"], ["2", "so, so good " * 436_907], ["3", "bad"]],
        kinds={2: ["long text"]},
    ),
    "surplus fields": Case(
        b'id,review\n1,good,really,"a, b"\n2,bad\n3,fair,\n',
        PAIR,
        PLAIN_ROWS,
        kinds={1: ["surplus fields"], 3: ["surplus fields"]},
        rejects={1: ["1", "good", "really", "a, b"], 3: ["3", "fair", ""]},
    ),
    "missing fields": Case(
        b"id,review,note\n1,good,x\n2,bad\n3\n4,fair,y\n",
        TRIPLE,
        [["1", "good", "x"], ["2", "bad", ""], ["3", "", ""], ["4", "fair", "y"]],
        kinds={2: ["too few fields"], 3: ["too few fields", "blank text"]},
    ),
    "blank texts": Case(
        'id,review\n1,\n2,"  "\n3,\t\n4,\u00a0\n5,""\n6,<br />\n7,good\n'.encode(),
        PAIR,
        [["1", ""], ["2", "  "], ["3", "\t"], ["4", "\u00a0"], ["5", ""], ["6", "<br />"], ["7", "good"]],
        kinds={row: ["blank text"] for row in range(1, 7)},
    ),
    "values that other readers turn into something else": sound(
        list(ODD_VALUES), [list(row) for row in zip(*ODD_VALUES.values(), strict=True)]
    ),
    "blanks around values": sound(PAIR, [[" 1 ", "  good  "], ["\t2", "bad\t"]]),
    "names twice in the header": sound(["id", "id", "review"], [["1", "2", "good"], ["3", "4", "bad"]], text=2),
    "an empty name in the header": sound(["", "review", ""], [["0", "good", "x"], ["1", "bad", "y"]]),
    "sep line": Case(b"sep=;\r\n" + b"id;review\r\n1;good, or not\r\n", PAIR, [["1", "good, or not"]], delimiter=";"),
    "delimiter and line end in a quoted header": sound(["id", "re\nview, or text", "note"], [["1", "a b c d e", "x"]]),
    "text column by name among several": Case(
        b"title,text,comment\na b c d e,good,f g h i j\n",
        ["title", "text", "comment"],
        [["a b c d e", "good", "f g h i j"]],
        flags=["--text-column", "TEXT"],
    ),
    "emoji": one_text("loved it 😍👩‍👩‍👧‍👦🏳️‍🌈 10/10"),
    "right to left": one_text("فيلم رائع \u200fسرט טוב מאוד\u200e good"),
    "combining characters": one_text("cafe\u0301 Z\u0351\u036b\u0343algo é"),
    "zero-width characters": one_text("go\u200bod\u200d\u2060 \ufefffilm"),
    "Unicode line separators": one_text("a\u2028b\u2029c\x85d\x0be\x1cf"),
    "form feeds": one_text("a\fb\f"),
    "tabs in cells": one_text("a\tb\t\tc"),
    "formulas": one_text("=1+1"),
    "more formulas": sound(
        TRIPLE, [["@x", "+good", "=cmd|' /C calc'!A0"], ["-1", "-bad", '=HYPERLINK("http://x","y")']]
    ),
    "HTML": replace(one_text('<p class="a">Good,<br/>&amp; "cheap" &lt;3</p>'), kinds={2: ["HTML tags"]}),
    "line breaks of HTML and signs": one_text("Good,<br/>&amp; <3 a<b <br /> x > y </br>"),
    "JSON in cells": one_text('{"stars": 5, "text": "a \\"b\\"", "tags": [1, null]}'),
    "backslashes": one_text("C:\\new\\table \\N \\x00 \\"),
    "private use and unassigned": one_text("a \ue000 b \U0010ffff c \ufffe d"),
    "a very long line of short cells": sound(
        ["review", *(f"{name}x" * 20 for name in WIDE)], [["good", *(f"{name} y" * 20 for name in WIDE)]], text=0
    ),
}

TEXT_REFUSALS: dict[str, Refusal] = {
    "empty": Refusal(b"", ["in.csv: is empty"]),
    "nothing but line ends": Refusal(b"\n\r\n\n", ["in.csv: is empty"]),
    "nothing but a UTF-8 mark": Refusal(b"\xef\xbb\xbf", ["in.csv: is empty"]),
    "the text column twice": Refusal(b"id,review,review\n1,a,b\n", ["in.csv", "'review'", "--text-column"]),
    "no text column": Refusal(b"id,price\n1,2.5\n", ["in.csv", "'id', 'price'", "--text-column"]),
    "a taken name": Refusal(b"review,score_error\na,b\n", ["in.csv", "'score_error'", "--prefix"]),
    "a picture": Refusal(b"\x89PNG\r\n\x1a\n" + bytes(100), ["in.csv", "picture"]),
    "an Excel workbook": Refusal(b"PK\x03\x04" + bytes(100), ["in.csv", "Excel"]),
    "strict at the first problem": Refusal(b"id,review\n1,good\n2,\n", ["in.csv", "row 2", "blank text"], ["--strict"]),
}
