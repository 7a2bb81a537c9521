"""The same numbers in other places: flipped, rolled, turned, repeated, on grids."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..errors import describe
from ..op import op
from ..tensor import Tensor, wrap
from .joining import stack
from .shape import _reshape, axes, broadcast_to, clone, ints, numel, one_dim, ravel, reshape, sum_to, transpose

__all__ = [
    "cartesian_prod", "combinations", "flip", "fliplr", "flipud", "meshgrid", "repeat", "repeat_interleave", "roll",
    "rot90", "tile",
]  # fmt: skip


@op(dx=lambda g, z, x, dims: _flip(g, dims=dims))
def _flip(x: Any, *, dims: Any) -> Any:
    """The order of the elements along some dims reversed.

    z[i] = x[n-1-i];  ∂x = g, reversed again
    """
    return np.flip(x, dims).copy()


def flip(x: Any, *args: Any, dims: Any = None) -> Any:
    """The order of the elements along these dims reversed.

    Source: https://pytorch.org/docs/stable/generated/torch.flip.html
    """
    found = ints(args, dims)
    return _flip(x, dims=axes(found, x.ndim) if found else ())


def fliplr(x: Any) -> Any:
    """Columns in reverse order."""
    if x.ndim < 2:
        raise RuntimeError(f"fliplr needs at least 2 dims, and this is {describe(x)}.")
    return flip(x, 1)


def flipud(x: Any) -> Any:
    """Rows in reverse order."""
    if x.ndim < 1:
        raise RuntimeError("flipud needs at least 1 dim.")
    return flip(x, 0)


@op(dx=lambda g, z, x, shifts, dims: _roll(g, shifts=tuple(-s for s in shifts), dims=dims))
def _roll(x: Any, *, shifts: Any, dims: Any) -> Any:
    """The elements moved along dims; what leaves at the end comes in at the start.

    z[i] = x[(i - shift) mod n];  ∂x = g, moved back
    """
    (shift, *more), (dim, *_) = shifts, dims
    if more or not x.size:
        return np.roll(x, shifts, dims)
    before, cut = (slice(None),) * dim, -shift % x.shape[dim]
    return np.concatenate((x[(*before, slice(cut, None))], x[(*before, slice(cut))]), dim)  # several times as fast for small ones


def roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    """Move elements along dims; what leaves at the end comes in at the start. Without dims: along the flattened tensor.

    Source: https://pytorch.org/docs/stable/generated/torch.roll.html
    """
    shifts = ints((shifts,))
    if dims is None or dims == () or dims == []:
        if len(shifts) != 1:
            raise RuntimeError(f"roll: {len(shifts)} shifts need as many dims.")
        return reshape(_roll(ravel(x), shifts=shifts, dims=(0,)), shape=x.shape)
    dims = tuple(one_dim(d, x.ndim) for d in (dims if isinstance(dims, tuple | list) else (dims,)))
    if len(dims) != len(shifts):
        raise RuntimeError(f"roll: {len(shifts)} shifts need as many dims, not {len(dims)}.")
    return _roll(x, shifts=shifts, dims=dims)


def rot90(x: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """Turn by k right angles in the plane of two dims, from the first towards the second.

    Source: https://pytorch.org/docs/stable/generated/torch.rot90.html
    """
    if len(dims) != 2 or x.ndim < 2 or one_dim(dims[0], x.ndim) == one_dim(dims[1], x.ndim):
        raise RuntimeError(f"rot90 needs two different dims of a tensor of at least two; got {tuple(dims)} for {describe(x)}.")
    a, b = one_dim(dims[0], x.ndim), one_dim(dims[1], x.ndim)
    turned = [lambda: clone(x), lambda: flip(transpose(x, a, b), a), lambda: flip(x, a, b), lambda: flip(transpose(x, a, b), b)]
    return turned[k % 4]()


def _sum_of_copies(g: Any, shape: Any, times: Any) -> Any:
    """What the copies that `repeat` made of a tensor of this shape get, added up."""
    sizes = [*zip(times, (1,) * (len(times) - len(shape)) + tuple(shape), strict=True)]
    copies = _reshape(g, shape=tuple(k for r, n in sizes for k in (r, n)))
    return _reshape(sum_to(copies, shape=tuple(k for _, n in sizes for k in (1, n))), shape=shape)


@op(dx=lambda g, z, x, times: _sum_of_copies(g, x.shape, times))
def _repeat(x: Any, *, times: Any) -> Any:
    """The whole tensor again and again along its dims; each element gets the gradients of all its copies.

    z[i] = x[i mod n];  ∂x[i] = Σ g over the copies of x[i]
    """
    return np.tile(x, times)


def repeat(x: Any, *args: Any, repeats: Any = None) -> Any:
    """The whole tensor repeated so often along each dim (new dims at the left).

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.repeat.html
    """
    times = ints(args, repeats)
    if len(times) < x.ndim or any(n < 0 for n in times):
        raise RuntimeError(f"repeat{times} needs a number, 0 or more, for each of the {x.ndim} dims of {describe(x)}.")
    return _repeat(x, times=times)


def tile(x: Any, *args: Any, dims: Any = None) -> Any:
    """As `repeat`, with as many numbers as you like: missing ones at the left are 1.

    Source: https://pytorch.org/docs/stable/generated/torch.tile.html
    """
    times = ints(args, dims)
    return repeat(x, *((1,) * (x.ndim - len(times)) + times))


def repeat_interleave(x: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Any:
    """Each element repeated, one after another: so often, or as often as `repeats` says for it.

    repeat_interleave(repeats) repeats the indices 0, 1, 2 ...

    Source: https://pytorch.org/docs/stable/generated/torch.repeat_interleave.html
    """
    if repeats is None:
        x, repeats = wrap(np.arange(len(x), like=x.array)), x
    if dim is None:
        x, dim = ravel(x), 0
    dim = one_dim(dim, x.ndim)
    n = x.shape[dim] if x.ndim else 1
    counts = repeats.numpy(force=True) if isinstance(repeats, Tensor) else np.asarray(repeats)
    if counts.ndim > 1 or counts.dtype.kind != "i" or (counts < 0).any() or counts.size not in (1, n):
        raise RuntimeError(
            f"repeat_interleave: repeats must be a non-negative int, or one for each of the {n} elements; got {repeats}."
        )
    if counts.size == 1:
        times, before, behind = counts.item(), x.shape[:dim], x.shape[dim + 1 :]
        apart = broadcast_to(reshape(x, shape=(*before, n, 1, *behind)), shape=(*before, n, times, *behind))
        return reshape(clone(apart), shape=(*before, n * times, *behind))
    return (x if x.ndim else reshape(x, 1))[(slice(None),) * dim + (np.repeat(np.arange(n), counts),)]


def reversed_rows(x: Any) -> Any:
    """Python's reversed(x): the last row first."""
    return flip(x, 0) if x.ndim else x


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """The coordinates of a grid: vector i, repeated over the dims of the other vectors.

    Source: https://pytorch.org/docs/stable/generated/torch.meshgrid.html
    """
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    if not tensors or any(x.ndim > 1 for x in tensors) or len({x.dtype for x in tensors}) > 1:
        raise RuntimeError("meshgrid takes one or more vectors of one dtype.")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be "ij" or "xy", not {indexing!r}.')
    swap = indexing == "xy" and len(tensors) > 1
    vectors = [tensors[1], tensors[0], *tensors[2:]] if swap else list(tensors)
    shape = tuple(numel(x) for x in vectors)
    grids = [
        broadcast_to(reshape(x, shape=(1,) * i + (numel(x),) + (1,) * (len(vectors) - i - 1)), shape=shape)
        for i, x in enumerate(vectors)
    ]
    if swap:
        grids = [grids[1], grids[0], *grids[2:]]
    return tuple(grids)


def cartesian_prod(*tensors: Any) -> Any:
    """All combinations of one element of each vector, as rows."""
    if len(tensors) == 1:
        return clone(tensors[0])
    return stack([ravel(grid) for grid in meshgrid(*tensors)], 1)


def combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All choices of r elements of a vector, as rows."""
    if x.ndim != 1 or r < 0:
        raise RuntimeError(f"combinations takes a vector and r of 0 or more, not {describe(x)} and {r}.")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array([*choose(range(x.shape[0]), r)], np.int64)
    return x[rows.reshape(len(rows), r)] if r else x[:0]
