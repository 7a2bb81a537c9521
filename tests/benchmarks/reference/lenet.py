"""By hand: LeNet-5, with pictures as (rows, channels, columns, samples) in memory.

So the samples, which are computed alike, lie side by side; the windows of a convolution overlap in memory along the rows, and
only along the columns they are copied; and one position's windows are one matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .pieces import ZERO, Dense, Start, Step, adam, in_one_array, softmax_cross_entropy


class Convolution:
    """z = Σ x·w + b over square windows, of (rows, channels, columns, samples); memory is used again at the next call."""

    def __init__(self, w: Any, b: Any, gw: Any, gb: Any, rows: int, samples: int) -> None:
        outputs, channels, k, _ = w.shape
        out = rows - k + 1
        self.w, self.b, self.gw, self.gb, self.k, self.out = w, b[:, None], gw, gb, k, out
        self.spread = np.empty((rows, channels, k, out, samples), "float32")  # the windows along the columns
        self.g_spread = np.empty_like(self.spread)
        width = channels * k
        flat = self.spread.reshape(rows, width, out * samples)
        self.columns = as_strided(flat, (out, k * width, out * samples), flat.strides)  # ... and along the rows
        self.z = np.empty((out, outputs, out, samples), "float32")
        self.one = np.ones(out * samples, "float32")

    def forward(self, x: Any) -> Any:
        for k in range(self.k):
            self.spread[:, :, k] = x[:, :, k : k + self.out]
        self.matrix = self.w.transpose(0, 2, 1, 3).reshape(len(self.w), -1)
        z = self.z.reshape(self.out, len(self.w), -1)
        np.matmul(self.matrix, self.columns, out=z)
        z += self.b
        return self.z

    def backward(self, g: Any) -> None:
        """Set the gradients of weight and bias."""
        g = g.reshape(self.out, len(self.w), -1)
        by_row = np.matmul(g, self.columns.transpose(0, 2, 1)).sum(axis=0)
        outputs, channels, k, _ = self.w.shape
        self.gw[...] = by_row.reshape(outputs, k, channels, k).transpose(0, 2, 1, 3)
        self.gb[...] = g.dot(self.one).sum(axis=0)

    def input_gradient(self, g: Any) -> Any:
        """The gradient of x."""
        g = g.reshape(self.out, len(self.w), -1)
        rows, channels, k, out, samples = self.g_spread.shape
        self.g_spread[...] = ZERO
        columns = np.matmul(self.matrix.T, g).reshape(out, k, channels, k, out, samples)
        for i in range(k):
            self.g_spread[i : i + out] += columns[:, i]
        gx = np.zeros((rows, channels, rows, samples), "float32")
        for i in range(k):
            gx[:, :, i : i + out] += self.g_spread[:, :, i]
        return gx


class ReluAndPool:
    """The largest of each 2x2 numbers, and not below 0: pairs of rows, then pairs of columns."""

    def forward(self, z: Any) -> Any:
        np.maximum(z, ZERO, out=z)
        self.z, self.tall = z, np.maximum(z[0::2], z[1::2])
        self.x = np.maximum(self.tall[:, :, 0::2], self.tall[:, :, 1::2])
        return self.x

    def backward(self, g: Any) -> Any:
        """The gradient goes where the largest number was, the first of them if there are several."""
        g = g * (self.x > ZERO)
        g_tall, gz = np.empty_like(self.tall), np.empty_like(self.z)
        np.multiply(g, self.tall[:, :, 0::2] == self.x, out=g_tall[:, :, 0::2])
        np.subtract(g, g_tall[:, :, 0::2], out=g_tall[:, :, 1::2])
        np.multiply(g_tall, self.z[0::2] == self.tall, out=gz[0::2])
        np.subtract(g_tall, gz[0::2], out=gz[1::2])
        return gz


def lenet(start: Start) -> Step:
    """Convolution 5x5 to 6 channels, pool, convolution 5x5 to 16 channels, pool, 256-120-84-10; cross-entropy, Adam."""
    flat, parameters = in_one_array(start.parameters)
    flat_gradient, gradients = in_one_array(start.parameters)
    samples = len(start.x)
    first = Convolution(*parameters[:2], *gradients[:2], 28, samples)
    second = Convolution(*parameters[2:4], *gradients[2:4], 12, samples)
    pool1, pool2 = ReluAndPool(), ReluAndPool()
    layers, update = Dense(parameters[4:], gradients[4:], samples), adam(flat, flat_gradient)
    loss_and_gradient = softmax_cross_entropy(start.y, 10)

    def step() -> Any:
        x = np.ascontiguousarray(start.x.transpose(2, 1, 3, 0))
        h = pool1.forward(first.forward(x))
        h = pool2.forward(second.forward(h))
        features = h.transpose(1, 0, 2, 3).reshape(-1, samples).T  # as PyTorch counts them: channel, row, column
        loss, g = loss_and_gradient(layers.forward(features))

        g = layers.weights[0].T.dot(layers.backward(g).T).reshape(16, 4, 4, samples).transpose(1, 0, 2, 3)
        g = pool2.backward(g)
        second.backward(g)
        g = pool1.backward(second.input_gradient(g))
        first.backward(g)
        update()
        return loss

    return step
