"""The backward pass: what it leaves, in which order, how deep, and what it refuses."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import autograd, nn
from tinygrad_edu.errors import DtypeError, GraphError, InplaceError, ShapeError


@tg.op(joint=lambda g, z, x, y: [None, g * x])
def held(x, y):  # type: ignore[no-untyped-def]
    """z = x·y, where the rule gives nothing for x"""
    return x * y


@tg.op(dy=lambda g, z, x, y: g * x)
def weighted(x, y):  # type: ignore[no-untyped-def]
    """z = x·y, without a rule for x"""
    return x * y


UNARY = [tg.tanh, tg.sin, lambda x: x * x, lambda x: x.sum(0, keepdim=True), lambda x: -x, lambda x: x[..., :1]]
BINARY = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - y, held, weighted]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list, tg.Tensor]:
    """A random graph over two leaves: tensors are used several times or not at all, shapes broadcast, and some rules give nothing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    leaves = [tg.tensor(rng.normal(size=(2, 3)), requires_grad=True), tg.tensor(rng.normal(size=(3,)), requires_grad=True)]
    made = list(leaves)
    for _ in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            made.append(draw(st.sampled_from(UNARY))(draw(st.sampled_from(made))))
        else:
            made.append(draw(st.sampled_from(BINARY))(draw(st.sampled_from(made)), draw(st.sampled_from(made))))
    return leaves, sum(t.sum() for t in draw(st.lists(st.sampled_from(made), min_size=1, max_size=4)))  # type: ignore[return-value]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_steps_are_the_backward_pass(graph: tuple) -> None:
    """reduced = raw summed, after = before + reduced, visits only when all parts are in, and the last `after` is `.grad`."""
    leaves, loss = graph
    seen, last, got = set(), {}, {}
    for step in autograd.steps(loss):
        assert not any(isinstance(g, tg.Tensor) for g in (step.raw, step.reduced, step.before, step.after))
        if step.kind == "visit":
            assert step.got == step.uses or step.node is loss
            assert not any(isinstance(x, tg.Tensor) and x in seen for x in step.node.inputs)
            seen.add(step.node)
        elif step.kind == "contribute":
            extra = step.raw.ndim - step.to.ndim
            kept = tuple(i + extra for i, n in enumerate(step.to.shape) if n == 1 and step.raw.shape[i + extra] != 1)
            summed = step.raw.sum(tuple(range(extra)) + kept).reshape(step.to.shape)
            np.testing.assert_allclose(step.reduced, summed)
            np.testing.assert_allclose(step.after, step.reduced if step.before is None else step.before + step.reduced)
            got[step.to] = got.get(step.to, 0) + 1
            assert step.got == got[step.to] <= step.uses
            last[step.to] = step.after
    assert all(x.grad is None for x in leaves)
    loss.backward()
    for x in leaves:
        assert (x.grad is None) == (x not in last)
        if x in last:
            np.testing.assert_allclose(x.grad.array, last[x])


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_gradients_of_random_graphs(graph: tuple) -> None:
    """The same as arrays, as tensors, and from several roots."""
    leaves, loss = graph
    recorded = autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
    four = autograd.grad([loss, loss], leaves, [3.0, None], retain_graph=True, allow_unused=True)
    loss.backward()
    for x, g, four_g in zip(leaves, recorded, four, strict=True):
        assert (x.grad is None) == (g is None) == (four_g is None)
        if g is not None:
            np.testing.assert_allclose(x.grad.array, g.array)
            np.testing.assert_allclose(4 * x.grad.array, four_g.array)


def test_deep_and_wide_graphs_are_linear_and_freed_at_once() -> None:
    gc.disable()
    try:
        x = tg.tensor(1.0, requires_grad=True)
        y = x
        for _ in range(100_000):
            y = y + 1
        inside = weakref.ref(y.inputs[0])
        y.backward(retain_graph=True)
        assert x.grad.item() == 1
        assert inside() is not None
        del y
        assert inside() is None
        wide = tg.stack([x * 2 for _ in range(20_000)]).sum()
        inside = weakref.ref(wide.inputs[0])
        wide.backward()
        assert x.grad.item() == 40_001
        assert inside() is None  # let go while backward walked: so many tensors are large, though their numbers are few
    finally:
        gc.enable()


@pytest.mark.slow
def test_a_million_operations() -> None:
    x = y = tg.tensor(1.0, requires_grad=True)
    for _ in range(1_000_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_are_their_tensors_own(create_graph: bool) -> None:
    """Though one array is handed on to several; and of their dtype, whatever a rule gives."""

    @tg.op(dx=lambda g, z, x: (g * 2).astype("float64") if isinstance(g, np.ndarray) else (g * 2).double())
    def doubled(x):  # type: ignore[no-untyped-def]
        return x * 2

    for function in (tg.sum, lambda h: (h * h).sum(), lambda h: doubled(h).sum()):
        a, b = tg.ones(3, requires_grad=True), tg.ones(3, requires_grad=True)
        h = a + b
        h.retain_grad()
        function(h).backward(create_graph=create_graph)
        expected = b.grad.tolist()
        with tg.no_grad():
            a.grad *= 5
        assert b.grad.tolist() == h.grad.tolist() == expected
        assert {x.grad.dtype for x in (a, b)} == {tg.float32}


def test_gradients_accumulate_until_they_are_forgotten() -> None:
    w = tg.tensor(3.0, requires_grad=True)
    (w * w).backward()
    (w * w).backward()
    assert w.grad.item() == 12


def test_a_leaf_that_began_to_require_grad_later_was_a_constant() -> None:
    w, x = tg.tensor(2.0, requires_grad=True), tg.tensor(5.0)
    y = w * x
    x.requires_grad_()
    y.backward()
    assert w.grad.item() == 5
    assert x.grad is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_that_changes_its_gradient_in_place_changes_no_other(create_graph: bool) -> None:
    a, b = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    a.register_hook(lambda g: (g.mul_(100), None)[1])
    ((a + b) ** 2).sum().backward(create_graph=create_graph)  # the sum hands the same gradient to both
    assert a.grad.tolist() == [400, 400]
    assert b.grad.tolist() == [4, 4]


def test_hooks_and_retained_gradients() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    h.retain_grad()
    handle = h.register_hook(lambda g: g * 2)
    h.sum().backward()
    assert h.grad.tolist() == [2, 2]
    assert x.grad.tolist() == [6, 6]
    handle.remove()
    h = x * 3
    h.register_hook(lambda g: g * 2)
    autograd.backward(h.sum(), inputs=[x])
    assert x.grad.tolist() == [12, 12]
    with pytest.warns(UserWarning, match="keeps gradients only in leaves"):
        assert h.grad is None
    other = tg.ones(2, requires_grad=True)
    autograd.backward([other, x * 3], [tg.ones(2), tg.ones(2)], inputs=[x])
    assert x.grad.tolist() == [15, 15]
    assert other.grad is None
    x.register_hook(lambda g: 1 + None)
    with pytest.raises(TypeError, match="unsupported operand") as caught:
        (x * 3).sum().backward()
    assert not hasattr(caught.value, "__notes__")  # no rule has failed
    leaf = tg.ones(2, requires_grad=True)
    leaf.register_post_accumulate_grad_hook(lambda t: t.grad * 2)
    with pytest.raises(GraphError, match=r"register_post_accumulate_grad_hook returned something .* register_hook"):
        (leaf * 3).sum().backward()


def test_only_what_is_on_the_way_is_computed() -> None:
    called: list[str] = []

    @tg.op(dx=lambda g, z, x, y: called.append("dx") or g * y, dy=lambda g, z, x, y: called.append("dy") or g * x)
    def product(x, y):  # type: ignore[no-untyped-def]
        return x * y

    a, b = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    h = product(a, 1.0)
    h.register_hook(lambda g: called.append("hook"))
    for targets, gradients, calls in (
        ([b], [2], ["dy"]),
        ([h], [3], ["dx", "hook"]),  # which leaves the way from h on to a as it was
        ([a, h], [3, 3], ["dx", "hook", "dx"]),
    ):
        assert [g.item() for g in autograd.grad(product(h, b), targets)] == gradients
        assert called == calls
        called.clear()


@pytest.mark.parametrize("kept", [True, False])
def test_gradients_reach_as_far_as_the_graph_is_not_used_up(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autograd.engine, "KEEP_GRAPH_BYTES", 2**20 if kept else 0)
    w = tg.tensor(2.0, requires_grad=True)
    h = w * 2
    h.backward()
    x = tg.tensor(5.0, requires_grad=True)
    y = h * x + w
    assert [g.item() for g in autograd.grad(y, [h, x], retain_graph=True)] == [5, 4]
    for further in (w, [h, w]):  # one of two ways to w leads through what was used up
        with pytest.raises(GraphError, match="already went through"):
            autograd.grad(y, further, allow_unused=True)


# -- changes in place --------------------------------------------------------------------------------------------------
def test_a_tracked_tensor_changed_in_place_keeps_its_earlier_uses() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    h = x * 1
    before = h * h  # uses the old h
    h += 1
    h[0] = 10.0
    (before + h * 3).sum().backward()
    assert x.grad.tolist() == [2, 2 * 2 + 3]


def test_an_untracked_tensor_may_be_filled_with_tracked_values() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    out = tg.zeros(2, 2)
    for i in range(2):
        out[i] = x * (i + 1)
    out.sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_changed_values_are_noticed() -> None:
    @tg.op(dx=lambda g, z, x, by: g * by)
    def scaled(x, *, by):  # type: ignore[no-untyped-def]
        return x * by

    w, by = tg.tensor([2.0], requires_grad=True), tg.tensor([5.0])
    for make, change, said in (
        (lambda x, h: x * w, lambda x, h, y: x.detach().add_(1), r"mul .*: its input x "),
        (lambda x, h: w * x, lambda x, h, y: setattr(x, "data", tg.zeros(1)), r"mul .*: its input x "),
        (lambda x, h: w * x, lambda x, h, y: setattr(x, "data", tg.zeros(2)), r"mul .*\(1,\).* of another shape: x \(2,\)"),
        (lambda x, h: h.exp(), lambda x, h, y: y.detach().add_(1), r"exp .*: its result\."),
        (lambda x, h: scaled(w, by=by), lambda x, h, y: by.add_(1), r"scaled .*: a setting\."),
        (lambda x, h: h.logsumexp(0), lambda x, h, y: h.detach().add_(1), r"logsumexp .*: its input"),
    ):
        x, h = tg.tensor([3.0], name="x"), w * 1
        y = make(x, h)
        change(x, h, y)
        with pytest.raises(InplaceError, match=said):
            y.backward()
    h = w * x
    h.register_hook(lambda g: x.detach().add_(1))  # while backward walks
    with pytest.raises(InplaceError, match=r"mul .* changed in place .*x"):
        h.backward()
    assert w.grad is None


def test_values_that_are_not_needed_may_change() -> None:
    w, x = tg.tensor([2.0], requires_grad=True), tg.tensor([3.0])
    z = (w + x).sum()  # a sum does not need its terms
    x.add_(1)
    z.backward()
    assert w.grad.tolist() == [1]
    data = np.array([3.0], "float32")
    z = w * data  # an array is copied
    data[0] = 7
    assert autograd.grad(z, w)[0].item() == 3
    v = tg.tensor([5.0], requires_grad=True)
    z = w * v  # the gradient of v needs w only
    with tg.no_grad():
        v.add_(1)
    assert autograd.grad(z, v, retain_graph=True)[0].item() == 2
    with pytest.raises(InplaceError, match="changed in place"):
        autograd.grad(z, w)

    @tg.op(joint=lambda g, z, x, y: [g * y, g * x])
    def product(x, y):  # type: ignore[no-untyped-def]
        return x * y

    h = w * 1
    z, p = h.sum(), product(h, h)
    h.detach().add_(1)
    assert autograd.grad(z, w)[0].item() == 1  # of which a shape is read
    assert autograd.grad(p * 2, p)[0].item() == 2  # not its own rule


def test_a_leaf_cannot_be_changed_while_recording() -> None:
    w = tg.tensor([1.0], requires_grad=True)
    for change in (lambda: w.add_(1), lambda: w.__setitem__(0, 2.0), lambda: w.zero_()):
        with pytest.raises(InplaceError, match="no_grad"):
            change()
    assert w.tolist() == [1]
    with tg.no_grad():
        w -= 0.5
    assert w.tolist() == [0.5]


def test_errors_say_what_to_do() -> None:
    w = tg.tensor([[1.0, 2.0, 3.0]], requires_grad=True, name="w")
    with pytest.raises(ShapeError, match=r"mul: .*w \(1, 3\).*\(2,\)"):
        w * tg.ones(2)
    with pytest.raises(GraphError, match=r"\(1, 3\).*sum\(\)"):
        (w * 2).backward()
    loss = (w * 2).sum()
    loss.backward()
    with pytest.raises(GraphError, match="retain_graph=True"):
        loss.backward()
    with pytest.raises(GraphError, match="does not require grad"):
        tg.ones(1).backward()
    with pytest.raises(DtypeError, match="float"):
        tg.tensor([1, 2], requires_grad=True)
    with pytest.raises(ShapeError, match="one element"):
        w.item()
    with pytest.raises(IndexError, match="index 3 is out of range for dim 1 of size 3 of w"):
        w[0, 3]
    with pytest.raises(ShapeError, match="must have the tensor's shape"):
        (w * 2).backward(tg.ones(2))
    with pytest.warns(UserWarning, match="retain_grad"):
        assert (w * 2).grad is None
    for ask, error, said in (
        (lambda: tg.ones(1).register_hook(print), GraphError, r"register_hook\(\) on a tensor that does not require grad"),
        (lambda: tg.ones(1).retain_grad(), GraphError, r"retain_grad\(\) on a tensor that does not require grad"),
        (lambda: (w * 2).requires_grad_(False), GraphError, r"use \.detach\(\)"),
        (lambda: copy.deepcopy(w * 2), GraphError, "only leaves can be deep-copied"),
        (lambda: pickle.dumps(w * 2), GraphError, "only leaves can be pickled"),
        (lambda: iter(tg.tensor(1.0)), TypeError, "iteration over a 0-d tensor"),
        (lambda: len(tg.tensor(1.0)), TypeError, r"len\(\) of a 0-d tensor"),
        (lambda: [1, 2][tg.tensor(1.0)], TypeError, "only integer tensors of one element"),
        (lambda: tg.Tensor((2, 3)), TypeError, r"Write \*\(2, 3\) for a size, \[2, 3\] for numbers"),
        (lambda: w.numpy(), GraphError, r"x\.detach\(\)\.numpy\(\)"),
        (lambda: tg.mul(w), TypeError, r"mul\(\) needs y; its arguments are \(x, y\)\."),
        (lambda: tg.mul(w, w, w), TypeError, r"mul\(\) got 3 positional arguments; its arguments are \(x, y\)\."),
        (lambda: tg.mul(w, w, by=2), TypeError, r"mul\(\) does not take 'by'"),
        (lambda: tg.mul(w, input=w), TypeError, r"mul\(\) does not take 'input'"),
        (lambda: tg.mul(other=w), TypeError, r"mul\(\) does not take 'other'"),
    ):
        with pytest.raises(error, match=said):
            ask()


def test_what_cannot_be_asked_for_is_refused_before_anything_is_used_up() -> None:
    w, x = tg.tensor(3.0, requires_grad=True), tg.tensor(1.0, requires_grad=True, name="x")
    y, constant = w * w, tg.tensor(2.0)
    for ask, error, said in (
        (lambda: autograd.backward(y, inputs=[]), GraphError, r"inputs=\[\]"),
        (lambda: autograd.backward(y, inputs=constant), GraphError, r"^backward\(inputs=\.\.\.\): .* does not require grad"),
        (lambda: autograd.grad(y, constant), GraphError, r"^autograd\.grad: .* does not require grad"),
        (lambda: autograd.grad(y, []), ValueError, "no gradient at all"),
        (lambda: setattr(w, "grad", w), GraphError, "its own gradient"),
        (lambda: autograd.grad(y, [w, x]), GraphError, "do not depend on x"),
        (lambda: autograd.grad(weighted(x, constant * w), [w, x]), GraphError, "do not depend on x"),
        (lambda: autograd.grad(y, [w, x], materialize_grads=True, allow_unused=False), ValueError, "allow_unused=False"),
        (lambda: autograd.grad(y, [w, 3]), TypeError, "there is a int"),
        (lambda: autograd.grad([y, y], w, [1.0]), GraphError, "2 tensors need 2 gradients .* 1 were given"),
        (lambda: autograd.grad([y, y], w, constant), GraphError, "2 tensors need 2 gradients .* 1 were given"),
    ):
        with pytest.raises(error, match=said):
            ask()
    assert [g.item() for g in autograd.grad(y, [w, x], create_graph=True, materialize_grads=True, allow_unused=True)] == [6, 0]
    y.backward()  # create_graph keeps the graph, too
    assert w.grad.item() == 6


def test_rules_of_users_are_checked() -> None:
    with pytest.raises(TypeError, match=r"dy.*belongs to no input"):
        tg.op(dy=lambda g, z, x: g)(lambda x: x)

    @tg.op(dx=lambda g, z, x: g[:1])
    def wrong(x):  # type: ignore[no-untyped-def]
        return x * 2

    x = tg.ones(3, requires_grad=True)
    with pytest.raises(ShapeError, match=r"\(1,\).*\(3,\)") as caught:
        wrong(x).sum().backward()
    assert "wrong" in str(caught.value)
    assert not hasattr(caught.value, "__notes__")  # it says everything itself
    assert x.grad is None


def test_a_rule_with_other_arguments_is_told_what_it_gets() -> None:
    @tg.op(dx=lambda g, x: g)
    def too_few(x, *, by=2):  # type: ignore[no-untyped-def]
        return x * by

    @tg.op(joint=lambda g, xs: [g])
    def too_few_of_many(*xs, by=2):  # type: ignore[no-untyped-def]
        return xs[0] * by

    @tg.op(dx=lambda g, z, x, by: g + None)
    def fails_inside(x, *, by=2):  # type: ignore[no-untyped-def]
        return x * by

    @tg.op(dx=getattr)  # which does not say what it takes
    def built_in(x):  # type: ignore[no-untyped-def]
        return x * 2

    x = tg.ones(3, requires_grad=True)
    with pytest.raises(GraphError, match=r"rule dx of too_few \(test_engine.*takes \(g, x\) and must take \(g, z, x, by\)"):
        too_few(x).sum().backward()
    with pytest.raises(GraphError, match=r"joint rule of too_few_of_many .*takes \(g, xs\) and must take \(g, z, \*xs, by\)"):
        too_few_of_many(x, x).sum().backward()
    with pytest.raises(TypeError, match="unsupported operand"):  # of a rule that takes what it gets, Python's own error
        fails_inside(x).sum().backward()
    with pytest.raises(TypeError, match="attribute name must be"):
        built_in(x).sum().backward()


def test_a_rule_that_forgets_to_return_is_named() -> None:
    def forgets(g, z, x):  # type: ignore[no-untyped-def]
        2 * g

    x = tg.ones(3, requires_grad=True)
    doubled = tg.op(dx=forgets)(lambda x: 2 * x)
    for look in (tg.Tensor.backward, tg.check_graph, lambda loss: list(autograd.steps(loss))):
        with pytest.raises(GraphError, match=r"the rule dx of .* returned None. Is a `return` missing"):
            look(doubled(x).sum())
    assert x.grad is None


@pytest.mark.parametrize(
    "rule", [lambda g, z, x: g.unsqueeze(0), lambda g, z, x: g.mean(0, keepdim=True), lambda g, z, x: g.sum(dim=0)]
)
def test_a_rule_that_calls_methods_of_tensors_is_told_of_functions(rule) -> None:  # type: ignore[no-untyped-def]
    doubled = tg.op(dx=rule)(lambda x: 2 * x)
    with pytest.raises((AttributeError, TypeError)) as caught:
        doubled(tg.ones(3, requires_grad=True)).sum().backward()
    assert "call functions in it, which take both" in caught.value.__notes__[0]


def test_a_rule_may_return_a_tensor_but_no_array_when_it_got_tensors() -> None:
    @tg.op(dx=lambda g, z, x: 2 * g * x * tg.ones(3))
    def square_times_ones(x):  # type: ignore[no-untyped-def]
        return x * x

    @tg.op(dx=lambda g, z, x: np.full(3, 2.0, "float32"))
    def forgets_history(x):  # type: ignore[no-untyped-def]
        return 2 * x

    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    square_times_ones(tg.exp(x)).sum().backward()
    assert type(x.grad.array) is np.ndarray
    assert np.allclose(x.grad.numpy(), 2 * np.exp(2 * x.detach().numpy()))
    first, *_ = autograd.grad(square_times_ones(x).sum(), x, create_graph=True)
    assert autograd.grad(first.sum(), x)[0].tolist() == [2, 2, 2]
    with pytest.raises(GraphError, match=r"rule dx of forgets_history .*called with tensors.*returned an array"):
        autograd.grad(forgets_history(x).sum(), x, create_graph=True)


def test_a_tensor_made_of_tracked_ones_says_that_history_is_lost() -> None:
    w = tg.ones(3, requires_grad=True)
    for lossy in (lambda: tg.tensor(w * 2), lambda: tg.Tensor(w), lambda: tg.tensor([[w.sum()], [w.mean()]])):
        with pytest.warns(UserWarning, match=r"without its history.*stack") as caught:
            assert not lossy().requires_grad
        assert {warning.filename for warning in caught} == {__file__}
    with tg.no_grad():
        tg.tensor(w)
    tg.tensor([w.detach(), w.detach()])
    nn.Parameter(w * 2)  # which is how a parameter is made of another's numbers


def test_an_operation_without_a_rule_is_named() -> None:
    w = tg.ones(3, requires_grad=True)

    @tg.op
    def ruleless(x):  # type: ignore[no-untyped-def]
        return x * 2

    with pytest.raises(GraphError, match=r"ruleless .* without a rule \(dx=...\)") as caught:
        ruleless(w).sum().backward()
    assert not any(f"What {name} makes" in str(caught.value) for name in ("weighted", "sign"))


class Twice(autograd.Function):
    """Two outputs, one of which is not used."""

    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x * x, x * 3

    @staticmethod
    def backward(ctx, a, b):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return 2 * x * a + 3 * b


def test_function() -> None:
    x = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
    square, triple = Twice.apply(x)
    g = autograd.grad(square.sum() + (triple * triple).sum(), x, create_graph=True)[0]
    assert g.tolist() == [20, 40]
    assert autograd.grad(g.sum(), x)[0].tolist() == [20, 20]


def test_anomalies_are_named() -> None:
    x = tg.tensor([1.0, 0.0], requires_grad=True, name="x")
    infinite, numbers = tg.tensor([float("inf"), 1.0]), tg.tensor([1, 0])
    with autograd.detect_anomaly():
        with pytest.raises(tg.errors.AnomalyError, match=r"log at test_engine\.py:\d+: x\.log\(\) made an infinity .*x \(2,\)"):
            x.log()
        with pytest.raises(tg.errors.AnomalyError, match=r"div at test_engine.py:\d+.* made a NaN from inputs without one"):
            x / x
        with pytest.raises(tg.errors.AnomalyError, match=r"div at test_engine.py:\d+.* made an infinity"):
            (numbers + 1) / 0
        assert (infinite * 2 + numbers).clamp(None, 3.0).tolist() == [3, 2]  # which was infinite before
        (x * 2).backward(infinite)  # which came in
        y = x.sqrt().sum()
        with pytest.raises(
            tg.errors.AnomalyError, match=r"sqrt at test_engine.py:\d+.* an infinity in the gradient of its input x "
        ):
            y.backward()
        for off in (lambda: autograd.set_detect_anomaly(False), lambda: autograd.detect_anomaly(check_nan=False)):
            with off():
                x.log()
            with pytest.raises(tg.errors.AnomalyError), autograd.detect_anomaly():
                x.log()
            with pytest.raises(tg.errors.AnomalyError):  # as before
                x.log()
    x.log()
    autograd.set_detect_anomaly(True)
    with pytest.raises(tg.errors.AnomalyError):
        x.log()
    autograd.set_detect_anomaly(False)
    autograd.set_detect_anomaly(False)
    x.sqrt().sum().backward()


def test_functional() -> None:
    f, x = tg.autograd.functional, tg.tensor([1.0, 2.0], dtype=tg.float64)
    assert f.jacobian(lambda x: x**3, x).tolist() == [[3, 0], [0, 12]]
    assert f.hessian(lambda x: (x**3).sum(), x).tolist() == [[6, 0], [0, 12]]
    assert f.jvp(lambda x: x**3, x, tg.ones(2, dtype=tg.float64))[1].tolist() == [3, 12]
    assert f.hvp(lambda x: (x**3).sum(), x, tg.ones(2, dtype=tg.float64))[1].tolist() == [6, 12]
    assert f.jacobian(lambda x: x[:0], x).shape == (0, 2)
    for ask, error, said in (
        (lambda: f.vjp(tg.sin, x), RuntimeError, "only where the output is a single number"),
        (lambda: f.jvp(tg.sin, x), RuntimeError, "only where the input is a single number"),
        (lambda: f.vhp(lambda x, y: (x * y).sum(), (x, x)), RuntimeError, "only where the input is a single number"),
        (lambda: f.vjp(tg.sin, x, tg.ones(3)), ShapeError, r"the shapes of the output, \[\(2,\)\], not \[\(3,\)\]"),
        (lambda: f.jvp(tg.sin, x, (x, x)), ShapeError, r"the shapes of the input, \[\(2,\)\], not \[\(2,\), \(2,\)\]"),
        (lambda: f.jacobian(tg.sin, [1.0]), TypeError, "inputs must be a tensor .* there is a float"),
        (lambda: f.jacobian(lambda x: 3, x), TypeError, "what the function returns must be a tensor .* there is a int"),
        (lambda: f.hessian(tg.sin, x), GraphError, "a single number"),
        (lambda: f.hvp(lambda x: 3, x, x), GraphError, "a single number"),
    ):
        with pytest.raises(error, match=said):
            ask()


def test_a_backward_that_fails_changes_nothing() -> None:
    @tg.op(joint=lambda g, z, x, y: [g])
    def half_ruled(x, y):  # type: ignore[no-untyped-def]
        return x + y

    @tg.op(joint=lambda g, z, x, y: g)  # as long as it should be
    def unlisted(x, y):  # type: ignore[no-untyped-def]
        return x + y

    @tg.op(dx=lambda g, z, x: "nothing")
    def no_array(x):  # type: ignore[no-untyped-def]
        return x * 2

    a, b = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match=r"1 gradients for 2 inputs"):
        (half_ruled(a * 1, b).sum() + b.sum()).backward()
    with pytest.raises(GraphError, match=r"a ndarray for 2 inputs"):
        (unlisted(a * 1, b).sum() + b.sum()).backward()
    with pytest.raises(GraphError, match=r"no_array.*returned a str"):
        (no_array(a).sum() + b.sum()).backward()
    assert a.grad is None
    assert b.grad is None


def test_a_joint_rule_may_leave_a_gradient_until_it_is_wanted() -> None:
    computed = []

    @tg.op(joint=lambda g, z, x, y: [lambda: computed.append("x") or g * y, g * x])
    def product(x, y):  # type: ignore[no-untyped-def]
        return x * y

    a, b = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    assert tg.autograd.grad(product(a.detach(), b), b)[0].item() == 2.0
    assert computed == []
    assert [x.item() for x in tg.autograd.grad(product(a, b), [a, b])] == [3.0, 2.0]
    (twice,) = tg.autograd.grad(product(a, b), a, create_graph=True)
    assert tg.autograd.grad(twice, b)[0].item() == 1.0
    assert computed == ["x", "x"]


def test_requires_grad_counts_as_it_was_at_each_use() -> None:
    x, w = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    uses = []
    for i in range(7):
        uses.append(x * w * 10**i)
        x.requires_grad_(not x.requires_grad)
    x.requires_grad_(True)
    sum(uses).backward()
    assert (x.grad.item(), w.grad.item()) == (3 * 1010101, 2 * 1111111)
    y = x * w
    for _ in range(8):
        x.requires_grad_(False).requires_grad_(True)
    with pytest.raises(GraphError, match="switched so often"):
        y.backward()


def test_a_nan_that_where_did_not_choose_is_pointed_out() -> None:
    x = tg.tensor([0.0, 4.0], requires_grad=True, name="x")
    with np.errstate(invalid="ignore"), pytest.warns(UserWarning, match=r"NaN in the gradient of x.*where\(c, f\(where"):
        tg.where(x > 0, x / x, 0.0).sum().backward()
    with np.errstate(invalid="ignore"):
        tg.where(x >= 0, x / x, 0.0).sum().backward()  # a loss that is NaN itself is seen


def test_steps_after_backward_need_the_graph() -> None:
    x = tg.ones(3, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    assert [s.kind for s in autograd.steps(loss)][-1] == "done"
    big = (tg.ones(3000, 3000, requires_grad=True) * 2).sum()
    big.backward()
    with pytest.raises(GraphError, match="retain_graph=True"):
        list(autograd.steps(big))


def test_shapes_that_do_not_multiply_name_the_transpose() -> None:
    x, w = tg.ones(5, 3, name="x"), tg.ones(4, 3, name="w")
    with pytest.raises(ShapeError, match=r"x \(5, 3\).*w \(4, 3\)") as caught:
        x @ w
    assert ".T" in str(caught.value) or ".mT" in str(caught.value)


def test_a_value_read_beside_a_setting_called_size_is_protected() -> None:
    @tg.op(dx=lambda g, z, x, size: g * (x * size))
    def half_square(x, *, size=1.0):  # type: ignore[no-untyped-def]
        return x * x * (size / 2)

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    h = x * 1
    y = half_square(h)
    h.data += 1
    with pytest.raises(InplaceError, match="half_square"):
        y.sum().backward()


def test_what_an_operation_keeps_for_its_rule() -> None:
    """The rule gets it, on arrays and while the graph is there; without it, it comes to the same gradient."""
    got = []

    def slope(g, z, x, square):  # type: ignore[no-untyped-def]
        got.append(square)
        return 3 * g * (x * x if square is None else square)

    @tg.op(keeps="square", dx=slope)
    def cube(x):  # type: ignore[no-untyped-def]
        square = x * x
        return x * square, square

    x = tg.tensor([2.0, 3.0], requires_grad=True)
    assert type(cube(x.numpy(force=True))) is np.ndarray  # on arrays, the result alone
    with tg.no_grad():
        assert cube(x).kept is None

    z = cube(x)
    z.sum().backward(retain_graph=True)
    z.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [24, 54])
    assert [list(square) for square in got] == [[4, 9], [4, 9]]
    assert z.kept is None  # freed with the graph
    assert [list(s.raw) for s in autograd.steps(cube(x).sum()) if s.to is x] == [[12, 27]]

    got.clear()
    z = cube(x)
    (first,) = autograd.grad(z.sum(), x, create_graph=True)
    (second,) = autograd.grad(first.sum(), x)
    np.testing.assert_array_equal(second.numpy(), [12, 18])
    assert got == [None]


def test_an_operation_that_keeps_must_return_a_pair() -> None:
    @tg.op(keeps="square", dx=lambda g, z, x, square: g)
    def lonely(x):  # type: ignore[no-untyped-def]
        return x * x

    @tg.op(keeps="square", dx=lambda g, z, x, square: g)
    def crowded(x):  # type: ignore[no-untyped-def]
        return x, x, x

    for operation, got in ((lonely, "ndarray"), (crowded, "tuple")):
        with pytest.raises(TypeError, match=rf"keeps='square' it must return the pair \(z, square\), not a {got}"):
            operation(tg.ones(2, requires_grad=True))


def test_an_own_operation_says_what_it_must_return() -> None:
    @tg.op(dx=lambda g, z, x: g)
    def forgets(x):  # type: ignore[no-untyped-def]
        x * 2

    @tg.op(dx=lambda g, z, x: g)
    def lists(x):  # type: ignore[no-untyped-def]
        return list(x)

    for operation, got in ((forgets, "None"), (lists, r"\[.*1\.0")):
        with pytest.raises(TypeError, match=f"must return an array or a number, not {got}.*Is a `return` missing") as caught:
            operation(tg.ones(2, requires_grad=True))
        assert f"in {operation.__name__}(" in caught.value.__notes__[-1]

    @tg.op(dx=lambda g, z, x: g)
    def detaches(x):  # type: ignore[no-untyped-def]
        return x.detach()

    @tg.op(dx=lambda g, z, x: g)
    def keeps_dim(x):  # type: ignore[no-untyped-def]
        return x.sum(0, keepdim=True)

    for operation in (detaches, keeps_dim):
        with pytest.raises((AttributeError, TypeError)) as without:
            operation(tg.ones(2))
        assert "gets arrays: call functions of NumPy" in without.value.__notes__[0]
    with pytest.raises(TypeError, match="under the name of its input"):
        tg.op(lambda g, z, x: g)


def test_a_function_says_how_it_is_called() -> None:
    x, c = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)

    def give(*gradients: Any, saved: Any = None) -> Callable:
        class Given(autograd.Function):
            @staticmethod
            def forward(ctx, *args):  # type: ignore[no-untyped-def]
                ctx.save_for_backward(saved)
                return args[0] * 2

            @staticmethod
            def backward(ctx, g):  # type: ignore[no-untyped-def]
                return gradients

        return Given.apply

    for gradients, args, error, said in (
        ([c], [x, 3], GraphError, r"Given\.backward returned 1 gradient\(s\), but forward took 2 argument"),
        ([c, None, c], [x, 3], GraphError, r"returned 3 gradient\(s\), but forward took 2 argument"),
        ([c, c], [x, 3], GraphError, "a gradient for argument 2, which is 3 and no tensor"),
        ([2.0], [x], TypeError, "its gradient for argument 1 is a float"),
        ([tg.ones(3)], [x], ShapeError, r"a gradient of shape \(3,\) for argument 1, which is \(2,\)"),
        ([tg.ones(1)], [x], ShapeError, r"a gradient of shape \(1,\) for argument 1, which is \(2,\)"),
    ):
        with pytest.raises(error, match=said):
            give(*gradients)(*args).sum().backward()
    assert x.grad is None
    with pytest.raises(TypeError, match=r"takes tensors; a int can be an attribute: ctx\.value"):
        give(c, saved=3)(x)
    hidden = tg.ones(2)
    with pytest.warns(UserWarning, match=r"Given saved \(2,\) float32, which is neither an input nor an output"):
        autograd.grad(give(c, saved=hidden)(x).sum(), x, create_graph=True)
    z = give(c, saved=hidden)(x).sum()
    hidden.add_(1)
    with pytest.raises(InplaceError, match="Given saved a tensor for backward that was changed in place since"):
        z.backward()

    class Square(autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            return x.detach().numpy() ** 2

    with pytest.raises(TypeError, match=r"write Square\.apply"):
        Square()(tg.ones(2))
    with pytest.raises(TypeError, match="returned a ndarray; return a tensor"):
        Square.apply(tg.ones(2, requires_grad=True))
    with pytest.raises(NotImplementedError, match="def forward"):
        autograd.Function.apply(x)
    with pytest.raises(GraphError, match="cannot change its inputs in place"):
        autograd.function.FunctionCtx().mark_dirty(x)


def test_an_own_operation_keeps_its_defaults() -> None:
    @tg.op(dx=lambda g, z, x, low, high: g * ((x > low) & (x < high)))
    def between(x, low=-1.0, high=1.0):  # type: ignore[no-untyped-def]
        return np.clip(x, low, high)

    @tg.op(dx=lambda g, z, x, axis: g)
    def shifted(x, axis=0):  # type: ignore[no-untyped-def]
        return x - x.mean(axis=axis, keepdims=True)

    x = tg.tensor([[-5.0, 0.5], [3.0, 0.0]], requires_grad=True)
    assert between(x).tolist() == [[-1, 0.5], [1, 0]]
    assert between(x, high=2.0).tolist() == [[-1, 0.5], [2, 0]]
    between(x, high=4.0).sum().backward()
    assert x.grad.tolist() == [[0, 1], [1, 1]]
    assert shifted(x, axis=1).tolist() == [[-2.75, 2.75], [1.5, -1.5]]


def test_a_size_is_nothing_to_differentiate() -> None:
    assert tg.Tensor(2, 3).shape == (2, 3)
    for sizes in ((5,), (2, 3)):
        with pytest.raises(TypeError, match="of that size"):
            tg.Tensor(*sizes, requires_grad=True)
    assert tg.Tensor(5.0, requires_grad=True).shape == ()


def test_parts_add_to_one_gradient() -> None:
    x = tg.randn(4, 5, dtype=tg.float64, requires_grad=True)
    mask = tg.tensor([True, False, True, True])
    indices = [
        0,
        (slice(None), 1),
        (slice(1, 3), slice(0, 4, 2)),
        mask,
        -1,
        (..., 2),
        (1, 1),
        ([0, 0, 3], [1, 1, 4]),
        None,
        (2, None),
    ]
    weights = [tg.randn_like(x[index].detach()) for index in indices]

    def weighted(x):
        return sum((x[index] * weight).sum() for index, weight in zip(indices, weights, strict=True))

    expected = np.zeros(x.shape)
    for index, weight in zip(indices, weights, strict=True):
        np.add.at(expected, mask.numpy() if index is mask else index, weight.numpy())
    weighted(x).backward()
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)
    (seen,) = tg.autograd.grad(weighted(x), x, create_graph=True)
    np.testing.assert_allclose(seen.detach().numpy(), expected, rtol=1e-12)
    number = tg.tensor(2.0, requires_grad=True)
    (number[None].sum() + number * 1 + number * 2).backward()
    assert number.grad.item() == 4
