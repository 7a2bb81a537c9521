"""Shapes: views, copies of parts, joining and splitting."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..op import op


@op(dx=lambda g, z, x, shape: broadcast_to(g, shape=x.shape))
def sum_to(x: Any, *, shape: Any) -> Any:
    """z = x summed to a shape from which x could be broadcast;  ∂x = g, broadcast back"""
    extra = x.ndim - len(shape)
    kept = x.shape[extra:]
    if extra < 0 or any(a != b and b != 1 for a, b in zip(kept, shape, strict=True)):
        raise ShapeError(f"a gradient of shape {x.shape} does not fit a tensor of shape {tuple(shape)}.")
    axes = tuple(i + extra for i, (a, b) in enumerate(zip(kept, shape, strict=True)) if a != b)
    summed = np.sum(x, axis=tuple(range(extra)) + axes)
    return summed if summed.shape == tuple(shape) else np.reshape(summed, shape)


@op(view=True, dx=lambda g, z, x, shape: sum_to(g, shape=x.shape))
def broadcast_to(x: Any, *, shape: Any) -> Any:
    """z = x repeated to a larger shape without copying;  ∂x = g summed over what was repeated"""
    return np.broadcast_to(x, shape)


@op(view=True, dx=lambda g, z, x, shape: reshape(g, shape=x.shape))
def reshape(x: Any, *, shape: Any) -> Any:
    """z = the same elements in another shape;  ∂x = g in x's shape"""
    return np.reshape(x, shape)
