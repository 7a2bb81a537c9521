"""Pictures looked at through a grid: affine_grid makes places, and grid_sample says which numbers stand there.

A place lies between pixels, and its number is a mixture of those around it. Their weights are polynomials of where it lies, so the slope
of a mixture is again a mixture, with the slopes of the weights. That is why sampling and its adjoint, each with the weights
differentiated as often as needed, are all that derivatives of any order take.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..backend import add_rows
from ..errors import DtypeError, ShapeError, describe
from ..op import op
from ..tensor import raw, wrap
from .arithmetic import _zero
from .joining import stack
from .products import matmul
from .reduction import sum
from .shape import reshape, transpose

__all__ = ["affine_grid", "grid_sample"]

# The weights of a place's neighbours along one dim, from the left: the coefficients of 1, t, t² ..., where t is how far behind a pixel the
# place lies. The cubic ones are Keys' with a = -3/4; one neighbour (nearest) or two have none before that pixel, four have one.
WEIGHTS: dict[str, list[tuple[float, ...]]] = {
    "nearest": [(1.0,)],
    "bilinear": [(1.0, -1.0), (0.0, 1.0)],
    "bicubic": [(0.0, -0.75, 1.5, -0.75), (1.0, 0.0, -2.25, 1.25), (0.0, 0.75, 1.5, -1.25), (0.0, 0.0, -0.75, 0.75)],
}
PADDING = ("zeros", "border", "reflection")


# -- sampling and its adjoint ----------------------------------------------------------------------------------------
def _slopes(g: Any, x: Any, grid: Any, orders: tuple[int, ...], **how: Any) -> Any:
    """Σ over channels of g·∂z/∂grid, for z = grid_sample(x, grid); the last size is the first in the grid."""
    if how["mode"] == "nearest":  # flat between its steps
        return _zero(grid)
    once_more = [tuple(n + (e == d) for e, n in enumerate(orders)) for d in reversed(range(len(orders)))]
    return stack([sum(g * _grid_sample(x, grid, orders=more, **how), 1) for more in once_more], -1)


@op(
    dtype="same",
    dx=lambda g, z, x, grid, **how: _grid_spread(g, grid, sizes=tuple(x.shape[2:]), **how),
    dgrid=lambda g, z, x, grid, orders, **how: _slopes(g, x, grid, orders, **how),
)
def _grid_sample(x: Any, grid: Any, *, mode: str, padding: str, align: bool, orders: tuple[int, ...]) -> Any:
    """Look at a picture at the places of a grid: each number is a mixture of the pixels around its place. Pixels get their share of the
    gradient, and places one that says in which direction the picture is brighter.

    z[n, c, p] = Σ w(u - q)·x[n, c, q] over the pixels q around the place u = grid[n, p];
    ∂x[n, c, q] = Σ w(u - q)·g[n, c, p] over p;  ∂grid[n, p] = Σ w'(u - q)·x[n, c, q]·g[n, c, p] over c and q

    Args:
        x: (N, C, sizes).
        grid: (N, places, dims).
        orders: how many times the weights are differentiated along each of the sizes.
    """
    sizes, channels = x.shape[2:], x.shape[1]
    framed = np.zeros_like(x, shape=(len(x), *(n + 1 for n in sizes), channels), order="C")
    framed[_picture(sizes)] = np.moveaxis(x, 1, -1)
    rows = framed.reshape(-1, channels)
    z = np.zeros_like(x, shape=(len(x), math.prod(grid.shape[1:-1]), channels), order="C")
    for pixels, weights in _mixtures(grid, sizes, mode, padding, align, orders):
        z += rows.take(pixels, axis=0) * weights[..., None]
    return np.moveaxis(z, -1, 1).reshape(*x.shape[:2], *grid.shape[1:-1])


@op(
    dtype="same",
    dx=lambda g, z, x, grid, sizes, **how: _grid_sample(g, grid, **how),
    dgrid=lambda g, z, x, grid, sizes, orders, **how: _slopes(x, g, grid, orders, **how),
)
def _grid_spread(
    x: Any, grid: Any, *, sizes: tuple[int, ...], mode: str, padding: str, align: bool, orders: tuple[int, ...]
) -> Any:
    """Give the numbers at the places of a grid back to the pixels they were mixed from: the derivative of sampling.

    z[n, c, q] = Σ w(u - q)·x[n, c, p] over the places u = grid[n, p];
    ∂x[n, c, p] = Σ w(u - q)·g[n, c, q] over q;  ∂grid[n, p] = Σ w'(u - q)·g[n, c, q]·x[n, c, p] over c and q
    """
    channels, framed = x.shape[1], (len(x), *(n + 1 for n in sizes))
    numbers = np.moveaxis(x.reshape(len(x), channels, math.prod(x.shape[2:])), 1, -1)
    found = list(_mixtures(grid, sizes, mode, padding, align, orders))
    pixels = np.concatenate([pixels.reshape(-1) for pixels, _ in found])
    shares = np.concatenate([(numbers * weights[..., None]).reshape(-1, channels) for _, weights in found])
    z = add_rows(pixels, shares, math.prod(framed)).reshape(*framed, channels)
    return np.moveaxis(z[_picture(sizes)], -1, 1)


def _picture(sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Where the picture stands in one with a last pixel more in each dim, which is 0 and stands for all that lies outside."""
    return (slice(None), *(slice(n) for n in sizes))


def _mixtures(
    grid: Any, sizes: tuple[int, ...], mode: str, padding: str, align: bool, orders: tuple[int, ...]
) -> Iterator[tuple[Any, Any]]:
    """For each neighbour that a place has: which pixel it is, counted through all pictures and their last zeros, and its weight."""
    count = len(grid)
    places = grid.reshape(count, math.prod(grid.shape[1:-1]), len(sizes))
    along = [_neighbours(places[..., -1 - d], n, mode, padding, align, orders[d]) for d, n in enumerate(sizes)]
    for neighbours in itertools.product(*along):
        pixels, weights = np.arange(count, like=grid)[:, None], 1.0
        for n, (pixel, weight) in zip(sizes, neighbours, strict=True):
            pixels, weights = pixels * (n + 1) + pixel, weights * weight
        yield pixels, weights


def _neighbours(u: Any, size: int, mode: str, padding: str, align: bool, order: int) -> list[tuple[Any, Any]]:
    """Along one dim: which pixels are mixed at places from -1 to 1, and their weights, differentiated `order` times by the place."""
    scale = (size - 1) / 2 if align else size / 2
    wide = (u + 1).astype(np.float64) * scale - (0 if align else 0.5)
    u = wide.astype(u.dtype)  # in pixels, rounded once, as by processors that multiply and add in one step
    slope: Any = scale
    if mode != "bicubic":
        u, way = _inside(u, size, padding, align)
        slope = scale * way
    first = np.rint(u) if mode == "nearest" else np.floor(u)
    t, found = u - first, []
    for k, weight in enumerate(WEIGHTS[mode]):
        for _ in range(order):
            weight = tuple(n * c for n, c in enumerate(weight))[1:]
        pixel = first + (k - (len(WEIGHTS[mode]) - 1) // 2)
        if mode == "bicubic":
            pixel, _ = _inside(pixel, size, padding, align)
        value: Any = np.zeros_like(t)
        for c in reversed(weight):
            value = value * t + c
        pixel = np.where((pixel >= 0) & (pixel < size), pixel, size).astype(np.int64)
        found.append((pixel, value * slope**order))
    return found


def _inside(u: Any, size: int, padding: str, align: bool) -> tuple[Any, Any]:
    """Places outside brought inside as the padding says, and how they move with what they were: 1, -1 or, from the edge on, 0."""
    if padding == "zeros":
        return u, 1
    way = np.ones_like(u)
    if padding == "reflection":
        low, span = (0, size - 1) if align else (-0.5, size)
        ahead = (u - low) % (2 * max(span, 1))
        back = ahead > span
        u = np.where(back, 2 * span - ahead, ahead) + low
        way = np.where(back, -way, way)
    return np.clip(u, 0, size - 1), way * ((u > 0) & (u < size - 1))


# -- what users call -------------------------------------------------------------------------------------------------
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Any:
    """The numbers of pictures at the places of a grid, which may be moved by training: the sampler of spatial transformers.

    z[n, c, p] = Σ w(u - q)·input[n, c, q] over the pixels q around the place u = grid[n, p]

    Args:
        input: (N, C, height, width), or (N, C, depth, height, width).
        grid: (N, height of the result, width of the result, 2): places (x, y), each from -1 (left, top) to 1 (right, bottom); or (N, 3
            sizes, 3): (x, y, z).
        mode: "bilinear" (of 3 sizes trilinear), "nearest" or, for 2 sizes, "bicubic".
        padding_mode: what is outside: "zeros", the pixels of the "border", or the picture's "reflection".
        align_corners: -1 and 1 are the centres of the outermost pixels, and not the picture's edges.

    Raises:
        ShapeError, DtypeError: input and grid do not fit together.
        ValueError: there is no such mode or padding mode.

    At a kink, a place on a pixel, the slope is that to the right; on the border it is 0, as in PyTorch.

    Source: Jaderberg et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html
    """
    if mode not in WEIGHTS or padding_mode not in PADDING:
        raise ValueError(
            f"grid_sample: modes are {', '.join(WEIGHTS)} and padding modes {', '.join(PADDING)}; given are {mode!r} and {padding_mode!r}."
        )
    dims = input.ndim - 2
    if dims not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != dims or len(grid) != len(input):
        raise ShapeError(
            "grid_sample takes pictures (N, C, height, width) and a grid (N, height, width, 2), or (N, C, depth, height, width) and (N, "
            f"depth, height, width, 3), with one N; these are {describe(input)} and {describe(grid)}."
        )
    if 0 in input.shape[1:]:
        raise ShapeError(f"grid_sample: a picture without pixels or channels has nothing to look at: {describe(input)}.")
    if dims == 3 and mode == "bicubic":
        raise ValueError('grid_sample: mode "bicubic" is for pictures of 2 sizes; for 3 there are "bilinear" and "nearest".')
    if input.dtype.kind != "f":
        raise DtypeError(f"grid_sample mixes pixels and needs floating numbers: {describe(input)}; convert it with .float().")
    return _grid_sample(input, grid, mode=mode, padding=padding_mode, align=bool(align_corners), orders=(0,) * dims)


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The places at which `grid_sample` must look so that pictures are moved, turned, scaled or sheared.

    z[n, p] = theta[n]·(x, y, 1), where (x, y) is the place of pixel p of the result, from -1 to 1

    Args:
        theta: (N, 2, 3), or (N, 3, 4) for pictures of 3 sizes.
        size: the shape that the result of grid_sample is to have, (N, C, height, width) or (N, C, depth, height, width).
        align_corners: as for `grid_sample`.

    Raises:
        ShapeError, DtypeError: theta is none such, or not for a size like this.

    Source: Jaderberg et al. 2015; https://pytorch.org/docs/stable/generated/torch.nn.functional.affine_grid.html
    """
    count, sizes = size[0], tuple(int(n) for n in size[2:])
    dims = len(sizes)
    if dims not in (2, 3) or tuple(theta.shape) != (count, dims, dims + 1):
        raise ShapeError(
            "affine_grid takes theta (N, 2, 3) for a size (N, C, height, width), or (N, 3, 4) for (N, C, depth, height, width); "
            f"these are {describe(theta)} and {tuple(size)}."
        )
    if theta.dtype.kind != "f":
        raise DtypeError(f"affine_grid: theta must hold floating numbers, not {describe(theta)}.")
    if min(size) < 1:
        raise ShapeError(f"affine_grid: sizes must be positive, and they are {tuple(size)}.")
    places = np.ones_like(raw(theta), shape=(*sizes, dims + 1), order="C")
    for d, n in enumerate(sizes):
        places[..., dims - 1 - d] = _line(n, bool(align_corners), places).reshape(n, *(1,) * (dims - 1 - d))
    moved = matmul(wrap(places.reshape(-1, dims + 1)), transpose(theta, 1, 2))
    return reshape(moved, shape=(count, *sizes, dims))


def _line(count: int, align: bool, like: Any) -> Any:
    """The centres of `count` pixels from -1 to 1. Each is rounded where PyTorch rounds it: on a pixel the slope has a kink, and where
    pictures are not moved at all, as most spatial transformers begin, every place is on one.
    """
    number = like.dtype.type
    i = np.arange(count, dtype=np.float64, like=like)
    if count == 1:
        return i
    step = float(number(2 / (count - 1)))
    line = np.where(i < count // 2, i * step - 1, 1 - (count - 1 - i) * step).astype(like.dtype)
    return line if align else line * number(count - 1) / number(count)
