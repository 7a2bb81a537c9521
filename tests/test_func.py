"""func beyond what tests/oracle/programs.txt compares with PyTorch: refusals, and what stays as it was."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import func, nn
from tinygrad_edu.errors import GraphError, ShapeError
from tinygrad_edu.utils import _pytree


class Pair(NamedTuple):
    a: Any
    b: Any


def test_trees_taken_apart_and_put_together() -> None:
    tree = {"a": [1, (2, None)], "b": ()}
    values, spec = _pytree.tree_flatten(tree)
    assert values == [1, 2, None]
    assert _pytree.tree_unflatten(values, spec) == tree
    assert _pytree.tree_map(lambda x, y: (x, y), [1, [2]], [3, [4]]) == [(1, 3), [(2, 4)]]
    with pytest.raises(ValueError, match="2 values for 3 places"):
        _pytree.tree_unflatten(values[1:], spec)


def test_trees_keep_their_kinds() -> None:
    found = func.grad(lambda p: p.a * p.b["w"][0])(Pair(tg.tensor(2.0), {"w": [tg.tensor(3.0), "text"]}))
    assert isinstance(found, Pair)
    assert found.b["w"][1] == "text"
    assert (found.a.item(), found.b["w"][0].item()) == (3, 2)


def test_grad_wants_a_single_number() -> None:
    for function in (lambda x: x, lambda x: 3.0, lambda x: (x.sum(),)):
        with pytest.raises(GraphError, match="single number"):
            func.grad(function)(tg.ones(2))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: func.grad(lambda x: x.sum(), 1)(x), "argnums 1: the function was called with 1 arguments"),
        (
            lambda x: func.grad(lambda x: x.sum(), has_aux=True)(x),
            r"has_aux=True the function returns \(output, something else\)",
        ),
        (
            lambda x: func.vjp(lambda x: x, x)[1](x, x),
            "a vector for each tensor, nested alike: a Tensor and a tuple of 0, 1 are not",
        ),
        (lambda x: func.vjp(lambda x: (x, x), x)[1]((x, [x])), "a Tensor and a list of 0 are not nested alike"),
        (lambda x: func.vjp(lambda x: {"a": x}, x)[1]({"b": x}), "a dict of a and a dict of b are not nested alike"),
        (lambda x: func.vjp(lambda x: x, x)[1](tg.ones(3)), r"must have the shape \(2,\)"),
        (lambda x: func.vjp(lambda x: x, x)[1](1.0), "a float stands for a "),
        (lambda x: func.jvp(tg.sin, x, x), "jvp takes the arguments .* as a tuple"),
        (lambda x: func.jvp(tg.sin, (x,), x), "a tuple of 0 and a Tensor are not nested alike"),
        (lambda x: func.jvp(tg.mul, (x, 2.0), (x, x)), "stands for a float"),
        (lambda x: func.grad(lambda x, y: (x * y).sum(), (0, -2))(x, x), "none twice"),
        (lambda x: func.jacrev(tg.sin, ())(x), "at least one argument"),
        (lambda x: func.grad(lambda x: x.sum(), "0")(x), "argnums must be an int"),
        (lambda x: func.jacrev(lambda x: 3.0)(x), "returned a float"),
        (lambda x: func.jacrev(lambda x: ())(x), r"returned \(\), in which there is none"),
        (lambda x: func.vmap(lambda x: x.item())(x), "must return tensors only, .* not a float"),
        (lambda x: func.vmap(lambda x: None)(x), "not a NoneType"),
        (lambda x: func.vmap(lambda x: (x, x), out_dims=(0,))(x), r"out_dims \(0,\) must say a dim for each of 2 results"),
    ],
)
def test_what_is_refused(call: Any, says: str) -> None:
    with pytest.raises((GraphError, IndexError, TypeError, ValueError), match=says):
        call(tg.ones(2))


def test_models_of_different_kinds_are_no_stack() -> None:
    for change, says in ((nn.Module.eval, "train"), (lambda m: m.bias.requires_grad_(False), "bias requires grad in some")):
        models = [nn.Linear(2, 1), nn.Linear(2, 1)]
        change(models[1])
        with pytest.raises(RuntimeError, match=says):
            func.stack_module_state(models)


def test_a_stack_of_models_may_come_from_a_generator() -> None:
    assert func.stack_module_state(nn.Linear(2, 1) for _ in range(3))[0]["weight"].shape == (3, 1, 2)


def test_arguments_are_left_alone() -> None:
    x = tg.ones(2, requires_grad=True)
    func.grad(lambda x: (x * x).sum())(x)
    func.hessian(lambda x: (x**3).sum())(x)
    assert x.grad is None
    assert x.is_leaf


def test_results_hold_no_history_where_there_is_none_of_the_callers() -> None:
    f, x = (lambda x: (x**3).sum()), tg.ones(2)
    y, pull_back = func.vjp(f, x)
    results = [func.grad(f)(x), *func.grad_and_value(f)(x), func.jacrev(f)(x), func.hessian(f)(x), y, *pull_back(tg.tensor(1.0))]
    assert not any(r.requires_grad for r in (*results, *func.jvp(f, (x,), (x,))))


class Counting(nn.Module):
    """Penalizes its weights, and counts its calls in a buffer that it sets anew."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.second.weight = self.first.weight
        self.calls = nn.Buffer(tg.zeros(1))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        self.calls = self.calls + 1
        return self.second(self.first(x)).sum() + sum(p.square().sum() for p in self.parameters())


def test_in_functional_call_a_module_finds_what_was_given() -> None:
    module, x = Counting(), tg.ones(1, 2)
    own = module.first.weight
    w = tg.full((2, 2), 3.0, requires_grad=True)
    given = {"first.weight": w, "calls": tg.tensor([5.0])}
    y = func.functional_call(module, given, x)
    assert y.item() == (2 * 6 * 6) + 4 * 9
    y.backward()
    np.testing.assert_allclose(w.grad, (6 + 6) + 2 * 3 * np.ones((2, 2)))  # 1·(W·x)ᵀ + (Wᵀ·1)·xᵀ, and the penalty's
    assert given["calls"].tolist() == [6.0]
    assert module.calls.tolist() == [0.0]
    assert [*module.parameters()] == [own]
    assert module.first.weight is own
    func.functional_call(module, {"first.weight": w}, x)  # what is not given is the module's own
    assert module.calls.tolist() == [1.0]


def test_functional_call_within_another_one() -> None:
    class Twice(nn.Linear):
        def forward(self, x: tg.Tensor) -> tg.Tensor:
            if x.sum() > 0:
                inner = func.functional_call(self, {"weight": tg.full((1, 1), 5.0)}, -x)
                return inner + sum(p.sum() for p in self.parameters()) + super().forward(x)
            return sum(p.sum() for p in self.parameters()) + super().forward(x)

    module = Twice(1, 1, bias=False)
    assert func.functional_call(module, {"weight": tg.full((1, 1), 3.0)}, tg.ones(1)).item() == (5 - 5) + 3 + 3
    assert len([*module.parameters()]) == 1
    assert "_in_place_of" not in vars(module)


def test_functional_call_refuses_two_tensors_for_one() -> None:
    module, x, a, b = Counting(), tg.ones(1, 2), tg.ones(2, 2), tg.zeros(2, 2)
    with pytest.raises(ValueError, match=r"first\.weight and second\.weight are one tensor"):
        func.functional_call(module, {"first.weight": a, "second.weight": b}, x)
    func.functional_call(module, {"first.weight": a, "second.weight": a}, x)
    assert func.functional_call(module, {"first.weight": a, "second.weight": b}, x, tie_weights=False).item() == 4
    with pytest.raises(ValueError, match="a name in several of the dicts"):
        func.functional_call(module, ({"first.weight": a}, {"first.weight": b}), x)
    func.functional_call(module, {"first.weight": a, "calls": tg.zeros(1)}, x, strict=True)
    with pytest.raises(KeyError, match="calls is missing"):
        func.functional_call(module, {"first.weight": a}, x, strict=True)


def test_functional_call_puts_everything_back_after_an_error() -> None:
    module = nn.Linear(2, 1)
    own = dict(module.named_parameters())
    with pytest.raises(ShapeError):
        func.functional_call(module, {"weight": tg.ones(1, 5)}, tg.ones(2))
    assert all(own[name] is p for name, p in module.named_parameters())
    with pytest.raises(KeyError, match="weights"):
        func.functional_call(module, {"weights": tg.ones(1, 2)}, tg.ones(2))
    with pytest.raises(KeyError, match="bias"):
        func.functional_call(module, {"weight": tg.ones(1, 2)}, tg.ones(2), strict=True)


def test_vmap_is_the_loop() -> None:
    rng = np.random.default_rng(0)
    a, b = (tg.tensor(rng.normal(size=(3, 4))) for _ in "ab")
    found = func.vmap(lambda x, y, scale: {"dot": x @ y * scale}, in_dims=(0, 0, None))(a, b, 2.0)["dot"]
    assert np.allclose(found.numpy(), [2 * (x @ y) for x, y in zip(a.numpy(), b.numpy(), strict=True)])


@pytest.mark.parametrize(
    ("in_dims", "arguments"), [(0, (tg.ones(2), tg.ones(3))), (None, (tg.ones(2),)), ((0, 0), (tg.ones(2),)), (0, (tg.ones(0),))]
)
def test_vmap_refuses_what_has_no_examples(in_dims: Any, arguments: tuple) -> None:
    with pytest.raises(ValueError, match="vmap"):
        func.vmap(lambda *x: x[0], in_dims=in_dims)(*arguments)
    with pytest.raises(ValueError, match="randomness"):
        func.vmap(lambda x: x, randomness="alike")


def test_random_numbers_in_vmap() -> None:
    draw, x = lambda x: x + tg.rand(3), tg.zeros(4, 3)
    assert len({tuple(row) for row in func.vmap(draw)(x).tolist()}) == 4
    same = func.vmap(draw, randomness="same")(x)
    assert len({tuple(row) for row in same.tolist()}) == 1
    assert not tg.equal(func.vmap(draw, randomness="same")(x), same)
    with pytest.raises(RuntimeError, match="draws random numbers"):
        func.vmap(draw, randomness="error")(x)
    assert func.vmap(lambda x: x + 1, randomness="error")(x).sum() == 12


def test_dims_of_nested_results() -> None:
    x = tg.arange(6).reshape(2, 3)
    a, (b, c) = func.vmap(lambda x: (x, (2 * x, {"three": 3 * x})), out_dims=(0, (1, 1)))(x)
    assert tg.equal(a, x)
    assert tg.equal(b, 2 * x.T)
    assert tg.equal(c["three"], 3 * x.T)
    a, (b, c) = func.vmap(lambda x: (x, (2 * x, 3 * x)), out_dims=(0, 1))(x)
    assert tg.equal(b, 2 * x.T)
    assert tg.equal(func.vmap(lambda x: x, out_dims=(1,))(x), x.T)
    with pytest.raises(ValueError, match="must say a dim for each of 1 results"):
        func.vmap(lambda x: x, out_dims=(0, 1))(x)
