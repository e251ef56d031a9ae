"""Promise: a chunk's loss, gradients and last states are autograd's, on the kernels and on torch's GRU, dropout too."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pipeline.direction_networks import (
    BYTE_VALUES,
    CompiledDirectionNetwork,
    DirectionGradients,
    DirectionNetwork,
    StepWords,
    TorchDirectionNetwork,
    dropout_bytes,
)
from pipeline.kernel_library import BFLOAT16, FLOAT32, load_kernels
from pipeline.language_model import LanguageModel
from pipeline.review_streams import Chunk, ReviewStreams
from pipeline.sampled_softmax import WrongAnswers

VOCABULARY, SIZE, HIDDEN = 40, 20, 32
TORCH_PARTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
PATHS = ["torch", pytest.param("float32", marks=pytest.mark.skipif(load_kernels(FLOAT32) is None, reason="no kernels"))]
SEED = (3, 2, 7)


@dataclass
class Case:
    """A model, an epoch of text and the words of a step: all the vocabulary, each surely among the wrong answers."""

    model: LanguageModel
    reviews: list[np.ndarray]
    words: StepWords

    def streams(self, streams: int, chunk_length: int) -> ReviewStreams:
        order = np.arange(len(self.reviews))
        return ReviewStreams(self.reviews, order, streams=streams, chunk_length=chunk_length, reversed_in_time=False)

    def network(self, path: str, dropped: int = 0) -> DirectionNetwork:
        (gru, *_), (head, *_) = self.model.directions(), self.model.heads()
        if path == "torch":
            return TorchDirectionNetwork(gru, head, dropped)
        kernels = load_kernels({"float32": FLOAT32, "bfloat16": BFLOAT16}[path])
        assert kernels is not None
        return CompiledDirectionNetwork(gru, head, kernels, dropped)


def make_case(lengths: list[int]) -> Case:
    torch.manual_seed(len(lengths))
    model = LanguageModel(VOCABULARY, SIZE, HIDDEN, bidirectional=False)
    torch.nn.init.normal_(model.output_bias)
    generator = np.random.default_rng(len(lengths))
    reviews = [generator.integers(2, VOCABULARY, size=length).astype(np.int32) for length in lengths]
    everything = np.arange(VOCABULARY)
    words = StepWords(
        torch.from_numpy(everything),
        everything,
        model.embedding.weight.detach().clone(),
        model.output_bias.detach().clone(),
        WrongAnswers(everything, np.zeros(VOCABULARY, dtype=np.float32)),
    )
    return Case(model, reviews, words)


def autograd_of(case: Case, chunk: Chunk, carried: torch.Tensor, dropped: int) -> tuple[float, dict[str, torch.Tensor]]:
    """The sum of the losses and its gradients, segment by segment, over the whole vocabulary."""
    case.model.zero_grad()
    batch, (gru,) = chunk.batch, case.model.directions()
    random = dropout_bytes(SEED, len(batch.token_ids) * SIZE).reshape(-1, SIZE)
    mask = torch.from_numpy((random >= dropped) * (BYTE_VALUES / (BYTE_VALUES - dropped))).float()
    loss, last = torch.zeros(()), []
    for row, length in enumerate(batch.lengths):
        positions = torch.from_numpy(batch.offsets[:length].astype(np.int64) + row)
        token_ids = torch.from_numpy(batch.token_ids)[positions].long()
        entered = chunk.entered_from[row]
        initial = carried[entered] if entered >= 0 else torch.zeros(HIDDEN)
        states, _ = gru(case.model.embedding(token_ids) * mask[positions], initial[None])
        targets = torch.from_numpy(chunk.targets)[positions].long()
        loss = loss + F.cross_entropy(case.model.logits(states, 0), targets, reduction="sum")
        last.append(states[-1].detach())
    loss.backward()
    gradients = {name: gru.get_parameter(name).grad for name in TORCH_PARTS}
    gradients |= {"embedding": case.model.embedding.weight.grad, "bias": case.model.output_bias.grad}
    gradients |= {"projection": case.model.heads()[0].weight.grad, "last": torch.stack(last)}
    return loss.item(), gradients


def named(result: DirectionGradients) -> dict[str, torch.Tensor]:
    parts = dict(zip(TORCH_PARTS, result.of_gru, strict=True))
    parts |= {"embedding": result.of_rows, "bias": result.of_bias, "projection": result.of_projection}
    return parts | {"last": result.last_states}


def largest_error(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    assert found.keys() == expected.keys()
    assert all(found[name].dtype == torch.float32 and found[name].shape == expected[name].shape for name in found)
    return max(
        float((found[name] - expected[name]).abs().max() / expected[name].abs().max().clamp(min=1e-2))
        for name in expected
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dropped", [0, 64])
@settings(max_examples=10)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    streams=st.integers(1, 6),
    chunk_length=st.integers(1, 20),
)
def test_loss_gradients_and_last_states_are_autograds(
    path: str, dropped: int, lengths: list[int], streams: int, chunk_length: int
) -> None:
    case = make_case(lengths)
    epoch = case.streams(streams, chunk_length)
    chunk = epoch.chunk(epoch.chunks // 2)
    carried = torch.rand(streams, HIDDEN) * 2 - 1
    result = case.network(path, dropped)(chunk, carried, case.words, SEED)
    loss, expected = autograd_of(case, chunk, carried, dropped)
    assert result.loss == pytest.approx(loss, rel=1e-5)
    assert result.tokens == len(chunk.targets)
    assert largest_error(named(result), expected) < 1e-4


@pytest.mark.skipif(load_kernels(BFLOAT16) is None, reason="the processor has no bfloat16 products")
def test_bfloat16_is_near() -> None:
    case = make_case([30, 4, 25, 60, 1, 9, 40])
    chunk = case.streams(4, 32).chunk(1)
    carried = torch.rand(4, HIDDEN) * 2 - 1
    rough, exact = (case.network(path, 26)(chunk, carried, case.words, SEED) for path in ("bfloat16", "torch"))
    assert rough.loss == pytest.approx(exact.loss, rel=1e-2)
    assert largest_error(named(rough), named(exact)) < 5e-2


def test_the_softmax_of_an_accelerator_is_near_too() -> None:
    case = make_case([30, 4, 25, 60, 1, 9, 40])
    chunk = case.streams(4, 32).chunk(1)
    carried = torch.rand(4, HIDDEN) * 2 - 1
    network = case.network("torch", 26)
    assert isinstance(network, TorchDirectionNetwork)
    exact = network(chunk, carried, case.words, SEED)
    network.type = torch.bfloat16
    rough = network(chunk, carried, case.words, SEED)
    assert rough.loss != exact.loss
    assert rough.loss == pytest.approx(exact.loss, rel=1e-2)
    assert largest_error(named(rough), named(exact)) < 5e-2


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("streams", [1, 3])
def test_carried_states_end_where_a_whole_review_ends(path: str, streams: int) -> None:
    case = make_case([17, 1, 30, 8, 8, 25, 2, 40])
    (gru,), network, epoch = case.model.directions(), case.network(path), case.streams(streams, 7)
    carried = torch.zeros(streams, HIDDEN)
    ends: list[torch.Tensor] = []
    for index in range(epoch.chunks):
        chunk = epoch.chunk(index)
        result = network(chunk, carried, case.words, SEED)
        assert len(result.last_states) == len(chunk.carried_to)
        for row, stream in enumerate(chunk.carried_to):
            if chunk.targets[chunk.batch.last_positions()[row]] == 0:
                ends.append(result.last_states[row])
            if stream >= 0:
                carried[stream] = result.last_states[row]
    token_ids = torch.from_numpy(np.concatenate(case.reviews)).long()
    bounds = np.linspace(0, len(token_ids), streams + 1).astype(int)
    whole = []
    for start, end in zip(np.cumsum([0, *map(len, case.reviews)]), np.cumsum([*map(len, case.reviews)]), strict=False):
        first = max([start, *(bound for bound in bounds if start < bound < end)])  # where a stream's part begins
        with torch.no_grad():
            states, _ = gru(case.model.embedding(token_ids[first:end]))
        whole.append(states[-1])
    nearest = torch.cdist(torch.stack(whole), torch.stack(ends)).amin(dim=1)
    assert len(ends) == len(whole)
    assert nearest.max() < 1e-5
