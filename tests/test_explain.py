"""explain: the parts add up, and the paths too."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given

import tinygrad_edu as tg
from tinygrad_edu import check_graph, draw, explain
from tinygrad_edu.errors import GraphError
from tinygrad_edu.see import trace
from tinygrad_edu.see.draw import FLOW

from .test_trace import arbitrary, losses


def test_the_parts_by_line():
    x = tg.tensor(2.0, requires_grad=True)
    z = x * 4
    y = z + x * 3
    y.backward()
    first = explain(x)._lines[0]
    lines = [int(n) for n in re.findall(r"line (\d+)", first)]
    assert first == f"x.grad = 7 = 3 via mul (line {lines[0]}) + 4 via mul (line {lines[1]})"
    assert lines[0] == lines[1] + 1
    assert "y ← add ← mul ← x   1 · 1 · 4 = 4" in str(explain(x))
    assert str(explain(z)).startswith("∂y/∂z = 1, all of it via add")
    assert str(explain(y)) == "∂y/∂y = 1"


@arbitrary
@given(losses())
def test_the_parts_add_up(made):
    loss, leaves = made
    loss.backward()
    for x in leaves:
        if x.grad is None:
            with pytest.raises(GraphError, match="no part of the loss"):
                explain(x, loss)
            continue
        found = explain(x, loss)
        np.testing.assert_allclose(found.total, x.grad.numpy(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(sum(use.gradient for use in found.uses), found.total, rtol=1e-9, atol=1e-12)
        if x.numel():
            index = tuple(n - 1 for n in x.shape)
            np.testing.assert_allclose(explain(x, loss, element=index).total, x.grad.numpy()[index])


def test_several_losses():
    x = tg.tensor(2.0, requires_grad=True)
    first, second = x * 3, x * x
    first.backward()
    second.backward()
    text = str(explain(x))
    assert text.startswith("x.grad = 7 = 3 via mul")
    assert "paths from first" in text
    assert "paths from second" in text


def test_a_gradient_that_something_else_changed():
    x = tg.tensor(2.0, requires_grad=True)
    (x * 5).backward()
    loss = x * 3
    loss.backward()
    assert "But x.grad is 8" in str(explain(x))


def test_one_element_of_a_matrix_product():
    w = tg.tensor([[1.0, 2.0]], requires_grad=True)
    x = tg.tensor([[3.0, 4.0], [5.0, 6.0]])
    z = w @ x
    loss = (z * tg.tensor([[10.0, 1.0]])).sum()
    loss.backward()
    lines = explain(w, element=(0, 1))._lines
    assert lines[2] == "∂loss/∂w[0, 1] = 10·5 [z[0, 0]] + 1·6 [z[0, 1]] = 56"
    assert lines[-1] == "∂loss/∂loss = 1, where backward starts"


def test_what_has_no_name_is_said():
    w = tg.tensor([[0.5, -1.0], [0.25, 2.0]], requires_grad=True)
    h = (tg.ones(2, 2) @ w).tanh()
    loss = (h * h).sum()
    text = str(explain(w, loss, element=(0, 1)))
    names = set(re.findall(r"\bv\d+", text))
    assert {f"{name} is" for name in names} == set(re.findall(r"v\d+ is", text))
    assert "is tg.ones(2, 2) @ w" in text
    assert "is h * h" in text


def test_very_many_paths():
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(40):
        y = y + y
    y.backward()
    assert f"... and {2**40 - 12} more" in str(explain(x))


def test_refusals():
    x = tg.tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="requires grad"):
        explain(tg.tensor(1.0))
    with pytest.raises(GraphError, match=r"explain\(x, loss\)"):
        explain(x)
    loss = x.sum()
    loss.backward()
    for element in (1, 0.0):
        with pytest.raises(IndexError, match=rf"shape \(1,\); it is {element}"):
            explain(x, element=element)
    with pytest.raises(GraphError, match="up to 1024 elements"):
        explain(x, (x * tg.ones(2000)).sum(), element=0)


def test_where_a_gradient_stops():
    @tg.op(dx=lambda g, z, x, y: g * y)
    def half_a_product(x, y):
        """Half a product.

        z = x·y;  ∂x = g·y
        """
        return x * y

    x, w = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    loss = half_a_product(x, w) * 2
    says = [step.sentence for step in trace(loss).steps if step.kind == "visit"]
    assert says[1].endswith("half_a_product has no rule for y: the gradient stops here, w gets none.")
    assert "no rule" not in says[0]
    with pytest.raises(GraphError, match=r"half_a_product \(line \d+\) has no rule for y"):
        explain(w, loss)
    assert re.fullmatch(
        r"2 of 2 rules agree with numeric derivatives.\nhalf_a_product \(line \d+\) has no rule for y: w gets no gradient from it.",
        str(check_graph(loss)),
    )
    flowing = [line for line in draw(loss).dot.splitlines() if "->" in line and FLOW in line]
    assert len(flowing) == 2
    del tg.op.__globals__["registry"]["half_a_product"]


def test_the_loss_before_the_tensor_is_noticed():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    with pytest.raises(GraphError, match=r"first the tensor, then the loss.*swapped"):
        explain(loss, w)


def test_what_is_no_tensor_is_named():
    layer = tg.nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"such as model\.weight, and then the loss, not a Linear"):
        explain(layer)
    with pytest.raises(TypeError, match="then the loss, not a float"):
        explain(layer.weight, 3.0)
