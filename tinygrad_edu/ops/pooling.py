"""Pooling in any number of dimensions: one number for every window of the input.

Sums of windows and their adjoint are each other's derivative, as are picking a window's largest element and giving a
gradient back to it; average, power-average and max pooling and their derivatives of any order are made of these four.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from ..backend import BITS, require
from ..errors import DtypeError, ShapeError, describe
from ..op import op
from ..tensor import raw, wrap
from .arithmetic import div, pow
from .convolution import batched, per_dim
from .elementwise import abs
from .indexing import largest_unsigned, where
from .padding import slices
from .reduction import max as max_along
from .reduction import mean
from .scatter import scatter
from .shape import reshape

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d",
    "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip


# -- windows ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Windows:
    """Where windows lie on an input of these sizes, each dim for itself: `spans` has the places that every window covers, of which
    some may lie outside, in the padding."""

    sizes: tuple[int, ...]
    spans: tuple[tuple[range, ...], ...]

    def __str__(self) -> str:
        """How many windows, and how large: `4×4 of 2×2`."""
        return " of ".join("×".join(map(str, counts)) for counts in (self.out, [max(map(len, spans)) for spans in self.spans]))

    @cached_property
    def out(self) -> tuple[int, ...]:
        """How many windows there are."""
        return tuple(map(len, self.spans))

    @cached_property
    def parts(self) -> list[list[tuple[Any, Any]]]:
        """For each size, as slices: the k-th elements of windows, one k after the other, and which windows these are."""
        found: list[list[tuple[Any, Any]]] = []
        for size, spans in zip(self.sizes, self.spans, strict=True):
            others = (slice(None),) * (len(found) + 2)
            found.append([])
            for k in range(max(map(len, spans), default=0)):
                pairs = [(span[k], i) for i, span in enumerate(spans) if k < len(span) and 0 <= span[k] < size]
                found[-1] += [((*others, place), (*others, met)) for place, met in slices(pairs)]
        return found

    @cached_property
    def fit(self) -> bool:
        """Whether every window lies within the input, and all are alike: each part is of all windows."""
        return all(
            parts and all(len(span) == len(parts) and span[0] >= 0 and span[-1] < n for span in spans)
            for n, spans, parts in zip(self.sizes, self.spans, self.parts, strict=True)
        )

    @cached_property
    def apart(self) -> bool:
        """Whether no two windows share an element."""
        return all(sum(map(len, spans)) == len({*itertools.chain(*spans)}) for spans in self.spans)

    @cached_property
    def tile(self) -> bool:
        """Whether every element of the input lies in just one window: what is put back then fills new memory, a sixth quicker."""
        return self.fit and self.apart and all(n == sum(map(len, s)) for n, s in zip(self.sizes, self.spans, strict=True))

    def stages(self, x: Any, function: Callable, start: Any) -> list[Any]:
        """x, then with the numbers of each window combined by a function of two (maximum, add) along the last size, the last two, ..."""
        found = [_sizes_first(x)]
        for i, parts in reversed([*enumerate(self.parts)]):
            x = found[-1]
            if self.fit and len(parts) > 1:
                (first, _), (second, _), *parts = parts
                z = function(x[first], x[second])
            else:
                z = np.full_like(x, start, shape=(*x.shape[: i + 2], self.out[i], *x.shape[i + 3 :]))
            for place, met in parts:
                function(z[met], x[place], out=z[met])
            found.append(z)
        return found


def _sizes_first(x: Any) -> Any:
    """x, in memory with samples and channels innermost if rows of them are longer: slices of it are several times as quick then."""
    if x.strides[-1] != x.itemsize or x.shape[0] * x.shape[1] <= x.shape[-1]:
        return x
    sizes = range(2, x.ndim)
    return x.transpose(*sizes, 0, 1).copy().transpose(-2, -1, *(d - 2 for d in sizes))


# -- sums of windows -------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, windows: _window_spread(g, windows=windows))
def _window_sum(x: Any, *, windows: Windows) -> Any:
    """Add up the numbers of every window.

    z[p] = Σ x[p·stride + k - padding] over k;  ∂x = g, added to every number of its window
    """
    return windows.stages(x, np.add, 0)[-1]


@op(dx=lambda g, z, x, windows: _window_sum(g, windows=windows))
def _window_spread(x: Any, *, windows: Windows) -> Any:
    """Add a number to all places of its window: the derivative of sums of windows.

    z[p·stride + k - padding] += x[p] for all k;  ∂x = Σ g of the window
    """
    x = _sizes_first(x)
    for i, (size, parts) in enumerate(zip(windows.sizes, windows.parts, strict=True)):
        larger = (np.empty_like if windows.tile else np.zeros_like)(x, shape=(*x.shape[: i + 2], size, *x.shape[i + 3 :]))
        for place, met in parts:
            if windows.apart:
                larger[place] = x[met]
            else:
                larger[place] += x[met]
        x = larger
    return x


# -- the largest element of windows ----------------------------------------------------------------------------------
def _maxima(x: Any, windows: Windows) -> list[Any]:
    return windows.stages(x, np.maximum, -math.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)


def _may_hold_nan(x: Any) -> bool:
    """Whether there is a NaN; of an array on a GPU there may be, since a look would make the CPU wait."""
    return not isinstance(x, np.ndarray) or bool((x != x).any())


def _largest(x: Any, z: Any, parts: Any, nan: bool) -> Iterator[tuple[Any, Any, Any]]:
    """For each offset along one size: what it meets, in which windows, and in which of these that can be the largest, z.

    The first of these that is met has it: among equals the first, and of several NaN the last, as in PyTorch.
    """
    if nan:
        yield from ((place, met, x[place] != x[place]) for place, met in reversed(parts))
    yield from ((place, met, x[place] == z[met]) for place, met in parts)


@op(keeps="stages", dx=lambda g, z, x, windows, stages: _max_spread(g, x, z, windows=windows, stages=stages))
def _max_pool(x: Any, *, windows: Windows) -> Any:
    """The largest number of every window; its gradient goes to where that stands (the first of equals).

    z[p] = max x[p·stride + k·dilation - padding] over k;  ∂x = g at the largest element of the window
    """
    *stages, z = _maxima(x, windows)
    return z, stages


@op(dg=lambda gg, z, g, x, largest, windows, stages: _max_pick(gg, x, largest, windows=windows))
def _max_spread(g: Any, x: Any, largest: Any, *, windows: Windows, stages: Any = None) -> Any:
    """Give a number back to the place of the window's largest element: the derivative of max pooling.

    z[where x is largest in window p] += g[p];  ∂g[p] = the gradient there
    """
    stages = [*(stages or _maxima(x, windows)[:-1]), largest]
    nan = _may_hold_nan(largest)
    alone = windows.apart and windows.fit and not nan
    bits = BITS[g.dtype]  # handed on are the bits: 0 times those of infinity is 0, and these less themselves are 0
    given = np.empty_like(largest, dtype=g.dtype)
    given[...] = g  # a copy, and in memory as x is
    for parts, z, x in zip(windows.parts, stages[:0:-1], stages[-2::-1], strict=True):
        spread = (np.empty_like if windows.tile and not nan else np.zeros_like)(x, dtype=g.dtype)
        left, got = given.view(bits), spread.view(bits)
        if alone:  # what the others leave is the last one's
            last = got[parts[-1][0]]
            for place, _ in parts[:-1]:
                np.multiply(left, x[place] == z, out=got[place])
                left = np.subtract(left, got[place], out=last)
            if left is not last:
                last[...] = left
        else:
            for place, met, hit in _largest(x, z, parts, nan):
                share = left[met] * hit
                spread[place] += share.view(g.dtype)
                left[met] -= share
        given = spread
    return given


@op(dy=lambda g, z, y, x, largest, windows: _max_spread(g, x, largest, windows=windows))
def _max_pick(y: Any, x: Any, largest: Any, *, windows: Windows) -> Any:
    """Pick from y the element that stands where x has the largest of the window.

    z[p] = y[where x is largest in window p];  ∂y = g there
    """
    stages, nan = _maxima(x, windows), _may_hold_nan(largest)
    for parts, x, z in zip(reversed(windows.parts), stages, stages[1:], strict=False):
        picked = np.zeros_like(z, dtype=y.dtype)
        for place, met, hit in reversed(list(_largest(x, z, parts, nan))):  # so that the first has the last word
            picked[met] = np.where(hit, y[place], picked[met])
        y = picked
    return y


# -- arguments -------------------------------------------------------------------------------------------------------
def _sizes(name: str, x: Any, dims: int) -> tuple[int, ...]:
    """The sizes of an input that may lack the samples' dim."""
    if x.ndim not in (dims + 1, dims + 2) or 0 in x.shape[-dims - 1 :]:
        raise ShapeError(
            f"{name} takes (samples, channels, {dims} size{'s' * (dims > 1)}) or one sample without the first dim, and only the samples "
            f"may be none; this is {describe(x)}."
        )
    return tuple(x.shape[-dims:])


def _kernel_and_stride(kernel_size: Any, stride: Any, dims: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """One number of each per dim; the stride is the kernel's size unless it is given."""
    kernel = per_dim(kernel_size, dims, "kernel_size")
    return kernel, kernel if stride is None or stride in ((), []) else per_dim(stride, dims, "stride")


def _windows(
    name: str, x: Any, dims: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1, ceil_mode: bool = False
) -> Windows:
    """The windows that these arguments mean, checked."""
    sizes = _sizes(name, x, dims)
    kernel, stride = _kernel_and_stride(kernel_size, stride, dims)
    padding, dilation = per_dim(padding, dims, "padding"), per_dim(dilation, dims, "dilation")
    return _placed(name, sizes, kernel, stride, padding, dilation, ceil_mode)


@lru_cache(maxsize=256)
def _placed(name: str, sizes: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Windows:
    if min(kernel) < 1 or min(stride) < 1 or min(dilation) < 1:
        raise RuntimeError(f"{name}: kernel_size {kernel}, stride {stride} and dilation {dilation} must be positive.")
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(p < 0 or p > r // 2 for p, r in zip(padding, reach, strict=True)):
        raise RuntimeError(f"{name}: padding must be from 0 to half of what the kernel covers, {tuple(reach)}; it is {padding}.")
    out = []
    for n, s, p, r in zip(sizes, stride, padding, reach, strict=True):
        count = (n + 2 * p - r + (s - 1 if ceil_mode else 0)) // s + 1
        out.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)  # a window must not begin behind the input
    if min(out) < 1:
        raise ShapeError(f"{name}: windows that cover {tuple(reach)} do not fit the sizes {sizes} with padding {padding}.")
    spans = (
        tuple(range(start, start + d * k, d) for start in range(-p, s * n - p, s))
        for k, s, p, d, n in zip(kernel, stride, padding, dilation, out, strict=True)
    )
    return Windows(sizes, tuple(spans))


def _named(function: Callable, name: str, doc: str) -> Callable:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}\n\n    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.{name}.html\n    "
    return function


# -- what users call, for each number of dims ------------------------------------------------------------------------
def _max_pool_of(dims: int) -> Callable:
    def max_pool(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        windows = _windows(name, x, dims, kernel_size, stride, padding, dilation, ceil_mode)
        return batched(x, dims, lambda x: _largest_of(x, windows, return_indices))

    name = f"max_pool{dims}d"
    return _named(
        max_pool,
        name,
        """The largest number of every window; its gradient goes to where that stands.

    z[n, c, p] = max x[n, c, p·stride + k·dilation - padding] over k

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        kernel_size, stride, padding, dilation: an integer or one per dim; stride is kernel_size unless given.
        ceil_mode: let the last window reach beyond the input.
        return_indices: also return where each maximum stands, counted through the sizes row by row (for max_unpool).""",
    )


def _largest_of(x: Any, windows: Windows, return_indices: bool) -> Any:
    """The largest number of every window; if asked for, also where it stands among the elements of its channel."""
    z = _max_pool(x, windows=windows)
    if not return_indices:
        return z
    array = raw(x)
    places = np.reshape(np.arange(math.prod(windows.sizes), like=array), (1, 1, *windows.sizes))
    return z, wrap(_max_pick(np.broadcast_to(places, x.shape), array, raw(z), windows=windows))


def _max_unpool_of(dims: int) -> Callable:
    def max_unpool(x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
        _sizes(name, x, dims)
        if raw(indices).dtype != np.int64:
            raise DtypeError(f"{name}: the indices must be int64, as max_pool returns them, not {describe(indices)}.")
        if tuple(indices.shape) != tuple(x.shape):
            raise ShapeError(f"{name} needs one index per number: {describe(x)} and {describe(indices)}.")
        (kernel, stride), padding = _kernel_and_stride(kernel_size, stride, dims), per_dim(padding, dims, "padding")
        usual = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(x.shape[-dims:], stride, padding, kernel, strict=True))
        sizes = usual if output_size is None else tuple(output_size)[-dims:]
        if min(stride) < 1 or min(sizes) < 0 or len(tuple(output_size or sizes)) not in (dims, dims + 1, dims + 2):
            raise ValueError(
                f"{name}: the stride {stride} must be positive and output_size give {dims} sizes, not {output_size}."
            )
        if any(not u - s < n < u + s for n, u, s in zip(sizes, usual, stride, strict=True)):
            raise ValueError(f"{name}: output_size {sizes} must be less than the stride {stride} away from {usual}.")
        total = math.prod(sizes)
        index = np.reshape(raw(indices), (*x.shape[:-dims], math.prod(x.shape[-dims:])))
        message = f"{name}: an index lies outside of the output's sizes {sizes}; is output_size that of the pooled input?"
        if index.size:
            require(largest_unsigned(index) < total, lambda: IndexError(message))
        zeros = np.zeros_like(raw(x), shape=(*x.shape[:-dims], total), order="C")
        z = scatter(wrap(zeros), -1, wrap(index), reshape(x, shape=index.shape))
        return reshape(z, shape=(*x.shape[:-dims], *sizes))

    name = f"max_unpool{dims}d"
    return _named(
        max_unpool,
        name,
        """Put maxima back where max pooling found them, with zeros elsewhere.

    z[n, c, indices[n, c, p]] = x[n, c, p], else 0

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        indices: what max pooling with return_indices=True returned.
        kernel_size, stride, padding: of that pooling.
        output_size: the sizes before pooling, where several lead to the same.""",
    )


def _avg_pool_of(dims: int) -> Callable:
    def avg_pool(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        windows = _windows(name, x, dims, kernel_size, stride, padding, 1, ceil_mode)
        if divisor_override == 0:
            raise RuntimeError(f"{name}: divisor_override must not be 0.")
        beyond = per_dim(padding if count_include_pad else 0, dims, "padding")
        return batched(x, dims, lambda x: _averages(x, windows, beyond, divisor_override))

    def avg_pool_1d(
        x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> Any:
        return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad)

    name = f"avg_pool{dims}d"
    return _named(
        avg_pool_1d if dims == 1 else avg_pool,
        name,
        """The average of every window.

    z[n, c, p] = Σ x[n, c, p·stride + k - padding] / count over k

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        kernel_size, stride, padding: an integer or one per dim; stride is kernel_size unless given.
        ceil_mode: let the last window reach beyond the input.
        count_include_pad: whether the zeros of the padding count."""
        + ("" if dims == 1 else "\n        divisor_override: divide by this instead."),
    )


def _averages(x: Any, windows: Windows, beyond: tuple[int, ...], divisor: int | None = None) -> Any:
    """Sums of windows over the number of elements in each, those included that lie so far beyond the input."""
    count: Any = divisor
    if count is None and windows.fit:
        count = math.prod(len(spans[0]) for spans in windows.spans)
    elif count is None:
        per_dim_counts = [
            [sum(-b <= i < n + b for i in span) for span in spans]
            for n, b, spans in zip(windows.sizes, beyond, windows.spans, strict=True)
        ]
        counts = [math.prod(each) for each in itertools.product(*per_dim_counts)]
        count = wrap(np.reshape(np.asarray(counts, dtype=x.dtype, like=raw(x)), windows.out))
    z = _window_sum(x, windows=windows)
    return div(z, count, rounding_mode=None if x.dtype.kind == "f" else "trunc")


def _lp_pool_of(dims: int) -> Callable:
    max_pool, avg_pool = _max_pool_of(dims), _avg_pool_of(dims)

    def lp_pool(x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        if norm_type == math.inf:
            return max_pool(abs(x), kernel_size, stride, 0, 1, ceil_mode)
        if norm_type == -math.inf:
            return -max_pool(-abs(x), kernel_size, stride, 0, 1, ceil_mode)
        powers = avg_pool(pow(x, norm_type), kernel_size, stride, 0, ceil_mode) * math.prod(
            per_dim(kernel_size, dims, "kernel_size")
        )
        zero = powers == 0  # the root's derivative there is infinite; the gradient is 0
        return where(zero, 0.0 if norm_type > 0 else math.inf, pow(where(zero, 1, powers), 1 / norm_type))

    return _named(
        lp_pool,
        f"lp_pool{dims}d",
        """The p-norm of every window (without taking absolute values, so that an odd p can give NaN).

    z[n, c, w] = (Σ x[n, c, w·stride + k]^p)^(1/p)

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        norm_type: p; with infinity the largest absolute value.
        kernel_size, stride: an integer or one per dim; stride is kernel_size unless given.
        ceil_mode: let the last window reach beyond the input.""",
    )


# -- adaptive pooling: as many windows as asked for ------------------------------------------------------------------
def _output_sizes(name: str, x: Any, dims: int, output_size: Any) -> tuple[int, ...]:
    """The sizes asked for, where None keeps the input's."""
    sizes = _sizes(name, x, dims)
    wanted = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * dims
    if len(wanted) != dims:
        raise RuntimeError(f"{name}: output_size must be one size or {dims}, not {output_size!r}.")
    found = per_dim(tuple(n if m is None else m for n, m in zip(sizes, wanted, strict=True)), dims, "output_size")
    if min(found) < 0:
        raise RuntimeError(f"{name}: output_size must not be negative, and it is {found}.")
    return found


@lru_cache(maxsize=256)
def _covering(sizes: tuple[int, ...], counts: tuple[int, ...]) -> Windows:
    """So many windows that cover the sizes as evenly as possible; they may overlap."""
    spans = (
        tuple(range(i * n // count, -(-(i + 1) * n // count)) for i in range(count))
        for n, count in zip(sizes, counts, strict=True)
    )
    return Windows(sizes, tuple(spans))


def _adaptive_avg_pool_of(dims: int) -> Callable:
    def adaptive_avg_pool(x: Any, output_size: Any) -> Any:
        wanted = _output_sizes(name, x, dims, output_size)
        if all(m == 1 for m in wanted):
            return mean(x, tuple(range(-dims, 0)), keepdim=True)
        windows = _covering(tuple(x.shape[-dims:]), wanted)
        return batched(x, dims, lambda x: _averages(x, windows, (0,) * dims))

    name = f"adaptive_avg_pool{dims}d"
    return _named(
        adaptive_avg_pool,
        name,
        """Average windows of such sizes that this many of them cover the input.

    z[n, c, i] = mean x[n, c, ⌊i·size/count⌋ to ⌈(i+1)·size/count⌉]

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        output_size: an integer or one per dim; None keeps the input's.""",
    )


def _adaptive_max_pool_of(dims: int) -> Callable:
    def adaptive_max_pool(x: Any, output_size: Any, return_indices: bool = False) -> Any:
        wanted = _output_sizes(name, x, dims, output_size)
        lead, sizes = tuple(x.shape[:-dims]), tuple(x.shape[-dims:])
        if all(m == 1 for m in wanted):
            found = max_along(reshape(x, shape=(*lead, math.prod(sizes))), -1)
            z, index = (reshape(part, shape=(*lead, *wanted)) for part in found)
            return (z, index) if return_indices else z
        windows = _covering(sizes, wanted)
        return batched(x, dims, lambda x: _largest_of(x, windows, return_indices))

    name = f"adaptive_max_pool{dims}d"
    return _named(
        adaptive_max_pool,
        name,
        """The largest number of each of as many windows as asked for.

    z[n, c, i] = max x[n, c, ⌊i·size/count⌋ to ⌈(i+1)·size/count⌉]

    Args:
        x: (samples, channels, sizes), or one sample without the first dim.
        output_size: an integer or one per dim; None keeps the input's.
        return_indices: also return where each maximum stands, counted through the sizes row by row.""",
    )


max_pool1d, max_pool2d, max_pool3d = map(_max_pool_of, (1, 2, 3))
max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool_of, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool_of, (1, 2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool_of, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool_of, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool_of, (1, 2, 3))
