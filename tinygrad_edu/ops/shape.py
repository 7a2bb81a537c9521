"""Shapes: the same numbers with other dims, in another order, or repeated by broadcasting."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ..errors import ShapeError, describe
from ..op import op
from ..tensor import Tensor, raw
from .totals import total

__all__ = [
    "alias", "broadcast_shapes", "broadcast_tensors", "broadcast_to", "clone", "contiguous", "detach", "expand", "expand_as",
    "flatten", "moveaxis", "movedim", "numel", "permute", "ravel", "reshape", "reshape_as", "squeeze", "sum_to", "swapaxes",
    "swapdims", "t", "transpose", "unflatten", "unsqueeze", "view", "view_as",
]  # fmt: skip


# -- what dims and sizes mean ----------------------------------------------------------------------------------------
def one_dim(dim: Any, ndim: int) -> int:
    """A dimension as a non-negative int; IndexError if there is none such, TypeError if it is no int."""
    try:
        dim = index(None if isinstance(dim, bool) else dim)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a dim must be an int, not {dim!r}.") from None
    ndim = max(ndim, 1)
    if not -ndim <= dim < ndim:
        raise IndexError(f"dim {dim} is out of range: this tensor has dims {-ndim} to {ndim - 1}.")
    return dim % ndim


def axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions meant by `dim` (None or empty: all of them) as non-negative ints, each once."""
    if isinstance(dim, int):  # by far the most frequent
        one = one_dim(dim, ndim)
        return (one,) if ndim else ()
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    found = tuple([d if type(d) is int and 0 <= d < ndim else one_dim(d, ndim) for d in dims])
    if len(set(found)) < len(found):
        raise RuntimeError(f"dim {tuple(dim)} names the same dimension twice.")
    return found if ndim else ()


def ints(numbers: Sequence[Any], keyword: Any = None) -> tuple[int, ...]:
    """Sizes or dims given as f(2, 3), f((2, 3)), f([2, 3]) or by keyword."""
    numbers = numbers if keyword is None else (keyword,)
    if len(numbers) == 1 and isinstance(numbers[0], tuple | list):
        numbers = numbers[0]
    try:
        return tuple([index(n) for n in numbers])
    except TypeError:
        raise TypeError(
            f"sizes, dims and counts must be integers, and these are {tuple(numbers)!r}; write // for a whole quotient."
        ) from None


def _filled(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """A shape whose one -1 is replaced by what is left over, checked against the number of elements."""
    if math.prod(shape) == size and min(shape, default=0) >= 0:  # the usual case
        return shape
    known = math.prod(n for n in shape if n != -1)
    if shape.count(-1) == 1 and known > 0 and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    raise ShapeError(f"shape {shape} does not fit a tensor of {size} elements.")


# -- broadcasting ----------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, shape: broadcast_to(g, shape=x.shape))
def sum_to(x: Any, *, shape: Any) -> Any:
    """Sum to a shape from which x could have been broadcast: how the engine undoes broadcasting.

    z = Σ x over the repeated dims;  ∂x = g, broadcast back
    """
    repeated = _repeated(x.shape, tuple(shape))
    return (total(x, repeated) if repeated else x).reshape(shape)


@functools.lru_cache(maxsize=1024)
def _repeated(shape: tuple[int, ...], of: tuple[int, ...]) -> tuple[int, ...]:
    """The dims of a shape along which a tensor of another shape, broadcast to it, is repeated."""
    sizes = (1,) * (len(shape) - len(of)) + of
    if len(sizes) != len(shape) or any(a != b and b != 1 for a, b in zip(shape, sizes, strict=True)):
        raise ShapeError(f"a gradient of shape {shape} does not fit a tensor of shape {of}.")
    return tuple(d for d, (a, b) in enumerate(zip(shape, sizes, strict=True)) if a != b)


@op(view=True, dx=lambda g, z, x, shape: sum_to(g, shape=x.shape))
def broadcast_to(x: Any, *, shape: Any) -> Any:
    """Repeat to a larger shape without copying, as broadcasting does; the gradients of what was repeated add up.

    z[i, j] = x[j];  ∂x = Σ g over what was repeated
    """
    before = len(shape) - x.ndim
    if tuple(shape) == (1,) * before + x.shape:  # nothing is repeated, so it can be written to
        return x[(None,) * before + (...,)]
    try:
        return np.broadcast_to(x, shape)
    except ValueError:
        raise ShapeError(
            f"{describe(x)} cannot be expanded to {tuple(shape)}: counted from the right, each size must be equal or 1."
        ) from None


def expand(x: Any, *sizes: Any, size: Any = None) -> Any:
    """Repeat dims of size 1, and new dims at the left, to these sizes without copying; -1 keeps a size.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """
    shape = ints(sizes, size)
    extra = len(shape) - x.ndim
    if extra < 0 or -1 in shape[:extra]:
        raise ShapeError(
            f"expand{shape} needs at least {x.ndim} sizes, with -1 only for dims that are there; this is {describe(x)}."
        )
    return broadcast_to(x, shape=tuple(x.shape[i - extra] if n == -1 else n for i, n in enumerate(shape)))


def expand_as(x: Any, other: Any) -> Any:
    """`x.expand(other.shape)`."""
    return expand(x, *other.shape)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape to which these shapes broadcast together.

    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ShapeError(f"the shapes {', '.join(map(str, shapes))} do not broadcast together.") from error


def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """The tensors, each repeated to the shape to which all of them broadcast."""
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(broadcast_to(x, shape=shape) for x in tensors)


# -- the same numbers in another shape -------------------------------------------------------------------------------
@op(view=True, dx=lambda g, z, x: g)
def alias(x: Any) -> Any:
    """The same tensor as a node of its own.

    z = x;  ∂x = g
    """
    return x[...]


@op(dx=lambda g, z, x: g)
def clone(x: Any) -> Any:
    """A copy that stays in the graph.

    z = x;  ∂x = g

    Source: https://pytorch.org/docs/stable/generated/torch.clone.html
    """
    return x.copy()


@op(view=True, dx=lambda g, z, x, shape: _reshape(g, shape=x.shape))
def _reshape(x: Any, *, shape: Any) -> Any:
    """The same elements, row by row, in another shape; the gradient takes the old shape again.

    z = x in another shape;  ∂x = g in x's shape
    """
    return x.reshape(shape)


def reshape(input: Any, *sizes: Any, shape: Any = None) -> Any:
    """The same elements, row by row, in another shape; one size may be -1 for what is left over.

    Args:
        sizes: the shape, as `reshape(x, 2, 3)` or `reshape(x, (2, 3))`.

    Source: https://pytorch.org/docs/stable/generated/torch.reshape.html
    """
    wanted = ints(sizes) if shape is None else tuple(shape)
    return _reshape(input, shape=_filled(wanted, math.prod(input.shape)))


def reshape_as(x: Any, other: Any) -> Any:
    """`x.reshape(other.shape)`."""
    return reshape(x, shape=other.shape)


def view(x: Any, *sizes: Any) -> Any:
    """As `reshape`, but of a view (a transpose, say) refused where its elements would have to be copied.

    Raises:
        ShapeError: the elements of a view do not lie in memory in a way that this shape could look at.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.view.html
    """
    if len(sizes) == 1 and not isinstance(sizes[0], tuple | list | int) and not hasattr(sizes[0], "__index__"):
        raise TypeError(
            "view(dtype), which reads the same bytes as another dtype, is not offered; use .to(dtype) to convert numbers."
        )
    array = raw(x)
    shape = _filled(ints(sizes), math.prod(x.shape))
    if isinstance(x, Tensor) and array.size and not array.flags.c_contiguous:
        if x.base is None and x._anchor is None:  # an operation (a convolution) chose another order: put it right, to look at it
            x.array = array.copy()
        elif x.base and x.base[0].contiguous and not np.shares_memory(np.reshape(array, shape), array):
            raise ShapeError(
                f"view{shape}: the elements of {describe(x)} do not lie in this order in memory. Use reshape(), which copies."
            )
    return _reshape(x, shape=shape)


def view_as(x: Any, other: Any) -> Any:
    """`x.view(other.shape)`."""
    return view(x, *other.shape)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Make one dim of the dims from `start_dim` to `end_dim`.

    Source: https://pytorch.org/docs/stable/generated/torch.flatten.html
    """
    if not x.ndim:
        return reshape(x, 1)
    start, end = one_dim(start_dim, x.ndim), one_dim(end_dim, x.ndim)
    if start > end:
        raise RuntimeError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}.")
    return _reshape(x, shape=(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def unflatten(x: Any, dim: int, sizes: Any) -> Any:
    """Make several dims of one; one size may be -1.

    Source: https://pytorch.org/docs/stable/generated/torch.unflatten.html
    """
    dim = one_dim(dim, x.ndim)
    if not sizes:
        raise RuntimeError("unflatten: sizes must not be empty.")
    return reshape(x, shape=(*x.shape[:dim], *_filled(tuple(sizes), x.shape[dim]), *x.shape[dim + 1 :]))


def ravel(x: Any) -> Any:
    """All elements in one dim, one after the other in memory: a copy, unless they are already."""
    x = contiguous(x) if isinstance(x, Tensor) else x
    return reshape(x, -1) if math.prod(x.shape) else reshape(x, 0)


def squeeze(x: Any, dim: Any = None) -> Any:
    """Remove dims of size 1: all, or the given ones (those of another size stay).

    Source: https://pytorch.org/docs/stable/generated/torch.squeeze.html
    """
    chosen = range(x.ndim) if dim is None else axes(dim, x.ndim) if dim != () else ()
    return reshape(x, shape=tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in chosen))


def unsqueeze(x: Any, dim: int) -> Any:
    """Put a new dim of size 1 at position `dim`.

    Source: https://pytorch.org/docs/stable/generated/torch.unsqueeze.html
    """
    dim = one_dim(dim, x.ndim + 1)
    return reshape(x, shape=(*x.shape[:dim], 1, *x.shape[dim:]))


def contiguous(x: Tensor, memory_format: str | None = None) -> Tensor:
    """The tensor itself if its elements lie in memory row by row, else a copy in which they do."""
    return x if x.array.flags.c_contiguous else x.clone()


def detach(input: Tensor) -> Tensor:
    """The same numbers in the same memory, without history; as x.detach()."""
    return input.detach()


def numel(x: Any) -> int:
    """How many elements it has."""
    return math.prod(x.shape)


# -- dims in another order -------------------------------------------------------------------------------------------
def _inverse(dims: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(dims)), key=dims.__getitem__))


@op(view=True, dx=lambda g, z, x, dims: _permute(g, dims=_inverse(dims)))
def _permute(x: Any, *, dims: Any) -> Any:
    """The dims in another order; the gradient's go back to the old one.

    z[j, i] = x[i, j];  ∂x = g with its dims back in x's order
    """
    return x.transpose(dims)


def permute(input: Any, *args: Any, dims: Any = None) -> Any:
    """The dims in another order, each named once.

    Source: https://pytorch.org/docs/stable/generated/torch.permute.html
    """
    found = ints(args, dims)
    if len(found) != input.ndim:
        raise RuntimeError(f"permute{found} must name each of the {input.ndim} dims of {describe(input)} once.")
    return _permute(input, dims=axes(found, input.ndim) if found else ())


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Exchange two dims.

    Source: https://pytorch.org/docs/stable/generated/torch.transpose.html
    """
    dims = list(range(input.ndim))
    a, b = one_dim(dim0, input.ndim), one_dim(dim1, input.ndim)
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return _permute(input, dims=tuple(dims))


swapaxes = swapdims = transpose


def t(x: Any) -> Any:
    """The transpose of a matrix; a tensor of fewer dims is returned as it is."""
    if x.ndim > 2:
        raise RuntimeError(f"t() takes at most 2 dims, and this is {describe(x)}; use transpose(dim0, dim1) or mT.")
    return _permute(x, dims=tuple(reversed(range(x.ndim))))


def _reversed_dims(x: Any) -> Any:
    """x.T: the dims in reverse order (of a matrix: its transpose)."""
    return _permute(x, dims=tuple(reversed(range(x.ndim))))


def _matrix_transpose(x: Any) -> Any:
    """x.mT: the last two dims exchanged."""
    if x.ndim < 2:
        raise RuntimeError(f"mT exchanges the last two dims, and this is {describe(x)}.")
    return transpose(x, -2, -1)


def _transpose_of_a_matrix(x: Any) -> Any:
    """x.H: the transpose of a matrix; of a stack of them write mT."""
    if x.ndim not in (0, 2):
        raise RuntimeError(f"H is for matrices, and this is {describe(x)}; write x.mT to exchange the last two dims.")
    return t(x)


def movedim(x: Any, source: Any, destination: Any) -> Any:
    """Move dims to other places; the rest keep their order.

    Source: https://pytorch.org/docs/stable/generated/torch.movedim.html
    """
    source = source if isinstance(source, tuple | list) else (source,)
    destination = destination if isinstance(destination, tuple | list) else (destination,)
    if len(source) != len(destination):
        raise RuntimeError(f"movedim: {len(source)} dims cannot go to {len(destination)} places.")
    if not source or not x.ndim:
        return _permute(x, dims=tuple(range(x.ndim)))
    places = dict(zip(axes(destination, x.ndim), axes(source, x.ndim), strict=True))
    rest = iter(d for d in range(x.ndim) if d not in places.values())
    return _permute(x, dims=tuple(places[i] if i in places else next(rest) for i in range(x.ndim)))


moveaxis = movedim
