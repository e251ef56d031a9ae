"""Promise: the data card and the model card say what is recorded and counted, and no more."""

import copy
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.labelled_texts import LabelledTexts
from pipeline.report.data_card import data_card, data_command
from pipeline.report.model_card import SAMPLE_CAVEAT, model_card
from tests.test_report import CONFIG

TEXTS = ["a fine film", "one<br />two<br />three four", "a fine film", "dull"]


def reviews(**description: Any) -> LabelledTexts:
    described = {"name": "mine", "source": "mine.csv", "split": "source", "sample": False, **description}
    return LabelledTexts(TEXTS, np.array([1, 0, 1, 1], np.int8), np.arange(4), described)


def test_the_texts_are_counted() -> None:
    scored = data_card(reviews(), None)["scored"]
    assert (scored["rows"], scored["negative"], scored["positive"], scored["rated"]) == (4, 1, 3, 0)
    assert scored["repeated_rows"] == 1
    assert scored["words"] == {"mean": 2.75, "median": 3.0, "percentile_95": 3.85, "longest": 4}


def test_stars_and_rows_without_text_are_counted() -> None:
    data = reviews(rows_without_text=2)
    starred = LabelledTexts(
        data.texts, data.labels, data.rows, data.description, ratings=np.array([1, -1, 9, 10], np.int8)
    )
    card = data_card(starred, None)
    assert (card["scored"]["rated"], card["rows_without_text"]) == (3, 2)
    manifest = {"blank_rows_left_out": {"train": 3, "test": 2}}
    assert data_card(reviews(), manifest)["rows_without_text"] == 5


@pytest.mark.parametrize(
    ("description", "rows", "title"),
    [
        ({"name": "imdb"}, {"train": 25_000, "test": 25_000}, "Large Movie Review Dataset (IMDb)"),
        ({"name": "imdb-dataset", "split": "seeded 80/20"}, {"train": 40_000, "test": 10_000}, "Large Movie Review"),
        ({"name": "imdb"}, {"train": 100, "test": 100}, "A corpus of your own"),
        ({"name": "mine"}, {"train": 25_000, "test": 25_000}, "A corpus of your own"),
        ({"name": "imdb", "sample": True}, {"train": 25_000, "test": 25_000}, "Generated sample"),
    ],
)
def test_imdb_is_known_by_name_and_size(description: dict[str, Any], rows: dict[str, int], title: str) -> None:
    card = data_card(reviews(**description), {"rows": rows})
    assert card["title"].startswith(title)
    assert ("Maas" in str(card["citation"])) == title.startswith("Large")


def test_a_file_is_said_to_be_unknown() -> None:
    card = data_card(reviews(), None)
    assert (card["title"], card["command"], card["rows"]) == ("A labelled file", None, {})
    assert any("in training" in line for line in card["unknown"])


def test_the_command_names_columns_and_seed() -> None:
    settings = {"text_column": "the text", "label_column": None, "label_positive": "good", "seed": 3}
    assert data_command(reviews().description, {"settings": settings}) == (
        "sentiment data --source mine.csv --text-column 'the text' --label-positive good --seed 3"
    )


def test_the_model_card_repeats_the_configuration() -> None:
    card = model_card(CONFIG)
    assert card["description"] == "A recipe of `ours`."
    assert card["architecture"]["directions"] == 2
    assert card["architecture"]["embedding_size"] == 100
    assert card["training"]["minutes"] == 1.5
    assert card["origins"]["language_model"]["minutes"] == 68.86
    assert card["caveats"][0] != SAMPLE_CAVEAT
    sample = copy.deepcopy(CONFIG)
    sample["corpus"]["sample"], sample["origins"] = True, {}
    card = model_card(sample)
    assert card["caveats"][0] == SAMPLE_CAVEAT
    assert card["origins"] == {"language_model": None, "teachers": None}
    assert card["commands"] == [
        "sentiment tokens",
        "sentiment vocab --vectors glove.6B.100d",
        "sentiment train --recipe default --seed 1",
    ]


def test_a_model_that_tells_nothing_has_a_card() -> None:
    card = model_card({})
    assert card["commands"] == []
    assert card["architecture"]["parameters"] is None
