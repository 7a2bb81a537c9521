"""Reductions: many numbers to few."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from .shape import axes, broadcast_to, reshape


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
