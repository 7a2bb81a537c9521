"""Distances: how far apart vectors are, and how much they point in the same direction."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ShapeError, describe
from ..op import op
from .arithmetic import sub
from .elementwise import at_least
from .joining import _cat
from .norms import INF, p_norm_dx, vector_norm
from .reduction import floating, sum
from .shape import _permute, _reshape, broadcast_tensors, clone, movedim, unsqueeze

__all__ = ["cdist", "cosine_similarity", "dist", "pairwise_distance", "pdist"]


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between vectors: 1 in the same direction, 0 at right angles, -1 in opposite directions.

    z = Σ x₁·x₂ / (max(‖x₁‖, ε)·max(‖x₂‖, ε)) over dim

    Args:
        x1, x2: tensors of vectors along `dim`, which broadcast together.
        eps: the length that shorter vectors count as, so that nothing is divided by 0.

    >>> from tinygrad_edu import cosine_similarity, tensor
    >>> cosine_similarity(tensor([[1.0, 0.0]]), tensor([[3.0, 4.0]]))
    tensor([0.6000])

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.cosine_similarity.html
    """
    x1, x2 = broadcast_tensors(x1, x2)
    unit1, unit2 = (x / at_least(vector_norm(x, 2, dim, True), low=eps) for x in (x1, x2))
    return sum(unit1 * unit2, dim)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The distance of each vector in x1 from its partner in x2.

    z = ‖x₁ - x₂ + ε‖ₚ over the last dim

    Args:
        x1, x2: (..., D), which broadcast together.
        p: the norm: 2 is the usual length, 1 the sum of the differences.
        eps: added to each difference.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pairwise_distance.html
    """
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


def dist(x: Any, other: Any, p: float = 2) -> Any:
    """The distance of two tensors: the p-norm of their difference.

    z = ‖x - other‖ₚ

    Source: https://pytorch.org/docs/stable/generated/torch.dist.html
    """
    return vector_norm(x - other, p)


def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str | None = None) -> Any:
    """The distance of every vector in x1 from every vector in x2, (..., n, d) and (..., m, d) to (..., n, m).

    Args:
        p: the norm of the differences, 0 or more.
        compute_mode: accepted for PyTorch's sake, and ignored.

    Source: https://pytorch.org/docs/stable/generated/torch.cdist.html
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"cdist: expected (..., n, d) and (..., m, d), but got {describe(x1)}; {describe(x2)}.")
    if p < 0:
        raise ValueError(f"cdist: p must be 0 or more, not {p}.")
    x1, x2 = floating("cdist", x1), floating("cdist", x2)
    if p in (0, INF):
        return vector_norm(sub(unsqueeze(x1, dim=-2), unsqueeze(x2, dim=-3)), p, -1)
    return _distances(x1, x2, p=p)


AT_ONCE = 2**18  # differences, which a processor's cache still holds; those of two times 1000 images would fill 3 GB


def _columns(x: Any, ndim: int) -> Any:
    """(..., n, d) as (d, ..., n) of so many dims: numbers that meet the same number lie side by side."""
    x = _reshape(x, shape=(1,) * (ndim - x.ndim) + tuple(x.shape))
    return clone(_permute(x, dims=(ndim - 1, *range(ndim - 1))))


def _parts(x: Any, y: Any) -> Iterator[tuple[slice, Any]]:
    """The differences of all vectors, (d, ..., n, m), in parts of some n that are not too large: which n, and the part."""
    x, y = (_columns(v, max(x.ndim, y.ndim)) for v in (x, y))
    of_each = math.prod(np.broadcast_shapes(x.shape[:-1], y.shape[:-1])) * y.shape[-1]
    several = max(1, AT_ONCE // max(1, of_each))
    for start in range(0, max(1, x.shape[-1]), several):
        part = slice(start, start + several)
        yield part, x[..., part, None] - y[..., None, :]


def _distances_gradients(g: Any, z: Any, x: Any, y: Any, p: float, parts: Any) -> list[Any]:
    dx, dy = [], 0
    for part, d in parts or _parts(x, y):
        pull = p_norm_dx(g[..., part, :], z[..., part, :], d, p, 0, False)
        dx.append(sum(pull, -1))
        dy = dy - sum(pull, -2)
    return [movedim(_cat(*dx, dim=g.ndim - 1), 0, -1), movedim(dy, 0, -1)]


@op(joint=_distances_gradients, dtype="common", keeps="parts")
def _distances(x: Any, y: Any, *, p: float) -> Any:
    """How far each row of x is from each row of y; every distance pulls at the two rows, in opposite directions.

    z[i, j] = (Σ |d|ᵖ)^(1/p) with d = x[i] - y[j];  ∂x[i] = Σ g[i, j]·sign(d)·(|d|/z[i, j])^(p-1) over j;  ∂y[j] = -Σ g[i, j]·sign(d)·(|d|/z[i, j])^(p-1) over i
    """
    z = []
    for part in _parts(x, y):
        z.append(vector_norm(part[1], p, 0))
    return np.concatenate(z, axis=-2), [part] if len(z) == 1 else None


def pdist(input: Any, p: float = 2.0) -> Any:
    """The distances between all pairs of rows of a matrix (n, d), each pair once: n·(n-1)/2 of them.

    Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.pdist.html
    """
    if input.ndim != 2 or p < 0:
        raise ShapeError(f"pdist: expected a matrix (n, d) and p ≥ 0, but got {describe(input)} and p={p}.")
    first, second = np.triu_indices(len(input), 1)
    return vector_norm(sub(input[first], input[second]), p, -1)
