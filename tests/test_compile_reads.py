"""compile: whatever way Python has to a value, a compiled function notices that it is another one. The function itself is the truth."""

from __future__ import annotations

import collections
import dataclasses
import threading
import types
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor
from tinygrad_edu.compiler import compile

BEGIN = """
import collections, contextlib, functools, types, weakref
import numpy as np
import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.func import grad, vmap

class Held:
    rate = 2.0
    def __init__(self, scale=2.0): self.scale, self.table = scale, {"a": 2.0}
    def times(self, x): return x * self.scale
    def __enter__(self): return self.scale
    def __exit__(self, *error): pass
    def __mul__(self, x): return x * self.scale
    def __len__(self): return int(self.scale)
class Heir(Held): pass
class Slots:
    __slots__ = ("scale",)
held, heir, slots, K = Held(), Heir(), Slots(), 2.0
slots.scale = 2.0
"""
WAYS = {  # a function and what it needs, and what changes
    "another name": ("def step(x):\n    here = held\n    return x * here.scale", "held.scale = 3.0"),
    "an argument of a helper": ("def by(thing, x): return x * thing.scale\ndef step(x): return by(held, x)", "held.scale = 3.0"),
    "a result of a helper": ("def get(): return held\ndef step(x): return x * get().scale", "held.scale = 3.0"),
    "a loop": ("all_held = [held]\ndef step(x): return sum(x * each.scale for each in all_held)", "held.scale = 3.0"),
    "a tuple": ("pair = (held, 1)\ndef step(x): return x * pair[0].scale", "held.scale = 3.0"),
    "a dict's values": (
        "by = {'a': held}\ndef step(x): return x * max(by.values(), key=lambda h: h.scale).scale",
        "held.scale = 3.0",
    ),
    "keys that are no texts": ("by = {(1, 2): 2.0}\ndef step(x): return x * by[1, 2]", "by[1, 2] = 3.0"),
    "slots": ("def step(x): return x * slots.scale", "slots.scale = 3.0"),
    "a set": ("on = {'a'}\ndef step(x): return x * 2 if 'b' in on else x", "on.discard('a'); on.add('b')"),
    "a deque": ("last = collections.deque([2.0])\ndef step(x): return x * last[0]", "last[0] = 3.0"),
    "a dict of Python's own classes": ("by = collections.UserDict(a=2.0)\ndef step(x): return x * by['a']", "by['a'] = 3.0"),
    "an attribute of a list": ("class L(list): rate = 2.0\nall = L()\ndef step(x): return x * all.rate", "all.rate = 3.0"),
    "a long list": ("all = [2.0] * 5000\ndef step(x): return x * all[70]", "all[70] = 3.0"),
    "a long dict": ("by = {i: 2.0 for i in range(70)}\ndef step(x): return x * by[7]", "by[7] = 3.0"),
    "a key of a long dict": (
        "by = {i: 2.0 for i in range(70)}\ndef step(x): return x * by.get(70, 3.0)",
        "by[70] = by.pop(0)",
    ),
    "a long tuple": ("all = tuple(Held() for i in range(70))\ndef step(x): return x * all[7].scale", "all[7].scale = 3.0"),
    "an object in a long list": (
        "all = [Held() for i in range(70)]\ndef step(x): return x * all[7].scale",
        "all[7].scale = 3.0",
    ),
    "another object in a long list": (
        "all = [Held() for i in range(70)]\ndef step(x): return x * all[7].scale",
        "all[7] = Held(3.0)",
    ),
    "a long set": ("on = set(range(70))\ndef step(x): return x * (2 if 7 in on else 3)", "on.discard(7); on.add(70)"),
    "a weak reference": ("ref = weakref.ref(held)\ndef step(x): return x * ref().scale", "held.scale = 3.0"),
    "an attribute of a tensor": ("w = tg.ones(2)\nw.rate = 2.0\ndef step(x): return x * w * w.rate", "w.rate = 3.0"),
    "numbers of NumPy": ("a = np.ones(2)\ndef step(x): return x * float(a[0])", "a[0] = 3.0"),
    "a function of NumPy": ("a = np.ones(2)\ndef step(x): return x * tg.tensor(np.sqrt(a))", "a[0] = 4.0"),
    "many numbers of NumPy": ("a = np.ones(1000)\ndef step(x): return x * float(a[900])", "a[900] = 3.0"),
    "an array in a tuple": ("pair = (np.ones(2), 1)\ndef step(x): return x * float(pair[0].sum())", "pair[0][0] = 3.0"),
    "with": ("def step(x):\n    with held as scale: return x * scale", "held.scale = 3.0"),
    "an operator": ("def step(x): return held * x", "held.scale = 3.0"),
    "len": ("def step(x): return x * len(held)", "held.scale = 3.0"),
    "a context manager of a function": (
        "@contextlib.contextmanager\ndef scope(): yield K\ndef step(x):\n    with scope() as k: return x * k",
        "K = 3.0",
    ),
    "a decorator": ("@tg.no_grad()\ndef by(x): return x * K\ndef step(x): return by(x)", "K = 3.0"),
    "a transformed function": ("by = vmap(grad(lambda x: x * x * K))\ndef step(x): return by(x)", "K = 3.0"),
    "super": (
        "class A(nn.Module):\n    def forward(self, x): return x * held.scale\nclass B(A):\n"
        "    def forward(self, x): return super().forward(x)\nnet = B()\ndef step(x): return net(x)",
        "held.scale = 3.0",
    ),
    "a class's method": ("def step(x): return held.times(x)", "Held.times = lambda self, x: x * 5"),
    "a layer's method": (
        "class Net(nn.Module):\n    def forward(self, x): return x\nnet = Net()\ndef step(x): return net(x)",
        "Net.forward = lambda self, x: x * 5",
    ),
    "a layer's own forward": ("net = nn.ReLU()\nnet.held = held\ndef step(x): return net(x)", "net.forward = lambda x: x * 5"),
    "a class between": ("def step(x): return x * heir.rate", "Heir.rate = 3.0"),
    "a layer of the method's own module": (
        "class Net(nn.Module):\n    def __init__(self): super().__init__(); self.held = held\n"
        "    def forward(self, x): return x * self.held.scale\n    def run(self, x): return self(x)\nstep = Net().run",
        "held.scale = 3.0",
    ),
    "a hook of a tensor": (
        "w = tg.ones(2, requires_grad=True)\nw.register_hook(lambda g: g * K)\n"
        "def step(x):\n    w.grad = None\n    (x * w).sum().backward()\n    return w.grad.clone()",
        "K = 3.0",
    ),
    "a hook of a layer": (
        "net = nn.Identity()\nnet.register_forward_hook(lambda m, a, z: z * K)\ndef step(x): return net(x)",
        "K = 3.0",
    ),
    "a rule of one's own": (
        "class F(tg.autograd.Function):\n    @staticmethod\n    def forward(ctx, x): return x * K\n    @staticmethod\n"
        "    def backward(ctx, g): return g * K\ndef step(x): return F.apply(x)",
        "K = 3.0",
    ),
    "getattr": ("def step(x): return x * getattr(held, 'scale', 1.0)", "held.scale = 3.0"),
    "a computed name": ("def step(x, n='ca'): return x * getattr(held, f's{n}le')", "held.scale = 3.0"),
    "vars": ("h = types.SimpleNamespace(a=1.0)\ndef step(x): return sum(x * v for v in vars(h).values())", "h.b = 3.0"),
    "__getattr__": (
        "class G:\n    def __init__(self): self.d = {'rate': 2.0}\n    def __getattr__(self, name): return self.d[name]\n"
        "g = G()\ndef step(x): return x * g.rate",
        "g.d['rate'] = 3.0",
    ),
    "__getattribute__": (
        "class G:\n    def __init__(self): self.d = {'rate': 2.0}\n    def __getattribute__(self, name):\n"
        "        held = object.__getattribute__(self, 'd')\n"
        "        return held[name] if name in held else object.__getattribute__(self, name)\ng = G()\ndef step(x): return x * g.rate",
        "object.__getattribute__(g, 'd')['rate'] = 3.0",
    ),
    "past its name": (
        "import operator\nscale = operator.attrgetter('scale')\ndef step(x): return x * scale(held)",
        "held.scale = 3.0",
    ),
    "a copy of an object": ("import copy\ndef step(x): return x * copy.deepcopy(held).scale", "held.scale = 3.0"),
    "a shallow copy": ("import copy\ndef step(x): return x * copy.copy(held).scale", "held.scale = 3.0"),
    "a copy of a layer": (
        "import copy\nnet = nn.LeakyReLU(0.5)\ndef step(x): return copy.deepcopy(net)(x)",
        "net.negative_slope = 0.25",
    ),
    "an attribute of a function": ("def by(x): return x * by.rate\nby.rate = 2.0\ndef step(x): return by(x)", "by.rate = 3.0"),
    "an attribute with a name of this package": (
        "held._hooks = 2.0\ndef step(x): return x * held._hooks",
        "held._hooks = 3.0",
    ),
    "a property that is cached": (
        "class C:\n    k = 2.0\n    @functools.cached_property\n    def twice(self): return self.k * 2\nc = C()\n"
        "def step(x): return x * c.twice",
        "del c.twice; c.k = 5.0",
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_a_value(name: str) -> None:
    source, change = WAYS[name]
    scope: dict[str, Any] = {"__name__": "learner"}
    exec(BEGIN + source, scope)
    compiled, x = compile(scope["step"]), tg.tensor([1.0, -2.0])

    def settled() -> list:
        for _ in range(4):
            found = compiled(x).tolist()
            assert found == scope["step"](x).tolist()
        assert compiled.plans
        return found

    before = settled()
    exec(change, scope)
    assert settled() != before


class Thing:
    def __init__(self, parts: dict[str, Any]) -> None:
        vars(self).update(parts)


KINDS = {
    "object": (Thing, ".{}", "abc", setattr),
    "dict": (dict, "['{}']", "abc", dict.__setitem__),
    "list": (lambda parts: [*parts.values()], "[{}]", range(3), list.__setitem__),
    "namespace": (lambda parts: types.SimpleNamespace(**parts), ".{}", "abc", setattr),
    "tuple": (lambda parts: tuple(parts.values()), "[{}]", range(3), None),
    "named tuple": (lambda parts: collections.namedtuple("Named", "a b c")(**parts), ".{}", "abc", None),
}
NUMBERS = st.sampled_from([1.5, 2, True, np.float64(3.0), "tensor", "array"])
TREES = st.recursive(NUMBERS, lambda inner: st.tuples(st.sampled_from(sorted(KINDS)), inner, inner, inner), max_leaves=9)
# Ways from a function to the value at the end of a path, which is cut in two.
STYLES = [
    "def step(x): return x * env{0}{1}",
    "def step(x):\n    here = env{0}\n    return x * here{1}",
    "def by(thing, x): return x * thing{1}\ndef step(x): return by(env{0}, x)",
    "def step(x): return sum(x * thing{1} for thing in [env{0}])",
    "get = lambda: env{0}\ndef step(x): return x * get(){1}",
    "def make(thing): return lambda x: x * thing{1}\nstep = make(env{0})",
    "class T:\n    def __init__(self): self.thing = env{0}\n    def run(self): return self.thing\n"
    "    def __call__(self, x): return x * self.run(){1}\nstep = T()",
]


def number(kind: Any) -> Any:
    return tg.full((3,), 2.0) if kind == "tensor" else np.array([1.0, 2.0, 3.0]) if kind == "array" else kind


def planted(tree: Any, path: str, paths: list) -> Any:
    """The object that a tree describes; collects the paths to its numbers, and how each is set."""
    if not isinstance(tree, tuple):
        return number(tree)
    make, way, names, put = KINDS[tree[0]]
    begin = len(paths)
    thing = make({name: planted(part, path + way.format(k), paths) for name, k, part in zip("abc", names, tree[1:], strict=True)})
    for k, part in zip(names, tree[1:], strict=True):
        if not isinstance(part, tuple) and put is not None:
            paths.insert(begin, (path, way.format(k), lambda x, thing=thing, k=k, put=put: put(thing, k, x)))
    return thing


@settings(max_examples=150, deadline=None)
@given(TREES, st.data())
def test_any_way_to_a_value(tree: Any, data: Any) -> None:
    """In random objects, dicts, lists and tuples of each other numbers are set between calls: all that the function reads, and others."""
    paths: list[tuple] = []
    env = planted(tree, "", paths)
    if not paths:
        return
    begin, end, _ = data.draw(st.sampled_from(paths))
    scope = {"env": env, "__name__": "learner"}
    exec(data.draw(st.sampled_from(STYLES)).format(begin, end), scope)
    compiled, x = compile(scope["step"]), tg.tensor([1.0, 2.0, 3.0])
    for _ in range(8):
        expected = scope["step"](x)
        assert compiled(x).tolist() == expected.tolist()
        if data.draw(st.booleans()):
            _, _, put = data.draw(st.sampled_from(paths))
            put(number(data.draw(NUMBERS)))


class Trainer:
    """Python around a step: what changes in every call, under names that the step has for other things."""

    def __init__(self) -> None:
        self.net, self.loss, self.calls, self.kept = Net(), None, 0, []
        self.optimizer = tg.optim.SGD(self.net.parameters(), lr=0.01)

    @compile
    def step(self, x: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        loss = self.net.loss(x)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def run(self, x: Tensor) -> float:
        self.loss = self.step(x)
        self.calls += 1
        self.net.layer_0.calls += 1
        self.kept.append(self.loss.item())
        return self.kept[-1]


class Head(tg.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls, self.layer = 0, tg.nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class Net(tg.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer_0, self.size = Head(), 1

    def loss(self, x: Tensor) -> Tensor:
        for i in range(self.size):
            x = getattr(self, f"layer_{i}")(x)
        return x.square().mean()


def test_what_the_function_does_not_read_may_change() -> None:
    tg.manual_seed(0)
    trainer = Trainer()
    for i in range(5):
        trainer.run(tg.full((3, 2), 1.0 + i))
    assert any(Trainer.step.plans.values())


def test_threads_have_plans_of_their_own() -> None:
    model = tg.nn.Sequential(tg.nn.Linear(8, 8), tg.nn.Tanh(), tg.nn.Linear(8, 2))
    compiled, wrong = compile(model), []
    inputs = [tg.randn(16, 8) for _ in range(4)]
    with tg.no_grad():
        expected = [model(x).numpy() for x in inputs]

    def work(k: int) -> None:
        with tg.no_grad():
            found = [compiled(inputs[k]).numpy() for _ in range(100)]
        wrong.extend(k for z in found if not np.allclose(z, expected[k], rtol=1e-5, atol=1e-6))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiled.plans
    assert not wrong


def test_iterators_are_not_compiled() -> None:
    """What they give next is another thing each time, so the function runs as ever, and the message says what to do."""
    numbers = iter([1.0, 1.0, 1.0, 1.0, 5.0])
    compiled = compile(lambda x: x * next(numbers))
    with pytest.warns(UserWarning, match="numbers gives another thing each time it is asked. Take what comes next outside"):
        assert [compiled(tg.ones(1)).item() for _ in range(5)] == [1, 1, 1, 1, 5]


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([[1.0] for _ in range(2000)], "it reads held, in which 2000 things stand, too many to be looked at before each call"),
        (np.ones((1000, 1000)), "it reads held, an array of 7.6 MiB, beside tensors, .* Take what is needed"),
    ],
)
def test_what_is_too_large_to_be_looked_at_is_not_compiled(held: Any, message: str) -> None:
    compiled = compile(lambda x: x * float(held[7][0]))

    def changed(value: float) -> float:
        held[7][0] = value
        return compiled(tg.ones(1)).item()

    with pytest.warns(UserWarning, match=message):
        assert [changed(value) for value in range(5)] == [0, 1, 2, 3, 4]


def test_large_data_that_becomes_tensors_is_compiled() -> None:
    data = np.ones((1000, 1000), np.float32)
    compiled, results = compile(lambda x: (x * tg.from_numpy(data)[3:5]).sum()), []
    for i in range(5):
        data[4] = i
        results.append(compiled(tg.ones(1)).item())
    assert results == [1000, 2000, 3000, 4000, 5000]
    assert compiled.plans


# -- dataclasses -------------------------------------------------------------------------------------------------------
@dataclasses.dataclass
class Batch:
    x: Tensor
    rate: float = 2.0


@dataclasses.dataclass
class Output:
    loss: Tensor
    batch: Batch
    doubled: Any = None

    def __post_init__(self) -> None:
        self.doubled = self.loss * 2 if self.doubled is None else self.doubled


def test_dataclasses_as_arguments_and_results() -> None:
    @compile
    def step(batch: Batch) -> Output:
        return Output((batch.x * batch.rate).sum(), Batch(batch.x + 1))

    for rate in (2.0, 3.0):
        for i in range(4):
            found = step(Batch(tg.full((2,), float(i)), rate))
            assert type(found) is Output
            assert (found.loss.item(), found.doubled.item(), found.batch.x.tolist()) == (
                2 * i * rate,
                4 * i * rate,
                [i + 1, i + 1],
            )
    assert len(step.plans) == 2


def test_what_stands_in_an_argument_is_changed() -> None:
    """A plan would not do that again."""

    def step(batch: Any) -> Tensor:
        batch["n"] = 1
        return batch["x"] * 2

    compiled = compile(step)
    batches: list[dict[str, Any]] = [{"x": tg.full((1,), float(i))} for i in range(5)]
    with pytest.warns(UserWarning, match="changes what stands in an argument"):
        assert [compiled(batch).item() for batch in batches] == [0, 2, 4, 6, 8]
    assert all(batch["n"] == 1 for batch in batches)


# -- what moves in the function ----------------------------------------------------------------------------------------
def descent(optimizer: Any, w: Tensor, x: Tensor, scaler: Any) -> Tensor:
    optimizer.zero_grad()
    loss = (w * x).square().sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return loss.detach()


@pytest.mark.parametrize("kind", [tg.optim.SGD, tg.optim.Adam, tg.optim.RMSprop])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_scaler_in_the_function(kind: Any, enabled: bool) -> None:
    """Steps that overflow are left out by plans too, and the scale is that of each call."""
    ends = []
    for wrap in (lambda f: f, compile):
        w = tg.ones(2, requires_grad=True)
        optimizer, scaler = kind([w], lr=0.1), tg.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3, enabled=enabled)
        step = wrap(lambda x, o=optimizer, w=w, s=scaler: descent(o, w, x, s))
        found = []
        for i in range(14):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                x = float("inf") if enabled and i in (5, 8) else 0.1 * i
                found += [step(tg.full((2,), x)).item(), *w.tolist(), scaler.get_scale()]
        ends.append(found)
        assert wrap is not compile or step.plans
    np.testing.assert_allclose(*ends, rtol=1e-5)


def test_a_rate_that_is_a_tensor() -> None:
    ends = []
    for wrap in (lambda f: f, compile):
        w, rate = tg.ones(2, requires_grad=True), tg.tensor(0.1)
        optimizer = tg.optim.Adam([w], lr=rate)
        step = wrap(lambda o=optimizer, w=w: (o.zero_grad(), (w * w).sum().backward(), o.step())[2])
        for i in range(8):
            step()
            rate.fill_(0.1 / (i + 1))
        ends.append(w.tolist())
    np.testing.assert_allclose(*ends, rtol=1e-6)


@pytest.mark.parametrize(
    "read", [lambda o, s: o.param_groups[0]["lr"], lambda o, s: s.last_epoch, lambda o, s: s.get_last_lr()[0]]
)
def test_what_a_schedule_changes_is_read_beside_its_step(read: Any) -> None:
    """Whether before or after it, no plan can tell."""
    ends = []
    for wrap in (lambda f: f, compile):
        w = tg.ones(2, requires_grad=True)
        optimizer = tg.optim.SGD([w], lr=0.5)
        schedule = tg.optim.lr_scheduler.StepLR(optimizer, 4, 0.5)

        def step(w: Tensor = w, optimizer: Any = optimizer, schedule: Any = schedule) -> Any:
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
            schedule.step()
            return read(optimizer, schedule)

        step = wrap(step)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            ends.append([step() for _ in range(12)] + w.tolist())
    np.testing.assert_allclose(*ends, rtol=1e-6)


def test_a_checkpoint_is_part_of_a_plan() -> None:
    ends = []
    for wrap in (lambda f: f, compile):
        tg.manual_seed(0)
        model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Dropout(0.5), tg.nn.Linear(4, 1))

        def step(x: Tensor, model: Any = model) -> Tensor:
            model.zero_grad()
            loss = tg.utils.checkpoint.checkpoint(model, x).square().mean()
            loss.backward()
            return loss.detach()

        step = wrap(step)
        ends.append([step(tg.full((2, 3), float(i))).item() for i in range(6)] + [model[0].weight.grad.sum().item()])
    np.testing.assert_allclose(*ends, rtol=1e-5)
