"""Sums of arrays, with enough digits and by NumPy's quick ways; and the largest numbers of rows, by their places.

For vectors of up to a few thousand numbers a product with ones takes a third of np.sum's time, and it adds up with as many
digits, because it keeps several running sums. And argmax takes a third of max's time where rows are short.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import dtypes
from ..backend import number

LONGEST = 4096  # numbers that one product may add up
_FAST = (dtypes.float32, dtypes.float64)  # for which NumPy has BLAS

# The dtype to add up in, where it is not the array's own: integers as int64, float16 as float32.
_WIDE: dict[Any, Any] = dict.fromkeys((dtypes.bool_, dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32), dtypes.int64)
_WIDE[dtypes.float16] = dtypes.float32


def total(x: Any, over: tuple[int, ...], divisor: Any = None) -> Any:
    """Σ x / divisor over these dims, which are not negative."""
    z = _product_with_ones(x, over)
    if z is None and 1 < len(over) < x.ndim and isinstance(x, np.ndarray) and x.dtype in _FAST:
        z = _total_around(x, over)
    if z is not None:
        return z if divisor is None else z / number(divisor, z)
    wide = _WIDE.get(x.dtype)
    if x.dtype == np.float32 and x.size > LONGEST and not (x.ndim - 1 in over and x.flags.c_contiguous):
        wide = np.float64  # numbers that lie apart in memory NumPy adds one by one: 100 000 times 0.1 would be 9998.6
    z = x.sum(axis=over, dtype=wide)
    if divisor is not None:
        z = z / divisor
    return z.astype(x.dtype) if wide is not None and x.dtype.kind == "f" else z


def _product_with_ones(x: Any, over: tuple[int, ...]) -> Any:
    """Σ x over these dims as a product, if they are the first or the last and NumPy has BLAS for it; else None."""
    product = _as_product(x.shape, x.dtype, over) if type(x) is np.ndarray else None
    if product is None:
        return None
    matrix, ones, ones_first, shape = product
    x = x if matrix is None else x.reshape(matrix)
    z = ones.dot(x) if ones_first else x.dot(ones)
    return z if shape is None else z.reshape(shape)


@functools.lru_cache(maxsize=512)
def _as_product(shape: tuple[int, ...], dtype: Any, over: tuple[int, ...]) -> Any:
    """Such a product: the shape of x as a matrix, the ones, whether these come first, and the shape of the result; None for no other
    shape than there is."""
    count, dims = math.prod(shape[d] for d in over), sorted(over)
    first, last = dims == [*range(len(dims))], dims == [*range(len(shape) - len(dims), len(shape))]
    if not over or not (first or last) or count > LONGEST or dtype not in _FAST:
        return None
    rest = tuple(n for d, n in enumerate(shape) if d not in over)
    size = (math.prod(rest),) if rest else ()
    matrix = (*size, count) if last else (count, *size)
    return None if matrix == shape else matrix, _ones(count, dtype), not last, None if size == rest else rest


@functools.lru_cache(maxsize=64)
def _ones(count: int, dtype: Any) -> np.ndarray:
    return np.ones(count, dtype)


def _total_around(x: Any, over: tuple[int, ...]) -> Any:
    """Σ x over several dims, if they are the outermost and the innermost ones in memory; else None.

    Such is the bias of a convolution: its channels are neither the one nor the other. The innermost are added up first.
    """
    order = sorted(range(x.ndim), key=lambda d: -x.strides[d])
    added = [d in over for d in order]
    first, last = added.index(False), added[::-1].index(False)
    kept, x = order[first : x.ndim - last], x.transpose(order)
    if first + last < len(over) or kept != sorted(kept) or not x.flags.c_contiguous or math.prod(x.shape[:first]) > LONGEST:
        return None
    for over in (tuple(range(x.ndim - last, x.ndim)), tuple(range(first))):
        if over:
            z = _product_with_ones(x, over)
            x = x.sum(axis=over) if z is None else z
    return x


def largest(x: Any, dim: int) -> Any:
    """The largest numbers along a dim, which stays with size 1; NaN where there is one."""
    if dim % x.ndim < x.ndim - 1 or not (isinstance(x, np.ndarray) and x.flags.c_contiguous):
        return x.max(axis=dim, keepdims=True)
    length = x.shape[-1]
    places = x.reshape(x.size // length, length).argmax(axis=1)
    places += np.arange(0, x.size, length)
    return x.take(places).reshape(*x.shape[:-1], 1)
