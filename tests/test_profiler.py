"""profile: what it says is what happened, and what it measures is not changed by it."""

from __future__ import annotations

import io
import json
import time

import numpy as np
import pytest
from rich.console import Console

import tinygrad_edu as tg
from tinygrad_edu import autograd, data, nn, op, optim
from tinygrad_edu.autograd import gradients
from tinygrad_edu.op import registry, watchers
from tinygrad_edu.profiler import Profile, profile
from tinygrad_edu.profiler.report import OUTSIDE

from . import strict_cupy


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 5), nn.Linear(5, 5)])
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        first, again = self.layers
        return self.head(again(again(first(x))))


class Training:
    """A model, an optimizer and a step that uses both."""

    def __init__(self) -> None:
        tg.manual_seed(0)
        self.model = Net()
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.x, self.y = tg.randn(8, 6), tg.randint(0, 3, (8,))
        self.losses: list[float] = []

    def step(self) -> None:
        self.optimizer.zero_grad()
        loss = tg.cross_entropy(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())


def quiet(step: object, *args: object, **options: object) -> Profile:
    return profile(step, *args, console=Console(file=io.StringIO()), **{"repeat": 4, **options})  # type: ignore[arg-type]


def test_the_step_gives_the_same_bits_as_without() -> None:
    plain, profiled = Training(), Training()
    tg.manual_seed(1)  # of the dropout
    for _ in range(12):
        plain.step()
    tg.manual_seed(1)
    quiet(profiled.step, warmup=2, repeat=4)
    assert profiled.losses == plain.losses
    for a, b in zip(plain.model.parameters(), profiled.model.parameters(), strict=True):
        assert np.array_equal(a.array, b.array)
        assert np.array_equal(a.grad.array, b.grad.array)


def everything() -> list[object]:
    """All that `profile` replaces."""
    ops = [x for this in registry.values() for x in (this.forward, this.joint, *this.rules)]
    steps = [optim.Optimizer.step, optim.LBFGS.step]
    return [*ops, *steps, *watchers, nn.Module.__call__, gradients._run, data.DataLoader.__iter__]


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_the_clocks_is_left(fails: bool) -> None:
    before, calls = everything(), []

    def step() -> None:
        calls.append(1)
        if fails and len(calls) == 8:  # the first measured step with clocks
            raise ZeroDivisionError
        tg.ones(2).sum()

    if fails:
        with pytest.raises(ZeroDivisionError):
            quiet(step, warmup=1, repeat=5)
    else:
        quiet(step)
    assert all(a is b for a, b in zip(before, everything(), strict=True))


def test_rows_count_calls_and_bytes() -> None:
    training = Training()
    found = quiet(training.step)
    ops = {row.name: row for row in found.ops}
    assert ops["linear"].calls == 4
    assert ops["relu"].calls == 1
    modules = {(row.depth, row.name): row for row in found.modules}
    assert modules[0, "Net"].calls == modules[1, "layers.0"].calls == 1
    assert modules[1, "layers.1"].calls == 2
    assert modules[2, "2"].kind == "Linear"
    assert [row.name for row in found.modules] == ["Net", "layers.0", "layers.1", "head", "0", "1", "2", OUTSIDE]
    # float32: forward 8 samples of 5 numbers; backward the gradients of weight and bias, as x needs none
    assert modules[1, "layers.0"].bytes == 4 * (8 * 5 + 5 * 6 + 5)
    assert modules[1, "layers.1"].bytes == 2 * 4 * (8 * 5 + 5 * 5 + 5 + 8 * 5)
    assert modules[2, "0"].forward > 0
    assert modules[2, "0"].backward > 0


@pytest.mark.parametrize("inside", [False, True])
def test_a_compiled_step_is_told_line_by_line(inside: bool) -> None:
    """The lines of its plan, in their order, whether it is profiled itself or is called by what is; and it trains as ever."""
    ends = []
    for profiled in (False, True):
        tg.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 400), nn.ReLU(), nn.Linear(400, 3))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        x, y = tg.randn(64, 6), tg.randint(0, 3, (64,))

        def gradients(x: tg.Tensor, y: tg.Tensor, model: nn.Module = model) -> tg.Tensor:
            loss = tg.cross_entropy(model(x), y)
            model.zero_grad()
            loss.backward()
            return loss

        compiled = tg.compile(gradients)

        def step(compiled: object = compiled, optimizer: optim.Optimizer = optimizer, x: tg.Tensor = x, y: tg.Tensor = y) -> None:
            compiled(x, y)  # type: ignore[operator]
            optimizer.step()

        if profiled and inside:
            found = quiet(step, warmup=3, repeat=4)
        elif profiled:
            found = quiet(compiled, x, y, warmup=3, repeat=4)
        for _ in range(14 * (not profiled) if inside else 1):
            step()
        ends.append([p.tolist() for p in model.parameters()])
    assert ends[0] == ends[1]
    (plan,) = next(iter(compiled.plans.values()))
    assert [(line.plan, line.site, line.code) for line in found.lines] == [("gradients", *each) for each in plan.body[:-1]]
    assert sum(line.seconds for line in found.lines) <= found.plans * 1.001
    assert sum(row.forward for row in found.sites()) == pytest.approx(sum(line.seconds for line in found.lines))
    (largest,) = [line for line in found.lines if line.code in found.conclusions()[0]]
    assert largest.seconds == max(line.seconds for line in found.lines)
    assert found.plans + found.optimizer + found.python == pytest.approx(sum(found.where().values()))
    assert (found.optimizer > 0) == inside
    for text in (str(found), found._repr_html_()):
        assert "loss.backward()" in text
        assert "compiled functions" in text
    assert plan.replay.__code__.co_filename == "<plan of gradients>"
    assert "_moments" not in plan.replay.__code__.co_varnames


def test_parts_add_up() -> None:
    training = Training()
    found = quiet(training.step, repeat=20)
    whole = sum(found.where().values())
    for rows in (found.ops, [row for row in found.modules if row.depth == 0]):
        assert sum(row.forward for row in rows) == pytest.approx(found.forward)
        assert sum(row.backward for row in rows) == pytest.approx(found.backward)
        assert sum(row.bytes for row in rows) == found.bytes
        assert sum(row.share for row in rows) == pytest.approx((found.forward + found.backward) / whole)
    net = next(row for row in found.modules if row.name == "Net")
    inside = [row for row in found.modules if row.depth == 1]
    assert sum(row.forward + row.backward for row in inside) == pytest.approx(net.forward + net.backward)
    assert min(found.where().values()) >= 0
    assert whole == pytest.approx(found.seconds, rel=0.5)  # measured in other steps, on a machine that does other things too


@op(dx=lambda g, z, x, seconds: _slow(g, seconds=3 * seconds))
def _slow(x: object, *, seconds: float) -> object:
    """z = x, after a while;  ∂x = g, after three times that"""
    time.sleep(seconds)
    return x + 0  # type: ignore[operator]


class Slow(nn.Module):
    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return _slow(x, seconds=0.005)


def test_times_are_those_of_a_known_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sleeps of known lengths, in each of the places that are told apart, by a clock that nothing else moves."""
    now = [0.0]
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now[-1] + seconds))
    for module in ("profiler", "profiler.clocks"):
        monkeypatch.setattr(f"tinygrad_edu.{module}.perf_counter", lambda: now[-1])
    model = nn.Sequential(nn.Linear(2, 2), Slow())

    class Sleeps(optim.SGD):
        def step(self, closure: object = None) -> None:
            time.sleep(0.020)
            super().step()

    class Samples(data.Dataset):
        def __len__(self) -> int:
            return 1

        def __getitem__(self, i: int) -> tg.Tensor:
            time.sleep(0.010)
            return tg.ones(2)

    optimizer, loader = Sleeps(model.parameters(), lr=0.1), data.DataLoader(Samples())

    def step() -> None:
        for x in loader:
            loss = model(x).sum()
            loss.register_hook(lambda g: time.sleep(0.028))
            loss.backward()
            optimizer.step()
            time.sleep(0.024)

    found = quiet(step, repeat=6)
    slow = next(row for row in found.modules if row.kind == "Slow")
    for seconds, expected in (
        (slow.forward, 0.005),
        (slow.backward, 0.015),
        (found.optimizer, 0.020),
        (found.loader, 0.010),
        (found.engine, 0.028),
        (found.python, 0.024),
    ):
        assert seconds == pytest.approx(expected)
    assert sum(found.where().values()) == pytest.approx(found.seconds)
    assert found.conclusions()[0].startswith("The largest single part is the gradient of slow's x in Sequential.1")


def test_a_gpu_is_waited_for_around_each_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    strict_cupy.install(monkeypatch)
    monkeypatch.setattr(tg.cuda, "synchronize", lambda: waits.append(1))
    x = tg.ones(3, device="cuda")
    found = quiet(lambda: x.exp(), warmup=0, repeat=1)
    assert len(waits) >= 2 * 2 + 2  # around each of two steps, and around the operation
    assert found.ops[0].bytes == 12


def test_an_autograd_function_and_second_derivatives() -> None:
    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):  # type: ignore[no-untyped-def]
            (x,) = ctx.saved_tensors
            return 2 * g * x

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    found: list[tg.Tensor] = []

    def step() -> None:
        (g,) = autograd.grad(Square.apply(x).sin().sum(), x, create_graph=True)
        found.extend(autograd.grad((g * g).sum(), x))

    rows = {row.name: row for row in quiet(step).ops}
    assert rows["Square"].backward > 0
    assert rows["sin"].calls == 1
    g, dg = 2 * x.array * np.cos(x.array**2), 2 * np.cos(x.array**2) - 4 * x.array**2 * np.sin(x.array**2)
    for gradient in found:
        np.testing.assert_allclose(gradient.array, 2 * g * dg, rtol=1e-5)


def test_a_view_makes_no_bytes() -> None:
    x = tg.ones(4, 6)
    rows = {row.name: row for row in quiet(lambda: x.reshape(6, 4).T + 1).ops}
    assert rows["reshape"].bytes == rows["transpose" if "transpose" in rows else "permute"].bytes == 0
    assert rows["add"].bytes == 4 * 24


def test_how_it_looks() -> None:
    out = io.StringIO()
    found = profile(Training().step, repeat=2, console=Console(file=out, width=80))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text + str(found)
    for word in ("linear", "layers.0 Linear", "optimizer", "other Python", *found.conclusions()):
        assert word in " ".join(str(found).split()), word
    page = found._repr_html_()
    assert page.count("<table>") == page.count("</table>") == 3
    assert "layers.0" in page
    assert "\n" not in repr(found)
    read = json.loads(found.to_json())
    assert read["ops"][0]["name"] == found.ops[0].name
    assert read["conclusions"] == found.conclusions()


def test_a_notebook_shows_the_result_and_no_text(capsys: pytest.CaptureFixture) -> None:
    profile(lambda: tg.ones(2).exp(), repeat=1, console=Console(force_jupyter=True))
    assert capsys.readouterr().out == ""


def test_many_rows_are_cut_in_print_and_whole_in_the_data() -> None:
    names = [
        "sin",
        "cos",
        "tan",
        "exp",
        "log",
        "sqrt",
        "abs",
        "neg",
        "floor",
        "ceil",
        "round",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "atan",
        "sigmoid",
        "relu",
    ]
    found = quiet(lambda: [getattr(tg, name)(tg.ones(3)) for name in names])
    assert {row.name for row in found.ops} >= set(names)
    assert "others)" in str(found)


def test_conclusions_follow_the_numbers() -> None:
    def about(**seconds: float) -> str:
        parts = {"forward": 1.0, "backward": 2.0, "engine": 0.1, "optimizer": 0.1, "loader": 0.0, "python": 0.1, **seconds}
        found = quiet(Training().step, repeat=1)
        for name, value in parts.items():
            setattr(found, name, value)
        return " ".join(found.conclusions())

    assert "less arithmetic" in about()
    assert "2.0 times as long as forward" in about()
    assert "A larger batch" in about(python=5.0)
    assert "optimizer takes" in about(optimizer=3.0)
    assert "num_workers" in about(loader=3.0)


@pytest.mark.parametrize(
    ("step", "options", "says"),
    [
        (tg.ones(1), {}, "takes a function"),
        (None, {}, "takes a function that does one training step, not a NoneType"),
        (len, {"repeat": 0}, "repeat must be a whole number, at least 1"),
        (len, {"warmup": -1}, "warmup must be a whole number, at least 0"),
    ],
)
def test_refuses(step: object, options: dict, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        quiet(step, **options)


def test_threads_beside_it_are_not_counted() -> None:
    class Samples(data.Dataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, i: int) -> tg.Tensor:
            return tg.ones(2).tanh()

    found = quiet(lambda: [x.exp() for x in data.DataLoader(Samples(), num_workers=2)])
    assert [row.name for row in found.ops] == ["exp"]
    assert found.ops[0].calls == 4


def test_on_the_command_line(capsys: pytest.CaptureFixture) -> None:
    from tinygrad_edu.cli import main

    assert main(["train", "xor", "--epochs", "1", "--profile"]) == 0
    text = capsys.readouterr().out
    assert "layers.0 Linear" in text
    assert "The largest single part is" in text
