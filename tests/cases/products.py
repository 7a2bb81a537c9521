"""Rows for ops/products.py."""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops.products import sum_rows

from . import Case, real


def plus(product):
    """The reference of addmm and its relatives: beta·input + alpha·product."""
    return lambda c, x, y, beta=1, alpha=1: beta * c + alpha * product(x, y)


SCALED = [{}, {"beta": 2, "alpha": 3}, {"beta": -0.5, "alpha": 0.25}]

CASES = [
    Case(
        "matmul",
        np.matmul,
        (real, real),
        [
            ((2, 3), (3, 4)),
            ((3,), (3,)),
            ((3,), (3, 4)),
            ((2, 3), (3,)),
            ((5, 2, 3), (3, 4)),
            ((5, 2, 3), (3,)),
            ((2, 3), (5, 3, 4)),
            ((3,), (5, 3, 4)),
            ((5, 2, 3), (5, 3, 4)),
            ((5, 1, 2, 3), (4, 3, 2)),
            ((1, 2, 3), (5, 3, 4)),
            ((0, 3), (3, 4)),
            ((2, 0), (0, 4)),
            ((0, 2, 3), (3, 4)),
        ],
    ),
    Case("mm", np.matmul, (real, real), [((2, 3), (3, 4)), ((0, 3), (3, 2))], ops=()),
    Case("bmm", np.matmul, (real, real), [((5, 2, 3), (5, 3, 4)), ((0, 2, 3), (0, 3, 4))], ops=()),
    Case("mv", np.matmul, (real, real), [((2, 3), (3,)), ((0, 3), (3,))], ops=()),
    Case("dot", np.dot, (real, real), [((3,), (3,)), ((0,), (0,))], ops=()),
    Case("vdot", np.vdot, (real, real), [((3,), (3,))], ops=()),
    Case("outer", np.outer, (real, real), [((2,), (3,)), ((0,), (3,))], ops=()),
    Case("ger", np.outer, (real, real), [((2,), (3,))], ops=()),
    Case(
        "linalg.vecdot",
        lambda x, y, dim=-1: np.sum(x * y, axis=dim),
        (real, real),
        [((2, 3), (2, 3)), ((3,), (2, 3))],
        [{}, {"dim": -1}],
        ops=(),
    ),
    Case("chain_matmul", lambda *xs: np.linalg.multi_dot(xs), (real,) * 4, [((2, 3), (3, 4), (4, 1), (1, 3))], ops=()),
    Case(
        "linalg.multi_dot",
        lambda *xs: np.linalg.multi_dot(xs),
        (real,) * 3,
        [((2, 3), (3, 4), (4, 2)), ((3,), (3, 4), (4, 2)), ((2, 3), (3, 4), (4,)), ((3,), (3, 4), (4,))],
        call=lambda *xs: tg.linalg.multi_dot(xs),
        ops=(),
    ),
    Case(
        "addmm",
        plus(np.matmul),
        (real,) * 3,
        [((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4)), ((), (2, 3), (3, 4))],
        SCALED,
        ops=(),
    ),
    Case("addmv", plus(np.matmul), (real,) * 3, [((2,), (2, 3), (3,)), ((), (2, 3), (3,))], SCALED, ops=()),
    Case("addr", plus(np.outer), (real,) * 3, [((2, 3), (2,), (3,)), ((3,), (2,), (3,))], SCALED, ops=()),
    Case(
        "addbmm",
        plus(lambda x, y: np.sum(x @ y, 0)),
        (real,) * 3,
        [((2, 4), (5, 2, 3), (5, 3, 4)), ((4,), (5, 2, 3), (5, 3, 4))],
        SCALED,
        ops=(),
    ),
    Case(
        "baddbmm", plus(np.matmul), (real,) * 3, [((5, 2, 4), (5, 2, 3), (5, 3, 4)), ((4,), (5, 2, 3), (5, 3, 4))], SCALED, ops=()
    ),
    Case(
        "linear",
        lambda x, weight, bias: np.einsum("...i,oi->...o", x, weight) + bias,
        (real,) * 3,
        [((4, 3), (2, 3), (2,)), ((3,), (2, 3), (2,)), ((5, 4, 3), (2, 3), (2,)), ((0, 3), (2, 3), (2,)), ((4, 3), (2, 3), ())],
    ),
    Case(
        "linear",
        lambda x, weight: np.einsum("...i,...i->...", x, weight) if weight.ndim == 1 else np.einsum("...i,oi->...o", x, weight),
        (real,) * 2,
        [((4, 3), (2, 3)), ((5, 4, 3), (2, 3)), ((3,), (2, 3)), ((4, 3), (3,)), ((5, 4, 3), (3,)), ((3,), (3,))],
        note="without a bias; with a vector as weight",
    ),
    Case(
        "sum_rows",
        lambda x: x.reshape(-1, x.shape[-1]).sum(0),
        shapes=[((4, 3),), ((2, 4, 3),), ((3,),), ((0, 3),)],
        call=sum_rows,
    ),
    Case(
        "kron",
        np.kron,
        (real, real),
        [((2, 3), (3, 2)), ((2,), (3, 2)), ((2, 3), (2,)), ((), (2, 3)), ((2, 1, 2), (2, 3))],
        ops=(),
    ),
    Case("cross", np.cross, (real, real), [((3,), (3,)), ((2, 3), (2, 3))], [{}]),
    Case(
        "linalg.cross",
        lambda x, y, dim=-1: np.cross(x, y, axis=dim),
        (real, real),
        [((2, 3), (2, 3)), ((1, 3), (2, 3))],
        [{}, (((3, 2), (3, 2)), {"dim": 0}), (((2, 3, 2), (2, 3, 2)), {"dim": -2})],
    ),
]
