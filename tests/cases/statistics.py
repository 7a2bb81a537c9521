"""Rows for ops/statistics.py."""

import numpy as np

import tinygrad_edu as tg

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


def areas(y, x=None, dx=1.0, dim=-1):
    """The areas under the first two points, the first three ..."""
    y = np.moveaxis(y, dim, -1)
    x = x if x is None or x.ndim == 1 else np.moveaxis(x, dim, -1)
    upto = range(2, y.shape[-1] + 1)
    return np.moveaxis(np.stack([area(y[..., :i], None if x is None else x[..., :i], dx) for i in upto], -1), -1, dim)


CASES = [
    Case("cov", np.cov, shapes=[((3, 4),), ((2, 5),), ((4,),)], settings=[{}], ops=()),
    Case("cov", lambda x, correction: np.cov(x, ddof=correction), shapes=[((3, 4),)], settings=[{"correction": 0}], ops=()),
    Case("corrcoef", correlations, shapes=[((3, 4),), ((2, 5),)], ops=()),
    Case("trapezoid", area, shapes=[((3, 4),), ((4,),)], settings=[{}, {"dx": 0.5}, {"dim": 0}], ops=()),
    Case("trapezoid", area, (real, real), [((3, 4), (4,)), ((4,), (4,)), ((2, 3), (2, 3))], ops=()),
    Case("trapezoid", area, (real, real), [((3, 4), (3,))], [{"dim": 0}], ops=()),
    Case("cumulative_trapezoid", areas, shapes=[((3, 4),), ((4,),)], settings=[{}, {"dx": 0.5}, {"dim": 0}], ops=()),
    Case("cumulative_trapezoid", areas, (real, real), [((3, 4), (4,)), ((2, 3), (2, 3))], ops=()),
    Case(
        "gradient",
        lambda x, dim, spacing=1, edge_order=1: tuple(np.gradient(x, *np.atleast_1d(spacing), axis=dim, edge_order=edge_order)),
        shapes=[((3, 4),), ((5, 3, 3),)],
        settings=[{"dim": (0, 1)}, {"dim": (1, 0), "spacing": [0.5, 2.0]}, {"dim": (0, 1), "edge_order": 2}],
        ops=(),
    ),
    Case(
        "gradient",
        lambda y, x: np.gradient(y, x, axis=1, edge_order=2),
        (real, lambda rng, shape: np.sort(rng.uniform(-3, 3, shape)) + np.arange(4)),
        [((3, 4), (4,)), ((2, 4, 2), (4,))],
        call=lambda y, x: tg.gradient(y, spacing=(x,), dim=1, edge_order=2)[0],
        ops=(),
    ),
]
