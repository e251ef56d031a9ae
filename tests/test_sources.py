"""Promise: each source of reviews comes out as the same tables, and what is wrong with one is said in one line."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.columns import ColumnChoice
from pipeline.console import Console
from pipeline.errors import SentimentError, UsageError
from pipeline.review_tables import read_reviews
from pipeline.review_text import is_blank
from pipeline.reviews import REVIEW_SCHEMA, SourceReviews
from pipeline.sources import SAMPLE_NAME, read_source, slug_of

QUIET = Console(quiet=True)
RELEASE = {
    "aclImdb/train/neg/10_2.txt": "a slow start and a slower end",
    "aclImdb/train/neg/9_1.txt": "nothing in it worked",
    "aclImdb/train/pos/1_10.txt": "caf\u00e9 scenes to remember<br /><br />see it",
    "aclImdb/train/unsup/3_0.txt": "nobody gave this one stars",
    "aclImdb/test/neg/0_4.txt": "too long by half",
    "aclImdb/test/pos/0_7.txt": "kind and funny",
}
OTHER_MEMBERS = {"aclImdb/README": "not a review", "aclImdb/train/urls_pos.txt": "http://nowhere"}


def read(source: Path | str, choice: ColumnChoice | None = None, name: str | None = None) -> SourceReviews:
    return read_source(str(source), choice or ColumnChoice(), QUIET, name=name, seed=1)


def rows(reviews: SourceReviews, split: str) -> list[tuple[str, int]]:
    table = reviews.tables[split]
    assert table.schema == REVIEW_SCHEMA
    return list(zip(table.column("text").to_pylist(), table.column("label").to_pylist(), strict=True))


def fails(source: Path | str, *words: str, choice: ColumnChoice | None = None) -> str:
    with pytest.raises(SentimentError) as caught:
        read(source, choice)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 1
    for word in words:
        assert word in message
    return message


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet(path: Path, texts: Sequence[str | None], labels: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels)}), path)
    return path


def release_folder(folder: Path) -> Path:
    for name, text in (RELEASE | OTHER_MEMBERS).items():
        written(folder / name, text)
    return folder / "aclImdb"


def release_archive(path: Path, extra: Sequence[tarfile.TarInfo] = ()) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in reversed((RELEASE | OTHER_MEMBERS).items()):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        for member in extra:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


# Tables


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("kaggle.csv", "review,sentiment\ngood,positive\nbad,negative\n"),
        ("bom.csv", "\ufeffreview,sentiment\r\ngood,POS\r\nbad,Neg\r\n"),
        ("semicolon.csv", "id;text;label\n1;good;1\n2;bad;0\n"),
        ("tabs.tsv", "label\tcomment\nTrue\tgood\nfalse\tbad\n"),
        ("floats.csv", "label,body\n1.0,good\n0.0,bad\n"),
        ("punctuated.csv", "id,Review Text,Sentiment\n1,good,1\n2,bad,0\n"),
        ("score.csv", "id,tweet,label\n1,good,1\n2,bad,0\n"),
        ("two.csv", "label,words of the guest\n1,good\n0,bad\n"),
    ],
)
def test_columns_and_labels_are_found(tmp_path: Path, file: str, content: str) -> None:
    reviews = read(written(tmp_path / file, content))
    assert rows(reviews, "train") == [("good", 1), ("bad", 0)]
    assert list(reviews.tables) == ["train"]
    assert reviews.name == file.split(".")[0]


def test_newlines_quotes_and_delimiters_inside_a_text_are_kept(tmp_path: Path) -> None:
    text = 'first, "second"\r\nthird\n\nfourth'
    quoted = text.replace('"', '""')
    path = written(tmp_path / "a.csv", f'text,label\n"{quoted}",1\nbad,0\n')
    assert rows(read(path), "train")[0] == (text, 1)


@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: not is_blank(text)),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_comes_back_from_csv_and_parquet(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    labels = [index % 2 for index in range(len(texts))]
    lines = ['"{}",{}'.format(text.replace('"', '""'), label) for text, label in zip(texts, labels, strict=True)]
    csv_file = written(folder / "a.csv", "text,label\n" + "\n".join(lines))
    for path in (csv_file, parquet(folder / "a.parquet", texts, labels)):
        assert read_reviews(path, ColumnChoice(), None).table().column("text").to_pylist() == texts


def test_chosen_columns_and_positive_label(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", "text,notes,stars\nx,great,5\ny,awful,1\n")
    choice = ColumnChoice(text="notes", label="stars", positive="5")
    assert rows(read(path, choice), "train") == [("great", 1), ("awful", 0)]
    assert rows(read(path, ColumnChoice(text="Notes", label=" STARS", positive="5")), "train")[0] == ("great", 1)
    written(path, "text,notes,stars\nx,great,5\ny,awful,1\nz,so so,3\n")
    fails(path, "row 3 (line 4)", "'3'", "neither", choice=choice)


def test_a_positive_label_that_no_row_has(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", "text,label\ngood,up\n")
    fails(path, "own.csv", "no positive review", "'yes'", "--label-positive", choice=ColumnChoice(positive="yes"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty"]),
        ("text,label\n", ["there are no rows"]),
        ("text,label\n ,1\n", ["1 texts are blank"]),
        ("id,stars\n1,2\n3,4\n", ["which column is the text", "'id', 'stars'", "--text-column"]),
        ("a,b,text\n1,2,3\n", ["which column is the label", "--label-column"]),
        ("text,review,label\na,b,1\n", ["several text columns: 'text', 'review'", "--text-column"]),
        ("text,label,class\na,1,1\n", ["several label columns", "--label-column"]),
        ("text,label\ngood,1\nfine,meh\n", ["row 2 (line 3)", "'meh'", "--label-positive"]),
        ('text,label\n"two\nlines",1\nfine,\n', ["row 2 (line 4)", "no label"]),
        ("text,label\ngood, so good,1\n", ["row 1 (line 2)", "3 fields", "header 2", "quotes"]),
        ("text,label\ngood\n", ["row 1 (line 2)", "1 fields"]),
        ('text,label\ngood,1\n"bad,0\nworse,0\n', ["row 2 (line 3)", "quote"]),
        ("text,label\ngood,1\nbetter,1\n", ["no negative review"]),
        (b"text,label\ngood,1\ncaf\xe9,0\n", ["not UTF-8", "byte 21 (line 3)", "iconv"]),
        ("text,label\ngood,1\n".encode("utf-16"), ["UTF-16", "iconv"]),
    ],
)
def test_what_is_wrong_with_a_csv_is_said_in_one_line(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    fails(written(tmp_path / "own.csv", content), "own.csv", *words)


def test_missing_columns_that_were_chosen(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", "text,label\ngood,1\n")
    fails(path, "own.csv", "'opinion' is not there", "'text', 'label'", choice=ColumnChoice(text="opinion"))
    fails(path, "own.csv", "both text and label", choice=ColumnChoice(text="Label", label="label"))


def test_blank_texts_are_left_out_and_counted(tmp_path: Path) -> None:
    reviews = read(written(tmp_path / "own.csv", 'text,label\ngood,1\n"\n ",\n<br /> \u200b,1\nbad,0\n'))
    assert rows(reviews, "train") == [("good", 1), ("bad", 0)]
    assert reviews.blank == {"train": 2}


def test_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "own.parquet", ["good", None, "bad"], [True, False, False])
    reviews = read(path)
    assert rows(reviews, "train") == [("good", 1), ("bad", 0)]
    assert reviews.blank == {"train": 1}
    fails(parquet(path, ["good", "bad"], [1, None]), "own.parquet", "row 2 has no label")
    fails(parquet(path, ["good", "bad"], [[1], [0]]), "own.parquet", "'label' holds list")
    pq.write_table(pa.table({"text": [1, 2], "label": [1, 0]}), path)
    fails(path, "own.parquet", "'text' holds int64, not text")


@pytest.mark.parametrize(
    ("names", "positive", "labels"),
    [
        (["pos", "neg"], None, [1, 0]),
        (["neg", "pos"], None, [0, 1]),
        (["angry", "happy"], "happy", [0, 1]),
        (["happy", "angry"], "happy", [1, 0]),
        (["LABEL_0", "LABEL_1"], None, [0, 1]),
        (["pos", "neg"], "1", [0, 1]),  # the number was asked for
    ],
)
def test_the_names_of_class_numbers_count(
    tmp_path: Path, names: list[str], positive: str | None, labels: list[int]
) -> None:
    feature = {"names": names, "_type": "ClassLabel"}
    metadata = {"huggingface": json.dumps({"info": {"features": {"label": feature}}})}
    table = pa.table({"text": ["first", "second"], "label": [0, 1]}).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "own.parquet")
    from_file = rows(read(tmp_path / "own.parquet", ColumnChoice(positive=positive)), "train")
    assert from_file == list(zip(["first", "second"], labels, strict=True))


def test_truncated_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "own.parquet", ["good", "bad"] * 500, [1, 0] * 500)
    content = path.read_bytes()
    for size in (1, 200, len(content) - 1):
        fails(written(path, content[:size]), "own.parquet", "damaged")
    fails(written(path, content[:60] + bytes(200) + content[260:]), "own.parquet")


def test_files_and_paths_that_are_no_source(tmp_path: Path) -> None:
    fails(written(tmp_path / "reviews.xlsx", "x"), "reviews.xlsx", ".csv")
    fails(tmp_path / "missing.csv", "missing.csv: not found")
    fails("./missing", "not found")
    (tmp_path / "empty").mkdir()
    fails(tmp_path / "empty", "no train split")


# Folders laid out as on the hub


def hub_folder(folder: Path) -> Path:
    parquet(folder / "plain_text" / "train-00000-of-00002.parquet", ["bad one"], [0])
    parquet(folder / "plain_text" / "train-00001-of-00002.parquet", ["good one"], [1])
    parquet(folder / "plain_text" / "test-00000-of-00001.parquet", ["bad two", "good two"], [0, 1])
    parquet(folder / "plain_text" / "unsupervised-00000-of-00001.parquet", ["any"], [-1])
    return folder


def test_a_folder_without_readme_has_its_unsupervised_split(tmp_path: Path) -> None:
    reviews = read(hub_folder(tmp_path / "IMDb Copy"))
    assert reviews.name == "imdb-copy"
    assert list(reviews.tables) == ["train", "test", "unsupervised"]
    assert rows(reviews, "train") == [("bad one", 0), ("good one", 1)]
    assert rows(reviews, "unsupervised") == [("any", -1)]


def test_a_folder_that_lacks_a_part_says_so(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path / "imdb")
    (folder / "plain_text" / "train-00001-of-00002.parquet").unlink()
    fails(folder, "train split must be there whole", "00000-of-00002")


def test_a_split_that_is_there_twice_is_told_by_its_files(tmp_path: Path) -> None:
    parquet(tmp_path / "own" / "train.parquet", ["good", "bad"], [1, 0])
    written(tmp_path / "own" / "train.csv", "text,label\ngood,1\nbad,0\n")
    fails(tmp_path / "own", "train split must be there whole and once", "train.csv, train.parquet")


def test_a_validation_split_is_said_to_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train", "validation"):
        written(tmp_path / "own" / f"{name}.csv", "text,label\ngood,1\nbad,0\n")
    read_source(str(tmp_path / "own"), ColumnChoice(), Console(), name=None, seed=1)
    (line,) = capsys.readouterr().err.splitlines()
    assert "left out validation.csv" in line


def test_a_folder_of_csv_files(tmp_path: Path) -> None:
    written(tmp_path / "own" / "train.csv", "text,label\ngood,up\nbad,down\n")
    test = written(tmp_path / "own" / "test.csv", "text,label\nfine,up\n")
    choice = ColumnChoice(positive="up")
    assert rows(read(tmp_path / "own", choice), "test") == [("fine", 1)]
    written(test, "text,label\nfine,up\nbad,sideways\n")
    fails(tmp_path / "own", "test.csv", "row 2 (line 3)", "'sideways'", choice=choice)


# The IMDb release


def test_archive_and_folder_of_the_release_are_the_same(tmp_path: Path) -> None:
    from_folder = read(release_folder(tmp_path))
    from_archive = read(release_archive(tmp_path / "aclImdb_v1.tar.gz"))
    assert (from_folder.name, from_archive.name) == ("aclimdb", "aclimdb-v1")
    assert from_folder.fingerprint == from_archive.fingerprint
    assert from_folder.tables == from_archive.tables
    assert read(tmp_path).tables == from_folder.tables


def test_release_order_labels_and_stars(tmp_path: Path) -> None:
    reviews = read(release_folder(tmp_path))
    assert list(reviews.tables) == ["train", "test", "unsupervised"]
    assert reviews.tables["train"].to_pylist() == [
        {"text": "nothing in it worked", "label": 0, "rating": 1},
        {"text": "a slow start and a slower end", "label": 0, "rating": 2},
        {"text": "café scenes to remember<br /><br />see it", "label": 1, "rating": 10},
    ]
    assert reviews.tables["unsupervised"].to_pylist() == [
        {"text": "nobody gave this one stars", "label": -1, "rating": None}
    ]


def hostile_members() -> list[tarfile.TarInfo]:
    names = ["/aclImdb/train/pos/7_9.txt", "aclImdb/../aclImdb/train/pos/7_9.txt", "../escaped.txt", "/tmp/escaped.txt"]
    members = [tarfile.TarInfo(name) for name in names]
    for member in members:
        member.size = 3
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        member = tarfile.TarInfo("aclImdb/train/pos/8_9.txt")
        member.type, member.linkname = kind, "/etc/passwd"
        members.append(member)
    return members


def test_nothing_of_an_archive_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    clean = read(release_archive(folder / "clean.tgz"))
    hostile = release_archive(folder / "hostile.tgz", hostile_members())
    reviews = read_source(str(hostile), ColumnChoice(), Console(), name=None, seed=1)
    assert reviews.tables == clean.tables
    assert "left alone 8 members" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["clean.tgz", "hostile.tgz", "inner"]


def test_a_review_that_stands_in_an_archive_twice(tmp_path: Path) -> None:
    again = tarfile.TarInfo("aclImdb/train/pos/1_10.txt")
    fails(release_archive(tmp_path / "a.tgz", [again]), "a.tgz", "1_10.txt", "twice")


def test_truncated_and_damaged_archives(tmp_path: Path) -> None:
    content = release_archive(tmp_path / "aclImdb_v1.tar.gz").read_bytes()
    for size in (0, 1, 30, len(content) // 2, len(content) - 4):
        fails(written(tmp_path / "cut.tar.gz", content[:size]), "cut.tar.gz", "damaged or cut short")
    plain = gzip.decompress(content)
    fails(written(tmp_path / "cut.tar", plain[:1300]), "cut.tar", "damaged or cut short")
    fails(written(tmp_path / "page.tar.gz", "<html>Too many requests</html>"), "page.tar.gz", "damaged")
    fails(written(tmp_path / "other.tar.gz", gzip.compress(b"x" * 2000)), "other.tar.gz", "damaged")


def test_incomplete_releases_and_wrong_encodings(tmp_path: Path) -> None:
    folder = release_folder(tmp_path)
    bad = written(folder / "test/pos/5_8.txt", b"caf\xe9")
    fails(folder, "test/pos/5_8.txt", "not UTF-8 at byte 3")
    bad.unlink()
    (folder / "test/pos/0_7.txt").unlink()
    fails(folder, "no reviews under aclImdb/test/pos")


# Names and the sample


@pytest.mark.parametrize(
    ("name", "slug"), [("My Reviews", "my-reviews"), ("aclImdb_v1", "aclimdb-v1"), ("--é.x--", "x"), ("a", "a")]
)
def test_slugs(name: str, slug: str) -> None:
    assert slug_of(name) == slug


def test_a_given_name_wins_and_must_hold_something(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "text,label\ngood,1\nbad,0\n")
    assert read(path, name="Guest Book").name == "guest-book"
    with pytest.raises(UsageError, match="--name"):
        read(path, name="...")


def test_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"train": [("good", 1), ("bad", 0)], "test": [("fine", 1)]}
    monkeypatch.setattr("pipeline.sample.sample_corpus", lambda seed: parts)
    reviews = read("sample")
    assert reviews.name == SAMPLE_NAME == "demo"
    assert "sample" in reviews.description
    assert {split: rows(reviews, split) for split in parts} == parts
