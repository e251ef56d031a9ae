"""Promise: the README's figures are those of the files that `sentiment evaluate` wrote; its tree and commands exist."""

import json
import re
from pathlib import Path

import pytest

from pipeline.ladder_table import BEGIN, END, block_of, readme_block, require_markers
from pipeline.report.verdict import failing_groups
from tests.bench.report import findings_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BEFORE_LADDER, AFTER_LADDER = README.split(BEGIN)[0], README.split(END)[-1]
LADDER = ROOT / "reports" / "ladder.json"
SURE = "0.95-0.99"
REFERENCE = sorted((ROOT / "reports" / "reference").glob("*/metrics.json"))


def table_row(name: str) -> list[str]:
    """Return the cells of the results table's row that begins with a name."""
    lines = (BEFORE_LADDER + AFTER_LADDER).splitlines()
    rows = [line for line in lines if line.startswith(f"| {name} |")]
    assert len(rows) == 1, name
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def test_there_are_reference_runs() -> None:
    names = {path.parent.name for path in REFERENCE}
    assert {"imdb-default-s1", "imdb-default-s2", "imdb-default-s3", "imdb-tutorial-s1"} <= names


@pytest.mark.parametrize("path", REFERENCE, ids=lambda path: path.parent.name)
def test_each_run_stands_in_the_table_as_measured(path: Path) -> None:
    metrics = json.loads(path.read_text(encoding="utf-8"))
    low, high = metrics["all"]["accuracy_interval"]
    assert table_row(f"`{metrics['model']['name']}`")[1:5] == [
        f"{metrics['all']['accuracy']:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{metrics['leak_free']['accuracy']:.4f}",
        f"{metrics['all']['calibration']['after_temperature']['calibration_error']:.4f}",
    ]


def test_mean_and_spread_are_those_of_the_three_seeds() -> None:
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in REFERENCE if "default" in path.parent.name]
    accuracies = [run["all"]["accuracy"] for run in runs]
    mean = sum(accuracies) / len(accuracies)
    assert f"mean of the three seeds {mean:.4f}, from {min(accuracies):.4f} to {max(accuracies):.4f}" in README


def test_the_baselines_are_those_beside_the_first_seed() -> None:
    metrics = json.loads((ROOT / "reports/reference/imdb-default-s1/metrics.json").read_text(encoding="utf-8"))
    for entry in metrics["baselines"].values():
        low, high = entry["accuracy_interval"]
        assert table_row(entry["title"])[1:3] == [f"{entry['accuracy']:.4f}", f"{low:.4f} to {high:.4f}"]


def test_the_ladder_is_the_one_that_was_made() -> None:
    require_markers(README, "README.md")
    ladder = json.loads(LADDER.read_text(encoding="utf-8")) if LADDER.is_file() else None
    assert block_of(README) == ("" if ladder is None else readme_block(ladder, "reports/ladder.png"))


def test_the_ladder_stands_on_the_reference_runs() -> None:
    rungs = json.loads(LADDER.read_text(encoding="utf-8"))["rungs"] if LADDER.is_file() else []
    accuracies = {run["model"]: run["accuracy"] for rung in rungs for run in rung.get("runs", ())}
    for path in REFERENCE:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        name = metrics["model"]["name"]
        assert accuracies.get(name, metrics["all"]["accuracy"]) == metrics["all"]["accuracy"], name


def test_each_ratio_of_speed_is_the_benchmarks() -> None:
    findings = json.loads((ROOT / "reports/benchmark.json").read_text(encoding="utf-8"))["findings"]
    measured = set(findings_table(findings)[2:])
    start = README.index("## Speed")
    rows = [line for line in README[start : README.index("\n## ", start)].splitlines() if line.startswith("| ")][2:]
    assert rows
    for row in rows:
        assert row in measured, row


def test_the_rates_of_speed_are_the_benchmarks() -> None:
    sections = json.loads((ROOT / "reports/benchmark.json").read_text(encoding="utf-8"))["sections"]

    def median(section: str, name: str) -> float:
        return float(sections[section]["measures"][name]["median"])

    text = " ".join(README.split())
    assert f"{median('training', 'ours, reviews/s'):,.0f} reviews a second are trained on" in text
    scored = f"{median('scoring', 'ours, seconds'):.1f} s with "
    scored += f"{median('scoring', 'ours, peak memory of the largest process'):.0f} MiB"
    assert f"the 25,000 test reviews are scored in {scored}" in text
    million = f"{median('growth', '1,000,000 rows, seconds'):.0f} s with "
    million += f"{median('growth', '1,000,000 rows, peak memory of the largest process'):.0f} MiB"
    assert f"a million rows in {million}" in text


def test_every_file_of_the_tree_exists() -> None:
    for name in re.findall(r"\b(\w+\.py)\b", README):
        assert list(ROOT.glob(f"pipeline/**/{name}")) + list(ROOT.glob(f"tests/{name}")), name


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_reference_runs_hold_no_review_and_stay_small() -> None:
    files = [path for path in (ROOT / "reports" / "reference").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".png", ".csv", ".md"}
    assert sum(path.stat().st_size for path in files) < 2_000_000


def test_what_the_report_says_is_what_the_bundled_models_says() -> None:
    path = ROOT / "reports" / "reference" / "imdb-small-s1-compact" / "metrics.json"
    metrics, text = json.loads(path.read_text(encoding="utf-8")), " ".join(README.split())
    groups = {
        (name, group["name"]): group for name, entry in metrics["all"]["slices"].items() for group in entry["groups"]
    }
    answers = {
        (answer, group["name"]): group
        for answer, of_answer in metrics["all"]["confidence_by_answer"].items()
        for group in of_answer
    }
    high, low, middle = (answers[key] for key in (("positive", SURE), ("negative", SURE), ("positive", "0.70-0.80")))
    assert f"Of {high['rows']:,} reviews that scored 0.95 to 0.99, {high['accuracy']:.2%} were truly positive" in text
    assert f"of {low['rows']:,} at the other end (0.01 to 0.05), {low['accuracy']:.2%} truly negative" in text
    assert f"of those from 0.70 to 0.80, {middle['accuracy']:.2%} were positive" in text
    contrast = groups["contrast", "2 and more"]["accuracy"]
    assert [group["key"] for group in failing_groups(metrics)] == ["all.slices.contrast.groups.3"]
    assert f"in 100, {contrast:.2%} right, where all reviews have {metrics['all']['accuracy']:.2%}." in text
    stated, silent = (groups["stated_score", name]["accuracy"] for name in ("stated", "none"))
    assert f"a score (8/10) are easy, {stated:.2%}; without one it is {silent:.2%}." in text
    changes = {entry["name"]: entry for entry in metrics["robustness"]["perturbations"]}
    assert (
        f"({metrics['robustness']['rows']:,} of the reviews, {metrics['robustness']['accuracy_unchanged']:.2%} right"
        in text
    )
    flipped = {name: f"{entry['flipped_share']:.2%}" for name, entry in changes.items()}
    assert (
        f"after many typos {flipped['many_typos']}, without punctuation {flipped['no_punctuation']}, in capitals "
        in text
    )
    assert f"in capitals {flipped['upper_case']}." in text
    right = {name: f"{entry['accuracy']:.2%}" for name, entry in changes.items()}
    assert f"{right['first_50_words']} right by the first 50 words, {right['last_50_words']} by the last 50" in text
    assert f"{right['first_sentence']} by the first sentence" in text
    assert f"denied, {flipped['denied']} of the answers change; judging words swapped" in text
    assert f"for their opposites, {flipped['opposites']}." in text


def test_the_figures_of_many_machines_are_those_that_were_measured() -> None:
    measured = json.loads((ROOT / "reports" / "scaling.json").read_text(encoding="utf-8"))
    one, two = (measured["workers"][workers]["rows_per_second"] for workers in ("1", "2"))
    text = " ".join(README.split())
    assert f"one worker scores {one:,.0f} reviews of IMDb's length a second" in text
    assert (
        f"({measured['without_ray']['rows_per_second']:,.0f} on one core without Ray), two workers {two:,.0f}" in text
    )
    assert f"an efficiency of {two / one / 2:.0%}." in text
    core_hours = 1e9 / two * 2 / 3600
    assert f"take {core_hours:,.0f} core hours, {core_hours / 64:,.1f} hours on 64 cores" in text


def test_the_figures_of_five_million_rows_are_those_that_were_measured() -> None:
    measured = json.loads((ROOT / "reports" / "steady.json").read_text(encoding="utf-8"))
    assert measured["rows in"] == measured["rows out"] == 5_000_000
    rates, text = measured["rows a second of each tenth"], " ".join(README.split())
    assert f"{min(rates):,} to {max(rates):,} rows a second in each tenth" in text
    assert f"the last tenth at {measured['last tenth against the first']:.2f} times the rate of the first" in text
    for end in ("first", "last"):
        assert f"{measured[f'memory in MiB: median of the {end} tenth']:.0f} MiB in the {end}" in text


@pytest.mark.parametrize(("place", "name"), [(0, "imdb-small-s1"), (1, "imdb-default-s1")])
def test_the_figures_of_explanations_are_those_that_were_measured(place: int, name: str) -> None:
    path = ROOT / "reports" / "explanations" / f"{name}.json"
    found = {finding["title"]: finding["value"] for finding in json.loads(path.read_text(encoding="utf-8"))["findings"]}
    told = re.search(
        r"probability (\S+) times \(`imdb-small-s1`\) and (\S+) times \(`imdb-default-s1`\) as much .*"
        r" names, and (\S+) and (\S+) times as much as words by chance, .*"
        r"; (\S+) and (\S+) reviews a second are explained, at (\S+) and (\S+) times",
        " ".join(README.split()),
    )
    assert told is not None
    assert told.groups()[place::2] == (
        f"{found['deletion test: integrated gradients / each word left out in turn']:.2f}",
        f"{found['deletion test: integrated gradients / words by chance']:.0f}",
        f"{found['explanations']:.0f}",
        f"{found['CPU time: explaining / scoring']:.1f}",
    )
