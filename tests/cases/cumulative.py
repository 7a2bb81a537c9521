"""Rows for ops/cumulative.py."""

import numpy as np

from tinygrad_edu.ops.cumulative import _from_behind

from . import Case, distinct, real
from .reduction import EMPTY, ONE_DIM, SHAPES, by


def with_zeros(rng, shape):
    """Numbers of which about a third are 0."""
    return np.where(rng.random(shape) < 0.35, 0.0, real(rng, shape))


def along(name, reference, domain=real, ops=None):
    """A function that keeps the shape, along one dim."""
    one_dim = [((2, 3),), ((4,),), ((2, 3, 2),), ((3, 1),), ((0, 3),), ((),)]
    return Case(
        name,
        lambda x, dim: reference(x.reshape(x.shape or 1), dim).reshape(x.shape),
        (domain,),
        one_dim,
        [{"dim": 0}, {"dim": -1}],
        ops=ops,
    )


def running(name, better):
    """The best element so far and where it stands, by a plain loop."""

    def one(row):
        best = [0]
        for i in range(1, len(row)):
            best.append(i if better(row[i], row[best[-1]]) else best[-1])
        return np.array(best)

    def reference(x, dim):
        index = np.apply_along_axis(one, dim, x) if x.ndim else np.array(0)
        return (np.take_along_axis(x, index, dim) if x.ndim else x), index

    return Case(name, reference, (distinct,), [((2, 5),), ((4,),), ((3, 2, 1),), ((),)], [{"dim": 0}, {"dim": -1}], ops=())


def from_behind(x, factors):
    """Column by column, by Horner's rule."""
    z = x.copy()
    for i in reversed(range(len(x) - 1)):
        z[i] = x[i] + factors[i] * z[i + 1]
    return z


def product_along(x, dim=None, keepdim=False):
    """np.prod, 0-d too."""
    return by(np.prod)(x, dim, keepdim)


CASES = [
    Case("prod", product_along, shapes=SHAPES, settings=[{}, *ONE_DIM, *EMPTY]),
    Case("prod", product_along, (with_zeros,), [((2, 3),), ((4, 5),)], [{}, {"dim": 0}, {"dim": 1}], ops=(), note="zeros inside"),
    along("cumsum", np.cumsum),
    along("cumprod", np.cumprod),
    along("cumprod", np.cumprod, with_zeros, ()),
    along("logcumsumexp", lambda x, dim: np.log(np.cumsum(np.exp(x), dim))),
    Case(
        "from_behind",
        from_behind,
        (real, real),
        [((4, 2), (3, 2)), ((1, 2), (0, 2)), ((5,), (4,))],
        call=lambda x, factors: _from_behind(x, factors, dim=0),
    ),
    running("cummax", lambda a, b: a >= b),
    running("cummin", lambda a, b: a <= b),
]
