"""Rows for ops/embedding.py."""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops.embedding import _add_rows
from tinygrad_edu.tensor import raw

from . import Case, integers, real

NUMBERS = integers(0, 5)


def add_rows(x, index):
    z = np.zeros((5, x.shape[-1]))
    for number, row in zip(index.reshape(-1), x.reshape(-1, x.shape[-1]), strict=True):
        z[number] += row
    return z


def bags(index, weight, mode="mean", padding_idx=None):
    z = np.zeros((len(index), weight.shape[1]))
    for b, numbers in enumerate(index):
        rows = [weight[n] for n in numbers if n != padding_idx]
        z[b] = getattr(np, mode)(rows, axis=0) if rows else 0
    return z


def bags_from_offsets(index, weight, mode="mean"):
    return bags([index[:2], [], index[2:]], weight, mode)


CASES = [
    Case(
        "embedding",
        lambda index, weight: weight[index],
        (NUMBERS, real),
        [((4,), (5, 3)), ((), (5, 3)), ((2, 6), (5, 2)), ((0,), (5, 3))],
    ),
    Case(
        "add_rows",
        add_rows,
        (real, NUMBERS),
        [((4, 3), (4,)), ((2, 3, 2), (2, 3)), ((3,), ()), ((0, 3), (0,))],
        call=lambda x, index: _add_rows(x, index=raw(index).copy(), rows=5),
    ),
    Case(
        "embedding_bag",
        bags,
        (NUMBERS, real),
        [((4, 3), (5, 2)), ((1, 6), (5, 2))],
        [{}, {"mode": "sum"}, {"mode": "max"}, {"padding_idx": 1}, {"mode": "max", "padding_idx": 1}],
        ops=(),
    ),
    Case(
        "embedding_bag",
        bags_from_offsets,
        (NUMBERS, real),
        [((5,), (5, 2))],
        [{}, {"mode": "sum"}, {"mode": "max"}],
        call=lambda index, weight, **how: tg.embedding_bag(index, weight, tg.tensor([0, 2, 2]), **how),
        ops=(),
        note="with offsets, and an empty bag",
    ),
    Case(
        "one_hot",
        lambda x, num_classes: np.eye(num_classes, dtype="int64")[x],
        (NUMBERS,),
        settings=[{"num_classes": 5}, {"num_classes": 7}],
    ),
]
