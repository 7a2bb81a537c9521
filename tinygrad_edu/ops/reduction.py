"""Reductions: many numbers to few."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import backend, dtypes
from ..errors import DtypeError, ShapeError, describe
from ..op import cast, op
from ..tensor import Tensor, raw, wrap
from .arithmetic import maximum, minimum, over
from .diagonal import diagonal
from .indexing import _where, where
from .scatter import _gather
from .shape import _reshape, axes, broadcast_to, one_dim, reshape
from .totals import total, total_of_products

__all__ = [
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "max", "mean", "min", "nanmean", "nansum",
    "std", "std_mean", "sum", "trace", "var", "var_mean",
]  # fmt: skip


# -- what reductions share -------------------------------------------------------------------------------------------
def spread(g: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """A reduction's gradient, repeated over the dims that were reduced."""
    return broadcast_to(keep(g, shape, dim, keepdim) if g.ndim else g, shape=tuple(shape))


def keep(a: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """A reduction's result with the reduced dims as size 1 again, so that it broadcasts against the input."""
    if keepdim:
        return a
    return _reshape(a, shape=_with_ones(shape, axes(dim, len(shape))))


def along(function: Callable, x: Any, dim: int, **settings: Any) -> Any:
    """A function along one dim; a 0-d tensor counts as a vector of one element."""
    d = one_dim(dim, x.ndim)
    if x.ndim:
        return function(x, dim=d, **settings)
    found = function(reshape(x, shape=(1,)), dim=0, **settings)
    return Picked(*(reshape(part, shape=()) for part in found)) if isinstance(found, Picked) else reshape(found, shape=())


def count(shape: Any, dim: Any) -> int:
    """How many elements go into one result."""
    return shape[dim] if isinstance(dim, int) and shape else math.prod(shape[d] for d in axes(dim, len(shape)))


def _in(x: Any, dtype: Any) -> Any:
    """x in the dtype that was asked for, if any was."""
    return x if dtype is None or x.dtype == dtypes.as_dtype(dtype) else cast(x, dtype=dtypes.as_dtype(dtype))


def floating(name: str, x: Any, dtype: Any = None) -> Any:
    """x in the dtype that was asked for; refused if that is of integers or bools."""
    x = _in(x, dtype)
    if x.dtype.kind != "f":
        raise DtypeError(f"{name} takes floating-point tensors, and this is {describe(x)}; convert it with .float().")
    return x


def widely(function: Callable, x: Any, *args: Any, **settings: Any) -> Any:
    """function(x), of float16 in float32 and back, because squares soon pass the largest number of float16, 65504."""
    if x.dtype != dtypes.float16:
        return function(x, *args, **settings)
    return cast(function(cast(x, dtype=dtypes.float32), *args, **settings), dtype=dtypes.float16)


# -- sums and means --------------------------------------------------------------------------------------------------
def _total(x: Any, dim: Any, keepdim: bool, divisor: Any = None) -> Any:
    """Σ x / divisor, added up with enough digits."""
    over = axes(dim, x.ndim)
    z = total(x, over, divisor)
    return z.reshape(_with_ones(x.shape, over)) if keepdim else z


@functools.lru_cache(maxsize=256)
def _with_ones(shape: tuple[int, ...], over: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if d in over else n for d, n in enumerate(shape))


@op(dx=lambda g, z, x, dim, keepdim: spread(g, x.shape, dim, keepdim))
def _sum(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Add up; every element gets the gradient of the sum it went into.

    z = Σ x over dim;  ∂x = g, repeated over dim
    """
    return _total(x, dim, keepdim)


def sum(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Add up all elements, or those along some dims; every element gets the gradient of the sum it went into.

    z = Σ x over dim

    Args:
        dim: an int, several, or None for all.
        keepdim: leave the reduced dims there with size 1.
        dtype: convert first; integers and bools are added up as int64 unless it is given.

    Source: https://pytorch.org/docs/stable/generated/torch.sum.html
    """
    return _in(_sum(_in(x, dtype), dim=dim, keepdim=keepdim), dtype)


@op(dx=lambda g, z, x, dim, keepdim: spread(g / count(x.shape, dim), x.shape, dim, keepdim))
def _mean(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """The average; every element gets its share of the gradient.

    z = Σ x / n over dim;  ∂x = g / n, repeated over dim
    """
    return _total(x, dim, keepdim, count(x.shape, dim))


@op(dx=lambda g, z, x, y, dim: g * y, dy=lambda g, z, x, y, dim: g * x)
def sum_of_products(x: Any, y: Any, *, dim: Any) -> Any:
    """Multiply two tensors of one shape and add up the products, over dims which stay with size 1.

    z = Σ x·y over dim;  ∂x = g·y;  ∂y = g·x
    """
    over = axes(dim, x.ndim)
    return total_of_products(x, y, over).reshape(_with_ones(x.shape, over))


def mean(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The average of all elements, or along some dims; every element gets its share of the gradient.

    z = Σ x / n over dim

    Source: https://pytorch.org/docs/stable/generated/torch.mean.html
    """
    return _mean(floating("mean", x, dtype), dim=dim, keepdim=keepdim)


def nansum(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum of the elements that are not NaN; those get no gradient.

    z = Σ x over dim, where x is a number

    Source: https://pytorch.org/docs/stable/generated/torch.nansum.html
    """
    return sum(where(x != x, 0, x), dim, keepdim, dtype=dtype)


def nanmean(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The average of the elements that are not NaN.

    z = Σ x / n over dim, where x is a number, and n counts these

    Source: https://pytorch.org/docs/stable/generated/torch.nanmean.html
    """
    x = floating("nanmean", x, dtype)
    return nansum(x, dim, keepdim) / sum(x == x, dim, keepdim)


def trace(x: Any) -> Any:
    """The sum of a matrix's main diagonal.

    z = Σ x[i, i]

    Source: https://pytorch.org/docs/stable/generated/torch.trace.html
    """
    if x.ndim != 2:
        raise RuntimeError(f"trace takes a matrix, not {describe(x)}. (The steps of a computation: see.trace(loss).)")
    return sum(diagonal(x))


# -- the largest and the smallest ------------------------------------------------------------------------------------
def tied(g: Any, z: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    """g shared evenly by the elements that are equal to the result (or, if that is NaN, by the NaNs)."""
    found = keep(z, x.shape, dim, keepdim)
    equal = (x == found) | ((x != x) & (found != found))
    share = keep(g, x.shape, dim, keepdim) / _sum(cast(equal, dtype=g.dtype), dim=dim, keepdim=True)
    return _where(equal, share, 0)


def _nonempty(name: str, x: Any, dim: Any) -> None:
    empty = [d for d in axes(dim, x.ndim) if not x.shape[d]]
    if empty:
        raise (ShapeError if dim in (None, ()) else IndexError)(
            f"{name}: dim {empty[0]} of {describe(x)} is empty, and nothing is the {name[-3:]} of nothing."
        )


@op(dx=lambda g, z, x, dim, keepdim: tied(g, z, x, dim, keepdim))
def amax(x: Any, *, dim: Any = (), keepdim: bool = False) -> Any:
    """The largest element; equal ones share its gradient evenly.

    z = max x over dim;  ∂x = g / (number of largest ones) at those, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.amax.html
    """
    _nonempty("amax", x, dim)
    return x.max(axis=axes(dim, x.ndim), keepdims=keepdim)


@op(dx=lambda g, z, x, dim, keepdim: tied(g, z, x, dim, keepdim))
def amin(x: Any, *, dim: Any = (), keepdim: bool = False) -> Any:
    """The smallest element; equal ones share its gradient evenly.

    z = min x over dim;  ∂x = g / (number of smallest ones) at those, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.amin.html
    """
    _nonempty("amin", x, dim)
    return x.min(axis=axes(dim, x.ndim), keepdims=keepdim)


class Picked(NamedTuple):
    """Elements of a tensor and where they stood."""

    values: Any
    indices: Any


class MinMax(NamedTuple):
    """The smallest and the largest."""

    min: Any
    max: Any


def pick(x: Any, dim: int, index: Any, keepdim: bool = True) -> Picked:
    """The elements at an index along a dim, which each gradient goes back to; without keepdim the dim (of size 1) is left out."""
    values = _gather(x, dim=dim, index=index.copy())  # copied: the caller may change the indices later
    if keepdim:
        return Picked(values, wrap(index))
    shape = values.shape[:dim] + values.shape[dim + 1 :]
    return Picked(_reshape(values, shape=shape), wrap(index.reshape(shape)))


def max(x: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element: of all; along a dim, with its index; or of two tensors, element by element.

    z = max x

    Returns:
        max(x): a 0-d tensor; equal elements share the gradient. max(x, dim): (values, indices); the gradient goes to the
        element at the index returned. max(x, other): as `maximum`.

    >>> from tinygrad_edu import max, tensor
    >>> max(tensor([[1, 5], [7, 2]]), 1).indices
    tensor([1, 0])

    Source: https://pytorch.org/docs/stable/generated/torch.max.html
    """
    return _extreme("max", x, dim, keepdim, other, maximum, amax)


def min(x: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element, in the three forms of `max`.

    z = min x

    Source: https://pytorch.org/docs/stable/generated/torch.min.html
    """
    return _extreme("min", x, dim, keepdim, other, minimum, amin)


def _extreme(name: str, x: Any, dim: Any, keepdim: bool, other: Any, of_two: Any, of_all: Any) -> Any:
    if other is not None or isinstance(dim, Tensor):
        return of_two(x, dim if other is None else other)
    if dim is None:
        if keepdim:
            raise TypeError(f"{name}: keepdim needs a dim; of all elements, a{name}(x, keepdim=True) keeps the dims.")
        return of_all(x)

    def at_index(x: Any, dim: int) -> Picked:
        _nonempty(name, x, dim)
        return pick(x, dim, getattr(raw(x), "arg" + name)(axis=dim, keepdims=True), keepdim)

    return along(at_index, x, dim)


def aminmax(x: Any, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest element; equal ones share the gradient.

    Source: https://pytorch.org/docs/stable/generated/torch.aminmax.html
    """
    return MinMax(amin(x, dim=dim, keepdim=keepdim), amax(x, dim=dim, keepdim=keepdim))


def argmax(x: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest element (the first of several): in the flattened tensor, or along a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.argmax.html
    """
    return _where_extreme("argmax", x, dim, keepdim)


def argmin(x: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest element (the first of several): in the flattened tensor, or along a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.argmin.html
    """
    return _where_extreme("argmin", x, dim, keepdim)


def _where_extreme(name: str, x: Any, dim: int | None, keepdim: bool) -> Tensor:
    _nonempty(name, x, dim)
    if x.dtype == np.bool_:
        raise DtypeError(f"{name} of bools is not offered, as in PyTorch; convert them with .long().")
    found = backend.as_array(getattr(raw(x), name)(axis=dim if x.ndim else None))
    return keep(wrap(found), x.shape, dim, not keepdim)


# -- truth -----------------------------------------------------------------------------------------------------------
@op
def any(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether any element is true (not 0): of all, or along dims.

    z = x₁ or x₂ or ...

    Source: https://pytorch.org/docs/stable/generated/torch.any.html
    """
    return _truth(x.any, x, dim, keepdim)


@op
def all(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether every element is true (not 0): of all, or along dims.

    z = x₁ and x₂ and ...

    Source: https://pytorch.org/docs/stable/generated/torch.all.html
    """
    return _truth(x.all, x, dim, keepdim)


def _truth(function: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    over = () if isinstance(dim, tuple | list) and not dim else axes(dim, x.ndim)  # no dims are no dims here, unlike elsewhere
    z = function(axis=over, keepdims=keepdim)
    return z.astype(np.uint8) if x.dtype == np.uint8 else z


@op
def count_nonzero(x: Any, *, dim: Any = None) -> Any:
    """How many elements are not 0.

    z = number of x ≠ 0

    Source: https://pytorch.org/docs/stable/generated/torch.count_nonzero.html
    """
    return np.sum(x != 0, axis=axes(dim, x.ndim), dtype=np.int64)


# -- how far numbers lie apart ---------------------------------------------------------------------------------------
@op(
    dx=lambda g, z, x, dim, correction, keepdim: (
        keep(g * 2 / _freedom(x, dim, correction), x.shape, dim, keepdim) * _centred(x, dim)
    )
)
def _var(x: Any, *, dim: Any = None, correction: float = 1, keepdim: bool = False) -> Any:
    """The mean squared distance from the mean.

    z = Σ (x - mean)² / (n - correction);  ∂x = g·2·(x - mean) / (n - correction)
    """
    centred = _centred(x, dim)
    return _total(centred * centred, dim, keepdim, _freedom(x, dim, correction))


def _centred(x: Any, dim: Any) -> Any:
    return x - _mean(x, dim=dim, keepdim=True)


def _freedom(x: Any, dim: Any, correction: float) -> float:
    """n - correction, and at least 0: the variance of one number is 0 / 0, nan."""
    return builtins.max(count(x.shape, dim) - correction, 0)


def var(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """The variance: the mean squared distance from the mean, with n - correction in place of n.

    z = Σ (x - mean)² / (n - correction)

    Args:
        unbiased: True for correction=1 (the default), False for correction=0.

    Source: https://pytorch.org/docs/stable/generated/torch.var.html
    """
    if isinstance(dim, bool):  # var(x, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError("var, std: give either unbiased or correction, not both.")
    if correction is None:
        correction = 0 if unbiased is False else 1
    return widely(_var, floating("var, std", x), dim=dim, correction=correction, keepdim=keepdim)


@op(dx=lambda g, z, x: over(g, 2 * z))
def _root(x: Any) -> Any:
    """The square root, with 0 for its gradient at 0.

    z = √x;  ∂x = g / (2·z), 0 where z = 0
    """
    return np.sqrt(x)


def std(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """The standard deviation: the root of the variance. Where it is 0, so is its gradient.

    z = √var(x)

    Source: https://pytorch.org/docs/stable/generated/torch.std.html
    """
    return widely(lambda x: _root(var(x, dim, unbiased, keepdim, correction=correction)), x)


def var_mean(
    x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Any:
    """(variance, mean).

    Source: https://pytorch.org/docs/stable/generated/torch.var_mean.html
    """
    return var(x, dim, unbiased, keepdim, correction=correction), mean(x, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(
    x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None
) -> Any:
    """(standard deviation, mean).

    Source: https://pytorch.org/docs/stable/generated/torch.std_mean.html
    """
    return std(x, dim, unbiased, keepdim, correction=correction), mean(x, None if isinstance(dim, bool) else dim, keepdim)
