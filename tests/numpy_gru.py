"""A GRU written from the published equations in NumPy, float64: the oracle for every faster one.

The equations, for one layer and one direction, with ``s`` the logistic function and ``*`` the element-wise product:

    r_t = s(W_r x_t + b_r + U_r h_{t-1} + c_r)                 reset gate
    z_t = s(W_z x_t + b_z + U_z h_{t-1} + c_z)                 update gate
    n_t = tanh(W_n x_t + b_n + U_n (r_t * h_{t-1}) + c_n)      candidate, reset BEFORE the recurrent product
    n_t = tanh(W_n x_t + b_n + r_t * (U_n h_{t-1} + c_n))      candidate, reset AFTER the recurrent product

The publications differ in what the update gate keeps:

    h_t = z_t * h_{t-1} + (1 - z_t) * n_t      z KEEPS the old state      Cho et al. 2014 (arXiv:1406.1078)
    h_t = (1 - z_t) * h_{t-1} + z_t * n_t      z TAKES the candidate      Chung et al. 2014 (arXiv:1412.3555)

Both put the reset gate inside the recurrent product ("before"). ``torch.nn.GRU`` and cuDNN put it after, so that the
three recurrent products are one matrix product, and let z keep the old state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Reset(Enum):
    """Where the reset gate acts in the candidate."""

    BEFORE = "inside the recurrent product"
    AFTER = "on the result of the recurrent product"


class Update(Enum):
    """What an update gate of 1 means."""

    KEEPS_STATE = "h = z * h + (1 - z) * n"
    TAKES_CANDIDATE = "h = (1 - z) * h + z * n"


@dataclass(frozen=True)
class Gate:
    """The affine map of one gate: D inputs, H units."""

    input_weight: Array  # (H, D)
    state_weight: Array  # (H, H)
    input_bias: Array  # (H,)
    state_bias: Array  # (H,)

    def from_input(self, x: Array) -> Array:
        """Return W x + b for x of shape (B, D)."""
        return x @ self.input_weight.T + self.input_bias  # (B, H)

    def from_state(self, h: Array) -> Array:
        """Return U h + c for h of shape (B, H)."""
        return h @ self.state_weight.T + self.state_bias  # (B, H)

    def negated(self) -> Gate:
        """Return the gate whose activation before the logistic function has the other sign."""
        return Gate(-self.input_weight, -self.state_weight, -self.input_bias, -self.state_bias)


@dataclass(frozen=True)
class GRULayer:
    """One layer in one direction."""

    reset: Gate
    update: Gate
    candidate: Gate
    reset_convention: Reset = Reset.AFTER
    update_convention: Update = Update.KEEPS_STATE

    @property
    def hidden_size(self) -> int:
        """The number of units H."""
        return int(self.reset.input_bias.shape[0])

    def step(self, x: Array, h: Array) -> Array:
        """Return the next state (B, H) from the input (B, D) and the state (B, H)."""
        r = logistic(self.reset.from_input(x) + self.reset.from_state(h))
        z = logistic(self.update.from_input(x) + self.update.from_state(h))
        if self.reset_convention is Reset.BEFORE:
            recurrent = self.candidate.from_state(r * h)
        else:
            recurrent = r * self.candidate.from_state(h)
        n = np.tanh(self.candidate.from_input(x) + recurrent)
        if self.update_convention is Update.KEEPS_STATE:
            return z * h + (1.0 - z) * n
        return (1.0 - z) * h + z * n

    def forward(self, x: Array, initial: Array | None = None) -> Array:
        """Return the states (B, T, H) for inputs (B, T, D); the first state is zero unless given."""
        batch, steps, _ = x.shape
        h = np.zeros((batch, self.hidden_size)) if initial is None else initial
        states = np.empty((batch, steps, self.hidden_size))
        for t in range(steps):
            h = self.step(x[:, t], h)
            states[:, t] = h
        return states

    def with_other_update_convention(self) -> GRULayer:
        """Return the layer that computes the same under the other convention: s(-a) = 1 - s(a)."""
        other = Update.TAKES_CANDIDATE if self.update_convention is Update.KEEPS_STATE else Update.KEEPS_STATE
        return replace(self, update=self.update.negated(), update_convention=other)


def logistic(a: Array) -> Array:
    """Return 1 / (1 + exp(-a)), by way of tanh, which never overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * a))


def layer_from_torch(weights: dict[str, Array], suffix: str = "_l0") -> GRULayer:
    """Return the layer that computes what ``torch.nn.GRU`` computes.

    Args:
        weights: the state dict of the ``nn.GRU`` as float64 arrays: ``weight_ih`` (3H, D), ``weight_hh`` (3H, H),
            ``bias_ih`` and ``bias_hh`` (3H,), each with the suffix; rows 0..H-1 are the reset gate's, H..2H-1 the
            update gate's, 2H..3H-1 the candidate's. Biases may be missing (``bias=False``).
        suffix: ``_l0``, ``_l1``, ...; ``_l0_reverse`` for the backward direction.
    """
    input_weights = np.split(weights[f"weight_ih{suffix}"], 3)
    state_weights = np.split(weights[f"weight_hh{suffix}"], 3)
    no_bias = np.zeros(3 * state_weights[0].shape[0])
    input_biases = np.split(weights.get(f"bias_ih{suffix}", no_bias), 3)
    state_biases = np.split(weights.get(f"bias_hh{suffix}", no_bias), 3)
    reset, update, candidate = (
        Gate(*parts) for parts in zip(input_weights, state_weights, input_biases, state_biases, strict=True)
    )
    return GRULayer(reset, update, candidate, Reset.AFTER, Update.KEEPS_STATE)


def bidirectional(forward: GRULayer, backward: GRULayer, x: Array, lengths: npt.NDArray[np.int64]) -> Array:
    """Return the states (B, T, 2H) of both directions for post-padded sequences; zero on the padding.

    Each sequence is run by itself and without its padding, so nothing can leak from the one or the other.
    """
    batch, steps, _ = x.shape
    states = np.zeros((batch, steps, forward.hidden_size + backward.hidden_size))
    for row, length in enumerate(lengths):
        sequence = x[row : row + 1, :length]
        ahead = forward.forward(sequence)
        back = backward.forward(sequence[:, ::-1])[:, ::-1]
        states[row, :length] = np.concatenate([ahead, back], axis=2)[0]
    return states
