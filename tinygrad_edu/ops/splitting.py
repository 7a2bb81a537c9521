"""Parts of a tensor: slices, splits and windows of a dim."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import GraphError, describe
from ..op import op
from ..tensor import Tensor
from .indexing import _index
from .shape import ints, one_dim, reshape

__all__ = [
    "chunk", "dsplit", "hsplit", "narrow", "select", "split", "split_with_sizes", "tensor_split", "unbind", "unfold",
    "vsplit",
]  # fmt: skip


def narrow(x: Any, dim: int, start: Any, length: int) -> Any:
    """The `length` elements from `start` on along a dim; shares memory.

    Source: https://pytorch.org/docs/stable/generated/torch.narrow.html
    """
    if not x.ndim:
        raise RuntimeError("narrow() of a 0-d tensor.")
    if isinstance(start, Tensor) and (start.ndim or start.dtype.kind not in "iu"):
        raise RuntimeError(f"narrow: start must be an integer or a 0-d tensor of one, not {describe(start)}.")
    dim, (start, length) = one_dim(dim, x.ndim), ints((start, length))
    n = x.shape[dim]
    if not -n <= start <= n:
        raise IndexError(f"narrow: start {start} is out of range for dim {dim} of size {n}.")
    start += n if start < 0 else 0
    if length < 0 or start + length > n:
        raise RuntimeError(f"narrow: {length} elements from {start} on do not fit in dim {dim} of size {n}.")
    return _index(x, index=(slice(None),) * dim + (slice(start, start + length),))


def select(x: Any, dim: int, index: Any) -> Any:
    """The slice at one index of a dim, which goes away; shares memory.

    Source: https://pytorch.org/docs/stable/generated/torch.select.html
    """
    if not x.ndim:
        raise IndexError("select() of a 0-d tensor: it has no dim to select from.")
    dim, (index,) = one_dim(dim, x.ndim), ints((index,))
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
    return tuple(_index(x, index=(slice(None),) * dim + (i,)) for i in range(x.shape[dim]))


def split_with_sizes(x: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of these sizes along a dim.

    Source: https://pytorch.org/docs/stable/generated/torch.split.html
    """
    dim = one_dim(dim, x.ndim)
    sizes = ints(split_sizes)
    if not x.ndim or sum(sizes) != x.shape[dim] or any(n < 0 for n in sizes):
        raise RuntimeError(f"split: the sizes {sizes} must add up to the size of dim {dim} of {describe(x)}.")
    return _between(x, dim, [0, *itertools.accumulate(sizes)])


def _between(x: Any, dim: int, cuts: Iterable[int]) -> tuple[Any, ...]:
    """The parts of a dim between each place and the next."""
    before = (slice(None),) * dim
    return tuple([_index(x, index=(*before, slice(a, b))) for a, b in itertools.pairwise(cuts)])


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of one size along a dim (the last may be smaller), or parts of the given sizes.

    Source: https://pytorch.org/docs/stable/generated/torch.split.html
    """
    if isinstance(split_size_or_sections, tuple | list):
        return split_with_sizes(tensor, (split_size_or_sections,), dim)
    if not tensor.ndim:
        raise RuntimeError("split() of a 0-d tensor.")
    dim, (size,) = one_dim(dim, tensor.ndim), ints((split_size_or_sections,))
    n = tensor.shape[dim]
    if size < 0 or (size == 0 and n):
        raise RuntimeError(f"split: the size of a part must be positive, not {size}.")
    return _between(tensor, dim, [*range(0, n, size or 1), n] if n else [0, 0])


def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` parts of equal size (the last may be smaller).

    Source: https://pytorch.org/docs/stable/generated/torch.chunk.html
    """
    (chunks,) = ints((chunks,))
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
