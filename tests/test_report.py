"""Promise: the page shows what metrics.json says, loads nothing, runs nothing, and shows any review as text."""

import ast
import base64
import html
import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from pipeline.artifacts import StageOutput
from pipeline.evaluation import score_curves as score_curves_module
from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.evaluation.score_curves import precision_recall_points, roc_points, score_curves
from pipeline.evaluation.slices import confidence_slicing, slicings_of
from pipeline.evaluation.summary import subset_summary
from pipeline.machine import INSTRUCTION_SETS, machine_description, processor_description, versions_in_use
from pipeline.metrics import accuracy_summary, mcnemar, predictions
from pipeline.plots import LIGHT, render
from pipeline.report.data_card import data_card
from pipeline.report.evaluated import Evaluated
from pipeline.report.mistakes import most_confident_mistakes
from pipeline.report.model_card import model_card
from pipeline.report.numbers import Numbers
from pipeline.report.page import page
from pipeline.report.pictures import pictures
from pipeline.report.write import write_report

HOSTILE = (
    '<script>document.title="taken over"</script><img src=x onerror=alert(1)><br />"quoted" & {{ 7*7 }} '
    "</div></details> \x1b[31mred \u202eesrever \x85end"
)
SECTIONS = (
    *("headline", "classes", "calibration", "thresholds", "slices", "errors", "leakage", "training"),
    *("data", "model", "reproduce"),
)
AUDIT: dict[str, Any] = {
    "exact_duplicates": {
        "within": {
            "test": {"rows": 60, "distinct_texts": 59, "repeated_rows": 1},
            "train": {"rows": 240, "distinct_texts": 236, "repeated_rows": 4},
        },
        "across": {"train|test": {"distinct_texts": 9, "rows": {"train": 9, "test": 10}}},
    },
    "near_duplicates": {
        "definition": "5-word shingles",
        "groups": 12,
        "rows_in_groups": 31,
        "largest_group": 3,
        "across": {"train|test": {"groups": 10, "rows": {"train": 11, "test": 12}}},
        "train_groups_with_both_labels": 2,
    },
    "train_labels": {"positive": 121, "negative": 119},
    "words": {
        name: {"mean": mean, "median": 160.0, "percentile_95": 588.5, "longest": 2_459}
        for name, mean in (("test", 301.25), ("train", 299.5))
    },
    "encoding": {"test": {"html_breaks": 13, "mojibake": 0}, "train": {"html_breaks": 52, "mojibake": 1}},
}
CONFIG: dict[str, Any] = {
    "recipe": {
        "name": "default",
        "description": "A recipe of\n`ours`.",
        "model": {"layers": 1, "bidirectional": True, "hidden_size": 128, "pooling": ["max", "mean"]},
    },
    "seed": 1,
    "parameters": 1_234_567,
    "bytes": 4_938_268,
    "vectors": {"name": "glove.6B.100d", "dimension": 100, "sha256": "ab" * 32},
    "coverage": {"words": 9_876, "types": 0.4, "tokens": 0.9, "vocabulary_tokens": 0.98},
    "corpus": {"name": "imdb", "fingerprint": "cd" * 32, "sample": False},
    "training": {"labelled_reviews": 216, "epochs_run": 3, "best_epoch": 2, "seconds": 90.0, "threads": 2},
    "validation": {"rows": 24, "accuracy": 0.8125},
    "machine": {"processor": "Some CPU"},
    "origins": {
        "encoder": {"name": "default", "reviews": 72_088, "tokens": 19_614_789, "seconds": 4_131.9},
        "teacher": {"teachers": ["imdb-default-s2", "NB-SVM"], "reviews": 49_697, "pieces": 78_560},
    },
}


def evaluated_case(name: str = "imdb", split: str = "source") -> Evaluated:
    """Sixty reviews, a model that is right on most and a baseline that is right on fewer."""
    generator = np.random.default_rng(3)
    labels = (np.arange(60) % 2).astype(np.int8)
    logits = np.where(labels == 1, 1.5, -1.5) + generator.normal(0, 1.3, 60)
    logits[1] = -9.0  # the worst error, a truly positive review
    texts = [f"review number {i} " + "word " * (10 * i) for i in range(60)]
    texts[1] = HOSTILE
    probabilities, before = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-2 * logits))
    slicings = slicings_of(texts)
    every_slicing = [*slicings, confidence_slicing(probabilities)]
    leak_free = np.arange(60) > 9
    scores = np.where(labels == 1, 0.5, -0.5) + generator.normal(0, 1, 60)
    predicted = (scores >= 0).astype(np.int8)
    metrics: dict[str, Any] = {
        "schema_version": 2,
        "evaluated_at": "2026-01-02T03:04:05+00:00",
        "command": "sentiment evaluate --model data/models/m",
        "model": {
            "name": "imdb-default-s1",
            "weights_sha256": "ef" * 32,
            "temperature": 2.0,
            "seed": 1,
            "recipe": {"name": "default"},
        },
        "data": {
            "kind": "test split",
            "name": name,
            "fingerprint": "12" * 32,
            "rows": 60,
            "source": "stanfordnlp/imdb",
            "split": split,
            "sample": name == "demo",
            "trained_on_this_corpus": True,
        },
        "all": {
            **subset_summary(labels, probabilities, before, every_slicing, 15),
            **score_curves(labels, probabilities),
        },
        "leak_free": subset_summary(labels, probabilities, before, every_slicing, 15, leak_free),
        "leakage": {"known": True, "compared_with": ["train"], "shared_with": {"train": 10}, "rows": 10},
        "baselines": {
            "nb_svm": {
                "title": "NB-SVM 1-3-grams",
                "settings": {"C": 1.0},
                "training_rows": 40,
                "seconds": 1.5,
                "from_cache": True,
                **accuracy_summary(labels, predicted),
                "leak_free": accuracy_summary(labels[leak_free], predicted[leak_free]),
                "mcnemar": mcnemar(labels, predictions(probabilities), predicted),
                "roc_curve": roc_points(labels, scores),
                "precision_recall_curve": precision_recall_points(labels, scores),
            }
        },
        "training_history": {
            "best_epoch": 2,
            "epochs": [
                {"epoch": epoch, "training_loss": 1 / epoch, "validation_log_loss": 0.5, "validation_accuracy": 0.8}
                for epoch in (1.0, 2.0)
            ],
        },
        "vectors": {"name": "glove.6B.100d", "sha256": "ab" * 32, "coverage": {"types": 0.4}},
        "corpus_audit": AUDIT,
        "scoring": {"seconds": 0.1, "reviews_per_second": 600.0},
        "versions": versions_in_use(),
        "machine": machine_description(),
    }
    data = LabelledTexts(texts, labels, np.arange(60), metrics["data"], leak_free, metrics["leakage"])
    manifest = {"rows": {"train": 240, "test": 60}, "settings": {"seed": 1}, "blank_rows_left_out": {"train": 7}}
    metrics["data_card"], metrics["model_card"] = data_card(data, manifest), model_card(CONFIG)
    return Evaluated(metrics, data, probabilities, slicings)


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.figures: dict[str, str] = {}
        self.shown: list[tuple[str, str]] = []
        self._key: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "data":
            self._key = str(attributes["data-key"])
            self.figures[self._key] = str(attributes["value"])

    def handle_data(self, data: str) -> None:
        if self._key is not None:
            self.shown.append((self._key, data))
            self._key = None

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "imdb-default-s1"
    with StageOutput(folder, "evaluate") as output:
        write_report(output, evaluated_case())
        output.commit({}, {}, {})
    return folder


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text: str) -> Page:
    return Page(text)


def without_pictures(evaluated: Evaluated) -> str:
    return page(evaluated, {})


def test_every_figure_on_the_page_is_the_one_in_metrics_json(folder: Path, parsed: Page) -> None:
    numbers = Numbers(json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
    assert len(parsed.figures) > 150
    for key, value in parsed.figures.items():
        assert ast.literal_eval(value) == numbers.value(key), key
    for key, shown in parsed.shown:
        value = numbers.value(key)
        if shown.endswith("%"):
            assert float(shown[:-1]) == pytest.approx(100 * value, abs=0.0051), key
        elif not shown.startswith("<"):
            assert float(shown.replace(",", "")) == pytest.approx(value, rel=0.001, abs=0.00006), key


def test_the_headline_figures_are_there(parsed: Page) -> None:
    for key in (
        "all.accuracy",
        "all.accuracy_interval.0",
        "leak_free.accuracy",
        "baselines.nb_svm.accuracy",
        "baselines.nb_svm.mcnemar.p_value",
        "all.confusion_matrix.false_positive",
        "all.calibration.before_temperature.calibration_error",
        "all.slices.length.groups.0.accuracy",
        "all.slices.negation.groups.0.accuracy_interval.0",
        "all.slices.contrast.groups.0.rows",
        "leak_free.slices.length.groups.1.accuracy",
        "corpus_audit.exact_duplicates.within.train.repeated_rows",
        "corpus_audit.near_duplicates.across.train|test.rows.test",
        "corpus_audit.words.train.percentile_95",
        "corpus_audit.encoding.test.html_breaks",
        "corpus_audit.train_labels.negative",
        "data_card.scored.words.median",
        "data_card.rows.train",
        "data_card.rows_without_text",
        "model_card.architecture.parameters",
        "model_card.origins.language_model.minutes",
        "model_card.training.validation_accuracy",
    ):
        assert key in parsed.figures


def test_a_hostile_review_is_text(text: str, parsed: Page, folder: Path) -> None:
    assert "<script>document" not in text
    assert "&lt;script&gt;document.title=" in text
    assert "{{ 7*7 }}" in text
    assert not [attributes for _, attributes in parsed.tags if any(name.startswith("on") for name in attributes)]
    for content in (text, (folder / "errors.txt").read_text(encoding="utf-8")):
        assert not re.search("[\x1b\x85\u202e]", content)
        assert "\N{HORIZONTAL ELLIPSIS}end" in content


def test_the_page_loads_nothing(text: str, parsed: Page) -> None:
    policy = [attributes for attributes in parsed.named("meta") if attributes.get("http-equiv")]
    rules = dict(rule.split(" ", 1) for rule in str(policy[0]["content"]).split("; "))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    assert "unsafe" not in str(policy[0]["content"])
    for _, attributes in parsed.tags:
        for name in ("src", "srcset", "href", "poster", "action"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#"))
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_a_reader_without_eyes_or_mouse_is_served(parsed: Page) -> None:
    assert all(attributes.get("alt") for attributes in parsed.named("img"))
    assert all(attributes.get("scope") for attributes in parsed.named("th"))
    assert tuple(attributes["id"] for attributes in parsed.named("section")) == SECTIONS
    contents = [str(attributes["href"])[1:] for attributes in parsed.named("a") if "href" in attributes]
    assert [name for name in contents if name in SECTIONS][1 : len(SECTIONS) + 1] == list(SECTIONS)
    targets = {attributes.get("id") for _, attributes in parsed.tags}
    assert all(str(attributes["href"])[1:] in targets for attributes in parsed.named("a"))


def test_the_training_curves_are_inside(text: str, folder: Path) -> None:
    assert base64.b64encode((folder / "training.svg").read_bytes()).decode() in text


def test_the_sample_is_called_a_sample(text: str) -> None:
    notice = "This is the generated sample, not IMDb."
    assert notice in without_pictures(evaluated_case("demo"))
    assert notice not in text


def test_a_drawn_split_is_named() -> None:
    assert "(seeded 80/20)" in without_pictures(evaluated_case(split="seeded 80/20"))


def test_a_model_of_another_corpus_is_not_said_to_share_the_baselines_training_part() -> None:
    evaluated = evaluated_case()
    assert "the part the GRU was fitted on" in without_pictures(evaluated)
    evaluated.metrics["data"]["trained_on_this_corpus"] = False
    assert "the part the GRU was fitted on" not in without_pictures(evaluated)


def test_what_the_gru_learnt_from_beside_the_labels_is_said_where_models_are_compared() -> None:
    evaluated = evaluated_case()
    assert "The GRU also learnt from 72,088 reviews without their labels" in words_of(evaluated)
    assert "one of which is an NB-SVM like that of this table" in words_of(evaluated)
    origins = evaluated.metrics["model_card"]["origins"]
    origins["teachers"]["names"] = ["imdb-default-s2"]
    assert "and from 49,697 reviews as other models label them." in words_of(evaluated)
    origins["teachers"] = origins["language_model"] = None
    assert "also learnt from" not in words_of(evaluated)


def test_unlabelled_reviews_are_said_to_be_left_out_where_there_are_some() -> None:
    evaluated = evaluated_case()
    words = "Unlabelled reviews with a near duplicate in test are left out"
    assert words not in without_pictures(evaluated)
    evaluated.metrics["data_card"]["rows"]["unsupervised"] = 100
    evaluated.metrics["leakage"]["test_evaluations"] = 17
    text = without_pictures(evaluated)
    assert words in text
    assert Page(text).figures["leakage.test_evaluations"] == "17"


def test_a_compact_copy_is_called_one() -> None:
    evaluated = evaluated_case()
    assert "compact copy" not in without_pictures(evaluated)
    evaluated.metrics["model_card"]["compact_copy_of"] = "imdb-default-s1"
    text = without_pictures(evaluated)
    assert "<title>imdb-default-s1 (compact copy) on imdb" in text
    assert "This is the compact copy of imdb-default-s1:" in text


def test_one_review_is_not_many() -> None:
    evaluated = evaluated_case()
    evaluated.metrics["all"]["rows"] = 1
    text = without_pictures(evaluated)
    shown = html.unescape(re.sub("<[^>]*>", "", text[text.index("<body>") : text.index('id="leakage"')]))
    assert re.findall(r"\b1\s+reviews\b(?! that scored)", shown) == []


def headings(parsed: Page) -> list[int]:
    return [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]


def test_the_page_is_in_order_for_machines(parsed: Page) -> None:
    names = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(names) == len(set(names))
    levels = headings(parsed)
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise([0, *levels]))
    assert not [tag for tag, attributes in parsed.tags if "style" in attributes]
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert len(parsed.named("main")) == len(parsed.named("header")) == len(parsed.named("footer")) == 1
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("caption") == tags.count("table")
    scrolling = [attributes for attributes in parsed.named("div") if attributes.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in scrolling)


def test_the_command_stands_above_the_result(text: str) -> None:
    command = "<code>sentiment evaluate --model data/models/m</code>"
    assert text.index(command) < text.index('id="headline"')
    assert text.index(command, text.index('id="reproduce"'))


def test_the_commands_go_from_the_data_to_the_model(text: str) -> None:
    commands = text[text.index("From the data to the model") :]
    assert re.findall("sentiment .*", commands)[:6] == [
        "sentiment data --source stanfordnlp/imdb",
        "sentiment tokens",
        "sentiment vocab --vectors glove.6B.100d",
        "sentiment pretrain",
        "sentiment teach imdb-default-s2 --nb-svm",
        "sentiment train --recipe default --seed 1</code></pre>",
    ]


def words_of(evaluated: Evaluated) -> str:
    """Return the text of a page from its top to the section after the result, white space made single."""
    text = without_pictures(evaluated)
    result = text[text.index('id="headline"') : text.index('id="classes"')]
    return " ".join(html.unescape(re.sub("<[^>]*>", "", result)).split())


def test_the_verdict_follows_the_test() -> None:
    evaluated = evaluated_case()
    entry = evaluated.metrics["baselines"]["nb_svm"]
    for accuracy, p_value, words in (
        (0.1, 0.01, "The GRU is better than"),
        (1.0, 0.01, "The GRU is worse than"),
        (0.1, 0.2, "there is no clear difference"),
    ):
        entry["accuracy"], entry["mcnemar"]["p_value"] = accuracy, p_value
        assert words in words_of(evaluated)
    evaluated.metrics["baselines"] = {}
    assert "It was not held against simpler models in this run." in words_of(evaluated)
    evaluated.metrics["data"]["kind"] = "labelled file"
    assert "A labelled file has no training part" in words_of(evaluated)


def test_the_previous_report_is_named_and_judged() -> None:
    evaluated = evaluated_case()
    assert "revious report" not in words_of(evaluated)
    previous: dict[str, Any] = {
        "name": "earlier",
        "evaluated_at": "2025-12-24T01:02:03+00:00",
        "command": "sentiment evaluate",
        "weights_sha256": "34" * 32,
        "rows": 60,
        "accuracy": 0.99,
        "accuracy_interval": [0.9, 0.999],
        "same_reviews": True,
        "same_weights": False,
        "mcnemar": {"only_first": 1, "only_second": 19, "p_value": 0.00004},
    }
    evaluated.metrics["previous"] = previous
    words = words_of(evaluated)
    assert "99.00% 95% interval 90.00% to 99.90%earlier, 2025-12-24" in words
    assert "It is worse than in the previous report" in words
    assert "p < 0.0001" in words
    previous["mcnemar"]["p_value"] = 0.3
    assert "There is no clear difference from the previous report." in words_of(evaluated)
    previous["mcnemar"] = None
    assert "its answers are gone" in words_of(evaluated)
    previous["same_weights"] = True
    assert "of the same weights" in words_of(evaluated)
    previous["same_reviews"] = False
    assert "The previous report is of other reviews" in words_of(evaluated)
    previous["same_reviews"] = None
    assert "Whether the previous report is of the same reviews is not known" in words_of(evaluated)


def test_one_class_is_half_an_answer() -> None:
    evaluated = evaluated_case()
    evaluated.metrics["all"]["support"] = {"negative": 0, "positive": 60}
    words = words_of(evaluated)
    assert "All of them are positive." in words
    assert "nothing about negative ones" in words
    assert "These reviews cannot say." in words
    assert "negative reviews for positive" not in words


def test_nothing_optional_is_needed() -> None:
    evaluated = evaluated_case()
    for key in ("leak_free", "leakage", "corpus_audit", "training_history", "vectors", "data_card", "model_card"):
        evaluated.metrics[key] = None
    evaluated.metrics["baselines"] = {}
    sections = [attributes["id"] for attributes in Page(without_pictures(evaluated)).named("section")]
    assert sections == [name for name in SECTIONS if name not in ("leakage", "data", "model")]


def test_svg_is_small_and_its_text_is_text(folder: Path) -> None:
    for path in folder.glob("*.svg"):
        drawing = ElementTree.parse(path)
        texts = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
        assert len(texts) > 4
        assert path.stat().st_size < 30_000
        lines = [str(element.get("d")) for element in drawing.iter("{http://www.w3.org/2000/svg}path")]
        assert not re.search(r"\.\d{3}", " ".join(lines))
    assert "truly negative" in (folder / "score_histogram.svg").read_text(encoding="utf-8")


def test_errors_are_in_full_and_worst_first(folder: Path) -> None:
    lines = (folder / "errors.txt").read_text(encoding="utf-8").split("\n")
    assert "1. row 1: truly positive, predicted negative (probability of positive 0.0001, " in "\n".join(lines)
    assert max(map(len, lines)) <= 100
    evaluated = evaluated_case()
    found = most_confident_mistakes(evaluated.data, evaluated.probabilities)
    confidence = [abs(mistake.probability - 0.5) for mistake in found]
    assert confidence == sorted(confidence, reverse=True)
    assert all(mistake.text.split()[-1] in " ".join(lines).split() for mistake in found)


def test_figures_are_the_same_bytes_each_time(folder: Path) -> None:
    picture = pictures(evaluated_case().metrics)["reliability"]
    assert render(picture.draw(LIGHT), "svg") == (folder / "reliability.svg").read_bytes()


def test_many_points_are_thinned_with_their_ends_kept() -> None:
    x, y = score_curves_module.thinned(np.arange(100_000), np.arange(100_000) * 2)
    assert (len(x), x[0], x[-1], y[-1]) == (score_curves_module.CURVE_POINTS, 0, 99_999, 199_998)


def test_the_processor_is_described() -> None:
    cpuinfo = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_tile\n"
    assert processor_description(cpuinfo) == {
        "processor": "Some CPU",
        "instruction_sets": ["avx2", "avx512", "avx512_bf16", "amx"],
    }
    assert processor_description("") == {"processor": "", "instruction_sets": []}
    assert machine_description()["processor"]
    assert set(machine_description()["instruction_sets"]) <= set(INSTRUCTION_SETS.values())
