"""Reductions: many numbers to few, and running totals."""

from __future__ import annotations

import builtins
import math
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..errors import DtypeError, describe
from ..op import cast, op
from ..tensor import Tensor, wrap
from .arithmetic import maximum, minimum
from .elementwise import exp
from .indexing import gather, where
from .shape import axes, broadcast_to, clone, flip, one_dim, reshape

__all__ = [
    "all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "cummax", "cummin", "cumprod", "cumsum", "dist",
    "log_softmax", "logcumsumexp", "logsumexp", "max", "mean", "min", "nanmean", "nansum", "prod", "softmax", "softmin",
    "std", "std_mean", "sum", "trace", "var", "var_mean",
]  # fmt: skip


# -- what reductions share -------------------------------------------------------------------------------------------
def spread(g: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """A reduction's gradient, repeated over the dims that were reduced."""
    return broadcast_to(keep(g, shape, dim, keepdim), shape=tuple(shape))


def keep(a: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """A reduction's result with the reduced dims as size 1 again, so that it broadcasts against the input."""
    if keepdim:
        return a
    reduced = axes(dim, len(shape))
    return reshape(a, shape=tuple(1 if i in reduced else n for i, n in enumerate(shape)))


def _count(shape: Any, dim: Any) -> int:
    """How many elements go into one result."""
    return math.prod(shape[d] for d in axes(dim, len(shape)))


def _as(x: Any, dtype: Any) -> Any:
    """x in the dtype that was asked for, if any was."""
    return x if dtype is None or not isinstance(x, Tensor) or x.dtype == dtypes.as_dtype(dtype) else cast(x, dtype=dtypes.as_dtype(dtype))


def _floating(name: str, x: Any) -> None:
    if x.dtype.kind != "f":
        raise DtypeError(f"{name} takes floating-point tensors, and this is {describe(x)}; convert it with .float().")


# -- sums and means --------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, dim, keepdim: spread(g, x.shape, dim, keepdim))
def _sum(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Add up; every element gets the gradient of the sum it went into.

    z = Σ x over dim;  ∂x = g, repeated over dim
    """
    dtype = np.int64 if x.dtype.kind in "biu" else None
    return np.sum(x, axis=axes(dim, x.ndim), keepdims=keepdim, dtype=dtype)


def sum(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None, keepdims: bool | None = None) -> Any:
    """Add up all elements, or those along some dims; every element gets the gradient of the sum it went into.

    z = Σ x over dim

    Args:
        dim: an int, several, or None for all.
        keepdim: leave the reduced dims there with size 1.
        dtype: convert first; integers and bools are added up as int64 unless it is given.

    Source: https://pytorch.org/docs/stable/generated/torch.sum.html
    """
    return _sum(_as(x, dtype), dim=dim if axis is None else axis, keepdim=keepdim if keepdims is None else keepdims)


@op(dx=lambda g, z, x, dim, keepdim: spread(g, x.shape, dim, keepdim) / _count(x.shape, dim))
def _mean(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """The average; every element gets its share of the gradient.

    z = Σ x / n;  ∂x = g / n, repeated over dim
    """
    return np.sum(x, axis=axes(dim, x.ndim), keepdims=keepdim) / x.dtype.type(_count(x.shape, dim) or math.nan)


def mean(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None, keepdims: bool | None = None) -> Any:
    """The average of all elements, or along some dims; every element gets its share of the gradient.

    z = Σ x / n over dim

    Source: https://pytorch.org/docs/stable/generated/torch.mean.html
    """
    x = _as(x, dtype)
    _floating("mean", x)
    return _mean(x, dim=dim if axis is None else axis, keepdim=keepdim if keepdims is None else keepdims)


def nansum(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum of the elements that are not NaN; those get no gradient.

    Source: https://pytorch.org/docs/stable/generated/torch.nansum.html
    """
    x = _as(x, dtype)
    return sum(where(x != x, x * 0 if x.dtype.kind != "f" else 0.0, x), dim, keepdim)


def nanmean(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The average of the elements that are not NaN.

    Source: https://pytorch.org/docs/stable/generated/torch.nanmean.html
    """
    x = _as(x, dtype)
    _floating("nanmean", x)
    return nansum(x, dim, keepdim) / sum(x == x, dim, keepdim)


def trace(x: Any) -> Any:
    """The sum of a matrix's main diagonal.

    Source: https://pytorch.org/docs/stable/generated/torch.trace.html
    """
    if x.ndim != 2:
        raise RuntimeError(f"trace takes a matrix, not {describe(x)}.")
    from .shape import diagonal

    return sum(diagonal(x))


# -- products --------------------------------------------------------------------------------------------------------
def _prod_rule(g: Any, z: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    return spread(g, x.shape, dim, keepdim) * _product_of_others(x, dim)


@op(dx=_prod_rule)
def _prod(x: Any, *, dim: Any, keepdim: bool) -> Any:
    """Multiply all together; each element's gradient is the product of the others, exact with zeros too.

    z = Π x over dim;  ∂x = g·Π of the others
    """
    dtype = np.int64 if x.dtype.kind in "biu" else None
    return np.prod(x, axis=dim, keepdims=keepdim, dtype=dtype)


def _product_of_others(x: Any, dim: Any) -> Any:
    """For each element the product of the others along dim: of those before it times those behind it, without dividing."""
    if dim is None:
        return reshape(_product_of_others(reshape(x, shape=(math.prod(x.shape),)), 0), shape=x.shape)
    n = x.shape[dim] if x.ndim else 1
    if n < 2:
        return x * 0 + 1
    at = (slice(None),) * dim
    before, behind = [x[(*at, slice(0, 1))] * 0 + 1], [x[(*at, slice(0, 1))] * 0 + 1]
    for i in range(n - 1):
        before.append(before[-1] * x[(*at, slice(i, i + 1))])
        behind.append(behind[-1] * x[(*at, slice(n - 1 - i, n - i))])
    from .shape import _cat

    return _cat(*before, dim=dim) * _cat(*behind[::-1], dim=dim)


def prod(x: Any, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Multiply all elements, or those along a dim; each one's gradient is the product of the others.

    z = Π x over dim

    Source: https://pytorch.org/docs/stable/generated/torch.prod.html
    """
    return _prod(_as(x, dtype), dim=None if dim is None or not x.ndim else one_dim(dim, x.ndim), keepdim=keepdim)


# -- the largest and the smallest ------------------------------------------------------------------------------------
def _nonempty(name: str, x: Any, dim: Any) -> None:
    if any_empty := [d for d in axes(dim, x.ndim) if not x.shape[d]]:
        raise IndexError(f"{name}: dim {any_empty[0]} of {describe(x)} is empty, and nothing is the largest or smallest of nothing.")


@op(dx=lambda g, z, x, dim, keepdim: _tied(g, z, x, dim, keepdim))
def amax(x: Any, *, dim: Any = (), keepdim: bool = False) -> Any:
    """The largest element; equal ones share its gradient evenly.

    z = max x over dim;  ∂x = g / (number of largest ones) at those, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.amax.html
    """
    _nonempty("amax", x, dim)
    return np.max(x, axis=axes(dim, x.ndim), keepdims=keepdim)


@op(dx=lambda g, z, x, dim, keepdim: _tied(g, z, x, dim, keepdim))
def amin(x: Any, *, dim: Any = (), keepdim: bool = False) -> Any:
    """The smallest element; equal ones share its gradient evenly.

    z = min x over dim;  ∂x = g / (number of smallest ones) at those, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.amin.html
    """
    _nonempty("amin", x, dim)
    return np.min(x, axis=axes(dim, x.ndim), keepdims=keepdim)


def _tied(g: Any, z: Any, x: Any, dim: Any, keepdim: bool) -> Any:
    """g at the elements equal to the result (or, if that is NaN, at the NaNs), shared evenly."""
    extreme = keep(z, x.shape, dim, keepdim)
    best = (x == extreme) | ((x != x) & (extreme != extreme))
    return spread(g, x.shape, dim, keepdim) * best / _sum(best, dim=dim, keepdim=True)


class Extremes(NamedTuple):
    """Values and where they stand."""

    values: Any
    indices: Any


class MinMax(NamedTuple):
    """The smallest and the largest."""

    min: Any
    max: Any


def _pick(x: Any, dim: int, keepdim: bool, find: Any) -> Extremes:
    """The elements that `find` (np.argmax, np.argmin) points at along a dim; the gradient goes to exactly these."""
    if not x.ndim:
        one_dim(dim, 0)
        return Extremes(clone(x), wrap(np.zeros_like(x.array, dtype=np.int64)))
    dim = one_dim(dim, x.ndim)
    _nonempty("max or min", x, dim)
    index = wrap(np.expand_dims(find(x.array, axis=dim), dim))
    values = gather(x, dim, index)
    if keepdim:
        return Extremes(values, index)
    shape = x.shape[:dim] + x.shape[dim + 1 :]
    return Extremes(reshape(values, shape=shape), wrap(index.array.reshape(shape)))


def _extreme(name: str, words: str, find: Any, full: Any, both: Any) -> Any:
    def reduce(x: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if isinstance(dim, Tensor):
            dim, other = None, dim
        if other is not None:
            return both(x, other)
        if dim is None:
            if not math.prod(x.shape):
                raise RuntimeError(f"{name}() of no elements: {describe(x)} is empty.")
            return full(x)
        return _pick(x, dim, keepdim, find)

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"""The {words} element: of all; along a dim, with its index; or of two tensors, element by element.

    z = {name} x

    Returns:
        {name}(x): a 0-d tensor; equal elements share the gradient. {name}(x, dim): (values, indices); the gradient goes to the element
        at the index returned. {name}(x, other): as {name}imum.

    Source: https://pytorch.org/docs/stable/generated/torch.{name}.html
    """
    return reduce


max = _extreme("max", "largest", np.argmax, amax, maximum)
min = _extreme("min", "smallest", np.argmin, amin, minimum)


def aminmax(x: Any, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest element.

    Source: https://pytorch.org/docs/stable/generated/torch.aminmax.html
    """
    return MinMax(amin(x, dim=() if dim is None else dim, keepdim=keepdim), amax(x, dim=() if dim is None else dim, keepdim=keepdim))


def _arg(name: str, words: str, find: Any) -> Any:
    def search(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        if not math.prod(x.shape) and (dim is None or not x.shape[one_dim(dim, x.ndim)]):
            raise IndexError(f"{name}: there is nothing to choose from in {describe(x)}.")
        if x.dtype == np.bool_:
            raise DtypeError(f"{name} of bools is not offered, as in PyTorch; convert with .long().")
        array = x.array
        if dim is None or not x.ndim:
            one_dim(dim or 0, x.ndim)
            found = np.asarray(find(array))
            return wrap(found.reshape((1,) * x.ndim) if keepdim else found)
        found = np.asarray(find(array, axis=one_dim(dim, x.ndim)))
        return wrap(np.expand_dims(found, one_dim(dim, x.ndim)) if keepdim else found)

    search.__name__ = search.__qualname__ = name
    search.__doc__ = f"""The index of the {words} element: of the flattened tensor, or along a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.{name}.html
    """
    return search


argmax, argmin = _arg("argmax", "largest", np.argmax), _arg("argmin", "smallest", np.argmin)


def _truths(name: str, words: str, function: Any) -> Any:
    def reduce(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
        z = function(x, axis=axes(dim, x.ndim), keepdims=keepdim)
        return z.astype(np.uint8) if x.dtype == np.uint8 else z

    reduce.__name__ = reduce.__qualname__ = name
    reduce.__doc__ = f"""Whether {words} element is true (not 0): of all, or along dims.

    z = {name} of x

    Source: https://pytorch.org/docs/stable/generated/torch.{name}.html
    """
    return op(reduce)


any, all = _truths("any", "any", np.any), _truths("all", "every", np.all)


@op
def count_nonzero(x: Any, *, dim: Any = None) -> Any:
    """How many elements are not 0.

    z = number of x ≠ 0
    """
    return np.sum(x != 0, axis=axes(dim, x.ndim), dtype=np.int64)


# -- spread ----------------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, dim, correction, keepdim: spread(g, x.shape, dim, keepdim) * _centred(x, dim) * (2 / _freedom(x.shape, dim, correction)))
def _var(x: Any, *, dim: Any, correction: float, keepdim: bool) -> Any:
    """The mean squared distance from the mean.

    z = Σ (x - mean)² / (n - correction);  ∂x = g·2·(x - mean) / (n - correction)
    """
    centred = _centred(x, dim)
    return np.sum(centred * centred, axis=axes(dim, x.ndim), keepdims=keepdim) / x.dtype.type(_freedom(x.shape, dim, correction))


def _centred(x: Any, dim: Any) -> Any:
    return x - _mean(x, dim=dim, keepdim=True)


def _freedom(shape: Any, dim: Any, correction: float) -> float:
    """n - correction; 0 becomes NaN's cause, as dividing by it would."""
    return builtins.max(_count(shape, dim) - correction, 0) or math.nan


def _settings(x: Any, dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    """dim and correction from PyTorch's two ways of calling: var(x, unbiased) and var(x, dim, unbiased)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError("give either unbiased or correction, not both.")
    return dim, (1 if correction is None else correction) if unbiased is None else int(unbiased)


def var(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """The variance: the mean squared distance from the mean, with n - correction in place of n.

    z = Σ (x - mean)² / (n - correction)

    Source: https://pytorch.org/docs/stable/generated/torch.var.html
    """
    _floating("var", x)
    dim, correction = _settings(x, dim, unbiased, correction)
    return _var(x, dim=dim, correction=correction, keepdim=keepdim)


def std(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """The standard deviation: the root of the variance; where it is 0 so is its gradient.

    z = √var x

    Source: https://pytorch.org/docs/stable/generated/torch.std.html
    """
    _floating("std", x)
    return _root(var(x, dim, unbiased, keepdim, correction=correction))


@op(dx=lambda g, z, x: where(z == 0, g * 0, g / (2 * where(z == 0, z * 0 + 1, z))))
def _root(x: Any) -> Any:
    """The square root whose gradient counts as 0 at 0.

    z = √x;  ∂x = g / (2·z), 0 where z = 0
    """
    return np.sqrt(x)


def var_mean(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """(variance, mean)."""
    chosen, _ = _settings(x, dim, unbiased, correction)
    return var(x, dim, unbiased, keepdim, correction=correction), mean(x, chosen, keepdim)


def std_mean(x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Any:
    """(standard deviation, mean)."""
    chosen, _ = _settings(x, dim, unbiased, correction)
    return std(x, dim, unbiased, keepdim, correction=correction), mean(x, chosen, keepdim)


def dist(x: Any, other: Any, p: float = 2) -> Any:
    """The distance of two tensors: the p-norm of their difference."""
    from .norms import vector_norm

    return vector_norm(x - other, p)


# -- exponentials ----------------------------------------------------------------------------------------------------
@op(dtype="float", dx=lambda g, z, x, dim, keepdim: spread(g, x.shape, dim, keepdim) * exp(x - keep(z, x.shape, dim, keepdim)))
def logsumexp(x: Any, *, dim: Any, keepdim: bool = False) -> Any:
    """The logarithm of the sum of exponentials, a smooth max, without overflow; each element's gradient is its softmax.

    z = ln Σ eˣ over dim;  ∂x = g·e^(x - z)

    Source: https://pytorch.org/docs/stable/generated/torch.logsumexp.html
    """
    found = axes(dim, x.ndim)
    top = np.max(x, axis=found, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    z = np.log(np.sum(np.exp(x - top), axis=found, keepdims=True)) + top
    return z if keepdim else np.squeeze(z, found)


@op(dtype="float", dx=lambda g, z, x, dim: z * (g - _sum(g * z, dim=dim, keepdim=True)))
def _softmax(x: Any, *, dim: int) -> Any:
    """Positive numbers that add up to 1, larger for larger elements; raising one lowers the others.

    z = eˣ / Σ eˣ over dim;  ∂x = z·(g - Σ g·z)
    """
    z = np.exp(x - np.max(x, axis=dim, keepdims=True, initial=-np.inf)) if x.size else x.copy()
    z /= np.sum(z, axis=dim, keepdims=True)
    return z


@op(dtype="float", dx=lambda g, z, x, dim: g - exp(z) * _sum(g, dim=dim, keepdim=True))
def _log_softmax(x: Any, *, dim: int) -> Any:
    """The logarithm of softmax, without overflow.

    z = x - ln Σ eˣ over dim;  ∂x = g - softmax(x)·Σ g
    """
    if not x.size:
        return x.copy()
    shifted = x - np.max(x, axis=dim, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=dim, keepdims=True))


def _along(x: Any, dim: int | None, function: Any, dtype: Any) -> Any:
    """A function along one dim; a 0-d tensor counts as one element."""
    x = _as(x, dtype)
    if dim is None:
        dim = 0 if x.ndim in (0, 1, 3) else 1  # what PyTorch assumes, with a warning, where none is given
    d = one_dim(dim, x.ndim)
    return function(x, dim=d) if x.ndim else reshape(function(reshape(x, shape=(1,)), dim=0), shape=())


def softmax(x: Any, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Any:
    """Positive numbers that add up to 1 along a dim, larger for larger elements.

    z = eˣ / Σ eˣ over dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
    """
    return _along(x, dim if axis is None else axis, _softmax, dtype)


def log_softmax(x: Any, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Any:
    """The logarithm of softmax, without overflow.

    z = x - ln Σ eˣ over dim

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    return _along(x, dim if axis is None else axis, _log_softmax, dtype)


def softmin(x: Any, dim: int | None = None, *, dtype: Any = None) -> Any:
    """softmax of -x: larger for smaller elements."""
    return softmax(-x, dim, dtype=dtype)


# -- running totals --------------------------------------------------------------------------------------------------
def _reverse_cumsum(g: Any, dim: int) -> Any:
    return flip(_cumsum(flip(g, dim), dim=dim), dim)


@op(dx=lambda g, z, x, dim: _reverse_cumsum(g, dim))
def _cumsum(x: Any, *, dim: int) -> Any:
    """Running sums; each element gets the gradients of all sums from its own on.

    zᵢ = x₁ + ... + xᵢ, z = running sum of x;  ∂xᵢ = gᵢ + gᵢ₊₁ + ...
    """
    return np.cumsum(x, axis=dim, dtype=np.int64 if x.dtype.kind in "biu" else None)


def cumsum(x: Any, dim: int, *, dtype: Any = None) -> Any:
    """Running sums along a dim.

    zᵢ = x₁ + ... + xᵢ

    Source: https://pytorch.org/docs/stable/generated/torch.cumsum.html
    """
    return _along(x, dim, _cumsum, dtype)


def _cumprod_rule(g: Any, z: Any, x: Any, dim: int) -> Any:
    # ∂zⱼ/∂xᵢ = Π of the others up to j. Without zeros that is zⱼ / xᵢ; with them, one running product per element i.
    from .shape import _cat

    n = x.shape[dim]
    at = (slice(None),) * dim
    parts = []
    for i in range(n):
        running = z[(*at, slice(i - 1, i))] if i else x[(*at, slice(0, 1))] * 0 + 1  # the product before xᵢ
        total = g[(*at, slice(i, i + 1))] * running
        for j in range(i + 1, n):
            running = running * x[(*at, slice(j, j + 1))]
            total = total + g[(*at, slice(j, j + 1))] * running
        parts.append(total)
    return _cat(*parts, dim=dim) if parts else g


@op(dx=_cumprod_rule)
def _cumprod(x: Any, *, dim: int) -> Any:
    """Running products.

    zᵢ = x₁ · ... · xᵢ, z = running product of x;  ∂xᵢ = Σ over j ≥ i of gⱼ·Π of the others up to j
    """
    return np.cumprod(x, axis=dim, dtype=np.int64 if x.dtype.kind in "biu" else None)


def cumprod(x: Any, dim: int, *, dtype: Any = None) -> Any:
    """Running products along a dim.

    zᵢ = x₁ · ... · xᵢ

    Source: https://pytorch.org/docs/stable/generated/torch.cumprod.html
    """
    return _along(x, dim, _cumprod, dtype)


def _logcumsumexp_rule(g: Any, z: Any, x: Any, dim: int) -> Any:
    # ∂xᵢ = Σ over j ≥ i of gⱼ·e^(xᵢ - zⱼ): a running sum from the end, of numbers that could overflow on their own.
    from .shape import _cat

    n = x.shape[dim]
    at = (slice(None),) * dim
    parts: list[Any] = []
    behind = None  # Σ over j > i of gⱼ·e^(zᵢ - zⱼ)
    for i in reversed(range(n)):
        here = (*at, slice(i, i + 1))
        total = g[here] if behind is None else g[here] + behind
        parts.append(total * exp(x[here] - z[here]))
        if i:
            behind = total * exp(z[(*at, slice(i - 1, i))] - z[here])
    return _cat(*parts[::-1], dim=dim) if parts else g


@op(dtype="float", dx=_logcumsumexp_rule)
def _logcumsumexp(x: Any, *, dim: int) -> Any:
    """The logarithm of running sums of exponentials, without overflow.

    zᵢ = ln(e^x₁ + ... + e^xᵢ), z = ln of the running sum of eˣ;  ∂xᵢ = Σ over j ≥ i of gⱼ·e^(xᵢ - zⱼ)
    """
    return np.logaddexp.accumulate(x, axis=dim)


def logcumsumexp(x: Any, dim: int) -> Any:
    """The logarithm of running sums of exponentials along a dim.

    zᵢ = ln(e^x₁ + ... + e^xᵢ)

    Source: https://pytorch.org/docs/stable/generated/torch.logcumsumexp.html
    """
    return _along(x, dim, _logcumsumexp, None)


def _running(name: str, words: str, better: Any) -> Any:
    def running(x: Any, dim: int) -> Extremes:
        if not x.ndim:
            one_dim(dim, 0)
            return Extremes(clone(x), wrap(np.zeros_like(x.array, dtype=np.int64)))
        d = one_dim(dim, x.ndim)
        extremes = better.accumulate(x.array, axis=d)
        here = np.arange(x.shape[d], like=x.array).reshape((-1,) + (1,) * (x.ndim - d - 1))
        found = (x.array == extremes) | ((x.array != x.array) & (extremes != extremes))
        index = np.maximum.accumulate(np.where(found, here, 0), axis=d)
        return Extremes(gather(x, d, wrap(index)), wrap(index))

    running.__name__ = running.__qualname__ = name
    running.__doc__ = f"""The {words} element so far along a dim, and its index; the gradient goes to the element at that index.

    zᵢ = {name[3:]}(x₁, ..., xᵢ)

    Source: https://pytorch.org/docs/stable/generated/torch.{name}.html
    """
    return running


cummax, cummin = _running("cummax", "largest", np.maximum), _running("cummin", "smallest", np.minimum)
