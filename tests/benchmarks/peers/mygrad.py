"""MyGrad: https://mygrad.readthedocs.io."""

from __future__ import annotations

from functools import partial

import mygrad
from mygrad.nnet import activations, layers, losses

from . import Peer, by_backward

mygrad.turn_memory_guarding_off()  # its faster mode

PEER = Peer(
    gradients=by_backward(partial(mygrad.tensor, copy=False), lambda p: p.grad),
    total=mygrad.sum,
    tanh=mygrad.tanh,
    relu=activations.relu,
    sigmoid=activations.sigmoid,
    matmul=mygrad.matmul,
    cross_entropy=losses.softmax_crossentropy,
    squared_error=lambda z, y: mygrad.mean((z - y) ** 2),
    convolution=lambda x, w, b: layers.conv_nd(x, w, stride=1) + b.reshape(1, -1, 1, 1),
    pool=lambda x: layers.max_pool(x, (2, 2), 2),
    like_numpy=mygrad,
)
