"""Matrices, continued: pseudo-inverses and least squares, determinants, powers and exponentials; of batches too."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, describe
from ..grad_mode import no_grad
from ..op import op
from .arranging import flip
from .creation import arange
from .cumulative import prod
from .diagonal import diag_embed, diagonal
from .elementwise import log
from .joining import atleast_1d, cat
from .linalg import check, identity, inv, is_vector, linalg_svd, svdvals
from .products import matmul, mt
from .reduction import sum
from .shape import ints, reshape, squeeze, unsqueeze

__all__ = ["det", "logdet", "matrix_exp", "matrix_power", "pinverse", "slogdet", "vander"]


# -- the pseudo-inverse and what it solves ---------------------------------------------------------------------------
def _pinv_dx(g: Any, z: Any, x: Any, atol: Any, rtol: Any, hermitian: bool) -> Any:
    inside = -mt(z) @ g @ mt(z)
    left, right = mt(g) @ z @ mt(z), mt(z) @ z @ mt(g)
    return inside + (left - x @ (z @ left)) + (right - (right @ z) @ x)


@op(dx=_pinv_dx)
def _pinv(x: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """Invert as far as possible: Moore and Penrose's pseudo-inverse, for matrices of any shape and rank.

    z = x⁺;  ∂x = -zᵀ·g·zᵀ + (1 - x·z)·gᵀ·z·zᵀ + zᵀ·z·gᵀ·(1 - z·x)

    Source: Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems" (1973)
    """
    u, s, vh = np.linalg.svd(_mirrored(x) if hermitian else x, full_matrices=False)
    large = s > _tolerance(x, s, atol, rtol)
    inverses = large / np.where(large, s, np.ones_like(s))
    return np.matmul(np.swapaxes(vh, -1, -2) * inverses[..., None, :], np.swapaxes(u, -1, -2)).astype(x.dtype)


def _mirrored(x: Any) -> Any:
    """The symmetric array whose lower triangle is that of x."""
    return np.tril(x) + np.swapaxes(np.tril(x, -1), -1, -2)


def _tolerance(x: Any, s: Any, atol: Any, rtol: Any) -> Any:
    """Which singular values count as 0, by PyTorch's rule: those up to max(atol, rtol·largest)."""
    if rtol is None:
        rounding = np.finfo(x.dtype).eps * max(x.shape[-2:])
        rtol = rounding if atol is None else rounding * np.equal(atol, 0)
    largest = s[..., :1]
    atol, rtol = (np.asarray(t, like=s)[..., None] for t in (0 if atol is None else atol, rtol))
    return np.maximum(atol, rtol * largest)


def pinv(A: Any, rtol: Any = None, hermitian: bool = False, *, atol: Any = None) -> Any:
    """Invert as far as possible: Moore and Penrose's pseudo-inverse, for matrices of any shape and rank.

    Args:
        A: (..., n, m).
        atol, rtol: singular values up to max(atol, rtol·largest) count as 0; by default a multiple of the rounding error.
        hermitian: A is symmetric, and only its lower triangle counts.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.pinv.html
    """
    check("pinv", A, square=hermitian)
    return _pinv(A, atol=atol, rtol=rtol, hermitian=hermitian)


def pinverse(input: Any, rcond: Any = 1e-15) -> Any:
    """`linalg.pinv` under its old name; singular values up to rcond·largest count as 0.

    Source: https://pytorch.org/docs/stable/generated/torch.pinverse.html
    """
    return pinv(input, rtol=rcond)


@op
def _matrix_rank(x: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """Count the singular values that are not 0, up to a tolerance as in `pinv`; it has no gradient.

    z = how many linearly independent rows (or columns) x has
    """
    check("matrix_rank", x, square=hermitian)
    s = np.linalg.svd(_mirrored(x) if hermitian else x, compute_uv=False)
    return np.sum(s > _tolerance(x, s, atol, rtol), axis=-1)


def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None) -> Any:
    """How many linearly independent rows (or columns) a matrix has: how many singular values are not 0; it has no gradient.

    Args:
        A: (..., n, m).
        tol: what counts as 0, by itself: `atol` with an `rtol` of 0.
        hermitian: A is symmetric, and only its lower triangle counts.
        atol, rtol: as in `pinv`.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.matrix_rank.html
    """
    atol, rtol = (atol, rtol) if tol is None else (tol, 0)
    return _matrix_rank(A, atol=atol, rtol=rtol, hermitian=hermitian)


class LeastSquares(NamedTuple):
    """What `lstsq` returns."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: str | None = None) -> LeastSquares:
    """The X that makes the sum of squares of A·X - B least (the shortest such X, if there are several).

    Args:
        A: (..., m, n).
        B: (..., m, k) or, for one column, (..., m).
        rcond: singular values up to rcond·largest count as 0.
        driver: only what else is returned depends on it, as in PyTorch: residuals not with "gelsy" (the default), the rank
            not with "gels", singular values only with "gelsd" and "gelss". There is one way here, by the pseudo-inverse.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.lstsq.html
    """
    check("lstsq", A, square=False)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ValueError(f'lstsq: driver must be "gels", "gelsy", "gelsd" or "gelss", not {driver!r}.')
    vector = is_vector(A, B)
    b = unsqueeze(B, dim=-1) if vector else B
    if b.ndim < 2 or b.shape[-2] != A.shape[-2]:
        raise ShapeError(f"lstsq: A {tuple(A.shape)} and B {tuple(B.shape)} do not fit: B must be (..., m, k) or (..., m).")
    x = matmul(pinv(A, rtol=rcond), b)
    m, n = A.shape[-2:]
    rank = matrix_rank(A, rtol=rcond)
    with no_grad():
        s = svdvals(A)
    residuals = sum((matmul(A, x) - b) ** 2, dim=-2)
    known = m > n and driver not in (None, "gelsy") and not (rank < n).any()
    return LeastSquares(
        squeeze(x, dim=-1) if vector else x,
        residuals if known else reshape(residuals, shape=(-1,))[:0],
        reshape(rank, shape=(-1,))[:0] if driver == "gels" else rank,
        s if driver in ("gelsd", "gelss") else reshape(s, shape=(-1,))[:0],
    )


# -- determinant -----------------------------------------------------------------------------------------------------
@op(dx=lambda g, z, x: g[..., None, None] * cofactor(x))
def det(x: Any) -> Any:
    """The determinant: by how much a matrix scales volumes.

    z = det x;  ∂x = g·cofactors of x, which are z·x⁻ᵀ, and exist for singular matrices too

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.det.html
    """
    check("det", x)
    return np.linalg.det(x)


def _cofactor_dx(g: Any, z: Any, x: Any) -> Any:
    # For x = diag(s) the derivative holds the products of all singular values but two; u and vh turn it into place.
    u, s, vh = linalg_svd(x, full_matrices=False)
    one = identity(x)
    omitted = one[..., :, None, :] + one[..., None, :, :] * (1 - one[..., :, None, :])
    others = prod(s[..., None, None, :] * (1 - omitted) + omitted, dim=-1) * (1 - one)
    turned = mt(u) @ g @ mt(vh)
    inner = diag_embed(matmul(others, diagonal(turned, 0, -2, -1)[..., None])[..., 0]) - others * mt(turned)
    return det(u @ vh)[..., None, None] * (u @ inner @ vh)


@op(dx=_cofactor_dx)
def cofactor(x: Any) -> Any:
    """The gradient of the determinant: determinants of the matrix without one row and one column.

    z_ij = (-1)^(i+j)·det(x without row i and column j);  ∂x = det(u·vᵀ)·u·h·vᵀ

    Here x = u·diag(s)·vᵀ, and h is made of products of all s but two: no inverse is needed, x may be singular.
    """
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    one = identity(x)
    others = np.prod(s[..., None, :] * (1 - one) + one, axis=-1)
    return np.linalg.det(np.matmul(u, vh))[..., None, None] * np.matmul(u * others[..., None, :], vh)


class SignAndLog(NamedTuple):
    sign: Any
    logabsdet: Any


@op(dx=lambda g, z, x: g[..., 1, None, None] * mt(inv(x)))
def _slogdet(x: Any) -> Any:
    """The determinant's sign and the logarithm of its size, which neither overflows nor vanishes for large matrices.

    z = [sign det x, log |det x|];  ∂x = g₁·x⁻ᵀ
    """
    return np.stack(np.linalg.slogdet(x), axis=-1)


def slogdet(A: Any) -> SignAndLog:
    """The determinant as (sign, logabsdet), sign·exp(logabsdet), which neither overflows nor vanishes for large matrices.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.slogdet.html
    """
    check("slogdet", A)
    z = _slogdet(A)
    return SignAndLog(z[..., 0], z[..., 1])


def logdet(input: Any) -> Any:
    """The logarithm of the determinant; NaN where that is negative.

    Source: https://pytorch.org/docs/stable/generated/torch.logdet.html
    """
    size = slogdet(input)
    return size.logabsdet + log(size.sign)


# -- powers and exponentials -----------------------------------------------------------------------------------------
def matrix_power(A: Any, n: int) -> Any:
    """Multiply square matrices by themselves: Aⁿ, of the inverse if n < 0, by repeated squaring.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.matrix_power.html
    """
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise ShapeError(f"matrix_power: expected square matrices, (..., n, n), but got {describe(A)}.")
    (n,) = ints((n,))
    if n < 0:
        return matrix_power(inv(A), -n)
    if n == 0:
        return diag_embed(diagonal(A, 0, -2, -1) ** 0)  # ones, and a gradient of 0
    if n == 1:
        return A * 1  # not A itself, which a change in place would change too
    half = matrix_power(A, n // 2)
    whole = matmul(half, half)
    return matmul(whole, A) if n % 2 else whole


def _matrix_exp_dx(g: Any, z: Any, x: Any) -> Any:
    n, t = x.shape[-1], mt(x)
    block = cat([cat([t, g], dim=-1), cat([t * 0, t], dim=-1)], dim=-2)
    return matrix_exp(block)[..., :n, n:]


@op(dx=_matrix_exp_dx)
def matrix_exp(x: Any) -> Any:
    """The exponential of square matrices, 1 + x + x²/2 + x³/6 + ...

    z = eˣ;  ∂x = upper right block of exp [[xᵀ, g], [0, xᵀ]]

    The matrix is halved until it is small, its series summed, and the result squared as often as the matrix was halved.
    Source: Al-Mohy and Higham, "Computing the Fréchet derivative of the matrix exponential" (2009)
    """
    check("matrix_exp", x)
    largest = np.max(np.sum(np.abs(x), axis=-1, keepdims=True), axis=-2, keepdims=True) if x.size else x
    halvings = np.nan_to_num(np.ceil(np.log2(np.maximum(largest, 1))), posinf=0)  # then no row's sizes add up to over 1
    small = x / 2**halvings
    z = one = identity(x)
    for i in range(18, 0, -1):  # 1 + x·(1 + x/2·(1 + x/3·(...))), small terms first; 1 / 19! is below float64's rounding
        z = one + np.matmul(small, z) / i
    for i in range(int(halvings.max()) if x.size else 0):
        z = np.where(i < halvings, np.matmul(z, z), z)
    return z


def linalg_vander(x: Any, *, N: int | None = None) -> Any:
    """Powers of vectors' elements as rows of matrices: 1, x, x² ... xᴺ⁻¹ (N: as many as there are elements).

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.vander.html
    """
    x = atleast_1d(x)
    (count,) = ints((x.shape[-1] if N is None else N,))
    return unsqueeze(x, dim=-1) ** arange(count, device=x.device)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of a vector's elements as rows of a matrix, the highest first, unless `increasing`: vander(x, 3) @ c are the values of the
    polynomial c₀·x² + c₁·x + c₂.

    Source: https://pytorch.org/docs/stable/generated/torch.vander.html
    """
    if x.ndim != 1:
        raise ShapeError(f"vander takes a vector, not {describe(x)}; linalg.vander takes several.")
    powers = linalg_vander(x, N=N)
    return powers if increasing else flip(powers, -1)


def linalg_diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """`diagonal` of the last two dimensions.

    Source: https://pytorch.org/docs/stable/generated/torch.linalg.diagonal.html
    """
    return diagonal(A, offset, dim1, dim2)
