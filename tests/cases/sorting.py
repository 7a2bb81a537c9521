"""Rows for ops/sorting.py."""

import numpy as np

import tinygrad_edu as tg

from . import Case, distinct, integers, probability, real

SHAPES = [((2, 5),), ((4,),), ((),)]


def with_index(name, index, settings, domain=distinct, shapes=SHAPES, call=None):
    """A function that gives values and indices; `index` is the reference for the indices in rows, with at least one in each."""

    def reference(x, *, dim=-1, keepdim=name in ("sort", "topk"), **rest):
        rows = np.moveaxis(x.reshape(x.shape or 1), dim, -1)
        at = index(rows, **rest)
        found = (np.moveaxis(part, -1, dim) for part in (np.take_along_axis(rows, at, -1), at))
        return [part if keepdim and x.ndim else np.squeeze(part, dim) for part in found]

    return Case(name, reference if call is None else with_nan(reference), (domain,), list(shapes), settings, call, ())


def quantile(function):
    """NumPy's, with q as a number or a list."""
    return lambda x, q, dim=None, keepdim=False, interpolation="linear": function(
        x, np.array(q), axis=dim, keepdims=keepdim, method=interpolation
    )


def some_negative(rng, shape):
    """Distinct numbers, in each row positive and negative ones."""
    return np.abs(distinct(rng, shape) + 9) * np.array([1, -1, 1, 1, -1])


def passing_over(name):
    """A function that passes over NaN, with NaN in place of the negative numbers."""
    return lambda x, **rest: getattr(tg, name)(tg.where(x > 0, x, float("nan")), **rest)


def with_nan(reference):
    """The same for the reference."""
    return lambda x, **rest: reference(np.where(x > 0, x, np.nan), **rest)


def median_of_numbers(x):
    """The lower one of two in the middle, without NaNs."""
    numbers = np.sort(x[~np.isnan(x)])
    return numbers[(len(numbers) - 1) // 2]


def histogram(x, bins, min, max):
    """Counted one by one."""
    counts = np.zeros(bins)
    for v in x.reshape(-1):
        if min <= v <= max:
            counts[np.minimum(int((v - min) / (max - min) * bins), bins - 1)] += 1
    return counts


def runs(x):
    """The runs of equal elements of a vector: elements, which run each belongs to, lengths."""
    found, inverse = [], []
    for v in x:
        if not found or found[-1] != v:
            found.append(v)
        inverse.append(len(found) - 1)
    return np.array(found), np.array(inverse), np.bincount(inverse)


def uniques(x):
    """Elements, where each stands among them, counts."""
    found = np.array(sorted(set(x.reshape(-1).tolist())))
    return found, np.searchsorted(found, x), np.array([np.sum(x == v) for v in found])


def place(sequence, values, right=False):
    """How many elements are smaller (or equal, if right), row by row."""
    sequence = sequence[..., None, :] if sequence.ndim > 1 else sequence
    return np.sum(sequence <= values[..., None] if right else sequence < values[..., None], axis=-1)


def in_order(domain):
    """Sorted numbers."""
    return lambda rng, shape: np.sort(domain(rng, shape), axis=-1)


QUANTILES = [
    {"q": 0.3},
    {"q": 0.6, "dim": 1},
    {"q": 0.6, "dim": 1, "keepdim": True},
    {"q": [0.0, 0.37, 1.0], "dim": -1, "keepdim": True},
    *({"q": [0.2, 0.7], "dim": 1, "interpolation": how} for how in ("lower", "higher", "nearest", "midpoint")),
]

CASES = [
    with_index(
        "sort",
        lambda x, descending=False: np.argsort(-x if descending else x, -1),
        [{}, {"dim": 0}, {"descending": True}, (((0, 3),), {"dim": 0})],
    ),
    Case("msort", lambda x: np.sort(x, 0), (distinct,), [((4, 2),), ((3,),)], ops=()),
    Case(
        "argsort",
        lambda x, dim=-1, descending=False: np.argsort(-x if descending else x, dim, kind="stable") if x.ndim else np.array(0),
        (integers(0, 3),),
        [((2, 9),), ((5,),), ((),)],
        [{}, {"dim": 0}, {"descending": True}],
        ops=(),
        note="equal elements keep their order",
    ),
    with_index(
        "topk",
        lambda x, k, largest=True: np.argsort(-x if largest else x, -1)[..., :k],
        [{"k": 1}, (((2, 5),), {"k": 3, "largest": False}), (((2, 5),), {"k": 2, "dim": 0}), (((2, 5),), {"k": 0})],
    ),
    with_index(
        "kthvalue",
        lambda x, k: np.argsort(x, -1)[..., k - 1 : k],
        [{"k": 1}, (((2, 5),), {"k": 3, "keepdim": True}), (((2, 5),), {"k": 2, "dim": 0})],
    ),
    with_index(
        "median",
        lambda x: np.argsort(x, -1)[..., (x.shape[-1] - 1) // 2][..., None],
        [{"dim": -1}, {"dim": 0, "keepdim": True}],
    ),
    with_index(
        "nanmedian",
        lambda x: np.apply_along_axis(lambda row: np.flatnonzero(row == median_of_numbers(row)), -1, x),
        [{"dim": -1}, {"dim": -1, "keepdim": True}],
        some_negative,
        [((2, 5),), ((5,),)],
        passing_over("nanmedian"),
    ),
    Case("median", lambda x: np.sort(x.reshape(-1))[(x.size - 1) // 2], (distinct,), SHAPES, note="of all"),
    Case(
        "nanmedian",
        with_nan(median_of_numbers),
        (some_negative,),
        [((2, 5),)],
        call=passing_over("nanmedian"),
        ops=(),
        note="of all",
    ),
    with_index(
        "mode",
        lambda x: np.apply_along_axis(lambda row: [np.flatnonzero(row == np.bincount(row).argmax())[-1]], -1, x),
        [{}, {"dim": 0}, {"keepdim": True}],
        integers(0, 3),
        [((3, 7),), ((6,),), ((),)],
    ),
    with_index("mode", lambda x: np.argmin(x, -1)[..., None], [{}, {"dim": 0}]),
    Case(
        "quantile",
        quantile(np.quantile),
        (distinct,),
        [((2, 5),)],
        [*QUANTILES, {"q": 0.7, "dim": -2, "keepdim": True}],
        ops=(),
        dtypes=("float32", "float64"),
    ),
    Case(
        "nanquantile",
        with_nan(quantile(np.nanquantile)),
        (some_negative,),
        [((2, 5),)],
        QUANTILES,
        passing_over("nanquantile"),
        (),
        dtypes=("float32", "float64"),
    ),
    Case(
        "quantile",
        lambda x, q, dim: np.quantile(x, q, axis=dim),
        (distinct, probability),
        [((2, 5), (3,)), ((2, 5), ())],
        [{"dim": 1}],
        ops=(),
        dtypes=("float32", "float64"),
        note="differentiated by q too",
    ),
    Case(
        "unique",
        uniques,
        (integers(0, 4),),
        [((7,),), ((2, 3),), ((),)],
        call=lambda x: tg.unique(x, return_inverse=True, return_counts=True),
        ops=("found",),
    ),
    Case(
        "unique_consecutive",
        runs,
        (integers(0, 2),),
        [((9,),), ((1,),)],
        call=lambda x: tg.unique_consecutive(x, return_inverse=True, return_counts=True),
        ops=(),
    ),
    Case("bincount", lambda x: np.array([np.sum(x == i) for i in range(x.max() + 1)]), (integers(0, 5),), [((8,),)], ops=()),
    Case(
        "bincount",
        lambda x, w: np.array([np.sum(w[x == i]) for i in range(7)]),
        (integers(0, 5), lambda rng, shape: rng.integers(0, 9, shape)),
        [((8,), (8,))],
        call=lambda x, w: tg.bincount(x, w, minlength=7),
        ops=(),
        note="with weights",
    ),
    Case(
        "histc",
        histogram,
        (real,),
        [((9,),), ((2, 3),)],
        [{"bins": 4, "min": -1, "max": 1}, {"bins": 3, "min": -3, "max": 3}],
        lambda x, **how: tg.histc(x.detach(), **how),
        (),
    ),
    Case(
        "histogram",
        lambda x, bins, range: [histogram(x, bins, *range), range[0] + np.arange(bins + 1) * (range[1] - range[0]) / bins],
        (real,),
        [((9,),), ((2, 3),)],
        [{"bins": 4, "range": (-1, 1)}, {"bins": 3, "range": (-3, 3)}],
        lambda x, **how: tg.histogram(x.detach(), **how),
        (),
    ),
    Case(
        "searchsorted",
        place,
        (in_order(integers(0, 9)), integers(0, 9)),
        [((6,), (2, 3)), ((2, 6), (2, 3)), ((6,), ())],
        [{}, {"right": True}],
        ops=(),
    ),
    Case(
        "bucketize",
        lambda x, edges, right=False: place(edges, x, right),
        (integers(0, 9), in_order(integers(0, 9))),
        [((2, 3), (4,)), ((), (4,))],
        [{}, {"right": True}],
        ops=(),
    ),
]
