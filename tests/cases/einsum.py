"""Rows for ops/einsum.py."""

import numpy as np

import tinygrad_edu as tg

from . import Case, real


def einsum(equation, *shapes):
    """A row for one equation."""
    return Case(
        "einsum",
        lambda *xs: np.einsum(equation, *xs),
        (real,) * len(shapes),
        [shapes],
        call=lambda *xs: tg.einsum(equation, *xs),
        dtypes=("float32", "float64"),
    )


CASES = [
    Case(
        "bilinear",
        lambda x, y, weight, bias: np.einsum("...i,kij,...j->...k", x, weight, y) + bias,
        (real,) * 4,
        [((4, 3), (4, 2), (5, 3, 2), (5,)), ((3,), (2,), (5, 3, 2), (5,)), ((2, 4, 3), (2, 4, 2), (5, 3, 2), (5,))],
        ops=(),
    ),
    einsum("i->", (3,)),
    einsum("ii->i", (3, 3)),
    einsum("iji->j", (3, 2, 3)),
    einsum("ij->ji", (2, 3)),
    einsum("ji", (2, 3)),
    einsum("ij,jk", (2, 3), (3, 4)),
    einsum("ij,jk->ki", (2, 3), (3, 4)),
    einsum("ij,kj->ik", (2, 3), (4, 3)),
    einsum("i,j->ij", (2,), (3,)),
    einsum("ij,ij->", (2, 3), (2, 3)),
    einsum("ij,ij->ij", (2, 3), (2, 3)),
    einsum("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    einsum("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 2, 5)),
    einsum("...ij,...jk->...ik", (5, 2, 3), (1, 3, 4)),
    einsum("...i,i->...", (5, 2, 3), (3,)),
    einsum("i...->...", (3, 2)),
    einsum("ij,j->", (2, 3), (1,)),
    einsum("iij,j->i", (2, 2, 3), (3,)),
    einsum("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    einsum("ij,ik,il->jkl", (2, 3), (2, 4), (2, 2)),
    einsum(",i->i", (), (3,)),
    einsum("ij,jk->ik", (0, 3), (3, 2)),
    Case(
        "tensordot",
        lambda x, y, dims=2: np.tensordot(x, y, dims),
        (real, real),
        [((2, 3, 4), (3, 4, 5))],
        [
            {},
            {"dims": 2},
            (((2, 3), (3, 4)), {"dims": 1}),
            (((2,), (3,)), {"dims": 0}),
            {"dims": ([1, 2], [0, 1])},
            {"dims": ([-1], [1])},
        ],
        ops=(),
    ),
    Case("inner", np.inner, (real, real), [((3,), (3,)), ((2, 3), (4, 3)), ((5, 2, 3), (4, 3)), ((), (2, 3)), ((), ())], ops=()),
]
