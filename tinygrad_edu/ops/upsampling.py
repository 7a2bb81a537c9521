"""Other resolutions: interpolation, which is linear and goes one dim after the other, and exchanging channels for pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError, describe
from ..op import op
from .pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .shape import clone, permute, reshape

__all__ = [
    "channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample", "upsample_bilinear", "upsample_nearest",
]  # fmt: skip

# How many dims after samples and channels each mode is for, and the numbers that it mixes along each dim.
DIMS = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}  # fmt: skip
KIND = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


# -- interpolation along one dim -------------------------------------------------------------------------------------
@op(
    dx=lambda g, z, x, dim, size, kind, step, align: _resample_back(
        g, dim=dim, size=x.shape[dim], kind=kind, step=step, align=align
    )
)
def _resample(x: Any, *, dim: int, size: int, kind: str, step: float, align: bool) -> Any:
    """Numbers between the given ones along a dim: each is a mixture of its neighbours.

    z[i] = Σ M[i, j]·x[j], where row i of M has the weights of the neighbours of place i·step;  ∂x = Mᵀ·g
    """
    z: Any = None
    for index, weight in _neighbours(x, x.shape[dim], size, kind, step, align):
        part = np.take(x, index, axis=dim)
        if weight is not None:
            part = part * np.reshape(weight, (-1,) + (1,) * (x.ndim - dim - 1))
        z = part if z is None else z + part
    return z


@op(dx=lambda g, z, x, dim, size, kind, step, align: _resample(g, dim=dim, size=x.shape[dim], kind=kind, step=step, align=align))
def _resample_back(x: Any, *, dim: int, size: int, kind: str, step: float, align: bool) -> Any:
    """Give every number back to those it was mixed from: the derivative of resampling.

    z[j] = Σ M[i, j]·x[i], with the matrix M of resampling;  ∂x = M·g
    """
    count = x.shape[dim]
    matrix, rows = np.zeros_like(x, shape=(count, size), order="C"), np.arange(count, like=x)
    for index, weight in _neighbours(x, size, count, kind, step, align):
        matrix[rows, index] += 1 if weight is None else weight
    return np.moveaxis(np.matmul(np.moveaxis(x, dim, -1), matrix), -1, dim)


def _neighbours(x: Any, size: int, count: int, kind: str, step: Any, align: bool) -> list[tuple[Any, Any]]:
    """For `count` places, `step` apart on `size` numbers: which numbers are mixed there, and with which weights (None: 1).

    The places are the centres of pixels: number i stands at i + 1/2; with `align` the first and last numbers keep their places.
    """
    dtype = np.dtype("float64") if x.dtype == "float64" else np.dtype("float32")  # the precision PyTorch computes places in
    i: Any = np.arange(count, dtype=dtype, like=x)
    step = dtype.type(step)
    if kind.startswith("nearest"):
        place = (i + dtype.type(0.5 if kind == "nearest-exact" else 0)) * step
        return [(np.minimum(np.floor(place.astype("float32")).astype(np.int64), size - 1), None)]
    place = i * step if align else (i + dtype.type(0.5)) * step - dtype.type(0.5)
    if kind == "linear":
        place = np.clip(place, 0, size - 1)
        first = np.floor(place).astype(np.int64)
        t = (place - first).astype(x.dtype)
        return [(first, 1 - t), (np.minimum(first + 1, size - 1), t)]
    first = np.floor(place).astype(np.int64)
    t = place - first
    weights = _cubic_far(t + 1), _cubic_near(t), _cubic_near(1 - t), _cubic_far(2 - t)
    return [(np.clip(first + k - 1, 0, size - 1), weight.astype(x.dtype)) for k, weight in enumerate(weights)]


def _cubic_near(t: Any) -> Any:
    """The weight of a neighbour at distance t ≤ 1 (Keys' cubic convolution with a = -3/4)."""
    return (1.25 * t - 2.25) * t * t + 1


def _cubic_far(t: Any) -> Any:
    """The weight of a neighbour at distance 1 ≤ t ≤ 2."""
    return ((-0.75 * t + 3.75) * t - 6) * t + 3


# -- what users call -------------------------------------------------------------------------------------------------
def interpolate(
    x: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """The same picture with more or fewer numbers.

    z = M₁·…·Mₙ·x: along each dim, every new number is a mixture of its old neighbours

    Args:
        x: (samples, channels, sizes).
        size: the new sizes, an integer or one per dim; or
        scale_factor: by how much to multiply the sizes.
        mode: "nearest" (rounded down), "nearest-exact", "area" (averages); and by the number of dims "linear", "bilinear", "trilinear"
            (two neighbours per dim) or "bicubic" (four per dim).
        align_corners: first and last numbers keep their places, instead of the pixels' outer edges. Not for the first three modes.
        recompute_scale_factor: use the rounded sizes' ratio for the places, instead of scale_factor.
        antialias: not offered.

    Raises:
        ShapeError: a mode for another number of dims.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
    """
    dims = x.ndim - 2
    if mode not in DIMS or dims not in DIMS[mode]:
        raise _wrong_mode(x, mode)
    if antialias:
        raise NotImplementedError(
            'interpolate: antialias=True is not offered; average with mode="area" to make a picture smaller.'
        )
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ValueError(f"interpolate: align_corners is for the modes that mix neighbours (linear ...), not for {mode!r}.")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: give either size or scale_factor, not size={size} and scale_factor={scale_factor}.")
    if recompute_scale_factor and size is not None:
        raise ValueError("interpolate: recompute_scale_factor has a meaning only with scale_factor.")
    if x.dtype.kind != "f" and not mode.startswith("nearest"):
        raise DtypeError(f"interpolate: mode {mode!r} computes averages and needs floating numbers: {describe(x)}.")
    factors = None if scale_factor is None else _each(scale_factor, dims, "scale_factor")
    sizes = _each(size, dims, "size") if factors is None else [int(n * f) for n, f in zip(x.shape[2:], factors, strict=True)]
    if not all(isinstance(n, int | np.integer) for n in sizes):
        raise TypeError(f"interpolate: the sizes must be integers, not {size!r}.")
    if min(*sizes, *x.shape[1:]) < 1:
        raise ShapeError(f"interpolate: sizes must be positive; they are {tuple(sizes)}, from {describe(x)}.")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[dims - 1](x, tuple(sizes))
    z = x
    for i, new in enumerate(sizes):
        old = x.shape[i + 2]
        step = old / new if factors is None or recompute_scale_factor else 1 / factors[i]
        if align_corners:
            step = (old - 1) / (new - 1) if new > 1 else 0.0
        if new != old or step != 1:
            z = _resample(z, dim=i + 2, size=int(new), kind=KIND.get(mode, mode), step=step, align=bool(align_corners))
    return clone(z) if z is x else z


def _each(value: Any, dims: int, what: str) -> list[Any]:
    values = list(value) if isinstance(value, tuple | list) else [value] * dims
    if len(values) != dims:
        raise ValueError(
            f"interpolate: {what} must be one number or {dims}, one for each dim after samples and channels: {value!r}."
        )
    return values


def _wrong_mode(x: Any, mode: str) -> Exception:
    fitting = [name for name, dims in DIMS.items() if x.ndim - 2 in dims]
    if mode in DIMS and fitting:
        return ShapeError(
            f"interpolate: mode {mode!r} is not for {describe(x)}; modes for {x.ndim} dims are {', '.join(fitting)}."
        )
    if mode in DIMS:
        return ShapeError(f"interpolate takes (samples, channels, 1 to 3 sizes), not {describe(x)}.")
    return NotImplementedError(f"interpolate: there is no mode {mode!r}; modes are {', '.join(DIMS)}.")


def upsample(x: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None) -> Any:
    """`interpolate`, by its old name.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.upsample.html
    """
    return interpolate(x, size, scale_factor, mode, align_corners)


def upsample_nearest(x: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` with mode="nearest", by its old name."""
    return interpolate(x, size, scale_factor)


def upsample_bilinear(x: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` with mode="bilinear" and align_corners=True, by its old name."""
    return interpolate(x, size, scale_factor, "bilinear", True)


# -- channels for pixels ---------------------------------------------------------------------------------------------
def pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    """Make r times as many rows and columns from channels: every r² channels become one.

    z[c, y·r + i, x·r + j] = x[c·r² + i·r + j, y, x]

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pixel_shuffle.html
    """
    r = upscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-3] % (r * r):
        raise ShapeError(f"pixel_shuffle: the channels of {describe(x)} must be a multiple of upscale_factor², {r}².")
    *lead, channels, height, width = x.shape
    n = len(lead)
    apart = reshape(x, shape=(*lead, channels // r**2, r, r, height, width))
    apart = clone(permute(apart, *range(n), n, n + 3, n + 1, n + 4, n + 2))  # also where it looks at the memory of x
    return reshape(apart, shape=(*lead, channels // r**2, height * r, width * r))


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    """The inverse of `pixel_shuffle`: every r times r pixels become r² channels.

    z[c·r² + i·r + j, y, x] = x[c, y·r + i, x·r + j]

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pixel_unshuffle.html
    """
    r = downscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-2] % r or x.shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: height and width of {describe(x)} must be multiples of downscale_factor {r}.")
    *lead, channels, height, width = x.shape
    n = len(lead)
    apart = reshape(x, shape=(*lead, channels, height // r, r, width // r, r))
    apart = clone(permute(apart, *range(n), n, n + 2, n + 4, n + 1, n + 3))
    return reshape(apart, shape=(*lead, channels * r**2, height // r, width // r))


def channel_shuffle(x: Any, groups: int) -> Any:
    """Deal out the channels of `groups` groups in turns, so that a next grouped convolution sees channels of all groups.

    z[n, c·groups + i] = x[n, i·(channels / groups) + c]

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.channel_shuffle.html
    """
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise ShapeError(
            f"channel_shuffle takes (samples, channels, sizes); groups={groups} must divide the channels of {describe(x)}."
        )
    apart = reshape(x, shape=(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return reshape(permute(apart, 0, 2, 1, *range(3, x.ndim + 1)), shape=x.shape)
