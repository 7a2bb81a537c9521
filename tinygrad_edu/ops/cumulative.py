"""Running sums, products and extremes along a dim; and the product of all, whose gradient is made of running products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import op
from ..tensor import raw
from .arranging import flip
from .elementwise import exp
from .padding import _pad
from .reduction import Picked, _in, along, floating, pick, spread
from .shape import reshape

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp", "prod"]


# -- sums and products -----------------------------------------------------------------------------------------------
def _part(x: Any, dim: int, start: int, stop: int | None = None) -> Any:
    """x[start:stop] along a dim."""
    return x[(slice(None),) * dim + (slice(start, stop),)]


LONG = 512  # numbers in a row, from which on it pays to go row by row; NumPy goes number by number
_WHOLE: dict[np.ufunc, Any] = {np.add: np.cumsum, np.multiply: np.cumprod}  # what CuPy does too


def running(combine: np.ufunc, array: Any, dim: int) -> Any:
    """combine(a₁, ..., aᵢ) for every i along a dim; where nobody does it, reaching twice as far back with every step."""
    n, here = array.shape[dim], isinstance(array, np.ndarray)
    by_rows = here and array.size >= LONG * n and abs(array.strides[dim]) > array.itemsize
    if not by_rows and (here or combine in _WHOLE):
        return _WHOLE.get(combine, combine.accumulate)(array, axis=dim)
    z = np.moveaxis(array, dim, 0).copy()
    if by_rows:
        for i in range(1, n):
            combine(z[i - 1], z[i], out=z[i])
    else:
        step = 1
        while step < n:
            z[step:] = combine(z[step:], z[:-step])
            step *= 2
    return np.moveaxis(z, 0, dim)


@op(dx=lambda g, z, x, dim: flip(_cumsum(flip(g, dim), dim=dim), dim))
def _cumsum(x: Any, *, dim: int) -> Any:
    """Running sums; each element gets the gradients of all sums from its own on.

    zᵢ = x₁ + ... + xᵢ, in short z = cumsum(x);  ∂xᵢ = gᵢ + gᵢ₊₁ + ...
    """
    return running(np.add, x.astype(np.int64) if x.dtype.kind in "biu" else x, dim)


def cumsum(x: Any, dim: int, *, dtype: Any = None) -> Any:
    """Running sums along a dim.

    zᵢ = x₁ + ... + xᵢ

    Source: https://pytorch.org/docs/stable/generated/torch.cumsum.html
    """
    return _in(along(_cumsum, _in(x, dtype), dim), dtype)


def _from_front(g: Any, factors: Any, dim: int) -> Any:
    """The gradient of `_from_behind`: the same sum in the other direction, tᵢ = gᵢ + factorsᵢ₋₁·tᵢ₋₁."""
    return flip(_from_behind(flip(g, dim), flip(factors, dim), dim=dim), dim)


@op(
    dx=lambda g, z, x, factors, dim: _from_front(g, factors, dim),
    dfactors=lambda g, z, x, factors, dim: _part(_from_front(g, factors, dim), dim, 0, -1) * _part(z, dim, 1),
)
def _from_behind(x: Any, factors: Any, *, dim: int) -> Any:
    """Add up from the last element to the first, and multiply what is there so far by a factor before each step.

    This is how gradients come back through running products, and, with both gradients, through itself.

    zᵢ = xᵢ + factorsᵢ·zᵢ₊₁, in short z = x + factors·(the z behind);  ∂x = t with tᵢ = gᵢ + factorsᵢ₋₁·tᵢ₋₁;  ∂factorsᵢ = tᵢ·zᵢ₊₁
    """
    z, factors = (np.copy(np.moveaxis(a, dim, 0), order="C") for a in (x, factors))
    for i in range(len(z) - 2, -1, -1):
        z[i] += factors[i] * z[i + 1]
    return np.moveaxis(z, 0, dim)


def _before(z: Any, dim: int) -> Any:
    """What stood before each element along a dim: z moved on by one, with 1 before the first."""
    padded = _pad(z, sides=tuple((int(i == dim), 0) for i in range(z.ndim)), value=1)
    return _part(padded, dim, 0, z.shape[dim])


# With p the product before xᵢ: zⱼ = p·xᵢ·xᵢ₊₁ ··· xⱼ, so ∂xᵢ = p·(gᵢ + xᵢ₊₁·(gᵢ₊₁ + xᵢ₊₂·(...))), which divides by no x.
@op(dx=lambda g, z, x, dim: _before(z, dim) * _from_behind(g, _part(x, dim, 1), dim=dim))
def _cumprod(x: Any, *, dim: int) -> Any:
    """Running products; exact with zeros too.

    zᵢ = x₁ · ... · xᵢ, in short z = cumprod(x);  ∂xᵢ = zᵢ₋₁·(gᵢ + xᵢ₊₁·(gᵢ₊₁ + xᵢ₊₂·(...)))
    """
    return running(np.multiply, x.astype(np.int64) if x.dtype.kind in "biu" else x, dim)


def cumprod(x: Any, dim: int, *, dtype: Any = None) -> Any:
    """Running products along a dim.

    zᵢ = x₁ · ... · xᵢ

    Source: https://pytorch.org/docs/stable/generated/torch.cumprod.html
    """
    return _in(along(_cumprod, _in(x, dtype), dim), dtype)


# ∂zⱼ/∂xᵢ = e^(xᵢ - zⱼ), which is e^(xᵢ - zᵢ) times a factor e^(zₖ - zₖ₊₁) for each step from i to j; none of them overflows.
@op(dx=lambda g, z, x, dim: exp(x - z) * _from_behind(g, exp(_part(z, dim, 0, -1) - _part(z, dim, 1)), dim=dim))
def _logcumsumexp(x: Any, *, dim: int) -> Any:
    """The logarithm of running sums of exponentials, without overflow.

    zᵢ = ln(e^x₁ + ... + e^xᵢ), in short z = ln(cumsum(eˣ));  ∂xᵢ = Σ over j ≥ i of gⱼ·e^(xᵢ - zⱼ)
    """
    return running(np.logaddexp, x, dim)


def logcumsumexp(x: Any, dim: int) -> Any:
    """The logarithm of running sums of exponentials along a dim.

    zᵢ = ln(e^x₁ + ... + e^xᵢ)

    Source: https://pytorch.org/docs/stable/generated/torch.logcumsumexp.html
    """
    return along(_logcumsumexp, floating("logcumsumexp", x), dim)


# -- the product of all -----------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, dim, keepdim: spread(g, x.shape, dim, keepdim) * _product_of_others(x, dim))
def _prod(x: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Multiply all together; each element's gradient is the product of the others, exact with zeros too.

    z = Π x over dim;  ∂x = g·Π of the others
    """
    return np.prod(x, axis=dim, keepdims=keepdim, dtype=np.int64 if x.dtype.kind in "biu" else None)


def _product_of_others(x: Any, dim: int | None) -> Any:
    """For each element the product of those before it and of those behind it along a dim."""
    if dim is None:
        return reshape(_product_of_others(reshape(x, shape=(math.prod(x.shape),)), 0), shape=x.shape)
    return _before(_cumprod(x, dim=dim), dim) * flip(_before(_cumprod(flip(x, dim), dim=dim), dim), dim)


def prod(x: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Multiply all elements, or those along a dim; each one's gradient is the product of the others.

    z = Π x over dim

    Source: https://pytorch.org/docs/stable/generated/torch.prod.html
    """
    x = _in(x, dtype)
    return _in(_prod(x) if dim is None else along(_prod, x, dim, keepdim=keepdim), dtype)


# -- extremes --------------------------------------------------------------------------------------------------------
def _running_extreme(x: Any, dim: int, best: Any) -> Picked:
    """The best element so far along a dim, the last one of several."""
    array = raw(x)
    extremes = running(best, array, dim)
    position = np.arange(x.shape[dim], like=array).reshape((-1,) + (1,) * (x.ndim - dim - 1))
    reached = (array == extremes) | ((array != array) & (extremes != extremes))
    return pick(x, dim, running(np.maximum, np.where(reached, position, 0), dim))


def cummax(x: Any, dim: int) -> Picked:
    """The largest element so far along a dim, and its index, to which the gradient goes.

    zᵢ = max(x₁, ..., xᵢ)

    Source: https://pytorch.org/docs/stable/generated/torch.cummax.html
    """
    return along(_running_extreme, x, dim, best=np.maximum)


def cummin(x: Any, dim: int) -> Picked:
    """The smallest element so far along a dim, and its index, to which the gradient goes.

    zᵢ = min(x₁, ..., xᵢ)

    Source: https://pytorch.org/docs/stable/generated/torch.cummin.html
    """
    return along(_running_extreme, x, dim, best=np.minimum)
