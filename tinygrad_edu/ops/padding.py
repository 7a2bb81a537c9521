"""Padding: more numbers around a tensor."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import describe
from ..op import op
from .shape import clone, ints

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


# -- with numbers of the tensor --------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, sides, mode: _pad_back(g, sides=sides, mode=mode))
def _pad_around(x: Any, *, sides: Any, mode: str) -> Any:
    """More numbers around the tensor, which are numbers of the tensor again; their gradients add up.

    z[i] = x[source[i]];  ∂x[j] = Σ g[i] over source[i] = j
    """
    for dim, (before, after) in enumerate(sides):
        if before or after:
            n = x.shape[dim]
            z = np.empty_like(x, shape=(*x.shape[:dim], before + n + after, *x.shape[dim + 1 :]))
            for source, place in _sources(dim, n, before, after, mode):
                z[place] = x[source]
            x = z
    return x


@op(dx=lambda g, z, x, sides, mode: _pad_around(g, sides=sides, mode=mode))
def _pad_back(x: Any, *, sides: Any, mode: str) -> Any:
    """Add what was put around a tensor to the numbers that it came from: the derivative of such padding.

    z[j] = Σ x[i] over source[i] = j;  ∂x[i] = g[source[i]]
    """
    for dim, (before, after) in enumerate(sides):
        if before or after:
            n = x.shape[dim] - before - after
            z = np.zeros_like(x, shape=(*x.shape[:dim], n, *x.shape[dim + 1 :]))
            for source, place in _sources(dim, n, before, after, mode):
                z[source] += x[place]
            x = z
    return x


@functools.lru_cache(maxsize=256)
def _sources(dim: int, n: int, before: int, after: int, mode: str) -> list[tuple[Any, Any]]:
    """Where the elements of the padded dim come from and where they go to, as indices: as few pairs of slices as there may be."""
    i = np.arange(-before, n + after)
    if mode == "replicate":
        i = np.clip(i, 0, n - 1)
    elif mode == "circular":  # what negative numbers cut off is not part of the circle
        start, end = max(-before, 0), n - max(-after, 0)
        i = start + (i - start) % (end - start)
    else:
        i = n - 1 - np.abs(n - 1 - np.abs(i))
    others = (slice(None),) * dim
    return [((*others, source), (*others, place)) for source, place in slices([*zip(i.tolist(), range(len(i)), strict=True)])]


def slices(pairs: list[tuple[int, int]]) -> Iterator[tuple[slice, slice]]:
    """Pairs of numbers as pairs of slices, one for as many as rise by equal steps."""
    while pairs:
        (a, b), (c, d) = pairs[0], pairs[min(1, len(pairs) - 1)]
        across, down = (c - a, d - b) if c > a else (1, 1)
        count = next((i for i, pair in enumerate(pairs) if pair != (a + across * i, b + down * i)), len(pairs))
        yield slice(a, a + across * (count - 1) + 1, across), slice(b, b + down * (count - 1) + 1, down)
        pairs = pairs[count:]


# -- what users call -------------------------------------------------------------------------------------------------
def pad(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Add numbers at the ends of dims, the last dim first: (left, right, top, bottom, ...); negative ones cut off.

    Args:
        mode: "constant" (with `value`), "reflect" (mirrored without the edge), "replicate" (the edge again), "circular".

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    if isinstance(pad, int):
        raise TypeError(f"pad takes two numbers for each dim, the last dim first: pad(x, ({pad}, {pad})) pads it on both sides.")
    sides = ints(pad)
    if len(sides) % 2 or len(sides) > 2 * x.ndim:
        raise RuntimeError(f"pad{sides} needs two numbers for each dim, the last dim first, of at most {x.ndim} dims.")
    pairs = [(0, 0)] * (x.ndim - len(sides) // 2) + [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
    if any(a + n + b < 0 for (a, b), n in zip(pairs, x.shape, strict=True)):
        raise RuntimeError(f"pad{sides} cuts off more than there is of {describe(x)}.")
    if mode == "constant":
        if any(a < 0 or b < 0 for a, b in pairs):
            x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, x.shape, strict=True))]
            pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
        return _pad(x, sides=tuple(pairs), value=0 if value is None else value)
    if value not in (None, 0):
        raise ValueError(f'pad: a value belongs to mode "constant" only, not to {mode!r}.')
    dims = len(sides) // 2
    if mode not in ("reflect", "replicate", "circular") or x.ndim not in (dims + 1, dims + 2) or dims > 3:
        raise NotImplementedError(f"pad: mode {mode!r} with {len(sides)} numbers is not offered for {describe(x)}.")
    for dim, (n, (a, b)) in enumerate(zip(x.shape, pairs, strict=True)):
        most = {"reflect": n - 1, "circular": n, "replicate": math.inf if n else 0}[mode]
        if (a or b) and (a > most or b > most):
            raise RuntimeError(f"pad: {mode} padding of dim {dim} can be at most {most} on a side, and ({a}, {b}) is asked for.")
    return _pad_around(x, sides=tuple(pairs), mode=mode) if any(sides) else clone(x)
