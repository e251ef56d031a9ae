"""The floor of a training step: its matrix products alone, in bfloat16, without padding and without anything else.

For one bidirectional layer and the attention over its states, with N real tokens in a batch, E inputs, H units:

- for each direction: the input projection (N, E) x (E, 3H), its two gradients (E, N) x (N, 3H) and (N, 3H) x (3H, E);
  for each time step the recurrence (n, H) x (H, 3H) and its gradient (n, 3H) x (3H, H), n being the reviews that still
  run; the gradient of the recurrent weights (H, N) x (N, 3H);
- the attention's hidden layer (N, 2H) x (2H, H) and its two gradients.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import kernel_library
from tests.bench.material import Material
from tests.bench.options import Options
from tests.bench.results import Goal, Section
from tests.bench.training import bucket_lengths, new_trainer, real_batches, seconds_of_steps, with_hidden_size

Product = tuple[Tensor, Tensor, Tensor]
HIDDEN_SIZES = (128, 256, 512)
GOALS = {256: Goal(">=", 0.65), 512: Goal(">=", 0.65)}
ONE_THREAD_EACH = "one thread for each direction"
BOTH_THREADS = "all threads inside each product"
NOTES = (
    "Floor: the matrix products of the step alone by torch.mm(out=) in bfloat16, reviews in order of length and only "
    "those that still run at each time step, so no padding; input projections and weight gradients as one product "
    "each. Share: median floor over the median of our whole training step, on the same batches, on the same cores.",
    "The two directions' products run in the faster of two arrangements, one thread for each direction or all threads "
    "inside each product; the details say which. The products have whatever overhead torch.mm and oneDNN have.",
)


def still_running(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many reviews have a token at each time step, (T,)."""
    steps = np.arange(int(lengths.max()))
    return np.asarray((lengths[None, :] > steps[:, None]).sum(axis=1), dtype=np.int64)


def operations(lengths: NDArray[np.int64], embedding: int, hidden: int) -> int:
    """Return the floating-point operations of one batch's products, a multiplication and an addition being two."""
    one_direction = 3 * (embedding * 3 * hidden) + 3 * (hidden * 3 * hidden)
    attention = 3 * (2 * hidden * hidden)
    return 2 * int(lengths.sum()) * (2 * one_direction + attention)


def matrix(rows: int, columns: int) -> Tensor:
    """Return a bfloat16 matrix of small numbers, which no product can overflow."""
    return (torch.rand(rows, columns) * 0.02 - 0.01).to(torch.bfloat16)


class Direction:
    """Operands of one direction's products on one batch.

    Attributes:
        large: products over all tokens at once.
        steps: products of each time step, in the order in which they depend on one another.
    """

    def __init__(self, running: NDArray[np.int64], embedding: int, hidden: int) -> None:
        tokens = int(running.sum())
        inputs, states, gates = matrix(tokens, embedding), matrix(tokens, hidden), matrix(tokens, 3 * hidden)
        state_gradients, input_gradients = torch.empty_like(states), torch.empty_like(inputs)
        input_weights, weights = matrix(embedding, 3 * hidden), matrix(hidden, 3 * hidden)
        input_weights_back, weights_back = matrix(3 * hidden, embedding), matrix(3 * hidden, hidden)
        products = torch.empty(tokens, 3 * hidden, dtype=torch.bfloat16)
        self.large: list[Product] = [
            (inputs, input_weights, products),
            (states.t(), gates, torch.empty_like(weights)),  # in this order faster than its transpose
            (inputs.t(), gates, torch.empty_like(input_weights)),
            (gates, input_weights_back, input_gradients),
        ]
        ends = np.cumsum(running).tolist()
        spans = [slice(end - int(rows), end) for rows, end in zip(running, ends, strict=True)]
        self.steps: list[Product] = [(states[span], weights, products[span]) for span in spans]
        self.steps += [(gates[span], weights_back, state_gradients[span]) for span in reversed(spans)]


def attention_products(tokens: int, hidden: int) -> list[Product]:
    """Return the attention's products: its hidden layer, and the gradients of its input and of its weights."""
    states, gradients = matrix(tokens, 2 * hidden), matrix(tokens, hidden)
    weights, weights_back = matrix(2 * hidden, hidden), matrix(hidden, 2 * hidden)
    return [
        (states, weights, torch.empty_like(gradients)),
        (gradients, weights_back, torch.empty_like(states)),
        (gradients.t(), states, torch.empty_like(weights_back)),
    ]


def multiply(products: Sequence[Product]) -> None:
    """Compute the products one after the other."""
    for left, right, out in products:
        torch.mm(left, right, out=out)


def seconds_with_all_threads(lists: Sequence[Sequence[Product]]) -> float:
    """Return the wall time of the lists one after the other, with torch's threads inside each product."""
    started = time.perf_counter()
    for products in lists:
        multiply(products)
    return time.perf_counter() - started


def seconds_with_a_thread_each(lists: Sequence[Sequence[Product]]) -> float:
    """Return the wall time of the lists side by side, one thread for each."""
    threads = torch.get_num_threads()
    ready = threading.Barrier(len(lists) + 1)

    def work(products: Sequence[Product]) -> None:
        torch.set_num_threads(1)  # of this thread; OpenMP keeps the number for each
        ready.wait()
        multiply(products)

    workers = [threading.Thread(target=work, args=(products,)) for products in lists]
    for worker in workers:
        worker.start()
    ready.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - started
    torch.set_num_threads(threads)
    return seconds


ARRANGEMENTS: dict[str, Callable[[Sequence[Sequence[Product]]], float]] = {
    ONE_THREAD_EACH: seconds_with_a_thread_each,
    BOTH_THREADS: seconds_with_all_threads,
}


class BatchFloor:
    """The products of one batch; :meth:`seconds` times them."""

    def __init__(self, lengths: NDArray[np.int64], embedding: int, hidden: int) -> None:
        running = still_running(lengths)
        directions = [Direction(running, embedding, hidden) for _ in range(2)]
        self._lists = {
            "time steps": [direction.steps for direction in directions],
            "all tokens at once": [direction.large for direction in directions],
        }
        self._attention = attention_products(int(lengths.sum()), hidden)
        self.seconds()  # shapes that oneDNN sees for the first time cost more

    def seconds(self) -> dict[tuple[str, str], float]:
        """Return the wall time of each group of products in each arrangement."""
        seconds = {
            (group, name): arrangement(lists)
            for group, lists in self._lists.items()
            for name, arrangement in ARRANGEMENTS.items()
        }
        seconds["attention", BOTH_THREADS] = seconds_with_all_threads([self._attention])
        return seconds


def summed(parts: Sequence[dict[tuple[str, str], float]]) -> dict[tuple[str, str], float]:
    """Add up the times of several batches."""
    return {key: sum(part[key] for part in parts) for key in parts[0]}


def faster_arrangements(repeats: Sequence[dict[tuple[str, str], float]]) -> dict[str, str]:
    """Return the arrangement of the lower median for each group of products."""
    medians = {key: float(np.median([repeat[key] for repeat in repeats])) for key in repeats[0]}
    groups = {group for group, _ in medians}
    return {
        group: min((name for other, name in medians if other == group), key=lambda name: medians[group, name])
        for group in sorted(groups)
    }


def kernel_floor_seconds(lengths: NDArray[np.int64], embedding: int, hidden: int) -> float | None:
    """Return the wall time of the same products by our own kernels; None where they offer no such timing."""
    offered = getattr(kernel_library, "product_seconds", None)
    return None if offered is None else float(offered(lengths, embedding, hidden, torch.get_num_threads()))


def measure_size(section: Section, material: Material, hidden: int, batches: int, repeats: int) -> None:
    """Measure floor and step for one hidden size, in turn."""
    recipe = with_hidden_size(material.recipe, hidden)
    lengths = bucket_lengths(material, recipe)
    chosen = real_batches(material, recipe, batches)
    embedding = material.vectors.shape[1]
    floors = [BatchFloor(lengths[batch], embedding, hidden) for batch in chosen]
    trainer = new_trainer(recipe, material, compiled=None)
    seconds_of_steps(trainer, [chosen[0], chosen[-1]])  # to warm up
    steps, parts = [], []
    for _ in range(repeats):
        steps.append(sum(seconds_of_steps(trainer, chosen)) / len(chosen))
        parts.append(summed([floor.seconds() for floor in floors]))
    faster = faster_arrangements(parts)
    floor = [sum(part[group, name] for group, name in faster.items()) / len(chosen) for part in parts]
    section.add(f"floor, hidden {hidden}, ms a step", "ms", [1000 * value for value in floor])
    section.add(f"ours, hidden {hidden}, ms a step", "ms", [1000 * value for value in steps])
    own = [kernel_floor_seconds(lengths[batch], embedding, hidden) for batch in chosen for _ in range(repeats)]
    section.add(f"products by our own kernels, hidden {hidden}, ms", "ms", [1000 * value for value in own if value])
    work = sum(operations(lengths[batch], embedding, hidden) for batch in chosen) / len(chosen)
    section.add(f"floor, hidden {hidden}, GFLOP/s", "GFLOP/s", [work / value / 1e9 for value in floor])
    section.details[f"hidden {hidden}"] = {
        "arrangements": faster,
        "milliseconds_a_step": {
            f"{group}, {name}": round(1000 * float(np.median([part[group, name] for part in parts])) / len(chosen), 3)
            for group, name in parts[0]
        },
        "tokens": [int(lengths[batch].sum()) for batch in chosen],
        "longest": [int(lengths[batch].max()) for batch in chosen],
    }
    material.console.say(
        f"gemm_floor: hidden {hidden}: floor {1000 * np.median(floor):.1f} ms, step {1000 * np.median(steps):.1f} ms"
    )


def measure(material: Material, options: Options) -> Section:
    """Measure the share of the floor in our training step for each hidden size."""
    section = Section("gemm_floor", "Share of the matrix products in a training step")
    section.notes.extend(NOTES)
    for hidden in HIDDEN_SIZES[:1] if options.quick else HIDDEN_SIZES:
        with section.attempt(f"hidden {hidden}"):
            measure_size(section, material, hidden, 1 if options.quick else 3, options.repeats)
        section.find(
            f"share of the GEMM floor in a training step, hidden {hidden}",
            f"floor, hidden {hidden}, ms a step",
            f"ours, hidden {hidden}, ms a step",
            GOALS.get(hidden),
        )
    return section
