"""Rows for ops/activation.py."""

import math

import numpy as np

from . import Case, away_from, probability, real


def by_element(function):
    """A reference computed by Python, number by number."""
    return np.vectorize(function, otypes=[float])


def of(name, function, *settings, kinks=(0.0,), ops=None, **rest):
    """A row of an activation; the reference is a function of one number; `kinks` are kept away from."""
    return Case(name, by_element(function), (away_from(*kinks, reach=4.0),), settings=[{}, *settings], ops=ops, **rest)


def sigma(x):
    return math.exp(x) / (1 + math.exp(x))


def softplus(x, beta=1.0, threshold=20.0):
    return x if x * beta > threshold else math.log(1 + math.exp(x * beta)) / beta


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * (math.exp(x) - 1)


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    return x * math.erfc(-x / math.sqrt(2)) / 2


CASES = [
    of("relu", lambda x: x if x > 0 else 0),
    of("relu6", lambda x: 0 if x < 0 else 6 if x > 6 else x),
    of("leaky_relu", lambda x, negative_slope=0.01: x if x > 0 else negative_slope * x,
       {"negative_slope": 0.3}, {"negative_slope": 1.7}),
    Case("prelu", lambda x, a: np.where(x > 0, x, a * x), (real, probability),
         [((2, 3), (3,)), ((2, 3), (1,)), ((2, 3), ()), ((), ()), ((4,), (1,))]),
    Case("prelu", lambda x, a: np.where(x > 0, x, a[:, None] * x), (real, probability), [((2, 3, 2), (3,))], ops=()),
    of("rrelu", lambda x, lower=1 / 8, upper=1 / 3: x if x > 0 else (lower + upper) / 2 * x,
       {"lower": 0.1, "upper": 0.5}, ops=()),
    of("elu", elu, {"alpha": 1.7}),
    of("celu", lambda x, alpha=1.0: x if x > 0 else alpha * (math.exp(x / alpha) - 1), {"alpha": 1.7}, ops=()),
    of("selu", lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772), ops=()),
    of("gelu", gelu, {"approximate": "tanh"}, ops=("normal_cdf", "gelu_tanh")),
    of("silu", lambda x: x * sigma(x)),
    of("mish", lambda x: x * math.tanh(softplus(x)), ops=()),
    of("logsigmoid", lambda x: math.log(sigma(x))),
    of("softplus", softplus, {"beta": 2.0}, {"beta": 1.0, "threshold": 1.0}, kinks=(0.0, 1.0)),
    of("softshrink", lambda x, lambd=0.5: x - lambd if x > lambd else x + lambd if x < -lambd else 0,
       {"lambd": 1.0}, kinks=(-1.0, -0.5, 0.5, 1.0)),
    of("hardshrink", lambda x, lambd=0.5: x if abs(x) > lambd else 0, {"lambd": 1.0}, kinks=(-1.0, -0.5, 0.5, 1.0)),
    of("tanhshrink", lambda x: x - math.tanh(x), ops=()),
    of("hardtanh", lambda x, min_val=-1.0, max_val=1.0: max(min_val, min(max_val, x)),
       {"min_val": -0.5, "max_val": 2.0}, kinks=(-1.0, -0.5, 1.0, 2.0)),
    of("hardsigmoid", lambda x: max(0, min(1, x / 6 + 0.5)), kinks=(-3.0, 3.0)),
    of("hardswish", lambda x: x * max(0, min(1, x / 6 + 0.5)), kinks=(-3.0, 3.0)),
    of("softsign", lambda x: x / (1 + abs(x))),
    Case("threshold", lambda x, threshold, value: np.where(x > threshold, x, value), (away_from(0.5),),
         settings=[{"threshold": 0.5, "value": -1.0}]),
    Case("glu", lambda x, dim=-1: np.split(x, 2, dim)[0] / (1 + np.exp(-np.split(x, 2, dim)[1])),
         shapes=[((2, 4),), ((4,),), ((2, 0),)], settings=[{}, (((4, 3),), {"dim": 0}), (((2, 6, 1),), {"dim": -2})], ops=()),
]  # fmt: skip
