"""Autograd, of the Harvard Intelligent Probabilistic Systems Group: https://github.com/HIPS/autograd."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from autograd.scipy.signal import convolve

from . import Peer


def cross_entropy(z: Any, labels: Any) -> Any:
    z = z - anp.max(z, axis=1, keepdims=True)
    return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - z[np.arange(len(labels)), labels])


def pool(x: Any) -> Any:
    n, channels, rows, columns = x.shape
    return anp.max(anp.reshape(x, (n, channels, rows // 2, 2, columns // 2, 2)), axis=(3, 5))


def convolution(x: Any, w: Any, b: Any) -> Any:
    """Its own convolution turns the kernel around, and is computed in the inputs' dtype."""
    z = convolve(x, w[:, :, ::-1, ::-1], axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")
    return z + anp.reshape(b, (1, -1, 1, 1))


PEER = Peer(
    gradients=lambda loss_of, parameters: value_and_grad(loss_of)(parameters),
    total=anp.sum,
    tanh=anp.tanh,
    relu=lambda x: anp.maximum(x, 0),
    sigmoid=lambda x: 1 / (1 + anp.exp(-x)),
    matmul=anp.dot,
    cross_entropy=cross_entropy,
    squared_error=lambda z, y: anp.mean((z - y) ** 2),
    convolution=convolution,
    pool=pool,
    like_numpy=anp,
)
