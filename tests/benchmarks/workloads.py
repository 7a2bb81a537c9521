"""The workloads: one table, and each model written once for every library that has PyTorch's names.

A model is written with `lib.nn`, where `lib` is tinygrad_edu or torch, as a tutorial writes it; so what is timed is the same
program, only its import differs. reference/ holds the same steps in bare NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_edu

from . import reference
from .reference import ADAM_RATE, RATE, SMALL_OPS, Start, Step

RATES = {"SGD": RATE, "Adam": ADAM_RATE}


@dataclass(frozen=True)
class Goal:
    """The ratios to reach, at most: to bare NumPy and to PyTorch, eager and compiled."""

    to_numpy: float
    to_torch: float
    compiled_to_numpy: float
    compiled_to_torch: float


@dataclass(frozen=True)
class Training:
    """One training step of a model, as every tutorial writes it; `forward` and `gradients` are its beginnings."""

    model: Any
    loss_function: Any
    optimizer: Any
    x: Any
    y: Any

    def forward(self) -> Any:
        return self.loss_function(self.model(self.x), self.y)

    def gradients(self) -> Any:
        loss = self.loss_function(self.model(self.x), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        return loss

    def step(self) -> Any:
        return self.step_on(self.x, self.y)

    def step_on(self, x: Any, y: Any) -> Any:
        loss = self.loss_function(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


@dataclass(frozen=True)
class Workload:
    """One row of the table: a model, and a batch to train it on.

    model: makes the model, from `lib.nn`.
    batch: draws inputs and what the model should say to them.
    reference: the same step in bare NumPy.
    """

    key: str
    title: str
    model: Callable[[Any], Any]
    batch: Callable[[np.random.Generator], tuple[Any, Any]]
    loss: str
    optimizer: str
    reference: Callable[[Start], Step]
    goal: Goal | None = None

    def start(self) -> Start:
        """The parameters and the batch that every contestant starts from."""
        tinygrad_edu.manual_seed(0)
        parameters = [p.detach().numpy().copy() for p in self.model(tinygrad_edu.nn).parameters()]
        return Start(parameters, *map(_single, self.batch(np.random.default_rng(0))))

    def training(self, lib: Any, start: Start) -> Training:
        """The training step for a library with PyTorch's names."""
        model = self.model(lib.nn)
        with lib.no_grad():
            for p, value in zip(model.parameters(), start.parameters, strict=True):
                p.copy_(lib.tensor(value))
        optimizer = getattr(lib.optim, self.optimizer)(model.parameters(), lr=RATES[self.optimizer])
        return Training(model, getattr(lib.nn, self.loss)(), optimizer, lib.tensor(start.x), lib.tensor(start.y))


def _single(x: np.ndarray) -> np.ndarray:
    """Floats as float32."""
    return x.astype("float32") if x.dtype.kind == "f" else x


# -- models ----------------------------------------------------------------------------------------------------------
def iris(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


def nielsen(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())


def deep(nn: Any) -> Any:
    return nn.Sequential(
        nn.Linear(1000, 500), nn.ReLU(), nn.Linear(500, 125), nn.ReLU(), nn.Linear(125, 50), nn.ReLU(), nn.Linear(50, 10)
    )


def lenet(nn: Any) -> Any:
    """LeNet-5 without padding: the sides of the pictures are 28, 24, 12, 8, 4."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def lstm(nn: Any) -> Any:
    class Classifier(nn.Module):
        """What an LSTM knows after the last step, as the scores of 10 classes."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(16, 64)
            self.head = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            output, _ = self.lstm(x)
            return self.head(output[-1])

    return Classifier()


def transformer(nn: Any) -> Any:
    class Block(nn.Module):
        """A block of GPT-2's kind (norm first, without a mask): attention, then a network of two layers at each position."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(64)
            self.attention = nn.MultiheadAttention(64, 4, batch_first=True)
            self.norm2 = nn.LayerNorm(64)
            self.network = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 64))

        def forward(self, x: Any) -> Any:
            h = self.norm1(x)
            x = x + self.attention(h, h, h, need_weights=False)[0]
            return x + self.network(self.norm2(x))

    return Block()


# -- batches ---------------------------------------------------------------------------------------------------------
def labelled(*shape: int, classes: int, one_hot: bool = False, samples_at: int = 0) -> Callable[[Any], tuple[Any, Any]]:
    """Random inputs of this shape, and a random class for each sample; samples are counted by the dim `samples_at`."""

    def draw(rng: np.random.Generator) -> tuple[Any, Any]:
        x, labels = rng.uniform(0, 1, shape), rng.integers(0, classes, shape[samples_at])
        return x, np.eye(classes)[labels] if one_hot else labels

    return draw


def sequences(rng: np.random.Generator) -> tuple[Any, Any]:
    """Vectors, and others of the same shape to be approached."""
    return rng.normal(size=(8, 32, 64)), rng.normal(size=(8, 32, 64))


# -- the workload that has no model ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class SmallOps:
    """99 operations on 8 numbers, forward and backward; `length` times add, mul, tanh."""

    key: str
    title: str
    reference: Callable[[Start], Step]
    goal: Goal | None = None
    length: int = SMALL_OPS

    def start(self) -> Start:
        """Two inputs of 8 numbers; near 1, so that 33 products of gradients do not vanish."""
        rng = np.random.default_rng(0)
        return Start([rng.uniform(0.7, 1.2, 8).astype("float32") for _ in range(2)])

    def training(self, lib: Any, start: Start) -> SmallOpsTraining:
        """The operations for a library with PyTorch's names."""
        a, b = (lib.tensor(p, requires_grad=True) for p in start.parameters)
        return SmallOpsTraining(a, b, self.length)


@dataclass(frozen=True)
class SmallOpsTraining:
    """What `Training` is for a model, but nothing is trained."""

    a: Any
    b: Any
    length: int

    def forward(self) -> Any:
        h = self.a
        for _ in range(self.length):
            h = ((h + self.b) * self.b).tanh()
        return h.sum()

    def step(self) -> Any:
        value = self.forward()
        self.a.grad = self.b.grad = None
        value.backward()
        return value

    gradients = step


# -- the table -------------------------------------------------------------------------------------------------------
def flux_sine(key: str, title: str, batch: int, goal: Goal | None = None) -> Workload:
    return Workload(key, title, deep, labelled(batch, 1000, classes=10), "CrossEntropyLoss", "Adam", reference.deep, goal)


WORKLOADS: list[SmallOps | Workload] = [  # a workload more is an entry more, and its step in reference/
    SmallOps("a", "99 tiny ops on 8 numbers", reference.small_ops, Goal(2.5, 0.45, 1.05, 0.18)),
    Workload(
        "b",
        "Iris 4-16-3, batch 16, SGD",
        iris,
        labelled(16, 4, classes=3),
        "CrossEntropyLoss",
        "SGD",
        reference.iris,
        Goal(1.8, 0.16, 1.15, 0.10),
    ),
    Workload(
        "c",
        "Nielsen 784-30-10, batch 10, SGD",
        nielsen,
        labelled(10, 784, classes=10, one_hot=True),
        "MSELoss",
        "SGD",
        reference.nielsen,
        Goal(1.6, 0.18, 1.15, 0.12),
    ),
    flux_sine("d", "Flux sine 1000-…-10, batch 64, Adam", 64, Goal(1.10, 0.95, 1.0, 0.85)),
    Workload(
        "e",
        "LeNet 28x28, batch 32, Adam",
        lenet,
        labelled(32, 1, 28, 28, classes=10),
        "CrossEntropyLoss",
        "Adam",
        reference.lenet,
        Goal(1.15, 0.45, 0.95, 0.35),
    ),
    Workload(
        "f",
        "LSTM 16-64, T=32, batch 16, Adam",
        lstm,
        labelled(32, 16, 16, classes=10, samples_at=1),
        "CrossEntropyLoss",
        "Adam",
        reference.lstm,
        Goal(1.15, 0.70, 0.88, 0.55),
    ),
    Workload(
        "g",
        "transformer block, batch 8, Adam",
        transformer,
        sequences,
        "MSELoss",
        "Adam",
        reference.transformer,
        Goal(1.15, 0.65, 0.95, 0.52),
    ),
]

ON_MNIST = [w for w in WORKLOADS if isinstance(w, Workload) and w.model in (nielsen, lenet)]
MEMORY = flux_sine("d4096", "the peak of d at batch 4096", 4096)


def chain(lib: Any, length: int) -> Step:
    """A chain of additions, forward and backward: does the cost of an op stay the same in a long one?"""
    a, b = (lib.tensor(np.ones(8, "float32"), requires_grad=True) for _ in range(2))

    def step() -> Any:
        h = a
        for _ in range(length):
            h = h + b
        a.grad = b.grad = None
        h.sum().backward()

    return step
