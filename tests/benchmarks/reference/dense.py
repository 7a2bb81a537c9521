"""By hand: tiny operations, and networks of dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pieces import RATE, SMALL_OPS, Dense, Start, Step, adam, in_one_array, sigmoid, softmax_cross_entropy


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
    layers, update = Dense(parameters, gradients, len(start.x)), adam(flat, flat_gradient)
    loss_and_gradient = softmax_cross_entropy(start.y, 10)

    def step() -> Any:
        loss, g = loss_and_gradient(layers.forward(start.x))
        layers.backward(g)
        update()
        return loss

    return step
