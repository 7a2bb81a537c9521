"""The workloads by hand: bare NumPy, no autograd, in place where that helps. The limit for an engine on NumPy.

Each function takes a `Start` and returns a step: called, it does one training step and returns the loss.
These are frozen: a ratio means something over time only as long as its reference stays the same.
What saves time on small arrays: constants that are arrays already (a Python number is made into one at each call), products
with ones in place of sums, `dot` in place of `@`.
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

Step = Callable[[], Any]


class Start(NamedTuple):
    """What every contestant starts from: parameters (weights as (out, in), then biases, layer by layer) and one batch."""

    parameters: list[np.ndarray]
    x: Any = None
    y: Any = None


def small_ops_forward(start: Start) -> Step:
    """99 operations on 8 numbers."""
    a, b = start.parameters

    def step() -> Any:
        h = a
        for _ in range(SMALL_OPS):
            h = h + b
            h *= b
            np.tanh(h, out=h)
        return h.sum()

    return step


def small_ops(start: Start) -> Step:
    """99 operations on 8 numbers, and the gradients of both inputs."""
    a, b = start.parameters
    one = np.ones_like(a)

    def step() -> Any:
        h, kept = a, []
        for _ in range(SMALL_OPS):
            total = h + b
            h = np.tanh(total * b)
            kept.append((total, h))
        value, g, gb = h.sum(), one, np.zeros_like(b)
        for total, z in reversed(kept):
            g = g * (one - z * z)
            gb += g * total
            g *= b
            gb += g
        return value

    return step


def iris(start: Start) -> Step:
    """4-16-3, ReLU, softmax cross-entropy, gradient descent."""
    w1, b1, w2, b2 = (p.copy() for p in start.parameters)
    x, rate, zero, one = start.x, np.array(RATE, "float32"), np.array(0, "float32"), np.ones(len(start.x), "float32")
    loss_and_gradient = softmax_cross_entropy(start.y, len(b2))

    def step() -> Any:
        nonlocal w1, b1, w2, b2
        h = x.dot(w1.T)
        h += b1
        np.maximum(h, zero, out=h)
        z = h.dot(w2.T)
        z += b2
        loss, gz = loss_and_gradient(z)
        gh = gz.dot(w2)
        gh *= h > zero
        w2 -= rate * gz.T.dot(h)
        b2 -= rate * one.dot(gz)
        w1 -= rate * gh.T.dot(x)
        b1 -= rate * one.dot(gh)
        return loss

    return step


def nielsen(start: Start) -> Step:
    """784-30-10, sigmoid, mean squared error, gradient descent."""
    w1, b1, w2, b2 = (p.copy() for p in start.parameters)
    x, y, rate, one = start.x, start.y, np.array(RATE, "float32"), np.ones(len(start.x), "float32")
    unit, scale = np.array(1, "float32"), np.array(2 / y.size, "float32")

    def step() -> Any:
        nonlocal w1, b1, w2, b2
        h = sigmoid(x.dot(w1.T), b1, unit)
        z = sigmoid(h.dot(w2.T), b2, unit)
        gz = z - y
        loss = np.vdot(gz, gz) / y.size
        gz *= scale
        gz *= z
        gz *= np.subtract(unit, z, out=z)
        gh = gz.dot(w2)
        w2 -= rate * gz.T.dot(h)
        b2 -= rate * one.dot(gz)
        gh *= h
        gh *= np.subtract(unit, h, out=h)
        w1 -= rate * gh.T.dot(x)
        b1 -= rate * one.dot(gh)
        return loss

    return step


def deep(start: Start) -> Step:
    """1000-500-125-50-10, ReLU, softmax cross-entropy, Adam."""
    flat, parameters = in_one_array(start.parameters)
    flat_gradient, gradients = in_one_array(start.parameters)
    weights, biases = parameters[::2], parameters[1::2]
    layers = len(weights)
    update = adam(flat, flat_gradient)
    x, one = start.x, np.ones(len(start.x), "float32")
    loss_and_gradient = softmax_cross_entropy(start.y, len(biases[-1]))

    def step() -> Any:
        h = [x]
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = h[-1].dot(w.T)
            z += b
            if i < layers - 1:
                np.maximum(z, 0, out=z)
                h.append(z)
        loss, g = loss_and_gradient(z)
        for i in reversed(range(layers)):
            np.dot(g.T, h[i], out=gradients[2 * i])
            np.dot(one, g, out=gradients[2 * i + 1])
            if i:
                g = g.dot(weights[i])
                g *= h[i] > 0
        update()
        return loss

    return step


# -- the pieces ------------------------------------------------------------------------------------------------------
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
