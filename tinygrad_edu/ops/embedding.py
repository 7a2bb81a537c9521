"""Embeddings: tables from which rows are looked up by number, and numbers written as rows of 0 and 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..errors import DtypeError, ShapeError, describe
from ..grad_mode import no_grad
from ..op import op
from ..tensor import raw, wrap
from .indexing import _where, check_range, masked_fill
from .norms import vector_norm
from .reduction import max, sum
from .shape import broadcast_to, ints, one_dim, reshape

__all__ = ["embedding", "embedding_bag", "one_hot"]


# -- rows of a table -------------------------------------------------------------------------------------------------
@op(dweight=lambda g, z, weight, index, trained, rate: _add_rows(_counted(g, trained, rate), index=index, rows=weight.shape[0]))
def _embedding(weight: Any, *, index: Any, trained: Any, rate: Any) -> Any:
    """Look up rows of a table; each row's gradient is the sum over the places where it was used, unless it is not trained.

    z[n] = weight[index[n]];  ∂weight[index[n]] += rate[n]·g[n] where trained[n]
    """
    return weight.take(index, axis=0)


def _counted(g: Any, trained: Any, rate: Any) -> Any:
    g = g if trained is None else _where(trained, g, 0)  # also where g is infinite or NaN
    return g if rate is None else g * rate


@op(dx=lambda g, z, x, index, rows: _embedding(g, index=index, trained=None, rate=None))
def _add_rows(x: Any, *, index: Any, rows: int) -> Any:
    """Add rows up by number: the derivative of looking them up.

    z[index[n]] += x[n], else 0;  ∂x[n] = g[index[n]]
    """
    return backend.add_rows(index.reshape(-1), x.reshape((index.size, x.shape[-1])), rows)


def _row_numbers(name: str, input: Any, weight: Any) -> Any:
    """The row numbers as an array, checked."""
    index = raw(input)
    if not hasattr(index, "dtype") or index.dtype not in (np.int64, np.int32):
        raise DtypeError(f"{name}: the input must hold row numbers (int64), not {describe(input)}; convert it with .long().")
    if weight.ndim != 2:
        raise ShapeError(f"{name}: the weight must be a table (rows, columns), not {describe(weight)}.")
    check_range(index, weight, 0)
    return index


def _shorten(weight: Any, index: Any, max_norm: float, norm_type: float) -> None:
    """Scale those of the rows in use that are longer than max_norm, in place."""
    with no_grad():
        used = index.reshape(-1)  # some perhaps more than once, each time with the same result
        rows = np.take(raw(weight), used, axis=0)
        norms = vector_norm(rows, norm_type, 1, True)
        if (norms > max_norm).any():
            weight[used] = np.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """Look up rows of a table by number; a row's gradient is the sum over all places where it was used.

    z[n] = weight[input[n]]

    Args:
        input: row numbers, int64 of any shape (*).
        weight: the table, (rows, columns); the result is (*, columns).
        padding_idx: the number of a row that gets no gradient.
        max_norm: rows in use that are longer are first shortened to this norm, in place.
        norm_type: which norm that is.
        scale_grad_by_freq: divide a row's gradient by how often it was used.
        sparse: accepted for PyTorch's sake; gradients are never sparse.

    Raises:
        IndexError: a number outside [0, rows).

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html
    """
    index = _row_numbers("embedding", input, weight)
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)
    trained = rate = None
    if padding_idx is not None:
        trained = (index != one_dim(padding_idx, weight.shape[0]))[..., None]
    if scale_grad_by_freq:
        ones = np.ones_like(index, dtype=np.float32)[..., None]
        rate = 1 / _add_rows(ones, index=index, rows=weight.shape[0]).take(index, axis=0).astype(weight.dtype)
    return _embedding(weight, index=index, trained=trained, rate=rate)


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Look up rows of a table and add up, average or take the maximum of each bag of them.

    z[b] = Σ weight[n] over the numbers n in bag b (or their mean, or their maximum)

    Args:
        input: (bags, numbers per bag), or (numbers,) with `offsets`, the position at which each bag begins.
        mode: "sum", "mean" or "max"; an empty bag gives 0.
        per_sample_weights: what each row is multiplied by, of the input's shape; only for "sum".
        include_last_offset: whether offsets ends with the position after the last bag.
        padding_idx: the number of a row that is left out.
        weight, max_norm, norm_type, scale_grad_by_freq, sparse: as for `embedding`.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.embedding_bag.html
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f'embedding_bag: mode must be "sum", "mean" or "max", not {mode!r}.')
    if scale_grad_by_freq and mode == "max":
        raise ValueError('embedding_bag: scale_grad_by_freq is not for mode="max".')
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(f'embedding_bag: per_sample_weights are for mode="sum", not for {mode!r}.')
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: per_sample_weights {per_sample_weights.shape} must have the input's shape {input.shape}."
        )
    index = _row_numbers("embedding_bag", input, weight)
    bag, bags = _bags(index, None if offsets is None else raw(offsets), include_last_offset)
    rows = embedding(
        reshape(input, shape=(-1,)) if index.size else input.reshape(0), weight, None, max_norm, norm_type, scale_grad_by_freq
    )
    counted = np.ones_like(bag, dtype=bool) if padding_idx is None else index.reshape(-1) != one_dim(padding_idx, weight.shape[0])
    if mode == "max":
        return _largest_of_bags(rows, bag, bags, counted)
    if per_sample_weights is not None:
        rows = rows * reshape(per_sample_weights, shape=(-1, 1))
    if padding_idx is not None:
        rows = _where(wrap(counted[:, None]), rows, 0)
    z = _add_rows(rows, index=bag, rows=bags)
    if mode == "mean":
        sizes = _add_rows(counted[:, None].astype(np.float32), index=bag, rows=bags)
        z = z / np.maximum(sizes, 1).astype(weight.dtype)
    return z


def _bags(index: Any, offsets: Any, include_last_offset: bool) -> tuple[Any, int]:
    """The number of the bag that each element is in, and how many bags there are."""
    if index.ndim == 2:
        if offsets is not None:
            raise ValueError("embedding_bag: an input of 2 dims has one bag in each row and takes no offsets.")
        return np.repeat(np.arange(index.shape[0], like=index), index.shape[1]), index.shape[0]
    if index.ndim != 1 or offsets is None or offsets.ndim != 1:
        raise ValueError("embedding_bag: the input must have 2 dims, or 1 with offsets of 1 dim.")
    if include_last_offset:
        offsets = offsets[:-1]
    if offsets.size and (offsets[0] != 0 or offsets[-1] > index.size or (offsets[1:] < offsets[:-1]).any()):
        raise RuntimeError(
            "embedding_bag: offsets must begin with 0 and not fall, and the last one not be behind the input's end."
        )
    return np.searchsorted(offsets, np.arange(index.size, like=index), side="right") - 1, offsets.size


def _largest_of_bags(rows: Any, bag: Any, bags: int, counted: Any) -> Any:
    """The maximum of each bag; the row that comes first of equal ones gets the gradient."""
    sizes = np.bincount(bag[counted], minlength=bags)
    longest = int(sizes.max()) if sizes.size else 0
    places = np.flatnonzero(counted)  # bags lie one after another; side by side, what is not there counts as row -1
    table = np.full_like(bag, -1, shape=(bags, longest))
    table[np.arange(longest, like=bag) < sizes[:, None]] = places
    if not longest:
        return broadcast_to(sum(rows, 0) * 0, shape=(bags, rows.shape[1]))
    z = max(masked_fill(rows[table], wrap((table < 0)[..., None]), -math.inf), 1).values
    return masked_fill(z, wrap((sizes == 0)[:, None]), 0)


# -- numbers as rows of 0 and 1 ----------------------------------------------------------------------------------------
@op
def one_hot(tensor: Any, *, num_classes: int = -1) -> Any:
    """Write class numbers as rows that are 1 at the number and 0 elsewhere.

    z[..., c] = 1 where tensor[...] = c, else 0

    Args:
        tensor: int64 of any shape (*); the result is (*, num_classes).
        num_classes: -1 for one more than the largest number.

    >>> from tinygrad_edu import tensor
    >>> one_hot(tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html
    """
    if tensor.dtype != np.int64:
        raise DtypeError(f"one_hot takes class numbers of dtype int64, not {describe(tensor)}; convert them with .long().")
    (num_classes,) = ints((num_classes,))
    if not tensor.size and num_classes <= 0:
        raise RuntimeError("one_hot: without any class number, num_classes cannot be found; give it.")
    if num_classes == -1:
        num_classes = int(tensor.max()) + 1
    outside = (tensor < 0) | (tensor >= num_classes)
    backend.require(
        ~outside.any(), lambda: RuntimeError(f"one_hot: class number {int(tensor[outside][0])} is not in [0, {num_classes}).")
    )
    numbers = tensor[..., None]
    return (numbers == np.arange(num_classes, like=numbers)).astype(np.int64)
