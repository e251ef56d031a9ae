"""A whole training step of the default recipe on real length buckets: ours beside ``nn.GRU``."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.batches import shuffled_batches
from pipeline.config import Recipe
from pipeline.kernel_library import kernel_problem
from pipeline.trainer import Trainer
from tests.bench.material import Material
from tests.bench.options import Options
from tests.bench.packed import PackedGRULayer
from tests.bench.plain_step import PlainTrainer, Stepper
from tests.bench.results import Goal, Section, without_folders

SEED = 1
OURS = "ours"
OURS_FOR_PACKED = "ours, batches of packed"
PADDED_FLOAT32 = "padded nn.GRU, float32"
PADDED_BFLOAT16 = "padded nn.GRU, bfloat16 autocast"
PACKED = "packed nn.GRU, float32"
PLAIN = "padded nn.GRU, float32, the tutorials' step"
NOTES = (
    "A step is Trainer.train_on: forward, binary cross-entropy, backward, clipping of the gradient, optimiser, moving "
    "average of the weights. Every peer runs this same step, with the same recipe, dropout, pooling and batches, and "
    "with this project's optimiser, whose cost for the embedding grows with the words seen and not with the vocabulary "
    "(rows of the words seen, their Adam, their moving average); padding and recurrence alone are others. Ours is in "
    "the recipe's precision, bfloat16 where the processor has it, without padding.",
    "The tutorials' step is float32 nn.GRU on padded batches with AdamW over all parameters, the whole embedding "
    "included, without clipping and without a moving average.",
    "Batches are those of the trainer (128 reviews of like length, cut to 400 tokens), at evenly spaced ranks of the "
    "epoch's batches by length. Repeats go round: each peer takes all its batches, then the next peer; "
    "one step on the shortest and one on the longest batch come before, to warm up.",
    "The packed layer (pack_padded_sequence around one bidirectional nn.GRU) is slow, so it takes fewer batches in "
    "fewer rounds; it is compared with ours on those very batches in those rounds.",
)


def with_precision(recipe: Recipe, precision: Literal["float32", "bfloat16"]) -> Recipe:
    """Return the recipe with another precision of the recurrence."""
    return dataclasses.replace(recipe, training=dataclasses.replace(recipe.training, precision=precision))


def with_hidden_size(recipe: Recipe, hidden_size: int) -> Recipe:
    """Return the recipe with another number of units."""
    return dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, hidden_size=hidden_size))


def new_trainer(recipe: Recipe, material: Material, compiled: bool | None) -> Trainer:
    """Return a trainer at its first step."""
    device = torch.device("cpu")
    return Trainer(recipe, material.vectors, material.training_data, SEED, device, compiled=compiled)


def packed_trainer(recipe: Recipe, material: Material) -> Trainer:
    """Return a trainer whose classifier holds packed layers from the start, so that everything else is the same."""
    with mock.patch("pipeline.model.GRULayer", PackedGRULayer):
        trainer = new_trainer(recipe, material, compiled=False)
    if not any(isinstance(module, PackedGRULayer) for module in trainer.classifier.modules()):
        raise TypeError("the classifier did not take the packed layer")
    return trainer


def spread_of_batches(
    batches: Sequence[NDArray[np.int64]], lengths: NDArray[np.int64], count: int
) -> list[NDArray[np.int64]]:
    """Return batches at evenly spaced ranks by their longest review, shortest first; whole batches where there are any.

    Args:
        batches: the indices of each batch.
        lengths: tokens of each review.
        count: how many to return, at most.
    """
    full = max(len(batch) for batch in batches)
    ranked = sorted((batch for batch in batches if len(batch) == full), key=lambda batch: int(lengths[batch].max()))
    count = min(count, len(ranked))
    return [ranked[int((place + 0.5) * len(ranked) / count)] for place in range(count)]


def bucket_lengths(material: Material, recipe: Recipe) -> NDArray[np.int64]:
    """Return the tokens of each review of the training part as the trainer cuts them."""
    data, cut = material.training_data, recipe.training.max_tokens
    lengths = np.asarray([len(data.sequences[row]) for row in data.training_rows], dtype=np.int64)
    return np.minimum(lengths, cut) if cut else lengths


def real_batches(material: Material, recipe: Recipe, count: int) -> list[NDArray[np.int64]]:
    """Return a spread of the batches of the trainer's first epoch."""
    lengths = bucket_lengths(material, recipe)
    batches = shuffled_batches(lengths, recipe.training.batch_size, np.random.default_rng([SEED, 0]))
    return spread_of_batches(batches, lengths, count)


def seconds_of_steps(trainer: Stepper, batches: Sequence[NDArray[np.int64]]) -> list[float]:
    """Return the wall time of one training step on each batch."""
    seconds = []
    for batch in batches:
        started = time.perf_counter()
        trainer.train_on(batch)
        seconds.append(time.perf_counter() - started)
    return seconds


def interleaved_steps(
    trainers: Mapping[str, Stepper],
    batches: Sequence[NDArray[np.int64]],
    few: Sequence[int],
    options: Options,
    say: Callable[[str], None],
) -> dict[str, list[list[float]]]:
    """Time all trainers in turn, several times; the packed one in the first rounds alone.

    Args:
        trainers: by name; the packed one takes the batches ``few`` alone.
        batches: what each step is taken on.
        few: positions of the batches that the packed trainer takes.
        options: how many rounds.
        say: told about progress.

    Returns:
        seconds[name][repeat][batch].
    """
    of_peer = {name: [batches[place] for place in few] if name == PACKED else list(batches) for name in trainers}
    for name, trainer in trainers.items():  # to warm up: the shortest, and the longest, for which memory is taken
        seconds_of_steps(trainer, of_peer[name][:1] if name == PACKED else [batches[0], batches[-1]])
    seconds: dict[str, list[list[float]]] = {name: [] for name in trainers}
    for repeat in range(options.repeats):
        for name, trainer in trainers.items():
            if name == PACKED and repeat >= options.repeats_of_slow:
                continue
            seconds[name].append(seconds_of_steps(trainer, of_peer[name]))
            mean = 1000 * float(np.mean(seconds[name][-1]))
            say(f"training: repeat {repeat + 1} of {options.repeats}, {name}: {mean:.0f} ms a step")
    return seconds


def steppers(material: Material, section: Section) -> dict[str, Stepper]:
    """Return every peer at its first step; one that cannot be made is noted as failed."""
    recipe = material.recipe
    float32, bfloat16 = with_precision(recipe, "float32"), with_precision(recipe, "bfloat16")
    makers: dict[str, Callable[[], Stepper]] = {
        OURS: lambda: new_trainer(recipe, material, compiled=None),
        PADDED_FLOAT32: lambda: new_trainer(float32, material, compiled=False),
        PADDED_BFLOAT16: lambda: new_trainer(bfloat16, material, compiled=False),
        PACKED: lambda: packed_trainer(float32, material),
        PLAIN: lambda: PlainTrainer(recipe, material),
    }
    made: dict[str, Stepper] = {}
    for name, make in makers.items():
        with section.attempt(name):
            made[name] = make()
    return made


def measure(material: Material, options: Options) -> Section:
    """Measure the training step of each peer."""
    section = Section("training", "Training step, BiGRU 2x128")
    section.notes.extend(NOTES)
    if problem := kernel_problem():
        section.notes.append(f"Ours ran without the compiled kernels: {without_folders(problem)}.")
    batches = real_batches(material, material.recipe, 2 if options.quick else 9)
    few = sorted({len(batches) // 6, len(batches) // 2, len(batches) - 1 - len(batches) // 6})
    seconds = interleaved_steps(steppers(material, section), batches, few, options, material.console.say)
    reviews = [len(batch) for batch in batches]
    for name, repeats in seconds.items():
        places = few if name == PACKED else range(len(batches))
        add_steps(section, name, repeats, [reviews[place] for place in places])
    if OURS in seconds:
        same = [[repeat[place] for place in few] for repeat in seconds[OURS][: options.repeats_of_slow]]
        add_steps(section, OURS_FOR_PACKED, same, [reviews[place] for place in few])
    lengths = bucket_lengths(material, material.recipe)
    section.details = {
        "batches": [
            {"reviews": len(batch), "tokens": int(lengths[batch].sum()), "longest": int(lengths[batch].max())}
            for batch in batches
        ],
        "batches_of_packed": few,
        "milliseconds_by_batch": {
            name: [round(1000 * float(np.median(column)), 2) for column in zip(*repeats, strict=True)]
            for name, repeats in seconds.items()
        },
    }
    find_ratios(section)
    return section


def find_ratios(section: Section) -> None:
    """Compare each peer with ours."""
    goals = {PADDED_FLOAT32: Goal(">=", 3.5), PADDED_BFLOAT16: Goal(">=", 2.0), PLAIN: None}
    for name, goal in goals.items():
        section.find(f"training step: {name} / ours", f"{name}, ms a step", f"{OURS}, ms a step", goal)
    of_packed, ours = f"{PACKED}, ms a step", f"{OURS_FOR_PACKED}, ms a step"
    section.find(f"training step: {PACKED} / ours (same batches)", of_packed, ours, Goal(">=", 10.0))


def add_steps(section: Section, name: str, seconds: Sequence[Sequence[float]], reviews: Sequence[int]) -> None:
    """Keep the mean time of a step and the reviews a second of each repeat.

    Args:
        section: receives them.
        name: of the peer.
        seconds: seconds[repeat][batch].
        reviews: in each batch.
    """
    section.add(f"{name}, ms a step", "ms", [1000 * sum(repeat) / len(repeat) for repeat in seconds])
    section.add(f"{name}, reviews/s", "reviews/s", [sum(reviews) / sum(repeat) for repeat in seconds])
