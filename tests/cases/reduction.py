"""Rows for ops/reduction.py."""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops.reduction import _root, sum_of_products

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


CASES = [
    Case("sum", by(np.sum), shapes=SHAPES, settings=[*SETTINGS, *EMPTY]),
    Case("mean", by(np.mean), shapes=SHAPES, settings=[*SETTINGS, (((0, 3),), {"dim": 1})]),
    Case("sum", by(np.sum), (integers(-5, 5),), SHAPES, SETTINGS, ops=()),
    Case(
        "sum_of_products",
        lambda x, y, dim: np.sum(x * y, axis=dim, keepdims=True),
        (real, real),
        [((2, 3), (2, 3)), ((2, 3, 2), (2, 3, 2))],
        [{"dim": 0}, {"dim": -1}, (((2, 3, 2), (2, 3, 2)), {"dim": (0, 2)})],
        call=sum_of_products,
    ),
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
    Case("trace", np.trace, shapes=[((3, 3),), ((2, 3),), ((0, 3),)], ops=()),
]
