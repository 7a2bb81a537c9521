"""A compiled function does what the function itself does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, autograd, nn, optim
from tinygrad_edu.compiler import CompileError, compile
from tinygrad_edu.testing import assert_close

from .cases import Case
from .test_catalogue import every_row, leaves, tensors_of, what

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

# Rows whose results' sizes, or whose way, depend on numbers: refused.
REFUSED: dict[str, str] = {}


@every_row
def test_every_operation(case: Case) -> None:
    """Value and gradients of every row of the catalogue, recorded, and replayed on other numbers."""
    for n, (arrays, settings) in enumerate(case.samples()):

        def step(*inputs: Tensor) -> Any:
            found = [z for z in leaves(case.function(*inputs, **settings)) if isinstance(z, Tensor)]
            roots = [z for z in found if z.requires_grad]
            variables = [x for x in inputs if x.requires_grad]
            seeds = [tg.ones_like(z) * 0.5 for z in roots]
            grads = autograd.grad(roots, variables, seeds, materialize_grads=True) if roots else ()
            return found, grads

        compiled = compile(step)
        try:
            compiled(*tensors_of(arrays))
        except CompileError:
            REFUSED[case.name] = "x"
            return
        again = [a for i, (a, s) in enumerate(case.samples(seed=1)) if i == n][0]
        for inputs in (arrays, again):
            try:
                expected = step(*tensors_of(inputs))
            except Exception as error:
                with pytest.raises(type(error)):
                    compiled(*tensors_of(inputs))
                continue
            found = compiled(*tensors_of(inputs))
            for z, e in zip(list(leaves([*found])), list(leaves([*expected])), strict=True):
                assert z.shape == e.shape and z.dtype == e.dtype
                np.testing.assert_allclose(
                    z.numpy(force=True), e.numpy(force=True), rtol=1e-12, atol=1e-13, err_msg=what(arrays, settings)
                )


# -- training ----------------------------------------------------------------------------------------------------------
class Reader(nn.Module):
    """Words in, a class out: embedding, LSTM, the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.lstm, self.out = nn.Embedding(11, 6), nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lstm(self.words(x))[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.block(self.words(x)).mean(1))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.GELU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.SiLU(), nn.LayerNorm(8), nn.Linear(8, 3))


class Recurrent(nn.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.rnn, self.out = kind(6, 5, num_layers=2), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rnn(x[None].repeat(4, 1, 1))[0][-1])


MODELS: dict[str, tuple[Any, Any]] = {  # a model, and the shape of a sample (None: word numbers)
    "mlp": (mlp, (6,)),
    "cnn": (cnn, (1, 12, 12)),
    "norms": (normed, (6,)),
    "rnn": (lambda: Recurrent(nn.RNN), (6,)),
    "gru": (lambda: Recurrent(nn.GRU), (6,)),
    "lstm": (Reader, None),
    "transformer": (Attention, None),
}
OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1),
}


def batches(shape: Any, sizes: list[int]) -> list[tuple[Tensor, Tensor]]:
    rng = np.random.default_rng(0)
    found = []
    for n in sizes:
        x = rng.integers(0, 11, (n, 7)) if shape is None else rng.normal(size=(n, *shape)).astype("float32")
        found.append((tg.tensor(x), tg.tensor(rng.integers(0, 3, n))))
    return found


def train(model: nn.Module, optimizer: Any, data: list, wrap: Any, schedule: bool = False, clip: bool = False) -> list[float]:
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

    def step(x: Tensor, y: Tensor) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        if schedule:
            scheduler.step()
        return loss

    step = wrap(step)
    return [step(x, y).item() for x, y in data]


def same_state(a: Any, b: Any) -> None:
    """Parameters, buffers, gradients, and the optimizers' states."""
    (model, optimizer), (other, second) = a, b
    for (name, p), q in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        np.testing.assert_allclose(p.numpy(force=True), q.numpy(force=True), rtol=2e-5, atol=2e-6, err_msg=name)
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
        np.testing.assert_allclose(p.grad.array, q.grad.array, rtol=2e-4, atol=2e-6, err_msg=name)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        held, also = optimizer.state[p], second.state[q]
        assert held.keys() == also.keys()
        for key in held:
            np.testing.assert_allclose(held[key], also[key], rtol=2e-4, atol=2e-6, err_msg=key)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_training(name: str, kind: str) -> None:
    """Losses, parameters, gradients, running statistics and optimizers' states, step by step; the last batch is smaller."""
    make, shape = MODELS[name]
    found = []
    for wrap in (lambda f: f, compile):
        tg.manual_seed(0)
        model = make()
        optimizer = OPTIMIZERS[kind](model.parameters())
        losses = train(model, optimizer, batches(shape, [5, 5, 5, 5, 3, 5, 3, 5]), wrap, schedule=True, clip=kind == "SGD")
        found.append((losses, model, optimizer))
    (eager, *a), (compiled, *b) = found
    np.testing.assert_allclose(compiled, eager, rtol=1e-5)
    same_state(a, b)
