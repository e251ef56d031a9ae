"""Writes the compact copy of a model that the package carries, so that scoring works right after installing.

A copy is a model folder of at most ``MOST_BYTES`` in all: weights as :mod:`pipeline.compact_weights` stores them,
vocabulary, ``config.json`` and a model card, nothing else. How far its probabilities are from the source's is measured
when it is written: on the validation reviews where the corpus is at hand, else on generated ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from pipeline.artifacts import StageOutput, read_json, to_json
from pipeline.compact_weights import LEVELS, Arrays, compacted, widened
from pipeline.console import Console
from pipeline.copy_comparison import compare, figures_on_test, texts_to_compare
from pipeline.errors import SentimentError, UsageError
from pipeline.inference import (
    BUNDLED_FOLDER,
    CONFIG_NAME,
    VOCABULARY_NAME,
    WEIGHTS_NAME,
    SentimentModel,
    network_from,
    settings_of,
)

MOST_BYTES = 10_000_000
CARD_NAME = "README.md"
ROOM_FOR_TEXT = 50_000
"""Bytes kept free for ``config.json`` and the model card."""


def place_in_package(name: str) -> Path:
    """Return the folder that a bundled model of this name has in the package.

    Raises:
        SentimentError: the package carries another one.
    """
    others = [path.parent for path in BUNDLED_FOLDER.glob(f"*/{CONFIG_NAME}") if path.parent.name != name]
    if others:
        raise SentimentError(f"{others[0]}: the package carries this model already; remove the folder first")
    return BUNDLED_FOLDER / name


def compact_form(model_folder: Path, vocabulary: bytes, level: str) -> tuple[Arrays, bytes]:
    """Return a model's weights as its copy stores them, at ``level`` or rougher: as arrays, and as a file's bytes.

    Raises:
        SentimentError: they would be too large, or hold what is no number.
    """
    room = MOST_BYTES - len(vocabulary) - ROOM_FOR_TEXT
    try:
        fit = fitting(load_file(model_folder / WEIGHTS_NAME), level, room)
    except ValueError as error:
        raise SentimentError(f"{model_folder / WEIGHTS_NAME}: {error}; train again") from error
    if fit is None:
        raise SentimentError(
            f"{model_folder}: more than {MOST_BYTES / 1e6:.0f} MB even in eight bits; train one with a smaller "
            "vocabulary (`sentiment vocab --size`) or hidden_size"
        )
    return fit


def fitting(weights: Mapping[str, NDArray[Any]], level: str, room: int) -> tuple[Arrays, bytes] | None:
    """Return the exactest stored form of weights, from ``level`` on, that fits into ``room`` bytes; None for none.

    Raises:
        ValueError: see :func:`pipeline.compact_weights.compacted`.
    """
    for rougher in LEVELS[LEVELS.index(level) :]:
        stored = compacted(weights, rougher)
        content = save(stored)
        if len(content) <= room:
            return stored, content
    return None


def read_forms(vocabulary: bytes) -> list[str]:
    """Return the form of each token id from the bytes of ``vocabulary.txt``."""
    return vocabulary.decode("utf-8").removesuffix("\n").split("\n")


def copy_of(config: Mapping[str, Any], stored: Arrays, forms: list[str]) -> SentimentModel:
    """Return the model that loading the copy will give."""
    precision = config.get("scoring_precision", "float32")
    return SentimentModel(*network_from(widened(stored), settings_of(config), precision), forms, dict(config))


def with_card(config: dict[str, Any], files: Mapping[str, bytes]) -> tuple[dict[str, Any], bytes]:
    """Return the configuration with the SHA-256 of each file in it, and the model card that it gives."""
    from pipeline.model_folder import render_model_card

    card = render_model_card(config).encode("utf-8")
    contents = {**files, CARD_NAME: card}
    return {**config, "files": {name: sha256(content).hexdigest() for name, content in contents.items()}}, card


def bundle_model(
    model_folder: Path,
    folder: Path,
    corpus_folder: Path,
    report_folder: Path,
    console: Console,
    *,
    level: str = LEVELS[1],
) -> dict[str, Any]:
    """Write the compact copy of a model, ``config.json`` last; return the configuration.

    Args:
        model_folder: of the source.
        folder: receives ``model.safetensors``, ``vocabulary.txt``, ``README.md`` and ``config.json``.
        corpus_folder: what the source was trained on; where it is not, the copy is compared on generated reviews.
        report_folder: of the source on its test split; where there is none, the copy carries no such figures.
        console: told about the copy.
        level: one of :data:`pipeline.compact_weights.LEVELS`; what would be too large is stored more roughly.

    Raises:
        SentimentError: the source is damaged or a copy itself, the copy would be too large, or another run writes it.
    """
    source = SentimentModel.load(model_folder)
    if "bundle" in source.config:
        raise SentimentError(f"{model_folder}: is a compact copy already; name the model that it was made from")
    vocabulary = (model_folder / VOCABULARY_NAME).read_bytes()
    stored, content = compact_form(model_folder, vocabulary, level)
    copy = copy_of(source.config, stored, read_forms(vocabulary))
    origin = {name: source.config.get(name) for name in ("name", "bytes")}
    weights_sha256 = source.config["files"][WEIGHTS_NAME]
    details = {
        "source": {**origin, "weights_sha256": weights_sha256},
        "stored_as": {name: str(array.dtype) for name, array in stored.items()},
        "differences": compare(source, copy, texts_to_compare(model_folder, corpus_folder, source.config)),
        "figures_of_source": figures_on_test(report_folder, weights_sha256),
    }
    config = {**source.config, "bytes": len(content), "bundle": details}
    config, card = with_card(config, {WEIGHTS_NAME: content, VOCABULARY_NAME: vocabulary})
    total = publish_copy(folder, config, {WEIGHTS_NAME: content, VOCABULARY_NAME: vocabulary, CARD_NAME: card})
    console.say(summary(config, folder, total))
    return config


def publish_copy(folder: Path, config: Mapping[str, Any], files: Mapping[str, bytes]) -> int:
    """Write the folder and return its bytes.

    Raises:
        SentimentError: they are too many, or the disk refused.
        UsageError: the folder holds a model that is no copy.
    """
    total = sum(map(len, files.values())) + len(to_json(config).encode("utf-8"))
    if total > MOST_BYTES:
        raise SentimentError(f"{folder}: {total:,} bytes are more than {MOST_BYTES:,}; bundle a smaller model")
    other = read_json(folder / CONFIG_NAME, "") if (folder / CONFIG_NAME).is_file() else None
    if other is not None and "bundle" not in other:
        raise UsageError(f"{folder}: holds a trained model, which a copy would replace; name another folder with -o")
    with StageOutput(folder, "bundle") as output:
        for name, content in files.items():
            output.path(name).write_bytes(content)
        output.publish(CONFIG_NAME, config)
    return total


def summary(config: Mapping[str, Any], folder: Path, total: int) -> str:
    """Return the lines that tell the person what came out."""
    apart = config["bundle"]["differences"]
    return (
        f"bundle: {config['name']} in {folder}, {total / 1e6:.2f} MB\n"
        f"bundle: on {apart['reviews']:,} {apart['compared_on']} its probabilities are at most {apart['largest']:.4f} "
        f"from the source's, 99.9% of them at most {apart['quantile_999']:.4f}; {apart['labels_flipped']} labels differ"
    )
