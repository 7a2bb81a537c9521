"""Jacobians, Hessians and their products, all from `grad`.

Source: https://pytorch.org/docs/stable/autograd.html#functional-higher-level-api
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import GraphError, ShapeError
from ..grad_mode import enable_grad
from ..ops.creation import ones_like, zeros_like
from ..ops.joining import stack
from ..ops.shape import reshape
from ..tensor import Tensor, wrap
from .gradients import grad


def _tuple(values: Any, what: str) -> tuple[bool, tuple[Tensor, ...]]:
    several = isinstance(values, tuple | list)
    found = tuple(values) if several else (values,)
    for x in found:
        if not isinstance(x, Tensor):
            raise TypeError(f"{what} must be a tensor or a tuple of tensors, and there is a {type(x).__name__}.")
    return several, found


def _fresh(inputs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs as tensors to differentiate by: connected to the caller's graph only with create_graph."""
    return tuple(x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in inputs)


def _evaluate(func: Callable, inputs: tuple[Tensor, ...], strict: bool) -> tuple[bool, tuple[Tensor, ...]]:
    several, outputs = _tuple(func(*inputs), "what the function returns")
    if strict and not all(y.requires_grad for y in outputs):
        raise RuntimeError("strict: an output does not depend on the inputs.")
    return several, outputs


def _grads(outputs: Any, inputs: Any, weights: Any, create_graph: bool, strict: bool = False) -> tuple[Tensor, ...]:
    """Gradients of weighted outputs, zeros where nothing depends on an input."""
    pairs = [(y, w) for y, w in zip(outputs, weights, strict=True) if y.requires_grad]
    if not pairs:
        return tuple(zeros_like(x) for x in inputs)
    found = grad(
        [y for y, _ in pairs], inputs, [w for _, w in pairs], retain_graph=True, create_graph=create_graph, allow_unused=True
    )
    if strict:
        for g in found:
            if g is None:
                raise RuntimeError("strict: an output does not depend on one of the inputs.")
            if create_graph and not g.requires_grad:
                raise RuntimeError("strict: with create_graph=True the gradient by one of the inputs must depend on the inputs.")
    return tuple(zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True))


def _directions(v: Any, like: tuple[Tensor, ...], what: str) -> tuple[Tensor, ...]:
    if v is None:
        if len(like) != 1 or like[0].array.size != 1:
            raise RuntimeError(f"v may be left out only where {what} is a single number; give a tensor of its shape.")
        return (ones_like(like[0]),)
    _, found = _tuple(v, "v")
    if len(found) != len(like) or any(a.shape != b.shape for a, b in zip(found, like, strict=True)):
        raise ShapeError(f"v must have the shapes of {what}, {[x.shape for x in like]}, not {[x.shape for x in found]}.")
    return found


def _given(several: bool, values: tuple, create_graph: bool) -> Any:
    values = tuple(values) if create_graph else tuple(x.detach() for x in values)
    return values if several else values[0]


@enable_grad
def vjp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """func(inputs), and the product vᵀ·J of a vector with the Jacobian.

    >>> from tinygrad_edu import tensor
    >>> vjp(lambda x: x * x, tensor([1.0, 2.0]), tensor([1.0, 10.0]))[1]
    tensor([ 2., 40.])
    """
    several, xs = _tuple(inputs, "inputs")
    xs = _fresh(xs, create_graph)
    several_out, ys = _evaluate(func, xs, strict)
    found = _grads(ys, xs, _directions(v, ys, "the output"), create_graph, strict)
    return _given(several_out, ys, create_graph), _given(several, found, create_graph)


@enable_grad
def jvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """func(inputs), and the product J·v of the Jacobian with a vector: the derivative in direction v.

    It is the derivative by u of the product uᵀ·J, which is linear in u.
    """
    _, xs = _tuple(inputs, "inputs")
    directions = _directions(v, xs, "the input")
    xs = _fresh(xs, create_graph)
    several_out, ys = _evaluate(func, xs, strict)
    us = tuple(zeros_like(y).requires_grad_() for y in ys)
    products = _grads(ys, xs, us, True, strict)
    found = _grads(products, us, directions, create_graph, strict)
    return _given(several_out, ys, create_graph), _given(several_out, found, create_graph)


@enable_grad
def jacobian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Every derivative of every output by every input: shape (*output.shape, *input.shape), one row at a time.

    Args:
        vectorize, strategy: taken for PyTorch's sake; they make no difference here.

    >>> from tinygrad_edu import tensor
    >>> jacobian(lambda x: x * x, tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    several, xs = _tuple(inputs, "inputs")
    xs = _fresh(xs, create_graph)
    several_out, ys = _evaluate(func, xs, strict)
    blocks = [_given(several, _jacobian(y, xs, create_graph, strict), create_graph) for y in ys]
    return tuple(blocks) if several_out else blocks[0]


def _jacobian(y: Tensor, xs: Any, create_graph: bool, strict: bool = False) -> tuple[Tensor, ...]:
    """The derivatives of one output by each input: shapes (*y.shape, *x.shape), a row for each of its elements."""
    rows = []
    for i in range(y.array.size):
        one = np.zeros_like(y.array, order="C")  # else reshape would copy what lies in another order
        one.reshape(-1)[i] = 1
        rows.append(_grads([y], xs, [wrap(one)], create_graph, strict))
    return tuple(
        reshape(stack([row[k] for row in rows]), shape=y.shape + x.shape)
        if rows
        else wrap(np.zeros_like(x.array, shape=y.shape + x.shape))
        for k, x in enumerate(xs)
    )


def _scalar(func: Callable) -> Callable:
    def checked(*inputs: Any) -> Tensor:
        y = func(*inputs)
        if not isinstance(y, Tensor) or y.array.size != 1:
            raise GraphError("this needs a function that returns a single number, such as a loss.")
        return reshape(y, shape=())

    return checked


@enable_grad
def hessian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Every second derivative of a function that returns a single number: the Jacobian of its gradient.

    Args:
        vectorize, outer_jacobian_strategy: taken for PyTorch's sake; they make no difference here.
    """
    several, _ = _tuple(inputs, "inputs")

    def gradient(*xs: Tensor) -> Any:
        found = _grads([_scalar(func)(*xs)], xs, [None], True, strict)
        return found if several else found[0]

    return jacobian(gradient, inputs, create_graph, strict)


@enable_grad
def hvp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """func(inputs), and the product of the Hessian with a vector, without the Hessian."""
    return vhp(func, inputs, v, create_graph, strict)  # the Hessian is symmetric


@enable_grad
def vhp(func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """func(inputs), and the product of a vector with the Hessian."""
    several, xs = _tuple(inputs, "inputs")
    directions = _directions(v, xs, "the input")
    xs = _fresh(xs, create_graph)
    y = _scalar(func)(*xs)
    gradients = _grads([y], xs, [None], True, strict)
    found = _grads(gradients, xs, directions, create_graph, strict)
    return _given(False, (y,), create_graph), _given(several, found, create_graph)
