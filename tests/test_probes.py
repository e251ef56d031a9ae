"""Promises: the probes are balanced, unlike one another and nobody's training text; their table adds up."""

import csv
import difflib
import io
import itertools
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import cli, probes
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.metrics import wilson_interval
from pipeline.probes import GROUPS, Probe, probe_model, probe_summary, probes_csv, read_probes, report_folder_name
from pipeline.sample import sample_corpus, sample_reviews_csv
from tests.test_makefile import Workspace as MakeWorkspace

ALL = read_probes(probes_csv())
PAIRS = {probe.pair: [other for other in ALL if other.pair == probe.pair] for probe in ALL if probe.pair}
SENTENCES = {"short": (1, 1), "negation": (1, 1), "contrast": (1, 1), "edited": (2, 4), "long_turn": (5, 8)}
SENTENCES |= {"products": (1, 4), "services": (1, 4)}
QUOTED_TOKENS = 8
WORD = re.compile(r"[\w']+")


def runs(text: str, length: int) -> set[str]:
    """Return every run of so many words of a text, lower-cased."""
    words = WORD.findall(text.lower())
    return {" ".join(words[i : i + length]) for i in range(len(words) - length + 1)}


class Answers:
    """Answers from a table of probabilities by text."""

    name = "stub/of tests"

    def __init__(self, probability_of: dict[str, float]) -> None:
        self.config: dict[str, Any] = {"files": {"model.safetensors": "abc"}}
        self._probability_of = probability_of

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([self._probability_of[text] for text in texts], dtype=np.float64)


# ------------------------------------------------------------------------------------------------------------ texts


def test_each_group_has_enough_texts_half_of_them_positive() -> None:
    for group in GROUPS:
        labels = [probe.label for probe in ALL if probe.group == group]
        assert 40 <= len(labels) <= 60, group
        assert sum(labels) * 2 == len(labels), group


def test_the_readme_says_how_many_there_are() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"on {len(ALL)} texts of our own" in readme
    assert f"[{len(ALL)} labelled texts]" in readme


def test_ids_and_texts_are_unique_and_clean() -> None:
    assert max(Counter(probe.id for probe in ALL).values()) == 1
    assert max(Counter(" ".join(WORD.findall(probe.text.lower())) for probe in ALL).values()) == 1
    for probe in ALL:
        assert probe.text == " ".join(probe.text.split()), probe.id
        assert probe.id.startswith(probe.pair or probe.group), probe.id


def test_texts_are_as_long_as_their_group_says() -> None:
    for probe in ALL:
        sentences = len(re.findall(r"[.!?]+(?=\s|$)", probe.text))
        low, high = SENTENCES.get(probe.group, (0, 9))
        assert low <= sentences <= high, probe.id
        if probe.group == "fragment":
            assert 2 <= len(probe.text.split()) <= 5, probe.id


def test_pairs_are_complete_differ_little_and_in_their_label() -> None:
    assert {probe.group for probe in ALL if probe.pair} == {"edited"}
    assert all(probe.pair for probe in ALL if probe.group == "edited")
    for pair in PAIRS.values():
        first, second = pair
        assert {first.label, second.label} == {0, 1}
        kept = difflib.SequenceMatcher(None, first.text.split(), second.text.split(), autojunk=False).ratio()
        assert 0.5 <= kept < 1, first.pair


def test_no_two_texts_but_of_a_pair_share_five_words_in_a_row() -> None:
    for first, second in itertools.combinations([(probe, runs(probe.text, 5)) for probe in ALL], 2):
        if not first[0].pair or first[0].pair != second[0].pair:
            assert not first[1] & second[1], (first[0].id, second[0].id)


def test_no_probe_stands_in_the_generated_sample() -> None:
    written = [text for part in sample_corpus(1).values() for text, _ in part] + [sample_reviews_csv(1)]
    in_sample = set().union(*(runs(text, QUOTED_TOKENS) for text in written))
    assert in_sample
    for probe in ALL:
        assert not runs(probe.text, QUOTED_TOKENS) & in_sample, probe.id


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.skipif("SENTIMENT_IMDB" not in os.environ, reason="SENTIMENT_IMDB names no folder of IMDb")
@pytest.mark.parametrize("split", ["train", "unsupervised"])
def test_no_probe_quotes_a_training_review(split: str) -> None:
    import pyarrow.parquet as pq

    of_probes = set().union(*(runs(probe.text, QUOTED_TOKENS) for probe in ALL))
    (path,) = (Path(os.environ["SENTIMENT_IMDB"]) / "plain_text").glob(f"{split}-*.parquet")
    for text in pq.read_table(path)["text"].to_pylist():
        assert not runs(text, QUOTED_TOKENS) & of_probes


# ------------------------------------------------------------------------------------------------------------ figures


def test_the_table_adds_up() -> None:
    found = [
        Probe("short-1", "short", "", "a", 1),
        Probe("short-2", "short", "", "b", 0),
        Probe("short-3", "short", "", "c", 0),
        Probe("edited-1a", "edited", "edited-1", "d", 1),
        Probe("edited-2a", "edited", "edited-2", "e", 0),
        Probe("edited-1b", "edited", "edited-1", "f", 0),
        Probe("edited-2b", "edited", "edited-2", "g", 1),
    ]
    summary = probe_summary(found, np.array([1, 1, 0, 1, 1, 0, 1], dtype=np.int8))
    assert list(summary["groups"]) == ["short", "edited"]
    short, edited = summary["groups"].values()
    assert (short["rows"], short["correct"], short["pairs"]) == (3, 2, None)
    assert short["accuracy_interval"] == wilson_interval(2, 3)
    assert short["classes"] == {"negative": {"rows": 2, "correct": 1}, "positive": {"rows": 1, "correct": 1}}
    assert (edited["rows"], edited["correct"]) == (4, 3)
    assert edited["pairs"] == {"pairs": 2, "both_right": 1, "share": 0.5, "share_interval": wilson_interval(1, 2)}
    assert (summary["all"]["rows"], summary["all"]["correct"]) == (7, 5)
    assert summary["wrong"] == ["short-2", "edited-2a"]
    lines = probes.table_lines(summary)
    assert [line.split()[:3] for line in lines[1:]] == [
        ["short", "3", "66.7%"],
        ["edited", "4", "75.0%"],
        ["all", "7", "71.4%"],
    ]
    assert lines[0].split()[-2:] == ["positive", "negative"]
    assert lines[1].split()[-2:] == ["1/1", "1/2"]
    assert "both of a pair: 1/2, 50.0%" in lines[2]
    assert [("pair" in line) for line in lines[1:]] == [False, True, False]


@pytest.mark.parametrize("wrong", [set(), {"noisy-03", "edited-04b"}, {probe.id for probe in ALL}])
def test_what_is_written_shown_and_said_agrees(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], wrong: set[str]
) -> None:
    def answer(probe: Probe) -> float:
        return 0.9 if (probe.label == 1) != (probe.id in wrong) else 0.1

    model = Answers({probe.text: answer(probe) for probe in ALL})
    result = probe_model(model, tmp_path, Console(), show=True)
    assert json.loads((tmp_path / "stub-of-tests" / "probes.json").read_text(encoding="utf-8")) == result
    assert set(result["wrong"]) == wrong
    assert result["all"]["correct"] == len(ALL) - len(wrong)
    assert result["groups"]["edited"]["pairs"]["both_right"] == len(PAIRS) * (len(wrong) < len(ALL)) - (len(wrong) == 2)
    captured = capfd.readouterr()
    shown = list(csv.DictReader(io.StringIO(captured.out, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["id"]: row["text"] for row in shown} == {probe.id: probe.text for probe in ALL if probe.id in wrong}
    assert captured.err.count("\n") == 1 + 1 + len(GROUPS) + 1 + 1


def test_a_score_that_is_no_number_leaves_the_old_figures(tmp_path: Path) -> None:
    old = probe_model(Answers({probe.text: 0.5 for probe in ALL}), tmp_path, Console(quiet=True))
    with pytest.raises(SentimentError, match="not a number"):
        probe_model(Answers({probe.text: float("nan") for probe in ALL}), tmp_path, Console(quiet=True))
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert json.loads(path.read_text(encoding="utf-8")) == old


@pytest.mark.parametrize("damage", [("label", "mark"), (",positive", ",good"), ("short,,", "shorts,,")])
def test_a_damaged_table_is_refused(damage: tuple[str, str]) -> None:
    with pytest.raises(SentimentError, match=r"probes\.csv.*install"):
        read_probes(probes_csv().replace(*damage, 1))


@pytest.mark.parametrize("name", ["imdb-default-s1", "../up", "a b/c", "..", ""])
def test_the_folder_is_evaluations(name: str) -> None:
    from pipeline.evaluation.report_folders import AT_HOME, report_name

    assert report_folder_name(name) == report_name(name, AT_HOME)


# ------------------------------------------------------------------------------------------------------------ command


def test_the_command_writes_the_figures_of_the_model_named(
    trained_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    common = ["--data-dir", str(tmp_path / "data"), "--reports-dir", str(tmp_path / "reports")]
    assert cli.main(["probe", "--model", "nobody", *common]) == 1
    assert "no model folder" in capfd.readouterr().err
    assert cli.main(["probe", "--model", str(trained_model), *common]) == 0
    said = capfd.readouterr()
    assert said.out == ""
    path = tmp_path / "reports" / trained_model.name / "probes.json"
    first = path.read_bytes()
    assert str(path) in said.err
    figures = json.loads(first)
    assert figures["model"]["name"] == trained_model.name
    for group, entry in figures["groups"].items():
        assert re.search(rf"^{group} +{entry['rows']} +{entry['accuracy']:.1%} ", said.err, re.MULTILINE), group
    assert cli.main(["probe", "--model", str(trained_model), "--show", "--quiet", *common]) == 0
    quiet = capfd.readouterr()
    assert quiet.err == ""
    assert [line.split("\t")[0] for line in quiet.out.splitlines()] == ["id", *figures["wrong"]]
    assert path.read_bytes() == first


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_hands_the_model_over_and_cleans_up(tmp_path: Path) -> None:
    workspace = MakeWorkspace(tmp_path)
    workspace.make("probe", "MODEL=my models/a")
    assert workspace.calls() == ["probe --model my models/a"]
    for name in ("reports/a/probes.json", "reports/reference/a/probes.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    workspace.make("clean")
    assert not (tmp_path / "reports/a").exists()
    assert (tmp_path / "reports/reference/a/probes.json").exists()


def test_the_readmes_table_is_what_was_measured() -> None:
    models = ("default", "pretrained", "small", "best")
    root = Path(__file__).parent.parent
    folder = root / "reports" / "reference"
    figures = [
        json.loads((folder / f"imdb-{model}-s1" / "probes.json").read_text(encoding="utf-8")) for model in models
    ]
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    for group, entry in figures[0]["groups"].items():
        shares = " | ".join(f"{of['groups'][group]['accuracy']:.0%}" for of in figures)
        assert f"| {group} | {entry['rows']} | {shares} |" in lines
    whole = [of["all"] for of in figures]
    shown = (
        f"{of['accuracy']:.1%} ({of['accuracy_interval'][0]:.1%} to {of['accuracy_interval'][1]:.1%})" for of in whole
    )
    assert f"| all | {whole[0]['rows']} | {' | '.join(shown)} |" in lines
    for label in ("positive", "negative"):
        right = " | ".join(str(of["classes"][label]["correct"]) for of in whole)
        assert f"| {label} ones right | {whole[0]['classes'][label]['rows']} | {right} |" in lines
