"""Rows for ops/distance.py."""

import numpy as np
from scipy.spatial import distance

from . import Case, distinct, positive, real


def cosine(x, y, dim=1, eps=1e-8):
    x, y = np.broadcast_arrays(x, y)
    lengths = [np.maximum(np.sqrt((a * a).sum(dim)), eps) for a in (x, y)]
    return (x * y).sum(dim) / (lengths[0] * lengths[1])


def paired(x, y, p=2.0, eps=1e-6, keepdim=False):
    return (np.abs(x - y + eps) ** p).sum(-1, keepdims=keepdim) ** (1 / p)


CASES = [
    Case(
        "cosine_similarity",
        cosine,
        (real, real),
        [((4, 3), (4, 3)), ((4, 3), (3,)), ((2, 3, 4), (3, 1))],
        [{}, {"dim": -1}],
        ops=(),
    ),
    Case(
        "pairwise_distance",
        paired,
        (real, real),
        [((4, 3), (4, 3)), ((3,), (3,)), ((4, 3), (3,))],
        [{}, {"p": 1.0}, {"p": 3.0, "eps": 0.01, "keepdim": True}],
        ops=(),
    ),
    Case(
        "dist",
        lambda x, y, p=2: np.sum(np.abs(x - y) ** p) ** (1 / p),
        (positive, lambda rng, shape: -positive(rng, shape)),
        [((3,), (3,)), ((2, 3), (3,))],
        [{}, {"p": 3}],
        ops=(),
    ),
    Case(
        "cdist",
        lambda x, y, p=2.0: distance.cdist(x, y, "minkowski", p=p),
        (distinct, real),
        [((3, 4), (2, 4)), ((1, 4), (5, 4))],
        [{}, {"p": 1.0}, {"p": 3.0}],
        ops=("distances",),
    ),
    Case(
        "pdist",
        lambda x, p=2.0: distance.pdist(x, "minkowski", p=p),
        (distinct,),
        [((4, 3),)],
        [{}, {"p": 1.0}, {"p": 3.0}],
        ops=(),
    ),
]
