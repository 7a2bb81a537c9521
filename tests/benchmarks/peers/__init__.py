"""Other engines in Python, where they are installed: `Peer` is what each must say, the models are written here once for all.

Their parameters are pieces of one flat array, and the optimizers are those of the reference: so the engines are compared, and
not their optimizers. Weights are (in, out), as most of these libraries have them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..reference import RATE, SMALL_OPS, Start, Step
from ..reference.pieces import adam, in_one_array

INSTALL = {"mygrad": "mygrad", "autograd": "autograd", "dezero": "dezero", "minitorch": "minitorchbr"}  # file here: pip's name


@dataclass(frozen=True)
class Peer:
    """What a library calls the operations of the models; None for what it does not have.

    gradients: of a loss made from parameters, (the loss as a number, its gradients as arrays), from a function and arrays.
    constant: makes of an array what the operations take.
    like_numpy: a namespace with NumPy's names, whose matmul, reshape and transpose take more than 2 dims.
    """

    gradients: Callable[[Callable[[list[Any]], Any], list[np.ndarray]], tuple[Any, list[Any]]]
    total: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    relu: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    matmul: Callable[[Any, Any], Any]
    cross_entropy: Callable[[Any, Any], Any]
    squared_error: Callable[[Any, Any], Any]
    linear_in_one: Callable[[Any, Any, Any], Any] | None = None
    constant: Callable[[Any], Any] = lambda x: x
    convolution: Callable[[Any, Any, Any], Any] | None = None
    pool: Callable[[Any], Any] | None = None
    slices: bool = True
    like_numpy: Any = None

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        return self.matmul(x, w) + b if self.linear_in_one is None else self.linear_in_one(x, w, b)


def by_backward(tensor: Callable[[Any], Any], gradient: Callable[[Any], Any]) -> Callable[..., tuple[Any, list[Any]]]:
    """The `gradients` of a library whose losses have `backward()`. tensor: makes one of an array; gradient: the array that it has then."""

    def gradients(loss_of: Callable[[list[Any]], Any], parameters: list[Any]) -> tuple[Any, list[Any]]:
        tensors = [tensor(p) for p in parameters]
        loss = loss_of(tensors)
        loss.backward()
        return loss.data, [gradient(t) for t in tensors]

    return gradients


# -- models ----------------------------------------------------------------------------------------------------------
def small_ops(peer: Peer, parameters: list[Any], x: Any, y: Any) -> Any:
    a, b = parameters
    h = a
    for _ in range(SMALL_OPS):
        h = peer.tanh((h + b) * b)
    return peer.total(h)


def dense(peer: Peer, parameters: list[Any], x: Any, bend: Callable[[Any], Any]) -> Any:
    pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
    for w, b in pairs[:-1]:
        x = bend(peer.linear(x, w, b))
    return peer.linear(x, *pairs[-1])


def classifier(peer: Peer, parameters: list[Any], x: Any, y: Any) -> Any:
    return peer.cross_entropy(dense(peer, parameters, x, peer.relu), y)


def nielsen(peer: Peer, parameters: list[Any], x: Any, y: Any) -> Any:
    return peer.squared_error(peer.sigmoid(dense(peer, parameters, x, peer.sigmoid)), y)


def lenet(peer: Peer, parameters: list[Any], x: Any, y: Any) -> Any:
    assert peer.convolution is not None
    assert peer.pool is not None
    for w, b in (parameters[:2], parameters[2:4]):
        x = peer.pool(peer.relu(peer.convolution(x, w, b)))
    return classifier(peer, parameters[4:], x.reshape(len(x), -1), y)


def lstm(peer: Peer, parameters: list[Any], x: Any, y: Any) -> Any:
    w_ih, w_hh, b_ih, b_hh, w, b = parameters
    bias = b_ih + b_hh
    h = c = None
    for step in x:
        a = peer.linear(step, w_ih, bias)
        a = a if h is None else a + peer.matmul(h, w_hh)
        i, f, o = (peer.sigmoid(a[:, k : k + 64]) for k in (0, 64, 192))
        new = i * peer.tanh(a[:, 128:192])
        c = new if c is None else f * c + new
        h = o * peer.tanh(c)
    return peer.cross_entropy(peer.linear(h, w, b), y)


def transformer(peer: Peer, parameters: list[Any], x: Any, y: Any) -> Any:
    lib = peer.like_numpy
    w1, b1, w_in, b_in, w_out, b_out, w2, b2, *network = parameters
    samples, steps, width = x.shape

    def norm(x: Any, w: Any, b: Any) -> Any:
        x = x - lib.mean(x, axis=-1, keepdims=True)
        return x / lib.sqrt(lib.mean(x * x, axis=-1, keepdims=True) + 1e-5) * w + b

    x, y = x.reshape(-1, width), y.reshape(-1, width)
    qkv = peer.linear(norm(x, w1, b1), w_in, b_in)
    q, k, v = lib.transpose(lib.reshape(qkv, (samples, steps, 3, 4, width // 4)), (2, 0, 3, 1, 4))
    match = lib.exp(lib.matmul(q * 0.25, lib.transpose(k, (0, 1, 3, 2))))
    mixed = lib.matmul(match / lib.sum(match, axis=-1, keepdims=True), v)
    x = x + peer.linear(lib.reshape(lib.transpose(mixed, (0, 2, 1, 3)), (-1, width)), w_out, b_out)
    return peer.squared_error(x + dense(peer, network, norm(x, w2, b2), peer.relu), y)


# -- their steps -----------------------------------------------------------------------------------------------------
MODELS: dict[str, Callable[[Peer, list[Any], Any, Any], Any]] = {
    "a": small_ops,
    "b": classifier,
    "c": nielsen,
    "d": classifier,
    "d4096": classifier,
    "e": lenet,
    "f": lstm,
    "g": transformer,
}


def installed() -> dict[str, Peer]:
    """The peers that can be imported, by their names."""
    found = {}
    for name in INSTALL:
        with suppress(ImportError):
            found[name] = importlib.import_module(f"{__name__}.{name}").PEER
    return found


def can(peer: Peer, key: str) -> bool:
    """Whether the peer has the operations of this workload."""
    needs = {"e": peer.convolution is not None, "f": peer.slices, "g": peer.like_numpy is not None}
    return needs.get(key, True)


def step_of(peer: Peer, key: str, optimizer: str | None, start: Start) -> Step:
    """The training step of a workload with this peer."""
    arrays = [np.ascontiguousarray(p.T) if p.ndim == 2 else p for p in start.parameters]
    flat, parameters = in_one_array(arrays)
    flat_gradient, gradients = in_one_array(arrays)
    x, y = (value if value is None else peer.constant(value) for value in (start.x, start.y))
    loss_of = partial(MODELS[key], peer)

    def descend() -> None:
        np.subtract(flat, RATE * flat_gradient, out=flat)

    update = {"Adam": adam(flat, flat_gradient), "SGD": descend, None: lambda: None}[optimizer]

    def step() -> Any:
        loss, found = peer.gradients(lambda tensors: loss_of(tensors, x, y), parameters)
        for gradient, g in zip(gradients, found, strict=True):
            gradient[...] = g
        update()
        return loss

    return step
