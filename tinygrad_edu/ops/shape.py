"""Shapes: other views of the same numbers, parts of them, joining and splitting."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import GraphError, ShapeError, describe
from ..op import op
from ..tensor import Tensor

__all__ = [
    "alias", "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors", "broadcast_to",
    "cartesian_prod", "cat", "chunk", "clone", "column_stack", "combinations", "concat", "concatenate", "contiguous", "diag", "diag_embed",
    "diagflat", "diagonal", "diff", "dsplit", "dstack", "expand", "expand_as", "flatten", "flip", "fliplr", "flipud", "hsplit",
    "hstack", "meshgrid", "moveaxis", "movedim", "narrow", "numel", "pad", "permute", "ravel", "repeat", "repeat_interleave",
    "reshape", "reshape_as", "roll", "rot90", "row_stack", "select", "split", "split_with_sizes", "squeeze", "stack", "sum_to",
    "swapaxes", "swapdims", "t", "tensor_split", "tile", "transpose", "tril", "triu", "unbind", "unflatten", "unfold",
    "unsqueeze", "view", "view_as", "vsplit", "vstack",
]  # fmt: skip


# -- what dims and sizes mean ----------------------------------------------------------------------------------------
def one_dim(dim: Any, ndim: int) -> int:
    """A dimension as a non-negative int; IndexError if there is none such, TypeError if it is no int."""
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"a dim must be an int, not {dim!r}.")
    ndim = builtins.max(ndim, 1)
    dim = dim.__index__()
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
    found = tuple(one_dim(d, ndim) for d in (dim if isinstance(dim, tuple | list) else (dim,)))
    if len(set(found)) < len(found):
        raise RuntimeError(f"dim {tuple(dim)} names the same dimension twice.")
    return found if ndim else ()


def ints(numbers: Sequence[Any], keyword: Any = None) -> tuple[int, ...]:
    """Sizes or dims given as f(2, 3), f((2, 3)), f([2, 3]) or by keyword."""
    numbers = numbers if keyword is None else (keyword,)
    if len(numbers) == 1 and isinstance(numbers[0], tuple | list):
        numbers = numbers[0]
    return tuple(n.__index__() for n in numbers)


def _filled(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """A shape whose one -1 is replaced by what is left over, checked against the number of elements."""
    known = math.prod(n for n in shape if n != -1)
    if shape.count(-1) == 1 and known > 0 and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    if -1 in shape or known != size or any(n < 0 for n in shape):
        raise ShapeError(f"shape {shape} does not fit a tensor of {size} elements.")
    return shape


# -- broadcasting ----------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, shape: broadcast_to(g, shape=x.shape))
def sum_to(x: Any, *, shape: Any) -> Any:
    """Sum to a shape from which x could have been broadcast: how the engine undoes broadcasting.

    z = Σ x over the repeated dims;  ∂x = g, broadcast back
    """
    extra = x.ndim - len(shape)
    kept = x.shape[extra:] if extra >= 0 else ()
    if extra < 0 or any(a != b and b != 1 for a, b in zip(kept, shape, strict=True)):
        raise ShapeError(f"a gradient of shape {x.shape} does not fit a tensor of shape {tuple(shape)}.")
    repeated = tuple(i + extra for i, (a, b) in enumerate(zip(kept, shape, strict=True)) if a != b)
    return np.reshape(np.sum(x, axis=tuple(range(extra)) + repeated), shape)


@op(view=True, dx=lambda g, z, x, shape: sum_to(g, shape=x.shape))
def broadcast_to(x: Any, *, shape: Any) -> Any:
    """Repeat to a larger shape without copying, as broadcasting does; the gradients of what was repeated add up.

    z[i, j] = x[j];  ∂x = Σ g over what was repeated
    """
    return np.broadcast_to(x, shape)


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
    return np.reshape(x, shape)


def reshape(x: Any, *sizes: Any, shape: Any = None) -> Any:
    """The same elements, row by row, in another shape; one size may be -1 for what is left over.

    Args:
        sizes: the shape, as `reshape(x, 2, 3)` or `reshape(x, (2, 3))`.

    Source: https://pytorch.org/docs/stable/generated/torch.reshape.html
    """
    wanted = ints(sizes) if shape is None else tuple(shape)
    return _reshape(x, shape=_filled(wanted, math.prod(x.shape)))


def reshape_as(x: Any, other: Any) -> Any:
    """`x.reshape(other.shape)`."""
    return reshape(x, shape=other.shape)


def view(x: Any, *sizes: Any) -> Any:
    """As `reshape`, but refused where the elements would have to be copied.

    Raises:
        ShapeError: the elements do not lie in memory in a way that this shape could look at.

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.view.html
    """
    if len(sizes) == 1 and not isinstance(sizes[0], tuple | list | int) and not hasattr(sizes[0], "__index__"):
        raise TypeError(
            "view(dtype), which reads the same bytes as another dtype, is not offered; use .to(dtype) to convert numbers."
        )
    array = x.array if isinstance(x, Tensor) else x
    shape = _filled(ints(sizes), math.prod(x.shape))
    if array.size and not array.flags.c_contiguous and not np.shares_memory(np.reshape(array, shape), array):
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
    return reshape(x, shape=(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def unflatten(x: Any, dim: int, sizes: Any) -> Any:
    """Make several dims of one; one size may be -1.

    Source: https://pytorch.org/docs/stable/generated/torch.unflatten.html
    """
    dim = one_dim(dim, x.ndim)
    if not sizes:
        raise RuntimeError("unflatten: sizes must not be empty.")
    return reshape(x, shape=(*x.shape[:dim], *_filled(tuple(sizes), x.shape[dim]), *x.shape[dim + 1 :]))


def ravel(x: Any) -> Any:
    """All elements in one dim."""
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


def contiguous(x: Tensor) -> Tensor:
    """The tensor itself if its elements lie in memory row by row, else a copy in which they do."""
    return x if x.array.flags.c_contiguous else x.clone()


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
    return np.transpose(x, dims)


def permute(x: Any, *args: Any, dims: Any = None) -> Any:
    """The dims in another order, each named once.

    Source: https://pytorch.org/docs/stable/generated/torch.permute.html
    """
    found = ints(args, dims)
    if len(found) != x.ndim:
        raise RuntimeError(f"permute{found} must name each of the {x.ndim} dims of {describe(x)} once.")
    return _permute(x, dims=axes(found, x.ndim) if found else ())


def transpose(x: Any, dim0: int, dim1: int) -> Any:
    """Exchange two dims.

    Source: https://pytorch.org/docs/stable/generated/torch.transpose.html
    """
    dims = list(range(x.ndim))
    a, b = one_dim(dim0, x.ndim), one_dim(dim1, x.ndim)
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return _permute(x, dims=tuple(dims))


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
    return np.roll(x, shifts, dims)


def roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    """Move elements along dims; what leaves at the end comes in at the start. Without dims: along the flattened tensor.

    Source: https://pytorch.org/docs/stable/generated/torch.roll.html
    """
    shifts = tuple(shifts) if isinstance(shifts, tuple | list) else (shifts,)
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


# -- parts -----------------------------------------------------------------------------------------------------------
def narrow(x: Any, dim: int, start: Any, length: int) -> Any:
    """The `length` elements from `start` on along a dim; shares memory.

    Source: https://pytorch.org/docs/stable/generated/torch.narrow.html
    """
    if not x.ndim:
        raise RuntimeError("narrow() of a 0-d tensor.")
    if isinstance(start, Tensor) and (start.ndim or start.dtype.kind not in "iu"):
        raise RuntimeError(f"narrow: start must be an integer or a 0-d tensor of one, not {describe(start)}.")
    dim, start = one_dim(dim, x.ndim), int(start)
    n = x.shape[dim]
    if not -n <= start <= n:
        raise IndexError(f"narrow: start {start} is out of range for dim {dim} of size {n}.")
    start += n if start < 0 else 0
    if length < 0 or start + length > n:
        raise RuntimeError(f"narrow: {length} elements from {start} on do not fit in dim {dim} of size {n}.")
    return x[(slice(None),) * dim + (slice(start, start + length),)]


def select(x: Any, dim: int, index: Any) -> Any:
    """The slice at one index of a dim, which goes away; shares memory.

    Source: https://pytorch.org/docs/stable/generated/torch.select.html
    """
    if not x.ndim:
        raise IndexError("select() of a 0-d tensor: it has no dim to select from.")
    dim, index = one_dim(dim, x.ndim), int(index)
    if not -x.shape[dim] <= index < x.shape[dim]:
        raise IndexError(f"select: index {index} is out of range for dim {dim} of size {x.shape[dim]}.")
    return x[(slice(None),) * dim + (index,)]


def unbind(x: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along a dim, as a tuple.

    Source: https://pytorch.org/docs/stable/generated/torch.unbind.html
    """
    if not x.ndim:
        raise RuntimeError("unbind() of a 0-d tensor: it has no dim to take apart.")
    dim = one_dim(dim, x.ndim)
    return tuple(x[(slice(None),) * dim + (i,)] for i in range(x.shape[dim]))


def split_with_sizes(x: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of these sizes along a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.split.html
    """
    dim = one_dim(dim, x.ndim)
    sizes = ints(split_sizes)
    if not x.ndim or builtins.sum(sizes) != x.shape[dim] or any(n < 0 for n in sizes):
        raise RuntimeError(f"split: the sizes {sizes} must add up to the size of dim {dim} of {describe(x)}.")
    ends = itertools.accumulate(sizes)
    return tuple(narrow(x, dim, end - n, n) for n, end in zip(sizes, ends, strict=True))


def split(x: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of one size along a dim (the last may be smaller), or parts of the given sizes.

    Source: https://pytorch.org/docs/stable/generated/torch.split.html
    """
    if isinstance(split_size_or_sections, tuple | list):
        return split_with_sizes(x, (split_size_or_sections,), dim)
    if not x.ndim:
        raise RuntimeError("split() of a 0-d tensor.")
    dim, size = one_dim(dim, x.ndim), int(split_size_or_sections)
    n = x.shape[dim]
    if size < 0 or (size == 0 and n):
        raise RuntimeError(f"split: the size of a part must be positive, not {size}.")
    return tuple(narrow(x, dim, i, builtins.min(size, n - i)) for i in range(0, n, size or 1)) or (narrow(x, dim, 0, 0),)


def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` parts of equal size (the last may be smaller).

    Source: https://pytorch.org/docs/stable/generated/torch.chunk.html
    """
    if chunks < 1 or not x.ndim:
        raise RuntimeError(f"chunk: {chunks} parts of {describe(x)}; give at least one part and one dim.")
    n = x.shape[one_dim(dim, x.ndim)]
    return split(x, -(-n // chunks), dim) if n else tuple(narrow(x, dim, 0, 0) for _ in range(chunks))


def tensor_split(x: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """So many parts, the first ones larger by one where it does not divide; or parts that end before the given indices.

    Source: https://pytorch.org/docs/stable/generated/torch.tensor_split.html
    """
    if not x.ndim:
        raise RuntimeError("tensor_split() of a 0-d tensor.")
    dim = one_dim(dim, x.ndim)
    n = x.shape[dim]
    if isinstance(indices_or_sections, Tensor):
        if indices_or_sections.dtype != np.int64 or indices_or_sections.ndim > 1:
            raise RuntimeError("tensor_split: the indices must be a tensor of int64 with at most 1 dim.")
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        parts = indices_or_sections
        if parts < 1:
            raise RuntimeError(f"tensor_split: the number of parts must be positive, not {parts}.")
        small, larger = divmod(n, parts)
        return split_with_sizes(x, ([small + 1] * larger + [small] * (parts - larger),), dim)
    cuts = [0, *indices_or_sections, n]
    return tuple(x[(slice(None),) * dim + (slice(a, b),)] for a, b in itertools.pairwise(cuts))


def _split_along(name: str, dims_needed: int) -> Any:
    def cut(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
        if x.ndim < dims_needed:
            raise RuntimeError(f"{name} needs at least {dims_needed} dim(s), and this is {describe(x)}.")
        dim = {"hsplit": 0 if x.ndim == 1 else 1, "vsplit": 0, "dsplit": 2}[name]
        if isinstance(indices_or_sections, int) and (indices_or_sections < 1 or x.shape[dim] % indices_or_sections):
            raise RuntimeError(f"{name}: {indices_or_sections} equal parts of dim {dim} of {describe(x)} are not possible.")
        return tensor_split(x, indices_or_sections, dim)

    cut.__name__ = cut.__qualname__ = name
    cut.__doc__ = f"""Split along {"columns" if name == "hsplit" else "rows" if name == "vsplit" else "depth"} into equal parts, or before the given indices.

    Source: https://pytorch.org/docs/stable/generated/torch.{name}.html
    """
    return cut


hsplit, vsplit, dsplit = _split_along("hsplit", 1), _split_along("vsplit", 2), _split_along("dsplit", 3)


@op(view=True, dx=lambda g, z, x, offset, dim1, dim2: _diagonal_scatter(g, shape=x.shape, offset=offset, dim1=dim1, dim2=dim2))
def _diagonal(x: Any, *, offset: int, dim1: int, dim2: int) -> Any:
    """The elements on a diagonal of two dims, as a new last dim; the gradient goes back onto the diagonal of zeros.

    z[i] = x[i, i + offset];  ∂x[i, i + offset] = g[i], else 0
    """
    z = np.diagonal(x, offset, dim1, dim2)
    if isinstance(z, np.ndarray):
        z.flags.writeable = x.flags.writeable  # NumPy forbids writing here, but x.diagonal().fill_(0) is common
    return z


@op(dx=lambda g, z, x, shape, offset, dim1, dim2: _diagonal(g, offset=offset, dim1=dim1, dim2=dim2))
def _diagonal_scatter(x: Any, *, shape: Any, offset: int, dim1: int, dim2: int) -> Any:
    """Zeros with the given numbers on a diagonal of two dims.

    z[i, i + offset] = x[i], else 0;  ∂x[i] = g[i, i + offset]
    """
    z = np.zeros_like(x, shape=shape)
    moved = np.moveaxis(z, (dim1, dim2), (-2, -1))
    i = np.arange(x.shape[-1], like=x)
    moved[..., i + builtins.max(-offset, 0), i + builtins.max(offset, 0)] = x
    return z


def diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The elements on a diagonal of two dims (offset > 0: above the main one), as a new last dim; shares memory.

    Source: https://pytorch.org/docs/stable/generated/torch.diagonal.html
    """
    a, b = one_dim(dim1, x.ndim), one_dim(dim2, x.ndim)
    if a == b:
        raise RuntimeError(f"diagonal: dim1 and dim2 must differ; both are {a}.")
    return _diagonal(x, offset=offset, dim1=a, dim2=b)


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Matrices of zeros with the last dim of x on a diagonal.

    Source: https://pytorch.org/docs/stable/generated/torch.diag_embed.html
    """
    if not x.ndim:
        raise RuntimeError("diag_embed needs at least 1 dim.")
    ndim = x.ndim + 1
    a, b = one_dim(dim1, ndim), one_dim(dim2, ndim)
    if a == b:
        raise RuntimeError(f"diag_embed: dim1 and dim2 must differ; both are {a}.")
    n = x.shape[-1] + builtins.abs(offset)
    rest = iter(x.shape[:-1])
    shape = tuple(n if i in (a, b) else next(rest) for i in range(ndim))
    return _diagonal_scatter(x, shape=shape, offset=offset, dim1=a, dim2=b)


def diag(x: Any, diagonal: int = 0) -> Any:
    """Of a matrix its diagonal, of a vector the matrix with it on the diagonal.

    Source: https://pytorch.org/docs/stable/generated/torch.diag.html
    """
    if x.ndim not in (1, 2):
        raise RuntimeError(f"diag takes a vector or a matrix, not {describe(x)}.")
    return diag_embed(x, diagonal) if x.ndim == 1 else _diagonal(x, offset=diagonal, dim1=0, dim2=1)


def diagflat(x: Any, offset: int = 0) -> Any:
    """The matrix with all elements of x on a diagonal."""
    return diag_embed(ravel(x), offset)


def _triangle(name: str, words: str) -> Any:
    def rule(g: Any, z: Any, x: Any, diagonal: int) -> Any:
        return triangle(g, diagonal=diagonal)

    def part(x: Any, *, diagonal: int = 0) -> Any:
        if x.ndim < 2:
            raise RuntimeError(f"{name} takes matrices, not {describe(x)}.")
        return getattr(np, name)(x, diagonal)

    part.__name__ = part.__qualname__ = name
    part.__doc__ = f"""The part of a matrix {words} a diagonal, the rest 0; the gradient is cut in the same way.

    z = x {words} the diagonal, else 0;  ∂x = g there, else 0

    Source: https://pytorch.org/docs/stable/generated/torch.{name}.html
    """
    triangle = op(dx=rule)(part)
    return triangle


tril, triu = _triangle("tril", "on and below"), _triangle("triu", "on and above")


@op(view=True, dx=lambda g, z, x, dim, size, step: _fold(g, shape=x.shape, dim=dim, size=size, step=step))
def _unfold(x: Any, *, dim: int, size: int, step: int) -> Any:
    """Every window of `size` elements along a dim, as a new last dim; the gradients of windows that overlap add up.

    z[i, k] = x[i·step + k];  ∂x[j] = Σ g[i, k] over i·step + k = j
    """
    windows = np.lib.stride_tricks.sliding_window_view(x, size, dim)
    return windows[(slice(None),) * dim + (slice(None, None, step),)]


@op(dx=lambda g, z, x, shape, dim, size, step: _unfold(g, dim=dim, size=size, step=step))
def _fold(x: Any, *, shape: Any, dim: int, size: int, step: int) -> Any:
    """Put windows back where they came from; where they overlap they add up.

    z[j] = Σ x[i, k] over i·step + k = j;  ∂x[i, k] = g[i·step + k]
    """
    z = np.zeros_like(x, shape=shape)
    moved, windows = np.moveaxis(z, dim, -1), np.moveaxis(x, dim, -2)
    count = windows.shape[-2]
    for k in range(size):
        moved[..., k : k + step * (count - 1) + 1 : step] += windows[..., k]
    return z


def unfold(x: Any, dimension: int, size: int, step: int) -> Any:
    """Every window of `size` elements along a dim, `step` apart, as a new last dim (Tensor.unfold).

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.unfold.html
    """
    dim = one_dim(dimension, x.ndim)
    n = x.shape[dim] if x.ndim else 1
    if size > n or size < 0 or step < 1:
        raise RuntimeError(f"unfold: windows of {size} elements, {step} apart, do not fit a dim of {n}.")
    if not size:
        raise GraphError("unfold: windows of 0 elements are not offered.")
    return _unfold(x, dim=dim, size=size, step=step) if x.ndim else reshape(x, 1)


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
        length = builtins.max(x.shape[dim] - 1, 0)
        after, before = narrow(x, dim, builtins.min(1, x.shape[dim]), length), narrow(x, dim, 0, length)
        x = after ^ before if x.dtype == np.bool_ else after - before
    return x


# -- joining ---------------------------------------------------------------------------------------------------------
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
    tensors = list(tensors)
    if not tensors:
        raise ValueError("cat needs at least one tensor.")
    if any(not x.ndim for x in tensors):
        raise RuntimeError("cat cannot join 0-d tensors; use stack.")
    kept = [x for x in tensors if x.shape != (0,)] or tensors
    dim = one_dim(dim, kept[0].ndim)
    first = kept[0].shape
    for x in kept:
        if x.ndim != len(first) or x.shape[:dim] + x.shape[dim + 1 :] != first[:dim] + first[dim + 1 :]:
            raise ShapeError(
                f"cat along dim {dim}: all other sizes must be equal, but there are {describe(kept[0])} and {describe(x)}."
            )
    return _cat(*kept, dim=dim)


concat = concatenate = cat


def _stack_gradients(g: Any, z: Any, *xs: Any, dim: int) -> list[Any]:
    before = (slice(None),) * dim
    return [g[(*before, i)] for i in range(len(xs))]


@op(dtype="common", joint=_stack_gradients)
def _stack(*xs: Any, dim: int) -> Any:
    """Join along a new dim; each gets its slice of the gradient.

    z[i] = xᵢ;  ∂xᵢ = g[i]
    """
    return np.stack(xs, dim)


def stack(tensors: Any, dim: int = 0) -> Any:
    """Join tensors of one shape along a new dim.

    Source: https://pytorch.org/docs/stable/generated/torch.stack.html
    """
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack needs at least one tensor.")
    for x in tensors:
        if x.shape != tensors[0].shape:
            raise ShapeError(f"stack: all shapes must be equal, but there are {describe(tensors[0])} and {describe(x)}.")
    return _stack(*tensors, dim=one_dim(dim, tensors[0].ndim + 1))


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
    tensors = atleast_1d(list(tensors))
    return cat(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


def vstack(tensors: Any) -> Any:
    """Join on top of each other: along dim 0, vectors as rows."""
    return cat(atleast_2d(list(tensors)), 0)


row_stack = vstack


def dstack(tensors: Any) -> Any:
    """Join in depth: along dim 2."""
    return cat(atleast_3d(list(tensors)), 2)


def column_stack(tensors: Any) -> Any:
    """Join as columns: vectors become columns of a matrix."""
    return hstack([reshape(x, math.prod(x.shape), 1) if x.ndim < 2 else x for x in tensors])


def block_diag(*tensors: Any) -> Any:
    """A matrix with these matrices along its diagonal and zeros elsewhere.

    Source: https://pytorch.org/docs/stable/generated/torch.block_diag.html
    """
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    if any(x.ndim > 2 for x in tensors):
        raise RuntimeError("block_diag takes tensors of at most 2 dims.")
    blocks = [atleast_2d(x) for x in tensors]
    width = builtins.sum(b.shape[1] for b in blocks)
    ends = itertools.accumulate(b.shape[1] for b in blocks)
    return cat([pad(b, (end - b.shape[1], width - end)) for b, end in zip(blocks, ends, strict=True)], 0)


# -- repeating -------------------------------------------------------------------------------------------------------
def repeat(x: Any, *args: Any, repeats: Any = None) -> Any:
    """The whole tensor repeated so often along each dim (new dims at the left).

    Source: https://pytorch.org/docs/stable/generated/torch.Tensor.repeat.html
    """
    times = ints(args, repeats)
    if len(times) < x.ndim or any(n < 0 for n in times):
        raise RuntimeError(f"repeat{times} needs a number, 0 or more, for each of the {x.ndim} dims of {describe(x)}.")
    shape = (1,) * (len(times) - x.ndim) + tuple(x.shape)
    doubled = reshape(x, shape=tuple(k for n in shape for k in (1, n)))
    spread = broadcast_to(doubled, shape=tuple(k for n, r in zip(shape, times, strict=True) for k in (r, n)))
    return reshape(clone(spread), shape=tuple(n * r for n, r in zip(shape, times, strict=True)))


def tile(x: Any, *args: Any, dims: Any = None) -> Any:
    """As `repeat`, with as many numbers as you like: missing ones at the left are 1.

    Source: https://pytorch.org/docs/stable/generated/torch.tile.html
    """
    times = ints(args, dims)
    return repeat(x, *((1,) * (x.ndim - len(times)) + times))


def repeat_interleave(x: Any, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> Any:
    """Each element repeated, one after another: so often, or as often as `repeats` says for it.

    Source: https://pytorch.org/docs/stable/generated/torch.repeat_interleave.html
    """
    if dim is None:
        x, dim = ravel(x), 0
    dim = one_dim(dim, x.ndim)
    n = x.shape[dim] if x.ndim else 1
    counts = repeats.numpy(force=True) if isinstance(repeats, Tensor) else np.asarray(repeats)
    if counts.ndim > 1 or counts.dtype.kind != "i" or (counts < 0).any() or counts.size not in (1, n):
        raise RuntimeError(
            f"repeat_interleave: repeats must be a non-negative int, or one for each of the {n} elements; got {repeats}."
        )
    chosen = np.repeat(np.arange(n), counts.item() if counts.size == 1 else counts)
    return (x if x.ndim else reshape(x, 1))[(slice(None),) * dim + (chosen,)]


# -- padding ---------------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x, sides, value: g[tuple(slice(a, a + n) for (a, _), n in zip(sides, x.shape, strict=True))])
def _pad(x: Any, *, sides: Any, value: float) -> Any:
    """More numbers around the tensor; the gradient is cut back to what was there.

    z = x in the middle, value around it;  ∂x = g in the middle
    """
    z = np.full_like(x, value, shape=tuple(a + n + b for (a, b), n in zip(sides, x.shape, strict=True)))
    z[tuple(slice(a, a + n) for (a, _), n in zip(sides, x.shape, strict=True))] = x
    return z


def pad(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Add numbers at the ends of dims, the last dim first: (left, right, top, bottom, ...); negative ones cut off.

    Args:
        mode: "constant" (with `value`), "reflect" (mirrored without the edge), "replicate" (the edge again), "circular".

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    sides = ints(pad)
    if len(sides) % 2 or len(sides) > 2 * x.ndim:
        raise RuntimeError(f"pad{sides} needs two numbers for each dim, the last dim first, of at most {x.ndim} dims.")
    pairs = [(0, 0)] * (x.ndim - len(sides) // 2) + [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
    if any(a + n + b < 0 for (a, b), n in zip(pairs, x.shape, strict=True)):
        raise RuntimeError(f"pad{sides} cuts off more than there is of {describe(x)}.")
    if mode == "constant":
        if any(a < 0 or b < 0 for a, b in pairs):
            x = x[tuple(slice(builtins.max(-a, 0), n - builtins.max(-b, 0)) for (a, b), n in zip(pairs, x.shape, strict=True))]
            pairs = [(builtins.max(a, 0), builtins.max(b, 0)) for a, b in pairs]
        return _pad(x, sides=tuple(pairs), value=0 if value is None else value)
    if value not in (None, 0):
        raise ValueError(f'pad: a value belongs to mode "constant" only, not to {mode!r}.')
    dims = len(sides) // 2
    if mode not in ("reflect", "replicate", "circular") or x.ndim not in (dims + 1, dims + 2) or dims > 3:
        raise NotImplementedError(f"pad: mode {mode!r} with {len(sides)} numbers is not offered for {describe(x)}.")
    for dim, (a, b) in enumerate(pairs):
        if a or b:
            x = x[(slice(None),) * dim + (_padded_indices(x, dim, a, b, mode),)]
    return x


def _padded_indices(x: Any, dim: int, a: int, b: int, mode: str) -> Any:
    """Where each element of the padded dim comes from."""
    n = x.shape[dim]
    most = {"reflect": n - 1, "circular": n, "replicate": math.inf if n else 0}[mode]
    if a > most or b > most:
        raise RuntimeError(f"pad: {mode} padding of dim {dim} can be at most {most} on a side, and ({a}, {b}) is asked for.")
    i = np.arange(-a, n + b, like=x.array if isinstance(x, Tensor) else x)
    if mode == "replicate":
        return np.clip(i, 0, n - 1)
    if mode == "circular":
        return i % n
    i = np.abs(i)
    return np.where(i >= n, 2 * (n - 1) - i, i)


# -- grids -----------------------------------------------------------------------------------------------------------
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
    rows = np.array(list(choose(range(x.shape[0]), r)), dtype=np.int64).reshape(-1, r)
    return x[rows] if r else reshape(x[:0], 0)
