"""DeZero, of the book "Deep Learning from Scratch 3": https://github.com/oreilly-japan/deep-learning-from-scratch-3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from . import Peer

# It was written for an older NumPy, which had a name of its own for Python's int; it is needed while dezero is imported.
with mock.patch.object(np, "int", int, create=True):
    import dezero
    from dezero import functions, functions_conv


def gradients(loss_of: Callable[[list[Any]], Any], parameters: list[Any]) -> tuple[Any, list[Any]]:
    variables = [dezero.Variable(p) for p in parameters]
    loss = loss_of(variables)
    loss.backward()
    return loss.data, [p.grad.data for p in variables]


PEER = Peer(
    gradients=gradients,
    total=functions.sum,
    tanh=functions.tanh,
    relu=functions.relu,
    sigmoid=functions.sigmoid,
    matmul=functions.matmul,
    linear_in_one=functions.linear,
    cross_entropy=functions.softmax_cross_entropy,
    squared_error=lambda z, y: functions.mean_squared_error(z, y) / np.float32(z.shape[1]),
    convolution=functions_conv.conv2d,
    pool=lambda x: functions_conv.pooling(x, 2, 2),
)
