"""Recurrent networks: each step makes a new state from the input of its time and the state that the step before left.

An operation here is one layer run over a whole sequence, so that its rule is backpropagation through time, written out. What does
not depend on the step before is done for all steps at once: the product of the inputs and their weights before the operation,
the slopes of all gates before the loop of the rule, and the gradient of the weights after it.

Besides the state, a result holds what the gates were, side by side in its last dim, for whoever wants to look, and for the rule:

    rnn_steps     h                     h  the hidden state, which is also the output
    lstm_steps    h  c  i  f  n  o      c  the cell state;  i, f, o  input, forget and output gate;  n  the proposed new content
    gru_steps     h  r  u  n  s         r, u  reset and update gate;  n  the proposed new state;  s  the state's share of it

Sources: Elman 1990 (RNN); Hochreiter, Schmidhuber 1997 and Gers et al. 1999 (LSTM); Cho et al. 2014 (GRU).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, describe
from ..op import op
from .arithmetic import add
from .elementwise import tanh
from .joining import _cat, cat, stack
from .products import flat, linear, sum_rows
from .shape import reshape
from .splitting import split

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]


# -- what the rules share --------------------------------------------------------------------------------------------
def _blocks(z: Any, width: int) -> tuple[Any, ...]:
    """The blocks of `width` numbers side by side in the last dim."""
    return tuple(z[..., start : start + width] for start in range(0, z.shape[-1], width))


def _before(first: Any, states: Any) -> Any:
    """The state before each step, from the first state and the states after the steps."""
    return cat((first[None], states[:-1]))


def _over_time(steps: list[Any]) -> Any:
    """What a loop back through time found, in the order of time."""
    return stack(steps[::-1])


# -- RNN -------------------------------------------------------------------------------------------------------------
def _rnn_gradients(g: Any, z: Any, x: Any, h: Any, weight: Any, nonlinearity: str) -> list[Any]:
    slope = 1 - z * z if nonlinearity == "tanh" else z > 0
    back, steps = 0, []
    for t in reversed(range(z.shape[0])):
        step = (g[t] + back) * slope[t]
        back = step @ weight
        steps.append(step)
    dx = _over_time(steps)
    return [dx, back, flat(dx).T @ flat(_before(h, z))]


@op(dtype="same", joint=_rnn_gradients)
def rnn_steps(x: Any, h: Any, weight: Any, *, nonlinearity: str = "tanh") -> Any:
    """Run a simple recurrent layer over a sequence; the gradient of a step reaches all steps before it through the weights.

    z[t] = tanh(x[t] + weight·z[t-1]) with z[-1] = h;  ∂x[t] = (1 - z[t]²)·(g[t] + weightᵀ·∂x[t+1]);  ∂h = weightᵀ·∂x[0];
    ∂weight = Σ ∂x[t]·z[t-1]ᵀ

    Args:
        x: (T, N, H), the inputs already multiplied by their weights, with the biases.
        h: (N, H), the first state.
        weight: (H, H).
        nonlinearity: "tanh", or "relu" in its place (with slope 1 where z > 0, else 0).
    """
    z = np.empty_like(x)
    for t in range(len(x)):
        a = x[t] + h.dot(weight.T)
        h = z[t] = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0)
    return z


# -- LSTM ------------------------------------------------------------------------------------------------------------
def _lstm_gradients(g: Any, z: Any, x: Any, h: Any, c: Any, weight: Any) -> list[Any]:
    width = h.shape[-1]
    hidden, cell, i, f, n, o = _blocks(z, width)
    into_hidden, into_cell, *_ = _blocks(g, width)
    bent = tanh(cell)
    through = o * (1 - bent * bent)  # from the hidden state to the cell
    slopes = cat((i * (1 - i), f * (1 - f), 1 - n * n, o * (1 - o)), -1)
    # from the cell to the first three gates, from the hidden state to the last
    reach = slopes * cat((n, _before(c, cell), i, bent), -1)
    direct = slopes * g[..., 2 * width :]
    back_h, back_c, steps = 0, 0, []
    for t in reversed(range(z.shape[0])):
        gh = into_hidden[t] + back_h
        gc = into_cell[t] + back_c + gh * through[t]
        step = _cat(gc, gc, gc, gh, dim=1) * reach[t] + direct[t]
        back_h, back_c = step @ weight, gc * f[t]
        steps.append(step)
    dx = _over_time(steps)
    return [dx, back_h, back_c, flat(dx).T @ flat(_before(h, hidden))]


@op(dtype="same", joint=_lstm_gradients)
def lstm_steps(x: Any, h: Any, c: Any, weight: Any) -> Any:
    """Run an LSTM layer over a sequence. Where the forget gate is open, the gradient passes from cell state to cell state without
    being multiplied by any weights: that is why an LSTM remembers longer.

    z[t] = (h, c, i, f, n, o) with (i, f, n, o) = (σ, σ, tanh, σ)(x[t] + weight·h[t-1]), c = f·c[t-1] + i·n, h = o·tanh(c);
    ∂c = g_c + ∂h·o·(1 - tanh²c) + f[t+1]·∂c[t+1], ∂h = g_h + weightᵀ·∂x[t+1], ∂x[t] = (∂c·n, ∂c·c[t-1], ∂c·i, ∂h·tanh c)·slopes;
    ∂weight = Σ ∂x[t]·h[t-1]ᵀ

    Args:
        x: (T, N, 4H), the inputs already multiplied by their weights, with the biases.
        h, c: (N, H), the first states.
        weight: (4H, H).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    width = h.shape[-1]
    z = np.empty_like(x, shape=(*x.shape[:2], 6 * width))
    hidden, cell, i, f, n, o = _blocks(z, width)
    gates = z[..., 2 * width :]
    # One tanh serves all gates, because σ(a) = tanh(a/2)/2 + 1/2: scaled by 1/2 before and after for i, f and o, by 1 for n.
    scale = np.full_like(x, 0.5, shape=(4 * width,))
    scale[2 * width : 3 * width] = 1
    shift = 1 - scale
    x, weight = x * scale, weight.T * scale
    for t in range(len(x)):
        a = h.dot(weight)
        a += x[t]
        np.tanh(a, out=a)
        a *= scale
        np.add(a, shift, out=gates[t])
        c = cell[t] = f[t] * c + i[t] * n[t]
        h = hidden[t] = o[t] * np.tanh(c)
    return z


# -- GRU -------------------------------------------------------------------------------------------------------------
def _gru_gradients(g: Any, z: Any, x: Any, h: Any, weight: Any, bias: Any) -> list[Any]:
    width = h.shape[-1]
    hidden, r, u, n, s = _blocks(z, width)
    into_hidden, into_r, into_u, into_n, into_s = _blocks(g, width)
    before = _before(h, hidden)
    slope = 1 - n * n
    to_n, direct_n = (1 - u) * slope, into_n * slope
    reach = cat((to_n * s * r * (1 - r), (before - n) * u * (1 - u), to_n * r), -1)  # from the state to what the weights gave
    direct = cat(((direct_n * s + into_r) * r * (1 - r), into_u * u * (1 - u), direct_n * r + into_s), -1)
    back, totals, steps = 0, [], []
    for t in reversed(range(z.shape[0])):
        gh = into_hidden[t] + back
        step = _cat(gh, gh, gh, dim=1) * reach[t] + direct[t]
        back = gh * u[t] + step @ weight
        totals.append(gh)
        steps.append(step)
    da = _over_time(steps)
    dx = cat((da[..., : 2 * width], _over_time(totals) * to_n + direct_n), -1)
    return [dx, back, flat(da).T @ flat(before), sum_rows(da)]


@op(dtype="same", joint=_gru_gradients)
def gru_steps(x: Any, h: Any, weight: Any, bias: Any = None) -> Any:
    """Run a GRU layer over a sequence. Where the update gate is open, the state and its gradient pass as they are.

    z[t] = (h, r, u, n, s) with (a_r, a_u, s) = weight·h[t-1] + bias, r = σ(x_r + a_r), u = σ(x_u + a_u), n = tanh(x_n + r·s),
    h = (1 - u)·n + u·h[t-1];
    ∂h = g_h + u[t+1]·∂h[t+1] + weightᵀ·∂a[t+1], ∂x_n = ∂h·(1 - u)·(1 - n²), ∂a = (∂x_n·s·r·(1 - r), ∂h·(h[t-1] - n)·u·(1 - u), ∂x_n·r);
    ∂weight = Σ ∂a[t]·h[t-1]ᵀ;  ∂bias = Σ ∂a[t]

    Args:
        x: (T, N, 3H), the inputs already multiplied by their weights, with their bias.
        h: (N, H), the first state.
        weight: (3H, H).
        bias: (3H,) or None.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """
    width = h.shape[-1]
    z = np.empty_like(x, shape=(*x.shape[:2], 5 * width))
    hidden, r, u, n, s = _blocks(z, width)
    gates = z[..., width : 3 * width]
    x_gates, x_new = x[..., : 2 * width], x[..., 2 * width :]
    for t in range(len(x)):
        a = h.dot(weight.T)
        if bias is not None:
            a += bias
        gates[t] = 0.5 * np.tanh(0.5 * (x_gates[t] + a[:, : 2 * width])) + 0.5  # σ
        s[t] = a[:, 2 * width :]
        new = n[t] = np.tanh(x_new[t] + r[t] * s[t])
        h = hidden[t] = new + u[t] * (h - new)
    return z


# -- one step --------------------------------------------------------------------------------------------------------
def _checked(name: str, blocks: int, x: Any, states: Any, w_ih: Any, w_hh: Any) -> None:
    """Refuse sizes that do not fit, for one step of a network with that many blocks of weights."""
    width = w_hh.shape[-1]
    for state in states:
        if state.shape != (*x.shape[:-1], width):
            raise ShapeError(
                f"{name}: for an input {describe(x)} a state must have shape {(*x.shape[:-1], width)}; it is {describe(state)}."
            )
    if w_hh.shape != (blocks * width, width) or w_ih.shape != (blocks * width, x.shape[-1]):
        raise ShapeError(
            f"{name}: the weights must have the shapes {(blocks * width, x.shape[-1])} and {(blocks * width, width)}, for "
            f"{x.shape[-1]} inputs and {width} hidden numbers; they are {describe(w_ih)} and {describe(w_hh)}."
        )


def _as_rows(x: Any) -> Any:
    """A single sample as a batch of one."""
    return reshape(x, shape=(-1, x.shape[-1]))


def sum_of(b_ih: Any, b_hh: Any) -> Any:
    """Both biases in one, which is what they amount to."""
    return add(b_ih, b_hh) if b_ih is not None and b_hh is not None else b_ih if b_hh is None else b_hh


def _rnn_cell(name: str, nonlinearity: str, x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    _checked(name, 1, x, (h,), w_ih, w_hh)
    z = rnn_steps(linear(_as_rows(x), w_ih, sum_of(b_ih, b_hh))[None], _as_rows(h), w_hh, nonlinearity=nonlinearity)
    return reshape(z, shape=h.shape)


def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of a simple recurrent network: z = tanh(w_ih·x + b_ih + w_hh·h + b_hh).

    Args:
        input: (N, inputs) or (inputs,).
        hx: (N, H) or (H,), the state.
        w_ih, w_hh, b_ih, b_hh: (H, inputs), (H, H) and (H,).
    """
    return _rnn_cell("rnn_tanh_cell", "tanh", input, hx, w_ih, w_hh, b_ih, b_hh)


def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """As `rnn_tanh_cell`, with relu in place of tanh."""
    return _rnn_cell("rnn_relu_cell", "relu", input, hx, w_ih, w_hh, b_ih, b_hh)


def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> tuple[Any, Any]:
    """One step of an LSTM, as `lstm_steps` explains it; returns the new (h, c).

    Args:
        input: (N, inputs) or (inputs,).
        hx: the states (h, c), each (N, H) or (H,).
        w_ih, w_hh, b_ih, b_hh: (4H, inputs), (4H, H) and (4H,).
    """
    h, c = hx
    _checked("lstm_cell", 4, input, (h, c), w_ih, w_hh)
    z = lstm_steps(linear(_as_rows(input), w_ih, sum_of(b_ih, b_hh))[None], _as_rows(h), _as_rows(c), w_hh)
    hidden, cell, *_ = split(reshape(z, shape=(*h.shape[:-1], -1)), h.shape[-1], -1)
    return hidden, cell


def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of a GRU, as `gru_steps` explains it; returns the new state.

    Args:
        input: (N, inputs) or (inputs,).
        hx: (N, H) or (H,), the state.
        w_ih, w_hh, b_ih, b_hh: (3H, inputs), (3H, H) and (3H,).
    """
    _checked("gru_cell", 3, input, (hx,), w_ih, w_hh)
    z = gru_steps(linear(_as_rows(input), w_ih, b_ih)[None], _as_rows(hx), w_hh, b_hh)
    return reshape(z[0, :, : hx.shape[-1]], shape=hx.shape)
