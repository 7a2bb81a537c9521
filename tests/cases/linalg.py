"""Rows for ops/linalg.py.

Factors are unique only up to signs, and what reads only one triangle of a matrix has a gradient that differences cannot check.
So a row for a factorization symmetrizes its matrix first, where that is needed, and compares what no choice of signs changes.
"""

import numpy as np
import scipy.linalg

import tinygrad_edu as tg
from tinygrad_edu import linalg
from tinygrad_edu.ops.linalg import identity, ratio

from . import Case, away_from, real


def well(rng, shape):
    """Matrices with singular values far from 0 and from each other."""
    n, m = shape[-2:]
    return rng.uniform(-0.3, 0.3, shape) + np.eye(n, m) * (1.0 + np.arange(n)[:, None])


def gram(x):
    """A symmetric, positive definite matrix; of an array or a tensor."""
    return x @ x.mT


def symmetric(x):
    """The same for any symmetric matrix."""
    return x + x.mT


SQUARE = [((3, 3),), ((1, 1),), ((2, 3, 3),), ((0, 3, 3),), ((0, 0),)]
ANY = [((3, 3),), ((4, 2),), ((2, 4),), ((2, 3, 2),), ((0, 3, 2),)]
SYSTEMS = [
    ((3, 3), (3, 2)),
    ((3, 3), (3,)),
    ((2, 3, 3), (2, 3, 4)),
    ((2, 3, 3), (2, 3)),
    ((2, 3, 3), (3, 2)),
    ((3, 3), (2, 3, 2)),
    ((0, 3, 3), (0, 3, 2)),
]


def matrices(name, reference, shapes=SQUARE, settings=({},), call=None, ops=(), domains=(well,)):
    """A row for float32 and float64 matrices."""
    return Case(name, reference, domains, shapes, list(settings), call, ops, dtypes=("float32", "float64"))


def projection(vectors):
    """The projection on the first column, whatever its sign."""
    first = vectors[..., :1]
    return first @ first.mT


def triangular(A, B, upper, unitriangular=False, left=True):
    """solve_triangular's reference: the triangle cut out, SciPy for the rest."""
    half = np.triu(A) if upper else np.tril(A)
    if unitriangular:
        half = half - np.diag(np.diag(half)) + np.eye(len(half))
    return scipy.linalg.solve(half, B) if left else scipy.linalg.solve(half.T, B.T).T


CASES = [
    Case("identity", lambda x: np.zeros_like(x) + np.eye(x.shape[-1]), shapes=SQUARE, call=identity),
    Case("ratio", lambda x, y: x / y, (real, away_from(0.0, gap=0.5)), call=ratio),
    matrices("linalg.inv", np.linalg.inv, ops=("inv",)),
    matrices("inverse", np.linalg.inv),
    matrices(
        "linalg.solve",
        lambda A, B: (
            np.linalg.inv(A) @ B if B.ndim > 1 and B.shape != A.shape[:-1] else np.einsum("...ij,...j->...i", np.linalg.inv(A), B)
        ),
        SYSTEMS,
        domains=(well, real),
        ops=("solve",),
    ),
    matrices(
        "linalg.solve",
        lambda A, B, left: B @ np.linalg.inv(A),
        [((3, 3), (2, 3)), ((2, 3, 3), (4, 3))],
        [{"left": False}],
        domains=(well, real),
    ),
    matrices(
        "linalg.solve_triangular",
        triangular,
        [((3, 3), (3, 2))],
        [
            {"upper": True},
            {"upper": False},
            {"upper": True, "unitriangular": True},
            (((3, 3), (2, 3)), {"upper": False, "left": False}),
        ],
        domains=(well, real),
    ),
    matrices(
        "linalg.cholesky", lambda x: np.linalg.cholesky(gram(x)), call=lambda x: linalg.cholesky(gram(x)), ops=("cholesky",)
    ),
    matrices("cholesky", lambda x: np.linalg.cholesky(gram(x)).mT, call=lambda x: tg.cholesky(gram(x), upper=True)),
    *(
        matrices(
            "cholesky_solve",
            lambda A, B: np.linalg.solve(gram(A), B),
            [((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 1))],
            call=lambda A, B, upper=upper: tg.cholesky_solve(B, tg.cholesky(gram(A), upper), upper),
            ops=(),
            domains=(well, real),
        )
        for upper in (False, True)
    ),
    matrices("linalg.qr", lambda x: projection(np.linalg.qr(x)[0]), ANY, call=lambda x: projection(linalg.qr(x).Q), ops=("qr",)),
    matrices("linalg.qr", lambda x: np.abs(np.linalg.qr(x)[1]), ANY, call=lambda x: abs(linalg.qr(x).R)),
    matrices("qr", lambda x: np.linalg.qr(x)[0] @ np.linalg.qr(x)[1], ANY, call=lambda x: tg.qr(x).Q @ tg.qr(x).R),
    matrices(
        "linalg.eigh",
        lambda x: projection(np.linalg.eigh(symmetric(x))[1]),
        call=lambda x: projection(linalg.eigh(symmetric(x)).eigenvectors),
        ops=("eigh",),
        shapes=SQUARE[:-1],
    ),
    matrices(
        "linalg.eigvalsh",
        lambda x, UPLO="L": np.linalg.eigvalsh(symmetric(x)),
        settings=[{}, {"UPLO": "U"}],
        call=lambda x, UPLO="L": linalg.eigvalsh(symmetric(x), UPLO),
    ),
    matrices(
        "linalg.svd",
        lambda x: projection(np.linalg.svd(x)[0]),
        ANY,
        call=lambda x: projection(linalg.svd(x).U[..., : x.shape[-1]]),
        ops=("svd",),
    ),
    matrices(
        "linalg.svd",
        lambda x: projection(np.linalg.svd(x)[2].mT),
        ANY,
        call=lambda x: projection(linalg.svd(x, full_matrices=False).Vh.mT),
    ),
    matrices("svd", lambda x: projection(np.linalg.svd(x)[2].mT), ANY, call=lambda x: projection(tg.svd(x).V)),
    matrices("linalg.svdvals", lambda x: np.linalg.svd(x, compute_uv=False), ANY),
]
