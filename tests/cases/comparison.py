"""Rows for ops/comparison.py: results without a gradient."""

import operator

import numpy as np

import tinygrad_edu as tg

from . import Case, boolean, integers, real

few = integers(-3, 4)  # so few that equal ones occur
small = integers(0, 5)


def halves(rng, shape):
    """Numbers among which some are equal, infinite and NaN."""
    return np.asarray(rng.choice([-np.inf, -1.5, -0.5, -0.0, 0.0, 0.5, 1.5, np.inf, np.nan], shape))


def by_element(function, *dtype):
    """A reference that asks Python, element by element."""
    return np.vectorize(function, otypes=dtype or [bool])


COMPARISONS = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}
BITS = {"bitwise_and": operator.and_, "bitwise_or": operator.or_, "bitwise_xor": operator.xor}
SHIFTS = {"bitwise_left_shift": operator.lshift, "bitwise_right_shift": operator.rshift}
LOGIC = {
    "logical_and": lambda x, y: bool(x) and bool(y),
    "logical_or": lambda x, y: bool(x) or bool(y),
    "logical_xor": lambda x, y: bool(x) != bool(y),
}
KINDS = {
    "isnan": lambda x: x != x,
    "isinf": lambda x: abs(x) == float("inf"),
    "isfinite": lambda x: abs(x) < float("inf"),
    "isposinf": lambda x: x == float("inf"),
    "isneginf": lambda x: x == -float("inf"),
    "signbit": lambda x: str(x).startswith("-"),
}

CASES = [
    *(Case(name, by_element(f), (domain, domain)) for name, f in COMPARISONS.items() for domain in (few, halves, boolean)),
    *(Case(name, by_element(lambda x, f=f: f(x, 1)), (few,), call=lambda x, f=f: f(x, 1)) for name, f in COMPARISONS.items()),
    *(Case(name, by_element(f), (domain, domain)) for name, f in LOGIC.items() for domain in (few, real, boolean)),
    Case("logical_not", by_element(operator.not_), (few,)),
    *(Case(name, by_element(f, np.int64), (few, few)) for name, f in BITS.items()),
    *(Case(name, by_element(f), (boolean, boolean)) for name, f in BITS.items()),
    *(Case(name, by_element(f, np.int64), (few, small)) for name, f in SHIFTS.items()),
    Case("bitwise_not", by_element(operator.invert, np.int64), (few,)),
    Case("bitwise_not", by_element(operator.not_), (boolean,)),
    *(Case(name, by_element(f), (halves,)) for name, f in KINDS.items()),
    Case("isclose", by_element(lambda x, y, rtol=1e-5, atol=1e-8: x == y or abs(x - y) <= atol + rtol * abs(y)), (halves, few),
         settings=[{}, {"rtol": 0.5, "atol": 0.1}], call=lambda x, y, **s: tg.isclose(x, y.to(x.dtype), **s)),
    Case("isclose", lambda x, equal_nan: np.full(x.shape, True) if equal_nan else ~np.isnan(x), (halves,),
         settings=[{"equal_nan": True}, {"equal_nan": False}], call=lambda x, **s: tg.isclose(x, x, **s), ops=()),
    Case("allclose", lambda x, y, atol: bool(np.all(np.abs(x - y) <= atol)), (few, few),
         settings=[{"atol": 1.0}, {"atol": 9.0}], ops=()),
    Case("equal", lambda x, y: x.shape == y.shape and bool(np.all(x == y)), (small, small),
         [((2, 3), (2, 3)), ((2, 3), (3,)), ((0,), (0,))], ops=()),
    Case("equal", lambda x: True, (real,), call=lambda x: tg.equal(x, x.clone()), ops=()),
    Case("isin", by_element(lambda x: x == 2), (few,), call=lambda x: tg.isin(x, 2), ops=()),
    Case("isin", lambda x, y, invert=False: by_element(lambda a: (a in y.ravel()) != invert)(x), (few, small),
         settings=[{}, {"invert": True}]),
]  # fmt: skip
