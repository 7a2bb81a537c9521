"""Rows for ops/norms.py."""

import numpy as np

from tinygrad_edu.ops.norms import _p_norm

from . import Case, distinct

INF = float("inf")
ORDERS = (2, 1, 3, 0.5, 4.5, 0, -1.5, INF, -INF)


def vector_norm(x, ord=2, dim=None, keepdim=False):
    """NumPy's."""
    return np.linalg.vector_norm(x, ord=ord, axis=dim, keepdims=keepdim)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False):
    """NumPy's."""
    return np.linalg.norm(A, ord=ord, axis=dim, keepdims=keepdim)


CASES = [
    Case("p_norm", vector_norm, settings=[{}, {"ord": 3}, {"ord": 1.5}, {"ord": 2, "keepdim": True}], call=_p_norm),
    Case(
        "linalg.vector_norm",
        vector_norm,
        (distinct,),
        [((2, 3),), ((5,),), ((),), ((2, 1, 3),)],
        [{"ord": p} for p in ORDERS],
        ops=(),
    ),
    Case(
        "linalg.vector_norm",
        vector_norm,
        (distinct,),
        [((2, 3, 4),)],
        [{"dim": -1}, {"dim": (0, 2), "keepdim": True}, {"ord": INF, "dim": 1}],
        ops=(),
    ),
    Case(
        "linalg.matrix_norm",
        matrix_norm,
        (distinct,),
        [((3, 3),), ((2, 4, 3),)],
        [
            {},
            *({"ord": p} for p in ("fro", "nuc", 1, -1, 2, -2, INF, -INF)),
            {"ord": "nuc", "keepdim": True},
            {"ord": 1, "dim": (-1, -2)},
            {"ord": INF, "keepdim": True},
        ],
        ops=(),
        dtypes=("float32", "float64"),
    ),
    Case(
        "linalg.norm",
        lambda A, ord=None, dim=None, keepdim=False: np.linalg.norm(
            A if ord is not None or dim is not None else A.ravel(), ord, dim, keepdim
        ),
        (distinct,),
        [((3, 4),)],
        [{}, {"ord": "nuc"}, {"ord": 1}, {"ord": 2, "dim": 1}, {"dim": 0}, {"dim": (0, 1), "ord": INF}],
        ops=(),
        dtypes=("float32", "float64"),
    ),
    Case(
        "norm",
        lambda x, p="fro", dim=None: vector_norm(x, 2 if p == "fro" else p, dim),
        (distinct,),
        settings=[{}, {"p": 1}, {"p": 3}],
        shapes=[((2, 3),), ((5,),), ((),)],
        ops=(),
    ),
    Case(
        "linalg.cond",
        lambda A, p=None: np.linalg.cond(A, p),
        (distinct,),
        [((3, 3),)],
        [{}, {"p": 2}, {"p": -2}, {"p": 1}, {"p": "fro"}],
        ops=(),
        dtypes=("float32", "float64"),
    ),
    Case(
        "renorm",
        lambda x, p, dim, maxnorm: np.stack(
            [row * min(1, maxnorm / (np.sum(np.abs(row) ** p) ** (1 / p) + 1e-7)) for row in np.moveaxis(x, dim, 0)], dim
        ),
        (distinct,),
        [((3, 2),), ((2, 2, 2),)],
        [{"p": 2, "dim": 0, "maxnorm": 0.5}, {"p": 1, "dim": 1, "maxnorm": 0.7}],
        ops=(),
    ),
]
