"""Rows for ops/recurrent.py. The references go sample by sample and gate by gate."""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops import recurrent

from . import Case, real


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn(x, h, weight, nonlinearity="tanh"):
    """One state after the other."""
    z = np.zeros_like(x)
    for n in range(x.shape[1]):
        state = h[n]
        for t in range(len(x)):
            a = x[t, n] + weight @ state
            state = z[t, n] = np.tanh(a) if nonlinearity == "tanh" else a * (a > 0)
    return z


def lstm(x, h, c, weight):
    size = h.shape[-1]
    z = np.zeros((*x.shape[:2], 6 * size))
    for k in range(x.shape[1]):
        hidden, cell = h[k], c[k]
        for t in range(len(x)):
            i, f, n, o = np.split(x[t, k] + weight @ hidden, 4)
            i, f, n, o = sigmoid(i), sigmoid(f), np.tanh(n), sigmoid(o)
            cell = f * cell + i * n
            hidden = o * np.tanh(cell)
            z[t, k] = np.concatenate([hidden, cell, i, f, n, o])
    return z


def gru(x, h, weight, bias=None):
    size = h.shape[-1]
    z = np.zeros((*x.shape[:2], 5 * size))
    for k in range(x.shape[1]):
        hidden = h[k]
        for t in range(len(x)):
            from_x, from_h = np.split(x[t, k], 3), np.split(weight @ hidden + (0 if bias is None else bias), 3)
            r, u = sigmoid(from_x[0] + from_h[0]), sigmoid(from_x[1] + from_h[1])
            n = np.tanh(from_x[2] + r * from_h[2])
            hidden = (1 - u) * n + u * hidden
            z[t, k] = np.concatenate([hidden, r, u, n, from_h[2]])
    return z


def steps(blocks, *more):
    """Shapes of x (T, N, blocks·hidden), the states, the weights and what else there is, with 2 hidden numbers."""
    return [((t, n, 2 * blocks), *[(n, 2)] * (1 + ("c" in more)), (2 * blocks, 2), *[(2 * blocks,)] * ("bias" in more))
            for t, n in ((3, 2), (1, 3), (2, 0))]  # fmt: skip


def cell(blocks, *more):
    """Shapes for one step: x, the states, both weights and both biases, with 3 inputs and 2 hidden numbers; and without a batch."""
    weights = ((2 * blocks, 3), (2 * blocks, 2), (2 * blocks,), (2 * blocks,))
    return [((*batch, 3), *[(*batch, 2)] * (1 + ("c" in more)), *weights) for batch in ((4,), ())]


def one(step, bias_apart=False):
    """The reference of a cell: its inputs multiplied by their weights, then one step."""

    def reference(x, *inputs):
        *states, w_ih, w_hh, b_ih, b_hh = inputs
        a = (np.atleast_2d(x) @ w_ih.T + b_ih + (0 if bias_apart else b_hh))[None]
        z = step(a, *map(np.atleast_2d, states), w_hh, *([b_hh] if bias_apart else []))[0]
        found = [block.reshape(states[0].shape) for block in np.split(z, z.shape[-1] // 2, axis=-1)[: len(states)]]
        return found if len(found) > 1 else found[0]

    return reference


def relu_rnn(x, h, weight):
    return rnn(x, h, weight, "relu")


CASES = [
    Case("rnn_steps", rnn, (real,) * 3, steps(1), [{}, {"nonlinearity": "relu"}], recurrent.rnn_steps),
    Case("lstm_steps", lstm, (real,) * 4, steps(4, "c"), call=recurrent.lstm_steps),
    Case("gru_steps", gru, (real,) * 4, steps(3, "bias"), call=recurrent.gru_steps),
    Case("gru_steps", gru, (real,) * 3, steps(3), call=recurrent.gru_steps, note="without a bias"),
    Case("rnn_tanh_cell", one(rnn), (real,) * 6, cell(1), ops=()),
    Case("rnn_relu_cell", one(relu_rnn), (real,) * 6, cell(1), ops=()),
    Case("lstm_cell", one(lstm), (real,) * 7, cell(4, "c"), call=lambda x, h, c, *w: tg.lstm_cell(x, (h, c), *w), ops=()),
    Case("gru_cell", one(gru, bias_apart=True), (real,) * 6, cell(3), ops=()),
]
