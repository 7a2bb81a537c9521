"""Order: sorting, ranks and what occurs how often. Values are taken by index, so gradients go to the elements chosen."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .. import dtypes
from ..errors import DtypeError, ShapeError, describe
from ..op import no_derivative, op
from ..tensor import Tensor, raw, wrap
from .cumulative import running
from .reduction import Picked, along, pick, tied
from .scatter import gather
from .shape import movedim, one_dim, ravel, reshape

__all__ = [
    "argsort", "bincount", "bucketize", "histc", "histogram", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "quantile",
    "searchsorted", "sort", "topk", "unique", "unique_consecutive",
]  # fmt: skip


# -- sorting ---------------------------------------------------------------------------------------------------------
def _order(array: Any, dim: int, descending: bool = False) -> Any:
    """The indices that sort along a dim. Equal elements keep their order, NaN counts as the largest."""
    if not descending:
        return np.argsort(array, axis=dim, kind="stable")
    backwards = np.argsort(np.flip(array, dim), axis=dim, kind="stable")  # turned round twice: equal elements keep their order
    return array.shape[dim] - 1 - np.flip(backwards, dim)


def _sorted(x: Any, dim: int, descending: bool) -> Picked:
    return pick(x, dim, _order(raw(x), dim, descending))


def sort(x: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Picked:
    """The elements in order along a dim, and where they stood; each gradient goes back to where its element stood.

    Args:
        stable: equal elements always keep their order here.

    >>> from tinygrad_edu import sort, tensor
    >>> sort(tensor([3, 1, 2]))
    Picked(values=tensor([1, 2, 3]), indices=tensor([1, 2, 0]))

    Source: https://pytorch.org/docs/stable/generated/torch.sort.html
    """
    return along(_sorted, x, dim, descending=descending)


def argsort(x: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Tensor:
    """The indices that put the elements in order along a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.argsort.html
    """
    return along(lambda x, dim: wrap(_order(raw(x), dim, descending)), x, dim)


def msort(x: Any) -> Any:
    """The elements in order along the first dim.

    Source: https://pytorch.org/docs/stable/generated/torch.msort.html
    """
    return sort(x, 0).values


# -- elements by their rank ------------------------------------------------------------------------------------------
LONG = 64  # from so many elements on it pays to find the k largest ones before they are put in order


def _first(array: Any, k: int, dim: int, largest: bool) -> Any:
    """The indices of the k largest (or smallest) elements along a dim, in order."""
    n, before = array.shape[dim], (slice(None),) * dim
    if n < LONG or not 0 < k < n // 4:
        return _order(array, dim, largest)[(*before, slice(k))]
    rank, part = (n - k, slice(n - k, n)) if largest else (k, slice(k))
    found = np.argpartition(array, rank, axis=dim)[(*before, part)]
    found.sort(axis=dim)  # so that equal elements keep their order
    return np.take_along_axis(found, _order(np.take_along_axis(array, found, dim), dim, largest), dim)


def topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Picked:
    """The k largest (or smallest) elements along a dim, in order, and where they stood.

    Source: https://pytorch.org/docs/stable/generated/torch.topk.html
    """

    def first_k(x: Any, dim: int) -> Picked:
        _check_rank("topk", x, k, dim, 0)
        return pick(x, dim, _first(raw(x), k, dim, largest))

    return along(first_k, x, dim)


def kthvalue(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Picked:
    """The k-th smallest element along a dim (k counts from 1), and where it stands.

    Source: https://pytorch.org/docs/stable/generated/torch.kthvalue.html
    """

    def kth(x: Any, dim: int) -> Picked:
        _check_rank("kthvalue", x, k, dim, 1)
        return pick(x, dim, np.argpartition(raw(x), k - 1, axis=dim)[(slice(None),) * dim + (slice(k - 1, k),)], keepdim)

    return along(kth, x, dim)


def _check_rank(name: str, x: Any, k: int, dim: int, least: int) -> None:
    if not least <= k <= x.shape[dim]:
        raise RuntimeError(f"{name}: k={k} must be between {least} and the size {x.shape[dim]} of dim {dim} of {describe(x)}.")


@op(dx=lambda g, z, x, skip_nan: tied(g, z, x, None, False))
def _median(x: Any, *, skip_nan: bool) -> Any:
    """The element in the middle of all; equal ones share its gradient evenly.

    z = the middle of x;  ∂x = g / (number of elements equal to z) at those, else 0
    """
    array = x.reshape(-1)
    return array[_middle(array, 0, skip_nan)[0]]


def _middle(array: Any, dim: int, skip_nan: bool) -> Any:
    """The index of the element in the middle along a dim: the lower one of two; the first NaN, if NaNs are not skipped."""
    missing = np.sum(array != array, axis=dim, keepdims=True)  # NaNs, which are sorted behind all others
    there = array.shape[dim] - missing
    rank = np.maximum(there - 1, 0) // 2
    if not skip_nan:
        rank = np.where(missing > 0, there, rank)
    return np.take_along_axis(np.argsort(array, axis=dim), rank, dim)


def median(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The element in the middle (the lower one of two): of all, or along a dim with its index. NaN if there is one.

    Source: https://pytorch.org/docs/stable/generated/torch.median.html
    """
    return _either_median("median", x, dim, keepdim, False)


def nanmedian(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """As `median`, passing over NaNs.

    Source: https://pytorch.org/docs/stable/generated/torch.nanmedian.html
    """
    return _either_median("nanmedian", x, dim, keepdim, True)


def _either_median(name: str, x: Any, dim: int | None, keepdim: bool, skip_nan: bool) -> Any:
    if dim is None:
        if keepdim:
            raise TypeError(f"{name}: keepdim needs a dim.")
        if not math.prod(x.shape):
            return x.mean()  # nan, and refused for integers
        return _median(x, skip_nan=skip_nan)

    def middle(x: Any, dim: int) -> Picked:
        _some(name, x, dim)
        return pick(x, dim, _middle(raw(x), dim, skip_nan), keepdim)

    return along(middle, x, dim)


def _some(name: str, x: Any, dim: int) -> None:
    if not x.shape[dim]:
        raise IndexError(f"{name}: dim {dim} of {describe(x)} is empty.")


def mode(x: Any, dim: int = -1, keepdim: bool = False) -> Picked:
    """The element that occurs most often along a dim (the smallest of several), and where it stands last.

    Source: https://pytorch.org/docs/stable/generated/torch.mode.html
    """

    def most_frequent(x: Any, dim: int) -> Picked:
        _some("mode", x, dim)
        order = np.moveaxis(_order(raw(x), dim), dim, 0)
        rows = np.take_along_axis(np.moveaxis(raw(x), dim, 0), order, 0)
        place = np.arange(len(rows), like=order).reshape((-1,) + (1,) * (rows.ndim - 1))
        begins = np.zeros_like(order)  # where the run of equal elements that each one is in begins
        begins[1:] = np.where(rows[1:] == rows[:-1], 0, place[1:])
        last = np.expand_dims(np.argmax(place - running(np.maximum, begins, 0), axis=0), 0)
        return pick(x, dim, np.moveaxis(np.take_along_axis(order, last, 0), 0, dim), keepdim)

    return along(most_frequent, x, dim)


# -- quantiles -------------------------------------------------------------------------------------------------------
_ROUNDED: dict[str, Any] = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}


def quantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """The value below which the part q of the elements lies, interpolated between two elements. NaN if there is one.

    z = x₍ᵢ₎ + (x₍ᵢ₊₁₎ - x₍ᵢ₎)·(p - i), where p = q·(n - 1), i = ⌊p⌋ and x₍₀₎ ≤ x₍₁₎ ≤ ... are the elements in order

    Args:
        q: a number in [0, 1], or a vector of them, which becomes the first dim of the result.
        interpolation: "linear"; "lower", "higher" or "nearest" take one of the two elements, "midpoint" their average.

    Source: https://pytorch.org/docs/stable/generated/torch.quantile.html
    """
    return _quantile("quantile", x, q, dim, keepdim, interpolation, False)


def nanquantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Any:
    """As `quantile`, passing over NaNs.

    Source: https://pytorch.org/docs/stable/generated/torch.nanquantile.html
    """
    return _quantile("nanquantile", x, q, dim, keepdim, interpolation, True)


def _quantile(name: str, x: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool) -> Any:
    if x.dtype not in (dtypes.float32, dtypes.float64):
        raise DtypeError(f"{name} takes float32 or float64, and this is {describe(x)}.")
    if isinstance(q, Tensor) and q.dtype != x.dtype:
        raise DtypeError(f"{name}: q and the tensor must have one dtype; q is {q.dtype}, the tensor {x.dtype}.")
    if interpolation not in ("linear", "midpoint", *_ROUNDED):
        raise RuntimeError(f"{name}: there is no interpolation {interpolation!r}.")
    q = q if isinstance(q, Tensor) else wrap(np.asarray(q, dtype=x.dtype, like=x.array))
    if q.ndim > 1 or not ((raw(q) >= 0) & (raw(q) <= 1)).all():
        raise RuntimeError(f"{name}: q must be a number or a vector of numbers in [0, 1], not {q}.")
    if not math.prod(x.shape):
        raise RuntimeError(f"{name} of no elements: {describe(x)} is empty.")
    d = 0 if dim is None else one_dim(dim, x.ndim)
    kept = (1,) * x.ndim if dim is None else tuple(1 if i == d else n for i, n in enumerate(x.shape))  # the shape with keepdim
    rows = movedim(sort(ravel(x) if dim is None or not x.ndim else x, d).values, d, -1)

    missing = np.sum(rows.array != rows.array, axis=-1, keepdims=True)  # NaNs, which are sorted behind all others
    last = rows.shape[-1] - 1
    position = ravel(q) * wrap((np.maximum(last - missing, 0) if skip_nan else np.full_like(missing, last)).astype(x.dtype))
    if not skip_nan:
        position = position.masked_fill(wrap(missing > 0), last)
    if interpolation in _ROUNDED:
        z = gather(rows, -1, wrap(_ROUNDED[interpolation](position.array).astype(np.int64)))
    else:
        low = np.floor(position.array)
        below, above = (gather(rows, -1, wrap(at.astype(np.int64))) for at in (low, np.ceil(position.array)))
        z = below + (above - below) * (position - wrap(low) if interpolation == "linear" else 0.5)

    z = movedim(z, -1, 0)  # one row for each q
    if keepdim:
        z = reshape(z, shape=(*z.shape[:1], *kept))
    elif not x.ndim:
        z = reshape(z, shape=z.shape[:1])
    return z if q.ndim else z[0]


# -- what occurs how often -------------------------------------------------------------------------------------------
@op(joint=no_derivative)
def _found(*xs: Any, numbers: Any) -> Any:
    """Numbers found in tensors, or counted, in a way through which no gradient is offered.

    z = numbers;  ∂xᵢ is not offered
    """
    return numbers


def unique(
    x: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Every element that occurs, once and in order; with dim, every slice along it.

    Returns:
        The elements, of which backward refuses the gradient; if asked for, also where each element of x stands among them, and how
        often each occurs.

    >>> from tinygrad_edu import tensor, unique
    >>> unique(tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))

    Source: https://pytorch.org/docs/stable/generated/torch.unique.html
    """
    found, inverse, counts = np.unique(
        raw(x),
        return_inverse=True,
        return_counts=True,
        axis=None if dim is None else one_dim(dim, x.ndim),
        equal_nan=False,
    )
    return _asked_for(x, found, inverse.reshape(x.shape if dim is None else -1), counts, return_inverse, return_counts)


def unique_consecutive(x: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The first element of every run of equal ones; with dim, of slices along it.

    Source: https://pytorch.org/docs/stable/generated/torch.unique_consecutive.html
    """
    d = 0 if dim is None else one_dim(dim, x.ndim)
    rows = raw(x).reshape(-1) if dim is None else np.moveaxis(raw(x), d, 0)
    starts = np.ones_like(rows, shape=len(rows), dtype=bool)
    starts[1:] = np.any(rows[1:] != rows[:-1], axis=tuple(range(1, rows.ndim)))
    run = np.cumsum(starts) - 1
    inverse = run.reshape(x.shape) if dim is None else run
    return _asked_for(x, np.moveaxis(rows[starts], 0, d), inverse, np.bincount(run), return_inverse, return_counts)


def _asked_for(x: Tensor, found: Any, inverse: Any, counts: Any, return_inverse: bool, return_counts: bool) -> Any:
    results = [_found(x, numbers=found)] + [wrap(inverse)] * return_inverse + [wrap(counts)] * return_counts
    return tuple(results) if len(results) > 1 else results[0]


def bincount(x: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2 ... occurs, or the sum of its weights.

    z[i] = number of x = i

    Source: https://pytorch.org/docs/stable/generated/torch.bincount.html
    """
    if x.ndim != 1 or x.dtype.kind not in "iu" or (raw(x) < 0).any() or minlength < 0:
        raise RuntimeError(
            f"bincount takes a vector of integers of 0 or more, and minlength of 0 or more; got {describe(x)}, {minlength}."
        )
    if weights is None:
        return wrap(np.bincount(raw(x), minlength=minlength))
    if weights.shape != x.shape:
        raise RuntimeError(f"bincount needs one weight for each element: {describe(weights)} for {describe(x)}.")
    counts = np.bincount(raw(x), raw(weights), minlength)
    return _found(weights, numbers=counts.astype(np.float32) if weights.dtype == np.float32 else counts)


def histc(x: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of some bins of equal width from min to max (both 0: from the smallest to the largest).

    Source: https://pytorch.org/docs/stable/generated/torch.histc.html
    """
    if x.dtype.kind != "f" or bins < 1:
        raise RuntimeError(f"histc takes floating-point tensors and at least one bin, not {describe(x)} and {bins}.")
    if min == max and raw(x).size:
        min, max = float(raw(x).min()), float(raw(x).max())
    if min == max:
        min, max = min - 1, max + 1
    if not (min < max and math.isfinite(max - min)):
        raise RuntimeError(f"histc: there are no bins from {min} to {max}.")
    return wrap(np.histogram(raw(x), bins, (min, max))[0].astype(x.dtype))


class Histogram(NamedTuple):
    hist: Tensor
    bin_edges: Tensor


def histogram(
    input: Tensor,
    bins: Any = 100,
    *,
    range: tuple[float, float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Histogram:
    """How many elements lie in each bin, and the bins' edges.

    Args:
        bins: how many bins of equal width, or a tensor of their edges.
        range: from where to where (default: from the smallest to the largest element).
        weight: as what each element counts, instead of as 1.
        density: divide so that the areas hist · width add up to 1.

    >>> from tinygrad_edu import tensor
    >>> histogram(tensor([1.0, 2.0, 1.0]), 2)
    Histogram(hist=tensor([2., 1.]), bin_edges=tensor([1.0000, 1.5000, 2.0000]))

    Source: https://pytorch.org/docs/stable/generated/torch.histogram.html
    """
    if input.dtype.kind != "f":
        raise DtypeError(f"histogram takes floating-point tensors, not {describe(input)}.")
    if isinstance(bins, Tensor) and bins.ndim != 1:
        raise ShapeError(f"histogram: the edges of the bins must be a vector, not {describe(bins)}.")
    edges: Any
    weights: Any
    edges, weights = (raw(x).reshape(-1) if isinstance(x, Tensor) else x for x in (bins, weight))
    try:
        found = np.histogram(raw(input).reshape(-1), edges, range, density, weights)
    except ValueError as error:
        raise RuntimeError(f"histogram of {describe(input)} with bins {bins} and range {range}: {error}.") from None
    tensors = [x for x in (input, bins, weight) if isinstance(x, Tensor)]
    return Histogram(*(_found(*tensors, numbers=part.astype(input.dtype)) for part in found))


# -- places in a sorted sequence -------------------------------------------------------------------------------------
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Tensor:
    """Where each value would have to be put into a sorted sequence to keep it sorted: before equal ones, or behind if `right`.

    Args:
        sorted_sequence: a vector for all values, or one for each row of the values: equal sizes but for the last dim.
        side: "left" or "right", another way to say `right`.
        sorter: indices that sort the sequence, if it is not sorted.

    Source: https://pytorch.org/docs/stable/generated/torch.searchsorted.html
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RuntimeError(f'searchsorted: side must be "left" or "right" and agree with right={right}; it is {side!r}.')
    where: Any = "right" if right or side == "right" else "left"
    sequence = raw(sorted_sequence) if sorter is None else np.take_along_axis(raw(sorted_sequence), raw(sorter), -1)
    wanted = raw(input) if isinstance(input, Tensor) else np.asarray(input, like=sequence)
    if sequence.ndim != 1 and sequence.shape[:-1] != wanted.shape[:-1]:
        raise RuntimeError(f"searchsorted: except for the last, sizes must be equal: {sequence.shape} and {wanted.shape}.")
    found = np.zeros_like(wanted, dtype=np.int32 if out_int32 else np.int64)
    if sequence.ndim == 1:
        found[...] = np.searchsorted(sequence, wanted, where)
    else:
        for row in np.ndindex(wanted.shape[:-1]):
            found[row] = np.searchsorted(sequence[row], wanted[row], where)
    return wrap(found)


def bucketize(x: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """In which of the buckets between sorted boundaries each element lies.

    Source: https://pytorch.org/docs/stable/generated/torch.bucketize.html
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: the boundaries must be a vector, not {describe(boundaries)}.")
    return searchsorted(boundaries, x, out_int32=out_int32, right=right)
