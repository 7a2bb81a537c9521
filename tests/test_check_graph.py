"""check_graph: a wrong rule is found, and no right one is called wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import tinygrad_edu as tg
from tinygrad_edu import check_graph, nn

from .test_trace import arbitrary, losses


def test_a_gradient_that_a_function_does_not_give_is_not_checked():
    class First(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return 3 * g, None

    x = tg.tensor(2.0, requires_grad=True)
    y = tg.tensor(3.0, requires_grad=True)
    assert str(check_graph(First.apply(x, y))) == "1 of 2 rules agree with numeric derivatives; 1 could not be checked."


def test_right_rules():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3))
    loss = nn.CrossEntropyLoss()(model(tg.randn(2, 1, 6, 6)), tg.tensor([0, 2]))
    found = check_graph(loss)
    assert found
    assert all(rule.verdict == "right" for rule in found.rules)
    assert all(p.grad is None for p in model.parameters())


def test_the_first_wrong_rule_is_named():
    @tg.op(dx=lambda g, z, x: g * x)
    def half_right(x):
        """z = x²;  ∂x = g·x"""
        return x * x

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (half_right(half_right(x)) * 2).sum()
    found = check_graph(loss)
    assert not found
    assert len(found.wrong) == 2
    assert found.wrong[0].found == pytest.approx(found.wrong[0].expected / 2, rel=1e-3)
    assert "First wrong one on the way back: the rule dx of half_right" in str(found)
    assert "1 more is wrong" in str(found)
    picture = found.draw().svg()
    assert picture.count("first wrong rule: dx") == 1
    assert picture.count("its rule dx is wrong") == 1
    assert picture.index("its rule") < picture.index("first wrong")  # the last one that was made comes first on the way back
    assert str(found).splitlines()[1][:20] in found._repr_mimebundle_()["text/html"]
    del tg.op.__globals__["registry"]["half_right"]


@pytest.mark.parametrize("changed", ["g", "z", "x"])
def test_a_rule_that_changes_what_it_gets_is_wrong(changed):
    def rule(g, z, x):
        before = {"g": g, "z": z, "x": x}[changed]
        found = g * 2 * x
        before *= 2
        return found

    @tg.op(dx=rule)
    def square_in_place(x):
        """z = x²;  ∂x = 2·g·x"""
        return x * x

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    check = check_graph((square_in_place(x) * 3).sum())
    assert [(rule.op, rule.changes) for rule in check.wrong] == [("square_in_place", changed)]
    assert f"it changes {changed} in place" in str(check)
    del tg.op.__globals__["registry"]["square_in_place"]


def test_a_kink_is_not_a_mistake():
    x = tg.tensor([0.0, 0.0], requires_grad=True)
    found = check_graph(tg.relu(x).sum())
    assert found
    assert [rule.verdict for rule in found.rules] == ["right", "kink"]
    assert "2 numbers at a kink, where there is none, left out" in str(found)


@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_the_numbers_beside_a_kink_are_checked(slope):
    @tg.op(dx=lambda g, z, x, slope: g * slope * (x > 0))
    def bent(x, *, slope):
        """z = max(x, 0);  ∂x = g·slope where x > 0"""
        return np.maximum(x, 0)

    x = tg.tensor([0.0, 1.0, -1.0], requires_grad=True)
    found = check_graph(bent(x, slope=slope).sum())
    assert [rule.verdict for rule in found.rules] == ["right", "right" if slope == 1 else "wrong"]
    assert found.rules[1].kinks == 1
    del tg.op.__globals__["registry"]["bent"]


@pytest.mark.parametrize("much", [1e6, 1e8, 1e12])
def test_right_rules_beside_large_numbers(much):
    """Rounding a sum to 16 digits must not make a rule wrong; where nothing can be said, that is what is said."""
    x = tg.tensor(-1.4309, dtype="float64", requires_grad=True)
    found = check_graph(x.sin() + much)
    assert not found.wrong
    assert ("not checked" in [rule.verdict for rule in found.rules]) == (much == 1e12)


@arbitrary
@given(losses())
def test_the_rules_of_arbitrary_graphs(made):
    assert check_graph(made[0])


def test_a_function_in_pytorchs_style_is_checked_too() -> None:
    class Cube(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, sign):
            ctx.save_for_backward(x)
            ctx.sign = sign
            return x * x * x, x + 1

        @staticmethod
        def backward(ctx, g, h):
            (x,) = ctx.saved_tensors
            return ctx.sign * 3 * g * x * x + h, None

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for sign in (1, -1):
        y, z = Cube.apply(x, sign)
        assert [(rule.op, rule.input) for rule in tg.check_graph((y * z).sum()).wrong] == [("Cube", "x")] * (sign < 0)


def test_what_is_no_tensor_is_named():
    with pytest.raises(TypeError, match="check_graph takes a tensor, usually a loss, not a Linear"):
        check_graph(nn.Linear(2, 1))
