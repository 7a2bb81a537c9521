"""Rows for ops/elementwise.py."""

import cmath
import math
from statistics import NormalDist

import numpy as np
from scipy import special

import tinygrad_edu as tg
from tinygrad_edu.ops.elementwise import at_least

from . import Case, away_from, between, boolean, integers, positive, probability, real, unit

steps = away_from(*(k / 2 for k in range(-4, 5)), gap=0.05)  # between the jumps of floor, round, ...
far = away_from(0.0, gap=0.3)
above_one = between(1.2, 3.0)


def by_element(function, *dtype):
    """A reference computed by Python, number by number."""
    return np.vectorize(function, otypes=dtype or [float])


def of(name, function, domain=real, **rest):
    """A row of a function of one tensor; the reference is a function of one number."""
    return Case(name, by_element(function), (domain,), **rest)


def limited(x, low, high):
    return np.array([max(low, min(high, v)) for v in x.ravel()]).reshape(x.shape)


def digamma(x):
    """By ψ(x) = ψ(x + 1) - 1/x far out, where a few terms of its series suffice."""
    return math.log(x) - 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4) if x > 100 else digamma(x + 1) - 1 / x


CASES = [
    of("square", lambda x: x * x),
    of("sqrt", math.sqrt, positive),
    of("rsqrt", lambda x: 1 / math.sqrt(x), positive),
    of("exp", math.exp),
    of("exp2", lambda x: 2**x),
    of("expm1", lambda x: math.expm1(x)),
    of("log", math.log, positive),
    of("log2", lambda x: math.log(x) / math.log(2), positive),
    of("log10", lambda x: math.log(x) / math.log(10), positive),
    of("log1p", lambda x: math.log1p(x), unit),
    of("sin", math.sin),
    of("cos", math.cos),
    of("tan", lambda x: math.sin(x) / math.cos(x), unit),
    of("asin", math.asin, unit),
    of("acos", math.acos, unit),
    of("atan", lambda x: cmath.phase(1 + 1j * x)),
    of("sinh", lambda x: (math.exp(x) - math.exp(-x)) / 2),
    of("cosh", lambda x: (math.exp(x) + math.exp(-x)) / 2),
    of("tanh", lambda x: 1 - 2 / (math.exp(2 * x) + 1)),
    of("asinh", lambda x: math.log(x + math.sqrt(x * x + 1))),
    of("acosh", lambda x: math.log(x + math.sqrt(x * x - 1)), above_one),
    of("atanh", lambda x: math.log((1 + x) / (1 - x)) / 2, unit),
    of("deg2rad", math.radians),
    of("rad2deg", math.degrees),
    of("sinc", lambda x: math.sin(math.pi * x) / (math.pi * x), far),
    of("sigmoid", lambda x: math.exp(x) / (1 + math.exp(x))),
    of("logit", lambda x: math.log(x) - math.log(1 - x), probability),
    of("logit", lambda x, eps: -math.log(1 / max(eps, min(1 - eps, x)) - 1), probability, settings=[{"eps": 0.3}], ops=()),
    of("erf", math.erf),
    of("erfc", math.erfc),
    of("erfinv", lambda x: NormalDist().inv_cdf((x + 1) / 2) / math.sqrt(2), unit),
    of("lgamma", math.lgamma, positive),
    of("digamma", digamma, positive),
    *(
        of("polygamma", lambda x, n=n: (-1) ** (n + 1) * math.factorial(n) * special.zeta(n + 1, x) if n else digamma(x), positive,
           call=lambda x, n=n: tg.polygamma(n, x), dtypes=("float32", "float64"))
        for n in range(4)
    ),
    of("abs", lambda x: max(x, -x)),
    of("floor", math.floor, steps, ops=("floor", "zero")),
    of("ceil", math.ceil, steps),
    of("trunc", math.trunc, steps),
    of("round", lambda x: math.floor(x + 0.5), steps),
    of("sign", lambda x: (x > 0) - (x < 0)),
    of("sgn", lambda x: (x > 0) - (x < 0), ops=()),
    of("frac", lambda x: math.fmod(x, 1), steps),
    *(Case(name, lambda x: x, (integers(-3, 4),), ops=()) for name in ("floor", "ceil", "trunc", "round")),
    Case("abs", lambda x: np.where(x < 0, -x, x), (integers(-3, 4),), ops=()),
    Case("sign", lambda x: x, (boolean,), ops=()),
    Case("square", lambda x: x.astype(int), (boolean,), ops=()),
    of("round", lambda x: math.floor(x * 10 + 0.5) / 10, lambda rng, shape: steps(rng, shape) / 10,
       call=lambda x: tg.round(x, decimals=1), ops=()),
    Case("heaviside", lambda x, y: np.where(x < 0, 0, np.where(x > 0, 1, y)), (integers(-1, 2), integers(3, 9))),
    Case("clamp", lambda x, min=-9, max=9: limited(x, min, max), (away_from(-0.5, 1.0),),
         settings=[{"min": -0.5, "max": 1.0}, {"min": -0.5}, {"max": 1.0}]),
    Case("clamp", lambda x, low, high: np.where(x < low, low, np.where(x > high, high, x)),
         (away_from(-0.5, 0.5, gap=0.3), between(-0.7, -0.3), between(0.3, 0.7)),
         [((2, 3),) * 3, ((2, 3), (3,), ()), ((), (2, 1), (3,))], ops=("clamp_low", "clamp_high")),
    Case("clamp_min", lambda x, min: limited(x, min, 9), (away_from(0.5),), settings=[{"min": 0.5}], ops=()),
    Case("clamp_max", lambda x, max: limited(x, -9, max), (away_from(0.5),), settings=[{"max": 0.5}], ops=()),
    Case("at_least", lambda x: np.maximum(x, 0.1), (positive,), call=lambda x: at_least(x, low=0.1),
         note="below the limit its gradient is 1 on purpose, so it is looked at above"),
    Case("nan_to_num", lambda x: x),
    Case("nan_to_num", lambda x: np.array([3.0, 1.0, 7.0, -7.0]), (lambda rng, shape: np.array([np.nan, 1.0, np.inf, -np.inf]),),
         [((4,),)], call=lambda x: tg.nan_to_num(x.detach(), 3.0, 7.0, -7.0), ops=()),
]  # fmt: skip
