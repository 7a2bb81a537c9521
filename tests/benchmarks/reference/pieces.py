"""What the steps by hand share: the constants, the softmax, dense layers, and Adam.

What saves time on small arrays: constants that are arrays already (a Python number is made into one at each call), products
with ones in place of sums, `dot` in place of `@`. On large ones: memory that is used again in the next step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SMALL_OPS = 33  # times add, mul, tanh
RATE = 0.01  # of gradient descent
ADAM_RATE = 1e-4
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
BLOCK = 32 * 1024  # numbers that Adam changes at a time: they stay in the processor's cache

ZERO = np.array(0, "float32")

Step = Callable[[], Any]


class Start(NamedTuple):
    """What every contestant starts from: parameters, in the order and shapes of the model's, and one batch."""

    parameters: list[np.ndarray]
    x: Any = None
    y: Any = None


def sigmoid(z: Any, bias: Any, one: Any) -> Any:
    """1 / (1 + exp(-(z + bias))), in place of z."""
    z += bias
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += one
    return np.divide(one, z, out=z)


def softmax_cross_entropy(labels: Any, classes: int) -> Callable[[Any], tuple[Any, Any]]:
    """A function of the logits z: the mean loss, and its gradient in place of z."""
    n = len(labels)
    right = np.arange(n) * classes + labels  # where the labels' numbers are in z as one row
    ones, over_classes = np.ones(n, "float32"), np.ones(classes, "float32")
    one, share = np.array(1, "float32"), np.array(1 / n, "float32")

    def loss_and_gradient(z: Any) -> tuple[Any, Any]:
        flat = z.ravel()
        z -= np.maximum.reduce(z, axis=1, keepdims=True)
        at_labels = flat[right]
        np.exp(z, out=z)
        total = z.dot(over_classes)
        z /= total[:, None]
        flat[right] -= one
        z *= share
        return (np.log(total) - at_labels).dot(ones) * share, z

    return loss_and_gradient


class Dense:
    """Layers x·wᵀ + b with ReLU between them, for `samples` samples; `parameters` and `gradients` are w, b, w, b ..."""

    def __init__(self, parameters: list[np.ndarray], gradients: list[np.ndarray], samples: int) -> None:
        self.weights, self.biases = parameters[::2], parameters[1::2]
        self.gradients, self.one = gradients, np.ones(samples, "float32")

    def forward(self, x: Any) -> Any:
        self.inputs = [x]
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = self.inputs[-1].dot(w.T)
            z += b
            if i < len(self.weights) - 1:
                self.inputs.append(np.maximum(z, ZERO, out=z))
        return z

    def backward(self, g: Any) -> Any:
        """Set the gradients, from that of the outputs; returns that of the first layer's sums."""
        for i in reversed(range(len(self.weights))):
            np.dot(g.T, self.inputs[i], out=self.gradients[2 * i])
            np.dot(self.one, g, out=self.gradients[2 * i + 1])
            if i:
                g = g.dot(self.weights[i])
                g *= self.inputs[i] > ZERO
        return g


def in_one_array(parts: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """All numbers of `parts` in one flat array, and its pieces in the shapes of the parts."""
    flat = np.concatenate([p.ravel() for p in parts])
    ends = np.cumsum([p.size for p in parts])
    return flat, [piece.reshape(p.shape) for piece, p in zip(np.split(flat, ends[:-1]), parts, strict=True)]


def adam(p: np.ndarray, g: np.ndarray) -> Callable[[], None]:
    """A function that changes the flat parameters p in place after their gradients g.

    Both moments are kept without their factors 1-β, which saves two multiplications: m ← β₁m + g;  v ← β₂v + g².
    """
    m, v, count, spare = np.zeros_like(p), np.zeros_like(p), 0, np.empty_like(p[:BLOCK])

    def update() -> None:
        nonlocal count
        count += 1
        scale = ((1 - BETA2) / (1 - BETA2**count)) ** 0.5
        eps = EPS / scale
        rate = ADAM_RATE * (1 - BETA1) / (1 - BETA1**count) / scale
        for i in range(0, len(p), BLOCK):
            here = slice(i, i + BLOCK)
            gi, mi, vi, pi = g[here], m[here], v[here], p[here]
            t = spare[: len(gi)]
            mi *= BETA1
            mi += gi
            vi *= BETA2
            np.multiply(gi, gi, out=t)
            vi += t
            np.sqrt(vi, out=t)
            t += eps
            np.divide(mi, t, out=t)
            t *= rate
            pi -= t

    return update
