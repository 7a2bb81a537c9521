"""Rows for ops/pooling.py."""

import itertools
import math

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.ops import pooling

from . import Case, between, distinct, real

# Windows that overlap and stand in the padding; that leave elements out; that are dilated and reach beyond the input; unequal ones.
WINDOWS = [
    pooling._placed("pool", (5, 6), (2, 3), (2, 1), (1, 0), (1, 1), True),
    pooling._placed("pool", (4, 5), (2, 2), (2, 2), (0, 0), (1, 1), False),
    pooling._placed("pool", (6, 6), (3, 3), (1, 2), (1, 0), (2, 1), True),
    pooling._covering((5, 7), (2, 5)),
]


def covered(windows):
    """For each window: its number, and the places of the input that it covers, row by row."""
    for p in itertools.product(*map(range, windows.out)):
        spans = (spans[i] for i, spans in zip(p, windows.spans, strict=True))
        inside = ([i for i in span if 0 <= i < n] for n, span in zip(windows.sizes, spans, strict=True))
        yield (..., *p), [(..., *at) for at in itertools.product(*inside)]


def window_sum(x, windows):
    z = np.zeros((*x.shape[:2], *windows.out))
    for p, places in covered(windows):
        for at in places:
            z[p] += x[at]
    return z


def window_spread(x, windows):
    z = np.zeros((*x.shape[:2], *windows.sizes))
    for p, places in covered(windows):
        for at in places:
            z[at] += x[p]
    return z


def max_pool(x, windows):
    z = np.zeros((*x.shape[:2], *windows.out))
    for p, places in covered(windows):
        z[p] = np.max([x[at] for at in places], axis=0)
    return z


def max_spread(g, x, windows):
    z = np.zeros(x.shape)
    for p, places in covered(windows):
        largest = np.max([x[at] for at in places], axis=0)
        for at in places:
            z[at] += g[p] * (x[at] == largest)
    return z


def max_pick(y, x, windows):
    z = np.zeros((*x.shape[:2], *windows.out))
    for p, places in covered(windows):
        largest = np.max([x[at] for at in places], axis=0)
        for at in places:
            z[p] += y[at] * (x[at] == largest)
    return z


def inputs(*kinds):
    """Shapes and settings for each of WINDOWS: "in" is an input's shape, "out" that of one number per window."""
    return [(tuple((2, 3, *(w.sizes if kind == "in" else w.out)) for kind in kinds), {"windows": w}) for w in WINDOWS]


def with_largest(function):
    """The operation that takes the windows' largest numbers too, computed from x."""
    return lambda y, x, windows: function(y, x, tg.tensor(max_pool(x.numpy(force=True), windows), dtype=x.dtype), windows=windows)


# The functions for users, on windows that fit: plain loops over the starts of windows.
def pool(function, dims):
    def reference(x, kernel_size, stride=None, **_):
        k, s = kernel_size, stride or kernel_size
        out = [(n - k) // s + 1 for n in x.shape[-dims:]]
        z = np.zeros((*x.shape[:-dims], *out))
        for p in itertools.product(*map(range, out)):
            window = x[(..., *(slice(i * s, i * s + k) for i in p))]
            z[(..., *p)] = function(window.reshape(*x.shape[:-dims], math.prod(window.shape[-dims:])))
        return z

    return reference


def adaptive(function, dims):
    def reference(x, output_size):
        z = np.zeros((*x.shape[:-dims], *(output_size,) * dims))
        for p in itertools.product(range(output_size), repeat=dims):
            window = x[
                (
                    ...,
                    *(
                        slice(i * n // output_size, math.ceil((i + 1) * n / output_size))
                        for i, n in zip(p, x.shape[-dims:], strict=True)
                    ),
                )
            ]
            z[(..., *p)] = function(window.reshape(*x.shape[:-dims], math.prod(window.shape[-dims:])))
        return z

    return reference


def unpool(dims):
    def reference(x, kernel_size):
        z = np.zeros((*x.shape[:-dims], *(n * kernel_size for n in x.shape[-dims:])))
        z[(..., *(slice(None, None, kernel_size),) * dims)] = x
        return z

    return reference


def unpooled(dims):
    """max_unpool with indices that say: the first of each window."""

    def call(x, kernel_size):
        sizes = [n * kernel_size for n in x.shape[-dims:]]
        places = np.arange(math.prod(sizes)).reshape(sizes)[(slice(None, None, kernel_size),) * dims]
        indices = tg.tensor(np.broadcast_to(places, x.shape).copy())
        return getattr(pooling, f"max_unpool{dims}d")(x, indices, kernel_size)

    return call


def rows(dims):
    shapes = [((2, 3, *(5, 4, 6)[:dims]),), ((3, *(4, 5, 4)[:dims]),), ((0, 2, *(4, 4, 4)[:dims]),)]
    settings = [{"kernel_size": 2}, {"kernel_size": 3, "stride": 1}]
    sizes = [{"output_size": 2}, {"output_size": 3}]

    def case(name, reference, domain, settings, shapes=shapes, call=None):
        return Case(f"{name}{dims}d", reference, (domain,), shapes, settings, call, ())

    def largest(w):
        return w.max(-1)

    return [
        case("max_pool", pool(largest, dims), distinct, settings),
        case("avg_pool", pool(lambda w: w.mean(-1), dims), real, settings),
        case(
            "lp_pool",
            pool(lambda w: (w**3).sum(-1) ** (1 / 3), dims),
            between(0.5, 2),
            [{"norm_type": 3.0, **s} for s in settings],
        ),
        case("adaptive_avg_pool", adaptive(lambda w: w.mean(-1), dims), real, sizes),
        case("adaptive_max_pool", adaptive(largest, dims), distinct, sizes),
        case("max_unpool", unpool(dims), real, [{"kernel_size": 2}], call=unpooled(dims), shapes=shapes[:2]),
    ]


CASES = [
    Case("window_sum", window_sum, (real,), None, inputs("in"), pooling._window_sum),
    Case("window_spread", window_spread, (real,), None, inputs("out"), pooling._window_spread),
    Case("max_pool", max_pool, (distinct,), None, inputs("in"), pooling._max_pool),
    Case("max_spread", max_spread, (real, distinct), None, inputs("out", "in"), with_largest(pooling._max_spread)),
    Case("max_pick", max_pick, (real, distinct), None, inputs("in", "in"), with_largest(pooling._max_pick)),
    *(row for dims in (1, 2, 3) for row in rows(dims)),
]
