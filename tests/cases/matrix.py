"""Rows for ops/matrix.py."""

import numpy as np
import scipy.linalg

from tinygrad_edu import linalg
from tinygrad_edu.ops.matrix import cofactor

from . import real
from .linalg import ANY, SQUARE, matrices, symmetric, well


def singular(rng, shape):
    """Matrices whose rank is 2 less than their size: their determinant and its gradient are 0, the second derivative is not."""
    *batch, n, m = shape
    return rng.uniform(-1, 1, (*batch, n, m - 2)) @ rng.uniform(-1, 1, (*batch, m - 2, m))


def minors(x):
    """Cofactors by their definition."""
    z = np.empty_like(x)
    for *batch, i, j in np.ndindex(x.shape):
        rest = np.delete(np.delete(x[tuple(batch)], i, 0), j, 1)
        z[(*batch, i, j)] = (-1) ** (i + j) * np.linalg.det(rest)
    return z


def least_squares(A, B):
    """lstsq's reference: the normal equations."""
    return np.linalg.inv(A.mT @ A) @ A.mT @ B


def vanders(x, N):
    """Row by row, from the power 0 on."""
    rows = [np.vander(row, N, increasing=True) for row in x.reshape(-1, x.shape[-1])]
    return np.reshape(rows, (*x.shape, x.shape[-1] if N is None else N))


CASES = [
    matrices("linalg.pinv", np.linalg.pinv, ANY, ops=("pinv",)),
    matrices(
        "linalg.pinv",
        lambda x, hermitian: np.linalg.pinv(symmetric(x)),
        settings=[{"hermitian": True}],
        call=lambda x, hermitian: linalg.pinv(symmetric(x), hermitian=hermitian),
    ),
    matrices("pinverse", np.linalg.pinv, ANY),
    matrices("linalg.matrix_rank", np.linalg.matrix_rank, ANY, ops=("matrix_rank",)),
    matrices("linalg.matrix_rank", np.linalg.matrix_rank, [((4, 4),), ((2, 3, 3),)], domains=(singular,)),
    matrices(
        "linalg.lstsq",
        least_squares,
        [((4, 2), (4, 3)), ((2, 4, 2), (2, 4, 1))],
        call=lambda A, B: linalg.lstsq(A, B).solution,
        domains=(well, real),
    ),
    matrices("det", np.linalg.det, ops=("det",)),
    matrices("linalg.det", np.linalg.det, [((3, 3),), ((2, 2),), ((2, 4, 4),)], domains=(singular,)),
    matrices("cofactor", minors, call=cofactor, ops=("cofactor",)),
    matrices("linalg.slogdet", lambda x: np.linalg.slogdet(x)[1], call=lambda x: linalg.slogdet(x).logabsdet, ops=("slogdet",)),
    matrices("slogdet", lambda x: np.sign(np.linalg.det(x)), call=lambda x: linalg.slogdet(x).sign),
    matrices("logdet", lambda x: np.log(np.linalg.det(x))),
    matrices("linalg.matrix_power", np.linalg.matrix_power, settings=[{"n": n} for n in (0, 1, 2, 3, 6, -1, -2)]),
    matrices(
        "linalg.vander", lambda x, N=None: vanders(x, N), [((3,),), ((2, 4),)], settings=[{}, {"N": 2}, {"N": 5}], domains=(real,)
    ),
    matrices(
        "vander", np.vander, [((3,),), ((1,),)], settings=[{}, {"N": 2}, {"N": 4, "increasing": True}, {"N": 0}], domains=(real,)
    ),
    matrices("matrix_exp", scipy.linalg.expm, SQUARE[:-1], ops=("matrix_exp",)),
    matrices(
        "linalg.diagonal", lambda x, offset=0: np.diagonal(x, offset, -2, -1), ANY, settings=[{}, {"offset": 1}, {"offset": -1}]
    ),
]
