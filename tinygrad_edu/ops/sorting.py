"""Order: sorting, ranks and what occurs how often. Values are taken by index, so gradients go to the elements chosen."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..errors import DtypeError, describe
from ..tensor import Tensor, wrap
from .indexing import gather, where
from .reduction import Extremes
from .shape import clone, one_dim, ravel, reshape

__all__ = [
    "argsort", "bincount", "bucketize", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "quantile", "searchsorted",
    "sort", "topk", "unique", "unique_consecutive",
]  # fmt: skip


def _order(array: Any, dim: int, descending: bool) -> Any:
    """The indices that sort along a dim, equal elements in their old order; NaN counts as the largest."""
    if not descending:
        return np.argsort(array, axis=dim, kind="stable")
    # Reversed twice around a stable sort, so that equal elements keep their order.
    flipped = np.argsort(np.flip(array, dim), axis=dim, kind="stable")
    return array.shape[dim] - 1 - np.flip(flipped, dim)


def sort(x: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Extremes:
    """The elements in order along a dim, and where they stood; each gradient goes back to where its element stood.

    Source: https://pytorch.org/docs/stable/generated/torch.sort.html
    """
    if isinstance(dim, bool):
        dim, stable = -1, dim
    index = argsort(x, dim, descending, stable=stable)
    return Extremes(gather(x, dim, index), index)


def argsort(x: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
    """The indices that put the elements in order along a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.argsort.html
    """
    d = one_dim(dim, x.ndim)
    return wrap(_order(x.array, d, descending) if x.ndim else np.zeros_like(x.array, dtype=np.int64))


def msort(x: Any) -> Any:
    """The elements in order along the first dim."""
    return sort(x, 0).values


def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Extremes:
    """The k largest (or smallest) elements along a dim, in order, and where they stood.

    Source: https://pytorch.org/docs/stable/generated/torch.topk.html
    """
    d = one_dim(dim, x.ndim)
    n = x.shape[d] if x.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError(f"topk: k={k} must be between 0 and the size {n} of dim {dim}.")
    index = argsort(x, dim, largest)
    if x.ndim:
        index = wrap(index.array[(slice(None),) * d + (slice(0, k),)].copy())
    return Extremes(gather(x, dim, index), index)


def _at_rank(x: Any, dim: int, rank: int, keepdim: bool, array: Any = None) -> Extremes:
    """The element of this rank along a dim, and where it stands."""
    if not x.ndim:
        return Extremes(clone(x), wrap(np.zeros_like(x.array, dtype=np.int64)))
    order = np.argsort(x.array if array is None else array, axis=dim, kind="stable")
    index = order[(slice(None),) * dim + (slice(rank, rank + 1),)].copy()
    return _taken(x, dim, index, keepdim)


def _taken(x: Any, dim: int, index: Any, keepdim: bool) -> Extremes:
    values = gather(x, dim, wrap(index))
    if keepdim:
        return Extremes(values, wrap(index))
    shape = x.shape[:dim] + x.shape[dim + 1 :]
    return Extremes(reshape(values, shape=shape), wrap(index.reshape(shape)))


def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Extremes:
    """The k-th smallest element along a dim (k counts from 1), and where it stands.

    Source: https://pytorch.org/docs/stable/generated/torch.kthvalue.html
    """
    d = one_dim(dim, x.ndim)
    n = x.shape[d] if x.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue: k={k} must be between 1 and the size {n} of dim {dim}.")
    return _at_rank(x, d, k - 1, keepdim)


def median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The element in the middle (the lower one of two): of all, or along a dim with its index. NaN if there is one.

    Source: https://pytorch.org/docs/stable/generated/torch.median.html
    """
    return _middle("median", x, dim, keepdim, False)


def nanmedian(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """As `median`, passing over NaNs.

    Source: https://pytorch.org/docs/stable/generated/torch.nanmedian.html
    """
    return _middle("nanmedian", x, dim, keepdim, True)


def _middle(name: str, x: Any, dim: int | None, keepdim: bool, skip_nan: bool) -> Any:
    if dim is None:
        if not math.prod(x.shape):
            return x.sum() * math.nan
        return _middle(name, ravel(x), 0, False, skip_nan).values
    d = one_dim(dim, x.ndim)
    if not x.ndim:
        return _at_rank(x, d, 0, keepdim)
    if not x.shape[d]:
        raise IndexError(f"{name}: dim {dim} of {describe(x)} is empty.")
    array = x.array
    order = np.argsort(array, axis=d, kind="stable")
    if array.dtype.kind != "f":
        rank = np.full_like(order, (x.shape[d] - 1) // 2, shape=order[(slice(None),) * d + (slice(0, 1),)].shape)
    else:
        missing = np.isnan(array).sum(axis=d, keepdims=True)
        middle = (x.shape[d] - missing - 1) // 2
        # NaNs sort behind everything: the last one stands for "there is a NaN".
        rank = np.maximum(middle, 0) if skip_nan else np.where(missing > 0, x.shape[d] - missing, middle)
    return _taken(x, d, np.take_along_axis(order, rank, d), keepdim)


def mode(x: Any, dim: int = -1, keepdim: bool = False) -> Extremes:
    """The element that occurs most often along a dim (the smallest of several), and where it stands last.

    Source: https://pytorch.org/docs/stable/generated/torch.mode.html
    """
    d = one_dim(dim, x.ndim)
    if not x.ndim:
        return _at_rank(x, 0, 0, keepdim)
    if not x.shape[d]:
        raise IndexError(f"mode: dim {dim} of {describe(x)} is empty.")
    order = np.argsort(x.array, axis=d, kind="stable")
    ordered = np.take_along_axis(x.array, order, d)
    rows, where_to = np.moveaxis(ordered, d, -1), np.moveaxis(order, d, -1)
    n = rows.shape[-1]
    run = np.ones_like(where_to)  # how long the run of equal elements is up to here
    for i in range(1, n):
        run[..., i] = np.where(rows[..., i] == rows[..., i - 1], run[..., i - 1] + 1, 1)
    last = np.argmax(run, axis=-1)[..., None]
    index = np.moveaxis(np.take_along_axis(where_to, last, -1), -1, d)
    return _taken(x, d, index, keepdim)


def quantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """The value below which the part q of the elements lies, between two elements interpolated.

    Args:
        q: a number in [0, 1], or a vector of them, which becomes the first dim of the result.
        interpolation: "linear", "lower", "higher", "nearest" or "midpoint".

    Source: https://pytorch.org/docs/stable/generated/torch.quantile.html
    """
    return _quantile("quantile", x, q, dim, keepdim, interpolation, False)


def nanquantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """As `quantile`, passing over NaNs.

    Source: https://pytorch.org/docs/stable/generated/torch.nanquantile.html
    """
    return _quantile("nanquantile", x, q, dim, keepdim, interpolation, True)


def _quantile(name: str, x: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool) -> Any:
    if x.dtype not in (dtypes.float32, dtypes.float64):
        raise DtypeError(f"{name} takes float32 or float64, and this is {describe(x)}.")
    if isinstance(q, Tensor) and q.dtype != x.dtype:
        raise DtypeError(f"{name}: q and the tensor must have one dtype; q is {q.dtype}, the tensor {x.dtype}.")
    if interpolation not in ("linear", "lower", "higher", "nearest", "midpoint"):
        raise RuntimeError(f"{name}: there is no interpolation {interpolation!r}.")
    parts = np.asarray(q.numpy(force=True) if isinstance(q, Tensor) else q, dtype=np.float64)
    if parts.ndim > 1 or not ((parts >= 0) & (parts <= 1)).all():
        raise RuntimeError(f"{name}: q must be a number or a vector of numbers in [0, 1], not {q}.")
    if not math.prod(x.shape):
        raise RuntimeError(f"{name} of no elements: {describe(x)} is empty.")
    full = x.ndim
    if dim is None:
        x, d = ravel(x), 0
    else:
        d = one_dim(dim, x.ndim)
        x = x if x.ndim else reshape(x, shape=(1,))
    ordered = sort(x, d).values
    rows = ordered.movedim(d, -1)
    missing = np.isnan(rows.array).sum(-1, keepdims=True)
    count = rows.shape[-1] - missing if skip_nan else np.full_like(missing, rows.shape[-1])
    results = []
    given = ravel(q) if isinstance(q, Tensor) and q.requires_grad else None
    for i, part in enumerate(parts.reshape(-1)):
        position = part * np.maximum(count - 1, 0)
        low, high = np.floor(position).astype(np.int64), np.ceil(position).astype(np.int64)
        if interpolation in ("lower", "higher", "nearest"):
            chosen = {"lower": low, "higher": high, "nearest": np.round(position).astype(np.int64)}[interpolation]
            value = gather(rows, -1, wrap(chosen))
        else:
            weight = wrap((position - low).astype(x.dtype))
            if given is not None:  # the result moves with q as well
                weight = given[i] * wrap(np.maximum(count - 1, 0).astype(x.dtype)) - wrap(low.astype(x.dtype))
            below, above = gather(rows, -1, wrap(low)), gather(rows, -1, wrap(high))
            value = below + (above - below) * weight if interpolation == "linear" else (below + above) / 2
        if not skip_nan:  # a NaN anywhere is the answer
            value = where(wrap(missing > 0), math.nan, value)
        elif (count == 0).any():
            value = where(wrap(count == 0), math.nan, value)
        results.append(value.movedim(-1, d) if keepdim else value[..., 0])
    if dim is None and keepdim:
        results = [value.reshape((1,) * full) for value in results]
    from .shape import stack

    if not full:
        results = [reshape(value, shape=()) for value in results]
    return stack(results) if parts.ndim else results[0]


class Unique(NamedTuple):
    """What `unique` returns with return_inverse and return_counts."""

    output: Tensor
    inverse_indices: Any
    counts: Any


def unique(x: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """Every element that occurs, once and in order; with dim, every slice along it.

    Source: https://pytorch.org/docs/stable/generated/torch.unique.html
    """
    found, inverse, counts = np.unique(x.array, return_inverse=True, return_counts=True, axis=None if dim is None else one_dim(dim, x.ndim))
    if dim is None:
        inverse = inverse.reshape(x.shape)
    results = [wrap(found)] + [wrap(inverse.reshape(-1) if dim is not None else inverse)] * return_inverse + [wrap(counts)] * return_counts
    return results[0] if len(results) == 1 else tuple(results)


def unique_consecutive(x: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The first element of every run of equal ones; with dim, of slices along it.

    Source: https://pytorch.org/docs/stable/generated/torch.unique_consecutive.html
    """
    rows = x.array.reshape(-1) if dim is None else np.moveaxis(x.array, one_dim(dim, x.ndim), 0)
    n = rows.shape[0]
    differs = (rows[1:] != rows[:-1]).reshape(max(n - 1, 0), math.prod(rows.shape[1:])).any(1)
    starts = np.concatenate([np.ones(min(n, 1), bool), differs])
    found = rows[starts]
    counts = np.diff(np.append(np.nonzero(starts)[0], n))
    inverse = np.cumsum(starts) - 1
    results = [wrap(found if dim is None else np.moveaxis(found, 0, one_dim(dim, x.ndim)))]
    results += [wrap(inverse.reshape(x.shape) if dim is None else inverse)] * return_inverse + [wrap(counts)] * return_counts
    return results[0] if len(results) == 1 else tuple(results)


def searchsorted(
    sorted_sequence: Tensor, values: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None, sorter: Any = None
) -> Tensor:
    """Where each value would have to be put into a sorted sequence to keep it sorted: before equal ones, or behind if `right`.

    Source: https://pytorch.org/docs/stable/generated/torch.searchsorted.html
    """
    if side is not None and (side not in ("left", "right") or (side == "left" and right)):
        raise RuntimeError(f'searchsorted: side must be "left" or "right" and agree with right={right}; it is {side!r}.')
    sequence = sorted_sequence.array if sorter is None else np.take_along_axis(sorted_sequence.array, sorter.array, -1)
    wanted = values.array if isinstance(values, Tensor) else np.asarray(values)
    where_to = "right" if right or side == "right" else "left"
    if sequence.ndim == 1:
        found = np.asarray(np.searchsorted(sequence, wanted, where_to))
    else:
        if not wanted.size:
            return wrap(np.zeros_like(wanted, dtype=np.int32 if out_int32 else np.int64))
        if sequence.shape[:-1] != wanted.shape[:-1]:
            raise RuntimeError(f"searchsorted: except for the last, sizes must be equal: {sequence.shape} and {wanted.shape}.")
        rows = zip(sequence.reshape(-1, sequence.shape[-1]), wanted.reshape(-1, wanted.shape[-1]), strict=True)
        found = np.stack([np.searchsorted(a, v, where_to) for a, v in rows]).reshape(wanted.shape)
    return wrap(found.astype(np.int32 if out_int32 else np.int64))


def bucketize(x: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """In which of the buckets between sorted boundaries each element lies.

    Source: https://pytorch.org/docs/stable/generated/torch.bucketize.html
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: the boundaries must be a vector, not {describe(boundaries)}.")
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)


def bincount(x: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2 ... occurs, or the sum of its weights.

    Source: https://pytorch.org/docs/stable/generated/torch.bincount.html
    """
    if x.ndim != 1 or x.dtype.kind not in "iu" or (x.array.size and int(x.array.min()) < 0) or minlength < 0:
        raise RuntimeError(f"bincount takes a vector of integers of 0 or more, and minlength of 0 or more; got {describe(x)}, {minlength}.")
    if weights is not None and weights.shape != x.shape:
        raise RuntimeError(f"bincount: one weight per element is needed: {describe(weights)} for {describe(x)}.")
    counts = np.bincount(x.array, None if weights is None else weights.array, minlength)
    return wrap(counts.astype(np.int64) if weights is None else counts.astype(weights.dtype if weights.dtype == np.float32 else np.float64))
