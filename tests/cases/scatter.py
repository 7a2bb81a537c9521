"""Rows for ops/scatter.py."""

import numpy as np

import tinygrad_edu as tg

from .indexing import AT, ROWS, fixed, put_rows


def scattered(x, s):
    z = x.copy()
    for i in range(2):
        for j in range(3):
            z[AT[i, j], j] += s[i, j]
    return z


def replaced(x, s):
    z = x.copy()
    z[[[0, 1], [1, 0]], [0, 1]] = s
    return z


CASES = [
    fixed("gather", lambda x: np.take_along_axis(x, AT, 0), [((2, 3),)], lambda x: tg.gather(x, 0, tg.tensor(AT)), ["gather", "scatter_add_zeros"]),
    fixed("gather", lambda x: x, [((3, 0),)], lambda x: tg.gather(x, 1, tg.tensor(np.zeros((3, 0), np.int64)))),
    fixed("take_along_dim", lambda x: np.take_along_axis(x, AT, 0), [((2, 3),)], lambda x: tg.take_along_dim(x, tg.tensor(AT), 0)),
    fixed("take", lambda x: x.reshape(-1)[[0, 5, 0]], [((2, 3),)], lambda x: tg.take(x, tg.tensor([0, 5, 0]))),
    fixed("scatter_add", scattered, [((2, 3), (2, 3))], lambda x, s: tg.scatter_add(x, 0, tg.tensor(AT), s), ["scatter_add"]),
    fixed("scatter", replaced, [((2, 2), (2, 2))], lambda x, s: tg.scatter(x, 0, tg.tensor([[0, 1], [1, 0]]), s), ["scatter_replace"]),
    fixed("scatter_reduce", lambda x, s: np.maximum(x, [max(s[0], s[2]), s[1]]), [((2,), (3,))],
          lambda x, s: tg.scatter_reduce(x, 0, tg.tensor([0, 1, 0]), s, "amax")),
    fixed("index_select", lambda x: x[:, ROWS], [((2, 3),)], lambda x: tg.index_select(x, 1, tg.tensor(ROWS))),
    fixed("index_add", lambda x, s: put_rows(x, s, True), [((3, 2), (2, 2))], lambda x, s: tg.index_add(x, 0, tg.tensor([2, 0]), s)),
    fixed("index_copy", put_rows, [((3, 2), (2, 2))], lambda x, s: tg.index_copy(x, 0, tg.tensor([2, 0]), s)),
    fixed("index_fill", lambda x: put_rows(x, np.full((2, 2), 5.0)), [((3, 2),)], lambda x: tg.index_fill(x, 0, tg.tensor([2, 0]), 5.0)),
    fixed("put", lambda x, s: np.concatenate([s, x.reshape(-1)[2:]]).reshape(2, 3), [((2, 3), (2,))], lambda x, s: tg.put(x, tg.tensor([0, 1]), s)),
]  # fmt: skip
