"""Promise: the ladder says what was measured: seeds together, all costs, speeds side by side, files all or none."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from pipeline import cli, ladder_output, ladder_rungs
from pipeline.arrow_files import read_arrow
from pipeline.artifacts import read_manifest, write_json_atomically
from pipeline.baselines import FITTED, NB_SVM, TFIDF
from pipeline.config import ModelSettings
from pipeline.console import Console
from pipeline.errors import SentimentError
from pipeline.evaluation.metrics_schema import SCHEMA_VERSION
from pipeline.ladder import LADDER_KEYS, LadderSettings, build_ladder
from pipeline.ladder_costs import Bill, Cost, cost_entry, summed
from pipeline.ladder_labels import Point, boxes_of, overlap, place_labels, spread_out
from pipeline.ladder_linear import fit_linear
from pipeline.ladder_peers import PUBLISHED, benchmark_speed, is_imdb, published_rung
from pipeline.ladder_plot import ladder_figure
from pipeline.ladder_runs import find_evaluated, grouped, pooled
from pipeline.ladder_section import ladder_section
from pipeline.ladder_speed import measure_speeds, timing_texts
from pipeline.ladder_table import BEGIN, END, block_of, cost, ladder_markdown, readme_block
from pipeline.machine import machine_description
from pipeline.metrics import wilson_interval
from pipeline.plots import LIGHT, new_axes, render
from pipeline.report.page import page
from tests.conftest import OPENINGS, tiny_reviews, write_corpus
from tests.stub_models import write_random_model
from tests.test_report import Page, evaluated_case

QUICK = LadderSettings(texts=4, rounds=2)
ROWS = 1000
WORDS = ["film", "wonderful", "dreadful", "dull"]


class Place:
    """A corpus, model folders, and the metrics of models that nobody evaluated."""

    def __init__(self, folder: Path) -> None:
        self.data, self.reports = folder / "data", folder / "reports"
        write_corpus(self.data / "corpus", {"train": tiny_reviews(OPENINGS[:2]), "test": tiny_reviews(OPENINGS[2:])})
        self.fingerprint = read_manifest(self.data / "corpus", "data")["fingerprint"]

    def write_model(self, name: str) -> str:
        """Write a model folder; return the SHA-256 of its weights."""
        folder = self.data / "models" / name
        write_random_model(folder, ModelSettings(hidden_size=16), WORDS)
        config = json.loads((folder / "config.json").read_text())
        config |= {"parameters": 123_456, "bytes": 7_000_000, "scoring_precision": "float32"}
        write_json_atomically(folder / "config.json", config)
        return str(config["files"]["model.safetensors"])

    def evaluate(self, name: str, accuracy: float, *, place: str = "", **changes: Any) -> dict[str, Any]:
        """Write ``metrics.json`` of a model whose name is corpus-recipe-seed; return its content."""
        _, recipe, seed = name.split("-")
        accuracies = {
            "rows": ROWS,
            "accuracy": accuracy,
            "accuracy_interval": wilson_interval(round(accuracy * ROWS), ROWS),
        }
        metrics: dict[str, Any] = {
            "schema_version": changes.pop("schema_version", SCHEMA_VERSION),
            "evaluated_at": changes.pop("evaluated_at", "2026-01-02T00:00:00+00:00"),
            "model": {
                "name": name,
                "seed": int(seed[1:]),
                "weights_sha256": changes.pop("weights", "00"),
                "recipe": {"name": recipe, "model": {"hidden_size": 16}, "training": {"epochs": 2}},
                "validation": {"accuracy": 0.9},
                "training": {"seconds": 60.0, "threads": 2, "device": "cpu"},
            },
            "data": {
                "kind": "test split",
                "name": "tiny",
                "fingerprint": self.fingerprint,
                "trained_on_this_corpus": True,
            },
            "all": {**accuracies, "calibration": {"after_temperature": {"calibration_error": 0.02}}},
            "leak_free": {**accuracies, "rows": ROWS - 10},
            "baselines": {
                name: {
                    "title": name,
                    "settings": {},
                    "training_rows": 120,
                    "seconds": 30.0,
                    "leak_free": None,
                    **accuracies,
                }
                for name in ("majority_class", TFIDF, NB_SVM)
            },
        }
        for table, values in changes.items():
            if table in ("recipe_model", "recipe_training"):
                metrics["model"]["recipe"][table.removeprefix("recipe_")] |= values
            else:
                metrics[table] = {**metrics[table], **values}
        write_json_atomically(self.reports / place / name / "metrics.json", metrics)
        return metrics

    def build(self, quiet: Console, **options: Any) -> dict[str, Any]:
        return build_ladder(self.reports, self.data, quiet, settings=QUICK, **options)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, quiet: Console) -> tuple[Place, dict[str, Any]]:
    """A place with two recipes, one of three seeds and a model folder, and the ladder that was made there."""
    place = Place(tmp_path_factory.mktemp("ladder"))
    for seed, accuracy in ((1, 0.90), (2, 0.93), (3, 0.91)):
        weights = place.write_model(f"tiny-default-s{seed}") if seed == 1 else "00"
        place.evaluate(f"tiny-default-s{seed}", accuracy, weights=weights)
    place.evaluate("tiny-other-s1", 0.95, recipe_model={"encoder": "lost"})
    return place, place.build(quiet)


def rung(ladder: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the rung of a name."""
    found = [entry for entry in ladder["rungs"] if entry["name"] == name]
    assert len(found) == 1
    return dict(found[0])


def test_seeds_of_a_recipe_are_one_rung(built: tuple[Place, dict[str, Any]]) -> None:
    _, ladder = built
    default = rung(ladder, "default")
    assert default["accuracy"] == pytest.approx((0.90 + 0.93 + 0.91) / 3)
    assert default["accuracy_spread"] == [0.90, 0.93]
    assert default["interval_of"] == "the mean of 3 seeds, over reviews"
    assert default["accuracy_interval"] == wilson_interval(913, ROWS)
    assert [run["seed"] for run in default["runs"]] == [1, 2, 3]
    assert default["leak_free"]["rows"] == ROWS - 10
    other = rung(ladder, "other")
    assert (other["accuracy_spread"], other["interval_of"]) == (None, "one seed, over reviews")
    assert other["accuracy_interval"] == wilson_interval(950, ROWS)


@given(st.lists(st.integers(0, ROWS), min_size=1, max_size=5))
def test_the_interval_holds_the_mean_and_is_no_narrower_for_many_seeds(correct: list[int]) -> None:
    found = pooled([{"rows": ROWS, "accuracy": count / ROWS} for count in correct])
    low, high = found["accuracy_interval"]
    assert low - 0.5 / ROWS <= sum(correct) / len(correct) / ROWS <= high + 0.5 / ROWS
    assert [low, high] == wilson_interval(round(found["accuracy"] * ROWS), ROWS)


def test_rungs_rise_and_every_key_is_documented(built: tuple[Place, dict[str, Any]]) -> None:
    place, ladder = built
    accuracies = [entry["accuracy"] for entry in ladder["rungs"]]
    assert accuracies == sorted(accuracies)
    assert set(ladder) == set(LADDER_KEYS)
    assert json.loads((place.reports / "ladder.json").read_text()) == ladder
    assert (place.reports / "ladder.md").read_text() == ladder_markdown(ladder, "ladder.png")
    assert (place.reports / "ladder.png").read_bytes().startswith(b"\x89PNG")


def test_speed_is_measured_where_the_evaluated_weights_are(built: tuple[Place, dict[str, Any]]) -> None:
    _, ladder = built
    default, other = rung(ladder, "default"), rung(ladder, "other")
    assert default["speed"]["reviews_per_second"] > 0
    assert (default["parameters"], default["bytes"]) == (123_456, 7_000_000)
    assert [run["speed"] is not None for run in default["runs"]] == [True, False, False]
    assert (other["speed"], other["parameters"]) == (None, None)
    assert all(len(rung(ladder, name)["speed"]["rounds"]) == 2 for name in (TFIDF, NB_SVM))
    assert rung(ladder, "majority_class")["speed"] is None


def test_missing_costs_are_said_to_be_missing(built: tuple[Place, dict[str, Any]]) -> None:
    _, ladder = built
    assert rung(ladder, "default")["cost"]["in_all"] == {
        "minutes": 1.0,
        "cpu_minutes": 2.0,
        "other_minutes": 0.0,
        "complete": True,
    }
    other = rung(ladder, "other")["cost"]
    assert (other["in_all"]["cpu_minutes"], other["in_all"]["complete"]) == (2.0, False)
    assert (cost(other["own"]), cost(other["before"])) == ("2", "?")
    text = ladder_markdown(ladder, "x.png")
    assert "A question mark stands for" in text
    assert rung(ladder, TFIDF)["cost"]["parts"][0]["source"] == "measured in this run"


def test_published_results_stand_beside_imdb_only(
    place: Place, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    imdb = {"name": "imdb", "split": "source"}
    assert is_imdb(imdb, 25_000)
    assert not is_imdb(imdb, 10_000)
    assert not is_imdb({"name": "demo", "sample": True}, 25_000)
    assert not is_imdb({"name": "films"}, 25_000)
    place.evaluate("tiny-default-s1", 0.9)
    assert not any(entry["kind"] == "published" for entry in place.build(quiet)["rungs"])
    monkeypatch.setattr(ladder_rungs, "is_imdb", lambda corpus, rows: True)
    ladder = place.build(quiet)
    published = [entry for entry in ladder["rungs"] if entry["kind"] == "published"]
    assert {entry["name"] for entry in published} == {peer.name for peer in PUBLISHED}
    assert all(entry["source"].startswith("published, not run here: ") for entry in published)
    assert "*BERT-base*" in readme_block(ladder, "x.png")


def test_a_peers_speed_is_the_benchmarks_on_this_machine_only(tmp_path: Path) -> None:
    machine = machine_description()
    peer = next(peer for peer in PUBLISHED if peer.bench)
    measures = {
        f"{peer.bench}, {name}, rows/s": {"median": rate, "min": rate, "max": rate}
        for name, rate in (("float32", 6.0), ("bfloat16", 18.0))
    }
    sections = {"scoring": {"measures": measures}}
    assert benchmark_speed(tmp_path, peer, machine) is None
    for there, expected in ((machine, 18.0), ({**machine, "cores": 64}, None)):
        benchmark = {"conditions": {"machine": there}, "sections": sections}
        write_json_atomically(tmp_path / "benchmark.json", benchmark)
        speed = benchmark_speed(tmp_path, peer, machine)
        assert (speed and speed["reviews_per_second"]) == expected
    (tmp_path / "benchmark.json").write_text("{")
    assert benchmark_speed(tmp_path, peer, machine) is None


def test_what_cannot_stand_together_is_left_out_with_its_reason(place: Place) -> None:
    place.evaluate("tiny-default-s1", 0.9, evaluated_at="2026-01-01T00:00:00+00:00", recipe_training={"epochs": 9})
    place.evaluate("tiny-default-s2", 0.9)
    place.evaluate("tiny-default-s3", 0.9, recipe_model={"encoder": ""})  # a setting that younger versions write out
    place.evaluate("tiny-far-s1", 0.9, data={"fingerprint": "another", "name": "far"})
    place.evaluate("tiny-alien-s1", 0.9, data={"trained_on_this_corpus": False})
    place.evaluate("tiny-file-s1", 0.9, data={"kind": "labelled file"})
    found = grouped(find_evaluated(place.reports, place.data / "models"), place.fingerprint)
    assert {name: [run.name for run in runs] for name, runs in found.rungs.items()} == {
        "default": ["tiny-default-s2", "tiny-default-s3"]
    }
    assert set(found.left_out) == {"tiny-default-s1", "tiny-far-s1", "tiny-alien-s1"}
    assert "other settings than tiny-default-s" in found.left_out["tiny-default-s1"]


def test_reports_of_the_layout_before_count_and_those_of_a_later_one_do_not(place: Place) -> None:
    for version, name in enumerate(("imdb-default-s1", "imdb-small-s1", "imdb-later-s1"), 1):
        place.evaluate(name, 0.8, schema_version=version)
    found = find_evaluated(place.reports, place.data / "models")
    assert [run.name for run in found] == ["imdb-default-s1", "imdb-small-s1"]


def test_of_two_evaluations_that_of_the_weights_here_counts_else_the_latest(place: Place) -> None:
    weights = place.write_model("tiny-default-s1")
    place.evaluate("tiny-default-s1", 0.8, weights=weights)
    place.evaluate("tiny-default-s1", 0.9, place="reference", weights="old", evaluated_at="2027-01-01")
    assert [run.metrics["all"]["accuracy"] for run in find_evaluated(place.reports, place.data / "models")] == [0.8]
    latest = find_evaluated(place.reports, place.data / "nowhere")
    assert [(run.metrics["all"]["accuracy"], run.folder) for run in latest] == [(0.9, None)]


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    write_json_atomically(folder / "manifest.json", content)


def write_config(data: Path, name: str, seconds: float, recipe: dict[str, Any]) -> None:
    (data / "models" / name).mkdir(parents=True)
    training = {"seconds": seconds, "threads": 2, "processes": 2, "device": "cpu"}
    write_json_atomically(data / "models" / name / "config.json", {"training": training, "recipe": recipe})


def test_what_a_model_started_and_learnt_from_is_paid_for_once(tmp_path: Path) -> None:
    start = {"model": {"encoder": "big"}, "training": {"teacher": ""}}
    write_manifest(tmp_path / "encoders" / "big", {"seconds": 600.0, "settings": {"bidirectional": True}})
    write_manifest(tmp_path / "encoders" / "slim", {"seconds": 60.0, "settings": {"bidirectional": False}})
    write_manifest(tmp_path / "teachers" / "blend", {"teachers": ["one", "two", "NB-SVM"], "seconds": 120.0})
    write_config(tmp_path, "one", 300.0, start)
    bill = Bill(tmp_path, {"two": {"training": {"seconds": 30.0}, "recipe": start}}, Cost("teacher", "NB-SVM", 60.0))
    bill.add_origins({"model": {"encoder": "slim"}, "training": {"teacher": "blend"}})
    minutes = {(part["what"], part["name"]): part["cpu_minutes"] for part in map(Cost.entry, bill.paid.values())}
    assert minutes == {
        ("encoder", "slim"): 1.0,
        ("labels", "blend"): 2.0,
        ("teacher", "one"): 20.0,  # two processes of two threads
        ("encoder", "big"): 20.0,  # a thread for each direction, and only once for both teachers
        ("teacher", "two"): 0.5,
        ("teacher", "NB-SVM"): 1.0,
    }
    own = [Cost("training", "a", 60.0, 2), Cost("training", "b", 120.0, 2)]
    entry = cost_entry(own, list(bill.paid.values()))
    assert entry["own"]["cpu_minutes"] == 3.0
    assert entry["before"]["cpu_minutes"] == 44.5
    assert entry["in_all"]["cpu_minutes"] == 47.5
    assert entry["in_all"]["complete"]


def test_a_teacher_of_itself_is_paid_for_once(tmp_path: Path) -> None:
    recipe = {"training": {"teacher": "ring"}}
    write_manifest(tmp_path / "teachers" / "ring", {"teachers": ["one"]})
    write_config(tmp_path, "one", 60.0, recipe)
    bill = Bill(tmp_path, {}, Cost("teacher", "NB-SVM", None))
    bill.add_origins(recipe)
    assert list(bill.paid) == [("teacher", "one")]


def test_lost_labels_and_encoders_leave_the_bill_open(tmp_path: Path) -> None:
    bill = Bill(tmp_path, {}, Cost("teacher", "NB-SVM", None))
    bill.add_origins({"model": {"encoder": "gone"}, "training": {"teacher": "gone"}})
    assert len(bill.paid) == 2
    assert not summed(list(bill.paid.values()))["complete"]


def test_minutes_on_a_gpu_are_no_cpu_minutes() -> None:
    entry = summed([Cost("training", "a", 600.0, 4, "cuda:0"), Cost("encoder", "b", 60.0, 2)])
    assert (entry["cpu_minutes"], entry["other_minutes"], entry["complete"]) == (2.0, 10.0, True)
    assert cost(entry) == "2 + 10 on a GPU"


@pytest.mark.parametrize("name", [TFIDF, NB_SVM])
def test_the_linear_scorers_are_the_baselines(name: str) -> None:
    reviews = tiny_reviews(OPENINGS[:2])
    texts, labels = [text for text, _ in reviews], np.array([label for _, label in reviews], dtype=np.int8)
    asked = [text for text, _ in tiny_reviews(OPENINGS[2:])]
    fitted = fit_linear(name, texts, labels)
    np.testing.assert_array_equal(fitted.decision(asked), FITTED[name](texts, labels, asked))
    probabilities = fitted.probabilities(asked)
    assert ((probabilities >= 0.5) == (fitted.decision(asked) >= 0)).all()
    assert (fitted.training_rows, fitted.seconds > 0) == (len(texts), True)


def test_scorers_see_the_same_texts_in_turn() -> None:
    calls: list[tuple[str, tuple[str, ...]]] = []

    def scorer(name: str) -> Any:
        return lambda texts: calls.append((name, tuple(texts)))

    speeds = measure_speeds({"a": scorer("a"), "b": scorer("b")}, ["w"], [["x", "y"], ["z"]])
    assert calls == [
        ("a", ("w",)),
        ("b", ("w",)),
        ("a", ("x", "y")),
        ("b", ("x", "y")),
        ("b", ("z",)),
        ("a", ("z",)),
    ]
    for speed in speeds.values():
        assert 0 < speed["lowest"] <= speed["reviews_per_second"] <= speed["highest"]


def test_no_text_is_scored_twice_and_both_ends_of_the_split_are_there(place: Place) -> None:
    texts = read_arrow(place.data / "corpus" / "test.arrow", ["text"], "data").column("text").to_pylist()
    warm_up, rounds = timing_texts(place.data / "corpus", 9, 4)
    drawn = warm_up + [text for part in rounds for text in part]
    assert len(drawn) == len(set(drawn)) == 45
    assert [len(part) for part in rounds] == [9] * 4
    rows = sorted(map(texts.index, drawn))
    assert max(np.diff([-1, *rows, len(texts)])) <= math.ceil(len(texts) / 45) + 1
    warm_up, rounds = timing_texts(place.data / "corpus", 9, 1000)  # more rounds than reviews
    assert all(len(part) == 1 for part in rounds)


def test_no_test_label_is_read(place: Place, quiet: Console) -> None:
    path = place.data / "corpus" / "test.arrow"
    texts = read_arrow(path, ["text"], "data").combine_chunks()
    path.unlink()
    with pa.ipc.new_file(str(path), texts.schema) as writer:
        writer.write_table(texts)
    place.evaluate("tiny-default-s1", 0.9, weights=place.write_model("tiny-default-s1"))
    assert rung(place.build(quiet), "default")["speed"] is not None
    assert not (place.reports / "test-evaluations.csv").exists()


def test_linear_models_that_were_not_evaluated_are_not_fitted(place: Place, quiet: Console) -> None:
    metrics = place.evaluate("tiny-default-s1", 0.9)
    write_json_atomically(place.reports / "tiny-default-s1" / "metrics.json", {**metrics, "baselines": {}})
    assert [entry["name"] for entry in place.build(quiet)["rungs"]] == ["default"]


def test_linear_models_fitted_on_a_part_cost_what_evaluation_recorded(place: Place, quiet: Console) -> None:
    place.evaluate("tiny-default-s1", 0.9)
    part = LadderSettings(texts=2, rounds=1, fit_reviews=20)
    ladder = build_ladder(place.reports, place.data, quiet, settings=part)
    entry = rung(ladder, TFIDF)
    assert (entry["timed_on_rows"], entry["cost"]["own"]["minutes"]) == (20, 0.5)
    assert "fitted on 20 reviews only" in readme_block(ladder, "x.png")
    assert "--fit-reviews 20" in ladder["command"]


def test_the_readme_gets_its_block_and_nothing_else_changes(place: Place, quiet: Console, tmp_path: Path) -> None:
    place.evaluate("tiny-default-s1", 0.9)
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    ladder = place.build(quiet, readme=readme)
    text = readme.read_text()
    assert text.startswith(f"above\n{BEGIN}\n")
    assert text.endswith(f"{END}\nbelow\n")
    assert block_of(text) == readme_block(ladder, "reports/ladder.png")
    assert "| `default` | 0.9000 |" in text
    again = place.build(quiet, readme=readme)
    assert block_of(readme.read_text()) == readme_block(again, "reports/ladder.png")


@pytest.mark.parametrize("text", ["no markers\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"])
def test_a_readme_without_a_place_is_refused_before_anything_is_done(
    place: Place, quiet: Console, tmp_path: Path, text: str
) -> None:
    place.evaluate("tiny-default-s1", 0.9)
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(SentimentError, match="has no place for the ladder; write the lines"):
        place.build(quiet, readme=readme)
    assert readme.read_text() == text
    assert not list(place.reports.glob("ladder.*"))


def test_a_disk_that_refuses_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    ladder_output.write_together(dict.fromkeys(paths, b"old"))
    calls: list[Path] = []

    def full(path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(ladder_output, "sync_file", full)
    with pytest.raises(SentimentError, match=r"c: cannot be written \(No space left on device\); nothing was changed"):
        ladder_output.write_together(dict.fromkeys(paths, b"new"))
    assert [path.read_bytes() for path in paths] == [b"old"] * 3
    assert sorted(tmp_path.iterdir()) == paths


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3)), min_size=0, max_size=12))
def test_names_are_spread_out_in_order(names: list[tuple[float, float]]) -> None:
    wanted, heights = sorted(position for position, _ in names), [height for _, height in names]
    placed = spread_out(wanted, heights)
    assert len(placed) == len(wanted)
    gaps = [(before + after) / 2 for before, after in itertools.pairwise(heights)]
    assert (np.diff(placed) >= np.array(gaps) - 1e-9).all()
    if all(after - before > gap for (before, after), gap in zip(itertools.pairwise(wanted), gaps, strict=True)):
        np.testing.assert_allclose(placed, wanted)
    elif wanted:
        assert np.mean(placed) == pytest.approx(np.mean(wanted))


@settings(max_examples=10)
@given(st.lists(st.tuples(st.floats(10, 9000), st.floats(0.9, 0.95)), min_size=1, max_size=9))
def test_no_label_lies_on_another_or_on_a_point(places: Sequence[tuple[float, float]]) -> None:
    figure, axes = new_axes(LIGHT, "x", "y", (8.4, 5.2))
    axes.set_xscale("log")
    axes.set_xlim(1, 100_000)
    axes.set_ylim(0.88, 0.97)
    figure.set_layout_engine("none")
    points = [Point(f"recipe {i} {y:.4f}", x, y, y - 0.003, y + 0.003, "#000000") for i, (x, y) in enumerate(places)]
    labels = place_labels(axes, points, [])
    boxes = [label.get_window_extent() for label in labels]
    frame = axes.get_window_extent()
    for i, box in enumerate(boxes):
        assert all(overlap(box, other) == 0 for other in boxes[:i])
        assert overlap(box, frame) == pytest.approx(box.width * box.height)
        assert all(overlap(box, boxes_of(axes, point)[0]) == 0 for point in points)


def test_the_picture_is_drawn_with_and_without_speeds(built: tuple[Place, dict[str, Any]]) -> None:
    _, ladder = built
    still = {**ladder, "rungs": [{**entry, "speed": None} for entry in ladder["rungs"]]}
    assert render(ladder_figure(still, LIGHT), "png").startswith(b"\x89PNG")
    crowd = [published_rung(peer, None) for peer in PUBLISHED]
    figure = ladder_figure({**ladder, "rungs": [*ladder["rungs"], *crowd]}, LIGHT)
    names = [text for text in figure.axes[0].texts if text.get_text()]
    assert len(names) == len(ladder["rungs"]) - 1 + len(crowd)  # all but the majority class
    for artist in (*names, *figure.legends):
        box = artist.get_window_extent()
        assert overlap(box, figure.bbox) == pytest.approx(box.width * box.height), artist
    for name, other in itertools.combinations(names, 2):
        assert overlap(Text.get_window_extent(name), Text.get_window_extent(other)) == 0, (name, other)
    alone = {**ladder, "rungs": [rung(ladder, "default")]}
    assert render(ladder_figure(alone, LIGHT), "png").startswith(b"\x89PNG")


def test_the_report_shows_the_ladder_of_its_data(built: tuple[Place, dict[str, Any]], tmp_path: Path) -> None:
    place, ladder = built
    evaluated = evaluated_case()
    metrics = evaluated.metrics
    metrics["model"]["name"] = "tiny-default-s2"
    metrics["data"]["fingerprint"] = place.fingerprint
    text = page(evaluated, {}, ladder_section(place.reports, metrics))
    parsed = Page(text)
    assert "ladder" in {attributes["id"] for attributes in parsed.named("section")}
    assert '<tr class="model"><th scope="row">default (recipe of this model)</th><td class="n">91.33%</td>' in text
    for _, attributes in parsed.tags:
        for name in ("src", "srcset", "href"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#"))
    assert all(attributes.get("alt") for attributes in parsed.named("img"))
    assert all(attributes.get("scope") for attributes in parsed.named("th"))
    metrics["data"]["fingerprint"] = "another"
    assert ladder_section(place.reports, metrics) is None
    assert "Among other models" not in page(evaluated, {})
    assert ladder_section(tmp_path, metrics) is None
    for damaged in ("{", '{"schema_version": 1}', json.dumps({**ladder, "rungs": [{}]})):
        (tmp_path / "ladder.json").write_text(damaged)
        metrics["data"]["fingerprint"] = place.fingerprint
        assert ladder_section(tmp_path, metrics) is None


def run_cli(place: Place, *arguments: str) -> int:
    return cli.main(["--data-dir", str(place.data), "--reports-dir", str(place.reports), "ladder", *arguments])


def test_faults_are_one_line(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(place) == 1
    assert "no evaluated model; run `make evaluate`" in capsys.readouterr().err
    metrics = place.evaluate("tiny-default-s1", 0.9, data={"fingerprint": "another"})
    assert run_cli(place) == 1
    assert "no evaluated model of tiny; run `make evaluate`" in capsys.readouterr().err
    assert run_cli(place, "tiny-default-s9") == 1
    assert "tiny-default-s9: not evaluated; run `sentiment evaluate --model" in capsys.readouterr().err
    del metrics["all"]["calibration"]
    write_json_atomically(place.reports / "tiny-default-s1" / "metrics.json", metrics)
    assert run_cli(place) == 1
    errors = capsys.readouterr().err
    assert "metrics.json: damaged (KeyError 'calibration')" in errors
    assert errors.count("\n") == 1


def test_the_command_makes_the_ladder_of_the_models_named(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.evaluate("tiny-default-s1", 0.9)
    place.evaluate("tiny-other-s1", 0.95)
    assert run_cli(place, "tiny-other-s1", "--texts", "2", "--rounds", "1") == 0
    names = [entry["name"] for entry in json.loads((place.reports / "ladder.json").read_text())["rungs"]]
    assert "other" in names
    assert "default" not in names
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "0.9500  [0.9" in captured.err
