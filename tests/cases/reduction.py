"""Rows for ops/reduction.py."""

import numpy as np
from scipy import special

import tinygrad_edu as tg

from . import Case, boolean, distinct, positive, real

SHAPES = [((2, 3),), ((2, 3, 2),)]
SETTINGS = [{}, {"dim": 0}, {"dim": -1, "keepdim": True}, (((2, 3, 2),), {"dim": (0, 2)})]


def by(function):
    """A NumPy reduction that takes dim and keepdim."""
    return lambda x, dim=None, keepdim=False, **rest: function(x, axis=dim, keepdims=keepdim, **rest)


def picked(name, function):
    return Case(name, lambda x, dim, keepdim=False: function(x, axis=dim, keepdims=keepdim), (distinct,), SHAPES,
                [{"dim": 0}, {"dim": -1, "keepdim": True}], lambda x, **s: getattr(tg, name)(x, **s).values, ())  # fmt: skip


def along(name, reference, domain=real, ops=None):
    return Case(name, reference, (domain,), [((2, 3),), ((4,),)], [{"dim": 0}, {"dim": -1}], None, ops)


CASES = [
    Case("sum", by(np.sum), shapes=SHAPES, settings=SETTINGS),
    Case("mean", by(np.mean), shapes=SHAPES, settings=SETTINGS),
    Case("nansum", by(np.nansum), shapes=SHAPES, settings=SETTINGS, ops=()),
    Case("nanmean", by(np.nanmean), shapes=SHAPES, settings=SETTINGS, ops=()),
    Case("prod", by(np.prod), shapes=SHAPES, settings=[{}, {"dim": 0}, {"dim": -1, "keepdim": True}]),
    Case("amax", by(np.max), (distinct,), SHAPES, SETTINGS),
    Case("amin", by(np.min), (distinct,), SHAPES, SETTINGS),
    picked("max", np.max),
    picked("min", np.min),
    Case("argmax", by(np.argmax), (distinct,), SHAPES, [{}, {"dim": 0}, {"dim": -1, "keepdim": True}], ops=()),
    Case("argmin", by(np.argmin), (distinct,), SHAPES, [{}, {"dim": 0}, {"dim": -1, "keepdim": True}], ops=()),
    Case("any", by(np.any), (boolean,), SHAPES, SETTINGS),
    Case("all", by(np.all), (boolean,), SHAPES, SETTINGS),
    Case("count_nonzero", lambda x, dim=None: np.count_nonzero(x, axis=dim), (boolean,), SHAPES, [{}, {"dim": 1}]),
    Case("var", lambda x, dim=None, keepdim=False, correction=1: np.var(x, axis=dim, keepdims=keepdim, ddof=correction), shapes=SHAPES,
         settings=[*SETTINGS, {"dim": 0, "correction": 0}]),
    Case("std", lambda x, dim=None, keepdim=False, correction=1: np.std(x, axis=dim, keepdims=keepdim, ddof=correction), (distinct,),
         SHAPES, [*SETTINGS, {"dim": 0, "correction": 0}], ops=("root",)),
    Case("logsumexp", lambda x, dim, keepdim=False: special.logsumexp(x, axis=dim, keepdims=keepdim), shapes=SHAPES,
         settings=[{"dim": 0}, {"dim": (0, 1), "keepdim": True}]),
    along("softmax", lambda x, dim: special.softmax(x, axis=dim)),
    along("log_softmax", lambda x, dim: special.log_softmax(x, axis=dim)),
    along("softmin", lambda x, dim: special.softmax(-x, axis=dim), ops=()),
    along("cumsum", lambda x, dim: np.cumsum(x, dim)),
    along("cumprod", lambda x, dim: np.cumprod(x, dim)),
    along("logcumsumexp", lambda x, dim: np.log(np.cumsum(np.exp(x), dim))),
    Case("cummax", lambda x, dim: np.maximum.accumulate(x, dim), (distinct,), [((2, 3),)], [{"dim": 1}],
         lambda x, dim: tg.cummax(x, dim).values, ()),
    Case("cummin", lambda x, dim: np.minimum.accumulate(x, dim), (distinct,), [((2, 3),)], [{"dim": 1}],
         lambda x, dim: tg.cummin(x, dim).values, ()),
    Case("trace", np.trace, shapes=[((3, 3),), ((2, 3),)], ops=()),
    Case("dist", lambda x, y: np.linalg.norm(x - y), (positive, lambda rng, shape: -positive(rng, shape)), [((3,), (3,))], ops=()),
]  # fmt: skip
