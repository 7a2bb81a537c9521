"""Convolution in any number of dimensions, and its two derivatives, which are convolutions too.

A convolution is linear in its input x and in its weight w. So three sums over the same products describe it and all of its
derivatives, whatever their order:

    z[n, o, p] = Σ x[n, c, p·stride + k·dilation - padding] · w[o, c, k]      conv          over c, k
    x'         = Σ z[n, o, p] · w[o, c, k]   for the x that met z there       conv_input    over o, k, p
    w'         = Σ x[n, c, p·stride + k·dilation - padding] · z[n, o, p]      conv_weight   over n, p

Each one's rules call the other two. Positions p and kernel offsets k have as many dimensions as the convolution.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError, describe
from ..op import op
from .padding import pad
from .shape import reshape

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_input", "conv_nd", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "conv_weight",
]  # fmt: skip


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many positions a window of `kernel` numbers has on `size` numbers: ⌊(size + 2·padding - dilation·(kernel-1) - 1) / stride⌋ + 1."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def padded(x: Any, padding: tuple[int, ...], value: float = 0) -> Any:
    """x with `padding` numbers more at both ends of each of its last dims."""
    if not any(padding):
        return x
    lead = x.ndim - len(padding)
    larger = np.full_like(x, value, shape=x.shape[:lead] + tuple(n + 2 * p for n, p in zip(x.shape[lead:], padding, strict=True)))
    larger[(..., *(slice(p, p + n) for n, p in zip(x.shape[lead:], padding, strict=True)))] = x
    return larger


def window_slices(kernel: tuple[int, ...], out: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """For each kernel offset: the offset, and the slices that take from a padded input what that offset meets at every position."""
    for offset in itertools.product(*(range(k) for k in kernel)):
        yield (
            offset,
            (..., *(slice(k * d, k * d + s * (n - 1) + 1, s) for k, n, s, d in zip(offset, out, stride, dilation, strict=True))),
        )


def columns(x: Any, kernel: tuple[int, ...], out: tuple[int, ...], stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Every window of x as a row: (groups, positions of all samples, channels of the group · kernel size)."""
    n, channels = x.shape[:2]
    x = padded(x, padding)
    # One strided copy per kernel offset into memory that is laid out for the matrix product.
    rows = np.empty_like(x, shape=(groups, n, *out, channels // groups, *kernel))
    grouped = np.moveaxis(
        np.reshape(x, (n, groups, channels // groups, *x.shape[2:])), (1, 2), (0, -1)
    )  # (groups, n, sizes, channels)
    for offset, (_, *where) in window_slices(kernel, out, stride, dilation):
        rows[(..., *offset)] = grouped[(slice(None), slice(None), *where)]
    return np.reshape(rows, (groups, n * math.prod(out), channels // groups * math.prod(kernel)))


def by_group(z: Any, groups: int) -> Any:
    """(samples, channels, positions...) as (groups, positions of all samples, channels of the group)."""
    n, channels = z.shape[:2]
    grouped = np.moveaxis(np.reshape(z, (n, groups, channels // groups, -1)), 1, 0)
    return np.reshape(np.swapaxes(grouped, 2, 3), (groups, -1, channels // groups))


@op(
    dtype="same",
    dx=lambda g, z, x, w, stride, padding, dilation, groups: conv_input(
        g, w, sizes=x.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    dw=lambda g, z, x, w, stride, padding, dilation, groups: conv_weight(
        x, g, kernel=w.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
def conv_nd(x: Any, w: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Slide the weight over the input and take the sum of products at every position.

    z[n, o, p] = Σ x[n, c, p·stride + k·dilation - padding]·w[o, c, k];  ∂x = conv_input(g, w);  ∂w = conv_weight(x, g)
    """
    kernel = w.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    rows = columns(x, kernel, out, stride, padding, dilation, groups)
    weights = np.reshape(w, (groups, w.shape[0] // groups, -1))
    z = np.matmul(rows, np.swapaxes(weights, 1, 2))  # (groups, positions, channels of the group)
    z = np.reshape(z, (groups, x.shape[0], math.prod(out), -1))
    return np.reshape(np.moveaxis(z, (1, 0, 3, 2), (0, 1, 2, 3)), (x.shape[0], w.shape[0], *out))


@op(
    dtype="same",
    dz=lambda g, x, z, w, sizes, stride, padding, dilation, groups: conv_nd(
        g, w, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    dw=lambda g, x, z, w, sizes, stride, padding, dilation, groups: conv_weight(
        g, z, kernel=w.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
def conv_input(z: Any, w: Any, *, sizes: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Hand every output number back to the input numbers it came from: the gradient of conv, and the transposed convolution.

    z' [n, c, p·stride + k·dilation - padding] = Σ z[n, o, p]·w[o, c, k];  ∂z = conv(g, w);  ∂w = conv_weight(g, z)
    """
    n, kernel, out = z.shape[0], w.shape[2:], z.shape[2:]
    per_group = w.shape[1]
    weights = np.reshape(w, (groups, w.shape[0] // groups, -1))
    rows = np.reshape(np.matmul(by_group(z, groups), weights), (groups, n, *out, per_group, *kernel))
    x = np.zeros_like(z, shape=(groups, n, *(s + 2 * p for s, p in zip(sizes, padding, strict=True)), per_group))
    for offset, (_, *where) in window_slices(kernel, out, stride, dilation):
        x[(slice(None), slice(None), *where)] += rows[(..., *offset)]
    x = x[(slice(None), slice(None), *(slice(p, p + s) for s, p in zip(sizes, padding, strict=True)))]
    return np.reshape(np.moveaxis(x, (0, -1), (1, 2)), (n, groups * per_group, *sizes))


@op(
    dtype="same",
    dx=lambda g, w, x, z, kernel, stride, padding, dilation, groups: conv_input(
        z, g, sizes=x.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    dz=lambda g, w, x, z, kernel, stride, padding, dilation, groups: conv_nd(
        x, g, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
def conv_weight(x: Any, z: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """For every kernel offset, the sum over positions of input times output: the gradient of conv's weight.

    z' [o, c, k] = Σ x[n, c, p·stride + k·dilation - padding]·z[n, o, p];  ∂x = conv_input(z, g);  ∂z = conv(x, g)
    """
    rows = columns(x, tuple(kernel), z.shape[2:], stride, padding, dilation, groups)
    w = np.matmul(np.swapaxes(by_group(z, groups), 1, 2), rows)
    return np.reshape(w, (z.shape[1], x.shape[1] // groups, *kernel))


# -- what users call -------------------------------------------------------------------------------------------------
def per_dim(value: Any, dims: int, what: str) -> tuple[int, ...]:
    """One integer per dimension, from one for all or a sequence of them."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    values = values * dims if len(values) == 1 else values
    if len(values) != dims or not all(isinstance(v, int) for v in values):
        raise RuntimeError(f"{what} must be an integer or {dims} of them, not {value!r}.")
    return values


def _checked(name: str, x: Any, weight: Any, bias: Any, dims: int, groups: int, transposed: bool) -> None:
    if x.ndim not in (dims + 1, dims + 2) or weight.ndim != dims + 2:
        raise ShapeError(
            f"{name} takes an input of {dims + 2} dims (samples, channels, sizes) or {dims + 1} (one sample) and a weight of {dims + 2}; "
            f"these are {describe(x)} and {describe(weight)}."
        )
    if x.dtype != weight.dtype or (bias is not None and bias.dtype != x.dtype):
        raise DtypeError(f"{name}: input, weight and bias must have one dtype; they are {describe(x)} and {describe(weight)}.")
    if groups < 1 or weight.shape[0] % groups:
        raise ShapeError(
            f"{name}: groups={groups} does not divide the {weight.shape[0]} channels of the weight {tuple(weight.shape)}."
        )
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    if x.shape[-dims - 1] != channels:
        raise ShapeError(
            f"{name}: the weight {tuple(weight.shape)} with groups={groups} expects an input of {channels} channels, but the input is {describe(x)}."
        )
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise ShapeError(
            f"{name}: the bias must have shape ({outputs},), one number per output channel, not {tuple(bias.shape)}."
        )


def _conv(dims: int) -> Any:
    def conv(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
        name = conv.__name__
        _checked(name, x, weight, bias, dims, groups, False)
        stride, dilation = per_dim(stride, dims, "stride"), per_dim(dilation, dims, "dilation")
        if min(stride) < 1 or min(dilation) < 1:
            raise RuntimeError(f"{name}: stride and dilation must be positive, not {stride} and {dilation}.")
        if isinstance(padding, str):
            x, padding = _named_padding(name, x, weight, padding, stride, dilation)
        padding = per_dim(padding, dims, "padding")
        if min(padding) < 0:
            raise RuntimeError(f"{name}: padding must not be negative, and it is {padding}.")
        sizes = tuple(map(output_size, x.shape[-dims:], weight.shape[2:], stride, padding, dilation))
        if min(sizes) < 1:
            raise ShapeError(
                f"{name}: the kernel {tuple(weight.shape[2:])} (dilation {dilation}) is larger than the input {tuple(x.shape[-dims:])} with "
                f"padding {padding}."
            )
        one = x.ndim == dims + 1
        z = conv_nd(
            reshape(x, shape=(1, *x.shape)) if one else x,
            weight,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        z = z if bias is None else z + reshape(bias, shape=(-1,) + (1,) * dims)
        return reshape(z, shape=z.shape[1:]) if one else z

    conv.__name__ = conv.__qualname__ = f"conv{dims}d"
    conv.__doc__ = f"""Convolve (as networks do: without flipping the kernel) over {dims} dimension{"s" * (dims > 1)}.

    z[n, o, p] = bias[o] + Σ x[n, c, p·stride + k·dilation - padding]·weight[o, c, k]

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        weight: (output channels, channels / groups, kernel sizes).
        bias: (output channels,) or None.
        stride, padding, dilation: an integer, or {dims}; padding may be "valid" (none) or "same" (output as large as input).
        groups: channels in that many separate groups.

    Raises:
        ShapeError: sizes that do not fit.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.conv{dims}d.html
    """
    return conv


def _named_padding(name: str, x: Any, weight: Any, padding: str, stride: Any, dilation: Any) -> tuple[Any, Any]:
    """The padding that "valid" or "same" means; an odd number is split unevenly, the larger part at the end, by padding x first."""
    if padding == "valid":
        return x, 0
    if padding != "same" or any(s != 1 for s in stride):
        raise RuntimeError(
            f'{name}: padding must be a number, "valid" or (with stride 1) "same"; it is {padding!r} with stride {stride}.'
        )
    totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(total % 2 for total in totals):
        x = pad(x, [side for total in reversed(totals) for side in (0, total % 2)])
    return x, tuple(total // 2 for total in totals)


def _conv_transpose(dims: int) -> Any:
    def conv(
        x: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        name = conv.__name__
        _checked(name, x, weight, bias, dims, groups, True)
        stride, dilation = per_dim(stride, dims, "stride"), per_dim(dilation, dims, "dilation")
        padding, extra = per_dim(padding, dims, "padding"), per_dim(output_padding, dims, "output_padding")
        if min(stride) < 1 or min(dilation) < 1 or min(padding) < 0:
            raise RuntimeError(
                f"{name}: stride and dilation must be positive and padding not negative: {stride}, {dilation}, {padding}."
            )
        if any(e < 0 or (e >= s and e >= d) for e, s, d in zip(extra, stride, dilation, strict=True)):
            raise RuntimeError(
                f"{name}: output_padding {extra} must be smaller than the stride {stride} or the dilation {dilation}."
            )
        kernel = weight.shape[2:]
        sizes = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, s, p, d, k, e in zip(x.shape[-dims:], stride, padding, dilation, kernel, extra, strict=True)
        )
        if min(sizes) < 1:
            raise ShapeError(f"{name}: these settings give an output of sizes {sizes}; lower the padding {padding}.")
        one = x.ndim == dims + 1
        x = reshape(x, shape=(1, *x.shape)) if one else x
        z = conv_input(x, weight, sizes=sizes, stride=stride, padding=padding, dilation=dilation, groups=groups)
        z = z if bias is None else z + reshape(bias, shape=(-1,) + (1,) * dims)
        return reshape(z, shape=z.shape[1:]) if one else z

    conv.__name__ = conv.__qualname__ = f"conv_transpose{dims}d"
    conv.__doc__ = f"""Transposed convolution over {dims} dimension{"s" * (dims > 1)}: what the gradient of a convolution does to its output.

    z[n, c, p·stride + k·dilation - padding] = bias[c] + Σ x[n, o, p]·weight[o, c, k]

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        weight: (channels, output channels / groups, kernel sizes).
        bias: (output channels,) or None.
        stride, padding, dilation, groups: of the convolution whose transpose this is.
        output_padding: added to one end of the output's sizes, of which several lead to the same input size.

    Raises:
        ShapeError: sizes that do not fit.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose{dims}d.html
    """
    return conv


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)
conv_transpose1d, conv_transpose2d, conv_transpose3d = _conv_transpose(1), _conv_transpose(2), _conv_transpose(3)
