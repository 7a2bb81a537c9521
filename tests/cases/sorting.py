"""Rows for ops/sorting.py."""

import numpy as np

import tinygrad_edu as tg

from . import Case, distinct


def values(name, reference, settings, shapes=(((2, 5),),)):
    return Case(name, reference, (distinct,), list(shapes), settings, lambda x, **s: getattr(tg, name)(x, **s).values, ())


CASES = [
    values("sort", lambda x, dim=-1, descending=False: np.sort(x, dim) if not descending else -np.sort(-x, dim),
           [{}, {"dim": 0}, {"descending": True}]),
    Case("msort", lambda x: np.sort(x, 0), (distinct,), [((4, 2),)], ops=()),
    Case("argsort", lambda x, dim=-1: np.argsort(x, dim), (distinct,), [((2, 5),)], [{}, {"dim": 0}], ops=()),
    values("topk", lambda x, k, largest=True: -np.sort(-x, -1)[..., :k] if largest else np.sort(x, -1)[..., :k],
           [{"k": 2}, {"k": 3, "largest": False}]),
    values("kthvalue", lambda x, k: np.sort(x, -1)[..., k - 1], [{"k": 2}]),
    values("median", lambda x, dim: np.sort(x, dim)[:, (x.shape[1] - 1) // 2], [{"dim": 1}], [((2, 5),), ((2, 4),)]),
    values("nanmedian", lambda x, dim: np.sort(x, dim)[:, (x.shape[1] - 1) // 2], [{"dim": 1}]),
    values("mode", lambda x: np.min(x, -1), [{}]),
    Case("quantile", lambda x, q, dim=None: np.quantile(x, q, axis=dim), (distinct,), [((2, 5),)], [{"q": 0.3}, {"q": 0.6, "dim": 1}],
         ops=(), dtypes=("float32", "float64")),
    Case("nanquantile", lambda x, q, dim=None: np.nanquantile(x, q, axis=dim), (distinct,), [((2, 5),)], [{"q": 0.3, "dim": 0}], ops=(),
         dtypes=("float32", "float64")),
]  # fmt: skip
