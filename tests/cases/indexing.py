"""Rows for ops/indexing.py."""

import numpy as np

import tinygrad_edu as tg

from . import Case, boolean, integers, real

ROWS = np.array([2, 0, 2])
AT = np.array([[1, 0, 1], [0, 0, 1]])


def indexed(name, index):
    return Case(name, lambda x: x[index], (real,), [((3, 4),)], [{}], lambda x: x[index], ("index", "put_back"))


def fixed(name, reference, shapes, call, ops=(), second=True):
    return Case(name, reference, (real,) * len(shapes[0]), shapes, [{}], call, tuple(ops), second)


def put_rows(x, s, add=False):
    z = x.copy()
    for i, row in zip([2, 0], s, strict=True):
        z[i] = z[i] + row if add else row
    return z


def _placed(s):
    z = np.zeros((2, 3))
    z[AT == 1] = s[:3]
    return z


CASES = [
    indexed("x[1]", 1),
    indexed("x[:, 1:3]", (slice(None), slice(1, 3))),
    indexed("x[..., None, ::2]", (..., None, slice(None, None, 2))),
    indexed("x[rows]", ROWS),
    indexed("x[rows, rows]", (ROWS, np.array([1, 1, 1]))),
    indexed("x[1, :, rows]", (slice(1, 3), ROWS)),
    indexed("x[mask]", np.array([True, False, True])),
    Case("where", np.where, (boolean, real, real), [((2, 3),) * 3, ((3,), (2, 1), ()), ((0, 3), (3,), (3,))]),
    fixed("index_put", put_rows, [((3, 2), (2, 2))], lambda x, v: tg.index_put(x, (tg.tensor([2, 0]),), v), ["index_put"]),
    Case("masked_fill", lambda x, m: np.where(m, 7.0, x), (real, boolean), [((2, 3), (2, 3)), ((2, 3), (3,))], [{}], lambda x, m: tg.masked_fill(x, m, 7.0), ()),
    fixed("masked_select", lambda x: x[AT == 1], [((2, 3),)], lambda x: tg.masked_select(x, tg.tensor(AT == 1))),
    fixed("masked_scatter", lambda x, s: np.where(AT == 1, np.array([[0, 0, 0], [0, 0, 0]]), x) + _placed(s), [((2, 3), (4,))],
          lambda x, s: tg.masked_scatter(x, tg.tensor(AT == 1), s)),
    Case("nonzero", np.argwhere, (boolean,), [((2, 3),)], ops=()),
    Case("unravel_index", lambda x, shape: np.stack(np.divmod(x, shape[1])), (integers(0, 5),), [((4,),), ((2, 3),), ((),)],
         [{"shape": (2, 3)}, {"shape": (4, 2)}], lambda x, shape: tg.stack(tg.unravel_index(x, shape)), ops=()),
    Case("argwhere", np.argwhere, (boolean,), [((2, 3),)], ops=()),
]  # fmt: skip
