"""By hand: an LSTM, with states as (hidden, samples) in memory, so that each gate is one block.

One tanh serves all four gates, because σ(a) = tanh(a/2)/2 + 1/2. Going forward a step has one matrix product; going backward,
what does not depend on the step behind is done for all steps at once: the slopes of the gates, the gradients of the weights.
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
    # What a step multiplies by the weights: the inputs, a one for the biases, the state before it. The first state is 0.
    into = np.zeros((steps + 1, inputs + 1 + hidden, samples), "float32")
    into[:, inputs] = one
    h = into[:, inputs + 1 :]
    gates, c, bent = memory(steps, 4), memory(steps + 1), memory(steps)  # c[0] is the first cell state
    i, f, n, o = (gates[:, k] for k in range(4))
    slopes, reach, da, spare, gc = memory(steps, 4), memory(steps, 4), memory(steps, 4), memory(), memory()
    to_cell = memory(steps)
    # The pieces of memory that each step uses, cut once.
    onward = list(zip(into[:-1], gates, gates.reshape(steps, -1, samples), i, f, n, o, c[:-1], c[1:], bent, h[1:], strict=True))
    pieces = zip(to_cell, f, da.reshape(steps, -1, samples), *reach.swapaxes(0, 1), *da.swapaxes(0, 1), strict=True)
    backward_pieces = list(pieces)[::-1]

    def forward() -> None:
        weight = np.concatenate((w_ih, (b_ih + b_hh)[:, None], w_hh), axis=1)
        weight *= scale[:, :, :1].reshape(-1, 1)
        for x, gate, a, i, f, n, o, c_before, c, bent, h in onward:
            np.dot(weight, x, out=a)
            np.tanh(gate, out=gate)
            np.multiply(gate, scale, out=gate)
            np.add(gate, shift, out=gate)
            np.multiply(f, c_before, out=c)
            np.multiply(i, n, out=spare)
            np.add(c, spare, out=c)
            np.tanh(c, out=bent)
            np.multiply(o, bent, out=h)

    def backward(gh: Any) -> None:
        """Backpropagation through time, from the gradient of the last hidden state."""
        np.multiply(gates, gates, out=slopes)
        np.subtract(gates, slopes, out=slopes)  # σ' = σ - σ²
        np.subtract(one, np.multiply(n, n, out=slopes[:, 2]), out=slopes[:, 2])  # tanh' = 1 - tanh²
        for k, factor in enumerate((n, c[:-1], i, bent)):
            np.multiply(slopes[:, k], factor, out=reach[:, k])
        np.multiply(bent, bent, out=to_cell)
        np.subtract(one, to_cell, out=to_cell)
        np.multiply(to_cell, o, out=to_cell)
        gc[...] = 0
        back = w_hh.T
        for bend, forget, da_t, reach_i, reach_f, reach_n, reach_o, da_i, da_f, da_n, da_o in backward_pieces:
            np.multiply(gh, bend, out=spare)
            np.add(gc, spare, out=gc)
            np.multiply(reach_i, gc, out=da_i)
            np.multiply(reach_f, gc, out=da_f)
            np.multiply(reach_n, gc, out=da_n)
            np.multiply(reach_o, gh, out=da_o)
            np.multiply(gc, forget, out=gc)
            gh = back.dot(da_t)
        all_da = da.reshape(steps, -1, samples).transpose(1, 0, 2).reshape(-1, steps * samples)
        g = all_da.dot(into[:-1].transpose(0, 2, 1).reshape(steps * samples, -1))
        g_ih[...], g_b_ih[...], g_b_hh[...], g_hh[...] = g[:, :inputs], g[:, inputs], g[:, inputs], g[:, inputs + 1 :]

    def step() -> Any:
        into[:-1, :inputs] = start.x.transpose(0, 2, 1)
        forward()
        loss, g = loss_and_gradient(head.forward(h[-1].T))
        backward(np.dot(head.weights[0].T, head.backward(g).T))
        update()
        return loss

    return step
