"""A compiled function does what the function itself does."""

from __future__ import annotations

import contextlib
import io
import random
import re
import runpy
import textwrap
from contextvars import ContextVar
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor, autograd, compiler, nn, optim
from tinygrad_edu.compiler import Compiled, CompileError, compile
from tinygrad_edu.compiler.memory import new_block, share
from tinygrad_edu.errors import GraphError
from tinygrad_edu.metrics import accuracy
from tinygrad_edu.testing import assert_close
from tinygrad_edu.train import ClipGradients, Schedule

from .cases import Case
from .test_catalogue import every_row, leaves, tensors_of, what

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

# Rows that are refused: their results' sizes, or what they do, depend on numbers.
REFUSED = {
    "argwhere", "bincount", "digamma", "embedding_bag", "masked_scatter", "masked_select", "matrix_exp", "max_pick", "max_spread",
    "multilabel_margin_loss", "nonzero", "one_hot", "polygamma", "unique", "unique_consecutive",
}  # fmt: skip


@every_row
def test_every_operation(case: Case) -> None:
    """Value and gradients of every row of the catalogue, recorded, and replayed on other numbers."""
    for n, (arrays, how) in enumerate(case.samples()):

        def step(*inputs: Tensor, how: Any = how) -> Any:
            found = [z for z in leaves(case.function(*inputs, **how)) if isinstance(z, Tensor)]
            roots = [z for z in found if z.requires_grad]
            variables = [x for x in inputs if x.requires_grad]
            seeds = [tg.ones_like(z) * 0.5 for z in roots]
            grads = autograd.grad(roots, variables, seeds, materialize_grads=True) if roots else ()
            return [z.detach() for z in found], grads

        compiled = compile(step)
        try:
            compiled(*tensors_of(arrays))
        except CompileError:
            assert case.name in REFUSED
            continue
        again = list(case.samples(seed=1))[n][0]
        for inputs in (arrays, again):
            try:
                expected = step(*tensors_of(inputs))
            except Exception as error:
                with pytest.raises(type(error)):
                    compiled(*tensors_of(inputs))
                continue
            found = compiled(*tensors_of(inputs))
            for z, e in zip(list(leaves([*found])), list(leaves([*expected])), strict=True):
                assert (z.shape, z.dtype) == (e.shape, e.dtype)
                np.testing.assert_allclose(
                    z.numpy(force=True), e.numpy(force=True), rtol=1e-12, atol=1e-13, err_msg=what(arrays, how)
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
        x = rng.integers(0, 11, (n, 7)) if shape is None else rng.normal(size=(n, *shape))
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
        np.testing.assert_allclose(p.numpy(force=True), q.numpy(force=True), rtol=1e-9, atol=1e-8, err_msg=name)
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
        np.testing.assert_allclose(p.grad.array, q.grad.array, rtol=1e-7, atol=1e-12, err_msg=name)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        held, also = optimizer.state[p], second.state[q]
        assert held.keys() == also.keys()
        for key in held:
            np.testing.assert_allclose(held[key], also[key], rtol=1e-7, atol=1e-8, err_msg=key)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_training(name: str, kind: str) -> None:
    """Losses, parameters, gradients, running statistics and optimizers' states, step by step; the last batch is smaller."""
    make, shape = MODELS[name]
    found = []
    for wrap in (lambda f: f, compile):
        tg.manual_seed(0)
        model = make().double()
        optimizer = OPTIMIZERS[kind](model.parameters())
        losses = train(model, optimizer, batches(shape, [5, 5, 5, 5, 3, 5, 3, 5]), wrap, schedule=True, clip=kind == "SGD")
        found.append((losses, model, optimizer))
    (eager, *a), (compiled, *b) = found
    np.testing.assert_allclose(compiled, eager, rtol=1e-10)
    same_state(a, b)


@pytest.mark.parametrize(
    "callbacks",
    [
        lambda o: [ClipGradients(0.1)],  # between the gradients and the optimizer's step
        lambda o: [],
        lambda o: [optim.lr_scheduler.StepLR(o, 1, 0.7)],
        lambda o: [Schedule(optim.lr_scheduler.ExponentialLR(o, 0.97), every="batch")],
    ],
    ids=["clipped", "plain", "rate by epoch", "rate by batch"],
)
@pytest.mark.parametrize("kind", [optim.Adam, optim.SGD, optim.Adadelta])
def test_fit(callbacks: Any, kind: Any) -> None:
    """fit(compile=True) is fit: history and weights."""
    found = []
    for how in (False, True):
        tg.manual_seed(0)
        model = mlp()
        x, y = tg.randn(50, 6), tg.randint(3, (50,))
        optimizer = kind(model.parameters(), lr=0.01)
        history = tg.fit(
            model, (x, y), loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=7, batch_size=16, metrics=[accuracy],
            validation=(x, y), callbacks=callbacks(optimizer), progress=False, compile=how,
        )  # fmt: skip
        found.append((history, model.state_dict()))
    (eager, weights), (compiled, others) = found
    assert eager.keys() == compiled.keys()
    for name in eager:
        np.testing.assert_allclose(eager[name], compiled[name], rtol=1e-5)
    for name, p in weights.items():
        np.testing.assert_allclose(p.numpy(force=True), others[name].numpy(force=True), rtol=1e-4, atol=1e-6)


def test_a_rate_that_is_set_often_is_no_longer_part_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    w = tg.zeros(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    compiled = settled(descent(optimizer, w.sum))
    for lr in (0.5, 0.25, 0.125, 0.0625):
        optimizer.param_groups[0]["lr"] = lr
        settled(compiled)
    found = recordings(compiled, monkeypatch)
    for lr in (0.75, 0.5, 0.25):
        before = w.item()
        optimizer.param_groups[0]["lr"] = lr
        compiled()
        assert w.item() == before - lr
    assert not found


# -- when it records again ---------------------------------------------------------------------------------------------
def settled(function: Any, *args: Any) -> Any:
    """The compiled function, called until it has a plan for these arguments."""
    compiled = function if isinstance(function, Compiled) else compile(function)
    for _ in range(4):
        compiled(*args)
    assert compiled.plans
    return compiled


def thrice_on_copies(compiled: Any, x: Tensor) -> None:
    """Calls on tensors of the same numbers, without what an earlier call made of them."""
    for _ in range(3):
        compiled(x.clone())


def recordings(compiled: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that grows with each recording."""
    found: list[Any] = []
    record = compiled.record
    monkeypatch.setattr(compiled, "record", lambda *how: (found.append(how), record(*how))[1])
    return found


def test_a_plan_for_each_shape_and_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = settled(lambda x: (x * 2).detach(), tg.ones(3))
    noted = recordings(compiled, monkeypatch)
    compiled(tg.zeros(3))
    assert not noted
    for x in (tg.ones(4), tg.ones(3, 1), tg.ones(3, dtype="float64"), tg.ones(3, requires_grad=True)):
        for _ in range(3):
            assert_close(compiled(x), x.detach() * 2)
    assert len(noted) == 8  # two for each
    assert len(compiled.plans) == 5


def test_python_arguments_are_part_of_the_signature() -> None:
    compiled = settled(lambda x, n: x**n, tg.full((2,), 3.0), 2)
    assert compiled(tg.full((2,), 3.0), 3).tolist() == [27, 27]
    assert compiled(tg.full((2,), 3.0), 2).tolist() == [9, 9]


def test_methods_and_modules() -> None:
    class Model(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.weight = nn.Parameter(tg.full((2,), factor))

        @compile
        def twice(self, x: Tensor) -> Any:
            return (self.weight * x * 2).detach()

        def forward(self, x: Tensor) -> Any:
            return self.weight * x

    a, b = Model(1.0), Model(10.0)
    for _ in range(3):
        assert a.twice(tg.ones(2)).tolist() == [2, 2]
        assert b.twice(tg.ones(2)).tolist() == [20, 20]
    with tg.no_grad():
        compiled = settled(b, tg.ones(2))
        assert compiled(tg.ones(2)).tolist() == [10, 10]
    assert "multiply(weight, x" in str(compiled)


def test_many_kinds_of_arguments_are_warned_of() -> None:
    compiled = compile(lambda x, n: x * n)
    for n in range(16):
        compiled(tg.ones(1), n)
    with pytest.warns(UserWarning, match="17th kind of arguments"):
        compiled(tg.ones(1), 16)
    with pytest.raises(CompileError, match="a bytearray"):
        compiled(tg.ones(1), bytearray(1))


def test_nested_arguments_and_results() -> None:
    f = lambda batch, *, scale: {"sum": batch["a"] + batch["b"][0], "parts": [batch["a"] * scale, None, 3]}
    compiled = compile(f)
    for i in range(5):
        batch = {"a": tg.full((2,), float(i)), "b": (tg.ones(2), "x")}
        assert_close(compiled(batch, scale=2.0)["sum"], f(batch, scale=2.0)["sum"])
        assert_close(compiled(batch, scale=2.0)["parts"][0], batch["a"] * 2)
        assert compiled(batch, scale=2.0)["parts"][1:] == [None, 3]


def test_results_that_are_parts_of_one_array() -> None:
    def places(i: Tensor) -> Tensor:
        row, column = tg.unravel_index(i, (3, 4))
        return tg.cat([row[None], column[None]])

    compiled = tg.compile(places)
    for numbers in ([0, 5, 7, 11], [1, 6, 3, 2], [11, 0, 4, 9], [2, 9, 2, 10]):
        i = tg.tensor(numbers)
        assert compiled(i).tolist() == places(i).tolist() == [[n // 4 for n in numbers], [n % 4 for n in numbers]]
    assert compiled.plans


def test_another_array_in_a_parameter() -> None:
    """p.data = ..., load_state_dict and freezing are noticed."""
    layer = nn.Linear(2, 1, bias=False)
    x = tg.ones(1, 2)

    def step() -> Any:
        layer.zero_grad()
        loss = layer(x).sum()
        if loss.requires_grad:
            loss.backward()
        return loss

    compiled = settled(step)
    layer.weight.data = tg.tensor([[3.0, 4.0]])
    assert compiled().item() == 7
    layer.load_state_dict({"weight": tg.tensor([[1.0, 1.0]])})
    assert compiled().item() == 2
    layer.weight.requires_grad_(False)
    layer.weight.grad = None
    assert compiled().item() == 2
    assert layer.weight.grad is None


def test_training_mode_and_no_grad() -> None:
    layer = nn.Dropout(0.5)
    compiled = settled(lambda x: layer(x), tg.ones(100))
    layer.eval()
    assert compiled(tg.ones(100)).sum().item() == 100
    layer.train()
    assert compiled(tg.ones(100)).sum().item() != 100
    w = tg.ones(2, requires_grad=True)
    compiled = settled(lambda: (w * 2).sum().backward())
    w.grad = None
    with tg.no_grad(), pytest.raises(GraphError):
        compiled()


def descent(optimizer: Any, height: Any) -> Any:
    """A training step down the gradient of height()."""

    def step() -> None:
        optimizer.zero_grad()
        height().backward()
        optimizer.step()

    return step


def test_hooks_around_an_optimizers_step() -> None:
    """A plan that has the step written out is not used any more, and one that calls it calls the hooks with it; then it is as before."""
    w = tg.zeros(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    compiled = settled(descent(optimizer, w.sum))

    def at_least_nought(optimizer: Any, args: tuple, kwargs: dict) -> None:
        w.data.clamp_(min=0.0)

    hook = optimizer.register_step_post_hook(at_least_nought)
    for _ in range(6):
        compiled()
        assert w.item() == 0
    hook.remove()
    compiled()
    assert w.item() == -1


def test_a_changed_learning_rate() -> None:
    """Plain gradient descent is written into the plan, with its rate; another rate is noticed."""
    w = tg.zeros(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)

    compiled = settled(descent(optimizer, w.sum))
    assert "optimizer.step()" not in "\n".join(line for line in str(compiled).splitlines() if "#" not in line)
    before = w.item()
    for lr in (0.5, 0.5, 0.5, 0.5, 0.25, 0.5):
        optimizer.param_groups[0]["lr"] = lr
        compiled()
        assert w.item() == before - lr
        before = w.item()


@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam])
def test_a_rate_that_is_read_after_the_step(kind: Any) -> None:
    w = tg.zeros(1, requires_grad=True)
    optimizer = kind([w], lr=1.0)

    def step() -> float:
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        return optimizer.param_groups[0]["lr"]

    compiled = settled(step)
    for lr in (0.5, 0.5, 0.5, 0.25):
        optimizer.param_groups[0]["lr"] = lr
        assert compiled() == lr


@pytest.mark.parametrize("kind", [optim.SGD, optim.RMSprop, optim.Adam])
@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5),
        lambda o: optim.lr_scheduler.ExponentialLR(o, 0.9),
        lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
        lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, "max", patience=0),  # which reads the loss
    ],
)
def test_a_schedule_in_every_step(kind: Any, schedule: Any) -> None:
    """Its rates are not written down as numbers: they are others in every call."""
    found = []
    for compiled in (False, True):
        w = tg.tensor([1.0, -2.0, 3.0], requires_grad=True)
        optimizer = kind([w], lr=0.1, **({"betas": (0.9, 0.99)} if kind is optim.Adam else {"momentum": 0.5}))
        rates = schedule(optimizer)

        def step(w: Tensor = w, optimizer: Any = optimizer, rates: Any = rates) -> Tensor:
            loss = (w**2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if isinstance(rates, optim.lr_scheduler.ReduceLROnPlateau):
                rates.step(loss)
            else:
                rates.step()
            return loss

        run = compile(step) if compiled else step
        found.append([run().item() for _ in range(12)] + w.tolist() + rates.get_last_lr())
        assert not compiled or len(run.plans) == 1
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_a_loaded_optimizer() -> None:
    """Momentum is memory that the plan writes to; other memory in its place is noticed."""
    w = tg.zeros(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5)

    start = {"state": {0: {"momentum_buffer": tg.ones(1)}}, "param_groups": optimizer.state_dict()["param_groups"]}
    compiled = settled(descent(optimizer, w.sum))
    for _ in range(4):
        optimizer.load_state_dict(start)
        before = w.item()
        compiled()
        compiled()
        assert w.item() == before - 1.5 - 1.75


def _with_adam(wrap: Any) -> tuple[list[Tensor], Any, Any]:
    """Two parameters in groups of their own, Adam, and a step; the second one takes part unless it is frozen."""
    a, b = tg.tensor([1.0, -2.0], requires_grad=True), tg.tensor([[0.5]], requires_grad=True)
    groups = [
        {"params": [("a", a)]},
        {"params": [("b", b), ("never", tg.zeros(1, requires_grad=True))], "lr": 0.05, "amsgrad": True},
    ]
    optimizer = optim.AdamW(groups, lr=0.1, weight_decay=0.1)

    def step(frozen: bool) -> None:
        optimizer.zero_grad()
        ((a * a).sum() if frozen else (a * b).sum() + (b * b).sum()).backward()
        optimizer.step()

    return [a, b], optimizer, wrap(step)


ADAM_EVENTS = ["step"] * 4 + ["frozen"] * 2 + ["lr", "betas", "weight_decay", "count", "moment", "reload", "reset"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(ADAM_EVENTS), max_size=25))
@example(["step"] * 5 + ["frozen"] * 4 + ["step"] * 4 + ["count", "step", "step"])
def test_whatever_happens_to_adam(events: list[str]) -> None:
    """What is set between steps counts in the plan as it does without: rates, counts, moments, other states."""
    both = [_with_adam(wrap) for wrap in (lambda f: f, compile)]
    for i, event in enumerate(["step"] * 4 + events):
        for (a, b), optimizer, step in both:
            if event in ("step", "frozen"):
                step(event == "frozen")
            elif event in ("lr", "weight_decay"):
                optimizer.param_groups[i % 2][event] = 0.01 * (i % 7)
            elif event == "betas":
                optimizer.param_groups[i % 2]["betas"] = (0.5, 0.9)
            elif event == "count":
                optimizer.state[a]["step"] += i
            elif event == "moment":
                optimizer.state[b]["exp_avg"] = optimizer.state[b]["exp_avg"] * 0.5
            elif event == "reload":
                optimizer.load_state_dict(optimizer.state_dict())
            else:
                optimizer.state[a] = optimizer.state[a].copy()
        (eager, one, _), (compiled, two, _) = both
        for p, q in zip(eager, compiled, strict=True):
            np.testing.assert_allclose(q.array, p.array, rtol=1e-5, atol=1e-7)
            held, also = one.state[p], two.state[q]
            assert held.keys() == also.keys()
            assert held["step"] == also["step"]
            assert all(type(x) is type(held[k]) for k, x in also.items())
            np.testing.assert_allclose(also["exp_avg_sq"], held["exp_avg_sq"], rtol=1e-5)


def test_adam_is_written_out() -> None:
    """Its numbers of this step are computed anew, so that another rate needs no other plan."""
    _, optimizer, step = _with_adam(compile)
    for _ in range(3):
        step(False)
    ((plan,),) = step.plans.values()
    assert "optimizer.factors(" in str(plan)
    assert "\n    optimizer.step()" not in str(plan)
    for lr in (0.5, 0.25):
        optimizer.param_groups[0]["lr"] = lr
        step(False)
    assert [*step.plans.values()] == [[plan]]


def test_large_parameters_are_updated_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the plan as without it: they stay in the processor's cache from line to line."""
    monkeypatch.setattr(optim.optimizer, "BLOCK", 8)
    found = []
    for wrap in (lambda f: f, compile):
        w = tg.arange(20.0).reshape(4, 5).requires_grad_()
        optimizer = optim.Adam([w], lr=0.1)
        step = wrap(descent(optimizer, lambda w=w: (w * w).sum()))
        for _ in range(5):
            step()
        found.append(w.tolist())
    assert found[0] == found[1]
    assert str(step).count("sqrt(") == 3


def test_a_formula_of_ones_own_that_counts_steps() -> None:
    """An update that replaces Adam's is not written out: nothing says that it does the same at every step."""

    class Halving(optim.Adam):
        def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
            state["step"] = state.get("step", 0) + 1
            p -= g / 2 ** (state["step"] // 4)

    w = tg.zeros(1, requires_grad=True)
    optimizer = Halving([w])

    compiled = compile(descent(optimizer, w.sum))
    for _ in range(8):
        compiled()
    assert w.item() == -(3 + 4 / 2 + 1 / 4)


@pytest.mark.parametrize("kind", [optim.Adam, optim.SGD, optim.RMSprop])
def test_a_step_with_a_closure_and_an_average_of_the_weights(kind: Any) -> None:
    ends = []
    for wrap in (lambda f: f, compile):
        tg.manual_seed(0)
        words, out = nn.Embedding(7, 3, max_norm=0.5), nn.Linear(3, 2)
        optimizer = kind([*words.parameters(), *out.parameters()], lr=0.05)
        averaged = optim.swa_utils.AveragedModel(out)

        @wrap
        def step(
            x: Tensor, y: Tensor, words: Any = words, out: Any = out, optimizer: Any = optimizer, averaged: Any = averaged
        ) -> Any:
            def closure() -> Tensor:
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(out(words(x)), nn.functional.one_hot(y, 2).float())
                loss.backward()
                return loss

            loss = optimizer.step(closure=closure)
            averaged.update_parameters(out)
            return loss

        for _ in range(6):
            losses = step(tg.randint(7, (5,)), tg.randint(2, (5,)))
        ends.append([losses.item(), *(p.tolist() for p in (*words.parameters(), *averaged.parameters()))])
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-5)
    for eager, compiled in zip(ends[0][1:], ends[1][1:], strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [optim.Adam, optim.SGD])
def test_a_step_of_ones_own(kind: Any) -> None:
    """It may do anything beside the formula, so it runs as ever."""

    class Decaying(kind):
        def step(self, closure: Any = None) -> Any:
            self.param_groups[0]["lr"] *= 0.5
            self.steps_taken = getattr(self, "steps_taken", 0) + 1
            return super().step(closure)

    found = []
    for wrap in (lambda f: f, compile):
        w = tg.ones(2, requires_grad=True)
        optimizer = Decaying([w], lr=1.0)
        step = wrap(descent(optimizer, lambda w=w: (w * w).sum()))
        for _ in range(6):
            step()
        found.append((w.tolist(), optimizer.steps_taken, optimizer.param_groups[0]["lr"]))
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", [optim.Adam, optim.SGD, optim.RMSprop])
def test_a_rate_that_the_function_sets(kind: Any) -> None:
    """A plan would not set it again, so the function runs as ever."""
    found = []
    for wrap in (lambda f: f, compile):
        w = tg.ones(2, requires_grad=True)
        optimizer = kind([w], lr=1.0)

        def step(w: Tensor = w, optimizer: Any = optimizer) -> None:
            optimizer.param_groups[0]["lr"] *= 0.5
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()

        run = wrap(step)
        with contextlib.nullcontext() if run is step else pytest.warns(UserWarning, match=r"in every call it changes lr"):
            for _ in range(6):
                run()
        found.append([*w.tolist(), optimizer.param_groups[0]["lr"]])
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_compiled_within_compiled() -> None:
    inner = compile(lambda x: x * 2)
    outer = settled(lambda x: inner(x) + 1, tg.ones(2))
    assert outer(tg.full((2,), 3.0)).tolist() == [7, 7]


def test_an_error_of_the_function_itself() -> None:
    """It passes as it is, while recording, and what the optimizer held is there afterwards."""
    w = tg.zeros(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5)
    wrong = [False]

    def step(n: int) -> None:
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        if wrong[0]:
            raise ZeroDivisionError

    compiled = settled(step, 1)
    wrong[0] = True
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            compiled(2)
    assert type(optimizer.state[w]["momentum_buffer"]) is np.ndarray
    assert type(w.array) is np.ndarray


# -- random numbers ----------------------------------------------------------------------------------------------------
def test_random_numbers() -> None:
    """A plan draws the numbers that the function would draw, also from a generator of one's own, and after manual_seed."""
    own = tg.Generator()

    def draw(x: Tensor) -> Any:
        return (
            x + tg.rand(3),
            tg.randn(3),
            tg.randint(10, (3,)),
            tg.randperm(5),
            tg.rand(2, generator=own),
            nn.functional.dropout(x),
        )

    compiled = settled(draw, tg.ones(3))
    for seed in (0, 1):
        tg.manual_seed(seed)
        own.manual_seed(seed)
        expected = [draw(tg.ones(3)) for _ in range(3)]
        tg.manual_seed(seed)
        own.manual_seed(seed)
        for e in expected:
            for z, w in zip(compiled(tg.ones(3)), e, strict=True):
                assert_close(z, w)


# -- what a plan owns, and what it does not ----------------------------------------------------------------------------
def test_results_are_not_overwritten() -> None:
    compiled = settled(lambda x: x + 1, tg.zeros(2))
    one = compiled(tg.ones(2))
    compiled(tg.zeros(2))
    assert one.tolist() == [2, 2]


def test_changes_in_place_of_arguments_and_of_what_is_outside() -> None:
    total = tg.zeros(2)

    def f(x: Tensor) -> None:
        x += 1
        total.add_(x)
        total[0] = 7

    compiled, expected = compile(f), 0
    for _ in range(5):
        x = tg.ones(2)
        compiled(x)
        expected += 2
        assert x.tolist() == [2, 2]
        assert total.tolist() == [7, expected]


def test_a_view_of_an_argument_follows_it() -> None:
    def f(x: Tensor) -> Any:
        y = x * 1
        row = y[0]
        y += 1
        row *= 2
        return y, row

    x = tg.ones(2, 2)
    compiled = settled(f, x)
    assert compiled(x)[0].tolist() == [[4, 4], [2, 2]]
    assert compiled(x)[1].tolist() == [4, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda w: nn.utils.clip_grad_norm_([w], 1.0),
        lambda w: nn.utils.clip_grad_value_([w], 1.0),
        lambda w: w.grad.mul_(0.1),
        lambda w: w.grad.data.zero_(),
    ],
)
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.RMSprop])
def test_gradients_from_before_the_call_that_it_changes(change: Any, kind: Any) -> None:
    """An update of its own: the gradients come from elsewhere, and are clipped in place before the step."""
    found = []
    for compiled in (False, True):
        w = tg.zeros(2, requires_grad=True)
        optimizer = kind([w], lr=0.1)

        def update(w: Tensor = w, optimizer: Any = optimizer) -> None:
            change(w)
            optimizer.step()

        run, numbers = compile(update) if compiled else update, []
        for i in range(8):
            w.grad = tg.tensor([30.0 + i, 40.0])
            run()
            numbers += w.tolist() + w.grad.tolist()
        found.append(numbers)
        assert not compiled or run.plans
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [optim.Adam, lambda p, lr: optim.SGD(p, lr, momentum=0.9), optim.RMSprop])
@pytest.mark.parametrize("every", [2, 3, 5])
def test_an_optimizer_that_begins_anew(kind: Any, every: int) -> None:
    """The step that makes its state is no other step's plan."""
    found = []
    for compiled in (False, True):
        w = tg.tensor([1.0, 2.0], requires_grad=True)
        optimizer = kind([w], lr=0.1)
        step = descent(optimizer, lambda w=w: (w**2).sum())
        run, numbers = compile(step) if compiled else step, []
        for i in range(4 * every):
            if i % every == 0:
                optimizer.state.clear()
            run()
            numbers += w.tolist()
        found.append(numbers)
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


factor = 1.0


def scaled(x: Tensor) -> Tensor:
    return x * factor


def test_what_python_holds_around_a_function_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers in variables around it, and around functions that it calls, attributes of a method's object, settings and layers of modules."""
    beta = 1.0
    model = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(0.1), nn.BatchNorm1d(2))
    loss = nn.CrossEntropyLoss()

    class Trainer:
        def __init__(self) -> None:
            self.weight, self.x = 1.0, tg.zeros(0)

        def step(self, x: Tensor) -> Tensor:
            return scaled(self.weighted(loss(model(x), tg.tensor([0, 1])))).detach() * beta

        def weighted(self, x: Tensor) -> Tensor:
            return x * self.weight

    trainer = Trainer()
    compiled = compile(trainer.step)
    trainer.x = x = tg.tensor([[1.0, -5.0], [2.0, 1.0]])  # which the method does not read by itself

    def check() -> None:
        for _ in range(4):
            expected = trainer.step(x).item()
            assert compiled(x).item() == pytest.approx(expected, rel=1e-5)
        assert compiled.plans

    def becomes(kind: Any, name: str, value: Any) -> None:
        setattr(kind, name, value)
        check()

    check()
    beta = 2.0
    check()
    monkeypatch.setitem(globals(), "factor", 3.0)
    check()
    becomes(trainer, "weight", 0.5)
    becomes(model[1], "negative_slope", 0.7)
    becomes(loss, "label_smoothing", 0.2)
    becomes(model[2], "eps", 0.1)
    model[1] = nn.Tanh()
    check()
    model.append(nn.ReLU())
    check()
    del model[3]
    check()
    model[0].register_forward_hook(lambda module, inputs, output: output * 2)
    check()
    second = model[0].register_forward_hook(lambda module, inputs, output: output + 1)
    check()
    second.remove()
    check()
    model[0].weight.requires_grad_().register_hook(lambda g: g * 2)
    check()
    model = nn.Linear(2, 2)
    check()


class Config:
    """What a program keeps its settings in."""

    def __init__(self) -> None:
        self.rate, self.sizes = 2.0, [3.0, 4.0]


config = Config()


class Scaled(nn.Module):
    """A layer whose settings stand elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = [2.0, 5.0]

    def forward(self, x: Tensor) -> Tensor:
        return sum(x * size for size in config.sizes) * self.factors[1]  # type: ignore[return-value]


def test_what_stands_in_lists_dicts_and_objects_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of lists and dicts, in each other too, and of an object's attributes."""
    options: dict[str, Any] = {"scale": 2.0, "more": {"shift": [1.0]}}
    weights = [tg.tensor(2.0), tg.tensor(3.0)]
    layer = Scaled()

    def step(x: Tensor) -> Tensor:
        return layer(x) * options["scale"] * sum(weights) + options["more"]["shift"][0] * config.rate

    compiled = compile(step)

    def check() -> None:
        x = tg.tensor([1.0, 2.0])
        for _ in range(4):
            assert compiled(x).tolist() == pytest.approx(step(x).tolist())
        assert compiled.plans

    check()
    options["scale"] = 3.0
    check()
    options["more"]["shift"][0] = 7.0
    check()
    weights[1] = tg.tensor(5.0)
    check()
    weights.append(tg.tensor(1.0))
    check()
    monkeypatch.setattr(config, "rate", 0.5)
    check()
    config.sizes.append(1.0)
    check()
    config.sizes.pop()
    layer.factors[1] = -1.0
    check()


@pytest.mark.parametrize("kind", [lambda x: x, Tensor.t, lambda x: tg.cat((x, x), 1)[:, :3], lambda x: x[:1].expand(3, 3)])
def test_arguments_that_lie_otherwise_in_memory(kind: Any) -> None:
    """A reshape is a view of some tensors and a copy of others, so whether it changes them differs from one kind to the other."""

    def step(x: Tensor) -> Tensor:
        rows = x.reshape(-1)
        rows += 1
        return rows + 10 * x.reshape(-1)

    compiled = compile(step)
    for _ in range(3):
        compiled(tg.ones(3, 3))
    for _ in range(4):
        for way in (kind, lambda x: x):
            x = way(tg.arange(9.0).reshape(3, 3))
            ours, theirs = (way(tg.arange(9.0).reshape(3, 3)) for _ in range(2))
            assert compiled(ours).tolist() == step(theirs).tolist()
            assert ours.tolist() == theirs.tolist() != x.tolist() or theirs.tolist() == x.tolist()


def test_numbers_that_are_the_same_in_every_call_may_be_read() -> None:
    """What is made of Python's numbers in the call is a constant: it may be read, decide, and say how large a tensor is."""
    lengths = [3, 2, 2, 1]
    rnn = nn.GRU(2, 3, batch_first=True)

    def step(x: Tensor) -> Any:
        steps = tg.arange(3)
        z = sum(x[:, i] * steps[i].item() for i in steps) + x[:, int(steps.sum()) - 1]
        if steps[0] < 1:
            z = z * 2
        mask = tg.ones(4, 2).tril().bool()
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        read, _ = nn.utils.rnn.pad_packed_sequence(rnn(packed)[0], batch_first=True)
        return z, z[mask].exp(), mask.nonzero(), read.detach()

    compiled = compile(step)
    for n in range(5):
        tg.manual_seed(n)
        x = tg.randn(4, 4, 2)[:, :3]
        for ours, theirs in zip(compiled(x), step(x), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
    assert compiled.plans


def test_what_is_another_thing_in_every_call_is_given_up() -> None:
    """A number, a setting, a tensor around the function: after some recordings it runs as if it were not compiled, and says why."""
    rate, dropout, h = 0.0, nn.Dropout(0.0), tg.ones(2)
    by_number = compile(lambda x: x * rate)
    by_setting = compile(lambda x: dropout(x))
    by_tensor = compile(lambda x: x + h)
    reasons = {by_number: "x \\* rate", by_setting: "dropout", by_tensor: "it reads h"}

    def check(compiled: Any) -> None:
        nonlocal rate, h
        for i in range(16):
            rate, dropout.p, h = 0.1 * i, 0.01 * i, tg.full((2,), float(i))
            tg.manual_seed(0)
            expected = compiled.function(tg.ones(2)).tolist()
            tg.manual_seed(0)
            assert compiled(tg.ones(2)).tolist() == pytest.approx(expected)
        assert not compiled.plans

    for compiled, reason in reasons.items():
        message = rf"as if it were not compiled: what it reads around it is something else in every call(.|\n)*{reason}"
        with pytest.warns(UserWarning, match=message):
            check(compiled)


def test_results_and_arguments_with_a_history() -> None:
    """A plan has none, so the function runs as ever, and says so."""
    w = tg.ones(2, requires_grad=True)
    compiled = compile(lambda x: (w * x).sum())
    with pytest.warns(UserWarning, match="returns a tensor with a history"):
        compiled(tg.ones(2)).backward()
    for i in range(2, 5):
        compiled(tg.ones(2)).backward()
        assert w.grad.tolist() == [i, i]

    @compile
    def step(x: Tensor) -> Tensor:
        loss = (x * x).sum()
        loss.backward()
        return loss

    v = tg.ones(2, requires_grad=True)
    for n in range(1, 5):
        with pytest.warns(UserWarning, match="an argument has a history"):
            step(v * 3)
        assert v.grad.tolist() == [n * 2 * 9] * 2
    for n in range(1, 5):  # of a leaf the gradient is given to the very tensor that is passed
        leaf = tg.full((2,), float(n), requires_grad=True)
        step(leaf)
        assert leaf.grad.tolist() == [2 * n, 2 * n]
    assert step.plans


@pytest.mark.parametrize("draw", [random.random, np.random.rand])
def test_random_numbers_of_others_are_refused(draw: Any) -> None:
    compiled = compile(lambda x: x * 2 if draw() < 0.5 else x * 3)
    with pytest.raises(CompileError, match="draws random numbers of Python's or NumPy's"):
        compiled(tg.ones(2))


def test_a_compiled_module_is_a_layer() -> None:
    """It has the parameters of the one that was compiled, and computes what that computes, in a plan too."""
    body = nn.Linear(2, 2)
    model = nn.Sequential(compile(body), nn.ReLU())
    assert [*model.parameters()] == [*body.parameters()]
    compiled = compile(lambda x: model(x).detach())
    for i in range(6):
        body.weight.data.fill_(float(i))
        x = tg.full((1, 2), float(i))
        assert_close(compiled(x), nn.functional.relu(body(x)).detach())
    assert compiled.plans


def test_one_tensor_for_two_arguments() -> None:
    """f(x, x) is not taken for f(x, y), whichever came first; nor is what is written to through one name, and read through another."""
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([5.0, 7.0])
    for calls in ([(x, x)] * 4 + [(x, y)] * 4, [(x, y)] * 4 + [(x, x)] * 4, [(x, x), (x, y)] * 6):
        compiled = compile(lambda a, b: (a - 2 * b).sum())
        for a, b in calls:
            assert compiled(a, b).item() == (a - 2 * b).sum().item()

    def grown(a: Tensor, b: Tensor) -> Tensor:
        a.add_(1)
        return (a * b).sum()

    compiled, p, q = compile(grown), tg.ones(2), tg.ones(2)
    for a, b in [(p, q)] * 4 + [(p, p)] * 4:
        expected = grown(a.clone(), b.clone()) if a is not b else ((a + 1) ** 2).sum()
        assert compiled(a, b).item() == expected.item()


def test_an_argument_that_the_function_reads_by_itself() -> None:
    w, y = tg.ones(3), tg.zeros(3)
    compiled = compile(lambda a: (a - 2 * w).sum())
    with pytest.warns(UserWarning, match="gets as an argument what it also reads by itself, as w"):
        assert [compiled(w).item() for _ in range(4)] == [-3.0] * 4
    assert [compiled(y).item() for _ in range(4)] == [-6.0] * 4
    assert compiled(w).item() == -3.0

    def grow(a: Tensor) -> Tensor:
        w.add_(1)
        return a.sum()

    compiled = compile(grow)
    assert [compiled(y).item() for _ in range(4)] == [0.0] * 4
    before = w[0].item()
    with pytest.warns(UserWarning, match=r"as w\. Pass it or read it"):  # a view of what is written to
        assert compiled(w[:2]).item() == 2 * (before + 1)
    for _ in range(4):
        compiled(tg.zeros(2))
    assert compiled(w[:2]).item() == 2 * (before + 6)


def test_states_that_alternate_are_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train and eval, frozen and not, gradients that are there and not: each has its plan, and comes back to it."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x: Tensor) -> Tensor:
        loss = model(x).mean()
        loss.backward()
        return loss

    def round(x: Tensor) -> None:
        for training in (True, False):
            model.train(training)
            for _ in range(3):
                step(x)
            optimizer.step()
            optimizer.zero_grad()

    for _ in range(3):
        round(tg.ones(4, 2))
    found = recordings(step, monkeypatch)
    for _ in range(3):
        round(tg.ones(4, 2))
    assert not found


def test_a_state_that_no_guard_sees_is_refused() -> None:
    """Every other call does something else: two equal recordings are not enough, they must come in a row."""
    calls = ContextVar("calls", default=0)

    @compile
    def step(x: Tensor) -> Tensor:
        calls.set(calls.get() + 1)
        return x * 2 if calls.get() % 2 else x * 3

    def run() -> None:
        for _ in range(12):
            step(tg.ones(2))

    with pytest.raises(CompileError, match="something else in every call"):
        run()


def test_names_that_a_plan_uses_itself() -> None:
    """A learner may call things as the plan's source calls its own, and layers have numbers for names."""
    for name in (
        "replay",
        "len",
        "id",
        "given_x",
        "x_tensor",
        "a1",
        "c1",
        "w1",
        "o1",
        "float32",
        "float",
        "slice",
        "multiply",
        "clock",
        "Outdated",
        "Changed",
        "tensor",
        "lambda_",
        "written",
    ):
        given: dict[str, Any] = {"tg": tg, name: tg.full((3,), 7.0)}
        exec(f"def step(x, {name}):\n    return (x * {name} - {name}.float()).sum()", given)
        compiled = settled(given["step"], tg.ones(3), given[name])
        assert compiled(tg.full((3,), 2.0), given[name]).item() == 21.0
    model = compile(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)))
    with tg.no_grad():
        for _ in range(4):
            assert model(tg.ones(2, 4)).shape == (2, 3)
    assert model.plans


def test_gradients_add_up() -> None:
    """Without zero_grad, as they do in eager; and when it stands at the end."""
    for zero_at_end in (False, True):
        w, v = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)

        def step(p: Tensor, x: Tensor, zero_at_end: bool = zero_at_end) -> Any:
            loss = (p * x).sum()
            loss.backward()
            found = p.grad.clone()
            if zero_at_end:
                p.grad = None
            return found

        compiled = compile(lambda x, w=w: step(w, x))
        for i in range(6):
            x = tg.full((2,), float(i))
            assert_close(compiled(x), step(v, x))
            assert (w.grad is None) == (v.grad is None)
            if w.grad is not None:
                assert_close(w.grad, v.grad)


def test_gradients_add_up_over_batches_of_several_sizes() -> None:
    """The gradient that one plan left is what another one adds to."""
    x, y = tg.randn(10, 4), tg.randn(10, 1)
    found = []
    for how in (lambda f: f, compile):
        tg.manual_seed(0)
        model = nn.Linear(4, 1)

        def step(x: Tensor, y: Tensor, model: Any = model) -> Tensor:
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            return loss

        run = how(step)
        numbers = []
        for _ in range(5):
            for batch in (slice(4), slice(4, 8), slice(8, 10)):
                run(x[batch], y[batch])
                numbers += [p.grad.clone().flatten() for p in model.parameters()]
        found.append(tg.cat(numbers))
    assert len(run.plans) == 2
    assert_close(*found)


def test_assigning_data() -> None:
    """p.data = ... gives a parameter other memory, which a plan would not: it runs as ever."""
    found = []
    for wrap in (lambda f: f, compile):
        w = tg.ones(2, requires_grad=True)

        def step(w: Tensor = w) -> Any:
            old = w.data
            (w * w).sum().backward()
            w.data = w.data - 0.1 * w.grad
            w.grad = None
            return old - w.data

        run = wrap(step)
        with contextlib.nullcontext() if run is step else pytest.warns(UserWarning, match=r"gives \(2,\) float32 other data"):
            found.append([run().tolist() for _ in range(5)] + [w.tolist()])
    np.testing.assert_allclose(*found, rtol=1e-6)


def by_subtraction(p: Tensor) -> None:
    with tg.no_grad():
        p.sub_(0.1 * p.grad)


def by_an_operator(p: Tensor) -> None:
    with tg.no_grad():
        p -= 0.1 * p.grad


def by_its_data(p: Tensor) -> None:
    p.data += -0.1 * p.grad


@pytest.mark.parametrize("change", [by_subtraction, by_an_operator, by_its_data])
@pytest.mark.parametrize("first", [False, True])
def test_a_step_written_by_hand(change: Any, first: bool) -> None:
    """As learners write it, with gradients forgotten before or after; nothing of it stays behind."""
    x, y = tg.rand(20, 3), tg.rand(20)

    def descent(compiled: bool) -> tuple[list[float], Tensor, Tensor]:
        w, b = tg.zeros(3, requires_grad=True), tg.zeros(1, requires_grad=True)

        def step() -> Tensor:
            loss = ((x @ w + b - y) ** 2).mean()
            if first:
                w.grad = b.grad = None
            loss.backward()
            for p in (w, b):
                change(p)
            if not first:
                w.grad = b.grad = None
            return loss

        run = compile(step) if compiled else step
        losses = [run().item() for _ in range(5)]
        assert not compiled or run.plans
        return losses, w, b

    eager, compiled = descent(False), descent(True)
    np.testing.assert_allclose(compiled[0], eager[0], rtol=1e-5)
    for p, q in zip(compiled[1:], eager[1:], strict=True):
        assert_close(p, q)
        assert (p.grad is None) == (q.grad is None) == (not first)


def test_graphs_from_before_notice_the_change() -> None:
    """As after an eager step, a value that a replay changed cannot be used for gradients any more."""
    w = tg.ones(2, requires_grad=True)

    def step() -> None:
        with tg.no_grad():
            w.mul_(2)

    compiled = settled(step)
    z = (w * w).sum()
    compiled()
    with pytest.raises(GraphError, match="changed in place"):
        z.backward()


def test_nothing_is_left_behind() -> None:
    """After a recording the package and the learner's classes are as before, also when it fails."""

    def methods() -> list[dict[str, Any]]:
        watched = ["array", "_grad", "numpy", "training", "__getattribute__", "__setattr__", "__delattr__"]
        return [{name: vars(kind).get(name) for name in watched} for kind in (Tensor, nn.Module, Config)]

    before = methods()
    compile(lambda x: x * config.rate)(tg.ones(2))
    with pytest.raises(CompileError):
        compile(lambda x: x.item() * config.rate)(tg.ones(1))
    assert before == methods()


# -- what is refused ---------------------------------------------------------------------------------------------------
kept: list[Any] = []


def decides(x: Tensor) -> Any:
    return x if x.sum() > 0 else -x  # line 1


def takes_a_number(x: Tensor) -> Any:
    return x * x.sum().item()  # line 1


def converts(x: Tensor) -> Any:
    return x / float(x.mean())  # line 1


def counts(x: Tensor) -> Any:
    return x[: int(x.sum())]  # line 1


def lists(x: Tensor) -> Any:
    return len(x.tolist())  # line 1


def to_numpy(x: Tensor) -> Any:
    return tg.tensor(np.tanh(x.numpy()))  # line 1


def prints(x: Tensor) -> Any:
    print(x * 2)  # line 1


def masks(x: Tensor) -> Any:
    return x[x > 0]  # line 1


def positions(x: Tensor) -> Any:
    return x.nonzero()  # line 1


def seeds(x: Tensor) -> Any:
    tg.manual_seed(0)  # line 1


@pytest.mark.parametrize(
    "function", [seeds, decides, takes_a_number, converts, counts, lists, to_numpy, prints, masks, positions]
)
def test_refused_with_the_line(function: Any) -> None:
    """What depends on numbers in Python is refused, and the message shows the learner's line."""
    with pytest.raises(CompileError) as caught:
        compile(function)(tg.ones(3))
    assert "test_compile.py" in str(caught.value)
    assert "# line 1" in str(caught.value)


def test_tensors_that_stay_behind_are_refused() -> None:
    kept: Any = ContextVar("kept")  # into which no guard looks

    def step(x: Tensor) -> Any:
        kept.set(x * 2)

    compiled = compile(step)
    compiled(tg.ones(2))
    with pytest.raises(CompileError, match=r"kept.set\(x \* 2\)(.|\n)*Return the tensor"):
        compiled(tg.ones(2))


class Counter:
    """What a function may change beside tensors."""

    calls, log, seen, by_name, shape = 0, (), False, {}, None

    def __init__(self) -> None:
        self.kept, self.shapes, self.names = [], [1.0], {"a"}


def counts_attribute(x: Tensor, held: Counter) -> Tensor:
    held.calls += 1
    return x * 2


def counts_and_reads(x: Tensor, held: Counter) -> Tensor:
    held.calls += 1
    return x * held.calls


def keeps_tensors(x: Tensor, held: Counter) -> Tensor:
    held.kept.append(x * 2)
    return x * 2


def appends(x: Tensor, held: Counter) -> Tensor:
    held.shapes.append(x.shape)
    return x * 2


def toggles(x: Tensor, held: Counter) -> Tensor:
    held.seen = not held.seen
    return x * 2 if held.seen else x * 3


def writes_an_item(x: Tensor, held: Counter) -> Tensor:
    held.shapes[0] = held.shapes[0] + 1
    return x * 2


def adds_to_a_set(x: Tensor, held: Counter) -> Tensor:
    held.names.add(len(held.names))
    return x * 2


@pytest.mark.parametrize(
    "function", [counts_attribute, counts_and_reads, keeps_tensors, appends, toggles, writes_an_item, adds_to_a_set]
)
def test_what_the_function_changes_in_every_call(function: Any) -> None:
    """A plan would not change it again, so the function runs as ever, and says so; also what it only writes to."""
    ours, theirs = Counter(), Counter()
    compiled = compile(lambda x: function(x, ours))
    with pytest.warns(UserWarning, match="in every call it changes (calls|kept|shapes|seen|names)"):
        found = [compiled(tg.ones(2)).tolist() for _ in range(6)]
    assert found == [function(tg.ones(2), theirs).tolist() for _ in range(6)]
    assert (ours.calls, len(ours.kept), ours.shapes, ours.seen, ours.names) == (
        theirs.calls, len(theirs.kept), theirs.shapes, theirs.seen, theirs.names
    )  # fmt: skip


def test_closures_that_are_called_as_often_as_numbers_ask_for_are_refused() -> None:
    w = tg.ones(2, requires_grad=True)
    optimizer = optim.LBFGS([w])
    with pytest.raises(CompileError, match="closure"):
        compile(lambda: optimizer.step(lambda: (w * w).sum()))()


def test_bad_data_is_refused_by_a_plan_too() -> None:
    """Checks run at each call: before anything was done the function itself says what is wrong, afterwards a plain message."""
    w = tg.zeros(4, 3, requires_grad=True)
    good, bad = tg.tensor([0, 1, 2, 1]), tg.tensor([0, 1, 3, 1])
    compiled = settled(lambda y: nn.functional.cross_entropy(w * 1, y).detach(), good)
    with pytest.raises(IndexError, match="label 3 at position"):
        compiled(bad)
    with pytest.raises(IndexError, match="label -1"):
        compiled(tg.tensor([0, 1, -1, 1]))
    assert compiled(good).item() == pytest.approx(np.log(3), rel=1e-6)
    table = nn.Embedding(3, 2)
    compiled = settled(lambda y: table(y).detach(), good)
    with pytest.raises(IndexError, match="3 is out of range"):
        compiled(bad)
    compiled = settled(lambda x: nn.functional.binary_cross_entropy(x + tg.rand(2), tg.ones(2)), tg.full((2,), -0.0001) * 0)
    with pytest.raises(CompileError, match=r"binary_cross_entropy(.|\n)*a check that held"):
        compiled(tg.ones(2))


# -- any program -------------------------------------------------------------------------------------------------------
def run(program: list[tuple[int, int, int, float]], x: Tensor, w: Tensor) -> list[Tensor]:
    """A program of operations, views and changes in place on a growing list of (3, 3) tensors."""
    held = [x, w, x * 2, w + 1]
    for kind, i, j, number in program:
        a, b = held[i % len(held)], held[j % len(held)]
        match kind:
            case 0:
                held.append(a + b)
            case 1:
                held.append(a * b * number)
            case 2:
                held.append((a @ b) / 3)
            case 3:
                held.append(tg.tanh(a))
            case 4:
                held.append(a.T)
            case 5:
                held.append(a.clone())
            case 6:
                held.append(tg.softmax(a, 1))
            case 7:
                held.append(tg.where(a > b, a, b * number))
            case 8:
                held.append(a.sum(0, keepdim=True) - b)
            case 9:  # from here on, changes in place, of what was made here
                a = held[2 + i % (len(held) - 2)]
                a.add_(b, alpha=number) if a is not b else a.mul_(number)
            case 10:
                held[2 + i % (len(held) - 2)][j % 3] = b[i % 3] * number
            case 11:
                held[2 + i % (len(held) - 2)][:, j % 3] += number
            case 12:
                held.append(held[2 + i % (len(held) - 2)].reshape(9)[:].view(3, 3))
            case 13:
                held[2 + i % (len(held) - 2)].copy_(b.T if j % 2 else b.clone())
            case 14:
                a = held[2 + i % (len(held) - 2)]
                a.copy_(tg.cat([a[1:], b[:1]]))
    return held


OPERATION = st.tuples(st.integers(0, 14), st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.5, -1.0, 2.0]))


@settings(max_examples=60, deadline=None)
@given(st.lists(OPERATION, max_size=12), st.booleans())
@example([(0, 0, 0, 0.5), (0, 0, 0, 0.5), (4, 0, 0, 0.5), (9, 14, 1, 0.5)], True)
def test_any_program(program: list, differentiate: bool) -> None:
    """Random operations, views and changes in place, and their gradients: the plan gives what the function gives, call after call."""

    def function(x: Tensor) -> Any:
        with tg.set_grad_enabled(differentiate):
            held = run(program, x, w)
            loss = sum((t.sum() * (i + 1) for i, t in enumerate(held)), tg.zeros((), dtype="float64"))
        w.grad = None
        if differentiate:
            loss.backward()
        return [t.detach() for t in held]

    rng = np.random.default_rng(0)
    w = tg.tensor(rng.normal(size=(3, 3)), requires_grad=True)
    compiled = compile(function)
    for _ in range(5):
        x = tg.tensor(rng.normal(size=(3, 3)))
        before, w_before = x.clone(), w.array.copy()
        try:
            expected, expected_x = [t.clone() for t in function(x)], x
            grad = w.grad.clone() if differentiate else None
        except Exception as error:
            with pytest.raises(type(error)):
                compiled(before)
            return
        if x.requires_grad:  # the argument itself got a history, through a view
            with pytest.raises(CompileError):
                thrice_on_copies(compiled, before)
            return
        w_after = w.array.copy()
        w.array[...] = w_before  # programs may change it through a view
        found = compiled(before)
        np.testing.assert_allclose(w.array, w_after, rtol=1e-12, atol=1e-12)
        for z, e in zip(found, expected, strict=True):
            np.testing.assert_allclose(z.numpy(force=True), e.numpy(), rtol=1e-12, atol=1e-12)
        assert_close(before, expected_x)
        if differentiate:
            np.testing.assert_allclose(w.grad.numpy(), grad.numpy(), rtol=1e-10, atol=1e-10)
    assert compiled.plans


# -- memory ------------------------------------------------------------------------------------------------------------
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10), st.integers(1, 64)), max_size=30), st.data())
def test_memory_is_never_shared_by_what_lives_at_the_same_time(spans: list, data: Any) -> None:
    lives = sorted((first, first + length, size) for first, length, size in spans)
    in_place = {}
    for i, (first, _, size) in enumerate(lives):
        givers = [
            g for g in range(i) if lives[g][0] < first == lives[g][1] and lives[g][2] == size and g not in in_place.values()
        ]
        if givers and data.draw(st.booleans()):
            in_place[i] = data.draw(st.sampled_from(givers))
    blocks, sizes = share(lives, in_place)
    for i, (first, _, size) in enumerate(lives):
        assert sizes[blocks[i]] >= size
        for j in range(i):
            if blocks[i] == blocks[j]:
                assert lives[j][1] < first or (in_place.get(i) == j and lives[j][1] == first)
    assert sum(sizes) <= sum(size for *_, size in lives)


@given(st.integers(1, 10_000))
def test_a_block_has_its_size_and_begins_with_a_cache_line(size: int) -> None:
    block = new_block(size)
    assert block.nbytes == size
    assert block.ctypes.data % 64 == 0


def test_a_plan_needs_less_memory() -> None:
    """A chain of operations runs in two places, not in twenty."""

    def chain(x: Tensor) -> Any:
        for _ in range(10):
            x = (x + 1).sin()
        return x

    compiled = settled(chain, tg.ones(1000))
    ((plan,),) = compiled.plans.values()
    assert plan.memory.bytes <= 2 * 4000 < plan.memory.unshared / 5


# -- the plan, to be read ----------------------------------------------------------------------------------------------
def test_print() -> None:
    """The learner's lines, and what they became: with names, numbers, shapes and memory."""
    weight = tg.ones(2, 3)

    def layer(x: Tensor) -> Any:
        h = tg.tanh(x @ weight.T)
        return h * 0.5

    compiled = settled(layer, tg.ones(4, 3))
    expected = """
        plan of layer: 5 lines, 32 B in 1 block (each array in memory of its own: 96 B)
            x[...] = given_x                                    # x: float32 (4, 3)
            # test_compile.py: h = tg.tanh(x @ weight.T)
            x.dot(weight_T, out=a1)                             # weight_T: float32 (3, 2); a1: float32 (4, 2), block 1
            tanh(a1, out=a1)
            # test_compile.py: return h * 0.5
            multiply(a1, 0.5, out=a1)
            return tensor(a1)
        """
    assert re.sub(r"py:\d+", "py", str(compiled)) == textwrap.dedent(expected).strip()


def test_the_page_shows_what_its_program_prints(tmp_path: Path) -> None:
    page = (Path(compiler.__file__).parent / "README.md").read_text()
    program, printed = re.findall(r"```(?:python|text)\n(.*?)```", page, re.DOTALL)
    (tmp_path / "step.py").write_text(program)
    found = io.StringIO()
    with contextlib.redirect_stdout(found):
        runpy.run_path(str(tmp_path / "step.py"))
    assert found.getvalue() == printed


def test_a_compiled_module_can_be_trained_and_is_replayed_without_gradients() -> None:
    model = nn.Linear(4, 2)
    compiled = tg.compile(model)
    x = tg.ones(8, 4)
    before = model(x).tolist()
    with pytest.warns(UserWarning, match="compile the whole step"):
        compiled(x).square().sum().backward()
    tg.optim.SGD(compiled.parameters(), lr=0.1).step()
    with tg.no_grad():
        for _ in range(4):
            after = compiled(x).tolist()
    assert str(compiled).startswith("plan of")
    assert after == model(x).tolist() != before
    assert compiled.eval() is compiled
    assert compiled.to("cpu") is compiled
    assert not model.training
    copied = deepcopy(compiled)
    assert copied.weight is not model.weight
    assert copied.weight.tolist() == model.weight.tolist()
    with pytest.raises(AttributeError, match="no attribute 'anything'"):
        print(tg.compile(lambda x: x).anything)


def test_what_pytorchs_compilers_are_told() -> None:
    @compile(mode="max-autotune", dynamic=False)
    def double(x: Tensor) -> Tensor:
        return x * 2

    assert isinstance(double, Compiled)
    assert isinstance(compile(double.function, fullgraph=True, backend="eager"), Compiled)
    assert compile(double.function, disable=True) is double.function


def test_a_replay_warns_where_the_function_would() -> None:
    quiet, loud = compile(lambda x: x.sigmoid()), compile(lambda x: x.exp())
    x = tg.tensor([-1000.0, 1000.0])
    with np.errstate(all="warn"):
        for _ in range(4):
            assert quiet(x).tolist() == [0.0, 1.0]
            with pytest.warns(RuntimeWarning, match="overflow"):
                loud(x)
