"""Sums of arrays, with enough digits and by NumPy's quick ways; and the largest numbers of rows, by their places.

For up to a few thousand numbers a product with ones takes a third of np.sum's time, a ninth where they lie apart in memory, and it
adds up with as many digits, because it keeps several running sums. And argmax takes a third of max's time where rows are short.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..backend import number

# How many numbers one product may add up, so that they lose no digits: BLAS has several running sums in a row, one in a column.
LONGEST_ROW, LONGEST_COLUMN = 512, 128
SHORTEST = 16  # parts of longer ones
LARGE = 16 * 1024  # numbers in an array, from which on it pays not to keep its products with another
_FAST = (dtypes.float32, dtypes.float64)  # for which NumPy has BLAS

# The dtype to add up in, where it is not the array's own: integers as int64, float16 as float32.
_WIDE: dict[Any, Any] = dict.fromkeys((dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32), dtypes.int64)
_WIDE[dtypes.float16] = dtypes.float32


def total(x: Any, over: tuple[int, ...], divisor: Any = None) -> Any:
    """Σ x / divisor over these dims, which are not negative."""
    steps = _steps(x.shape, x.strides, x.dtype, over) if isinstance(x, np.ndarray) else None
    if steps is not None:
        z = _follow(steps, x)
        return z if divisor is None else z / number(divisor, z)
    wide = _WIDE.get(x.dtype)
    if x.dtype == np.float32 and x.size > LONGEST_ROW:
        wide = np.float64  # numbers that lie apart in memory NumPy adds one by one: 100 000 times 0.1 would be 9998.6
    z = x.sum(axis=over, dtype=wide)
    if divisor is not None:
        z = z / divisor
    return z.astype(x.dtype) if wide is not None and x.dtype.kind == "f" else z


def total_of_products(x: Any, y: Any, over: tuple[int, ...]) -> Any:
    """Σ x·y over these dims, for arrays of one shape; of large ones without an array of the products, which takes half the time."""
    if x.size < LARGE or not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
        return total(x * y, over)
    steps = _steps(x.shape, x.strides, x.dtype, over) if (x.strides, x.dtype) == (y.strides, y.dtype) else None
    if steps is None or steps[0].add is not _rows or steps[0].ones.size < SHORTEST:
        return total(x * y, over)
    (order, shape, _, _), *rest = steps
    return _follow(rest, np.vecdot(_look(x, order, shape), _look(y, order, shape)))


# -- dims that lie side by side in memory ------------------------------------------------------------------------------
class _Step(NamedTuple):
    """Look at an array with its dims in another order, then in another shape, and add up."""

    order: tuple[int, ...] | None
    shape: tuple[int, ...] | None
    add: Callable[[Any, Any], Any]
    ones: Any = None


def _rows(x: Any, ones: Any) -> Any:
    return x.dot(ones)


def _columns(x: Any, ones: Any) -> Any:
    return x.T.dot(ones)


def _columns_of_each(x: Any, ones: Any) -> Any:
    return np.matmul(ones, x)


def _long_rows(x: Any, ones: Any) -> Any:
    return x.sum(axis=-1)  # which adds up halves of halves


def _nothing(x: Any, ones: Any) -> Any:
    return x


def _follow(steps: Sequence[_Step], x: Any) -> Any:
    for order, shape, add, ones in steps:
        x = add(_look(x, order, shape), ones)
    return x


def _look(x: Any, order: tuple[int, ...] | None, shape: tuple[int, ...] | None) -> Any:
    if order is not None:
        x = x.transpose(order)
    return x if shape is None else x.reshape(shape)


@functools.lru_cache(maxsize=1024)
def _steps(shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any, over: tuple[int, ...]) -> list[_Step] | None:
    """How to add up an array like this: neighbouring dims at once, the innermost first; None if there is no quick way."""
    if not over or dtype not in _FAST:
        return None
    dims = _from_outside(shape, strides, dtype.itemsize)
    kept = [d for d in dims if d not in over]
    order, steps = None if dims == sorted(dims) else tuple(dims), []
    now = tuple(shape[d] for d in dims)
    sizes = [(shape[d], d in over) for d in dims]  # and whether they are added up
    while any(added for _, added in sizes):
        last = max(k for k, (_, added) in enumerate(sizes) if added)
        after = _size(n for n, _ in sizes[last + 1 :])
        longest = LONGEST_COLUMN if after else LONGEST_ROW
        count = sizes[last][0]
        if count > longest:  # part of it now, the rest in the next step
            part = next((n for n in range(longest, SHORTEST, -1) if count % n == 0), None)
            if part is not None:
                sizes[last : last + 1] = [(count // part, True), (part, True)]
                continue
            if after:
                return None
        first = last
        while first and sizes[first - 1][1] and count * sizes[first - 1][0] <= longest:
            first -= 1
            count *= sizes[first][0]
        before = _size(n for n, _ in sizes[:first])
        add = _columns_of_each if before and after else _columns if after else _rows if count <= longest else _long_rows
        seen = (*before, count, *after)
        steps.append(_Step(order, None if seen == now else seen, add, None if add is _long_rows else _ones(count, dtype)))
        order, now = None, (*before, *after)
        del sizes[first : last + 1]
    rest = tuple(shape[d] for d in kept)
    if rest != now:
        steps.append(_Step(None, rest, _nothing))
    if kept != sorted(kept):
        steps.append(_Step(tuple(sorted(range(len(kept)), key=kept.__getitem__)), None, _nothing))
    return steps


def _size(sizes: Iterable[int]) -> tuple[int, ...]:
    """Several dims as one; as none, where it would have size 1."""
    size = math.prod(sizes)
    return () if size == 1 else (size,)


def _from_outside(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> list[int]:
    """The dims in their order in memory, each inside the one before it; as they are, if the array has gaps or repeats itself."""
    order = sorted(range(len(shape)), key=lambda d: -strides[d])
    size = itemsize
    for d in reversed(order):
        if shape[d] != 1 and strides[d] != size:
            return [*range(len(shape))]
        size *= shape[d]
    return order


@functools.lru_cache(maxsize=64)
def _ones(count: int, dtype: Any) -> np.ndarray:
    ones = np.ones(count, dtype)
    ones.flags.writeable = False  # they are used again
    return ones


def largest(x: Any, dim: int) -> Any:
    """The largest numbers along a dim, which stays with size 1; NaN where there is one."""
    if dim % x.ndim < x.ndim - 1 or not (isinstance(x, np.ndarray) and x.flags.c_contiguous):
        return x.max(axis=dim, keepdims=True)
    length = x.shape[-1]
    places = x.reshape(x.size // length, length).argmax(axis=1)
    places += row_starts(x.size, length, x)
    return x.take(places).reshape(*x.shape[:-1], 1)


def row_starts(size: int, length: int, like: Any) -> Any:
    """Where each row of an array of this size starts, counted through all rows of this length; beside `like`."""
    return _row_starts(size, length) if type(like) is np.ndarray else np.arange(0, size, length, like=like)


@functools.lru_cache(maxsize=16)
def _row_starts(size: int, length: int) -> np.ndarray:
    starts = np.arange(0, size, length)
    starts.flags.writeable = False  # they are used again
    return starts
