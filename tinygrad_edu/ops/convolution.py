"""Convolution in any number of dimensions, and its two derivatives, which are convolutions too.

A convolution is linear in its input x and in its weight w. So three sums over the same products describe it and all of its
derivatives, whatever their order:

    z[n, o, p] = Σ x[n, c, p·stride + k·dilation - padding] · w[o, c, k]      convolution  over c, k
    x'         = Σ z[n, o, p] · w[o, c, k]   for the x that met z there       conv_input   over o, k, p
    w'         = Σ x[n, c, p·stride + k·dilation - padding] · z[n, o, p]      conv_weight  over n, p

Each one's rules call the other two. Positions p and kernel offsets k have as many dimensions as the convolution.

Each is a matrix product with the windows of x, written side by side as columns (`windows`; `unfold` shows them to users).
What makes it fast is where the numbers lie in memory: first size, channels, other sizes, samples. Then samples that are
computed alike lie one after another, and a window that slides along the first size is an overlapping view, not a copy.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from operator import index
from typing import Any

import numpy as np

from .. import backend
from ..errors import DtypeError, ShapeError, describe
from ..op import op
from .padding import pad
from .reduction import sum
from .shape import reshape
from .totals import total

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]

KEEP_WINDOWS_BYTES = 16 * 2**20  # larger windows are not kept for the weight's gradient but made again: they take memory


# -- windows ---------------------------------------------------------------------------------------------------------
def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many positions a window of `kernel` numbers has on `size` numbers: ⌊(size + 2·padding - dilation·(kernel-1) - 1) / stride⌋ + 1."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def window_slices(kernel: Any, out: Any, stride: Any, dilation: Any) -> Any:
    """For each kernel offset: the offset, and the slices that take from a padded input what it meets at every position."""
    for offset in itertools.product(*map(range, kernel)):
        yield (
            offset,
            tuple(slice(k * d, k * d + s * (n - 1) + 1, s) for k, n, s, d in zip(offset, out, stride, dilation, strict=True)),
        )


def in_rows(x: Any) -> Any:
    """x with its numbers one after the other in memory; a copy unless they are."""
    return x if x.flags.c_contiguous else x.copy()


def samples_last(x: Any, groups: int, padding: Any = None) -> Any:
    """(samples, channels, first size, other sizes) as (groups, first size, channels of a group, other sizes, samples)."""
    n, channels, first, *others = x.shape
    last = in_rows(x.transpose(2, 1, *range(3, x.ndim), 0))
    last = last.reshape(first, groups, channels // groups, *others, n).swapaxes(0, 1)
    if padding is None or not any(padding):
        return last
    (before, *sides), sizes = padding, [s + 2 * p for s, p in zip((first, *others), padding, strict=True)]
    larger = np.zeros_like(x, shape=(groups, sizes[0], channels // groups, *sizes[1:], n), order="C")
    inside = (slice(p, p + s) for p, s in zip(sides, others, strict=True))
    larger[(slice(None), slice(before, before + first), slice(None), *inside)] = last
    return larger


def samples_first(x: Any) -> Any:
    """(first size, channels, other sizes, samples) as (samples, channels, first size, other sizes), in the same memory."""
    return x.transpose(-1, 1, 0, *range(2, x.ndim - 1))


def slid(x: Any, axes: Any, kernel: Any, out: Any, stride: Any, dilation: Any) -> Any:
    """x through windows that slide along these axes, which count positions now; offsets in the window are new last dims. A view."""
    if isinstance(x, np.ndarray) and not (type(x) is np.ndarray and x.flags.c_contiguous):
        places = [slice(None)] * x.ndim
        for axis, n, s in zip(axes, out, stride, strict=True):
            places[axis] = slice(0, s * (n - 1) + 1, s)
        reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        return np.lib.stride_tricks.sliding_window_view(x, reach, axes)[(*places, *(slice(None, None, d) for d in dilation))]
    # a tenth of the time; and CuPy's sliding_window_view makes the CPU wait for the GPU
    shape, strides = [*x.shape, *kernel], [*x.strides, *(d * x.strides[axis] for d, axis in zip(dilation, axes, strict=True))]
    for axis, n, s in zip(axes, out, stride, strict=True):
        shape[axis], strides[axis] = n, s * strides[axis]
    return backend.as_strided(x, shape, strides)


def spread_out(x: Any, kernel: Any, out: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Every window of x along all sizes but the first: (groups, first size, channels of a group · other offsets, other positions · samples)."""
    x, others = samples_last(x, groups, padding), range(3, len(kernel) + 2)
    z = slid(x, others, kernel[1:], out[1:], stride[1:], dilation[1:])
    z = in_rows(z.transpose(0, 1, 2, *range(x.ndim, z.ndim), *others, x.ndim - 1))
    return z.reshape(groups, x.shape[1], x.shape[2] * math.prod(kernel[1:]), math.prod(out[1:]) * x.shape[-1])


def windows(spread: Any, kernel: int, out: int, stride: int, dilation: int) -> Any:
    """Every window of x as a column, from `spread_out`: (groups, first positions, first offsets · its rows, its columns)."""
    groups, _, rows, columns = spread.shape
    z = slid(spread, (1,), (kernel,), (out,), (stride,), (dilation,)).transpose(0, 1, 4, 2, 3)
    return z.reshape(groups, out, kernel * rows, columns)  # windows overlap: no copy, unless dilated


def windows_put_back(
    columns: Any,
    like: Any,
    per_group: int,
    groups: int,
    sizes: Any,
    kernel: Any,
    out: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
) -> Any:
    """The adjoint of `windows`: every number of every column added to the number of x that it was taken from.

    `columns` yields those of one first position after the other, each (groups, rows, other positions · samples).
    """
    n, large = like.shape[0], [s + 2 * p for s, p in zip(sizes, padding, strict=True)]
    spread = np.zeros_like(like, shape=(groups, large[0], per_group, *kernel[1:], *out[1:], n), order="C")
    reach = dilation[0] * (kernel[0] - 1) + 1
    for start, column in zip(range(0, stride[0] * out[0], stride[0]), columns, strict=True):
        rows = spread[:, start : start + reach : dilation[0]]
        rows += column.reshape(rows.shape)
    x = np.zeros_like(like, shape=(large[0], groups, per_group, *large[1:], n), order="C")
    by_group = x.swapaxes(0, 1)
    for offset, where in window_slices(kernel[1:], out[1:], stride[1:], dilation[1:]):
        by_group[(slice(None), slice(None), slice(None), *where)] += spread[(slice(None), slice(None), slice(None), *offset)]
    x = samples_first(x.reshape(large[0], groups * per_group, *large[1:], n))
    return x[(slice(None), slice(None), *(slice(p, p + s) for p, s in zip(padding, sizes, strict=True)))]


def as_matrices(w: Any, groups: int) -> Any:
    """A weight as one matrix per group, its columns in the order of the rows of `windows`."""
    return w.swapaxes(1, 2).reshape(groups, w.shape[0] // groups, w.shape[1] * math.prod(w.shape[2:]))


def at_positions(z: Any, groups: int) -> Any:
    """Numbers at positions as the columns of one matrix per group and first position, as a matrix times `windows` gives them."""
    z = samples_last(z, groups)
    return z.reshape(*z.shape[:3], math.prod(z.shape[3:]))


# -- convolution and its derivatives ---------------------------------------------------------------------------------
@op(
    dtype="same",
    keeps="spread",
    dx=lambda g, z, x, w, b, out, stride, padding, dilation, groups, spread: conv_input(
        g, w, sizes=x.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    dw=lambda g, z, x, w, b, out, stride, padding, dilation, groups, spread: conv_weight(
        x, g, kernel=w.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups, spread=spread
    ),
    db=lambda g, z, x, w, b, out, stride, padding, dilation, groups, spread: sum(g, (0, *range(2, g.ndim))),
)
def convolution(x: Any, w: Any, b: Any = None, *, out: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Slide the weight over the input and take the sum of products at every position.

    z[n, o, p] = b[o] + Σ x[n, c, p·stride + k·dilation - padding]·w[o, c, k];  ∂x = conv_input(g, w);  ∂w = conv_weight(x, g);  ∂b = Σ g
    """
    spread = spread_out(x, w.shape[2:], out, stride, padding, dilation, groups)
    columns = windows(spread, w.shape[2], out[0], stride[0], dilation[0])
    outputs = w.shape[0]
    z = np.empty_like(columns, shape=(out[0], outputs, columns.shape[-1]), order="C")
    by_group = z.reshape(out[0], groups, outputs // groups, columns.shape[-1]).swapaxes(0, 1)
    np.matmul(as_matrices(w, groups)[:, None], columns, out=by_group)
    if b is not None:
        z += b[:, None]
    z = samples_first(z.reshape(out[0], outputs, *out[1:], x.shape[0]))
    return z, spread if spread.nbytes <= KEEP_WINDOWS_BYTES else None


@op(
    dtype="same",
    dz=lambda g, x, z, w, sizes, stride, padding, dilation, groups: convolution(
        g, w, out=z.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    dw=lambda g, x, z, w, sizes, stride, padding, dilation, groups: conv_weight(
        g, z, kernel=w.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
def conv_input(z: Any, w: Any, *, sizes: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """Hand every output number back to the input numbers it came from: the gradient of conv, and the transposed convolution.

    z' [n, c, p·stride + k·dilation - padding] = Σ z[n, o, p]·w[o, c, k];  ∂z = conv(g, w);  ∂w = conv_weight(g, z)
    """
    kernel, outputs, inputs = w.shape[2:], w.shape[0], w.shape[1] * groups
    beyond = tuple(d * (k - 1) - p for k, p, d in zip(kernel, padding, dilation, strict=True))
    alike = z.shape[2:] == tuple(sizes) and all(s == 1 for s in stride)  # as many positions as numbers
    if min(beyond) >= 0 and (outputs == groups or (alike and outputs <= 2 * inputs)):
        # The weight, turned round, slides over z, where zeros stand for the positions between strides: half the time, or a fifth.
        turned = np.flip(w, tuple(range(2, w.ndim))).reshape(groups, outputs // groups, w.shape[1], *kernel)
        turned = turned.swapaxes(1, 2).reshape(inputs, outputs // groups, *kernel).copy()
        if not alike:
            wide = np.zeros_like(z, shape=(*z.shape[:2], *(n - b + p for n, b, p in zip(sizes, beyond, padding, strict=True))))
            places = (slice(0, s * (n - 1) + 1, s) for n, s in zip(z.shape[2:], stride, strict=True))
            wide[(slice(None), slice(None), *places)] = z
            z = wide
        return convolution(z, turned, out=sizes, stride=(1,) * len(sizes), padding=beyond, dilation=dilation, groups=groups)
    numbers, weights = at_positions(z, groups), as_matrices(w, groups).swapaxes(1, 2)
    columns = (np.matmul(weights, numbers[:, p]) for p in range(z.shape[2]))
    return windows_put_back(columns, z, w.shape[1], groups, sizes, w.shape[2:], z.shape[2:], stride, padding, dilation)


@op(
    dtype="same",
    dx=lambda g, w, x, z, kernel, stride, padding, dilation, groups, spread: conv_input(
        z, g, sizes=x.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    dz=lambda g, w, x, z, kernel, stride, padding, dilation, groups, spread: convolution(
        x, g, out=z.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
def conv_weight(x: Any, z: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int, spread: Any = None) -> Any:
    """For every kernel offset, the sum over positions of input times output: the gradient of conv's weight.

    z' [o, c, k] = Σ x[n, c, p·stride + k·dilation - padding]·z[n, o, p];  ∂x = conv_input(z, g);  ∂z = conv(x, g)

    Args:
        spread: the windows of x along all sizes but the first, if somebody has them.
    """
    outputs, first, *others = z.shape[1:]
    if spread is None:
        spread = spread_out(x, kernel, (first, *others), stride, padding, dilation, groups)
    numbers, offsets, step = at_positions(z, groups), kernel[0], stride[0]
    two = 1 < outputs < 12 and first % 2 == 0 and 3 * step <= offsets and dilation[0] == groups == 1
    if two:  # positions at once, of a kernel that is `stride` longer: with few outputs, larger matrices save a third of the time
        numbers, offsets, first, step = numbers.reshape(1, first // 2, 2 * outputs, -1), offsets + step, first // 2, 2 * step
    w = total(np.matmul(numbers, windows(spread, offsets, first, step, dilation[0]).swapaxes(2, 3)), (1,))
    if two:  # the first one's kernel ends `stride` earlier, and the second one's begins so much later
        w = w.reshape(2, outputs, offsets, -1)
        w = w[0, :, : -stride[0]] + w[1, :, stride[0] :]
    return w.reshape(outputs, kernel[0], x.shape[1] // groups, *kernel[1:]).swapaxes(1, 2)


# -- what users call -------------------------------------------------------------------------------------------------
def per_dim(value: Any, dims: int, what: str) -> tuple[int, ...]:
    """One integer per dimension, from one for all or a sequence of them."""
    try:
        values = tuple(map(index, value if isinstance(value, tuple | list) else (value,)))
    except TypeError:
        values = ()
    values = values * dims if len(values) == 1 else values
    if len(values) != dims:
        raise RuntimeError(f"{what} must be an integer or {dims} of them, not {value!r}.")
    return values


def batched(x: Any, dims: int, function: Callable) -> Any:
    """function(x), where x may be one sample of so many dims behind its channels, which goes in and comes out as a batch of one."""
    if x.ndim == dims + 2:
        return function(x)
    found = function(reshape(x, shape=(1, *x.shape)))
    if isinstance(found, tuple):
        return tuple(reshape(z, shape=z.shape[1:]) for z in found)
    return reshape(found, shape=found.shape[1:])


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
        last = ""
        if x.shape[-1] == channels:
            last = f" Channels come before the sizes: x.movedim(-1, {-dims - 1}) brings them there."
        elif channels == 1 and x.ndim == dims + 1:
            last = " Of a batch without a dim of channels, x.unsqueeze(1) is one with a single channel."
        raise ShapeError(
            f"{name}: the weight {tuple(weight.shape)} with groups={groups} expects an input of {channels} channels, but the input is "
            f"{describe(x)}.{last}"
        )
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise ShapeError(
            f"{name}: the bias must have shape ({outputs},), one number per output channel, not {tuple(bias.shape)}."
        )


def _as_image(x: Any) -> Any:
    """Sequences, (samples, channels, length), as images of height 1; others as they are."""
    return reshape(x, shape=(*x.shape[:2], 1, x.shape[2])) if x.ndim == 3 else x


def _image_settings(settings: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Settings of a sequence as those of an image of height 1; others as they are."""
    return {k: (int(k != "padding"), *v) if len(v) == 1 else v for k, v in settings.items()}


@functools.lru_cache(maxsize=256)
def _placed(name: str, sizes: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> dict[str, tuple[int, ...]]:
    """Where a kernel meets an input of these sizes, checked."""
    if min(kernel) < 1 or min(stride) < 1 or min(dilation) < 1:
        raise RuntimeError(f"{name}: kernel {kernel}, stride {stride} and dilation {dilation} must be positive.")
    if min(padding) < 0:
        raise RuntimeError(f"{name}: padding must not be negative, and it is {padding}.")
    out = tuple(map(output_size, sizes, kernel, stride, padding, dilation))
    if min(out) < 1:
        raise ShapeError(
            f"{name}: the kernel {kernel} (dilation {dilation}) is larger than the input {sizes} with padding {padding}."
        )
    return {"out": out, "stride": stride, "padding": padding, "dilation": dilation}


def _conv(dims: int) -> Any:
    def conv(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
        name = conv.__name__
        _checked(name, x, weight, bias, dims, groups, False)
        stride, dilation = per_dim(stride, dims, "stride"), per_dim(dilation, dims, "dilation")
        if isinstance(padding, str):
            x, padding = _named_padding(name, x, weight, padding, stride, dilation)
        padding = per_dim(padding, dims, "padding")
        image = _image_settings(_placed(name, x.shape[-dims:], weight.shape[2:], stride, padding, dilation))

        def of_batch(x: Any) -> Any:
            z = convolution(_as_image(x), _as_image(weight), bias, groups=groups, **image)
            return reshape(z, shape=(*z.shape[:2], z.shape[3])) if dims == 1 else z

        return batched(x, dims, of_batch)

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
        image = _image_settings({"sizes": sizes, "stride": stride, "padding": padding, "dilation": dilation})

        def of_batch(x: Any) -> Any:
            z = conv_input(_as_image(x), _as_image(weight), groups=groups, **image)
            z = reshape(z, shape=(*z.shape[:2], z.shape[3])) if dims == 1 else z
            return z if bias is None else z + reshape(bias, shape=(-1,) + (1,) * dims)

        return batched(x, dims, of_batch)

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


# -- windows, for users ----------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, kernel, out, stride, padding, dilation: _from_columns(
    g, sizes=x.shape[2:], kernel=kernel, out=out, stride=stride, padding=padding, dilation=dilation
))  # fmt: skip
def _to_columns(x: Any, *, kernel: Any, out: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Every window of an image as a column; the gradients of windows that overlap add up.

    z[n, (c, k), p] = x[n, c, p·stride + k·dilation - padding];  ∂x = Σ g over the columns an element is in
    """
    n, channels = x.shape[:2]
    z = windows(spread_out(x, kernel, out, stride, padding, dilation, 1), kernel[0], out[0], stride[0], dilation[0])
    z = np.reshape(z, (out[0], kernel[0], channels, *kernel[1:], *out[1:], n))
    dims = len(kernel)
    z = np.transpose(z, (-1, 2, 1, *range(3, 2 + dims), 0, *range(2 + dims, 1 + 2 * dims)))
    return np.reshape(z, (n, channels * math.prod(kernel), math.prod(out)))


@op(dx=lambda g, z, x, sizes, kernel, out, stride, padding, dilation: _to_columns(
    g, kernel=kernel, out=out, stride=stride, padding=padding, dilation=dilation
))  # fmt: skip
def _from_columns(x: Any, *, sizes: Any, kernel: Any, out: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Put windows back where they came from; where they overlap they add up.

    z[n, c, p·stride + k·dilation - padding] += x[n, (c, k), p];  ∂x = g's windows
    """
    n, dims = x.shape[0], len(kernel)
    columns = np.reshape(x, (n, x.shape[1] // math.prod(kernel), *kernel, *out))
    columns = np.transpose(columns, (2 + dims, 2, 1, *range(3, 2 + dims), *range(3 + dims, 2 + 2 * dims), 0))
    columns = np.reshape(columns, (out[0], x.shape[1], math.prod(out[1:]) * n))
    per_channel = x.shape[1] // math.prod(kernel)
    return windows_put_back(columns, x, per_channel, 1, sizes, kernel, out, stride, padding, dilation)


def _window_arguments(name: str, sizes: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> dict[str, Any]:
    kernel, stride = per_dim(kernel_size, 2, "kernel_size"), per_dim(stride, 2, "stride")
    dilation, padding = per_dim(dilation, 2, "dilation"), per_dim(padding, 2, "padding")
    return {"kernel": kernel, **_placed(name, sizes, kernel, stride, padding, dilation)}


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Every window of an image as a column: a convolution is a matrix product with these columns.

    z[n, (c, k), p] = x[n, c, p·stride + k·dilation - padding]

    Args:
        x: (samples, channels, height, width), or one sample without the first dim.

    Raises:
        ShapeError: windows that do not fit.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.unfold.html
    """
    if x.ndim not in (3, 4) or 0 in x.shape[-3:]:
        raise ShapeError(
            f"unfold takes (samples, channels, height, width) or one sample without the first dim, not {describe(x)}."
        )
    how = _window_arguments("unfold", x.shape[-2:], kernel_size, dilation, padding, stride)
    return batched(x, 2, lambda x: _to_columns(x, **how))


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Put the columns that `unfold` makes back into an image; where windows overlap they add up.

    z[n, c, p·stride + k·dilation - padding] = Σ x[n, (c, k), p]

    Args:
        x: (samples, channels · kernel size, positions), or one sample without the first dim.
        output_size: height and width of the image.

    Raises:
        ShapeError: numbers of rows or columns that do not fit.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.fold.html
    """
    sizes = per_dim(output_size, 2, "output_size")
    how = _window_arguments("fold", sizes, kernel_size, dilation, padding, stride)
    size, positions = math.prod(how["kernel"]), math.prod(how["out"])
    if x.ndim not in (2, 3) or x.shape[-2] % size or x.shape[-1] != positions or not x.shape[-2]:
        raise ShapeError(
            f"fold: for an output of {sizes} these settings need ([samples,] a multiple of {size} rows, {positions} columns), not {describe(x)}."
        )
    return batched(x, 1, lambda x: _from_columns(x, sizes=sizes, **how))
