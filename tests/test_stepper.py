"""The terminal stepper: keys, screens of every size, plain text, and the real thing in a terminal."""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from rich.color import Color, ColorSystem
from rich.console import Console

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.see import step, trace
from tinygrad_edu.see.keys import Walk, parse_keys
from tinygrad_edu.see.stepper import GRADIENT, GROUND, VALUE, screen
from tinygrad_edu.see.style import shade
from tinygrad_edu.see.words import as_text, equations, formula_text, rule_text, worked


def example():
    w = tg.tensor([[0.5, -1.0, 2.0]], requires_grad=True)
    b = tg.tensor([1.0], requires_grad=True)
    h = tg.tanh(w + b)
    return (h * h).sum()


def test_rules_have_the_numbers_that_are_no_tensors():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    e = tg.tensor(3.0, requires_grad=True)
    said = []
    for power in (w**2, w**-1, w**0, 2.0**w, w**e):
        t = trace(power, tg.ones(2))
        said.append([rule_text(t, step).partition(" += ")[2] for step in t.steps if step.kind == "contribute"])
    g = "∂power/∂power"
    assert said == [
        [f"{g}·2·w^(2-1)"],
        [f"{g}·(−1)·w^((−1)-1)"],
        [f"{g}·0·w^(0-1) (0 where 0 = 0)"],
        [f"{g}·power·ln 2"],
        [f"{g}·e·w^(e-1) (0 where e = 0)", f"Σ axis 0 of {g}·power·ln w (0 where w = 0 and e ≥ 0)"],
    ]


def test_a_rule_says_for_which_elements_it_holds():
    w = tg.tensor([[1.0, 3.0], [4.0, 2.0]], requires_grad=True)
    rules = [
        [rule_text(t, now) for now in t.steps if now.kind == "contribute"][-1]
        for t in (trace(w[0].sum()), trace(w.max(1).values.sum()), trace(w.cumsum(0).sum()), trace((2 * w).sum()))
    ]
    assert [rule.partition(" += ")[0].partition("/")[2] for rule in rules] == ["∂w[index]", "∂w[index[i]]", "∂wᵢ", "∂w"]
    assert rules[1].endswith("[i] along dim")


def test_letters_stand_for_what_the_formula_means():
    """Not the g of a word; states of all steps in time by their letters, though an input has the same one; the gradient is h where g is an input."""
    a, b = tg.ones(2, 2, requires_grad=True), tg.ones(2, 2, requires_grad=True)
    h0, c0, x = tg.zeros(1, 1, 2, requires_grad=True), tg.zeros(1, 1, 2, requires_grad=True), tg.ones(3, 1, 2)
    out = nn.LSTM(2, 2)(x, (h0, c0))[0].sum()
    slopes = tg.autograd.grad(nn.functional.cross_entropy(a, tg.tensor([0, 1])), a, create_graph=True)[0].sum()
    said = {}
    for root in (tg.einsum("ij,jk->ik", a, b).sum(), tg.fmax(a, b).sum(), out, slopes):
        t = trace(root)
        for now in t.steps:
            if text := formula_text(t, now) or rule_text(t, now):
                said.setdefault((t.node(now.node).op, now.kind), []).append(text)
    assert said["einsum", "op"][0].endswith(' = Σ a·b, such as "ij,jk->ik"')
    assert "c[t] = f·c[t-1] + i·n and h[t] = o·tanh(c[t])" in said["lstm_steps", "op"][0]
    assert said["fmax", "contribute"][1].partition(" += ")[2].startswith("0 where a ≥ b")
    assert re.search(r"q = ∂\w+/∂\w+·\w+·share", said["softmax_minus_one_hot", "contribute"][0])


def test_a_number_made_of_several_is_worked_through():
    """Forwards and backwards; what stands there, computed, is the result."""
    tg.manual_seed(0)
    x, kernel = tg.randn(1, 1, 4, 4, requires_grad=True), tg.randn(1, 1, 2, 2, requires_grad=True)
    h = nn.functional.conv2d(x, kernel, tg.tensor([0.5], requires_grad=True))
    t = trace(nn.functional.max_pool2d(h, 2, stride=1).sum())
    seen = set()
    for i, now in enumerate(t.steps):
        if (cell := worked(t, now)) is None:
            continue
        _, made, result = cell.replace("−", "-").replace("·", "*").split(" = ")
        if "…" not in made:
            assert eval(made) == pytest.approx(float(result), abs=0.02)
            seen.add((now.rule, now.slot))
        assert cell in as_text(t, i)
    assert {("convolution", None), ("max_pool", None), ("max_pool", 0), ("convolution", 0)} <= seen


def test_a_sum_of_nothing_is_not_worked_through():
    """The weights that meet a state of zeros."""
    cell = nn.RNNCell(2, 3)
    t = trace(cell(tg.randn(1, 2), tg.zeros(1, 3)).sum())
    cells = [worked(t, step) for step in t.steps]
    assert any(cells)
    assert not any(cell and " =  = " in cell for cell in cells)


def test_a_value_is_no_gradient_whatever_it_is_called():
    fits, from_here = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    t = trace(fits * from_here)
    sent = [equations(t, step)[0] for step in t.steps if step.kind == "contribute"]
    assert [[(each.caption, each.gradient) for each in row[1:2]] for row in sent] == [[("from_here", False)], [("fits", False)]]
    assert all(row[0].gradient and row[2].gradient for row in sent)


def picture(walk: Walk, width: int = 120, height: int = 36) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(screen(walk, width, height), height=height)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_keys_of_a_burst_are_all_seen():
    assert parse_keys("", "\x1b[C" * 50)[0] == ["right"] * 50
    assert parse_keys("", "\x1b[D\x1bOA\x1b[B\x1b[H\x1b[4~g7\r\x7fq") == (
        ["left", "up", "down", "home", "end", "g", "7", "enter", "backspace", "q"],
        "",
    )
    assert parse_keys("", "\x1b[1;2C\x1b[5~") == (["", ""], "")  # others mean nothing, and leave nothing behind


def test_a_key_that_arrives_in_parts():
    keys, waiting = parse_keys("", "\x1b")
    assert (keys, waiting) == ([], "\x1b")
    assert parse_keys(waiting, "[C") == (["right"], "")
    assert parse_keys("\x1b", "") == (["escape"], "")


def test_walking():
    walk = Walk(trace(example()))
    last = len(walk.trace.steps) - 1

    def at(*keys):
        for key in keys:
            walk.press(key)
        return walk.i

    assert at("left") == 0
    assert at("right", "right") == 2
    assert at("end", "right") == last
    assert at("home") == 0
    assert at("g", "5", "enter") == 4
    assert at("g", "9", "9", "9", "enter") == last
    assert at("g", "1", "2", "backspace", "enter") == 0
    assert at("g", "3", "q") == 0
    assert not walk.over
    stops = [walk.trace.steps[at("down")].kind for _ in range(last)]
    assert "contribute" not in stops
    assert at("home") == 0
    walk.press("q")
    assert walk.over


def test_going_back_shows_what_was_shown():
    walk = Walk(trace(example()))
    seen = []
    for _ in walk.trace.steps:
        seen.append(picture(walk))
        walk.press("right")
    for expected in reversed(seen):
        assert picture(walk) == expected
        walk.press("left")
    assert len(set(seen)) == len(seen)


def test_what_a_screen_shows():
    t = trace(example())
    i = next(i for i, s in enumerate(t.steps) if s.reduced_axes)
    shown = picture(Walk(t, i))
    for part in (
        "add sends to b",
        "Σ axis 0, 1 →" if len(t.steps[i].reduced_axes) == 2 else "Σ axis 1 →",
        "◀  b",
        "▶",
        "h = tg.tanh(w + b)",
        "test_stepper.py, line",
        "← →",
    ):
        assert part in shown
    assert "2/2" in shown


@pytest.mark.parametrize("size", [(200, 60), (120, 36), (89, 24), (60, 20), (30, 8)])
def test_every_size_of_terminal(size):
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 1))
    walk = Walk(trace(model(tg.ones(9, 20)).sum()))
    for _ in walk.trace.steps:
        lines = picture(walk, *size).splitlines()
        assert max(map(len, lines)) <= size[0]
        walk.press("right")


@pytest.mark.parametrize("size", [(120, 36), (100, 30), (60, 30)])
def test_what_a_step_makes_is_in_sight(size):
    W, x = tg.randn(6, 5, requires_grad=True), tg.randn(5, 7, requires_grad=True)
    h = tg.tanh(W @ x + tg.ones(6, 1))
    walk = Walk(trace((h * h).sum()))
    for now in walk.trace.steps[:-1]:
        made = walk.trace.node(now.node).name if now.kind == "op" else "contribution" if now.kind == "contribute" else "∂"
        assert re.search(rf"{made}.*  (6×7|6×5|5×7|6×1|scalar)", picture(walk, *size)), (now.kind, now.node)
        walk.press("right")


def test_forwards_stand_the_formula_and_the_inputs():
    w, x = tg.tensor(3.0, requires_grad=True), tg.tensor(2.0, requires_grad=True)
    y = tg.exp(w * x)
    walk = Walk(trace(y))
    shown = " ".join(picture(walk).split())
    assert "v2 = w·x" in shown
    assert re.search(r"3 · +2 = +6 ", shown)
    walk.press("right")
    assert re.search(r"6 exp → +403 ", " ".join(picture(walk).split()))


def test_text_where_nobody_can_press_a_key(capsys):
    loss = example()
    step(loss)
    out = capsys.readouterr().out
    t = trace(loss)
    assert out == "\n".join(as_text(t, i) for i in range(len(t.steps))) + "\n"
    assert "\x1b" not in out
    step(loss, start=len(t.steps) - 1)
    assert capsys.readouterr().out.startswith(f"{len(t.steps)}/{len(t.steps)} done")


def test_rules_are_told_with_the_learners_names():
    x = tg.tensor(2.0, requires_grad=True)
    h = tg.tanh(x)
    loss = h * x
    t = trace(loss)
    text = "\n".join(as_text(t, i) for i in range(len(t.steps)))
    assert "∂loss/∂h += ∂loss/∂loss·x" in text
    assert "∂loss/∂x += ∂loss/∂h·(1 - h²)" in text


def test_large_tensors_are_summed_up():
    x = tg.ones(30, 40, requires_grad=True)
    t = trace(x.sum())
    assert "<30×40, 1 to 1>" in as_text(t, len(t.steps) - 1)


@contextmanager
def in_terminal(tmp_path, term):
    """A program that steps, in a terminal of this kind: the file to write keys to, and what waits until a text is shown."""
    import pty

    program = tmp_path / "program.py"
    program.write_text(
        "import tinygrad_edu as tg\nx = tg.tensor(3.0, requires_grad=True)\ny = x * x\ntg.step(y)\nprint('left')\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": term, "COLUMNS": "100", "LINES": "30", "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen([sys.executable, str(program)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = ""

    def until(text: str) -> None:
        nonlocal said
        ends = time.monotonic() + 60
        while text not in said and time.monotonic() < ends:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    said += os.read(ours, 65536).decode(errors="ignore")
                except OSError:
                    break
        assert text in said, said[-2000:]
        said = said[said.index(text) + len(text) :]

    try:
        yield ours, until
        until("left")
        assert process.wait(10) == 0
    finally:
        process.kill()
        os.close(ours)


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_in_a_terminal(tmp_path):
    with in_terminal(tmp_path, "xterm-256color") as (keys, until):
        until("1/6")
        os.write(keys, b"\x1b[C\x1b[C\x1b[C")
        until("4/6")
        os.write(keys, b"\x1b[D")
        until("3/6")
        os.write(keys, b"g6\r")
        until("6/6")
        os.write(keys, b"q")


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_in_a_terminal_that_only_prints(tmp_path):
    with in_terminal(tmp_path, "dumb") as (_, until):
        until("1/6 forward")
        until("6/6 done")


def test_a_terminal_of_256_colours_tells_values_from_gradients_and_signs():
    """Each colour stays nearer to its own end than to the other three, from a tenth of the largest number on."""

    def seen(number: float, ends: tuple[str, str]) -> np.ndarray:
        color = Color.parse(shade(number, 1.0, ends, GROUND)).downgrade(ColorSystem.EIGHT_BIT)
        return np.array(color.get_truecolor(), float)

    ends = {(scale, sign): seen(sign, scale) for scale in (VALUE, GRADIENT) for sign in (-1.0, 1.0)}
    for scale, sign in ends:
        for size in np.linspace(0.1, 1, 50).tolist():
            color = seen(sign * size, scale)
            alike = {key: color @ other / (np.linalg.norm(color) * np.linalg.norm(other)) for key, other in ends.items()}
            assert max(alike, key=alike.__getitem__) == (scale, sign)
            assert color.max() - color.min() >= 95  # not grey


def test_of_a_sum_of_many_products_those_that_count_are_told():
    x, w = np.zeros((1, 1, 20)), np.arange(1.0, 21.0).reshape(1, 1, 20)
    x[0, 0, [3, 15]] = 2, 3
    z = nn.functional.conv1d(tg.tensor(x, requires_grad=True, name="x"), tg.tensor(w))
    told = [cell for traced in [trace(z.sum())] for i in traced.steps if (cell := worked(traced, i))]
    assert any(line.endswith("= 2·4 + 3·16 = 56") for line in told)


def test_a_number_that_is_handed_on_is_no_sum():
    x = tg.tensor([[1.0, -2.0]], requires_grad=True)
    traced = trace(x.reshape(2, 1).sum())
    assert "reshape" in {node.op for node in traced.nodes}
    assert not any("= (−2) =" in (worked(traced, step) or "") for step in traced.steps)
    assert all(worked(traced, step) is None for step in traced.steps if traced.node(step.node).op == "reshape")
