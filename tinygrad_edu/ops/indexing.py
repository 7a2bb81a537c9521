"""Indexing: x[index], x[index] = values, and choosing between tensors.

Every function here is one of a pair: what one takes out, the other adds back. So each is the other's derivative.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np

from .. import backend
from ..dtypes import fitting, result_dtype
from ..errors import DtypeError, describe
from ..op import cast, op
from ..tensor import Tensor, raw, to_array, wrap
from .shape import broadcast_shapes, broadcast_to, ints, ravel, reshape

__all__ = [
    "argwhere", "index_put", "masked_fill", "masked_scatter", "masked_select", "nonzero", "unravel_index", "where",
]  # fmt: skip


# -- x[index] --------------------------------------------------------------------------------------------------------
@op(view=True, dx=lambda g, z, x, index: _put_back(g, shape=x.shape, index=index))
def _index(x: Any, *, index: Any) -> Any:
    """Take elements by position; the gradient of what was taken goes back to its place, and adds up where it was taken twice.

    z = x[index];  ∂x[index] += g, else 0
    """
    if index and hasattr(index[-1], "dtype") and _takes_places(index):
        return x.take(index[-1], axis=len(index) - 1)  # up to seven times as fast as x[:, places]
    z = x[index]
    return x[(*index, ...)] if isinstance(z, np.generic) else z  # one element is a view too, not a copy


def _takes_places(index: Any) -> bool:
    """Whether an index takes places of its last dim by number, and everything of the dims before: x[places], x[:, places] ..."""
    *before, last = index
    return last.dtype != np.bool_ and all(isinstance(i, slice) and i == slice(None) for i in before)


@op(dx=lambda g, z, x, shape, index: _index(g, index=index))
def _put_back(x: Any, *, shape: Any, index: Any) -> Any:
    """Zeros with elements added at positions: the derivative of indexing.

    z[index] += x, else 0;  ∂x = g[index]
    """
    if not takes_once(index):
        return _added(x, shape, index)
    z = backend.filled(x, 0, shape)
    z[index] = x
    return z


def takes_once(index: Any) -> bool:
    """Whether an index takes no element twice: integers, slices, None, Ellipsis and masks."""
    return not any(hasattr(i, "dtype") and i.dtype != np.bool_ for i in index)


def _added(values: Any, shape: Any, index: Any) -> Any:
    """Zeros of this shape to which values are added at an index, those of elements named twice twice.

    The dims that the index speaks of are counted through, and the others are a row that each position stands for.
    """
    used = len(shape) if any(i is Ellipsis for i in index) else sum(_dims_of(i) for i in index)
    lead, rest = shape[:used], shape[used:]
    places = _index(np.arange(math.prod(lead), like=values).reshape(lead), index=index)
    if values.shape != places.shape + rest:
        values = np.broadcast_to(values, places.shape + rest)
    if rest:
        rows = values.reshape(places.size, math.prod(rest))
        return backend.add_rows(places.reshape(-1), rows, math.prod(lead)).reshape(shape)
    z = backend.filled(values, 0, shape)
    np.add.at(z.reshape(-1), places.reshape(-1), values.reshape(-1))
    return z


def getitem(x: Any, index: Any) -> Any:
    """x[index], with every form that NumPy and PyTorch share.

    Raises:
        IndexError: out of range, too many indices, a mask of the wrong shape, or a float index.
    """
    if type(index) is int and x.ndim and -x.shape[0] <= index < x.shape[0]:  # a third quicker, in loops over steps
        return _index(x, index=(index,))
    first, rest = in_steps(normal_index(x, index))
    return _index(_index(x, index=first) if first else x, index=rest)


def in_steps(index: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A normal index in two steps where it takes two: its integers, and then the rest.

    As in PyTorch an integer only picks from its dim. For NumPy it is an array beside other arrays, and the dims of arrays that do not
    stand side by side come first: x[0, :, places] would be transposed.
    """
    numbers = [i for i, part in enumerate(index) if type(part) is int]
    arrays = [i for i, part in enumerate(index) if _is_array(part)] if numbers else []
    chosen = numbers + arrays
    if not arrays or max(chosen) - min(chosen) == len(chosen) - 1:
        return (), index
    first: list[Any] = []
    for part in index:
        first += [part] if type(part) is int else [slice(None)] * _dims_of(part)
    return tuple(first), tuple(part for part in index if type(part) is not int)


def normal_index(x: Any, index: Any) -> tuple[Any, ...]:
    """An index as a tuple of ints, slices, None, Ellipsis and arrays on x's device, checked against x's shape."""
    parts = index if isinstance(index, tuple) else _listed_parts(index) if isinstance(index, list) else (index,)
    found = tuple(_index_part(x, part) for part in parts)
    used = sum(_dims_of(part) for part in found)
    if used > x.ndim:
        raise IndexError(f"too many indices: {used} for {describe(x)}, which has {x.ndim} dims.")
    if sum(part is Ellipsis for part in found) > 1:
        raise IndexError("an index can hold only one Ellipsis (...).")
    dim = 0
    for part in found:
        if part is Ellipsis:
            dim += x.ndim - used
            continue
        _check_part(x, part, dim)
        dim += _dims_of(part)
    if any(map(_is_array, found)):  # for NumPy an Ellipsis stands between arrays even where it stands for no dim
        rest = [slice(None)] * (x.ndim - used)
        return tuple(itertools.chain.from_iterable(rest if part is Ellipsis else (part,) for part in found))
    return found


def _is_array(part: Any) -> bool:
    return isinstance(part, bool) or hasattr(part, "dtype")


def _listed_parts(index: list) -> tuple[Any, ...]:
    """What a list as an index means: [0, 2] the two rows; a short list of anything but numbers stands for a tuple, as in PyTorch.

    Source: https://pytorch.org/docs/stable/notes/numpy_semantics.html; PyTorch takes lists from 32 items on for positions.
    """
    if len(index) > 31 or all(isinstance(part, bool | int | np.generic) for part in index):
        return (index,)
    warnings.warn(
        "x[[a, b]] means x[a, b], as in PyTorch, and not the rows that a and b name: write x[a, b], or x[tensor([a, b])] for the rows.",
        stacklevel=4,
    )
    return tuple(index)


def _dims_of(part: Any) -> int:
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if hasattr(part, "dtype") and part.dtype == np.bool_ else 1


def _index_part(x: Any, part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, bool | int):
        return part
    if isinstance(part, slice):
        for end in (part.start, part.stop, part.step):
            if end is not None and not hasattr(end, "__index__"):
                raise TypeError(f"the ends and the step of a slice must be integers, and one is {end!r:.80}.")
        ends = [None if end is None else end.__index__() for end in (part.start, part.stop, part.step)]
        if ends[2] is not None and ends[2] < 1:
            raise ValueError(f"the step of a slice must be positive, and it is {ends[2]}; reverse a dim with flip().")
        return slice(*ends)
    array = raw(part)
    if isinstance(array, list | tuple | range):
        array = np.asarray([p.tolist() if isinstance(p, Tensor) else p for p in array] if len(array) else np.empty(0, np.int64))
    elif isinstance(array, np.generic):
        array = np.asarray(array)
    if not hasattr(array, "dtype"):
        raise TypeError(
            f"a tensor cannot be indexed with a {type(part).__name__}: use integers, slices, None, ..., lists, masks or integer tensors."
        )
    if array.dtype.kind not in "iub":
        raise IndexError(f"an index must hold integers or be a mask of bools; this one is {array.dtype}.")
    home = raw(x)
    if isinstance(array, np.ndarray) and not isinstance(home, np.ndarray) and not isinstance(part, Tensor):
        array = backend.place(array, backend.device_of(home))
    if array.dtype == np.uint8:
        raise IndexError("a uint8 tensor as an index could mean a mask or positions; convert it with .bool() or .long().")
    if not array.ndim and array.dtype != np.bool_:
        return int(array)
    return array.copy()  # the caller may change it later


def _check_part(x: Any, part: Any, dim: int) -> None:
    if isinstance(part, int) and not isinstance(part, bool):
        if not -x.shape[dim] <= part < x.shape[dim]:
            raise IndexError(f"index {part} is out of range for dim {dim} of size {x.shape[dim]} of {describe(x)}.")
    elif hasattr(part, "dtype") and part.dtype == np.bool_:
        if part.shape != x.shape[dim : dim + part.ndim]:
            raise IndexError(f"a mask of shape {part.shape} does not fit the dims from {dim} on of {describe(x)}.")
    elif hasattr(part, "dtype") and part.size:
        check_range(part, x, dim, negative=True)


def largest_unsigned(index: Any) -> Any:
    """The largest number of an integer array, where negative ones count as huge: one look finds what lies below 0 or too high."""
    unsigned = index.view(_UNSIGNED[index.itemsize])
    return unsigned.take(unsigned.argmax())  # half of the time of max()


_UNSIGNED = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


def check_range(index: Any, x: Any, dim: int | None, negative: bool = False) -> None:
    """Raise IndexError if an index array points outside a dim of x (None: of x flattened)."""
    size = math.prod(x.shape) if dim is None else x.shape[dim] if x.ndim else 1
    least = -size if negative else 0
    if not index.size or (isinstance(index, np.ndarray) and largest_unsigned(index) < size):
        return

    def error() -> IndexError:
        low, high = int(index.min()), int(index.max())
        where = describe(x) if dim is None else f"dim {dim} of {describe(x)}"
        return IndexError(f"index {low if low < 0 else high} is out of range for {where}: it must be in [0, {size}).")

    backend.require((index.min() >= least) & (index.max() < size), error)


# -- choosing --------------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, condition, x, y: _where(condition, g, 0), dy=lambda g, z, condition, x, y: _where(condition, 0, g))
def _where(condition: Any, x: Any, y: Any) -> Any:
    """Take from x where the condition holds, else from y; each gets the gradient where it was taken, and 0 elsewhere.

    z = x where condition, else y;  ∂x = g where condition, else 0;  ∂y = 0 where condition, else g
    """
    return backend.choose(condition, x, y)


def where(condition: Any, x: Any = None, y: Any = None, *, input: Any = None, other: Any = None) -> Any:
    """Take from x where the condition holds, else from y; with the condition alone: the positions where it holds.

    z = x where condition, else y

    Source: https://pytorch.org/docs/stable/generated/torch.where.html
    """
    x, y = input if x is None else x, other if y is None else y
    if x is None and y is None:
        return nonzero(condition, as_tuple=True)
    if x is None or y is None:
        raise TypeError(
            "where takes a condition and what to take where it holds and where not, where(x > 0, x, 0); one is missing."
        )
    if isinstance(condition, Tensor) and condition.dtype not in (np.bool_, np.uint8):
        raise DtypeError(f"where: the condition must be a tensor of bools, such as x > 0; this is {describe(condition)}.")
    if isinstance(condition, Tensor) and condition.dtype == np.uint8:
        condition = condition.to("bool")
    if isinstance(condition, Tensor) or isinstance(x, Tensor) or isinstance(y, Tensor):
        dtype = result_dtype((x, y))
        x, y = _in_dtype(x, dtype, condition), _in_dtype(y, dtype, condition)
    return _where(condition, x, y)


def _in_dtype(x: Any, dtype: Any, like: Any) -> Any:
    if isinstance(x, Tensor):
        return x if x.dtype == dtype else cast(x, dtype=dtype)
    x = x.item() if isinstance(x, np.generic) else x
    if isinstance(x, bool | int | float):
        return wrap(backend.filled(raw(like), fitting(x, dtype), (), dtype))
    return wrap(to_array(x, dtype, None, copy=True))


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """A number wherever a mask holds; no gradient flows there.

    z = value where mask, else x

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.masked_fill.html
    """
    _check_mask("masked_fill", mask)
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(f"masked_fill takes a number or a 0-d tensor, not {describe(value)}; use where(mask, values, x).")
    return where(mask, _filler("masked_fill", x, value), x)


def _filler(name: str, x: Any, value: Any) -> Any:
    """A number or 0-d tensor brought to x's dtype; refused where that would lose its fraction."""
    if not isinstance(x, Tensor):
        return value
    is_float = value.dtype.kind == "f" if isinstance(value, Tensor | np.generic) else not isinstance(value, bool | int)
    if is_float and x.dtype.kind != "f":
        raise RuntimeError(f"{name}: a float does not fit into {describe(x)}; convert the tensor first.")
    return _in_dtype(value, x.dtype, x)


def _check_mask(name: str, mask: Any) -> None:
    if mask.dtype != np.bool_:
        raise DtypeError(f"{name}: the mask must be a tensor of bools, such as x > 0; this is {describe(mask)}.")


def masked_select(x: Any, mask: Any) -> Any:
    """The elements where a mask holds, as a vector.

    Source: https://pytorch.org/docs/stable/generated/torch.masked_select.html
    """
    _check_mask("masked_select", mask)
    shape = broadcast_shapes(x.shape, mask.shape)
    x, mask = broadcast_to(x, shape=shape), broadcast_to(mask, shape=shape)
    return getitem(x, mask) if x.ndim else reshape(x, 1)[reshape(mask, 1)]


def masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """The elements where a mask holds replaced by those of `source`, in order.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.masked_scatter.html
    """
    _check_mask("masked_scatter", mask)
    if source.dtype != x.dtype:
        raise DtypeError(f"masked_scatter: source and tensor must have one dtype; they are {describe(source)} and {describe(x)}.")
    shape = broadcast_shapes(x.shape, mask.shape)
    x, mask = broadcast_to(x, shape=shape), broadcast_to(mask, shape=shape)
    chosen = raw(ravel(mask))
    count = int(chosen.sum())
    if count > math.prod(source.shape):
        raise RuntimeError(
            f"masked_scatter: the mask holds {count} times, but source has only {math.prod(source.shape)} elements."
        )
    flat = index_put(ravel(x), (np.nonzero(chosen)[0],), ravel(source)[:count])
    return reshape(flat, shape=shape)


def nonzero(x: Any, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: as rows, or as one index tensor per dim.

    Source: https://pytorch.org/docs/stable/generated/torch.nonzero.html
    """
    array = raw(x)
    if not array.ndim and as_tuple:
        array = array.reshape(1)
    found = np.argwhere(array)
    if not as_tuple:
        return wrap(found)
    return tuple(wrap(found[:, i].copy()) for i in range(array.ndim))


def argwhere(x: Any) -> Any:
    """The positions of the elements that are not zero, as rows."""
    return nonzero(x)


# -- putting by position ---------------------------------------------------------------------------------------------
@op(
    dtype="same",
    dx=lambda g, z, x, values, index, accumulate: g if accumulate else _index_put(g, 0, index=index, accumulate=False),
    dvalues=lambda g, z, x, values, index, accumulate: _index(g, index=index),
)
def _index_put(x: Any, values: Any, *, index: Any, accumulate: bool) -> Any:
    """Put values at positions; what they replaced gets no gradient (with accumulate they are added, and both get it).

    z = x with z[index] = values;  ∂x = g, 0 at index;  ∂values = g[index]
    """
    if accumulate and not takes_once(index):
        return x + _added(values, x.shape, index)
    z = np.copy(x, order="C")
    if accumulate:
        z[index] += values
    else:
        z[index] = values
    return z


def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """x with x[indices] = values (or += with accumulate, repeated positions counted).

    Args:
        indices: one index tensor (or None, a mask ...) per dim, as a tuple.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.index_put_.html
    """
    index = tuple(slice(None) if i is None else i for i in indices)
    values = values if isinstance(values, Tensor) or not isinstance(x, Tensor) else _in_dtype(values, x.dtype, x)
    if isinstance(values, Tensor) and values.dtype != x.dtype:
        raise DtypeError(f"index_put: values and tensor must have one dtype; they are {describe(values)} and {describe(x)}.")
    return _index_put(x, values, index=normal_index(x, index), accumulate=accumulate)


def setitem(x: Tensor, index: Any, value: Any) -> Tensor:
    """What `x[index] = value` makes of x, as a new tensor."""
    value = _in_dtype(value, x.dtype, x)
    if value.shape[:1] == (1,):
        value = reshape(value, shape=without_leading_ones(value.shape))
    first, rest = in_steps(normal_index(x, index))
    if first:
        value, rest = _index_put(_index(x, index=first), value, index=rest, accumulate=False), first
    return _index_put(x, value, index=rest, accumulate=False)


def without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the sizes of 1 at its left, which mean nothing where it is broadcast."""
    return tuple(itertools.dropwhile(lambda n: n == 1, shape))


def unravel_index(indices: Any, shape: Any) -> tuple[Tensor, ...]:
    """Where elements of the flattened tensor, such as argmax names, stand in a tensor of this shape: an index for each dim.

    >>> from tinygrad_edu import tensor
    >>> unravel_index(tensor([[1, 7], [3, 2]]).argmax(), (2, 2))
    (tensor(0), tensor(1))

    Source: https://pytorch.org/docs/stable/generated/torch.unravel_index.html
    """
    if indices.dtype.kind not in "iu":
        raise TypeError(f"unravel_index takes integers, not {describe(indices)}.")
    sizes = ints((shape,))
    if min(sizes, default=0) < 0:
        raise ValueError(f"unravel_index: sizes must not be negative: {sizes}.")
    count = math.prod(sizes)
    backend.require(
        ((indices.array >= 0) & (indices.array < count)).all(),
        lambda: IndexError(f"unravel_index: an index is not in [0, {count})."),
    )
    return tuple(wrap(backend.as_array(part)) for part in np.unravel_index(indices.array, sizes))
