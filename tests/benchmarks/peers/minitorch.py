"""MiniTorch, by BriceLucifer: https://pypi.org/project/minitorchbr."""

from __future__ import annotations

import MiniTorch
import numpy as np

from . import Peer, by_backward

PEER = Peer(
    gradients=by_backward(MiniTorch.Variable, lambda p: p.grad.data),
    total=MiniTorch.sum,
    tanh=MiniTorch.tanh,
    relu=MiniTorch.relu,
    sigmoid=MiniTorch.sigmoid,
    matmul=MiniTorch.matmul,
    cross_entropy=MiniTorch.softmax_cross_entropy,
    squared_error=lambda z, y: MiniTorch.mean_squared_error(z, y) / np.float32(z.shape[1]),
    constant=MiniTorch.Variable,
    slices=False,
)
