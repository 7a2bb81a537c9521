"""Gather and scatter: elements taken by an index tensor, along a dim or from the flattened tensor, and put or added back.

Every function here is one of a pair: what one takes out, the other adds back. So each is the other's derivative.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..errors import DtypeError, ShapeError, describe
from ..op import op
from ..tensor import Tensor, raw, wrap
from .indexing import _filler, _in_dtype, _index, _index_put, check_range, where
from .shape import broadcast_shapes, broadcast_to, clone, one_dim, ravel, reshape

__all__ = [
    "gather", "index_add", "index_copy", "index_fill", "index_select", "put", "scatter", "scatter_add", "scatter_reduce", "take",
    "take_along_dim",
]  # fmt: skip


# -- along a dim -----------------------------------------------------------------------------------------------------
def _places(shape: tuple[int, ...], index: Any, dim: int) -> Any:
    """The places of element index[i, j, ...] along `dim` and i, j ... along the others, counted through a tensor of this shape row by row."""
    places = index * math.prod(shape[dim + 1 :])
    for i, n in enumerate(index.shape):
        if i != dim:
            places += np.arange(n, like=index).reshape((-1,) + (1,) * (index.ndim - i - 1)) * math.prod(shape[i + 1 :])
    return places


@op(dx=lambda g, z, x, dim, index: _scatter_add_zeros(g, shape=x.shape, dim=dim, index=index))
def _gather(x: Any, *, dim: int, index: Any) -> Any:
    """Take one element along a dim for every position of the index; the gradient adds back to where it was taken.

    z[i] = x[index[i]] along dim;  ∂x[index[i]] += g[i] along dim
    """
    return x.take(_places(x.shape, index, dim))  # several times as fast as x[i, j]


@op(dx=lambda g, z, x, shape, dim, index: _gather(g, dim=dim, index=index))
def _scatter_add_zeros(x: Any, *, shape: Any, dim: int, index: Any) -> Any:
    """Zeros to which elements are added at positions along a dim: the derivative of gather.

    z[index[i]] += x[i] along dim;  ∂x[i] = g[index[i]] along dim
    """
    z = np.zeros_like(x, shape=shape, order="C")
    np.add.at(z.reshape(-1), _places(shape, index, dim).reshape(-1), x.reshape(-1))
    return z


def _checked_index(name: str, x: Any, dim: int, index: Any, exact: bool = False) -> tuple[int, Any]:
    """dim as a non-negative int and the index as an array of x's number of dims, checked."""
    dim = one_dim(dim, x.ndim)
    found = raw(index)
    if not hasattr(found, "dtype") or (found.dtype not in (np.int64, np.int32) and found.size):
        raise DtypeError(f"{name}: the index must be a tensor of int64, not {describe(index)}; convert it with .long().")
    if not found.size:
        return dim, found.astype(np.int64)
    if max(found.ndim, 1) != max(x.ndim, 1):
        raise ShapeError(f"{name}: the index must have as many dims as the tensor: {describe(index)} and {describe(x)}.")
    sizes = x.shape if x.ndim else (1,)
    if found.size and any(n > m for d, (n, m) in enumerate(zip(found.shape or (1,), sizes, strict=True)) if d != dim):
        raise ShapeError(
            f"{name}: except along dim {dim}, the index {tuple(found.shape)} must not be larger than the tensor {tuple(x.shape)}."
        )
    check_range(found, x, dim)
    return dim, found.astype(np.int64)  # copied: the caller may change it later


def gather(x: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """Take one element along `dim` for every position of the index.

    z[i, j] = x[index[i, j], j] for dim 0, x[i, index[i, j]] for dim 1

    Args:
        index: int64, as many dims as x and, except along dim, not larger.

    Raises:
        IndexError: an index outside [0, size of the dim).

    Source: https://pytorch.org/docs/stable/generated/torch.gather.html
    """
    dim, found = _checked_index("gather", x, dim, index)
    if x.ndim and x.ndim == found.ndim:
        return _gather(x, dim=dim, index=found)
    # A 0-d tensor counts as a vector of one, and an index of nothing may have any dims.
    return reshape(_index(ravel(x), index=(found.reshape(-1),)), shape=found.shape)


def take_along_dim(x: Any, indices: Any, dim: int | None = None) -> Any:
    """As `gather`, with the index broadcast against the tensor; without dim: from the flattened tensor.

    Source: https://pytorch.org/docs/stable/generated/torch.take_along_dim.html
    """
    if dim is None:
        return take_along_dim(ravel(x), ravel(indices), 0)
    dim = one_dim(dim, x.ndim)
    if raw(indices).size and raw(indices).min() < 0:  # counted from the end
        indices = where(indices < 0, indices + x.shape[dim], indices)
    if x.ndim != indices.ndim:
        raise ShapeError(
            f"take_along_dim: tensor and indices must have equally many dims; they are {describe(x)} and {describe(indices)}."
        )
    shape = broadcast_shapes(*(tuple(1 if i == dim else n for i, n in enumerate(a.shape)) for a in (x, indices)))
    sized = [tuple(a.shape[i] if i == dim else n for i, n in enumerate(shape)) for a in (x, indices)]
    return gather(broadcast_to(x, shape=sized[0]), dim, broadcast_to(indices, shape=sized[1]))


@op(
    dtype="same",
    dx=lambda g, z, x, source, dim, index: _scatter_replace(g, _gather_zeros(g, index), dim=dim, index=index),
    dsource=lambda g, z, x, source, dim, index: _gather(g, dim=dim, index=index),
)
def _scatter_replace(x: Any, source: Any, *, dim: int, index: Any) -> Any:
    """Replace elements along a dim; those that were there get no gradient, the new ones get theirs.

    z = x with z[index[i]] = source[i] along dim;  ∂x = g, 0 where replaced;  ∂source[i] = g[index[i]] along dim
    """
    z = np.copy(x, order="C")
    z.reshape(-1)[_places(x.shape, index, dim).reshape(-1)] = source.reshape(-1)
    return z


def _gather_zeros(g: Any, index: Any) -> Any:
    zeros = np.zeros_like(raw(g), shape=index.shape)
    return wrap(zeros) if isinstance(g, Tensor) else zeros


@op(
    dtype="same",
    dx=lambda g, z, x, source, dim, index: g,
    dsource=lambda g, z, x, source, dim, index: _gather(g, dim=dim, index=index),
)
def _scatter_add(x: Any, source: Any, *, dim: int, index: Any) -> Any:
    """Add elements to a tensor along a dim; the gradient passes to both.

    z = x with z[index[i]] += source[i] along dim;  ∂x = g;  ∂source[i] = g[index[i]] along dim
    """
    z = np.copy(x, order="C")
    np.add.at(z.reshape(-1), _places(x.shape, index, dim).reshape(-1), source.reshape(-1))
    return z


def scatter(x: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Any:
    """Replace the elements at index[i, j] along `dim` by those of src (or a number); with `reduce` "add" or "multiply" combine them.

    z[index[i, j], j] = src[i, j] for dim 0

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.scatter_.html
    """
    src = value if src is None else src
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError(f'scatter: reduce must be "add" or "multiply", not {reduce!r}.')
        source = src if isinstance(src, Tensor) else _spread_value(x, index, src)
        return scatter_reduce(x, dim, index, source, {"add": "sum", "multiply": "prod"}[reduce])
    source = src if isinstance(src, Tensor) and src.ndim else _spread_value(x, index, src)
    return _scattered("scatter", _scatter_replace, x, dim, index, source)


def _spread_value(x: Any, index: Any, value: Any) -> Any:
    return broadcast_to(_in_dtype(value, x.dtype, x) if isinstance(x, Tensor) else value, shape=tuple(index.shape))


def scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    """Add the elements of src to those at index[i, j] along `dim`.

    z[index[i, j], j] += src[i, j] for dim 0

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.scatter_add_.html
    """
    return _scattered("scatter_add", _scatter_add, x, dim, index, src)


def _scattered(name: str, operation: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    dim, found, src = _checked_source(name, x, dim, index, src)
    if not x.ndim:
        return reshape(operation(reshape(x, 1), ravel(src), dim=0, index=found.reshape(-1)), shape=())
    return operation(x, src, dim=dim, index=found)


def _checked_source(name: str, x: Any, dim: int, index: Any, src: Any) -> tuple[int, Any, Any]:
    """As `_checked_index`, and the part of the source that the index names."""
    dim, found = _checked_index(name, x, dim, index)
    if src.dtype != x.dtype:
        raise DtypeError(f"{name}: source and tensor must have one dtype; they are {describe(src)} and {describe(x)}.")
    if found.size and (src.ndim != found.ndim or any(n > m for n, m in zip(found.shape, src.shape, strict=True))):
        raise ShapeError(
            f"{name}: the index {tuple(found.shape)} must not be larger than the source {tuple(src.shape)} in any dim."
        )
    if not found.size:  # an index of nothing may have any dims
        found, src = found.reshape((0,) * max(x.ndim, 1)), _index(ravel(src), index=(slice(0, 0),))
        src = reshape(src, shape=found.shape)
    elif found.shape != tuple(src.shape):
        src = _index(src, index=tuple(slice(0, n) for n in found.shape))
    return dim, found, src


def scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """Combine the elements of src that go to one place by "sum", "prod", "mean", "amax" or "amin".

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.scatter_reduce_.html
    """
    if reduce == "sum" and include_self and x.dtype != np.bool_:
        return scatter_add(x, dim, index, src)
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f'scatter_reduce: reduce must be "sum", "prod", "mean", "amax" or "amin", not {reduce!r}.')
    if x.dtype == np.bool_:  # as numbers 0 and 1, and back
        if reduce == "mean":
            raise DtypeError(f"scatter_reduce: bools have no mean; this is {describe(x)}: convert it with .float().")
        numbers = scatter_reduce(x.to("int64"), dim, index, src.to("int64"), reduce, include_self=include_self)
        return numbers != 0
    dim, found, src = _checked_source("scatter_reduce", x, dim, index, src)
    if not x.ndim:
        return reshape(_scatter_reduced(reshape(x, 1), 0, found.reshape(-1), ravel(src), reduce, include_self), shape=())
    return _scatter_reduced(x, dim, found, src, reduce, include_self)


def _scatter_reduced(x: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool) -> Any:
    """Each place's group of elements is what index says, and its own number unless it is to be left out."""
    arrived = _scatter_add_zeros(np.ones_like(raw(src)), shape=x.shape, dim=dim, index=index)  # how many elements, place by place
    start = x if include_self else where(wrap(arrived > 0), _without_effect(reduce, x.dtype), x)
    if reduce == "prod":
        return _scatter_product(start, dim, index, src)
    if reduce in ("sum", "mean"):
        total = _scatter_add(start, src, dim=dim, index=index)
        if reduce == "sum":
            return total
        count = wrap(np.maximum(arrived + include_self, 1).astype(x.dtype))
        return total / count if x.dtype.kind == "f" else total // count
    best = raw(start).copy()
    places = _places(x.shape, index, dim)  # a tenth of the time of best[i, j]
    backend.extreme_at(best.reshape(-1), places.reshape(-1), raw(src).reshape(-1), reduce == "amax")
    best = wrap(best)
    if x.dtype.kind != "f":
        return best
    # The gradient is shared evenly by all elements that are the extreme: an average of them that is equal to it.
    mine, theirs = start == best, src == _gather(best, dim=dim, index=index)
    ties = _scatter_add(mine.to(x.dtype), theirs.to(x.dtype), dim=dim, index=index)
    return _scatter_add(where(mine, start, 0.0), where(theirs, src, 0.0), dim=dim, index=index) / ties


def _without_effect(reduce: str, dtype: Any) -> float:
    """The number with which a reduction may begin: it changes nothing."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    least, largest = (-math.inf, math.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return least if reduce == "amax" else largest


def _scatter_product(start: Any, dim: int, index: Any, src: Any) -> Any:
    """Products by sums of logarithms would lose signs and zeros, so the groups are multiplied one rank after another."""
    seen, places = np.zeros_like(index, shape=math.prod(start.shape)), _places(start.shape, index, dim)
    rank = np.zeros_like(index)
    for i in range(index.shape[dim]):  # how many elements before this one go to the same place
        layer = (slice(None),) * dim + (i,)
        rank[layer] = seen[places[layer]]
        seen[places[layer]] += 1
    seen = seen.reshape(start.shape)
    for r in range(int(rank.max(initial=0)) + 1):
        factor = _scatter_add_zeros(where(wrap(rank == r), src, 0), shape=start.shape, dim=dim, index=index)
        start = where(wrap(seen > r), start * factor, start)
    return start


# -- whole rows ------------------------------------------------------------------------------------------------------
def _row_index(name: str, x: Any, dim: int, index: Any) -> tuple[int, Any]:
    dim = one_dim(dim, x.ndim)
    found = raw(index)
    if not hasattr(found, "dtype") or found.dtype not in (np.int64, np.int32):
        raise DtypeError(f"{name}: the index must be a vector of int64, not {describe(index)}; convert it with .long().")
    if found.ndim > 1:
        raise IndexError(f"{name}: the index must be a vector, not {describe(index)}.")
    check_range(found, x, dim)
    return dim, found.reshape(-1).copy()


def index_select(x: Any, dim: int, index: Any) -> Any:
    """The slices at these indices of a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.index_select.html
    """
    dim, found = _row_index("index_select", x, dim, index)
    if not x.ndim:
        if found.size != 1:
            raise IndexError("index_select of a 0-d tensor takes exactly one index.")
        return clone(x)
    return _index(x, index=(slice(None),) * dim + (found,))


def index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """Add slices of `source` (times alpha) to the slices at these indices of a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.index_add_.html
    """
    return _rows_put("index_add", x, dim, index, source if alpha == 1 else source * alpha, True)


def index_copy(x: Any, dim: int, index: Any, source: Any) -> Any:
    """Replace the slices at these indices of a dim by those of `source`.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.index_copy_.html
    """
    return _rows_put("index_copy", x, dim, index, source, False)


def _rows_put(name: str, x: Any, dim: int, index: Any, source: Any, accumulate: bool) -> Any:
    dim, found = _row_index(name, x, dim, index)
    if source.dtype != x.dtype:
        raise DtypeError(f"{name}: source and tensor must have one dtype; they are {describe(source)} and {describe(x)}.")
    if not x.ndim or not source.ndim:
        if found.size != 1 or x.ndim > 1 or source.ndim > 1 or math.prod(source.shape) != 1:
            raise IndexError(
                f"{name}: {found.size} indices, a source {tuple(source.shape)} and a tensor {tuple(x.shape)} do not fit."
            )
        return reshape(_index_put(reshape(x, -1), reshape(source, 1), index=(found,), accumulate=accumulate), shape=x.shape)
    wanted = (*x.shape[:dim], found.size, *x.shape[dim + 1 :])
    if tuple(source.shape) != wanted:
        raise ShapeError(f"{name}: the source must have shape {wanted}, not {tuple(source.shape)}.")
    return _index_put(x, source, index=(slice(None),) * dim + (found,), accumulate=accumulate)


def index_fill(x: Any, dim: int, index: Any, value: Any) -> Any:
    """Fill the slices at these indices of a dim with a number.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.index_fill_.html
    """
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(f"index_fill takes a number or a 0-d tensor, not {describe(value)}.")
    dim, found = _row_index("index_fill", x, dim, index)
    found = np.unique(found)  # a position named twice is filled once
    value = _filler("index_fill", x, value)
    if not x.ndim:
        return reshape(_index_put(reshape(x, 1), reshape(value, 1), index=(found,), accumulate=False), shape=())
    shape = (*x.shape[:dim], found.size, *x.shape[dim + 1 :])
    return _index_put(x, broadcast_to(value, shape=shape), index=(slice(None),) * dim + (found,), accumulate=False)


# -- from the flattened tensor ---------------------------------------------------------------------------------------
def take(x: Any, index: Any) -> Any:
    """The elements at positions of the flattened tensor; negative ones count from the end.

    Source: https://pytorch.org/docs/stable/generated/torch.take.html
    """
    found = _flat_positions("take", x, index)
    return reshape(_index(ravel(x), index=(found.reshape(-1),)), shape=found.shape)


def _flat_positions(name: str, x: Any, index: Any) -> Any:
    found = raw(index)
    if found.dtype != np.int64:
        raise DtypeError(f"{name}: the index must be a tensor of int64, not {describe(index)}.")
    check_range(found, x, None, negative=True)
    return found.copy()


def put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """Put elements at positions of the flattened tensor.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.put_.html
    """
    found = _flat_positions("put", x, index).reshape(-1)
    if source.dtype != x.dtype:
        raise DtypeError(f"put: source and tensor must have one dtype; they are {describe(source)} and {describe(x)}.")
    if math.prod(source.shape) != found.size:
        raise ShapeError(f"put: {found.size} positions need as many elements, not {math.prod(source.shape)}.")
    flat = _index_put(ravel(x), ravel(source), index=(found,), accumulate=accumulate)
    return reshape(flat, shape=x.shape)
