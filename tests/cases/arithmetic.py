"""Rows for ops/arithmetic.py."""

import numpy as np

import tinygrad_edu as tg

from . import PAIRS, Case, away_from, between, integers, positive, real

SCALED = [{}, {"alpha": 2}, {"alpha": -0.5}]
far = away_from(0.0, gap=0.3)  # divisors, and bases of powers
smooth = between(0.55, 0.95)  # x / y has no integer between these and `larger`: remainders are smooth there
larger = between(1.05, 1.45)
elsewhere = between(-1.95, -1.55)


def with_number(name, function, reference, domain=real):
    """A row of a function of a tensor and a number."""
    return Case(name, reference, (domain,), call=function, ops=())


def rounded(x, y, rounding_mode):
    return {"floor": np.floor, "trunc": np.trunc}[rounding_mode](x / y)


ROUNDED = [{"rounding_mode": "floor"}, {"rounding_mode": "trunc"}]


def three(shapes=None):
    return {"domains": (real, real, far), "shapes": shapes or [((2, 3),) * 3, ((2, 1), (3,), ()), ((), (2, 3), (2, 1))]}


CASES = [
    Case("add", lambda x, y, alpha=1: x + alpha * y, (real, real), settings=SCALED),
    Case("sub", lambda x, y, alpha=1: x - alpha * y, (real, real), settings=SCALED),
    Case("rsub", lambda x, y, alpha=1: y - alpha * x, (real, real), settings=SCALED, ops=()),
    Case("mul", np.multiply, (real, real)),
    Case("div", np.divide, (real, far)),
    Case("div", rounded, (elsewhere, larger), settings=ROUNDED, ops=("div_rounded",)),
    Case("div", rounded, (integers(-9, 9), integers(1, 5)), settings=ROUNDED, ops=()),
    Case("floor_divide", lambda x, y: np.floor(x / y), (smooth, larger), ops=()),
    Case("remainder", lambda x, y: x - y * np.floor(x / y), (elsewhere, smooth)),
    Case("fmod", lambda x, y: x - y * np.trunc(x / y), (elsewhere, smooth)),
    Case("remainder", lambda x, y: x - y * np.floor(x / y), (integers(-9, 9), integers(1, 5)), ops=()),
    Case("neg", lambda x: 0 - x),
    Case("positive", lambda x: x, ops=()),
    Case("reciprocal", lambda x: 1 / x, (far,)),
    Case("pow", lambda x, y: np.exp(y * np.log(x)), (positive, real)),
    *(with_number("pow", lambda x, n=n: x**n, lambda x, n=n: np.prod([x] * n, axis=0)) for n in (1, 2, 3)),
    *(with_number("pow", lambda x, n=n: x**n, lambda x, n=n: np.exp(n * np.log(x)), positive) for n in (0.5, -1, -1.5)),
    Case("pow", lambda x, y: np.vectorize(lambda a, n: float(int(a) ** int(n)), otypes=[np.int64])(x, y),
         (integers(-4, 5), integers(0, 5)), ops=()),
    with_number("pow", lambda x: x**0, lambda x: x * 0 + 1),
    with_number("pow", lambda x: 1.7**x, lambda x: np.exp(x * np.log(1.7))),
    Case("float_power", lambda x, y: np.exp(y * np.log(x)), (positive, real), ops=(), dtypes=()),
    with_number("add", lambda x: 2 + x + 0.5, lambda x: x + 2.5),
    with_number("sub", lambda x: 2 - (x - 0.5), lambda x: 2.5 - x),
    with_number("mul", lambda x: 2 * x * 0.5, lambda x: x),
    with_number("div", lambda x: (2 / x) / 0.5, lambda x: 4 / x, far),
    with_number("floor_divide", lambda x: x // 10 + 3 // x, lambda x: np.floor(x / 10) + np.floor(3 / x), larger),
    with_number("remainder", lambda x: x % 2 + 3 % x, lambda x: x + 3 - np.floor(3 / x) * x, larger),
    Case("maximum", lambda x, y: np.where(x > y, x, y), (real, positive)),
    Case("minimum", lambda x, y: np.where(x < y, x, y), (real, positive)),
    Case("fmax", lambda x, y: np.where(x > y, x, y), (real, positive)),
    Case("fmin", lambda x, y: np.where(x < y, x, y), (real, positive)),
    Case("hypot", lambda x, y: np.sqrt(x * x + y * y), (far, real)),
    Case("atan2", lambda x, y: np.angle(y + 1j * x), (far, real)),
    Case("logaddexp", lambda x, y: np.log(np.exp(x) + np.exp(y)), (real, real)),
    Case("logaddexp2", lambda x, y: np.log2(2**x + 2**y), (real, real)),
    Case("xlogy", lambda x, y: x * np.log(y), (real, positive)),
    Case("copysign", lambda x, y: np.abs(x) * np.where(y < 0, -1, 1), (real, real)),
    Case("addcmul", lambda x, y, w, value=1: x + value * y * w, settings=[{}, {"value": 2}, {"value": -0.5}], ops=(), **three()),
    Case("addcdiv", lambda x, y, w, value=1: x + value * y / w, settings=[{}, {"value": 2}, {"value": -0.5}], ops=(), **three()),
    Case("lerp", lambda x, y, w: (1 - w) * x + w * y, **three()),
    Case("lerp", lambda x, y: 0.7 * x + 0.3 * y, (real, real), call=lambda x, y: tg.lerp(x, y, 0.3), ops=()),
    Case("gcd", np.vectorize(lambda a, b: int(np.gcd(a, b)), otypes=[np.int64]), (integers(-12, 12), integers(-12, 12)), PAIRS),
    Case("lcm", np.vectorize(lambda a, b: int(np.lcm(a, b)), otypes=[np.int64]), (integers(-12, 12), integers(-12, 12)), PAIRS),
]  # fmt: skip
