"""By hand: an LSTM, with states as (hidden, samples) in memory, so that each gate is one block.

One tanh serves all four gates, because σ(a) = tanh(a/2)/2 + 1/2. What does not depend on the step before is done for all
steps at once: the products with the inputs, the slopes of the gates, the gradients of the weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .pieces import Dense, Start, Step, adam, in_one_array, softmax_cross_entropy


def lstm(start: Start) -> Step:
    """LSTM 16 to 64 from states of zeros, a dense layer 64-10 on its last state; cross-entropy, Adam."""
    flat, parameters = in_one_array(start.parameters)
    flat_gradient, gradients = in_one_array(start.parameters)
    w_ih, w_hh, b_ih, b_hh = parameters[:4]
    g_ih, g_hh, g_b_ih, g_b_hh = gradients[:4]
    (steps, samples, inputs), hidden = start.x.shape, w_hh.shape[1]
    head, update = Dense(parameters[4:], gradients[4:], samples), adam(flat, flat_gradient)
    loss_and_gradient = softmax_cross_entropy(start.y, 10)

    def memory(*shape: int) -> np.ndarray:
        return np.zeros((*shape, hidden, samples), "float32")

    scale, one = memory(4), np.array(1, "float32")
    scale[:] = 0.5
    scale[2] = 1  # the proposed new content has a tanh; the input, forget and output gates have a σ
    shift = one - scale
    rows = scale[:, :, :1].reshape(-1, 1)
    gates, h, c, bent = memory(steps, 4), memory(steps + 1), memory(steps + 1), memory(steps)  # h[0], c[0]: first states
    i, f, n, o = (gates[:, k] for k in range(4))
    as_rows = gates.reshape(steps, -1, samples)
    slopes, reach, da, spare = memory(steps, 4), memory(steps, 4), memory(steps, 4), memory()
    ones = np.ones(steps * samples, "float32")

    def forward(x: Any) -> None:
        np.matmul(w_ih * rows, x, out=as_rows)
        np.add(as_rows, (b_ih + b_hh)[:, None] * rows, out=as_rows)
        weight, a = w_hh * rows, memory(4)
        a_rows = a.reshape(-1, samples)
        for t in range(steps):
            gate = gates[t]
            np.dot(weight, h[t], out=a_rows)
            np.add(gate, a, out=gate)
            np.tanh(gate, out=gate)
            np.multiply(gate, scale, out=gate)
            np.add(gate, shift, out=gate)
            np.multiply(f[t], c[t], out=c[t + 1])
            np.multiply(i[t], n[t], out=spare)
            np.add(c[t + 1], spare, out=c[t + 1])
            np.tanh(c[t + 1], out=bent[t])
            np.multiply(o[t], bent[t], out=h[t + 1])

    def backward(gh: Any, x: Any) -> None:
        """Backpropagation through time, from the gradient of the last hidden state."""
        np.multiply(gates, gates, out=slopes)
        np.subtract(gates, slopes, out=slopes)  # σ' = σ - σ²
        np.subtract(one, np.multiply(n, n, out=slopes[:, 2]), out=slopes[:, 2])  # tanh' = 1 - tanh²
        np.multiply(slopes[:, 0], n, out=reach[:, 0])
        np.multiply(slopes[:, 1], c[:-1], out=reach[:, 1])
        np.multiply(slopes[:, 2], i, out=reach[:, 2])
        np.multiply(slopes[:, 3], bent, out=reach[:, 3])
        to_cell = np.multiply(bent, bent, out=slopes[:, 0])
        np.subtract(one, to_cell, out=to_cell)
        np.multiply(to_cell, o, out=to_cell)
        gc, back = np.zeros_like(spare), w_hh.T
        for t in reversed(range(steps)):
            np.multiply(gh, to_cell[t], out=spare)
            np.add(gc, spare, out=gc)
            np.multiply(reach[t, :3], gc, out=da[t, :3])
            np.multiply(reach[t, 3], gh, out=da[t, 3])
            np.multiply(gc, f[t], out=gc)
            gh = back.dot(da[t].reshape(-1, samples))
        all_da = da.reshape(steps, -1, samples).transpose(1, 0, 2).reshape(-1, steps * samples)
        np.dot(all_da, x.transpose(0, 2, 1).reshape(-1, inputs), out=g_ih)
        np.dot(all_da, h[:-1].transpose(0, 2, 1).reshape(-1, hidden), out=g_hh)
        np.dot(all_da, ones, out=g_b_ih)
        g_b_hh[...] = g_b_ih

    def step() -> Any:
        x = start.x.transpose(0, 2, 1)
        forward(x)
        loss, g = loss_and_gradient(head.forward(h[-1].T))
        backward(np.dot(head.weights[0].T, head.backward(g).T), x)
        update()
        return loss

    return step
