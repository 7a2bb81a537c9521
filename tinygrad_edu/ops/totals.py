"""Sums of arrays as products with ones, and the largest numbers of rows by their places: NumPy's quick ways.

For vectors of up to a few thousand numbers a matrix product takes a third of np.sum's time, and it adds up with as many
digits, because it keeps several running sums. And argmax takes a third of max's time where rows are short.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

LONGEST = 4096  # numbers that one product may add up
_FAST = frozenset((np.dtype(np.float32), np.dtype(np.float64)))  # for which NumPy has BLAS


@functools.lru_cache(maxsize=64)
def _ones(count: int, dtype: Any) -> np.ndarray:
    return np.ones(count, dtype)


def _fits(x: Any, count: int) -> bool:
    return type(x) is np.ndarray and count <= LONGEST and x.dtype in _FAST


def add_last(x: Any, dims: int = 1) -> Any:
    """Σ x over the last dims."""
    if dims == 1 and x.ndim <= 2 and _fits(x, x.shape[-1]):
        return x.dot(_ones(x.shape[-1], x.dtype))
    kept = x.ndim - dims
    count = math.prod(x.shape[kept:])
    if not _fits(x, count):
        return np.sum(x, axis=tuple(range(kept, x.ndim)))
    return x.reshape(math.prod(x.shape[:kept]), count).dot(_ones(count, x.dtype)).reshape(x.shape[:kept])


def add_first(x: Any, dims: int = 1) -> Any:
    """Σ x over the first dims."""
    if dims == 1 and x.ndim == 2 and _fits(x, len(x)):  # the gradient of a bias
        return _ones(len(x), x.dtype).dot(x)
    count = math.prod(x.shape[:dims])
    if not _fits(x, count):
        return np.sum(x, axis=tuple(range(dims)))
    return _ones(count, x.dtype).dot(x.reshape(count, math.prod(x.shape[dims:]))).reshape(x.shape[dims:])


def add_quickly(x: Any, over: tuple[int, ...]) -> Any:
    """Σ x over dims by products, if that is possible and quicker; else None."""
    if not over or not isinstance(x, np.ndarray) or x.dtype not in _FAST:
        return None
    if 1 < len(over) < x.ndim:
        return _add_around(x, over)
    if len(over) == x.ndim:
        return x.reshape(-1).dot(_ones(x.size, x.dtype)) if _fits(x, x.size) else None
    if not _fits(x, x.shape[over[0]]):
        return None
    return add_last(x) if over[0] == x.ndim - 1 else add_first(x) if over[0] == 0 else None


def _add_around(x: Any, over: tuple[int, ...]) -> Any:
    """Σ x over several dims, if they are the outermost and the innermost ones in memory; else None.

    Such is the bias of a convolution: its channels are neither the one nor the other. The innermost are added up first.
    """
    order = sorted(range(x.ndim), key=lambda d: -x.strides[d])
    added = [d in over for d in order]
    first, last = added.index(False), added[::-1].index(False)
    kept, x = order[first : x.ndim - last], x.transpose(order)
    if first + last < len(over) or kept != sorted(kept) or not x.flags.c_contiguous or math.prod(x.shape[:first]) > LONGEST:
        return None
    x = add_last(x, last) if last else x
    return add_first(x, first) if first else x


def largest(x: Any, dim: int) -> Any:
    """The largest numbers along a dim, which stays with size 1; NaN where there is one."""
    if dim % x.ndim < x.ndim - 1 or not (isinstance(x, np.ndarray) and x.flags.c_contiguous):
        return x.max(axis=dim, keepdims=True)
    length = x.shape[-1]
    places = x.reshape(x.size // length, length).argmax(axis=1)
    places += np.arange(0, x.size, length)
    return x.take(places).reshape(*x.shape[:-1], 1)
