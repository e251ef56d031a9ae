"""The compiled kernels against torch: values and every gradient, in float64, for ragged batches of any shape."""

from __future__ import annotations

import ctypes
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import kernel_library
from pipeline.compiled_embedding import CompiledEmbedding, seen_words
from pipeline.compiled_gru import CompiledGRU, DirectionWeights
from pipeline.compiled_pooling import AttentionWeights, CompiledPooling, Summaries
from pipeline.config import ModelSettings
from pipeline.kernel_library import BFLOAT16, FLOAT32, FLOAT64, Kernels, StoredKind, find_compiler, load_kernels
from pipeline.model import SentimentClassifier
from pipeline.padding import pad
from pipeline.time_major import time_major
from pipeline.workspace import Workspace

pytestmark = pytest.mark.skipif(load_kernels() is None, reason=f"no kernels: {kernel_library.kernel_problem()}")
needs_bfloat16 = pytest.mark.skipif(load_kernels(BFLOAT16) is None, reason="the processor has no bfloat16 products")

VOCABULARY = 40
GRADIENT_PARTS = ("of_input", "recurrent", "input_bias", "recurrent_bias")
TORCH_PARTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


@dataclass
class Case:
    """One batch through torch: what the kernels must give too."""

    classifier: SentimentClassifier
    sequences: list[np.ndarray]
    pooled: np.ndarray
    gradient: np.ndarray


def torch_case(hidden: int, size: int, lengths: list[int], layers: int, bidirectional: bool, seed: int) -> Case:
    torch.manual_seed(seed)
    model = ModelSettings(
        hidden_size=hidden,
        layers=layers,
        bidirectional=bidirectional,
        pooling=("max", "mean", "attention"),
        embedding_dropout=0.0,
        output_dropout=0.0,
    )
    classifier = SentimentClassifier(VOCABULARY, size, model).to(torch.float64)
    generator = np.random.default_rng(seed)
    sequences = [generator.integers(2, VOCABULARY, size=length).astype(np.int32) for length in lengths]
    token_ids, padded_lengths = pad(sequences)
    states = classifier.embedding(token_ids)
    for layer in classifier.layers:
        states = layer(states, padded_lengths)
    pooled = classifier.pooled(states, padded_lengths)
    gradient = torch.from_numpy(generator.normal(size=tuple(pooled.shape)))
    (pooled * gradient).sum().backward()
    return Case(classifier, sequences, pooled.detach().numpy(), gradient.numpy())


def compiled_results(
    case: Case, kind: StoredKind, threads: int, kernels: Kernels | None = None
) -> dict[str, np.ndarray]:
    """The pooled states, longest review first, and every gradient, by name."""
    kernels = kernels or load_kernels(kind)
    assert kernels is not None
    workspace = Workspace()
    batch = time_major(case.sequences)
    seen = seen_words(batch.token_ids)

    def numbers(tensor: torch.Tensor) -> np.ndarray:
        return np.ascontiguousarray(tensor.detach().numpy(), dtype=kind.sums)

    no_dropout = np.zeros(1, dtype=np.uint8)
    embedding = CompiledEmbedding(kernels, workspace, threads)
    table = numbers(case.classifier.embedding.weight)[seen.token_ids]
    states = embedding.forward(table, seen.rows, no_dropout, 0)
    layers = []
    for index, layer in enumerate(case.classifier.layers):
        directions = [gru for gru in (layer.forward_gru, layer.backward_gru) if gru is not None]
        weights = [DirectionWeights(*(numbers(getattr(gru, part)) for part in TORCH_PARTS)) for gru in directions]
        layers.append(CompiledGRU(kernels, weights, workspace, str(index), threads))
        states = layers[-1].forward(batch, states, training=True)
    projection, _, vector = case.classifier.pooled.attention
    attention = AttentionWeights(numbers(projection.weight), numbers(projection.bias), numbers(vector.weight).ravel())
    pooling = CompiledPooling(kernels, attention, workspace, threads)
    summaries = pooling.forward(batch, states, training=True)
    results = {"pooled": np.concatenate([summaries.maximum, summaries.mean, summaries.attended], axis=1)}
    size = states.shape[1]
    given_gradient = case.gradient[batch.order].astype(kind.sums)
    parts = [np.ascontiguousarray(given_gradient[:, size * i : size * (i + 1)]) for i in range(3)]
    gradients, of_attention = pooling.backward(Summaries(*parts))
    assert of_attention is not None
    results |= {"projection": of_attention.projection, "bias": of_attention.bias, "vector": of_attention.vector}
    for index in reversed(range(len(layers))):
        gradients, of_weights = layers[index].backward(gradients)
        for direction, weights in enumerate(of_weights):
            for part in GRADIENT_PARTS:
                results[f"{index} {direction} {part}"] = getattr(weights, part)
    rows = embedding.backward(gradients, seen, no_dropout, 0, table.shape[1])
    results["embedding"] = np.zeros((VOCABULARY, table.shape[1]))
    results["embedding"][seen.token_ids] = rows
    return results


def torch_results(case: Case) -> dict[str, np.ndarray]:
    order = np.argsort([-len(sequence) for sequence in case.sequences], kind="stable")
    projection, _, vector = case.classifier.pooled.attention
    tensors = {
        "projection": projection.weight.grad,
        "bias": projection.bias.grad,
        "vector": vector.weight.grad.ravel(),
        "embedding": case.classifier.embedding.weight.grad,
    }
    for index, layer in enumerate(case.classifier.layers):
        for direction, gru in enumerate((layer.forward_gru, layer.backward_gru)):
            for part, name in zip(GRADIENT_PARTS, TORCH_PARTS, strict=True):
                if gru is not None:
                    tensors[f"{index} {direction} {part}"] = getattr(gru, name).grad
    return {"pooled": case.pooled[order], **{name: tensor.numpy() for name, tensor in tensors.items()}}


def largest_error(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    """The largest difference of any result, as a share of that result's largest entry."""
    assert ours.keys() == theirs.keys()
    return max(
        float(np.abs(ours[name] - theirs[name]).max() / max(np.abs(theirs[name]).max(), 1e-2)) for name in theirs
    )


@settings(max_examples=25)
@given(
    hidden=st.sampled_from([16, 32, 48, 80]),
    size=st.integers(1, 40),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=80),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
    threads=st.integers(1, 3),
)
def test_values_and_gradients_are_those_of_torch_in_float64(
    hidden: int, size: int, lengths: list[int], layers: int, bidirectional: bool, threads: int
) -> None:
    case = torch_case(hidden, size, lengths, layers, bidirectional, seed=len(lengths))
    assert largest_error(compiled_results(case, FLOAT64, threads), torch_results(case)) < 1e-9


def test_float32_is_as_exact_as_float32_allows() -> None:
    case = torch_case(64, 50, [40, 3, 17, 90, 1, 60], 1, True, seed=3)
    assert largest_error(compiled_results(case, FLOAT32, 2), torch_results(case)) < 1e-4


@settings(max_examples=25)
@given(
    hidden=st.sampled_from([16, 32, 48]),
    size=st.sampled_from([16, 32]),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=80),
    threads=st.integers(1, 3),
    rows_per_task=st.sampled_from([5, 64, 256]),
)
def test_states_before_the_first_tokens_are_those_of_torch_in_float64(
    hidden: int, size: int, lengths: list[int], threads: int, rows_per_task: int
) -> None:
    kernels = load_kernels(FLOAT64)
    assert kernels is not None
    lengths = sorted(lengths, reverse=True)
    batch = time_major([np.full(length, 2, dtype=np.int32) for length in lengths])
    generator = np.random.default_rng(len(lengths))
    inputs, initial = generator.normal(size=(sum(lengths), size)), generator.normal(size=(2, len(lengths), hidden))
    gradient = generator.normal(size=(sum(lengths), 2 * hidden))
    torch.manual_seed(len(lengths))
    gru = torch.nn.GRU(size, hidden, bidirectional=True, dtype=torch.float64)
    leaf = torch.from_numpy(inputs).requires_grad_()
    counts = torch.from_numpy(np.diff(batch.offsets).astype(np.int64))
    states, _ = gru(torch.nn.utils.rnn.PackedSequence(leaf, counts), torch.from_numpy(initial))
    states.data.backward(torch.from_numpy(gradient))
    names = [[f"{part}{suffix}" for part in TORCH_PARTS] for suffix in ("", "_reverse")]
    weights = [DirectionWeights(*(gru.get_parameter(name).detach().numpy() for name in part)) for part in names]
    layer = CompiledGRU(kernels, weights, Workspace(), "layer", threads, rows_per_task)
    ours = layer.forward(batch, inputs, training=True, initial=list(initial))
    assert largest_error({"states": ours}, {"states": states.data.detach().numpy()}) < 1e-9
    of_inputs, of_weights = layer.backward(gradient)
    assert largest_error({"inputs": of_inputs}, {"inputs": leaf.grad.numpy()}) < 1e-9
    for part, of_direction in zip(names, of_weights, strict=True):
        expected = {name: gru.get_parameter(name).grad.numpy() for name in part}
        found = [getattr(of_direction, name) for name in GRADIENT_PARTS]
        assert largest_error(dict(zip(part, found, strict=True)), expected) < 1e-9


@needs_bfloat16
def test_bfloat16_is_near_but_for_ties_of_the_maximum() -> None:
    case = torch_case(64, 50, [40, 3, 17, 90, 1, 60], 1, True, seed=3)
    size = case.pooled.shape[1] // 3
    case.gradient[:, :size] = 0  # rounded states tie, so that the maximum's gradient may go to another token
    for weight in case.classifier.parameters():
        weight.grad = None
    token_ids, lengths = pad(case.sequences)
    states = case.classifier.layers[0](case.classifier.embedding(token_ids), lengths)
    (case.classifier.pooled(states, lengths) * torch.from_numpy(case.gradient)).sum().backward()
    assert largest_error(compiled_results(case, BFLOAT16, 2), torch_results(case)) < 3e-2


@pytest.mark.parametrize("kind", [FLOAT32, FLOAT64, pytest.param(BFLOAT16, marks=needs_bfloat16)])
def test_threads_change_no_bit(kind: StoredKind) -> None:
    case = torch_case(48, 20, list(range(1, 150)), 1, True, seed=5)
    one, three = compiled_results(case, kind, 1), compiled_results(case, kind, 3)
    assert all(np.array_equal(one[name], three[name]) for name in one)


def test_embedding_dropout_keeps_the_scale_and_matches_its_gradient() -> None:
    kernels = load_kernels(FLOAT64)
    assert kernels is not None
    generator = np.random.default_rng(0)
    token_ids = generator.integers(0, 30, size=500).astype(np.int32)
    seen = seen_words(token_ids)
    table = generator.normal(size=(len(seen.token_ids), 20))
    random = generator.integers(0, 256, size=500 * 20, dtype=np.uint8)
    embedding = CompiledEmbedding(kernels, Workspace(), 2)
    mask = (random.reshape(500, 20) >= 64) * (256 / 192)
    embedded = embedding.forward(table, seen.rows, random, 64)
    assert np.allclose(embedded[:, :20], table[seen.rows] * mask, rtol=0, atol=1e-15)
    assert not embedded[:, 20:].any()
    gradients = np.ascontiguousarray(generator.normal(size=(500, 32)))
    expected = np.zeros_like(table)
    np.add.at(expected, seen.rows, gradients[:, :20] * mask)
    assert np.allclose(embedding.backward(gradients, seen, random, 64, 20), expected, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the flag is for x86-64")
@pytest.mark.skipif(find_compiler() is None, reason="no C++ compiler")
def test_a_processor_without_avx512_gets_the_same_results(tmp_path: Path) -> None:
    compiler = find_compiler()
    assert compiler is not None
    path = tmp_path / "kernels.so"
    source = kernel_library.SOURCE_FOLDER / kernel_library.MAIN_SOURCE
    threading = kernel_library.THREADING_FLAGS[0]
    command = [*compiler, *kernel_library.FLAGS, "-march=haswell", *threading, str(source), "-o", str(path)]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(path))
    assert library.kernels_are_fast()
    assert not library.kernels_have_bfloat16()
    for hidden, layers, bidirectional in [(16, 1, False), (48, 2, True), (80, 1, True)]:
        case = torch_case(hidden, 21, [40, 3, 17, 30, 1, 22, *range(1, 70)], layers, bidirectional, seed=hidden)
        expected = torch_results(case)
        for kind, bound in [(FLOAT64, 1e-9), (FLOAT32, 1e-4)]:
            kernels = Kernels(library, kind)
            one, three = (compiled_results(case, kind, threads, kernels) for threads in (1, 3))
            assert largest_error(one, expected) < bound
            assert all(np.array_equal(one[name], three[name]) for name in one)
            assert not Kernels(library, kind).has_int8
    with torch.no_grad():
        case.classifier.layers[0].forward_gru.weight_hh_l0[0, 0] = torch.nan
    for kind in (FLOAT64, FLOAT32):
        pooled = compiled_results(case, kind, 1, Kernels(library, kind))["pooled"].reshape(-1, 3, 2, 80)
        assert np.isnan(pooled[:, :2, 0, 0]).all()  # maximum and mean of the unit
        assert np.isnan(pooled[:, 2]).all()  # attention reads all units
        assert not np.isnan(pooled[:, :2, 1]).any()  # the other direction
