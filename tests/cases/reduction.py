"""Rows for ops/reduction.py."""

import numpy as np
from scipy import special

import tinygrad_edu as tg
from tinygrad_edu.ops.reduction import _from_behind, _root

from . import Case, boolean, distinct, integers, positive, real

SHAPES = [((2, 3),), ((2, 3, 2),), ((),)]
SETTINGS = [
    {},
    {"dim": 0},
    {"dim": -1, "keepdim": True},
    (((2, 3, 2),), {"dim": (0, -1)}),
    (((2, 3, 2),), {"dim": [1], "keepdim": True}),
]
ONE_DIM = [{"dim": 0}, {"dim": -1, "keepdim": True}, (((2, 3, 2),), {"dim": 1})]
EMPTY = [(((0, 3),), {"dim": 0}), (((0, 3),), {"dim": 1}), (((0, 3),), {})]


def with_zeros(rng, shape):
    """Numbers of which about a third are 0."""
    return np.where(rng.random(shape) < 0.35, 0.0, real(rng, shape))


def by(function):
    """A NumPy reduction as a function of dim and keepdim; a 0-d array counts as a vector of one."""

    def reference(x, dim=None, keepdim=False, **rest):
        if not x.ndim:
            return function(x.reshape(1), axis=0, **rest)
        return function(x, axis=tuple(dim) if isinstance(dim, list) else dim, keepdims=keepdim, **rest)

    return reference


def spread(function):
    """np.var or np.std under PyTorch's names."""
    return lambda x, dim=None, keepdim=False, correction=1, unbiased=None: by(function)(
        x, dim, keepdim, ddof=correction if unbiased is None else int(unbiased)
    )


def picked(name, values, indices):
    """max(x, dim) and its relatives: values and indices."""

    def reference(x, dim, keepdim=False):
        return by(values)(x, dim, keepdim), by(indices)(x, dim, keepdim)

    return Case(name, reference, (distinct,), SHAPES, ONE_DIM, ops=())


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
    Case("sum", by(np.sum), shapes=SHAPES, settings=[*SETTINGS, *EMPTY]),
    Case("mean", by(np.mean), shapes=SHAPES, settings=[*SETTINGS, (((0, 3),), {"dim": 1})]),
    Case("sum", by(np.sum), (integers(-5, 5),), SHAPES, SETTINGS, ops=()),
    Case("nansum", by(np.nansum), shapes=SHAPES, settings=SETTINGS, ops=()),
    Case("nanmean", by(np.nanmean), shapes=SHAPES, settings=SETTINGS, ops=()),
    Case(
        "nanmean",
        lambda x, dim: np.nanmean(np.where(x > 0, x, np.nan), axis=dim),
        (lambda rng, shape: np.abs(real(rng, shape)) * np.array([1, -1, 1]),),
        [((2, 3),)],
        [{"dim": 1}],
        lambda x, dim: tg.nanmean(tg.where(x > 0, x, float("nan")), dim),
        (),
        note="with NaNs",
    ),
    Case("prod", product_along, shapes=SHAPES, settings=[{}, *ONE_DIM, *EMPTY]),
    Case("prod", product_along, (with_zeros,), [((2, 3),), ((4, 5),)], [{}, {"dim": 0}, {"dim": 1}], ops=(), note="zeros inside"),
    Case("amax", by(np.max), (distinct,), SHAPES, [*SETTINGS, (((0, 3),), {"dim": 1})]),
    Case("amin", by(np.min), (distinct,), SHAPES, [*SETTINGS, (((0, 3),), {"dim": 1})]),
    Case("aminmax", lambda x, dim=None: (np.min(x, dim), np.max(x, dim)), (distinct,), [((2, 3),)], [{}, {"dim": 1}], ops=()),
    Case("max", lambda x: np.max(x), (distinct,), SHAPES, ops=(), note="of all"),
    Case("min", lambda x: np.min(x), (distinct,), SHAPES, ops=(), note="of all"),
    Case("max", np.maximum, (distinct, positive), [((2, 3), (3,))], ops=(), note="of two"),
    Case("min", np.minimum, (distinct, positive), [((2, 3), (3,))], ops=(), note="of two"),
    picked("max", np.max, np.argmax),
    picked("min", np.min, np.argmin),
    Case("argmax", by(np.argmax), (distinct,), SHAPES, [{}, *ONE_DIM], ops=()),
    Case("argmin", by(np.argmin), (distinct,), SHAPES, [{}, *ONE_DIM], ops=()),
    Case("any", by(np.any), (boolean,), SHAPES, [*SETTINGS, *EMPTY]),
    Case("all", by(np.all), (boolean,), SHAPES, [*SETTINGS, *EMPTY]),
    Case(
        "count_nonzero",
        lambda x, dim=None: np.count_nonzero(x, axis=dim),
        (boolean,),
        SHAPES[:2],
        [{}, {"dim": 1}, {"dim": (0, 1)}],
    ),
    Case(
        "var",
        spread(np.var),
        shapes=SHAPES[:2],
        settings=[*SETTINGS, {"dim": 0, "correction": 0}, {"dim": 1, "correction": 1.5}, {"unbiased": False}],
    ),
    Case(
        "std",
        spread(np.std),
        (distinct,),
        SHAPES[:2],
        [*SETTINGS, {"dim": 0, "correction": 0}, {"dim": 1, "unbiased": False}],
        ops=(),
    ),
    Case("root", np.sqrt, (positive,), call=_root),
    Case(
        "var_mean",
        lambda x, dim=None: (np.var(x, dim, ddof=1), np.mean(x, dim)),
        shapes=[((2, 3),)],
        settings=[{}, {"dim": 1}],
        ops=(),
    ),
    Case(
        "std_mean",
        lambda x, dim=None: (np.std(x, dim, ddof=1), np.mean(x, dim)),
        (distinct,),
        [((2, 3),)],
        [{}, {"dim": 1}],
        ops=(),
    ),
    Case(
        "logsumexp",
        lambda x, dim, keepdim=False: special.logsumexp(x, axis=dim, keepdims=keepdim),
        shapes=SHAPES[:2],
        settings=[{"dim": 0}, {"dim": (0, 1), "keepdim": True}, {"dim": -1}, (((0, 3),), {"dim": 0}), (((0, 3),), {"dim": 1})],
    ),
    along("softmax", lambda x, dim: special.softmax(x, axis=dim) if x.size else x),
    along("log_softmax", lambda x, dim: special.log_softmax(x, axis=dim) if x.size else x),
    along("softmin", lambda x, dim: special.softmax(-x, axis=dim) if x.size else x, ops=()),
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
    Case("trace", np.trace, shapes=[((3, 3),), ((2, 3),), ((0, 3),)], ops=()),
]
