"""Promises: the GRU equals a packed one; padding and neighbours change nothing; gradients too."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pipeline.config import ModelSettings, Pooling
from pipeline.gru import GRULayer, reverse_within_length
from pipeline.model import SentimentClassifier
from pipeline.padding import pad

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=5)


def packed_states(layer: GRULayer, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the states of torch's own bidirectional GRU, packed, with the layer's weights."""
    assert layer.backward_gru is not None
    reference = nn.GRU(inputs.shape[2], layer.forward_gru.hidden_size, batch_first=True, bidirectional=True).double()
    weights = dict(layer.forward_gru.named_parameters())
    weights |= {f"{name}_reverse": weight for name, weight in layer.backward_gru.named_parameters()}
    reference.load_state_dict(weights)
    packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)[0]


@settings(deadline=None)
@given(LENGTHS, st.integers(0, 100))
def test_states_equal_those_of_a_packed_gru(lengths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    layer = GRULayer(3, 4, bidirectional=True).double()
    real_lengths = torch.tensor(lengths)
    inputs = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    mask = torch.arange(max(lengths)) < real_lengths[:, None]
    states = layer(inputs, real_lengths)
    expected = packed_states(layer, inputs, real_lengths)
    torch.testing.assert_close(states[mask], expected[mask], rtol=0, atol=1e-12)


@given(LENGTHS)
def test_reversal_is_its_own_inverse_and_leaves_padding(lengths: list[int]) -> None:
    inputs = torch.arange(len(lengths) * 12.0).reshape(len(lengths), 12, 1)
    once = reverse_within_length(inputs, torch.tensor(lengths))
    assert torch.equal(reverse_within_length(once, torch.tensor(lengths)), inputs)
    for row, length in enumerate(lengths):
        assert once[row, :length].flatten().tolist() == inputs[row, :length].flip(0).flatten().tolist()
        assert torch.equal(once[row, length:], inputs[row, length:])


def make_classifier(pooling: tuple[Pooling, ...], bidirectional: bool) -> SentimentClassifier:
    torch.manual_seed(0)
    shape = ModelSettings(hidden_size=5, layers=2, bidirectional=bidirectional, pooling=pooling)
    return SentimentClassifier(30, 4, shape).double().eval()


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("pooling", [("last",), ("max",), ("mean",), ("attention",), ("max", "mean", "attention")])
def test_padding_and_neighbours_change_nothing(pooling: tuple[Pooling, ...], bidirectional: bool) -> None:
    classifier = make_classifier(pooling, bidirectional)
    sequences = [torch.randint(1, 30, (length,)).int().numpy() for length in (1, 4, 9, 20)]
    token_ids, lengths = pad(sequences)
    together = classifier(token_ids, lengths)
    alone = torch.cat([classifier(*pad([sequence])) for sequence in sequences])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(classifier(token_ids[order], lengths[order]), together[order], rtol=0, atol=1e-12)


def test_padding_gets_no_gradient_and_gives_none() -> None:
    classifier = make_classifier(("max", "mean", "attention"), bidirectional=True)
    sequences = [torch.randint(1, 30, (length,)).int().numpy() for length in (2, 15)]
    gradients = []
    for batch in ([sequences[0]], sequences):
        classifier.zero_grad()
        classifier(*pad(batch))[0].backward()
        gradients.append([weight.grad.clone() for weight in classifier.parameters() if weight.grad is not None])
    for alone, with_neighbour in zip(*gradients, strict=True):
        torch.testing.assert_close(alone, with_neighbour, rtol=0, atol=1e-12)
    assert classifier.embedding.weight.grad is not None
    assert torch.count_nonzero(classifier.embedding.weight.grad[0]) == 0


def test_the_textbook_recipe_sees_padding_in_training_only() -> None:
    torch.manual_seed(0)
    shape = ModelSettings(
        hidden_size=5,
        bidirectional=False,
        pooling=("last",),
        masked_in_training=False,
        embedding_dropout=0.0,
        output_dropout=0.0,
    )
    classifier = SentimentClassifier(30, 4, shape)
    sequences = [torch.randint(1, 30, (length,)).int().numpy() for length in (2, 9)]
    short_alone, short_padded = pad(sequences[:1]), pad(sequences)
    classifier.eval()
    torch.testing.assert_close(classifier(*short_alone)[0], classifier(*short_padded)[0])
    classifier.train()
    assert (classifier(*short_alone)[0] - classifier(*short_padded)[0]).abs() > 1e-4


def test_dropout_acts_in_training_only() -> None:
    classifier = SentimentClassifier(30, 4, ModelSettings(hidden_size=5, word_dropout=0.3))
    batch = pad([torch.randint(1, 30, (9,)).int().numpy()])
    classifier.train()
    assert classifier(*batch) != classifier(*batch)
    classifier.eval()
    assert classifier(*batch) == classifier(*batch)
