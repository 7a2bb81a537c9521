"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import describe
from ..op import op
from .shape import clone, one_dim, ravel

__all__ = [
    "diag", "diag_embed", "diagflat", "diagonal", "tril", "triu",
]  # fmt: skip


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
    moved[..., i + max(-offset, 0), i + max(offset, 0)] = x
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
    n = x.shape[-1] + abs(offset)
    rest = iter(x.shape[:-1])
    shape = tuple(n if i in (a, b) else next(rest) for i in range(ndim))
    return _diagonal_scatter(x, shape=shape, offset=offset, dim1=a, dim2=b)


def diag(x: Any, diagonal: int = 0) -> Any:
    """Of a matrix a copy of its diagonal, of a vector the matrix with it on the diagonal.

    Source: https://pytorch.org/docs/stable/generated/torch.diag.html
    """
    if x.ndim not in (1, 2):
        raise RuntimeError(f"diag takes a vector or a matrix, not {describe(x)}.")
    return diag_embed(x, diagonal) if x.ndim == 1 else clone(_diagonal(x, offset=diagonal, dim1=0, dim2=1))


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
