"""Promise: spaCy's rules are read once and kept; where they cannot be followed, spaCy itself gives the same tokens."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import spacy

from pipeline import spacy_rules
from pipeline.artifacts import write_json_atomically
from pipeline.chunk_rules import ChunkRules
from pipeline.spacy_rules import (
    PATTERNS,
    PROBES,
    RULES_FORMAT,
    KnownRules,
    SpacyChunks,
    english_chunk_rules,
    known_rules,
    main,
    probes,
    read_known_rules,
    rules_of,
    work_out_known_rules,
    write_known_rules,
)
from pipeline.tokenizer_rules import RuleTokenizer, TokenizerRules

NAME = f"english-rules-{spacy.__version__}-{RULES_FORMAT}.json"
KNOWN = work_out_known_rules()
assert KNOWN.rules is not None, KNOWN.problem
RULES = KNOWN.rules
SCRIPT = """
import sys
from pathlib import Path
from pipeline import spacy_rules
spacy_rules.find_built = lambda name: Path(sys.argv[1]) / name
from pipeline.chunk_tokenizer import ChunkTokenizer
print(list(ChunkTokenizer(str)(["Déjà vu: it's great:), isn't it?"])))
ChunkTokenizer(len).token_id_arrays(["a film"])
print([name for name in ("spacy", "torch", "pyarrow") if name in sys.modules])
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the rules are kept, instead of in the package."""
    monkeypatch.setattr(spacy_rules, "find_built", lambda name: tmp_path / name)
    return tmp_path


@pytest.fixture
def askings(monkeypatch: pytest.MonkeyPatch) -> list[KnownRules]:
    """The answer of each time that spaCy was asked; the first is that of the real one, which takes a second."""
    answers: list[KnownRules] = []
    monkeypatch.setattr(spacy_rules, "work_out_known_rules", lambda: answers.append(KNOWN) or KNOWN)
    return answers


def forget() -> None:
    """Forget what this process knows, as the next process would."""
    spacy_rules._known_rules.cache_clear()


def small(**changes: str) -> TokenizerRules:
    """The rules with few exceptions, so that proving them takes no time, and with changes."""
    exceptions = {text: RULES.exceptions[text] for text in ("gonna", ":)", "a.m.")}
    return replace(RULES, exceptions=exceptions, **changes)


def test_where_rules_are_kept_neither_spacy_nor_torch_is_imported(folder: Path, askings: list[KnownRules]) -> None:
    known_rules()
    assert len(askings) == 1
    (path,) = folder.iterdir()
    before = (path.name, path.stat().st_mtime_ns)
    tokens, imported = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout.splitlines()
    assert tokens == str([["déjà", "vu", ":", "it", "'s", "great", ":)", ",", "is", "n't", "it", "?"]])
    assert imported == "[]"
    assert [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()] == [before] == [(NAME, before[1])]


def test_kept_rules_are_those_of_the_installed_spacy(tmp_path: Path) -> None:
    write_known_rules(tmp_path / NAME, KNOWN)
    assert read_known_rules(tmp_path / NAME) == KNOWN
    assert KNOWN.rules == rules_of(spacy.blank("en").tokenizer)
    assert RuleTokenizer(RULES).rejoined == KNOWN.rejoined


def test_the_tokenizer_has_the_kept_rules(folder: Path, askings: list[KnownRules]) -> None:
    known_rules()
    forget()
    forms_of_chunk = english_chunk_rules()
    assert isinstance(forms_of_chunk, ChunkRules)
    assert list(map(forms_of_chunk, PROBES.split())) == list(map(SpacyChunks(), PROBES.split()))
    assert len(askings) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "other words", "no object", "no JSON", "other keys", "a folder"])
def test_a_damaged_file_is_made_anew(folder: Path, askings: list[KnownRules], damage: str) -> None:
    path = folder / NAME
    write_known_rules(path, KNOWN)
    whole = path.read_bytes()
    kept = json.loads(whole)
    kept["content"]["exceptions"].remove("gon na")
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[:-100],
            "other words": json.dumps(kept).encode(),
            "no object": b"[1]",
            "no JSON": b"\xff\x00",
            "other keys": b"{}",
        }.get(damage, b"")
    )
    if damage == "a folder":
        path.unlink()
        path.mkdir()
    assert read_known_rules(path) is None
    assert known_rules() == KNOWN
    assert len(askings) == 1
    assert damage == "a folder" or path.read_bytes() == whole
    assert list(folder.iterdir()) == [path]


def test_rules_of_another_version_are_left_alone(
    folder: Path, askings: list[KnownRules], monkeypatch: pytest.MonkeyPatch
) -> None:
    others = KnownRules(small(suffix="!$"))
    for name in (f"english-rules-0.0-{RULES_FORMAT}.json", f"english-rules-{spacy.__version__}-0.json"):
        write_known_rules(folder / name, others)
    assert known_rules() == KNOWN
    monkeypatch.setattr(spacy_rules, "version", lambda name: "0.0")
    assert known_rules() == others
    assert len(askings) == 1


@pytest.mark.parametrize("trouble", ["no folder", "no version", "a folder that takes nothing"])
def test_without_a_place_the_rules_are_worked_out_in_each_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, askings: list[KnownRules], trouble: str
) -> None:
    def refuse(*arguments: object) -> Path:
        raise OSError if trouble == "no folder" else PackageNotFoundError

    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(spacy_rules, "find_built", lambda name: file / name)
    if trouble != "a folder that takes nothing":
        monkeypatch.setattr(spacy_rules, "find_built" if trouble == "no folder" else "version", refuse)
    for times in (1, 2):
        forget()
        assert known_rules() == known_rules() == KNOWN
        assert len(askings) == times
    forget()
    assert list(tmp_path.iterdir()) == [file]


def test_unknown_rules_are_left_to_spacy_from_then_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(spacy_rules, "rules_of", lambda tokenizer: None)
    assert isinstance(english_chunk_rules(), SpacyChunks)
    kept = json.loads((folder / NAME).read_text("utf-8"))["content"]
    assert (kept["follows"], "patterns" in kept) == (False, False)

    monkeypatch.delattr(spacy_rules, "work_out_known_rules")  # not asked again
    forget()
    monkeypatch.setattr(spacy_rules, "CHUNKS_PER_ZONE", 3)
    forms_of_chunk = english_chunk_rules()
    assert isinstance(forms_of_chunk, SpacyChunks)
    chunks = ["gonna", *PROBES.split()]
    language = spacy.blank("en")
    assert list(map(forms_of_chunk, chunks)) == [[token.lower_ for token in language.tokenizer(one)] for one in chunks]
    assert main() == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert (
        line == "tokenizer: spaCy itself does the work, slower: its tokenizer is put together in a way not known here"
    )


def test_a_tokenizer_with_means_of_its_own_has_no_known_rules() -> None:
    for name, value in {
        "token_match": lambda chunk: None,
        "faster_heuristics": False,
        "prefix_search": None,
        "suffix_search": lambda chunk: None,
        "infix_finditer": re.compile("-", re.IGNORECASE).finditer,
    }.items():
        tokenizer = spacy.blank("en").tokenizer
        assert rules_of(tokenizer) == RULES
        setattr(tokenizer, name, value)
        assert rules_of(tokenizer) is None
    assert rules_of(object()) is None


@pytest.mark.parametrize("way", ["_rejoin", "_cut_at_infixes"])
def test_rules_followed_in_another_way_are_noticed(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(RuleTokenizer, way, lambda self, rest: [rest] if isinstance(rest, str) else rest)
    known = work_out_known_rules()
    assert known.rules is None
    assert "in another way than it does" in known.problem


@pytest.mark.parametrize(
    ("name", "old", "new", "followed"),
    [
        ("suffix", "$", "$|(?<=[0-9])kilometres$", False),  # longer than the suffixes that are sought
        ("prefix", "^%", "^%|^[Qq]", False),  # a letter that matters
        ("infix", "<>", "<", False),  # fewer joints
        ("suffix", "$", "$|(?<=[0-9])pc$", True),
        ("prefix", "^%", "^%|^Non-", True),
    ],
)
def test_a_new_rule_is_followed_only_where_that_gives_the_tokens_of_spacy(
    monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str, followed: bool
) -> None:
    language = spacy.blank("en")
    changed = getattr(RULES, name).replace(old, new, 1)
    assert changed != getattr(RULES, name)
    method = PATTERNS[name]
    setattr(language.tokenizer, f"{name}_{method}", getattr(re.compile(changed), method))
    language.tokenizer.rules = {text: language.tokenizer.rules[text] for text in ("gonna", ":)", "a.m.")}
    monkeypatch.setattr(spacy, "blank", lambda code: language)
    known = work_out_known_rules()
    assert (known.rules is not None) == followed
    if known.rules is not None:
        forms_of_chunk = ChunkRules(known.rules, RuleTokenizer(known.rules))
        for chunk in ("5pc", "5pc.", "film-5pc", "Non-film", "non-film!", "(Non-Film)", "Non-", "gonna:)"):
            assert forms_of_chunk(chunk) == [token.lower_ for token in language.tokenizer(chunk)]


def test_probes_are_chunks() -> None:
    assert all(chunk.split() == [chunk] for chunk in probes(small()))


@pytest.mark.parametrize("kept", [True, False])
def test_one_line_says_what_was_kept(
    folder: Path,
    askings: list[KnownRules],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kept: bool,
) -> None:
    if not kept:
        monkeypatch.setattr(spacy_rules, "write_known_rules", lambda path, known: None)
    assert main() == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert (line == f"tokenizer: rules of spaCy {spacy.__version__} kept") == kept
    assert ("cannot be kept" in line) != kept


def test_no_trouble_stops_an_installation(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    assert main() == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "spaCy cannot be imported" in line
    write_json_atomically(folder / NAME, {})
    assert main() == 0
