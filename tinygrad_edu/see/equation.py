"""The equation of one contribution, in numbers: incoming gradient and local derivative make what is handed on.

Nothing here knows any operation. A rule is linear in the incoming gradient, so it is asked: with a gradient of ones it gives
the local derivative of an operation that works element by element, and a second question, with another gradient, tells
whether it does. What fails that is compared with products of the incoming gradient and the operation's own values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backend
from ..tensor import Tensor

WHOLE = 64  # tensors up to this many elements are kept, and shown, whole
SEARCHED = 2**16  # up to this many, it is asked how a contribution came about


@dataclass(frozen=True)
class Term:
    """One factor: what it is ("gradient", "local" derivative or "value"), its numbers, the node whose value it is, if any, and
    whether it stands there transposed (the numbers are those after transposing)."""

    role: str
    tensor: int
    node: str | None = None
    transposed: bool = False


@dataclass(frozen=True)
class Equation:
    """How a contribution came about.

    kind "same": it is the incoming gradient, unchanged; one term.
    kind "times": incoming gradient ⊙ local derivative, element by element (a gradient of one element is spread); two terms.
    kind "sum": the incoming gradient summed over its first axes; one term.
    kind "matmul": the matrix product of the two terms, in this order.
    """

    kind: str
    terms: list[Term]


@dataclass(frozen=True)
class Factor:
    """A Term before its array was put into the trace."""

    role: str
    array: Any
    slot: int | None = None
    transposed: bool = False


def equation_of(node: Tensor, slot: int, g: Any, raw: Any) -> tuple[str, list[Factor]] | None:
    """The kind and the factors of what `node` sends to its input `slot`; None where it has no such simple form."""
    if max(g.size, raw.size, *(np.size(v) for v in node.values)) > SEARCHED:
        return None
    gradient = Factor("gradient", g)
    if g.shape == raw.shape and np.array_equal(g, raw, equal_nan=True):
        return "same", [gradient]
    if g.ndim > raw.ndim and _close(g.sum(tuple(range(g.ndim - raw.ndim))), raw):
        return "sum", [gradient]
    if g.shape == raw.shape or g.size == 1:
        local = apply_rule(node, slot, np.ones_like(g))
        probe = backend.place(np.linspace(0.5, 2.0, g.size).reshape(g.shape).astype(g.dtype), backend.device_of(g))
        if local is not None and local.shape == raw.shape:
            expected = raw, apply_rule(node, slot, probe)
            if all(_close(factor * local, found) for factor, found in zip((g, probe), expected, strict=True)):
                same = [i for i, v in enumerate(node.values) if isinstance(node.inputs[i], Tensor) and _equal(v, local)]
                return "times", [gradient, Factor("value" if same else "local", local, same[0] if same else None)]
    return next((("matmul", pair) for pair in _products(node, gradient) if _is_product(pair, raw)), None)


def apply_rule(node: Tensor, slot: int, g: Any, z: Any = None, values: Any = None) -> Any:
    """What the operation's own rule for its input `slot` makes of an incoming gradient; at other values too."""
    this = node.op
    assert this is not None
    z, values = (node.array, node.values) if z is None else (z, values)
    if this.joint is not None:
        return this.joint(g, z, *values, **node.settings)[slot]
    rule = this.rules[slot]
    assert rule is not None
    return rule(g, z, *values, **node.settings)


def _products(node: Tensor, gradient: Factor) -> Iterator[list[Factor]]:
    """The incoming gradient times a value of the operation, from both sides, transposed or not."""
    values = [
        Factor("value", v, i)
        for i, v in enumerate(node.values)
        if isinstance(node.inputs[i], Tensor) and np.ndim(v) in (1, 2) and np.size(v) > 1
    ]
    if gradient.array.ndim not in (1, 2):
        return
    for value in values:
        for v in (_transposed(value), value):
            for g in (gradient, _transposed(gradient)):
                yield [v, g]
                yield [g, v]


def _transposed(factor: Factor) -> Factor:
    """A vector becomes a column."""
    array = factor.array
    return Factor(factor.role, array.T if array.ndim == 2 else array[:, None], factor.slot, True)


def _is_product(pair: list[Factor], raw: Any) -> bool:
    left, right = (np.atleast_2d(factor.array) for factor in pair)
    if left.shape[1] != right.shape[0]:
        return False
    product = left @ right
    return product.size == raw.size and _close(product.reshape(raw.shape), raw)


def _close(a: Any, b: Any) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-7, equal_nan=True)


def _equal(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.array_equal(a, b)
