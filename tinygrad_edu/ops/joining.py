"""Tensors put together: along a dim, along a new one, as blocks."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..errors import ShapeError, as_given, describe
from ..op import op
from ..tensor import Tensor
from .padding import pad
from .shape import clone, one_dim, reshape, unsqueeze
from .splitting import narrow

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "cat", "column_stack", "concat", "concatenate", "diff",
    "dstack", "hstack", "row_stack", "stack", "vstack",
]  # fmt: skip


def diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along a dim, taken n times.

    z[i] = x[i+1] - x[i]

    Source: https://pytorch.org/docs/stable/generated/torch.diff.html
    """
    if not x.ndim:
        raise RuntimeError("diff() of a 0-d tensor: it has no neighbours.")
    if n < 0:
        raise RuntimeError(f"diff: n must not be negative, and it is {n}.")
    dim = one_dim(dim, x.ndim)
    x = (
        cat([part for part in (prepend, x, append) if part is not None], dim)
        if n and (prepend is not None or append is not None)
        else x
    )
    for _ in range(n):
        length = max(x.shape[dim] - 1, 0)
        after, before = narrow(x, dim, min(1, x.shape[dim]), length), narrow(x, dim, 0, length)
        x = after ^ before if x.dtype == np.bool_ else after - before
    return x if n else clone(x)


def _cat_gradients(g: Any, z: Any, *xs: Any, dim: int) -> list[Any]:
    ends = itertools.accumulate(x.shape[dim] for x in xs)
    before = (slice(None),) * dim
    return [g[(*before, slice(end - x.shape[dim], end))] for x, end in zip(xs, ends, strict=True)]


@op(dtype="common", joint=_cat_gradients)
def _cat(*xs: Any, dim: int) -> Any:
    """Join along a dim; the gradient is cut apart in the same way.

    z = x₁ then x₂ then ... along dim;  ∂xᵢ = the part of g that xᵢ became
    """
    return np.concatenate(xs, dim)


def cat(tensors: Any, dim: int = 0) -> Any:
    """Join tensors along a dim; their other sizes must be equal (an empty 1-d tensor is passed over).

    Source: https://pytorch.org/docs/stable/generated/torch.cat.html
    """
    tensors = _listed("cat", tensors)
    if isinstance(dim, Tensor):
        raise TypeError("cat takes tensors, as one list: cat([x, y]) or cat([x, y], 1).")
    if not tensors:
        raise ValueError("cat needs at least one tensor.")
    if any(not x.ndim for x in tensors):
        raise RuntimeError("cat cannot join 0-d tensors; use stack.")
    kept = [x for x in tensors if x.shape != (0,)]
    if not kept:
        kept, dim = tensors, 0
    dim, first = one_dim(dim, kept[0].ndim), kept[0].shape
    for x in kept:
        if x.ndim != len(first) or x.shape[:dim] + x.shape[dim + 1 :] != first[:dim] + first[dim + 1 :]:
            raise ShapeError(
                f"cat along dim {dim}: all other sizes must be equal, but there are {describe(kept[0])} and {describe(x)}."
            )
    if len(kept) < len(tensors):  # what is passed over still counts for the dtype, and has its history
        nothing = (*first[:dim], 0, *first[dim + 1 :])
        tensors = [reshape(x, shape=nothing) if x.shape == (0,) else x for x in tensors]
    return _cat(*tensors, dim=dim)


concat = concatenate = cat


def _listed(name: str, tensors: Any) -> list[Any]:
    """Several tensors as a list; one alone is refused, whose rows would be joined."""
    if isinstance(tensors, Tensor):
        raise TypeError(f"{name} joins several tensors, given as a list, and this is one: {describe(tensors)}.")
    listed = list(tensors)
    if wrong := [x for x in listed if not hasattr(x, "ndim")]:
        raise TypeError(
            f"{name} takes tensors, as one list: {name}([x, y]) or {name}([x, y], 1); in this one there is {as_given(wrong[0])}."
        )
    return listed


def _stack_gradients(g: Any, z: Any, *xs: Any, dim: int) -> list[Any]:
    before = (slice(None),) * dim
    return [g[(*before, i)] for i in range(len(xs))]


@op(dtype="common", joint=_stack_gradients)
def _stack(*xs: Any, dim: int) -> Any:
    """Join along a new dim; each gets its slice of the gradient.

    z[i] = xᵢ;  ∂xᵢ = g[i]
    """
    thin = (slice(None),) * dim + (None,)
    return np.concatenate([x[thin] for x in xs], dim)  # half of the time of np.stack for small ones


def stack(tensors: Any, dim: int = 0) -> Any:
    """Join tensors of one shape along a new dim.

    Source: https://pytorch.org/docs/stable/generated/torch.stack.html
    """
    tensors = _listed("stack", tensors)
    if not tensors:
        raise RuntimeError("stack needs at least one tensor.")
    shape = tensors[0].shape
    for x in tensors:
        if x.shape != shape:
            raise ShapeError(f"stack: all shapes must be equal, but there are {describe(tensors[0])} and {describe(x)}.")
    return _stack(*tensors, dim=one_dim(dim, len(shape) + 1))


def atleast_1d(*tensors: Any) -> Any:
    """A 0-d tensor with one dim; others as they are."""
    return _each(tensors, lambda x: x if x.ndim else reshape(x, 1))


def atleast_2d(*tensors: Any) -> Any:
    """Tensors with at least two dims: new ones at the left."""
    return _each(tensors, lambda x: x if x.ndim > 1 else reshape(x, 1, -1) if math.prod(x.shape) else reshape(x, 1, 0))


def atleast_3d(*tensors: Any) -> Any:
    """Tensors with at least three dims: a vector lies along the middle one, a matrix along the first two."""
    return _each(tensors, lambda x: x if x.ndim > 2 else unsqueeze(x, -1) if x.ndim == 2 else unsqueeze(atleast_2d(x), -1))


def _each(tensors: Any, function: Any) -> Any:
    several = len(tensors) != 1 or isinstance(tensors[0], tuple | list)
    found = tuple(function(x) for x in (tensors[0] if len(tensors) == 1 and several else tensors))
    return found if several else found[0]


def hstack(tensors: Any) -> Any:
    """Join side by side: along dim 1, vectors along dim 0."""
    tensors = atleast_1d(_listed("hstack", tensors))
    return cat(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


def vstack(tensors: Any) -> Any:
    """Join on top of each other: along dim 0, vectors as rows."""
    return cat(atleast_2d(_listed("vstack", tensors)), 0)


row_stack = vstack


def dstack(tensors: Any) -> Any:
    """Join in depth: along dim 2."""
    return cat(atleast_3d(_listed("dstack", tensors)), 2)


def column_stack(tensors: Any) -> Any:
    """Join as columns: vectors become columns of a matrix."""
    return hstack([reshape(x, math.prod(x.shape), 1) if x.ndim < 2 else x for x in _listed("column_stack", tensors)])


def block_diag(*tensors: Any) -> Any:
    """A matrix with these matrices along its diagonal and zeros elsewhere.

    Source: https://pytorch.org/docs/stable/generated/torch.block_diag.html
    """
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    if any(x.ndim > 2 for x in tensors):
        raise RuntimeError("block_diag takes tensors of at most 2 dims.")
    blocks = [atleast_2d(x) for x in tensors]
    width = sum(b.shape[1] for b in blocks)
    ends = itertools.accumulate(b.shape[1] for b in blocks)
    return cat([pad(b, (end - b.shape[1], width - end)) for b, end in zip(blocks, ends, strict=True)], 0)
