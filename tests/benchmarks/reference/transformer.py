"""By hand: a transformer block, norm first, without a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pieces import Dense, Start, Step, adam, in_one_array

HEADS = 4
NORM_EPS = np.array(1e-5, "float32")
ONE = np.array(1, "float32")


class Norm:
    """z = (x - mean) / √(variance + eps) · w + b, over the last dim of x (rows, width)."""

    def __init__(self, w: Any, b: Any, gw: Any, gb: Any, rows: int) -> None:
        self.w, self.b, self.gw, self.gb = w, b, gw, gb
        self.mean_of = np.full(len(w), 1 / len(w), "float32")
        self.one, self.spare = np.ones(rows, "float32"), np.empty((rows, len(w)), "float32")

    def forward(self, x: Any) -> Any:
        self.normal = x - x.dot(self.mean_of)[:, None]
        deviation = np.multiply(self.normal, self.normal, out=self.spare).dot(self.mean_of)
        deviation += NORM_EPS
        self.steepness = np.divide(ONE, np.sqrt(deviation, out=deviation), out=deviation)[:, None]
        self.normal *= self.steepness
        z = self.normal * self.w
        z += self.b
        return z

    def backward(self, g: Any) -> Any:
        """Set the gradients of w and b, and return that of x, in place of g."""
        np.dot(self.one, g, out=self.gb)
        np.dot(self.one, np.multiply(g, self.normal, out=self.spare), out=self.gw)
        g *= self.w
        along = np.multiply(g, self.normal, out=self.spare).dot(self.mean_of)[:, None]
        g -= g.dot(self.mean_of)[:, None]
        g -= np.multiply(self.normal, along, out=self.spare)
        g *= self.steepness
        return g


class Attention:
    """Self-attention of (samples · steps, width)."""

    def __init__(self, parameters: list[np.ndarray], gradients: list[np.ndarray], samples: int, steps: int) -> None:
        self.w, self.b, self.w_out, self.b_out = parameters
        self.gw, self.gb, self.gw_out, self.gb_out = gradients
        self.width = len(self.b_out)
        self.split = samples, steps, HEADS, self.width // HEADS
        self.scale = np.array(self.split[-1] ** -0.5, "float32")
        self.one, self.over_keys = np.ones(samples * steps, "float32"), np.ones(steps, "float32")

    def forward(self, x: Any) -> Any:
        samples, steps, heads, width = self.split
        self.x = x
        qkv = x.dot(self.w.T)
        qkv += self.b
        qkv = qkv.reshape(samples, steps, 3, heads, width).transpose(2, 0, 3, 1, 4)
        self.q, self.k, self.v = np.ascontiguousarray(qkv)
        self.q *= self.scale
        a = np.matmul(self.q, self.k.swapaxes(2, 3))
        a -= np.maximum.reduce(a, axis=-1, keepdims=True)
        np.exp(a, out=a)
        a /= a.dot(self.over_keys)[..., None]
        self.a = a
        self.mixed = np.matmul(a, self.v).transpose(0, 2, 1, 3).reshape(-1, self.width)
        z = self.mixed.dot(self.w_out.T)
        z += self.b_out
        return z

    def backward(self, g: Any) -> Any:
        """Set the gradients of the parameters, and return that of x."""
        samples, steps, heads, width = self.split
        np.dot(g.T, self.mixed, out=self.gw_out)
        np.dot(self.one, g, out=self.gb_out)
        g = np.ascontiguousarray(g.dot(self.w_out).reshape(self.split).transpose(0, 2, 1, 3))
        g_qkv = np.empty((3, samples, heads, steps, width), "float32")
        np.matmul(self.a.swapaxes(2, 3), g, out=g_qkv[2])
        ga = np.matmul(g, self.v.swapaxes(2, 3))
        ga *= self.a
        ga -= self.a * ga.dot(self.over_keys)[..., None]
        np.matmul(ga, self.k, out=g_qkv[0])
        g_qkv[0] *= self.scale
        np.matmul(ga.swapaxes(2, 3), self.q, out=g_qkv[1])
        g = g_qkv.transpose(1, 3, 0, 2, 4).reshape(samples * steps, 3 * self.width)
        np.dot(g.T, self.x, out=self.gw)
        np.dot(self.one, g, out=self.gb)
        return g.dot(self.w)


def transformer(start: Start) -> Step:
    """x + attention(norm(x)), then x + network(norm(x)) with a network 64-256-64; mean squared error, Adam."""
    flat, parameters = in_one_array(start.parameters)
    flat_gradient, gradients = in_one_array(start.parameters)
    samples, steps, width = start.x.shape
    x, y, rows = start.x.reshape(-1, width), start.y.reshape(-1, width), samples * steps
    norm1, norm2 = (Norm(*parameters[i : i + 2], *gradients[i : i + 2], rows) for i in (0, 6))
    attention = Attention(parameters[2:6], gradients[2:6], samples, steps)
    network, update = Dense(parameters[8:], gradients[8:], rows), adam(flat, flat_gradient)
    scale, size = np.array(2 / y.size, "float32"), np.array(y.size, "float32")

    def step() -> Any:
        middle = attention.forward(norm1.forward(x))
        middle += x
        z = network.forward(norm2.forward(middle))
        z += middle
        z -= y
        loss = np.vdot(z, z) / size

        z *= scale
        g = norm2.backward(network.backward(z).dot(network.weights[0]))
        g += z
        norm1.backward(attention.backward(g))
        update()
        return loss

    return step
