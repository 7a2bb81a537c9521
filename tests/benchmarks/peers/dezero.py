"""DeZero, of the book "Deep Learning from Scratch 3": https://github.com/oreilly-japan/deep-learning-from-scratch-3."""

from __future__ import annotations

from unittest import mock

import numpy as np

from . import Peer, by_backward

# It was written for an older NumPy, which had a name of its own for Python's int; it is needed while dezero is imported.
with mock.patch.object(np, "int", int, create=True):
    import dezero
    from dezero import functions, functions_conv

PEER = Peer(
    gradients=by_backward(dezero.Variable, lambda p: p.grad.data),
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
