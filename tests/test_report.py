"""Promise: the page shows what metrics.json says, loads nothing, runs nothing, and shows any review as text."""

import ast
import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

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
from pipeline.report.evaluated import Evaluated
from pipeline.report.mistakes import most_confident_mistakes
from pipeline.report.numbers import Numbers
from pipeline.report.page import page
from pipeline.report.pictures import pictures
from pipeline.report.write import write_report

HOSTILE = (
    '<script>document.title="taken over"</script><img src=x onerror=alert(1)><br />"quoted" & {{ 7*7 }} '
    "</div></details> \x1b[31mred \u202eesrever \x85end"
)
SECTIONS = {"headline", "classes", "calibration", "thresholds", "slices", "errors", "leakage", "training", "reproduce"}


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
        "model": {"name": "imdb-default-s1", "temperature": 2.0, "seed": 1, "recipe": {"name": "default"}},
        "data": {
            "kind": "test split",
            "name": name,
            "rows": 60,
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
        "vectors": {"name": "glove.6B.100d", "coverage": {"types": 0.4}},
        "corpus_audit": {"near_duplicates": {"train and test": 10}},
        "scoring": {"seconds": 0.1, "reviews_per_second": 600.0},
        "versions": versions_in_use(),
        "machine": machine_description(),
    }
    data = LabelledTexts(texts, labels, np.arange(60), metrics["data"], leak_free, metrics["leakage"])
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
    assert len(parsed.figures) > 80
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
    assert {attributes["id"] for attributes in parsed.named("section")} == SECTIONS
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


def test_the_verdict_follows_the_test() -> None:
    evaluated = evaluated_case()
    entry = evaluated.metrics["baselines"]["nb_svm"]
    for accuracy, p_value, words in (
        (0.1, 0.01, "The GRU is <strong>better</strong>"),
        (1.0, 0.01, "The GRU is <strong>worse</strong>"),
        (0.1, 0.2, "<strong>no clear difference</strong>"),
    ):
        entry["accuracy"], entry["mcnemar"]["p_value"] = accuracy, p_value
        assert words in without_pictures(evaluated)


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
