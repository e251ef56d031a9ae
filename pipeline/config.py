"""Every setting that shapes a model, as frozen dataclasses; a recipe is a TOML file that fills them in.

Nothing is read when this module is imported.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from pipeline.errors import UsageError

Pooling = Literal["last", "max", "mean", "attention"]
UnknownWords = Literal["unk", "fallback"]


@dataclass(frozen=True)
class ModelSettings:
    """The network.

    Attributes:
        hidden_size: units of each direction of the GRU.
        layers: GRU layers, one upon the other.
        bidirectional: whether a second GRU reads each review from its end.
        pooling: summaries of the states over time, concatenated for the output layer.
        masked_in_training: whether padding is kept out of the states in training; ``false`` is the textbook's way,
            whose last state in training is the one after the padding.
        embedding_dropout: probability of zeroing an entry of a token's embedding.
        word_dropout: probability of replacing a token by ``<unk>`` in training.
        output_dropout: probability of zeroing an entry of the pooled state.
        missing_vectors: where words without a pretrained vector start: ``matched`` to the mean and scale of the found
            ones, ``standard`` normal, or made of the ``context`` they have in the training text.
        max_tokens: reviews longer than this are cut to head and tail when scored; 0 never cuts.
        unknown_words: what becomes of words that the vocabulary lacks, in training and when scored: ``unk``, or
            ``fallback`` to a word that stands in where there is one (:mod:`pipeline.word_fallbacks`).
        encoder: name of the pretrained language model whose embeddings and GRU the classifier starts from; empty for
            the vocabulary's vectors and a random GRU.
        encoder_parts: what is taken from it: ``all``, or the ``embedding`` alone, for a network of another size.
    """

    hidden_size: int
    layers: int = 1
    bidirectional: bool = True
    pooling: tuple[Pooling, ...] = ("max", "mean")
    masked_in_training: bool = True
    embedding_dropout: float = 0.5
    word_dropout: float = 0.0
    output_dropout: float = 0.5
    missing_vectors: Literal["matched", "standard", "context"] = "matched"
    max_tokens: int = 0
    unknown_words: UnknownWords = "unk"
    encoder: str = ""
    encoder_parts: Literal["all", "embedding"] = "all"


@dataclass(frozen=True)
class TrainingSettings:
    """The optimisation.

    Attributes:
        epochs: passes over the training part, at most.
        batch_size: reviews in a step.
        learning_rate: Adam's step size at its highest (Kingma and Ba 2015).
        schedule: ``constant``, or ``cosine`` from ``learning_rate`` down to a tenth over ``epochs``.
        warmup_steps: over which the rate rises at first.
        encoder_rate: share of the learning rate that embeddings and GRU get (Howard and Ruder 2018); 1 for all of it.
        weight_decay: decoupled weight decay of every weight but the embeddings (Loshchilov and Hutter 2019).
        gradient_clip: largest L2 norm of a step's gradient; 0 never clips.
        weight_average: decay of the exponential moving average of the weights that is evaluated and kept; 0 is none.
        max_tokens: reviews longer than this are cut to head and tail in training; 0 never cuts.
        validation_fraction: share of the training split that is held out for every choice.
        select_by: the validation figure that names the best epoch.
        patience: epochs without a better one before training stops.
        precision: ``bfloat16`` computes the recurrence in bfloat16 where the machine has it, ``float32`` never.
        adversarial_length: of each review's adversarial perturbation, in root mean squares of an embedding's entry; 0
            for no adversarial loss (:mod:`pipeline.adversarial`).
        teacher: name of the labels that other models gave to unlabelled reviews, learnt from beside the true ones;
            empty for none (:mod:`pipeline.teacher`).
    """

    epochs: int
    batch_size: int = 64
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: int = 0
    encoder_rate: float = 1.0
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    weight_average: float = 0.0
    max_tokens: int = 0
    validation_fraction: float = 0.1
    select_by: Literal["accuracy", "log_loss"] = "accuracy"
    patience: int = 3
    precision: Literal["float32", "bfloat16"] = "float32"
    adversarial_length: float = 0.0
    teacher: str = ""


@dataclass(frozen=True)
class Recipe:
    """One way to train a model: what a recipe file holds."""

    name: str
    description: str
    model: ModelSettings
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(epochs=5))

    def to_dict(self) -> dict[str, Any]:
        """Return plain nested dictionaries, as kept in ``config.json``."""
        return dataclasses.asdict(self)


Settings = TypeVar("Settings", ModelSettings, TrainingSettings)


def _fits(value: object, annotation: Any) -> bool:
    """Say whether a TOML value is of an annotated type; a bool is no number here, an int is a float."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, list | tuple) and len(value) > 0 and all(_fits(item, arguments[0]) for item in value)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is annotation


def _describe(annotation: Any) -> str:
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if typing.get_origin(annotation) is tuple:
        return "a list with each item " + _describe(arguments[0])
    return f"of type {annotation.__name__}" if isinstance(annotation, type) else str(annotation)


def settings_from(kind: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    """Build a settings dataclass from a TOML table.

    Raises:
        UsageError: an unknown or missing key, or a value of the wrong type; the message says what is possible.
    """
    annotations = typing.get_type_hints(kind)
    for key, value in values.items():
        if key not in annotations:
            raise UsageError(f"{where}: unknown key {key!r}; known are {', '.join(annotations)}")
        if not _fits(value, annotations[key]):
            raise UsageError(f"{where}: {key} = {value!r} is not {_describe(annotations[key])}")
    missing = [
        entry.name
        for entry in dataclasses.fields(kind)
        if entry.name not in values
        and entry.default is dataclasses.MISSING
        and entry.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UsageError(f"{where}: {missing[0]} is missing")
    checked: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return kind(**checked)


def check_ranges(recipe: Recipe, where: str) -> None:
    """Refuse settings that no training could use.

    Raises:
        UsageError: naming the first such setting.
    """
    model, training = recipe.model, recipe.training
    shares = {
        "embedding_dropout": model.embedding_dropout,
        "word_dropout": model.word_dropout,
        "output_dropout": model.output_dropout,
        "weight_average": training.weight_average,
    }
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise UsageError(f"{where}: {name} = {share} is outside [0, 1)")
    if not 0 < training.validation_fraction < 1:
        raise UsageError(f"{where}: validation_fraction = {training.validation_fraction} is outside (0, 1)")
    counts = {
        "hidden_size": model.hidden_size,
        "layers": model.layers,
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "patience": training.patience,
    }
    for name, count in counts.items():
        if count < 1:
            raise UsageError(f"{where}: {name} = {count} is less than 1")
    if not 0 < training.learning_rate < math.inf:
        raise UsageError(f"{where}: learning_rate = {training.learning_rate} is no positive number")
    if len(set(model.pooling)) < len(model.pooling):
        raise UsageError(f"{where}: pooling names a summary twice")
    amounts = {
        "max_tokens": min(model.max_tokens, training.max_tokens),
        "weight_decay": training.weight_decay,
        "gradient_clip": training.gradient_clip,
        "warmup_steps": training.warmup_steps,
        "encoder_rate": training.encoder_rate,
        "adversarial_length": training.adversarial_length,
    }
    for name, amount in amounts.items():
        if not 0 <= amount < math.inf:
            raise UsageError(f"{where}: {name} = {amount} is negative or no number")


def recipe_from_dict(values: Mapping[str, Any], name: str, where: str) -> Recipe:
    """Build a checked recipe from nested dictionaries (a parsed TOML file, or ``config.json``'s copy).

    Raises:
        UsageError: see :func:`settings_from` and :func:`check_ranges`.
    """
    unknown = set(values) - {"name", "description", "model", "training"}
    if unknown:
        raise UsageError(f"{where}: unknown key {sorted(unknown)[0]!r}; known are description, [model], [training]")
    for table in ("model", "training"):
        if not isinstance(values.get(table), Mapping):
            raise UsageError(f"{where}: the table [{table}] is missing")
    recipe = Recipe(
        name=name,
        description=str(values.get("description", "")),
        model=settings_from(ModelSettings, values["model"], f"{where} [model]"),
        training=settings_from(TrainingSettings, values["training"], f"{where} [training]"),
    )
    check_ranges(recipe, where)
    return recipe


def recipe_names() -> list[str]:
    """Return the names of the recipes kept in the package."""
    folder = resources.files("pipeline") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(name: str) -> Recipe:
    """Load a recipe of the package by name, or any ``.toml`` file by its path.

    Raises:
        UsageError: no such recipe, or a faulty one.
    """
    if name.endswith(".toml"):
        path: Path | Any = Path(name)
        short_name = path.stem
    else:
        path = resources.files("pipeline") / "recipes" / f"{name}.toml"
        short_name = name
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no recipe {name!r}; there are {', '.join(recipe_names())}, or give a .toml file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not a readable recipe ({error})") from error
    return recipe_from_dict(types.MappingProxyType(values), short_name, str(path))
