"""The workloads: one table, and each step written once for every library that has PyTorch's names.

A step takes the library as `lib` (tinygrad_edu or torch) and a `Start`, and returns the step to be timed. So what is timed
is the same program; only its import differs. reference.py holds the same steps in bare NumPy.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from . import reference
from .reference import ADAM_RATE, RATE, SMALL_OPS, Start, Step


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    start: makes the parameters and the batch, the same for every contestant.
    reference: the step in bare NumPy.
    step: the same step for a library with PyTorch's names.
    goal: the ratios to reach, to bare NumPy and to PyTorch.
    """

    key: str
    title: str
    start: Callable[[], Start]
    reference: Callable[[Start], Step]
    step: Callable[[Any, Start], Step]
    goal: tuple[float, float] | None = None


# -- where everybody starts ------------------------------------------------------------------------------------------
def small() -> Start:
    """Two inputs of 8 numbers; near 1, so that 33 products of gradients do not vanish."""
    rng = np.random.default_rng(0)
    return Start([rng.uniform(0.7, 1.2, 8).astype("float32") for _ in range(2)])


def network(*sizes: int, batch: int, one_hot: bool = False) -> Callable[[], Start]:
    """Fully connected layers of these sizes, and a batch of random inputs and labels."""

    def start() -> Start:
        rng = np.random.default_rng(0)
        parameters = []
        for fan_in, fan_out in pairwise(sizes):
            parameters.append(rng.normal(0, (2 / fan_in) ** 0.5, (fan_out, fan_in)).astype("float32"))
            parameters.append(rng.normal(0, 0.1, fan_out).astype("float32"))
        x = rng.uniform(0, 1, (batch, sizes[0])).astype("float32")
        labels = rng.integers(0, sizes[-1], batch)
        return Start(parameters, x, np.eye(sizes[-1], dtype="float32")[labels] if one_hot else labels)

    return start


# -- the steps -------------------------------------------------------------------------------------------------------
def small_ops_forward(lib: Any, start: Start) -> Step:
    a, b = tracked(lib, start)

    def step() -> Any:
        h = a
        for _ in range(SMALL_OPS):
            h = ((h + b) * b).tanh()
        return h.sum()

    return step


def small_ops(lib: Any, start: Start) -> Step:
    a, b = tracked(lib, start)

    def step() -> Any:
        h = a
        for _ in range(SMALL_OPS):
            h = ((h + b) * b).tanh()
        value = h.sum()
        a.grad = b.grad = None
        value.backward()
        return value

    return step


def iris(lib: Any, start: Start) -> Step:
    f = functional(lib)
    parameters = w1, b1, w2, b2 = tracked(lib, start)
    x, labels = lib.tensor(start.x), lib.tensor(start.y)

    def step() -> Any:
        h = lib.relu(f.linear(x, w1, b1))
        loss = f.cross_entropy(f.linear(h, w2, b2), labels)
        loss.backward()
        descend(lib, parameters)
        return loss

    return step


def nielsen(lib: Any, start: Start) -> Step:
    f = functional(lib)
    parameters = w1, b1, w2, b2 = tracked(lib, start)
    x, y = lib.tensor(start.x), lib.tensor(start.y)

    def step() -> Any:
        h = lib.sigmoid(f.linear(x, w1, b1))
        loss = f.mse_loss(lib.sigmoid(f.linear(h, w2, b2)), y)
        loss.backward()
        descend(lib, parameters)
        return loss

    return step


def deep(lib: Any, start: Start) -> Step:
    f = functional(lib)
    parameters = w1, b1, w2, b2, w3, b3, w4, b4 = tracked(lib, start)
    x, labels = lib.tensor(start.x), lib.tensor(start.y)
    optimizer = importlib.import_module(lib.__name__ + ".optim").Adam(parameters, lr=ADAM_RATE)

    def step() -> Any:
        h = lib.relu(f.linear(x, w1, b1))
        h = lib.relu(f.linear(h, w2, b2))
        h = lib.relu(f.linear(h, w3, b3))
        loss = f.cross_entropy(f.linear(h, w4, b4), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def chain(lib: Any, length: int) -> Step:
    """A chain of additions, forward and backward: does the cost of an op stay the same in a long one?"""
    a, b = tracked(lib, small())

    def step() -> Any:
        h = a
        for _ in range(length):
            h = h + b
        a.grad = b.grad = None
        h.sum().backward()

    return step


# -- the pieces ------------------------------------------------------------------------------------------------------
def tracked(lib: Any, start: Start) -> list[Any]:
    """The parameters as tensors that require grad."""
    return [lib.tensor(p, requires_grad=True) for p in start.parameters]


def descend(lib: Any, parameters: list[Any]) -> None:
    """One step of gradient descent by hand."""
    with lib.no_grad():
        for p in parameters:
            p -= RATE * p.grad
            p.grad = None


def functional(lib: Any) -> Any:
    """lib.nn.functional; until tinygrad_edu has it, what is needed of it, from its operations."""
    return getattr(getattr(lib, "nn", None), "functional", None) or _Functional(lib)


class _Functional:
    def __init__(self, lib: Any) -> None:
        self.linear, self._lib = lib.linear, lib

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        return -self._lib.log_softmax(logits, 1).gather(1, labels.unsqueeze(1)).mean()

    def mse_loss(self, z: Any, y: Any) -> Any:
        return ((z - y) ** 2).mean()


IRIS, NIELSEN = network(4, 16, 3, batch=16), network(784, 30, 10, batch=10, one_hot=True)
LARGE = 1000, 500, 125, 50, 10

WORKLOADS = [  # the table: a workload more is an entry more, and its step in reference.py
    Workload("a1", "99 tiny ops, forward only", small, reference.small_ops_forward, small_ops_forward),
    Workload("a", "99 tiny ops: add, mul, tanh", small, reference.small_ops, small_ops, (2.5, 0.45)),
    Workload("b", "Iris 4-16-3, batch 16, SGD", IRIS, reference.iris, iris, (1.8, 0.16)),
    Workload("c", "Nielsen 784-30-10, batch 10, SGD", NIELSEN, reference.nielsen, nielsen, (1.6, 0.18)),
    Workload("d", "1000-500-125-50-10, batch 64, Adam", network(*LARGE, batch=64), reference.deep, deep, (1.10, 0.95)),
]

MEMORY = Workload("d4096", "the peak of d at batch 4096", network(*LARGE, batch=4096), reference.deep, deep)
