"""The equation of one step, in numbers: incoming gradient and local derivative make what is handed on.

Nothing here knows any operation. A rule is linear in the incoming gradient, so it is asked what it makes of another gradient, one
without zeros and equal numbers: from that can be seen whether it hands on what it gets, adds it up, or multiplies it. With a gradient
of ones it gives the local derivative of an operation that works element by element. What fails that is compared with products of the
gradient and the operation's own values. What is left, a convolution say, is asked for each element of the gradient alone, while that
is not too much: that tells how much each counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backend
from ..autograd.messages import as_gradient, explained
from ..tensor import Tensor
from .plain import WHOLE, on_cpu

WEIGHTS = WHOLE**2  # so many local derivatives are written down: one for each element that goes in and each that comes out
SEARCHED = 2**16  # up to this many, it is asked how a contribution came about


@dataclass(frozen=True)
class Term:
    """One factor: what it is ("gradient", "local" derivative, "value", or which of these one is chosen "among"), its numbers, the
    node whose value it is, if any, and whether it stands there transposed (the numbers are those after transposing)."""

    role: str
    tensor: int
    node: str | None = None
    transposed: bool = False


@dataclass(frozen=True)
class Equation:
    """How a contribution, or the result of an operation, came about.

    kind "same": it is the incoming gradient, unchanged; one term.
    kind "times": incoming gradient ⊙ local derivative, element by element (a gradient of one element is spread); two terms.
    kind "sum": the incoming gradient summed over its first axes; one term.
    kind "matmul": the matrix product of the two terms, in this order.
    kind "weighted": each element is a sum of all those of the first term, each times a local derivative. The second term has them:
        its shape is that of the result followed by that of the first term. Of the result of an operation, there may be a rest
        that does not depend on the first term, such as a bias. Further terms are the operation's other inputs: 1 where one of their
        elements takes part in that of the result, else 0.
    kind "largest", "smallest": each element of the result is the largest (smallest) of some of the first term. The second term has
        1 for those it is chosen from, and 0 for the others, in the shape of the result followed by that of the first term.
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


@np.errstate(all="ignore")
def equation_of(node: Tensor, slot: int, g: Any, raw: Any, formula: str = "") -> tuple[str, list[Factor]] | None:
    """The kind and the factors of what `node` sends to its input `slot`; None where it has no such simple form.

    formula: how the operation writes it, as g·yᵀ: of products that fit, the one in that order is taken.
    """
    if max(g.size, raw.size, *(np.size(v) for v in node.values)) > SEARCHED:
        return None
    gradient, probe = Factor("gradient", g), _plain_numbers(g)
    answer = apply_rule(node, slot, probe)
    if probe.size == answer.size and _equal(probe.reshape(-1), answer.reshape(-1)):
        return "same", [gradient]
    if g.ndim > raw.ndim and _close(probe.sum(tuple(range(g.ndim - raw.ndim))), answer):
        return "sum", [gradient]
    if g.shape == raw.shape or g.size == 1:
        local = apply_rule(node, slot, np.ones_like(g))
        if _close(g * local, raw) and _close(probe * local, answer):
            same = [i for i, v in enumerate(node.values) if isinstance(node.inputs[i], Tensor) and _equal(v, local)]
            return "times", [gradient, Factor("value" if same else "local", local, same[0] if same else None)]
    products = zip(_products(node, gradient, formula), _products(node, Factor("gradient", probe), formula), strict=True)
    for pair, asked in products:
        if _is_product(asked, answer) and _is_product(pair, raw):
            return "matmul", pair
    if not _few(g, raw):
        return None
    weights = np.moveaxis(_derivatives(node, slot, node.values), range(g.ndim), range(-g.ndim, 0))
    return ("weighted", [gradient, Factor("local", weights)]) if _close(_summed(weights, g), raw) else None


@np.errstate(all="ignore")
def equation_of_result(node: Tensor) -> tuple[str, list[Factor]] | None:
    """The kind and the factors of what an operation makes of its first input, where that is adding up or choosing; else None."""
    this, z = node.op, node.array
    assert this is not None
    if not node.inputs or not isinstance(node.inputs[0], Tensor) or not (this.joint or this.rules[0]):
        return None
    x: Any = node.values[0]
    if x.dtype.kind != "f" or not _few(x, z):
        return None
    try:
        weights = _derivatives(node, 0, node.values)
        half = this.forward(x * 0.5, *node.values[1:], **node.settings)
        for kind, far in (("largest", 1.0), ("smallest", -1.0)):
            among = _chosen_from(node, far)
            if among is not None:
                return kind, [Factor("value", x, 0), Factor("among", among)]
        if weights.shape != z.shape + x.shape or (np.count_nonzero(weights.reshape(z.size, -1), axis=1) < 2).all():
            return None  # nothing is added up
        if not _close(2 * (z - half), _summed(weights, x)):
            return None
        return "weighted", [Factor("value", x, 0), Factor("local", weights), *_taking_part(node)]
    except Exception:  # an operation of the learner's own that cannot be asked twice: then there is no equation
        return None


def _taking_part(node: Tensor) -> Iterator[Factor]:
    """Of the inputs after the first: which elements take part in which of the result. A weight takes part where it meets a 0, too, so
    the derivatives are those at other values, which have no zeros."""
    values = [
        _plain_numbers(v) if isinstance(x, Tensor) and v.dtype.kind == "f" else v
        for x, v in zip(node.inputs, node.values, strict=True)
    ]
    this = node.op
    assert this is not None
    for slot, x in enumerate(node.inputs):
        if slot and isinstance(x, Tensor) and _few(node.array, x.array) and (this.joint or this.rules[slot]):
            yield Factor("among", _derivatives(node, slot, values) != 0, slot)


def _plain_numbers(a: Any) -> Any:
    """Numbers in place of those of an array: no zeros, and no two alike."""
    return backend.place(np.linspace(0.5, 2.0, a.size).reshape(a.shape).astype(a.dtype), backend.device_of(a))


def _chosen_from(node: Tensor, far: float) -> Any:
    """1 where an element of the result is chosen from that element of the first input; None where it is not the largest (far = 1)
    or smallest (far = -1) of several. Which they are is asked: one that becomes by far the largest of all is then the result."""
    this, z = node.op, node.array
    assert this is not None
    x: Any = node.values[0]
    if not (np.isfinite(x).all() and np.isin(z, x).all()):
        return None
    beyond = far * (2 * np.abs(x).max() + 1)
    among = np.zeros_like(x, shape=(*z.shape, *x.shape))
    for at in np.ndindex(x.shape):
        moved = x.copy()
        moved[at] = beyond
        among[(..., *at)] = this.forward(moved, *node.values[1:], **node.settings) == beyond
    counts = among.reshape(z.size, -1).sum(1)
    best = np.where(among == 1, far * x, -np.inf).reshape(z.size, -1).max(1)
    return among if counts.min() > 0 and counts.max() > 1 and (best == far * z.reshape(-1)).all() else None


def _few(a: Any, b: Any) -> bool:
    return 1 < max(a.size, b.size) <= WHOLE and min(a.size, b.size) > 0


def _derivatives(node: Tensor, slot: int, values: Any) -> Any:
    """The derivative of each element of the result by each element of an input, at these values."""
    z = node.array
    found = []
    for at in np.ndindex(z.shape):
        one = np.zeros_like(z)
        one[at] = 1
        found.append(apply_rule(node, slot, one, z, values))
    return np.stack(found).reshape(z.shape + found[0].shape)


def _summed(weights: Any, terms: Any) -> Any:
    return np.tensordot(weights, terms, terms.ndim)


def apply_rule(node: Tensor, slot: int, g: Any, z: Any = None, values: Any = None) -> Any:
    """What the operation's own rule for its input `slot` makes of an incoming gradient; at other values too."""
    this = node.op
    assert this is not None
    z, values = (node.array, node.values) if z is None else (z, values)
    settings = node.settings if this.keeps is None else {**node.settings, this.keeps: None}
    if this.joint is not None:
        found = this.joint(g, z, *values, **settings)[slot]
        return found() if callable(found) else found
    rule = this.rules[slot]
    assert rule is not None
    try:
        return as_gradient(rule(g, z, *values, **settings), node, slot, create_graph=False)
    except Exception as error:
        raise explained(error, node) from None


def _products(node: Tensor, gradient: Factor, formula: str) -> list[list[Factor]]:
    """The incoming gradient times a value of the operation, from both sides, transposed or not; first what the formula says."""
    values = [
        Factor("value", v, i)
        for i, v in enumerate(node.values)
        if isinstance(node.inputs[i], Tensor) and np.ndim(v) in (1, 2) and np.size(v) > 1
    ]
    if gradient.array.ndim not in (1, 2):
        return []
    assert node.op is not None
    names = node.op.inputs * len(node.inputs) if node.op.variadic else node.op.inputs

    def written(pair: list[Factor]) -> str:
        return "·".join(("g" if x.slot is None else names[x.slot]) + "ᵀ" * x.transposed for x in pair)

    found = [
        pair for value in values for v in _matrices(value) for g in reversed(_matrices(gradient)) for pair in ([v, g], [g, v])
    ]
    return sorted(found, key=lambda pair: written(pair) != formula)


def _matrices(factor: Factor) -> list[Factor]:
    """A matrix transposed, and as it is. A vector is a row or a column, and either may be called the transposed one: in g·xᵀ the
    gradient is a column, in xᵀ·g it is a row."""
    a = factor.array
    forms = [(a.T, True), (a, False)] if a.ndim == 2 else [(x, t) for t in (True, False) for x in (a[:, None], a[None])]
    return [Factor(factor.role, x, factor.slot, t) for x, t in forms]


def _is_product(pair: list[Factor], raw: Any) -> bool:
    left, right = (factor.array for factor in pair)
    if left.shape[1] != right.shape[0]:
        return False
    product = left @ right
    if product.size != raw.size or (raw.ndim == 2 and product.shape != raw.shape):  # a row is no column; a vector may be either
        return False
    return _close(product.reshape(raw.shape), raw)


def _close(a: Any, b: Any) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-7, equal_nan=True)


def _equal(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.array_equal(on_cpu(a), on_cpu(b))  # a move has them on two devices
