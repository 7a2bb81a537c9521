"""Padding: more numbers around a tensor."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..errors import describe
from ..op import op
from ..tensor import Tensor
from .shape import ints

__all__ = [
    "pad",
]  # fmt: skip


@op(dx=lambda g, z, x, sides, value: g[tuple(slice(a, a + n) for (a, _), n in zip(sides, x.shape, strict=True))])
def _pad(x: Any, *, sides: Any, value: float) -> Any:
    """More numbers around the tensor; the gradient is cut back to what was there.

    z = x in the middle, value around it;  ∂x = g in the middle
    """
    z = np.full_like(x, value, shape=tuple(a + n + b for (a, b), n in zip(sides, x.shape, strict=True)))
    z[tuple(slice(a, a + n) for (a, _), n in zip(sides, x.shape, strict=True))] = x
    return z


def pad(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Add numbers at the ends of dims, the last dim first: (left, right, top, bottom, ...); negative ones cut off.

    Args:
        mode: "constant" (with `value`), "reflect" (mirrored without the edge), "replicate" (the edge again), "circular".

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    sides = ints(pad)
    if len(sides) % 2 or len(sides) > 2 * x.ndim:
        raise RuntimeError(f"pad{sides} needs two numbers for each dim, the last dim first, of at most {x.ndim} dims.")
    pairs = [(0, 0)] * (x.ndim - len(sides) // 2) + [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
    if any(a + n + b < 0 for (a, b), n in zip(pairs, x.shape, strict=True)):
        raise RuntimeError(f"pad{sides} cuts off more than there is of {describe(x)}.")
    if mode == "constant":
        if any(a < 0 or b < 0 for a, b in pairs):
            x = x[tuple(slice(builtins.max(-a, 0), n - builtins.max(-b, 0)) for (a, b), n in zip(pairs, x.shape, strict=True))]
            pairs = [(builtins.max(a, 0), builtins.max(b, 0)) for a, b in pairs]
        return _pad(x, sides=tuple(pairs), value=0 if value is None else value)
    if value not in (None, 0):
        raise ValueError(f'pad: a value belongs to mode "constant" only, not to {mode!r}.')
    dims = len(sides) // 2
    if mode not in ("reflect", "replicate", "circular") or x.ndim not in (dims + 1, dims + 2) or dims > 3:
        raise NotImplementedError(f"pad: mode {mode!r} with {len(sides)} numbers is not offered for {describe(x)}.")
    for dim, (a, b) in enumerate(pairs):
        if a or b:
            x = x[(slice(None),) * dim + (_padded_indices(x, dim, a, b, mode),)]
    return x


def _padded_indices(x: Any, dim: int, a: int, b: int, mode: str) -> Any:
    """Where each element of the padded dim comes from."""
    n = x.shape[dim]
    most = {"reflect": n - 1, "circular": n, "replicate": math.inf if n else 0}[mode]
    if a > most or b > most:
        raise RuntimeError(f"pad: {mode} padding of dim {dim} can be at most {most} on a side, and ({a}, {b}) is asked for.")
    i = np.arange(-a, n + b, like=x.array if isinstance(x, Tensor) else x)
    if mode == "replicate":
        return np.clip(i, 0, n - 1)
    if mode == "circular":  # what negative numbers cut off is not part of the circle
        start, end = builtins.max(-a, 0), n - builtins.max(-b, 0)
        return start + (i - start) % (end - start)
    i = np.abs(i)
    return np.where(i >= n, 2 * (n - 1) - i, i)
