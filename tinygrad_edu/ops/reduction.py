"""Reductions: many numbers to few."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from .shape import broadcast_to, reshape


def axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """The axes meant by `dim` (None or empty: all), as non-negative ints."""
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    for d in dims:
        if not -max(ndim, 1) <= d < max(ndim, 1):
            raise IndexError(f"dim {d} is out of range for a tensor of {ndim} dimensions: give {-max(ndim,1)} to {max(ndim,1) - 1}.")
    found = tuple(d % ndim for d in dims) if ndim else ()
    if len(set(found)) < len(found):
        raise RuntimeError(f"dim {tuple(dims)} names the same dimension twice.")
    return found


def spread(g: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """A reduction's gradient, repeated over the dimensions that were reduced."""
    return broadcast_to(keep(g, shape, dim, keepdim), shape=shape)


def keep(a: Any, shape: Any, dim: Any, keepdim: bool) -> Any:
    """A reduction's result with the reduced dimensions as size 1 again, so that it broadcasts against its input."""
    if keepdim:
        return a
    reduced = axes(dim, len(shape))
    return reshape(a, shape=tuple(1 if i in reduced else n for i, n in enumerate(shape)))


@op(dx=lambda g, z, x, dim, keepdim: spread(g, x.shape, dim, keepdim))
def sum(x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """z = Σ x over dim;  ∂x = g, repeated over dim"""
    dtype = np.int64 if x.dtype.kind in "biu" else None
    return np.sum(x, axis=axes(dim, x.ndim), keepdims=keepdim, dtype=dtype)
