"""Indexing: taking elements by position, putting them back, and choosing between tensors.

Every function here is one of a pair: what one takes out, the other adds back. So each is the other's derivative.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from .. import backend
from ..dtypes import result_dtype
from ..errors import DtypeError, ShapeError, describe
from ..op import cast, op
from ..tensor import Tensor, wrap
from .shape import broadcast_shapes, broadcast_to, clone, ints, one_dim, ravel, reshape

__all__ = [
    "argwhere", "gather", "index_add", "index_copy", "index_fill", "index_put", "index_select", "masked_fill", "masked_scatter",
    "masked_select", "nonzero", "put", "scatter", "scatter_add", "scatter_reduce", "take", "take_along_dim", "unravel_index", "where",
]  # fmt: skip


# -- x[index] --------------------------------------------------------------------------------------------------------
@op(view=True, dx=lambda g, z, x, index: _put_back(g, shape=x.shape, index=index))
def _index(x: Any, *, index: Any) -> Any:
    """Take elements by position; the gradient of what was taken goes back to its place, and adds up where it was taken twice.

    z = x[index];  ∂x[index] += g, else 0
    """
    z = x[index]
    return x[(*index, ...)] if isinstance(z, np.generic) else z  # one element is a view too, not a copy


@op(dx=lambda g, z, x, shape, index: _index(g, index=index))
def _put_back(x: Any, *, shape: Any, index: Any) -> Any:
    """Zeros with elements added at positions: the derivative of indexing.

    z[index] += x, else 0;  ∂x = g[index]
    """
    z = np.zeros_like(x, shape=shape, order="C")
    if _takes_once(index):
        z[index] = x
    else:
        _add_at(z, index, x)
    return z


def _takes_once(index: Any) -> bool:
    """Whether an index takes no element twice: integers, slices, None, Ellipsis and masks."""
    return not any(hasattr(i, "dtype") and i.dtype != np.bool_ for i in index)


def _add_at(z: Any, index: Any, values: Any) -> None:
    """z[index] += values, with elements named twice added twice.

    NumPy does this several times faster with one vector of positions than with an index of many dims. So the dims that the
    index speaks of are counted through, and the others are a row that each position stands for.
    """
    used = z.ndim if any(i is Ellipsis for i in index) else sum(_dims_of(i) for i in index)
    lead, rest = z.shape[:used], z.shape[used:]
    rows = np.arange(math.prod(lead), like=z).reshape(lead)[index]
    width = math.prod(rest)
    places = rows[..., None] * width + np.arange(width, like=z) if width != 1 else rows
    values = np.broadcast_to(values, rows.shape + rest)
    backend.add_at(np.reshape(z, -1), places.reshape(-1), values.reshape(-1))


def getitem(x: Any, index: Any) -> Any:
    """x[index], with every form that NumPy and PyTorch share.

    Raises:
        IndexError: out of range, too many indices, a mask of the wrong shape, or a float index.
    """
    return _index(x, index=normal_index(x, index))


def normal_index(x: Any, index: Any) -> tuple[Any, ...]:
    """An index as a tuple of ints, slices, None, Ellipsis and arrays on x's device, checked against x's shape."""
    parts = index if isinstance(index, tuple) else (index,)
    found = tuple(_index_part(x, part) for part in parts)
    used = sum(_dims_of(part) for part in found)
    if used > x.ndim:
        raise IndexError(f"too many indices: {used} for {describe(x)}, which has {x.ndim} dims.")
    if sum(part is Ellipsis for part in found) > 1:
        raise IndexError("an index can hold only one Ellipsis (...).")
    dim = 0
    for part in found:
        if part is Ellipsis:
            dim += x.ndim - used
            continue
        _check_part(x, part, dim)
        dim += _dims_of(part)
    return found


def _dims_of(part: Any) -> int:
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if hasattr(part, "dtype") and part.dtype == np.bool_ else 1


def _index_part(x: Any, part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, bool | int):
        return part
    if isinstance(part, slice):
        ends = [None if end is None else end.__index__() for end in (part.start, part.stop, part.step)]
        if ends[2] is not None and ends[2] < 1:
            raise ValueError(f"the step of a slice must be positive, and it is {ends[2]}; reverse a dim with flip().")
        return slice(*ends)
    array = part.array if isinstance(part, Tensor) else part
    if isinstance(array, list | tuple | range):
        array = np.asarray([p.tolist() if isinstance(p, Tensor) else p for p in array] if len(array) else np.empty(0, np.int64))
    elif isinstance(array, np.generic):
        array = np.asarray(array)
    if not hasattr(array, "dtype"):
        raise TypeError(
            f"a tensor cannot be indexed with a {type(part).__name__}: use integers, slices, None, ..., lists, masks or integer tensors."
        )
    if array.dtype.kind not in "iub":
        raise IndexError(f"an index must hold integers or be a mask of bools; this one is {array.dtype}.")
    home = x.array if isinstance(x, Tensor) else x
    if isinstance(array, np.ndarray) and not isinstance(home, np.ndarray) and not isinstance(part, Tensor):
        array = backend.place(array, backend.device_of(home))
    if array.dtype == np.uint8:
        raise IndexError("a uint8 tensor as an index could mean a mask or positions; convert it with .bool() or .long().")
    if not array.ndim and array.dtype != np.bool_:
        return int(array)
    return array.copy()  # the caller may change it later


def _check_part(x: Any, part: Any, dim: int) -> None:
    if isinstance(part, int) and not isinstance(part, bool):
        if not -x.shape[dim] <= part < x.shape[dim]:
            raise IndexError(f"index {part} is out of range for dim {dim} of size {x.shape[dim]} of {describe(x)}.")
    elif hasattr(part, "dtype") and part.dtype == np.bool_:
        if part.shape != x.shape[dim : dim + part.ndim]:
            raise IndexError(f"a mask of shape {part.shape} does not fit the dims from {dim} on of {describe(x)}.")
    elif hasattr(part, "dtype") and part.size and isinstance(part, np.ndarray):
        check_range(part, x, dim, negative=True)


def largest_unsigned(index: Any) -> Any:
    """The largest number of an integer array, where negative ones count as huge: one look finds what lies below 0 or too high."""
    unsigned = index.view(_UNSIGNED[index.itemsize])
    return unsigned.take(unsigned.argmax())  # half of the time of max()


_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def check_range(index: Any, x: Any, dim: int | None, negative: bool = False) -> None:
    """Raise IndexError if an index array points outside a dim of x (None: of x flattened)."""
    size = math.prod(x.shape) if dim is None else x.shape[dim] if x.ndim else 1
    least = -size if negative else 0
    if not index.size or (isinstance(index, np.ndarray) and not negative and largest_unsigned(index) < size):
        return

    def error() -> IndexError:
        low, high = int(index.min()), int(index.max())
        where = describe(x) if dim is None else f"dim {dim} of {describe(x)}"
        return IndexError(f"index {low if low < 0 else high} is out of range for {where}: it must be in [0, {size}).")

    backend.require((index.min() >= least) & (index.max() < size), error)


# -- choosing --------------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, condition, x, y: _where(condition, g, 0), dy=lambda g, z, condition, x, y: _where(condition, 0, g))
def _where(condition: Any, x: Any, y: Any) -> Any:
    """Take from x where the condition holds, else from y; each gets the gradient where it was taken, and 0 elsewhere.

    z = x where condition, else y;  ∂x = g where condition, else 0;  ∂y = 0 where condition, else g
    """
    return np.where(condition, x, y)


def where(condition: Any, x: Any = None, y: Any = None, *, input: Any = None, other: Any = None) -> Any:
    """Take from x where the condition holds, else from y; with the condition alone: the positions where it holds.

    z = x where condition, else y

    Source: https://pytorch.org/docs/stable/generated/torch.where.html
    """
    x, y = input if x is None else x, other if y is None else y
    if x is None and y is None:
        return nonzero(condition, as_tuple=True)
    if isinstance(condition, Tensor) and condition.dtype not in (np.bool_, np.uint8):
        raise DtypeError(f"where: the condition must be a tensor of bools, such as x > 0; this is {describe(condition)}.")
    if isinstance(condition, Tensor) and condition.dtype == np.uint8:
        condition = condition.to("bool")
    if isinstance(condition, Tensor) or isinstance(x, Tensor) or isinstance(y, Tensor):
        dtype = result_dtype((x, y))
        x, y = _in_dtype(x, dtype, condition), _in_dtype(y, dtype, condition)
    return _where(condition, x, y)


def _in_dtype(x: Any, dtype: Any, like: Any) -> Any:
    if isinstance(x, Tensor):
        return x if x.dtype == dtype else cast(x, dtype=dtype)
    home = like.array if isinstance(like, Tensor) else like
    return wrap(np.full_like(home, x, shape=(), dtype=dtype)) if isinstance(x, bool | int | float) else Tensor(x, dtype=dtype)


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """A number wherever a mask holds; no gradient flows there.

    z = value where mask, else x

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.masked_fill.html
    """
    _check_mask("masked_fill", mask)
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(f"masked_fill takes a number or a 0-d tensor, not {describe(value)}; use where(mask, values, x).")
    return where(mask, _filler("masked_fill", x, value), x)


def _filler(name: str, x: Any, value: Any) -> Any:
    """A number or 0-d tensor brought to x's dtype; refused where that would lose its fraction."""
    if not isinstance(x, Tensor):
        return value
    kind = (
        value.dtype.kind
        if isinstance(value, Tensor)
        else "b"
        if isinstance(value, bool)
        else "i"
        if isinstance(value, int)
        else "f"
    )
    if (kind == "f" and x.dtype.kind != "f") or (kind != "b" and x.dtype == np.bool_ and kind == "f"):
        raise RuntimeError(f"{name}: a float does not fit into {describe(x)}; convert the tensor first.")
    return _in_dtype(value, x.dtype, x)


def _check_mask(name: str, mask: Any) -> None:
    if mask.dtype != np.bool_:
        raise DtypeError(f"{name}: the mask must be a tensor of bools, such as x > 0; this is {describe(mask)}.")


def masked_select(x: Any, mask: Any) -> Any:
    """The elements where a mask holds, as a vector.

    Source: https://pytorch.org/docs/stable/generated/torch.masked_select.html
    """
    _check_mask("masked_select", mask)
    shape = broadcast_shapes(x.shape, mask.shape)
    x, mask = broadcast_to(x, shape=shape), broadcast_to(mask, shape=shape)
    return getitem(x, mask) if x.ndim else reshape(x, 1)[reshape(mask, 1)]


def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """The elements where a mask holds replaced by those of `source`, in order.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.masked_scatter.html
    """
    _check_mask("masked_scatter", mask)
    if source.dtype != x.dtype:
        raise DtypeError(f"masked_scatter: source and tensor must have one dtype; they are {describe(source)} and {describe(x)}.")
    shape = broadcast_shapes(x.shape, mask.shape)
    x, mask = broadcast_to(x, shape=shape), broadcast_to(mask, shape=shape)
    chosen = reshape(mask, -1) if math.prod(shape) else reshape(mask, 0)
    count = int(raw(chosen).sum())
    if count > math.prod(source.shape):
        raise RuntimeError(
            f"masked_scatter: the mask holds {count} times, but source has only {math.prod(source.shape)} elements."
        )
    flat = index_put(ravel(x), (np.nonzero(raw(chosen))[0],), ravel(source)[:count])
    return reshape(flat, shape=shape)


def raw(x: Any) -> Any:
    """The array of a tensor; an array as it is."""
    return x.array if isinstance(x, Tensor) else x


def nonzero(x: Any, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: as rows, or as one index tensor per dim.

    Source: https://pytorch.org/docs/stable/generated/torch.nonzero.html
    """
    array = raw(x)
    if not array.ndim and as_tuple:
        array = array.reshape(1)
    found = np.argwhere(array)
    if not as_tuple:
        return wrap(found)
    return tuple(wrap(found[:, i].copy()) for i in range(array.ndim))


def argwhere(x: Any) -> Any:
    """The positions of the elements that are not zero, as rows."""
    return nonzero(x)


# -- gather and scatter ----------------------------------------------------------------------------------------------
def _at(index: Any, dim: int) -> tuple[Any, ...]:
    """The NumPy index that takes element index[i, j, ...] along `dim` and i, j ... along the others."""
    grid = [np.arange(n, like=index).reshape((1,) * i + (-1,) + (1,) * (index.ndim - i - 1)) for i, n in enumerate(index.shape)]
    grid[dim] = index
    return tuple(grid)


def _places(shape: tuple[int, ...], index: Any, dim: int) -> Any:
    """The same places, counted through a tensor of this shape row by row."""
    places, step = 0, 1
    for i, along in reversed([*enumerate(_at(index, dim))]):
        places = along * step + places
        step *= shape[i]
    return places


@op(dx=lambda g, z, x, dim, index: _scatter_add_zeros(g, shape=x.shape, dim=dim, index=index))
def _gather(x: Any, *, dim: int, index: Any) -> Any:
    """Take one element along a dim for every position of the index; the gradient adds back to where it was taken.

    z[i, j] = x[index[i, j], j] (for dim 0);  ∂x[index[i, j], j] += g[i, j]
    """
    return x[_at(index, dim)]


@op(dx=lambda g, z, x, shape, dim, index: _gather(g, dim=dim, index=index))
def _scatter_add_zeros(x: Any, *, shape: Any, dim: int, index: Any) -> Any:
    """Zeros to which elements are added at positions along a dim: the derivative of gather.

    z[index[i, j], j] += x[i, j] (for dim 0);  ∂x[i, j] = g[index[i, j], j]
    """
    z = np.zeros_like(x, shape=shape, order="C")
    backend.add_at(z.reshape(-1), _places(shape, index, dim).reshape(-1), x.reshape(-1))
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
    return dim, found.copy()


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


@op(
    dtype="same",
    dx=lambda g, z, x, source, dim, index: _scatter_replace(g, _gather_zeros(g, index), dim=dim, index=index),
    dsource=lambda g, z, x, source, dim, index: _gather(g, dim=dim, index=index),
)
def _scatter_replace(x: Any, source: Any, *, dim: int, index: Any) -> Any:
    """Replace elements along a dim; those that were there get no gradient, the new ones get theirs.

    z = x with z[index[i, j], j] = source[i, j] (for dim 0);  ∂x = g, 0 where replaced;  ∂source[i, j] = g[index[i, j], j]
    """
    z = np.copy(x, order="C")
    z[_at(index, dim)] = source
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

    z = x with z[index[i, j], j] += source[i, j] (for dim 0);  ∂x = g;  ∂source[i, j] = g[index[i, j], j]
    """
    z = np.copy(x, order="C")
    backend.add_at(z.reshape(-1), _places(x.shape, index, dim).reshape(-1), source.reshape(-1))
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
    dim, found = _checked_index(name, x, dim, index)
    if src.dtype != x.dtype:
        raise DtypeError(f"{name}: source and tensor must have one dtype; they are {describe(src)} and {describe(x)}.")
    if found.size and (src.ndim != found.ndim or any(n > m for n, m in zip(found.shape, src.shape, strict=True))):
        raise ShapeError(
            f"{name}: the index {tuple(found.shape)} must not be larger than the source {tuple(src.shape)} in any dim."
        )
    if not found.size:
        return clone(x)
    if not x.ndim:
        return reshape(operation(reshape(x, 1), reshape(src, 1), dim=0, index=found.reshape(1)), shape=())
    if found.shape != tuple(src.shape):
        src = _index(src, index=tuple(slice(0, n) for n in found.shape))
    return operation(x, src, dim=dim, index=found)


def scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """Combine the elements of src that go to one place by "sum", "prod", "mean", "amax" or "amin".

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.scatter_reduce_.html
    """
    if reduce == "sum" and include_self and x.dtype != np.bool_:
        return scatter_add(x, dim, index, src)
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f'scatter_reduce: reduce must be "sum", "prod", "mean", "amax" or "amin", not {reduce!r}.')
    if x.dtype == np.bool_:  # as numbers 0 and 1, and back
        numbers = scatter_reduce(x.to("int64"), dim, index, src.to("int64"), reduce, include_self=include_self)
        return numbers != 0
    return _scatter_reduced(x, dim, index, src, reduce, include_self)


def _scatter_reduced(x: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool) -> Any:
    """The other reductions, from scatter_add and gather: each place's group of elements is what index says."""
    if not x.ndim:
        vectors = (reshape(x, 1), 0, reshape(index, 1), reshape(src, 1))
        return reshape(_scatter_reduced(*vectors, reduce, include_self), shape=())
    ones = src * 0 + 1
    own = 1 if include_self else 0
    count = scatter_add(x * 0 + own, dim, index, ones)
    touched = raw(scatter_add(x * 0, dim, index, ones)) > 0
    touched = wrap(touched)
    if reduce in ("sum", "mean"):
        total = scatter_add(x if include_self else where(touched, x * 0, x), dim, index, src)
        if reduce == "sum":
            return total
        shared = where(touched, count, count * 0 + 1)
        return total / shared if x.dtype.kind == "f" else total // shared
    if reduce == "prod":
        return _scatter_product(x, dim, index, src, touched, include_self)
    extreme = raw(x).copy()
    if not include_self:
        bound = (
            (-np.inf if reduce == "amax" else np.inf)
            if x.dtype.kind == "f"
            else (np.iinfo(x.dtype).min if reduce == "amax" else np.iinfo(x.dtype).max)
        )
        extreme[touched.array] = bound
    backend.extreme_at(
        extreme, _at(raw(index), one_dim(dim, x.ndim)), raw(src)[tuple(slice(0, n) for n in index.shape)], reduce == "amax"
    )
    if x.dtype.kind != "f":
        return wrap(extreme)
    # The gradient is shared evenly by all elements that are the extreme: an average of them that is equal to it.
    best = wrap(extreme)
    mine = (x == best) if include_self else (x == best) & ~touched
    theirs = _index(src, index=tuple(slice(0, n) for n in index.shape)) == gather(best, dim, index)
    ties = scatter_add(mine.to(x.dtype), dim, index, theirs.to(x.dtype))
    source = where(theirs, _index(src, index=tuple(slice(0, n) for n in index.shape)), 0.0)
    return scatter_add(where(mine, x, 0.0), dim, index, source) / ties


def _scatter_product(x: Any, dim: int, index: Any, src: Any, touched: Any, include_self: bool) -> Any:
    """Products by sums of logarithms would lose signs and zeros, so the groups are multiplied one rank after another."""
    start = x if include_self else where(touched, x * 0 + 1, x)
    dim, found = one_dim(dim, x.ndim), raw(index)
    src = _index(src, index=tuple(slice(0, n) for n in found.shape))
    seen = np.zeros_like(found, shape=x.shape)
    rank = np.zeros_like(found)
    for i in range(found.shape[dim]):  # how many elements before this one go to the same place
        layer = (slice(None),) * dim + (slice(i, i + 1),)
        place = _at(found[layer], dim)
        rank[layer] = seen[place]
        seen[place] += 1
    for r in range(int(rank.max()) + 1 if rank.size else 0):
        factor = scatter_add(x * 0, dim, index, where(wrap(rank == r), src, src * 0))
        chosen = raw(scatter_add(x * 0, dim, index, wrap((rank == r).astype(x.dtype)))) > 0
        start = where(wrap(chosen), start * factor, start)
    return start


# -- by rows ---------------------------------------------------------------------------------------------------------
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


# -- putting by position ---------------------------------------------------------------------------------------------
@op(
    dtype="same",
    dx=lambda g, z, x, values, index, accumulate: g if accumulate else _index_put(g, 0, index=index, accumulate=False),
    dvalues=lambda g, z, x, values, index, accumulate: _index(g, index=index),
)
def _index_put(x: Any, values: Any, *, index: Any, accumulate: bool) -> Any:
    """Put values at positions; what they replaced gets no gradient (with accumulate they are added, and both get it).

    z = x with z[index] = values;  ∂x = g, 0 at index;  ∂values = g[index]
    """
    z = np.copy(x, order="C")
    if accumulate and not _takes_once(index):
        _add_at(z, index, values)
    elif accumulate:
        z[index] += values
    else:
        z[index] = values
    return z


def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """x with x[indices] = values (or += with accumulate, repeated positions counted).

    Args:
        indices: one index tensor (or None, a mask ...) per dim, as a tuple.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.index_put_.html
    """
    index = tuple(slice(None) if i is None else i for i in indices)
    values = values if isinstance(values, Tensor) or not isinstance(x, Tensor) else _in_dtype(values, x.dtype, x)
    if isinstance(values, Tensor) and values.dtype != x.dtype:
        raise DtypeError(f"index_put: values and tensor must have one dtype; they are {describe(values)} and {describe(x)}.")
    return _index_put(x, values, index=normal_index(x, index), accumulate=accumulate)


def setitem(x: Tensor, index: Any, value: Any) -> Tensor:
    """What `x[index] = value` makes of x, as a new tensor."""
    value = _in_dtype(value, x.dtype, x)
    if value.shape[:1] == (1,):
        value = reshape(value, shape=without_leading_ones(value.shape))
    return _index_put(x, value, index=normal_index(x, index), accumulate=False)


def without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the sizes of 1 at its left, which mean nothing where it is broadcast."""
    return tuple(itertools.dropwhile(lambda n: n == 1, shape))


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


def unravel_index(indices: Any, shape: Any) -> tuple[Tensor, ...]:
    """Where elements of the flattened tensor, such as argmax names, stand in a tensor of this shape: an index for each dim.

    >>> from tinygrad_edu import tensor
    >>> unravel_index(tensor([[1, 7], [3, 2]]).argmax(), (2, 2))
    (tensor(0), tensor(1))

    Source: https://pytorch.org/docs/stable/generated/torch.unravel_index.html
    """
    if indices.dtype.kind not in "iu":
        raise TypeError(f"unravel_index takes integers, not {describe(indices)}.")
    sizes = ints((shape,))
    if min(sizes, default=0) < 0:
        raise ValueError(f"unravel_index: sizes must not be negative: {sizes}.")
    count = math.prod(sizes)
    backend.require(
        ((indices.array >= 0) & (indices.array < count)).all(),
        lambda: IndexError(f"unravel_index: an index is not in [0, {count})."),
    )
    return tuple(wrap(backend.as_array(part)) for part in np.unravel_index(indices.array, sizes))
