"""The torture corpus, second part: packed files, wrong names, several files, standard input, no header."""

from __future__ import annotations

import gzip

import pyarrow as pa

from tests.torture import PAIR, PLAIN, PLAIN_ROWS, Case, Refusal, written

LONG_ROWS = [[f"{number:06d}", f"a fine film, number {number}"] for number in range(3000)]
LONG = written(PAIR, LONG_ROWS).encode()


def zstandard(content: bytes) -> bytes:
    """Return one Zstandard frame, written as a stream: without its length at the beginning."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(content)
    return bytes(packed.getvalue())


def in_pieces(content: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces, in the middle of rows."""
    return [content[start : start + size] for start in range(0, len(content), size)]


HEADERLESS = b'1,"good, really",x\n2,bad,y\n3,fair,z\n'
HEADERLESS_ROWS = [["1", "good, really", "x"], ["2", "bad", "y"], ["3", "fair", "z"]]
NUMBERED = ["column_1", "column_2", "column_3"]

INPUT_CASES: dict[str, Case] = {
    "gzip": Case(gzip.compress(PLAIN), PAIR, PLAIN_ROWS, name="in.csv.gz"),
    "gzip of many members": Case(
        b"".join(map(gzip.compress, in_pieces(LONG, 10_007))), PAIR, LONG_ROWS, name="in.csv.gz"
    ),
    "gzip with empty members and zeros behind": Case(
        gzip.compress(b"") + gzip.compress(PLAIN) + gzip.compress(b"") + bytes(512), PAIR, PLAIN_ROWS, name="in.csv.gz"
    ),
    "gzip that is called CSV": Case(gzip.compress(PLAIN), PAIR, PLAIN_ROWS),
    "gzip that is called Zstandard": Case(gzip.compress(PLAIN), PAIR, PLAIN_ROWS, name="in.csv.zst"),
    "Zstandard": Case(zstandard(PLAIN), PAIR, PLAIN_ROWS, name="in.csv.zst"),
    "Zstandard with its length": Case(pa.compress(PLAIN, "zstd", asbytes=True), PAIR, PLAIN_ROWS, name="in.csv.zst"),
    "Zstandard of many frames": Case(
        b"".join(map(zstandard, in_pieces(LONG, 10_007))), PAIR, LONG_ROWS, name="in.csv.zst"
    ),
    "Zstandard with empty frames": Case(
        zstandard(b"") + zstandard(PLAIN) + zstandard(b""), PAIR, PLAIN_ROWS, name="in.csv.zst"
    ),
    "Zstandard without a name that says so": Case(zstandard(PLAIN), PAIR, PLAIN_ROWS, name="data"),
    "UTF-16 in gzip": Case(gzip.compress(PLAIN.decode().encode("utf-16")), PAIR, PLAIN_ROWS, name="in.csv.gz"),
    "a name in capitals": Case(PLAIN, PAIR, PLAIN_ROWS, name="IN.CSV"),
    "a name with odd characters": Case(PLAIN, PAIR, PLAIN_ROWS, name="my file [1] {é}*?.csv"),
    "standard input": Case(PLAIN, PAIR, PLAIN_ROWS, inputs=["-"]),
    "gzip from standard input": Case(gzip.compress(PLAIN), PAIR, PLAIN_ROWS, inputs=["-"]),
    "several files": Case(
        b"id,review\n1,good\n2,bad",
        PAIR,
        [["1", "good"], ["2", "bad"], ["3", "café"], ["4", ""], ["5", "fair, or not"]],
        kinds={4: ["blank text"]},
        others={
            "b.csv": "id;review\r\n3;café\r\n4;\r\n".encode("cp1252"),
            "c.gz": gzip.compress(b'id,review\n5,"fair, or not"\n'),
        },
    ),
    "several files, one without rows": Case(
        b"id,review\n", PAIR, PLAIN_ROWS, others={"b.csv": PLAIN, "c.csv": b"id,review"}
    ),
    "a broken row at the end of one of several files": Case(
        b'id,review\n1,good\n2,"bad',
        PAIR,
        [["1", "good"], ["2", '"bad'], ["1", "good"], ["2", "bad"], ["3", "fair"]],
        kinds={2: ["unterminated quote"]},
        others={"b.csv": PLAIN},
    ),
    "a glob": Case(
        PLAIN,
        PAIR,
        [["1", "a"], ["2", "b"], ["10", "c"]],
        others={
            "part-10.csv": b"id,review\n10,c\n",
            "part-01.csv": b"id,review\n1,a\n",
            "part-02.csv": b"id,review\n2,b\n",
        },
        inputs=["part-*.csv"],
    ),
    "standard input among files": Case(
        PLAIN, PAIR, [["0", "a"], *PLAIN_ROWS], others={"b.csv": b"id,review\n0,a\n"}, inputs=["b.csv", "-"]
    ),
    "columns called like the marks of other formats": Case(
        b"PAR1,BZh9,review\n1,x,good\n", ["PAR1", "BZh9", "review"], [["1", "x", "good"]], text=2
    ),
    "a column called like a picture, without a name that says CSV": Case(
        b"GIF89a\tid\n1\t2\n",
        ["GIF89a", "id"],
        [["1", "2"]],
        text=0,
        name="in",
        flags=["--text-column", "1"],
        delimiter="\t",
    ),
    "no header": Case(
        HEADERLESS, NUMBERED, HEADERLESS_ROWS, flags=["--no-header", "--text-column", "2"], has_header=False
    ),
    "no header, text found": Case(
        b"1;a film to see again and again\n2;it was dull and far too long\n",
        NUMBERED[:2],
        [["1", "a film to see again and again"], ["2", "it was dull and far too long"]],
        flags=["--no-header"],
        delimiter=";",
        has_header=False,
    ),
    "no header, broken first row": Case(
        b"1,good,really\n2,bad\n3,fair\n4,poor\n",
        NUMBERED[:2],
        [["1", "good"], ["2", "bad"], ["3", "fair"], ["4", "poor"]],
        kinds={1: ["surplus fields"]},
        rejects={1: ["1", "good", "really"]},
        flags=["--no-header", "--text-column", "2", "--delimiter", ","],
        has_header=False,
    ),
    "a name twice in the header, the text by its number": Case(
        b"review,x,x\na,b,c\n", ["review", "x", "x"], [["a", "b", "c"]], text=2, flags=["--text-column", "3"]
    ),
    "a column that is called by a number": Case(
        b"3,2,1\na,b,c\n", ["3", "2", "1"], [["a", "b", "c"]], text=2, flags=["--text-column", "1"]
    ),
    "three columns, text by number": Case(
        b"a,b,c\n1,x,good\n", ["a", "b", "c"], [["1", "x", "good"]], text=2, flags=["--text-column", "3"]
    ),
}

INPUT_REFUSALS: dict[str, Refusal] = {
    "plain text that is called gzip": Refusal(PLAIN, ["in.csv.gz", "is not packed"], name="in.csv.gz"),
    "empty gzip": Refusal(gzip.compress(b""), ["in.csv.gz: is empty"], name="in.csv.gz"),
    "an empty file that is called gzip": Refusal(b"", ["in.csv.gz: is empty"], name="in.csv.gz"),
    "gzip within gzip": Refusal(gzip.compress(gzip.compress(PLAIN)), ["in.csv.gz", "packed twice"], name="in.csv.gz"),
    "gzip cut in its first bytes": Refusal(gzip.compress(PLAIN)[:8], ["in.csv.gz", "cut short"], name="in.csv.gz"),
    "gzip cut at the end": Refusal(gzip.compress(LONG)[:-4], ["in.csv.gz", "after row 3,000"], name="in.csv.gz"),
    "Zstandard cut": Refusal(zstandard(LONG)[:-4], ["in.csv.zst", "cut short"], name="in.csv.zst"),
    "no header and no rows": Refusal(b"", ["in.csv: is empty"], ["--no-header"]),
    "CSV that is called Parquet": Refusal(PLAIN, ["in.parquet", "no Parquet file"], name="in.parquet"),
}
