"""Promise: Make re-runs what a change touches and nothing else, and keeps the settings it was given.

The Makefile runs in a folder of its own with a stand-in for ``sentiment`` that notes its arguments and writes what the
stage would.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

STAND_IN = """#!/bin/sh
echo "$@" >> calls.txt
data=$2 reports=$4
shift 4
case "$*" in *typo*) exit 1 ;; esac
write() { mkdir -p "$(dirname "$1")" && echo x > "$1"; }
case $1 in
  data) write "$data/corpus/manifest.json"; name=$5; [ "$2 $4" = "--source --name" ] || exit 9
        echo "$name" > "$data/name" ;;
  tokens) write "$data/tokens/manifest.json" ;;
  vocab) write "$data/vocabulary/manifest.json" ;;
  pretrain) write "$data/encoders/$3/manifest.json" ;;
  train) recipe=$(basename "$3" .toml); write "$data/models/$(cat "$data/name")-$recipe-s$5/config.json" ;;
  evaluate) write "$reports/$(basename "$3")/manifest.json" ;;
  score) write "$4" ;;
  sample) write "$2" ;;
esac
[ "$1" != "$FAIL_AT" ]
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


class Workspace:
    """A folder with the Makefile, two recipes, and the stand-in installed as if ``make setup`` had run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "Makefile", folder / "Makefile")
        for name in ("pyproject.toml", "constraints.txt"):
            (folder / name).touch()
        recipes = folder / "pipeline" / "recipes"
        recipes.mkdir(parents=True)
        for name in ("default", "tutorial", "demo"):
            (recipes / f"{name}.toml").touch()
        program = folder / ".venv" / "bin" / "sentiment"
        program.parent.mkdir(parents=True)
        program.write_text(STAND_IN)
        program.chmod(0o755)
        (folder / ".venv" / ".installed").touch()

    def run(self, *arguments: str, fail_at: str = "") -> subprocess.CompletedProcess[str]:
        """Run make; the calls of ``sentiment`` in it are in :meth:`calls` afterwards."""
        (self.folder / "calls.txt").unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        environment |= {"FAIL_AT": fail_at, "SEED": "77", "SOURCE": "from-the-environment"}
        return subprocess.run(
            ["make", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def make(self, *arguments: str) -> list[str]:
        """Run make, which must succeed; return the stages that ran."""
        result = self.run(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return self.stages()

    def calls(self) -> list[str]:
        """Return the arguments of each call after the folders."""
        calls = self.folder / "calls.txt"
        return [line.split(" ", 4)[4] for line in calls.read_text().splitlines()] if calls.exists() else []

    def stages(self) -> list[str]:
        """Return which commands of ``sentiment`` were called."""
        return [call.split(" ")[0] for call in self.calls()]

    def touch(self, name: str) -> None:
        """Make a file newer than everything that make wrote so far."""
        later = time.time() + 5
        os.utime(self.folder / name, (later, later))


ALL_STAGES = ["data", "tokens", "vocab", "train", "evaluate"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_help_is_the_default_and_lists_every_target(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path / "Makefile")
    result = subprocess.run(["make"], cwd=tmp_path, capture_output=True, text=True, check=True)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    for target in phony[1].split():
        if target != "FORCE":
            assert re.search(rf"^  {target} +\S", result.stdout, re.MULTILINE), target
    assert result.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_the_whole_chain_then_nothing(workspace: Workspace) -> None:
    assert workspace.make("evaluate") == ALL_STAGES
    assert workspace.calls() == [
        "data --source stanfordnlp/imdb --name imdb",
        "tokens",
        "vocab --vectors glove.6B.100d",
        "train --recipe default --seed 1",
        "evaluate --model data/models/imdb-default-s1",
    ]
    assert workspace.make("evaluate") == []
    assert workspace.make("data", "tokens", "vocab", "train", "evaluate") == []


def test_parallel_make_keeps_the_order(workspace: Workspace) -> None:
    assert workspace.make("-j2", "evaluate", "train", "tokens") == ALL_STAGES


def test_touching_the_recipe_runs_train_and_evaluate(workspace: Workspace) -> None:
    workspace.make("evaluate")
    workspace.touch("pipeline/recipes/tutorial.toml")
    assert workspace.make("evaluate") == []
    workspace.touch("pipeline/recipes/default.toml")
    assert workspace.make("evaluate") == ["train", "evaluate"]


def test_another_source_runs_everything(workspace: Workspace) -> None:
    workspace.make("evaluate")
    assert workspace.make("evaluate", "SOURCE=a folder/Bob's Shop_Reviews.csv") == ALL_STAGES
    assert workspace.calls()[0] == "data --source a folder/Bob's Shop_Reviews.csv --name bob-s-shop-reviews"
    assert workspace.calls()[4] == "evaluate --model data/models/bob-s-shop-reviews-default-s1"


def test_other_vectors_run_vocab_and_later(workspace: Workspace) -> None:
    workspace.make("evaluate")
    assert workspace.make("evaluate", "VECTORS=none") == ["vocab", "train", "evaluate"]


def test_pretraining_is_apart_from_training_and_has_a_name(workspace: Workspace) -> None:
    assert workspace.make("train") == ["data", "tokens", "vocab", "train"]
    workspace.make("pretrain", "PRETRAIN_FLAGS=--epochs 3 --one-direction")
    assert workspace.calls() == ["pretrain --name default --epochs 3 --one-direction"]
    assert workspace.make("pretrain", "train", "evaluate") == ["evaluate"]
    workspace.make("pretrain", "ENCODER=small")
    assert workspace.calls() == ["pretrain --name small"]
    assert workspace.make("pretrain", "VECTORS=none") == ["vocab", "pretrain"]


def test_several_processes_are_started_by_torchrun(workspace: Workspace) -> None:
    launcher = workspace.folder / ".venv" / "bin" / "torchrun"
    launcher.write_text('#!/bin/sh\necho "$OMP_NUM_THREADS $*" > torchrun.txt\nshift 4\nexec "$@"\n')
    launcher.chmod(0o755)
    assert workspace.make("train") == ["data", "tokens", "vocab", "train"]
    assert not (workspace.folder / "torchrun.txt").exists()
    assert workspace.make("train", "SEED=2", "PROCESSES=2") == ["train"]
    assert workspace.calls() == ["train --recipe default --seed 2"]
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    launched = f"{threads} --standalone --nproc-per-node 2 --no-python .venv/bin/sentiment "
    assert (workspace.folder / "torchrun.txt").read_text().startswith(launched)
    assert workspace.make("train", "PROCESSES=3") == []


def test_a_setting_left_out_keeps_its_last_value(workspace: Workspace) -> None:
    workspace.make("data", "SOURCE=mine.csv", "TEXT_COLUMN=what they said", "RECIPE=tutorial", "SEED=3")
    result = workspace.run("evaluate")
    assert workspace.calls()[2:] == [
        "train --recipe tutorial --seed 3",
        "evaluate --model data/models/mine-tutorial-s3",
    ]
    assert "settings RECIPE=tutorial SEED=3" in result.stderr
    assert workspace.make("evaluate", "SOURCE=mine.csv", "SEED=3") == []


def test_columns_are_forgotten_with_their_source(workspace: Workspace) -> None:
    workspace.make("data", "SOURCE=mine.csv", "TEXT_COLUMN=what they said", "LABEL_POSITIVE=4")
    assert workspace.calls() == ["data --source mine.csv --name mine --text-column what they said --label-positive 4"]
    workspace.make("data", "SOURCE=other.csv")
    assert workspace.calls() == ["data --source other.csv --name other"]


def test_a_setting_file_is_not_written_for_the_same_value(workspace: Workspace) -> None:
    workspace.make("evaluate", "SOURCE=mine.csv", "SEED=4")
    files = sorted(path for path in (workspace.folder / "data" / "settings").rglob("*") if path.is_file())
    assert [path.name for path in files if path.suffix == ".partial"] == []
    before = {path: path.stat().st_mtime_ns for path in files}
    workspace.make("evaluate", "SOURCE=mine.csv", "SEED=4")
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_another_seed_or_recipe_trains_another_folder_and_the_first_one_stays(workspace: Workspace) -> None:
    workspace.make("evaluate")
    assert workspace.make("evaluate", "SEED=2") == ["train", "evaluate"]
    assert workspace.make("evaluate", "RECIPE=tutorial") == ["train", "evaluate"]
    models = {path.name for path in (workspace.folder / "data" / "models").iterdir()}
    assert models == {"imdb-default-s1", "imdb-default-s2", "imdb-tutorial-s2"}
    assert workspace.make("evaluate", "RECIPE=default", "SEED=1") == []


def test_a_recipe_by_path(workspace: Workspace) -> None:
    (workspace.folder / "mine.toml").touch()
    workspace.make("evaluate", "RECIPE=mine.toml")
    assert workspace.calls()[3:] == [
        "train --recipe mine.toml --seed 1",
        "evaluate --model data/models/imdb-mine-s1",
    ]
    (workspace.folder / "elsewhere").mkdir()
    older = workspace.folder / "elsewhere" / "mine.toml"
    older.touch()
    os.utime(older, (1, 1))
    assert workspace.make("evaluate", "RECIPE=elsewhere/mine.toml") == ["train", "evaluate"]


def test_a_recipe_that_is_not_there(workspace: Workspace) -> None:
    result = workspace.run("train", "RECIPE=nonsense")
    assert result.returncode == 2
    assert "no recipe pipeline/recipes/nonsense.toml; there are: default demo tutorial" in result.stderr


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("stanfordnlp/imdb", "imdb"),
        ("stanfordnlp/imdb@e6281661", "imdb"),
        ("../shared place/aclImdb/", "aclimdb"),
        ("aclImdb_v1.tar.gz", "aclimdb-v1"),
        ("IMDB Dataset.CSV", "imdb-dataset"),
        ("x/y.z/-- Käse (2) --.parquet", "k-se-2"),
        ("reviews.tgz", "reviews"),
        ("sample", "demo"),
        ("my sample", "my-sample"),
        ("日本", "corpus"),
    ],
)
def test_the_name_of_a_source(workspace: Workspace, source: str, name: str) -> None:
    workspace.make("data", f"SOURCE={source}")
    assert workspace.calls() == [f"data --source {source} --name {name}"]


def test_a_dry_run_changes_nothing(workspace: Workspace) -> None:
    result = workspace.run("-n", "evaluate", "SEED=2")
    assert result.returncode == 0
    assert "train --recipe default --seed 2" in result.stdout
    assert not (workspace.folder / "data").exists()


def test_a_stage_that_fails_leaves_no_target(workspace: Workspace) -> None:
    assert workspace.run("evaluate", fail_at="vocab").returncode == 2
    assert not (workspace.folder / "data" / "vocabulary" / "manifest.json").exists()
    assert workspace.make("evaluate") == ["vocab", "train", "evaluate"]


@pytest.mark.parametrize("typo", ["SOURCE=typo.csv", "VECTORS=typo.txt", "TEXT_COLUMN=typo"])
def test_a_typo_costs_nothing(workspace: Workspace, typo: str) -> None:
    right = ["SOURCE=mine.csv", "TEXT_COLUMN=what they said", "VECTORS=none"]
    workspace.make("evaluate", *right)
    assert workspace.run("evaluate", typo).returncode == 2
    assert workspace.make("evaluate") == []
    assert workspace.make("evaluate", *right) == []


def test_a_recipe_that_fails_or_is_not_there_costs_nothing(workspace: Workspace) -> None:
    workspace.make("evaluate")
    (workspace.folder / "typo").mkdir()
    (workspace.folder / "typo" / "default.toml").touch()
    assert workspace.run("evaluate", "RECIPE=typo/default.toml").returncode == 2
    assert workspace.make("evaluate", "RECIPE=default") == []
    assert workspace.run("-j2", "train", "RECIPE=nonsense").returncode == 2
    assert workspace.make("evaluate") == []


def test_new_packages_train_nothing_again(workspace: Workspace) -> None:
    workspace.make("evaluate")
    workspace.touch(".venv/.installed")
    assert workspace.make("evaluate") == []


def test_a_broken_installation_leaves_no_stamp(workspace: Workspace) -> None:
    (workspace.folder / ".venv" / ".installed").unlink()
    result = workspace.run("data", "PYTHON=false")
    assert result.returncode == 2
    assert "Python 3.11 or later is needed" in result.stderr
    assert workspace.calls() == []
    assert not (workspace.folder / ".venv" / ".installed").exists()


def test_demo_runs_once_in_folders_of_its_own(workspace: Workspace) -> None:
    workspace.make("evaluate", "SOURCE=mine.csv", "SEED=5")
    result = workspace.run("demo", "SEED=9", "VECTORS=big.txt")
    assert workspace.stages() == [*ALL_STAGES, "sample", "score"]
    assert workspace.calls()[3] == "train --recipe demo --seed 1"
    assert workspace.calls()[-1] == (
        "score data/demo/reviews.csv -o reports/demo/scored.csv --model data/demo/models/demo-demo-s1"
    )
    places = re.findall(r"(?:data|reports)/demo/[\w./-]+", result.stdout[result.stdout.index("This was the demo") :])
    assert "reports/demo/demo-demo-s1/report.html" in places
    assert "NOT IMDb" in result.stdout
    assert workspace.run("demo").returncode == 0
    assert workspace.calls() == []
    assert workspace.make("evaluate") == []


def test_score_needs_both_names(workspace: Workspace) -> None:
    result = workspace.run("score", "INPUT=a.csv")
    assert result.returncode == 2
    assert "INPUT=reviews.csv OUTPUT=scored.csv" in result.stderr
    workspace.make("score", "INPUT=my reviews.csv", "OUTPUT=out/b.csv", "MODEL=a model")
    assert workspace.calls() == ["score my reviews.csv -o out/b.csv --model a model"]
    workspace.make("score", "INPUT=a.csv", "OUTPUT=b.csv")
    assert workspace.calls() == ["score a.csv -o b.csv"]


def test_score_takes_the_model_that_the_settings_name(workspace: Workspace) -> None:
    workspace.make("train")
    workspace.make("train", "RECIPE=tutorial")
    assert workspace.make("train", "score", "RECIPE=default", "INPUT=a.csv", "OUTPUT=b.csv") == ["score"]
    assert workspace.calls() == ["score a.csv -o b.csv --model data/models/imdb-default-s1"]


def test_names_of_files_reach_score_as_they_are(workspace: Workspace) -> None:
    workspace.make("score", 'INPUT=$$HOME `pwd` Bob\'s "a".csv', "OUTPUT=b $$1.csv", "MODEL=$$m")
    assert workspace.calls() == ['score $HOME `pwd` Bob\'s "a".csv -o b $1.csv --model $m']


def test_compare_needs_both_reports(workspace: Workspace) -> None:
    result = workspace.run("compare", "A=old")
    assert result.returncode == 2
    assert "make compare A=imdb-default-s1 B=imdb-small-s1" in result.stderr
    workspace.make("compare", "A=old", "B=my new", "COMPARE_FLAGS=--fail-if-worse --tolerance 0.2")
    assert workspace.calls() == ["compare old my new --fail-if-worse --tolerance 0.2"]


def test_clean_spares_downloads_environments_and_the_reference(workspace: Workspace) -> None:
    kept = ["data/README.md", "data/downloads/glove.zip", "reports/README.md", "reports/test-evaluations.csv"]
    kept += ["reports/reference/manifest.json", "reports/mine/notes.md"]
    for name in kept:
        (workspace.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.folder / name).touch()
    workspace.make("pretrain", "evaluate")
    workspace.make("demo")
    workspace.make("clean")
    for place in ("data", "reports"):
        left = {
            str(path.relative_to(workspace.folder))
            for path in (workspace.folder / place).rglob("*")
            if path.is_file() and path.name != "name"
        }
        assert left == {name for name in kept if name.startswith(place)}
    assert (workspace.folder / ".venv" / ".installed").exists()
    workspace.make("clean")
