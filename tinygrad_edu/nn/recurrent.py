"""Recurrent layers: RNN, LSTM and GRU over whole sequences, and their cells for single steps.

    RNN    h ← tanh(W_ih·x + b_ih + W_hh·h + b_hh)

    LSTM   i, f, o = σ(W·x + b + V·h + d)        input, forget and output gate, each with its own part of the weights
           n = tanh(W·x + b + V·h + d)           the proposed new content
           c ← f·c + i·n                         the cell state: forget some, add some
           h ← o·tanh(c)

    GRU    r, u = σ(W·x + b + V·h + d)           reset and update gate
           n = tanh(W·x + b + r·(V·h + d))       the proposed new state
           h ← (1 - u)·n + u·h

The loop over time stands in ops/recurrent.py, as one operation with its gradient.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from ..errors import DtypeError, ShapeError, describe
from ..ops.arranging import flip
from ..ops.creation import empty, tensor, zeros
from ..ops.dropout import dropout
from ..ops.joining import cat
from ..ops.recurrent import gru_cell, gru_steps, lstm_cell, lstm_steps, rnn_relu_cell, rnn_steps, rnn_tanh_cell
from ..ops.scatter import index_select
from ..ops.shape import clone, transpose, unsqueeze
from ..ops.splitting import unbind
from ..tensor import Tensor, wrap
from .init import draw_parameters
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence, with_padding, without_padding


# -- layers ----------------------------------------------------------------------------------------------------------
class RNNBase(Module):
    """What RNN, LSTM and GRU share, by which programs know them: layers on one another, and two directions.

    Layer k, in direction d, has weight_ih_lk (gates·hidden, inputs), weight_hh_lk (gates·hidden, hidden), bias_ih_lk and bias_hh_lk,
    with "_reverse" behind the name in the second direction; all start uniform in ±1/√hidden.
    """

    gates: ClassVar[int]  # how many blocks of weights
    states: ClassVar[int] = 1  # h, or h and c

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        for size in (input_size, hidden_size, num_layers):
            if not isinstance(size, int):
                raise TypeError(f"{name}: input_size, hidden_size and num_layers must be ints, not {size!r}.")
            if size <= 0:
                raise ValueError(f"{name}: input_size, hidden_size and num_layers must be above 0, not {size}.")
        if not isinstance(bias, bool) or not isinstance(batch_first, bool):
            raise TypeError(f"{name}: bias and batch_first must be True or False, not {bias!r} and {batch_first!r}.")
        if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout is a probability, in [0, 1]; it is {dropout!r}.")
        if dropout and num_layers == 1:
            warnings.warn(f"{name}: dropout acts between layers, and there is only one: it does nothing.", stacklevel=3)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first = bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bool(bidirectional)
        self._directions = ("", "_reverse") if bidirectional else ("",)
        blocks = self.gates * hidden_size
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else hidden_size * len(self._directions)
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (blocks, inputs), "weight_hh": (blocks, hidden_size)}
            shapes |= {"bias_ih": (blocks,), "bias_hh": (blocks,)} if bias else {}
            for direction in self._directions:
                for kind, shape in shapes.items():
                    setattr(self, f"{kind}_l{layer}{direction}", Parameter(empty(*shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from ±1/√hidden_size."""
        draw_parameters(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Does nothing: on a GPU, PyTorch would lay the weights out anew."""

    def _weights(self, layer: int, direction: str) -> tuple[Any, ...]:
        """weight_ih, weight_hh, bias_ih and bias_hh (None without biases) of one layer in one direction."""
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return tuple(getattr(self, f"{kind}_l{layer}{direction}", None) for kind in kinds)

    @property
    def _flat_weights_names(self) -> list[str]:  # PyTorch programs that initialise the weights read it
        return list(self._parameters)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, layer by layer and direction by direction."""
        pairs = [(layer, direction) for layer in range(self.num_layers) for direction in self._directions]
        return [[w for w in self._weights(*pair) if w is not None] for pair in pairs]

    def _steps(self, x: Tensor, states: tuple[Tensor, ...], weights: tuple[Any, ...], every: bool) -> tuple[Tensor, ...]:
        """One layer in one direction, from x (T, N, inputs) and the first states: each kind of state after all steps, (T, N, hidden),
        the outputs first; of the others the last alone, (1, N, hidden), unless `every`."""
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Run over a sequence; returns the last layer's outputs, and the last states of all layers.

        Args:
            input: (T, N, inputs), (N, T, inputs) with batch_first, (T, inputs) without a batch, or a PackedSequence.
            hx: the first states: (layers·directions, N, hidden), without a batch (layers·directions, hidden); zeros unless given.
                For an LSTM two of them, (h, c).
        """
        packed = input if isinstance(input, PackedSequence) else None
        batched = packed is not None or input.ndim == 3
        lengths = None
        if packed is not None:
            batch_sizes = packed.batch_sizes.numpy()
            lengths = (batch_sizes[:, None] > np.arange(batch_sizes[0])).sum(0)
            x = with_padding(packed.data, batch_sizes)
        elif batched:
            x = transpose(input, 0, 1) if self.batch_first else input
        else:
            x = input if input.ndim != 2 else unsqueeze(input, 1)
        self._check(x, input)
        first = self._first_states(x, hx, batched)
        if packed is not None and packed.sorted_indices is not None:
            first = [tuple(index_select(state, 0, packed.sorted_indices) for state in states) for states in first]

        x, last = self._through(x, first, lengths)

        if packed is not None:
            indices = packed.unsorted_indices
            last = last if indices is None else [index_select(state, 1, indices) for state in last]
            data = without_padding(x, batch_sizes)
            output: Any = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, indices)
        elif batched:
            output = transpose(x, 0, 1) if self.batch_first else x
        else:
            output, last = x[:, 0], [state[:, 0] for state in last]
        return output, last[0] if self.states == 1 else tuple(last)

    def _through(self, x: Tensor, first: list[tuple[Tensor, ...]], lengths: Any) -> tuple[Tensor, list[Tensor]]:
        """All layers over x (T, N, inputs), from the first states of each layer and direction: the outputs
        (T, N, directions·hidden) and the last states.

        What stands behind the end of a sequence does no harm: a later step cannot change an earlier one.
        """
        last: list[list[Tensor]] = [[] for _ in range(self.states)]  # h, and c, of each layer and direction
        given = iter(first)
        for layer in range(self.num_layers):
            outputs = []
            for direction in self._directions:
                forwards = x if not direction else _reversed(x, lengths)
                made = self._steps(forwards, next(given), self._weights(layer, direction), every=lengths is not None)
                for states, part in zip(last, made, strict=True):
                    states.append(_at_end(part, lengths))
                outputs.append(made[0] if not direction else _reversed(made[0], lengths))
            x = _joined(outputs, -1)
            if self.dropout and layer < self.num_layers - 1:
                x = dropout(x, self.dropout, self.training)
        # In memory of their own, which is not the outputs'.
        return x, [cat(states, 0) if len(states) > 1 else clone(states[0]) for states in last]

    # -- checks ----------------------------------------------------------------------------------------------------
    def _check(self, x: Tensor, given: Any) -> None:
        name = type(self).__name__
        if x.ndim != 3:
            raise ValueError(f"{name} takes inputs of 3 dims (or 2 without a batch), not {describe(given)}.")
        if x.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: the last dim of the input must be input_size = {self.input_size}; it is {describe(given)}."
            )
        if not x.shape[0]:
            raise ShapeError(f"{name} takes sequences of at least one step, not {describe(given)}.")
        dtype = self.weight_hh_l0.dtype
        if x.dtype != dtype:
            raise DtypeError(
                f"{name}: the input is {x.dtype} and the weights are {dtype}; convert with input.to({dtype}) or model.to({x.dtype})."
            )

    def _first_states(self, x: Tensor, hx: Any, batched: bool) -> list[tuple[Tensor, ...]]:
        """The states to start from, of each layer and direction, (N, hidden) each."""
        name = type(self).__name__
        shape = (self.num_layers * len(self._directions), x.shape[1], self.hidden_size)
        if hx is None:
            return [(wrap(np.zeros_like(x.array, shape=shape[1:])),) * self.states] * shape[0]
        given = list(hx) if self.states > 1 and not isinstance(hx, Tensor) else [hx]
        if len(given) != self.states:
            raise TypeError(f"{name}: the first states are two tensors, (h, c); {len(given)} given.")
        expected = shape if batched else (shape[0], shape[2])
        for state in given:
            if state.shape != expected:
                raise ShapeError(f"{name}: a first state must have shape {expected}, (layers·directions, batch, hidden) or "
                    f"(layers·directions, hidden) without a batch; it is {describe(state)}.")  # fmt: skip
        return list(zip(*(unbind(state if batched else unsqueeze(state, 1)) for state in given), strict=True))

    def extra_repr(self) -> str:
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False}
        shown = [f"{name}={getattr(self, name)}" for name, value in usual.items() if getattr(self, name) != value]
        return ", ".join([str(self.input_size), str(self.hidden_size), *shown])


def _reversed(x: Tensor, lengths: Any) -> Tensor:
    """Each sequence backwards in time; what is behind its length stays where it is."""
    if lengths is None:
        return flip(x, 0)
    steps = np.arange(x.shape[0])[:, None]
    steps = np.where(steps < lengths, lengths - 1 - steps, steps)
    return x[tensor(steps, device=x.device), tensor(np.arange(x.shape[1]), device=x.device)]


def _at_end(z: Tensor, lengths: Any) -> Tensor:
    """The last step of each sequence, (1, N, hidden)."""
    if lengths is None:
        return z[-1:] if z.shape[0] > 1 else z
    return z[tensor(lengths - 1, device=z.device), tensor(np.arange(z.shape[1]), device=z.device)][None]


def _joined(parts: list[Tensor], dim: int) -> Tensor:
    return cat(parts, dim) if len(parts) > 1 else parts[0]


class RNN(RNNBase):
    """h ← tanh(W_ih·x + b_ih + W_hh·h + b_hh), over a sequence; or with relu in place of tanh.

    Args:
        input_size, hidden_size: the sizes of x and h.
        num_layers: layers on one another: each takes the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        batch_first: sequences are (N, T, ...), not (T, N, ...).
        dropout: the probability with which outputs between layers are dropped while training.
        bidirectional: run a second time from the end to the beginning, and give both outputs side by side.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.RNN.html
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity = _known(nonlinearity, ValueError)

    def _steps(self, x: Tensor, states: tuple[Tensor, ...], weights: tuple[Any, ...], every: bool) -> tuple[Tensor, ...]:
        return (rnn_steps(x, *states, *weights, nonlinearity=self.nonlinearity),)


class LSTM(RNNBase):
    """Long short-term memory: a cell state that gates let in, keep and let out, over a sequence; see the file's first lines.

    Args:
        the same as for `RNN`, without nonlinearity; proj_size is not offered.

    Source: Hochreiter, Schmidhuber 1997; https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """

    gates, states = 4, 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if proj_size:
            raise NotImplementedError(
                f"LSTM: proj_size={proj_size} is not offered; leave it out, and put nn.Linear(hidden_size, proj_size) behind the LSTM."
            )
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.proj_size = 0

    def _steps(self, x: Tensor, states: tuple[Tensor, ...], weights: tuple[Any, ...], every: bool) -> tuple[Tensor, ...]:
        steps = x.shape[0]
        z = lstm_steps(x, *states, *weights, cells=steps if every else 1)
        return z[:steps], z[steps:]


class GRU(RNNBase):
    """Gated recurrent unit: gates decide how much of the state is replaced, over a sequence; see the file's first lines.

    Args:
        the same as for `RNN`, without nonlinearity.

    Source: Cho et al. 2014; https://pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """

    gates = 3

    def _steps(self, x: Tensor, states: tuple[Tensor, ...], weights: tuple[Any, ...], every: bool) -> tuple[Tensor, ...]:
        return (gru_steps(x, *states, *weights),)


def _known(nonlinearity: str, error: type[Exception]) -> str:
    if nonlinearity not in ("tanh", "relu"):
        raise error(f'nonlinearity must be "tanh" or "relu", not {nonlinearity!r}.')
    return nonlinearity


# -- cells -----------------------------------------------------------------------------------------------------------
class RNNCellBase(Module):
    """What the cells share, by which programs know them: weight_ih (gates·hidden, inputs), weight_hh (gates·hidden, hidden), bias_ih and bias_hh.

    All start uniform in ±1/√hidden.
    """

    gates: ClassVar[int]

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        blocks, where = self.gates * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty(blocks, input_size, **where))
        self.weight_hh = Parameter(empty(blocks, hidden_size, **where))
        self.bias_ih = Parameter(empty(blocks, **where)) if bias else None
        self.bias_hh = Parameter(empty(blocks, **where)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly from ±1/√hidden_size."""
        draw_parameters(self, self.hidden_size)

    def _state(self, input: Tensor, hx: Tensor | None) -> Tensor:
        """The state given, or zeros; the input is checked."""
        if input.ndim not in (1, 2):
            raise ValueError(f"{type(self).__name__} takes inputs of 2 dims (or 1 without a batch), not {describe(input)}.")
        if hx is None:
            return zeros(*input.shape[:-1], self.hidden_size, dtype=input.dtype, device=input.device)
        return hx

    def _weights(self) -> tuple[Any, ...]:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh

    def extra_repr(self) -> str:
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False") + (
            "" if nonlinearity == "tanh" else f", nonlinearity={nonlinearity}"
        )  # fmt: skip


class RNNCell(RNNCellBase):
    """One step: h ← tanh(W_ih·x + b_ih + W_hh·h + b_hh), or with relu in place of tanh.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.RNNCell.html
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = _known(nonlinearity, RuntimeError)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """input: (N, inputs) or (inputs,); hx: (N, hidden) or (hidden,), zeros unless given; returns the new state."""
        step = rnn_tanh_cell if self.nonlinearity == "tanh" else rnn_relu_cell
        return step(input, self._state(input, hx), *self._weights())


class LSTMCell(RNNCellBase):
    """One step of an LSTM: (h, c) ← (o·tanh(f·c + i·n), f·c + i·n); see the file's first lines.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html
    """

    gates = 4

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """input: (N, inputs) or (inputs,); hx: (h, c), each (N, hidden) or (hidden,), zeros unless given; returns the new (h, c)."""
        h, c = (None, None) if hx is None else hx
        return lstm_cell(input, (self._state(input, h), self._state(input, c)), *self._weights())


class GRUCell(RNNCellBase):
    """One step of a GRU: h ← (1 - u)·n + u·h; see the file's first lines.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.GRUCell.html
    """

    gates = 3

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """input: (N, inputs) or (inputs,); hx: (N, hidden) or (hidden,), zeros unless given; returns the new state."""
        return gru_cell(input, self._state(input, hx), *self._weights())
