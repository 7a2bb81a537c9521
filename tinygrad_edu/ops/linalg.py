"""Linear algebra: inverses, equations and factorizations, each for batches of matrices too.

The gradient of an inverse is a formula in the inverse, that of a factorization a formula in its factors; so both can be
differentiated again. A factorization has several factors and an operation one result: the operation packs its factors into
one tensor, and the public function hands out the parts.

The formulas are from Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
(2008), https://people.maths.ox.ac.uk/gilesm/files/NA-08-01.pdf, where no other source is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import backend
from ..errors import DtypeError, GraphError, ShapeError, describe
from ..op import op
from .diagonal import diag_embed, diagonal, tril, triu
from .joining import cat
from .products import mt
from .shape import broadcast_shapes, broadcast_to, reshape, squeeze, unsqueeze

__all__ = ["cholesky", "cholesky_solve", "inverse", "qr", "svd"]


class LinAlgError(RuntimeError, np.linalg.LinAlgError):
    """A matrix for which there is no answer: a singular one has no inverse."""


def check(name: str, x: Any, square: bool = True) -> None:
    """Refuse what is not a floating-point matrix, or a batch of them."""
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        raise ShapeError(
            f"{name}: expected {'square ' * square}matrices, (..., {'n, n' if square else 'm, n'}), but got {describe(x)}."
        )
    if x.dtype not in (np.float32, np.float64):
        raise DtypeError(f"{name}: expected float32 or float64, but got {describe(x)}; convert it with .float() or .double().")


def _answer(function: Callable, *args: Any) -> Any:
    """What NumPy (or CuPy) answers, or our error."""
    try:
        with backend.errors_of_linalg(args[0]):
            return function(*args)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"{function.__name__}: {error}; the matrix, or one in the batch, has no answer.") from None


def _pack(batch: int, *parts: Any) -> Any:
    """Arrays side by side in the last dimension, each flattened but for its first `batch` dimensions."""
    return np.concatenate([np.reshape(x, (*x.shape[:batch], math.prod(x.shape[batch:]))) for x in parts], axis=-1)


def _unpack(z: Any, *shapes: tuple[int, ...]) -> list[Any]:
    """The parts of what `_pack` packed, by their shapes after the batch."""
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(reshape(z[..., start:stop], shape=(*z.shape[:-1], *shape)))
        start = stop
    return parts


@op(dx=lambda g, z, x, y: ratio(g, y), dy=lambda g, z, x, y: -ratio(g * z, y))
def ratio(x: Any, y: Any) -> Any:
    """Divide, with 0/0 = 0: what does not depend on a direction has no gradient along it.

    z = x / y, 0 where x is 0;  ∂x = g / y;  ∂y = -g·z / y
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x == 0, 0, x / y)


@op
def identity(x: Any) -> Any:
    """Identity matrices of the shape of x; constant, so there is no gradient.

    z = ones on the diagonal, zeros elsewhere
    """
    return np.broadcast_to(np.identity(x.shape[-1], x.dtype, like=x), x.shape)


# -- inverse and solve -----------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x: -mt(z) @ g @ mt(z))
def inv(x: Any) -> Any:
    """Invert matrices.

    z = x⁻¹;  ∂x = -zᵀ·g·zᵀ

    Raises:
        LinAlgError: a matrix is singular.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.inv.html
    """
    check("inv", x)
    return _answer(np.linalg.inv, x)


inverse = inv


@op(dA=lambda g, z, A, B: -_solve(mt(A), g) @ mt(z), dB=lambda g, z, A, B: _solve(mt(A), g))
def _solve(A: Any, B: Any) -> Any:
    """Solve A·z = B, column by column.

    z = A⁻¹·B;  ∂B = A⁻ᵀ·g;  ∂A = -A⁻ᵀ·g·zᵀ
    """
    return _answer(np.linalg.solve, A, B)


def solve(A: Any, B: Any, *, left: bool = True) -> Any:
    """The X with A·X = B, or with X·A = B if not `left`; quicker and more exact than inv(A)·B.

    Args:
        A: (..., n, n).
        B: (..., n, k) or, for one column, (..., n).

    Raises:
        LinAlgError: a matrix is singular.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.solve.html
    """
    check("solve", A)
    if A.dtype != B.dtype:
        raise DtypeError(f"solve: A and B must have one dtype, but they are {A.dtype} and {B.dtype}.")
    if is_vector(A, B):
        if not left:
            raise ShapeError(f"solve: left=False needs matrices as B, (..., k, n), but got {describe(B)}.")
        return squeeze(solve(A, unsqueeze(B, dim=-1)), dim=-1)
    if B.ndim < 2 or B.shape[-2 if left else -1] != A.shape[-1]:
        raise ShapeError(
            f"solve: A {tuple(A.shape)} and B {tuple(B.shape)} do not fit: B must be {'(..., n, k)' if left else '(..., k, n)'}."
        )
    if not left:
        return mt(solve(mt(A), mt(B)))
    batch = broadcast_shapes(A.shape[:-2], B.shape[:-2])
    return _solve(_batched(A, batch), _batched(B, batch))


def is_vector(A: Any, B: Any) -> bool:
    """Whether B is a vector for each matrix of A, and not a matrix (PyTorch's rule)."""
    return B.ndim == 1 or (B.ndim == A.ndim - 1 and tuple(B.shape) == tuple(A.shape[:-1]))


def _batched(x: Any, batch: tuple[int, ...]) -> Any:
    return x if x.shape[:-2] == batch else broadcast_to(x, shape=batch + tuple(x.shape[-2:]))


def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """`solve` for a triangular A: only its upper (or lower) triangle counts, and with `unitriangular` ones on the diagonal.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.solve_triangular.html
    """
    check("solve_triangular", A)
    if B.ndim < 2:
        raise ShapeError(f"solve_triangular: B must be matrices, (..., n, k), but got {describe(B)}.")
    half = (triu if upper else tril)(A, (1 if upper else -1) if unitriangular else 0)
    return solve(half + identity(A) if unitriangular else half, B, left=left)


# -- factorizations --------------------------------------------------------------------------------------------------
def _cholesky_dx(g: Any, z: Any, x: Any) -> Any:
    half = tril(mt(z) @ g)
    middle = (half + mt(tril(half, -1))) / 2
    return _solve(mt(z), mt(_solve(mt(z), middle)))


@op(dx=_cholesky_dx)
def _cholesky(x: Any) -> Any:
    """Write a symmetric, positive definite matrix as L·Lᵀ, with L lower triangular; only x's lower triangle counts.

    z = L;  ∂x = ½·L⁻ᵀ·(Φ + Φᵀ)·L⁻¹, where Φ is the lower triangle of Lᵀ·g with half its diagonal

    Source: Murray, "Differentiation of the Cholesky decomposition" (2016), https://arxiv.org/abs/1602.07527
    """
    return _answer(np.linalg.cholesky, x)


def cholesky(A: Any, upper: bool = False) -> Any:
    """Write symmetric, positive definite matrices as L·Lᵀ with L lower triangular (or Uᵀ·U, with `upper`).

    Only the lower (upper) triangle of A counts; its gradient is symmetric.

    Raises:
        LinAlgError: a matrix is not positive definite.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.cholesky.html
    """
    check("cholesky", A)
    return mt(_cholesky(mt(A))) if upper else _cholesky(A)


def cholesky_solve(B: Any, L: Any, upper: bool = False) -> Any:
    """Solve A·X = B, where A = L·Lᵀ (or Lᵀ·L, with `upper`) is given by its Cholesky factor L.

    Args:
        B: (..., n, k)
        L: (..., n, n), what `cholesky` returned.

    >>> from tinygrad_edu import tensor
    >>> cholesky_solve(tensor([[4.0], [18.0]]), cholesky(tensor([[4.0, 0.0], [0.0, 9.0]])))
    tensor([[1.],
            [2.]])

    Source: https://pytorch.org/docs/stable/generated/torch.cholesky_solve.html
    """
    first, second = (mt(L), L) if upper else (L, mt(L))
    return solve_triangular(second, solve_triangular(first, B, upper=False), upper=True)


class QR(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


def _qr_dx(g: Any, z: Any, x: Any, mode: str) -> Any:
    if mode == "complete" and x.shape[-2] > x.shape[-1]:
        raise GraphError('qr: mode="complete" has no gradient for matrices with more rows than columns; use mode="reduced".')
    m, n = x.shape[-2:]
    q, r = _unpack(z, (m, n), (n, n))
    gq, gr = _unpack(g, (m, n), (n, n))
    lower = tril(r @ mt(gr) - mt(gq) @ q)
    return mt(_solve(r, mt(gq + q @ (lower + mt(tril(lower, -1))))))


@op(dx=_qr_dx)
def _qr(x: Any, *, mode: Any) -> Any:
    """Write a matrix with no more columns than rows as Q·R: orthonormal columns and an upper triangle.

    z = [Q, R];  ∂x = (∂Q + Q·copyltu(R·∂Rᵀ - ∂Qᵀ·Q))·R⁻ᵀ, where copyltu mirrors the lower triangle and g = [∂Q, ∂R]

    Source: Walter and Lehmann, "Algorithmic differentiation of linear algebra functions" (2010), https://arxiv.org/abs/1001.1654
    """
    return _pack(x.ndim - 2, *np.linalg.qr(x, mode))


def linalg_qr(A: Any, mode: str = "reduced") -> QR:
    """Write matrices as Q·R, with orthonormal columns in Q and R upper triangular.

    Args:
        A: (..., m, n).
        mode: "reduced" (Q has min(m, n) columns), "complete" (Q is square) or "r" (Q is left empty).

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.qr.html
    """
    check("qr", A, square=False)
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f'qr: mode must be "reduced", "complete" or "r", not {mode!r}.')
    m, n = A.shape[-2:]
    if m < n:  # the left square determines Q, which then turns the rest
        # Source: Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms" (2020), arXiv:2009.10071
        q, r = linalg_qr(A[..., :m])
        r = cat([r, mt(q) @ A[..., m:]], dim=-1)
    elif mode == "complete":
        q, r = _unpack(_qr(A, mode=mode), (m, m), (m, n))
    else:
        q, r = _unpack(_qr(A, mode="reduced"), (m, n), (n, n))
    return QR(reshape(q, shape=(-1,))[:0] if mode == "r" else q, r)


def qr(input: Any, some: bool = True) -> QR:
    """`linalg.qr` under its old name.

    Source: https://pytorch.org/docs/stable/generated/torch.qr.html
    """
    return linalg_qr(input, "reduced" if some else "complete")


def _eigh_dx(g: Any, z: Any, x: Any, UPLO: str) -> Any:
    n = x.shape[-1]
    values, v = _unpack(z, (n,), (n, n))
    gvalues, gv = _unpack(g, (n,), (n, n))
    turn = mt(v) @ gv
    gaps = values[..., None, :] - values[..., :, None] + identity(v)
    dx = v @ (diag_embed(gvalues) + ratio(turn - diag_embed(diagonal(turn, 0, -2, -1)), gaps)) @ mt(v)
    return (dx + mt(dx)) / 2  # a symmetric matrix can move only symmetrically


@op(dx=_eigh_dx)
def _eigh(x: Any, *, UPLO: str = "L") -> Any:
    """Write a symmetric matrix as V·diag(λ)·Vᵀ: its eigenvalues, ascending, and its eigenvectors as columns.

    z = [λ, V];  ∂x = symmetric part of V·(diag(∂λ) + Vᵀ·∂V / (λ_j - λ_i))·Vᵀ, with g = [∂λ, ∂V]
    """
    return _pack(x.ndim - 2, *_answer(np.linalg.eigh, x, UPLO))


class Eigh(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


def eigh(A: Any, UPLO: str = "L") -> Eigh:
    """The eigenvalues, ascending, and the eigenvectors (columns) of symmetric matrices.

    Eigenvectors of equal eigenvalues can be chosen freely, so their gradient is infinite; that of the eigenvalues is fine.

    Args:
        UPLO: which triangle of A counts, "L" (lower) or "U" (upper).

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.eigh.html
    """
    check("eigh", A)
    if UPLO not in ("L", "U", "l", "u"):
        raise ValueError(f'eigh: UPLO must be "L" or "U", not {UPLO!r}.')
    UPLO = UPLO.upper()
    n = A.shape[-1]
    return Eigh(*_unpack(_eigh(A, UPLO=UPLO), (n,), (n, n)))


def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of symmetric matrices, ascending; see `eigh`.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.eigvalsh.html
    """
    return eigh(A, UPLO).eigenvalues


def _svd_shapes(shape: tuple[int, ...], full: bool) -> tuple[tuple[int, ...], ...]:
    """The shapes of U, S and Vh."""
    m, n = shape[-2:]
    k = min(m, n)
    return ((m, m), (k,), (n, n)) if full else ((m, k), (k,), (k, n))


def _svd_dx(g: Any, z: Any, x: Any, full_matrices: bool) -> Any:
    m, n = x.shape[-2:]
    k = min(m, n)
    u, s, vh = _unpack(z, *_svd_shapes(x.shape, full_matrices))
    gu, gs, gvh = _unpack(g, *_svd_shapes(x.shape, full_matrices))
    u, gu, vh, gvh = u[..., :k], gu[..., :k], vh[..., :k, :], gvh[..., :k, :]  # the others can be chosen freely
    row, column, stretch = s[..., None, :], s[..., :, None], diag_embed(gs)
    gaps = row * row - column * column + identity(stretch)
    turn_u, turn_v = mt(u) @ gu, vh @ mt(gvh)
    inner = stretch + ratio(turn_u - mt(turn_u), gaps) * row + column * ratio(turn_v - mt(turn_v), gaps)
    dx = u @ inner @ vh
    if m > n:  # directions outside u's columns
        return dx + ratio(gu - u @ turn_u, row) @ vh
    if m < n:  # and outside vh's rows
        return dx + u @ ratio(gvh - mt(turn_v) @ vh, column)
    return dx


@op(dx=_svd_dx)
def _svd(x: Any, *, full_matrices: bool) -> Any:
    """Write a matrix as U·diag(S)·Vh: a turn, a stretch along the axes by the singular values, and another turn.

    z = [U, S, Vh];  ∂x = U·(diag(∂S) + skew(Uᵀ·∂U)/E·S + S·skew(Vh·∂Vhᵀ)/E)·Vh + what lies outside U or Vh

    Here g = [∂U, ∂S, ∂Vh], skew(a) = a - aᵀ and E_ij = S_j² - S_i².

    Source: Townsend, "Differentiating the singular value decomposition" (2016), https://j-towns.github.io/papers/svd-derivative.pdf
    """
    return _pack(x.ndim - 2, *_answer(np.linalg.svd, x, full_matrices))


class SVD(NamedTuple):
    """What `linalg.svd` returns."""

    U: Any
    S: Any
    Vh: Any


def linalg_svd(A: Any, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """Write matrices as U·diag(S)·Vh, with orthonormal columns in U, rows in Vh, and singular values S ≥ 0, descending.

    The vectors of equal singular values can be chosen freely, so their gradient is infinite; that of S is fine.

    Args:
        A: (..., m, n).
        full_matrices: make U and Vh square; the columns and rows added carry no gradient.
        driver: accepted for PyTorch's sake, and ignored.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.svd.html
    """
    check("svd", A, square=False)
    return SVD(*_unpack(_svd(A, full_matrices=full_matrices), *_svd_shapes(A.shape, full_matrices)))


class OldSVD(NamedTuple):
    """What `torch.svd` returns."""

    U: Any
    S: Any
    V: Any


def svd(input: Any, some: bool = True, compute_uv: bool = True) -> OldSVD:
    """`linalg.svd` under its old name: it returns V, not its transpose, and by default the reduced factors.

    Source: https://pytorch.org/docs/stable/generated/torch.svd.html
    """
    u, s, vh = linalg_svd(input, full_matrices=not some or not compute_uv)
    return OldSVD(u, s, mt(vh)) if compute_uv else OldSVD(u * 0, s, mt(vh) * 0)


def svdvals(A: Any, *, driver: str | None = None) -> Any:
    """The singular values of matrices, descending; see `svd`.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.svdvals.html
    """
    return linalg_svd(A, full_matrices=False).S
