"""MiniTorch, by BriceLucifer: https://pypi.org/project/minitorchbr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import MiniTorch
import numpy as np

from . import Peer


def gradients(loss_of: Callable[[list[Any]], Any], parameters: list[Any]) -> tuple[Any, list[Any]]:
    variables = [MiniTorch.Variable(p) for p in parameters]
    loss = loss_of(variables)
    loss.backward()
    return loss.data, [p.grad.data for p in variables]


PEER = Peer(
    gradients=gradients,
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
