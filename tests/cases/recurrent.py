"""Rows for ops/recurrent.py. The references go sample by sample and gate by gate."""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops import recurrent

from . import Case, real


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def blocks(w_ih, w_hh, b_ih, b_hh, x, state):
    """What the input and what the state give for each gate, of one sample."""
    from_x, from_h = w_ih @ x + (0 if b_ih is None else b_ih), w_hh @ state + (0 if b_hh is None else b_hh)
    return zip(*(np.split(a, len(w_hh) // len(state)) for a in (from_x, from_h)), strict=True)


def rnn(x, h, w_ih, w_hh, b_ih=None, b_hh=None, nonlinearity="tanh"):
    """One state after the other."""
    z = np.zeros((*x.shape[:2], h.shape[-1]))
    for k in range(x.shape[1]):
        state = h[k]
        for t in range(len(x)):
            ((from_x, from_h),) = blocks(w_ih, w_hh, b_ih, b_hh, x[t, k], state)
            a = from_x + from_h
            state = z[t, k] = np.tanh(a) if nonlinearity == "tanh" else a * (a > 0)
    return z


def lstm(x, h, c, w_ih, w_hh, b_ih=None, b_hh=None, cells=1):
    hiddens, memories = np.zeros((2, *x.shape[:2], h.shape[-1]))
    for k in range(x.shape[1]):
        hidden, cell = h[k], c[k]
        for t in range(len(x)):
            i, f, n, o = (a + b for a, b in blocks(w_ih, w_hh, b_ih, b_hh, x[t, k], hidden))
            memories[t, k] = cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(n)
            hiddens[t, k] = hidden = sigmoid(o) * np.tanh(cell)
    return np.concatenate((hiddens, memories[len(x) - cells :]))


def gru(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    z = np.zeros((*x.shape[:2], h.shape[-1]))
    for k in range(x.shape[1]):
        state = h[k]
        for t in range(len(x)):
            r, u, n = blocks(w_ih, w_hh, b_ih, b_hh, x[t, k], state)
            new = np.tanh(n[0] + sigmoid(sum(r)) * n[1])
            state = z[t, k] = (1 - sigmoid(sum(u))) * new + sigmoid(sum(u)) * state
    return z


def steps(gates, *more):
    """Shapes of x (T, N, inputs), the states, the weights and the biases, with 3 inputs and 2 hidden numbers."""
    weights = [(2 * gates, 3), (2 * gates, 2), *[(2 * gates,)] * ("biases" in more) * 2]
    return [((t, n, 3), *[(n, 2)] * (1 + ("c" in more)), *weights) for t, n in ((3, 2), (1, 3), (2, 0))]


def cell(gates, *more):
    """The same for one step: x (N, inputs) or (inputs,), and the states."""
    weights = ((2 * gates, 3), (2 * gates, 2), (2 * gates,), (2 * gates,))
    return [((*batch, 3), *[(*batch, 2)] * (1 + ("c" in more)), *weights) for batch in ((4,), ())]


def one(steps, states=1):
    """The reference of a cell: a sequence of one step."""

    def reference(x, *inputs):
        first, weights = inputs[:states], inputs[states:]
        z = steps(np.atleast_2d(x)[None], *map(np.atleast_2d, first), *weights)
        found = [state.reshape(first[0].shape) for state in z]
        return found if states > 1 else found[0]

    return reference


def relu_rnn(*inputs):
    return rnn(*inputs, nonlinearity="relu")


CASES = [
    Case("rnn_steps", rnn, (real,) * 6, steps(1, "biases"), [{}, {"nonlinearity": "relu"}], recurrent.rnn_steps),
    Case("rnn_steps", rnn, (real,) * 4, steps(1), call=recurrent.rnn_steps, note="without biases"),
    Case("lstm_steps", lstm, (real,) * 7, steps(4, "c", "biases"), call=recurrent.lstm_steps),
    Case("lstm_steps", lstm, (real,) * 5, steps(4, "c"), call=recurrent.lstm_steps, note="without biases"),
    Case("lstm_steps", lstm, (real,) * 7, steps(4, "c", "biases")[:1], [{"cells": 3}], recurrent.lstm_steps, note="all cells"),
    Case("gru_steps", gru, (real,) * 6, steps(3, "biases"), call=recurrent.gru_steps),
    Case("gru_steps", gru, (real,) * 4, steps(3), call=recurrent.gru_steps, note="without biases"),
    Case("rnn_tanh_cell", one(rnn), (real,) * 6, cell(1), ops=()),
    Case("rnn_relu_cell", one(relu_rnn), (real,) * 6, cell(1), ops=()),
    Case("lstm_cell", one(lstm, 2), (real,) * 7, cell(4, "c"), call=lambda x, h, c, *w: tg.lstm_cell(x, (h, c), *w), ops=()),
    Case("gru_cell", one(gru), (real,) * 6, cell(3), ops=()),
]
