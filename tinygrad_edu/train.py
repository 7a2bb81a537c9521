"""Training loops. For now: a small network on Iris, written with nothing but tensors and backward."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .data import iris
from .op import no_grad
from .ops.indexing import gather
from .ops.reduction import log_softmax, mean
from .tensor import Tensor


class Result(NamedTuple):
    """What a training run gives: the mean loss of every epoch, and how many held-out samples were right."""

    losses: list[float]
    correct: int
    held_out: int

    @property
    def accuracy(self) -> float:
        return self.correct / self.held_out


def train_iris(epochs: int = 60, seed: int = 0, console: Console | None = None) -> Result:
    """Train 4 → 16 → 3 with tanh and cross-entropy on 120 irises, by gradient descent with momentum; test on the other 30."""
    rng = np.random.default_rng(seed)
    table = iris()
    order = rng.permutation(150)
    train, test = order[:120], order[120:]
    x = table.features
    centre, width = x[train].mean(0), x[train].std(0)
    x, labels = (x - centre) / width, table.labels

    w1 = Tensor(rng.normal(0, 0.5, (4, 16)), dtype="float32", requires_grad=True, name="w1")
    b1 = Tensor(np.zeros(16), dtype="float32", requires_grad=True, name="b1")
    w2 = Tensor(rng.normal(0, 0.25, (16, 3)), dtype="float32", requires_grad=True, name="w2")
    b2 = Tensor(np.zeros(3), dtype="float32", requires_grad=True, name="b2")
    parameters = [w1, b1, w2, b2]
    velocity = [np.zeros_like(p.array) for p in parameters]

    def logits(batch: Tensor) -> Tensor:
        return (batch @ w1 + b1).tanh() @ w2 + b2

    losses = []
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=epochs, loss=float("nan"))
        for _ in range(epochs):
            total = 0.0
            for batch in np.split(rng.permutation(train), 8):
                chosen = gather(log_softmax(logits(x[batch]), 1), 1, labels[batch].unsqueeze(1))
                loss = -mean(chosen)
                loss.backward()
                with no_grad():
                    for p, v in zip(parameters, velocity, strict=True):
                        v *= 0.9
                        v += p.grad.array  # type: ignore[union-attr]
                        p -= 0.05 * v
                        p.grad = None
                total += loss.item() / 8
            losses.append(total)
            progress.update(bar, advance=1, loss=total)
    with no_grad():
        correct = int((logits(x[test]).argmax(1) == labels[test]).sum())
    return Result(losses, correct, len(test))
