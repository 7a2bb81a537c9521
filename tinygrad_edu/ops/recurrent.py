"""Recurrent networks: each step makes a new state from the input of its time and the state that the step before left.

An operation here is one layer run over a whole sequence. What a step computes is said three times, each time for another reader:

- `rnn_step`, `lstm_step` and `gru_step` say it with single operations, in the few lines that the papers have.
- `rnn_steps`, `lstm_steps` and `gru_steps` are the quick way through all steps. All weights stand side by side in one matrix, so that
  a step has one product: (w | b | v) times (x, 1, the state before). Samples are in the last dim here, so that each gate
  is one block of memory. A gate is σ(a) = tanh(a/2)/2 + 1/2: the weights are halved once, and one tanh serves all gates.
- Their rules are backpropagation through time, written out. What does not depend on the step behind is done for all steps at
  once: the slopes before the loop, the gradients of the weights after it.

Derivatives of derivatives are taken through the single operations. The weights and the bias of the input are w and b here, those
of the state v and d: PyTorch's weight_ih, bias_ih, weight_hh and bias_hh.

Sources: Elman 1990 (RNN); Hochreiter, Schmidhuber 1997 and Gers et al. 1999 (LSTM); Cho et al. 2014 (GRU).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..backend import number
from ..calls import group
from ..errors import ShapeError, describe
from ..op import op, registry
from ..tensor import Tensor
from .activation import relu, sigmoid
from .elementwise import tanh
from .joining import stack
from .products import linear
from .shape import clone, reshape
from .splitting import chunk

__all__ = ["gru_cell", "lstm_cell", "rnn_relu_cell", "rnn_tanh_cell"]


# -- one step, in single operations ----------------------------------------------------------------------------------
def rnn_step(x: Any, h: Any, w: Any, v: Any, b: Any, d: Any, nonlinearity: str) -> dict[str, Any]:
    """The new state h."""
    return {"h": (tanh if nonlinearity == "tanh" else relu)(linear(x, w, b) + linear(h, v, d))}


def lstm_step(x: Any, h: Any, c: Any, w: Any, v: Any, b: Any, d: Any) -> dict[str, Any]:
    """The new states, and how they came about: input gate i, forget gate f, proposed new content n and output gate o."""
    i, f, n, o = chunk(linear(x, w, b) + linear(h, v, d), 4, -1)
    i, f, n, o = sigmoid(i), sigmoid(f), tanh(n), sigmoid(o)
    c = f * c + i * n
    return {"h": o * tanh(c), "c": c, "i": i, "f": f, "n": n, "o": o}


def gru_step(x: Any, h: Any, w: Any, v: Any, b: Any, d: Any) -> dict[str, Any]:
    """The new state, reset gate r, update gate u, the proposed new state n and the old state's share s of it."""
    (x_r, x_u, x_n), (h_r, h_u, s) = chunk(linear(x, w, b), 3, -1), chunk(linear(h, v, d), 3, -1)
    r, u = sigmoid(x_r + h_r), sigmoid(x_u + h_u)
    n = tanh(x_n + r * s)
    return {"h": (1 - u) * n + u * h, "r": r, "u": u, "n": n, "s": s}


STEP: dict[str, Callable] = {"rnn_steps": rnn_step, "lstm_steps": lstm_step, "gru_steps": gru_step}


def step_by_step(name: str, inputs: Any, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What each step of an operation over time makes, by name, computed in single operations."""
    given = dict(zip(registry[name].inputs, inputs, strict=True))
    x = given.pop("x")
    settings = {key: value for key, value in settings.items() if key != "cells"}  # which is no matter of a step
    for t in range(x.shape[0]):
        with group(f"step {t}"):
            made = STEP[name](x[t], **given, **settings)
        given |= {state: made[state] for state in given if state in made}
        yield made


def together(made: list[dict[str, Any]], settings: dict[str, Any]) -> Any:
    """The result of an operation over time, from what its steps made."""
    states = [step["h"] for step in made]
    return stack(states + [step["c"] for step in made[-settings["cells"] :]] if "cells" in settings else states)


def _by_single_operations(name: str, g: Any, inputs: Any, **settings: Any) -> list[Any]:
    """The gradients of an operation over time as tensors, which have derivatives themselves."""
    from ..autograd.gradients import grad

    own = [clone(x) if isinstance(x, Tensor) else x for x in inputs]  # two inputs may be one tensor, or made from one another
    z = together(list(step_by_step(name, own, settings)), settings)
    wanted = [isinstance(x, Tensor) and x.requires_grad for x in own]
    found = iter(grad(z, [x for x, yes in zip(own, wanted, strict=True) if yes], g, create_graph=True))
    return [next(found) if yes else None for yes in wanted]


# -- what the quick ways share ---------------------------------------------------------------------------------------
def _side_by_side(w: Any, v: Any, b: Any, d: Any) -> Any:
    """(w | b | v), where b is both biases in one, which is what they amount to."""
    inputs = w.shape[1]
    weights = np.zeros_like(w, shape=(len(w), inputs + 1 + v.shape[1]))
    weights[:, :inputs], weights[:, inputs + 1 :] = w, v
    for bias in (b, d):
        if bias is not None:
            weights[:, inputs] += bias
    return weights


def _into_steps(x: Any, h: Any) -> tuple[Any, Any]:
    """What these weights meet in each step, (x, 1, the state before); and the states in it, where each step writes its own."""
    (steps, samples, inputs), hidden = x.shape, h.shape[-1]
    into = np.empty_like(x, shape=(steps + 1, inputs + 1 + hidden, samples))
    states = into[:, inputs + 1 :]
    into[:-1, :inputs], into[:, inputs], states[0] = x.swapaxes(1, 2), 1, h.T
    return into, states


def _in_columns(g: Any) -> Any:
    """(T, N, H) as (T, H, N), in this order in memory."""
    return g.swapaxes(1, 2).copy()


def _backwards(*series: Any) -> Any:
    """What these hold for each step, from the last step to the first."""
    return zip(*(each[::-1] for each in series), strict=True)


def _behind_the_loop(da: Any, into: Any, w: Any) -> tuple[Callable, Any, Any, Any]:
    """The gradients of x (a function, for whoever wants it), w, v and the bias, all steps at once, from those of the
    products, da (T, rows, N)."""
    (steps, rows, samples), inputs = da.shape, w.shape[1]
    da = np.reshape(da.swapaxes(1, 2), (steps * samples, rows))
    into = np.reshape(into[:-1].swapaxes(1, 2), (steps * samples, into.shape[1]))
    dw = da.T.dot(into)
    return lambda: np.reshape(da.dot(w), (steps, samples, inputs)), dw[:, :inputs], dw[:, inputs + 1 :], dw[:, inputs]


# -- RNN -------------------------------------------------------------------------------------------------------------
def _rnn_gradients(g: Any, z: Any, x: Any, h: Any, w: Any, v: Any, b: Any, d: Any, nonlinearity: str, into: Any) -> list[Any]:
    inputs = (x, h, w, v, b, d)
    if isinstance(g, Tensor):
        return _by_single_operations("rnn_steps", g, inputs, nonlinearity=nonlinearity)
    if into is None:
        _, into = rnn_steps.op.forward_and_keep(*inputs, nonlinearity=nonlinearity)
    states = into[1:, x.shape[-1] + 1 :]
    da = 1 - states * states if nonlinearity == "tanh" else np.heaviside(states, 0)  # the slopes
    back, dh = v.T, np.zeros_like(h.T)
    for dh_t, da_t in _backwards(_in_columns(g), da):
        dh_t += dh
        da_t *= dh_t
        dh = back.dot(da_t)
    dx, dw, dv, db = _behind_the_loop(da, into, w)
    return [dx, dh.T, dw, dv, db, db]


@op(dtype="same", keeps="into", joint=_rnn_gradients)
def rnn_steps(x: Any, h: Any, w: Any, v: Any, b: Any = None, d: Any = None, *, nonlinearity: str = "tanh") -> Any:
    """Run a simple recurrent layer over a sequence; the gradient of a step reaches all steps before it through the weights.

    z[t] = tanh(a[t]) with a[t] = w·x[t] + b + v·z[t-1] + d and z[-1] = h;
    ∂x[t] = wᵀ·∂a[t] with ∂a[t] = (1 - z[t]²)·(g[t] + vᵀ·∂a[t+1]);  ∂h = vᵀ·∂a[0];
    ∂w = Σ ∂a[t]·x[t]ᵀ;  ∂v = Σ ∂a[t]·z[t-1]ᵀ;  ∂b = Σ ∂a[t];  ∂d = Σ ∂a[t]

    Args:
        x: (T, N, inputs).
        h: (N, H), the first state.
        w, v: (H, inputs) and (H, H).
        b, d: (H,) or None.
        nonlinearity: "tanh", or "relu" in its place (with slope 1 where z > 0, else 0).
    """
    weights = _side_by_side(w, v, b, d)
    into, states = _into_steps(x, h)
    for before, state in zip(into[:-1], states[1:], strict=True):
        a = weights.dot(before)
        state[...] = np.tanh(a, out=a) if nonlinearity == "tanh" else np.maximum(a, 0, out=a)
    return states[1:].copy().swapaxes(1, 2), into


# -- LSTM ------------------------------------------------------------------------------------------------------------
def _o_first(w: Any) -> Any:
    """The rows i, f, n, o as o, i, f, n: what has a σ stands together then, and i and f beside n and the cell state."""
    return np.concatenate((w[-(len(w) // 4) :], w[: -(len(w) // 4)]))


def _o_last(w: Any) -> Any:
    """The rows o, i, f, n as i, f, n, o."""
    return np.concatenate((w[len(w) // 4 :], w[: len(w) // 4]))


def _lstm_gradients(g: Any, z: Any, x: Any, h: Any, c: Any, w: Any, v: Any, b: Any, d: Any, cells: int, made: Any) -> list[Any]:
    inputs = (x, h, c, w, v, b, d)
    if isinstance(g, Tensor):
        return _by_single_operations("lstm_steps", g, inputs, cells=cells)
    into, gates, parts, bent = made or lstm_steps.op.forward_and_keep(*inputs, cells=cells)[1]
    steps, _, hidden, samples = parts.shape
    states, (o, i, f, n) = into[1:, x.shape[-1] + 1 :], gates[:-1, :4].swapaxes(0, 1)
    # The ways from h to c and to o, and from c to i, f and n; a gate has the slope σ·(1 - σ).
    ways = np.empty_like(gates[:-1])
    np.subtract(o, states * bent, out=ways[:, 0])  # h = o·tanh c: o·(1 - tanh²c)
    np.subtract(1, gates[:-1, :3], out=ways[:, 1:4])
    ways[:, 1] *= states
    ways[:, 2:4] *= parts
    np.subtract(i, parts[:, 0] * n, out=ways[:, 4])  # i·(1 - n²)
    da = np.reshape(ways[:, 1:], (steps, 4 * hidden, samples))
    g = _in_columns(g)
    into_cell = [None] * (steps - cells) + list(g[steps:])
    back, dh, dc = _o_first(v).T.copy(), np.zeros_like(h.T), np.zeros_like(bent[0])
    for dh_t, dc_t, from_h, to_c, from_c, da_t, forget in _backwards(
        g[:steps], into_cell, ways[:, :2], ways[:, 0], ways[:, 2:], da, f
    ):
        dh_t += dh
        from_h *= dh_t
        if dc_t is not None:
            dc += dc_t
        dc += to_c
        from_c *= dc
        dh = back.dot(da_t)
        dc *= forget
    dx, *dw = _behind_the_loop(da, into, _o_first(w))
    dw, dv, db = map(_o_last, dw)
    return [dx, dh.T, dc.T, dw, dv, db, db]


@op(dtype="same", keeps="made", joint=_lstm_gradients)
def lstm_steps(x: Any, h: Any, c: Any, w: Any, v: Any, b: Any = None, d: Any = None, *, cells: int = 1) -> Any:
    """Run an LSTM layer over a sequence. Where the forget gate is open, the gradient passes from cell state to cell state without
    being multiplied by any weights: that is why an LSTM remembers longer.

    z = (h[0], h[1], ..., c[T-1]) with (i, f, n, o) = (σ, σ, tanh, σ)(a[t]) and a[t] = w·x[t] + b + v·h[t-1] + d
    and c[t] = f·c[t-1] + i·n and h[t] = o·tanh(c[t]);
    ∂x[t] = wᵀ·∂a[t] with ∂c = g_c + ∂h·o·(1 - tanh²c) + f[t+1]·∂c[t+1], ∂h = g_h + vᵀ·∂a[t+1],
    ∂a[t] = (∂c·n, ∂c·c[t-1], ∂c·i, ∂h·tanh c)·slopes;
    ∂w = Σ ∂a[t]·x[t]ᵀ;  ∂v = Σ ∂a[t]·h[t-1]ᵀ;  ∂b = Σ ∂a[t];  ∂d = Σ ∂a[t]

    Args:
        x: (T, N, inputs).
        h, c: (N, H), the first states.
        w, v: (4H, inputs) and (4H, H).
        b, d: (4H,) or None.
        cells: how many of the cell states to return, counted from the end.

    Returns:
        (T + cells, N, H), the hidden states of all steps, and behind them the last cell states.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.LSTM.html
    """
    (steps, samples, _), hidden = x.shape, h.shape[-1]
    weights = _o_first(_side_by_side(w, v, b, d))
    into, states = _into_steps(x, h)
    gates = np.empty_like(x, shape=(steps + 1, 5, hidden, samples))  # o, i, f, n, and the cell state before
    products = np.reshape(gates[:, :4], (steps + 1, 4 * hidden, samples))
    memory = gates[:, 4]
    memory[0] = c.T
    parts = np.empty_like(x, shape=(steps, 2, hidden, samples))  # of the new cell state: i·n and f·c
    bent = np.empty_like(x, shape=(steps, hidden, samples))
    half = number(0.5, x)
    weights[: 3 * hidden] *= half
    for before, product, gate, part, after, bend, state in zip(
        into[:-1], products[:-1], gates[:-1], parts, memory[1:], bent, states[1:], strict=True
    ):
        np.dot(weights, before, out=product)
        o_i_f = gate[:3]
        np.tanh(gate[:4], out=gate[:4])
        o_i_f *= half
        o_i_f += half
        np.multiply(gate[1:3], gate[3:], out=part)
        np.add(part[0], part[1], out=after)
        np.tanh(after, out=bend)
        np.multiply(gate[0], bend, out=state)
    return np.concatenate((states[1:], memory[-cells:])).swapaxes(1, 2), (into, gates, parts, bent)


# -- GRU -------------------------------------------------------------------------------------------------------------
# The products have four blocks of rows: for r, for u, and for n what comes from the input, and what comes from the state (s).
def _from_input(w: Any) -> Any:
    """The input's weights or bias as rows of four blocks, with zeros in the last."""
    return None if w is None else np.concatenate((w, np.zeros_like(w[: len(w) // 3])))


def _from_state(w: Any) -> Any:
    """The state's weights or bias as rows of four blocks, with zeros in the third."""
    if w is None:
        return None
    third = len(w) // 3
    return np.concatenate((w[: 2 * third], np.zeros_like(w[:third]), w[2 * third :]))


def _of_state(dw: Any) -> Any:
    """Of the gradient of four blocks, those that are the state's."""
    fourth = len(dw) // 4
    return np.concatenate((dw[: 2 * fourth], dw[3 * fourth :]))


def _gru_gradients(g: Any, z: Any, x: Any, h: Any, w: Any, v: Any, b: Any, d: Any, made: Any) -> list[Any]:
    inputs = (x, h, w, v, b, d)
    if isinstance(g, Tensor):
        return _by_single_operations("gru_steps", g, inputs)
    into, gates = made or gru_steps.op.forward_and_keep(*inputs)[1]
    steps, _, hidden, samples = gates.shape
    r, u, n, s = gates.swapaxes(0, 1)
    before = into[:-1, x.shape[-1] + 1 :]
    to_n = (1 - u) * (1 - n * n)  # from the state to what n is the tanh of
    da = np.stack((to_n * s * r * (1 - r), (before - n) * u * (1 - u), to_n, to_n * r), 1)
    products = np.reshape(da, (steps, 4 * hidden, samples))
    back, dh = _from_state(v).T, np.zeros_like(h.T)
    for dh_t, keep, da_t, product in _backwards(_in_columns(g), u, da, products):
        dh_t += dh
        da_t *= dh_t
        dh = back.dot(product)
        dh += dh_t * keep
    dx, dw, dv, db = _behind_the_loop(products, into, _from_input(w))
    of_input = slice(len(w))
    return [dx, dh.T, dw[of_input], _of_state(dv), db[of_input], _of_state(db)]


@op(dtype="same", keeps="made", joint=_gru_gradients)
def gru_steps(x: Any, h: Any, w: Any, v: Any, b: Any = None, d: Any = None) -> Any:
    """Run a GRU layer over a sequence. Where the update gate is open, the state and its gradient pass as they are.

    z[t] = (1 - u)·n + u·z[t-1] with r = σ(a_r + s_r) and u = σ(a_u + s_u) and n = tanh(a_n + r·s_n)
    and a = w·x[t] + b and s = v·z[t-1] + d and z[-1] = h;
    ∂x[t] = wᵀ·∂a[t] with ∂z = g + u[t+1]·∂z[t+1] + vᵀ·∂s[t+1], ∂a_n = ∂z·(1 - u)·(1 - n²), ∂s_n = ∂a_n·r,
    ∂a_r = ∂s_r = ∂a_n·s_n·r·(1 - r), ∂a_u = ∂s_u = ∂z·(z[t-1] - n)·u·(1 - u);
    ∂w = Σ ∂a[t]·x[t]ᵀ;  ∂v = Σ ∂s[t]·z[t-1]ᵀ;  ∂b = Σ ∂a[t];  ∂d = Σ ∂s[t]

    Args:
        x: (T, N, inputs).
        h: (N, H), the first state.
        w, v: (3H, inputs) and (3H, H).
        b, d: (3H,) or None.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.GRU.html
    """
    (steps, samples, _), hidden = x.shape, h.shape[-1]
    weights = _side_by_side(_from_input(w), _from_state(v), _from_input(b), _from_state(d))
    half = number(0.5, x)
    weights[: 2 * hidden] *= half
    into, states = _into_steps(x, h)
    gates = np.empty_like(x, shape=(steps, 4, hidden, samples))
    products = gates.reshape(steps, 4 * hidden, samples)
    for before, product, gate, h_before, state in zip(into[:-1], products, gates, states[:-1], states[1:], strict=True):
        np.dot(weights, before, out=product)
        r_and_u = gate[:2]
        np.tanh(r_and_u, out=r_and_u)
        r_and_u *= half
        r_and_u += half
        r, u, n, s = gate
        n += r * s
        np.tanh(n, out=n)
        np.add(n, u * (h_before - n), out=state)
    return states[1:].copy().swapaxes(1, 2), (into, gates)


# -- cells: one step -----------------------------------------------------------------------------------------------
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
    return x if x.ndim == 2 else reshape(x, shape=(-1, x.shape[-1]))


def _rnn_cell(name: str, nonlinearity: str, x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    _checked(name, 1, x, (h,), w_ih, w_hh)
    z = rnn_steps(_as_rows(x)[None], _as_rows(h), w_ih, w_hh, b_ih, b_hh, nonlinearity=nonlinearity)
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
    z = lstm_steps(_as_rows(input)[None], _as_rows(h), _as_rows(c), w_ih, w_hh, b_ih, b_hh)
    return (z[0], z[1]) if h.ndim == 2 else (reshape(z[0], shape=h.shape), reshape(z[1], shape=c.shape))


def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of a GRU, as `gru_steps` explains it; returns the new state.

    Args:
        input: (N, inputs) or (inputs,).
        hx: (N, H) or (H,), the state.
        w_ih, w_hh, b_ih, b_hh: (3H, inputs), (3H, H) and (3H,).
    """
    _checked("gru_cell", 3, input, (hx,), w_ih, w_hh)
    z = gru_steps(_as_rows(input)[None], _as_rows(hx), w_ih, w_hh, b_ih, b_hh)
    return reshape(z, shape=hx.shape)
