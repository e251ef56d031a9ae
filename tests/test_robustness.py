"""Promise: the figures on changed texts are those of a recomputation, on the reviews that the seed names."""

import ast
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score

from pipeline.cli import build_parser
from pipeline.errors import SentimentError
from pipeline.evaluation.metrics_schema import metrics_schema
from pipeline.evaluation.perturbations import PERTURBATIONS, SHORT_TEXTS, perturbed
from pipeline.evaluation.provenance import evaluation_command
from pipeline.evaluation.robustness import CHANGES, SEED, perturbation_figures, robustness, sampled_positions
from pipeline.inference import sigmoid
from pipeline.plots import LIGHT
from pipeline.report.numbers import Numbers
from pipeline.report.pictures import pictures
from pipeline.report.robustness_verdict import robustness_verdict
from pipeline.report.templates_of_pages import templates
from tests.test_report import Page, evaluated_case

TEXTS = [
    "A fine film.<br /><br />It isn't dull at all, it is fine.",
    "So dull! I never laughed.",
    "?!",
    "Dull, dull and cold: what a bad evening that was, said everyone at our table.",
    "fine",
    "The acting is good and the music is fine, though the ending was cold.",
] * 4
LABELS = np.array([1, 0, 0, 0, 1, 0] * 4, dtype=np.int8)
ROWS = np.arange(24) * 3


class WordCounter:
    """Counts words in small letters, so that case and typos matter; remembers what it was asked."""

    name = "counter"
    temperature = 2.0

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.asked: list[str] = []

    def logits(self, texts: Sequence[str], *, on_batch: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        self.asked += texts
        counts = [text.count("fine") + text.count("good") - text.count("dull") - 0.5 * len(text) / 80 for text in texts]
        return np.array(counts, dtype=np.float32)


def probabilities(texts: Sequence[str]) -> NDArray[np.float64]:
    return sigmoid(WordCounter().logits(texts), WordCounter.temperature)


def measured(model: WordCounter | None = None, **options: Any) -> dict[str, Any]:
    return robustness(model or WordCounter(), TEXTS, LABELS, probabilities(TEXTS), ROWS, **options)


def entries_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [*found["perturbations"], *found["short_texts"]["groups"]]


def test_every_figure_is_that_of_a_recomputation() -> None:
    found = measured()
    before = probabilities(TEXTS)
    assert found["accuracy_unchanged"] == accuracy_score(LABELS, before >= 0.5)
    assert len(entries_of(found)) == CHANGES
    for entry, perturbation in zip(entries_of(found), [*PERTURBATIONS, *SHORT_TEXTS], strict=True):
        texts = [perturbed(text, perturbation, SEED, int(row)) for text, row in zip(TEXTS, ROWS, strict=True)]
        after = probabilities(texts)
        old, new = before >= 0.5, after >= 0.5
        assert entry["name"] == perturbation.name
        assert entry["unchanged"] == sum(a == b for a, b in zip(TEXTS, texts, strict=True))
        assert (entry["rows"], entry["accuracy"]) == (24, accuracy_score(LABELS, new))
        assert (entry["flipped"], entry["flipped_share"]) == ((old != new).sum(), (old != new).mean())
        lost, won = (old == LABELS) & (new != LABELS), (old != LABELS) & (new == LABELS)
        assert (entry["right_to_wrong"], entry["wrong_to_right"]) == (lost.sum(), won.sum())
        assert entry["mean_absolute_change"] == pytest.approx(np.mean(np.abs(after - before)))
        for key, count in (("accuracy_interval", entry["correct"]), ("flipped_interval", entry["flipped"])):
            expected = binomtest(int(count), 24).proportion_ci(method="wilson")
            assert entry[key] == pytest.approx([expected.low, expected.high], abs=1e-12)
    assert max(entry["flipped"] for entry in entries_of(found)) > 0


def test_a_text_that_stays_is_not_scored_again_and_one_that_would_be_blank_stays() -> None:
    model = WordCounter()
    found = measured(model)
    assert len(model.asked) == sum(24 - entry["unchanged"] for entry in entries_of(found))
    assert all(text.strip() for text in model.asked)
    entry = next(entry for entry in found["perturbations"] if entry["name"] == "no_punctuation")
    assert entry["unchanged"] == 8  # "?!" would be blank, "fine" has no marks


def test_the_order_of_reviews_does_not_matter_and_the_seed_does() -> None:
    order = np.random.default_rng(1).permutation(24)
    texts = [TEXTS[place] for place in order]
    shuffled = robustness(WordCounter(), texts, LABELS[order], probabilities(texts), ROWS[order])
    for first, second in zip(entries_of(measured()), entries_of(shuffled), strict=True):
        assert first.pop("mean_absolute_change") == pytest.approx(second.pop("mean_absolute_change"))
        assert first == second
    assert measured() == measured()
    changes = [[entry["mean_absolute_change"] for entry in entries_of(measured(seed=seed))] for seed in (1, 2)]
    assert changes[0] != changes[1]


def test_a_sample_is_drawn_where_there_are_more() -> None:
    model = WordCounter()
    found = measured(model, most=10)
    chosen = sampled_positions(24, 10, SEED)
    assert (found["rows"], found["sampled"]) == (10, True)
    assert len(set(chosen.tolist())) == 10
    assert chosen.tolist() == sorted(chosen)
    assert found["accuracy_unchanged"] == accuracy_score(LABELS[chosen], probabilities(TEXTS)[chosen] >= 0.5)
    in_capitals = next(entry for entry in found["perturbations"] if entry["name"] == "upper_case")
    after = probabilities([perturbed(TEXTS[place], PERTURBATIONS[3], SEED, 0) for place in chosen])
    assert in_capitals["accuracy"] == accuracy_score(LABELS[chosen], after >= 0.5)
    assert measured(most=24)["sampled"] is False
    assert sampled_positions(24, 10, SEED).tolist() != sampled_positions(24, 10, SEED + 1).tolist()


@pytest.mark.parametrize("label", [0, 1])
def test_one_review_of_one_class_is_no_fault(label: int) -> None:
    labels = np.array([label], dtype=np.int8)
    found = robustness(WordCounter(), ["fine"], labels, probabilities(["fine"]), np.array([7]))
    assert found["rows"] == 1
    assert all(entry["accuracy"] in (0.0, 1.0) and entry["p_value"] == 1.0 for entry in entries_of(found))


def test_the_example_is_ours_and_shows_every_change_it_is_long_enough_for() -> None:
    found = measured()
    unshown = {entry["name"] for entry in found["perturbations"] if entry["example"] is None}
    assert unshown == {"first_50_words", "last_50_words"}
    assert all(entry["example"] != found["example"] for entry in found["perturbations"])


def test_the_entry_is_as_documented() -> None:
    schema = metrics_schema()
    checked = Draft202012Validator({**schema["properties"]["robustness"], "$defs": schema["$defs"]})
    checked.validate(measured(most=5))
    checked.validate(None)
    assert not checked.is_valid({**measured(most=5), "rows": "five"})


def test_progress_is_told_and_a_score_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    measured(on_done=lambda: done.append(1))
    assert len(done) == CHANGES
    monkeypatch.setattr(WordCounter, "logits", lambda self, texts, on_batch=None: np.full(len(texts), np.nan))
    with pytest.raises(SentimentError, match="counter: gives a score that is not a number"):
        robustness(WordCounter(), TEXTS, LABELS, np.full(24, 0.5), ROWS)


def test_the_command_on_the_page_repeats_a_run_without_it() -> None:
    command = evaluation_command(Path("m"), None, {}, baselines=True, with_robustness=False)
    assert command == "sentiment evaluate --model m --no-robustness"
    assert build_parser().parse_args(command.split()[1:]).robustness is False
    assert build_parser().parse_args(["evaluate"]).robustness is True


def flips(count: int, lost: int = 0, won: int = 0, rows: int = 200) -> dict[str, Any]:
    """Figures of ``rows`` reviews of which half were right, ``lost`` of them no longer, and ``won`` others now."""
    labels = np.array([1, 0] * (rows // 2), dtype=np.int8)
    before = np.full(rows, 0.9)
    after = before.copy()
    right, wrong = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    after[right[:lost]] = after[wrong[:won]] = 0.1
    figures = perturbation_figures(labels, before, after)
    assert figures["flipped"] == count
    return figures


def judged(**figures: dict[str, Any]) -> dict[str, Any]:
    found = measured()
    found["rows"] = 200
    for entry in found["perturbations"]:
        entry.update(figures.get(entry["name"], flips(0)))
    return robustness_verdict(found)


def test_words_follow_the_figures() -> None:
    calm = judged()
    assert (calm["losing"], calm["few"]) == ([], False)
    hit = judged(
        many_typos=flips(30, lost=28, won=2),
        few_typos=flips(50, lost=25, won=25),
        upper_case=flips(40, lost=2, won=38),
    )
    assert [entry["name"] for entry in hit["losing"]] == ["many_typos"]
    assert hit["losing"][0]["key"] == "robustness.perturbations.1"
    assert hit["most_flips"]["name"] == "few_typos"
    assert robustness_verdict(measured())["few"]


def section(found: dict[str, Any]) -> str:
    """Render the section alone."""
    metrics = {"robustness": found}
    numbers = Numbers(metrics)
    template = templates().get_template("sections/robustness.html.j2")
    return template.render(
        metrics=metrics,
        show=numbers.show,
        interval=numbers.interval,
        pictures={"robustness": {"alt": "changed", "light": "data:,", "dark": "data:,"}},
    )


def test_the_section_shows_the_figures_of_metrics_json() -> None:
    found = measured()
    text = section(found)
    figures = Page(text).figures
    for key, value in figures.items():
        assert ast.literal_eval(value) == Numbers({"robustness": found}).value(key)
    for position, entry in enumerate(found["perturbations"]):
        shown = {name for name in entry if f"robustness.perturbations.{position}.{name}" in figures}
        assert shown >= {"flipped_share", "unchanged"}
        assert ("accuracy" in shown) == (entry["kind"] != "meaning")
    assert "robustness.short_texts.groups.4.accuracy" in figures
    assert "Too few reviews to say" in text
    assert "I did not love the two leads!&lt;br /&gt;" in text
    found["rows"] = 200
    assert "Too few reviews" not in section(found)
    assert "no reader has" in section(found)


def test_the_picture_draws_what_metrics_json_says() -> None:
    metrics = evaluated_case().metrics
    assert "robustness" not in pictures(metrics)
    metrics["robustness"] = found = measured()
    accuracy, share = pictures(metrics)["robustness"].draw(LIGHT).axes
    names = [label.get_text() for label in accuracy.get_yticklabels()]
    assert [name for name in names if name not in ("Same words", "Part of the review", "Other meaning")] == [
        entry["title"] for entry in found["perturbations"]
    ]
    points = [line.get_xdata()[0] for line in share.lines if line.get_marker() in ("o", "s")]
    assert points == [entry["flipped_share"] for entry in found["perturbations"]]
    points = [line.get_xdata()[0] for line in accuracy.lines if line.get_marker() == "o"]
    assert points == [entry["accuracy"] for entry in found["perturbations"] if entry["kind"] != "meaning"]
    assert re.search("Accuracy", pictures(metrics)["robustness"].alt)
