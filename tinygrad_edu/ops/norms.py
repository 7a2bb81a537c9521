"""Norms: how large a vector or a matrix is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import as_dtype
from ..errors import DtypeError, ShapeError, describe
from ..op import cast, op
from .arithmetic import div, mul, over
from .elementwise import abs, sign
from .indexing import where
from .linalg import check, identity, inv, ratio, svdvals
from .matrix import slogdet
from .reduction import _total, amax, amin, keep, sum, widely
from .shape import axes, one_dim, permute, reshape
from .totals import total_of_products

__all__ = ["norm", "renorm"]

INF = float("inf")


def p_norm_dx(g: Any, z: Any, x: Any, ord: Any, dim: Any, keepdim: bool) -> Any:
    g, z = keep(g, x.shape, dim, keepdim), keep(z, x.shape, dim, keepdim)
    if ord == 1:
        return g * sign(x)
    if ord == 2:
        return x * over(g, z)  # 0 where the norm is 0
    t = ratio(x, z)
    return g * (t * abs(t) ** (ord - 2) if ord > 2 else ratio(t, abs(t) ** (2 - ord)))


@op(dx=p_norm_dx)
def _p_norm(x: Any, *, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    """The length of vectors: the root of the sum of powers of their elements' sizes.

    z = (Σ |x|ᵖ)^(1/p);  ∂x = g·sign(x)·(|x|/z)^(p-1), and 0 where z is 0
    """
    if ord == 2:
        z = np.sqrt(total_of_products(x, x, axes(dim, x.ndim)))
        return keep(z, x.shape, dim, False) if keepdim else z
    return _total(np.abs(x) ** ord, dim, keepdim) ** (1 / ord)


def vector_norm(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The size of vectors; its gradient points along the vector and is 0 at 0.

    Args:
        ord: p in (Σ |x|ᵖ)^(1/p); inf is the largest |x|, -inf the smallest, and 0 counts the elements that are not 0.
        dim: the dimension or dimensions that make up a vector; all by default.
        dtype: convert to it first.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html
    """
    if isinstance(ord, str):
        raise ValueError(f"vector_norm: ord must be a number, not {ord!r}; matrix_norm knows names.")
    return widely(_vector_norm, _floating("vector_norm", x, dtype), ord, dim, keepdim)


def _vector_norm(x: Any, ord: Any, dim: Any, keepdim: bool) -> Any:
    if ord == INF:
        return amax(abs(x), dim=dim, keepdim=keepdim)
    if ord == -INF:
        return amin(abs(x), dim=dim, keepdim=keepdim)
    if ord == 0:
        return sum(abs(sign(where(x == x, x, 1))), dim=dim, keepdim=keepdim)  # NaN is not 0
    if ord == 1:
        return sum(abs(x), dim=dim, keepdim=keepdim)
    return _p_norm(x, ord=ord, dim=dim, keepdim=keepdim)


def _floating(name: str, x: Any, dtype: Any) -> Any:
    wanted = x.dtype if dtype is None else as_dtype(dtype)
    if x.dtype.kind != "f" or wanted.kind != "f" or wanted.itemsize < x.dtype.itemsize:
        raise DtypeError(f"{name}: takes floats, and as dtype nothing narrower; got {describe(x)}, dtype {wanted}.")
    return x if x.dtype == wanted else cast(x, dtype=wanted)


def matrix_norm(A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The size of matrices.

    Args:
        ord: "fro" (root of the sum of squares), "nuc" (sum of the singular values), 2 and -2 (largest and smallest singular
            value), 1 and -1 (largest and smallest sum of a column's sizes), inf and -inf (of a row's).
        dim: the two dimensions that make up a matrix.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.matrix_norm.html
    """
    A = _floating("matrix_norm", A, dtype)
    if A.ndim < 2:
        raise ShapeError(f"matrix_norm: expected at least 2 dimensions, but got {describe(A)}.")
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise ShapeError(f"matrix_norm: dim must name 2 dimensions, not {dim}.")
    over = axes(tuple(dim), A.ndim)
    if ord == "fro":
        return widely(_p_norm, A, ord=2, dim=over, keepdim=keepdim)
    if ord in ("nuc", 2, -2):
        s = svdvals(permute(A, (*(i for i in range(A.ndim) if i not in over), *over)))
        z = sum(s, dim=-1) if ord == "nuc" else _extreme(ord, s, -1)
        return keep(z, A.shape, over, keepdim=False) if keepdim else z
    if ord in (1, -1, INF, -INF):
        summed, picked = over if ord in (1, -1) else over[::-1]
        z = _extreme(ord, sum(abs(A), dim=summed, keepdim=True), picked, keepdim=True)
        return z if keepdim else reshape(z, shape=tuple(n for i, n in enumerate(A.shape) if i not in over))
    raise ValueError(f'matrix_norm: ord must be "fro", "nuc", 1, -1, 2, -2, inf or -inf, not {ord!r}.')


def _extreme(ord: float, x: Any, dim: int, keepdim: bool = False) -> Any:
    """The largest number for a positive ord (0 if there is none), the smallest for a negative one."""
    if ord > 0 and not x.shape[dim]:
        return sum(x, dim=dim, keepdim=keepdim)
    return (amax if ord > 0 else amin)(x, dim=dim, keepdim=keepdim)


def linalg_norm(A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """`vector_norm` or `matrix_norm`, whichever `dim` and `ord` mean.

    Args:
        ord: None for the root of the sum of squares.
        dim: one dimension for vectors, two for matrices; with ord and without dim, A must be a vector or a matrix.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.norm.html
    """
    dims = (dim,) if isinstance(dim, int) else dim
    if dims is not None and len(dims) not in (1, 2):
        raise ShapeError(f"norm: dim must name one dimension or two, not {dim}.")
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dims is None and A.ndim not in (1, 2):
        raise ShapeError(f"norm: with ord and without dim it takes vectors and matrices, not {describe(A)}; give dim.")
    dims = tuple(range(A.ndim)) if dims is None else dims
    return (vector_norm if len(dims) == 1 else matrix_norm)(A, ord, dims, keepdim, dtype=dtype)


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The root of the sum of squares, or another norm p of all elements over dim; `linalg.norm` is clearer.

    Source: https://pytorch.org/docs/stable/generated/torch.norm.html
    """
    if p == "nuc":
        return matrix_norm(input, "nuc", tuple(range(input.ndim)) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


def cond(A: Any, p: Any = None) -> Any:
    """The condition number: by how much solving with A may enlarge a relative error.

    Args:
        p: the norm, as in `matrix_norm`; with None, 2 and -2 it is a quotient of singular values, otherwise ‖A‖·‖A⁻¹‖, which is
            infinite for a singular matrix.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.cond.html
    """
    if p in (None, 2, -2):
        s = svdvals(A)
        if not s.shape[-1]:
            return sum(s, dim=-1)
        return div(s[..., -1], s[..., 0]) if p == -2 else div(s[..., 0], s[..., -1])
    check("cond", A)
    singular = slogdet(A.detach()).sign == 0
    regular = where(singular[..., None, None], identity(A), A)
    return where(singular, INF, mul(matrix_norm(A, p), matrix_norm(inv(regular), p)))


def renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Shrink every slice along a dim whose p-norm is above maxnorm to that norm.

    z = x·min(1, maxnorm / ‖x‖ₚ), slice by slice

    Source: https://pytorch.org/docs/stable/generated/torch.renorm.html
    """
    if x.ndim < 2 or p <= 0 or maxnorm < 0:
        raise RuntimeError(
            f"renorm takes at least 2 dims, p > 0 and maxnorm of 0 or more, not {describe(x)}, p={p}, maxnorm={maxnorm}."
        )
    norms = vector_norm(x, p, [d for d in range(x.ndim) if d != one_dim(dim, x.ndim)], keepdim=True)
    return x * where(norms > maxnorm, maxnorm / (norms + 1e-7), 1)
