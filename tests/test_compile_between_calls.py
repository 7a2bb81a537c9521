"""compile: what may happen between calls of a compiled function, and in them beside tensors. Each time the function itself is the truth."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor, nn, optim
from tinygrad_edu.compiler import Compiled, CompileError, compile


def agree(function: Any, *args: Any, calls: int = 4) -> Compiled:
    """Compiled and called some times, it gives what the function gives."""
    compiled = function if isinstance(function, Compiled) else compile(function)
    for _ in range(calls):
        np.testing.assert_allclose(compiled(*args).numpy(), compiled.function(*args).numpy(), rtol=1e-6)
    assert compiled.plans
    return compiled


# -- what a function reads ---------------------------------------------------------------------------------------------
class Settings:
    """Of a class, of an object, and behind a property."""

    rate = 2.0

    def __init__(self) -> None:
        self.scale, self._hidden, self.inner = 2.0, 2.0, types.SimpleNamespace(scale=2.0)

    @property
    def hidden(self) -> float:
        return self._hidden

    def __call__(self, x: Tensor) -> Tensor:
        return self.by_method(x)

    def by_method(self, x: Tensor) -> Tensor:
        return x * self.scale


class Net(nn.Module):
    """A layer that has its settings elsewhere."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held

    def forward(self, x: Tensor) -> Tensor:
        return x * self.held.scale


held = Settings()
config = types.ModuleType("config")
net, number, pair, window, threshold = Net(held), np.float32(2), (2.0, 3.0), slice(0, 1), nn.Threshold(0.0, 1.0)
inner = compile(lambda x: x * held.scale)


def product(factor: float, x: Tensor) -> Tensor:
    return x * factor * held.scale


partial = functools.partial(product, 2.0)
READS: dict[str, tuple[Callable, Callable]] = {  # a function, and what changes
    "attribute": (lambda x: x * held.scale, lambda: setattr(held, "scale", 3.0)),
    "path": (lambda x: x * held.inner.scale, lambda: setattr(held.inner, "scale", 3.0)),
    "property": (lambda x: x * held.hidden, lambda: setattr(held, "_hidden", 3.0)),
    "class": (lambda x: x * held.rate, lambda: setattr(Settings, "rate", 3.0)),
    "attribute in place of the class's": (lambda x: x * held.rate, lambda: setattr(held, "rate", 4.0)),
    "method": (lambda x: held.by_method(x), lambda: setattr(held, "scale", 4.0)),
    "object that is called": (lambda x: held(x), lambda: setattr(held, "scale", 5.0)),
    "layer": (lambda x: net(x), lambda: setattr(held, "scale", 6.0)),
    "module of Python": (lambda x: x * config.scale, lambda: setattr(config, "scale", 3.0)),
    "number of NumPy": (lambda x: x * number, lambda: globals().update(number=np.float32(3))),
    "tuple": (lambda x: x * pair[0], lambda: globals().update(pair=(3.0, 4.0))),
    "slice": (lambda x: x[window], lambda: globals().update(window=slice(1, 2))),
    "partial": (lambda x: partial(x), lambda: globals().update(partial=functools.partial(product, 3.0))),
    "in a comprehension": (lambda x: sum(x * pair[1] for _ in range(2)), lambda: globals().update(pair=(3.0, 5.0))),
    "compiled function": (lambda x: inner(x), lambda: setattr(held, "scale", 7.0)),
    "number of another type": (lambda x: x.long() * held.inner.scale, lambda: setattr(held.inner, "scale", 3)),
    "default dtype": (lambda x: tg.ones(2) + x, lambda: tg.set_default_dtype("float64")),
}


@pytest.mark.parametrize("name", READS)
def test_what_a_function_reads_is_noticed_when_it_changes(name: str) -> None:
    function, change = READS[name]
    config.scale = 2.0
    x = tg.tensor([1.0, 2.0])
    compiled = agree(function, x)
    before = compiled(x)
    try:
        change()
        agree(compiled, x)
        after = compiled(x)
    finally:
        tg.set_default_dtype("float32")
    assert (before.tolist(), before.dtype) != (after.tolist(), after.dtype)


def test_what_arguments_read() -> None:
    """A method of a plain class, a function and a layer that are given."""

    class Trainer:
        def __init__(self) -> None:
            self.scale, self.layer, self.weight = 2.0, nn.ReLU(), tg.ones(2)

        @compile
        def step(self, x: Tensor, f: Any, layers: list) -> Tensor:
            return layers[0](f(self.layer(x))) * self.scale * self.weight

    trainer, x, layers = Trainer(), tg.tensor([1.0, -2.0]), [threshold]
    f = lambda x: x * held.scale

    def check() -> None:
        for _ in range(4):
            assert trainer.step(x, f, layers).tolist() == Trainer.step.function(trainer, x, f, layers).tolist()
        assert Trainer.step.plans

    check()
    trainer.scale = 3.0
    check()
    trainer.layer = nn.Identity()
    check()
    trainer.weight = tg.full((2,), 5.0)
    check()
    held.scale = 8.0
    check()
    threshold.threshold, threshold.value = 9.0, 2.0
    check()


def test_arrays_of_numpy_around_and_as_arguments() -> None:
    """Their numbers are those of the call, and changes of an argument are made."""
    table = np.zeros(2, "float32")
    compiled = agree(lambda x: x + tg.tensor(table) + table, tg.ones(2))
    table[:] = 5
    agree(compiled, tg.ones(2))

    @compile
    def grow(a: Any) -> Tensor:
        a += 1
        return tg.tensor(np.sin(a)) * 2

    for i in range(4):
        a = np.full(2, float(i))
        assert grow(a).tolist() == pytest.approx([2 * np.sin(i + 1)] * 2)
        assert a.tolist() == [i + 1, i + 1]


def test_tensors_that_are_others_in_every_call_are_never_taken_for_the_same() -> None:
    batches = iter([tg.full((2,), float(i)) for i in range(30)])
    compiled = compile(lambda x: x + next(batches))
    with pytest.warns(UserWarning, match="batches gives another thing each time it is asked"):
        found = [compiled(tg.zeros(2))[0].item() for _ in range(20)]
    assert found == list(range(20))


# -- arguments ---------------------------------------------------------------------------------------------------------
def test_kinds_of_arguments_are_told_apart() -> None:
    seen = agree(lambda x, how: x * (3.0 if how == {"y": 1} else 2.0), tg.ones(2), {"y": 1})
    agree(seen, tg.ones(2), {"y": 2})
    signs = compile(lambda x, number: tg.copysign(x, tg.tensor(number)))
    for _ in range(4):
        assert [signs(tg.ones(1), n).item() for n in (0.0, -0.0)] == [1.0, -1.0]
    named = compile(lambda x, how=None, y=None: x * 2 if y is None else x + y)
    for _ in range(4):
        assert (
            named(tg.ones(1), {"y": tg.ones(1)}).item() == named(tg.ones(1)).item() == named(tg.ones(1), y=tg.ones(1)).item() == 2
        )
    leaf = compile(lambda p: tg.tensor(float(isinstance(p, nn.Parameter))))
    for _ in range(4):
        assert [leaf(p).item() for p in (nn.Parameter(tg.ones(2)), tg.ones(2, requires_grad=True))] == [1.0, 0.0]
    assert agree(lambda x, where, _kinds: x[where], tg.arange(4.0), slice(1, 3), {1, 2})


def test_arguments_that_share_memory() -> None:
    def step(x: Tensor, y: Tensor) -> Tensor:
        x.add_(1)
        return y.sum()

    compiled = compile(step)
    for _ in range(4):
        assert compiled(tg.zeros(4), tg.zeros(4)).item() == 0
    base, around = tg.zeros(6), tg.zeros(4, 3)
    assert compiled(base[:4], base[2:]).item() == 2
    with pytest.raises(CompileError, match="shares memory with another"):
        compile(step)(base[:4], base[2:])

    @compile
    def other(x: Tensor) -> Tensor:
        x.add_(1)
        return around.sum()

    for _ in range(4):
        assert other(tg.zeros(3)).item() == 0
    assert other(around[1]).item() == 3


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.RMSprop])
def test_overlapping_arguments_that_are_only_read(kind: Any) -> None:
    """As when the next word is to be told: all but the last, all but the first."""
    tg.manual_seed(0)
    layer, text = nn.Linear(3, 3), tg.randn(9, 3)
    optimizer = kind(layer.parameters(), lr=0.01)

    @compile
    def step(x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        ((layer(x) - y) ** 2).mean().backward()
        optimizer.step()

    before = text.tolist()
    for _ in range(6):
        step(text[:-1], text[1:])
    assert step.plans
    assert text.tolist() == before


def test_an_error_leaves_the_changes_that_were_made_before() -> None:
    def step(x: Tensor) -> Tensor:
        x.add_(1)
        raise KeyError

    x = tg.zeros(1)
    with pytest.raises(KeyError):
        compile(step)(x)
    assert x.item() == 1


def test_a_bad_label_in_every_kind_of_call() -> None:
    """Recorded or replayed, in an argument or around: the message names it, and nothing was changed."""
    layer, around = nn.Linear(4, 3), tg.tensor([0, 1])

    def step(x: Tensor, y: Tensor) -> None:
        nn.functional.cross_entropy(layer(x), y).backward()

    for good in range(4):
        compiled = compile(step)
        for _ in range(good):
            compiled(tg.ones(2, 4), tg.tensor([0, 2]))
        with pytest.raises(IndexError, match="label 3 at position"):
            compiled(tg.ones(2, 4), tg.tensor([0, 3]))
    compiled = compile(lambda x: step(x, around))
    for _ in range(4):
        compiled(tg.ones(2, 4))
    before = layer.weight.grad.tolist()
    around[1] = 3
    with pytest.raises(IndexError, match="label 3 at position"):
        compiled(tg.ones(2, 4))
    assert layer.weight.grad.tolist() == before


# -- gradients ---------------------------------------------------------------------------------------------------------
def test_an_argument_that_is_made_to_require_grad() -> None:
    """As for networks that solve differential equations: the derivative by the input is part of the loss."""
    net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def step(x: Tensor) -> Tensor:
        x.requires_grad_()
        net.zero_grad()
        u = net(x)
        (du,) = tg.autograd.grad(u.sum(), x, create_graph=True)
        loss = ((du - u) ** 2).mean()
        loss.backward()
        return loss

    compiled = compile(step)
    for i in range(5):
        ours, theirs = (tg.linspace(0, 1 + i, 5)[:, None].detach() for _ in range(2))
        found = compiled(ours).item(), ours.grad.tolist(), net[0].weight.grad.tolist()
        expected = step(theirs).item(), theirs.grad.tolist(), net[0].weight.grad.tolist()
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert ours.requires_grad
    assert compiled.plans


def test_requires_grad_that_is_set_in_the_call() -> None:
    a, b = tg.ones(2, requires_grad=True), tg.ones(2)

    @compile
    def step(x: Tensor) -> None:
        a.requires_grad_(False)
        b.requires_grad_(True)
        a.grad = b.grad = None
        (x * a * b).sum().backward()

    for i in range(5):
        a.requires_grad_(True)
        b.requires_grad_(False)
        step(tg.full((2,), float(i)))
        assert (a.requires_grad, b.requires_grad, a.grad, b.grad.tolist()) == (False, True, None, [i, i])
    assert step.plans


def test_a_parameter_that_is_given_and_optimized() -> None:
    w = tg.ones(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)

    @compile
    def step(w: Tensor) -> None:
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()

    with pytest.warns(UserWarning, match="what it also reads by itself"):
        step(w)
    assert w.item() == 0


def test_groups_of_an_optimizer_that_the_function_reads() -> None:
    worlds = []
    for wrap in (lambda f: f, compile):
        tg.manual_seed(0)
        layer, more = nn.Linear(3, 2), tg.ones(2, requires_grad=True)
        optimizer = optim.SGD([{"params": [*layer.parameters()], "most": 1.0}], lr=0.1)
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

        def step(x: Tensor, layer: Any = layer, more: Any = more, optimizer: Any = optimizer, schedule: Any = schedule) -> Tensor:
            optimizer.zero_grad()
            (layer(x) * more).square().sum().backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], optimizer.param_groups[0]["most"])
            return tg.tensor(optimizer.param_groups[0]["lr"] + schedule.get_last_lr()[0])

        step = wrap(step)
        found = []
        for i in range(12):
            found.append(step(tg.ones(2, 3) * i).item())
            optimizer.step()
            if i == 5:
                optimizer.add_param_group({"params": [more], "most": 0.5})
            if i == 3:
                schedule.step()
        worlds.append([*found, *(p.tolist() for p in (*layer.parameters(), more))])
    for a, b in zip(*worlds, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_layers_and_optimizers_that_count() -> None:
    """What depends on how many batches there were, or on how often a word is there, is computed in each call."""
    ends = []
    for wrap in (lambda f: f, compile):
        tg.manual_seed(0)
        words, norm, layer = (
            nn.Embedding(7, 4, scale_grad_by_freq=True),
            nn.BatchNorm1d(4, momentum=None),
            nn.Linear(4, 3, bias=False),
        )
        optimizers = optim.Muon([layer.weight], lr=0.1), optim.SGD([*words.parameters(), *norm.parameters()], lr=0.1)

        def step(x: Tensor, words: Any = words, norm: Any = norm, layer: Any = layer, optimizers: Any = optimizers) -> None:
            layer.zero_grad(), words.zero_grad(), norm.zero_grad()
            layer(norm(words(x))).square().sum().backward()
            nn.utils.clip_grad_norm_([*words.parameters(), layer.weight], 1.0, error_if_nonfinite=True)
            for optimizer in optimizers:
                optimizer.step()

        step = wrap(step)
        for _ in range(7):
            step(tg.randint(7, (9,)))
        assert wrap is not compile or step.plans
        ends.append([p.tolist() for p in (*words.parameters(), *norm.parameters(), *norm.buffers(), layer.weight)])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# -- what is refused, and what is not compiled -------------------------------------------------------------------------
def test_what_cannot_be_in_a_plan() -> None:
    w = tg.ones(2, requires_grad=True)
    with pytest.raises(CompileError, match="makes an optimizer"):
        compile(lambda x: optim.Adam([w]).step())(tg.ones(2))
    with pytest.raises(CompileError, match="one by one"):
        compile(one_by_one)
    with pytest.raises(CompileError, match="Return the tensor"):
        compile(lambda x: x.array)(tg.ones(2))
    with pytest.raises(TypeError, match="a function or a module, not a int"):
        compile(3)


one_by_one = lambda: (yield)


def test_anomalies_are_found_in_compiled_functions_too() -> None:
    w = tg.zeros(2, requires_grad=True)
    compiled = compile(lambda x: (w * x).sqrt().sum().backward())
    for _ in range(4):
        compiled(tg.ones(2))
    with tg.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="sqrt"):
        compiled(tg.ones(2))


def test_a_compiled_module_is_like_the_module() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    compiled = compile(model)
    compiled.training = False
    assert not model.training
    compiled.scale = 3.0
    assert model.scale == compiled.scale == 3.0
    assert compiled[1] is model[1]
    assert [*compiled] == [*model]
    assert len(compiled) == 2
    assert repr(model) in repr(compiled)
    lazy = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    learns = compile(lazy)
    with tg.no_grad():
        for _ in range(4):
            found = learns(tg.arange(6.0).reshape(3, 2))
    assert found.shape == (3, 3)
    assert learns.plans
    named = nn.ModuleDict({"conv-1": nn.Linear(2, 2), "a b": nn.Linear(2, 2)})
    with tg.no_grad():
        agree(lambda x: named["a b"](named["conv-1"](x)), tg.ones(1, 2))
