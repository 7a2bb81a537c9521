"""Rows for ops/statistics.py."""

import numpy as np

from . import Case, real


def correlations(x):
    """From their definition, pair by pair."""
    rows = np.atleast_2d(x) - np.atleast_2d(x).mean(1, keepdims=True)
    found = [[a @ b / np.sqrt((a @ a) * (b @ b)) for b in rows] for a in rows]
    return np.squeeze(found)


def area(y, x=None, dx=1.0, dim=-1):
    """Trapezium by trapezium."""
    y = np.moveaxis(y, dim, -1)
    x = np.arange(y.shape[-1]) * dx if x is None else x if x.ndim == 1 else np.moveaxis(x, dim, -1)
    pieces = [(y[..., i] + y[..., i + 1]) * (x[..., i + 1] - x[..., i]) / 2 for i in range(y.shape[-1] - 1)]
    return np.sum(pieces, axis=0)


CASES = [
    Case("cov", np.cov, shapes=[((3, 4),), ((2, 5),), ((4,),)], settings=[{}], ops=()),
    Case("cov", lambda x, correction: np.cov(x, ddof=correction), shapes=[((3, 4),)], settings=[{"correction": 0}], ops=()),
    Case("corrcoef", correlations, shapes=[((3, 4),), ((2, 5),)], ops=()),
    Case("trapezoid", area, shapes=[((3, 4),), ((4,),)], settings=[{}, {"dx": 0.5}, {"dim": 0}], ops=()),
    Case("trapezoid", area, (real, real), [((3, 4), (4,)), ((4,), (4,)), ((2, 3), (2, 3))], ops=()),
    Case("trapezoid", area, (real, real), [((3, 4), (3,))], [{"dim": 0}], ops=()),
]
