"""Rows for ops/special.py."""

import math
from functools import partial
from statistics import NormalDist

import numpy as np

from tinygrad_edu import special

from . import PAIRS, Case, away_from, between, positive, probability, real

wide = away_from(0.0, reach=6.0)
normal = NormalDist()


def bessel(x, order, scaled=False):
    z = sum((x / 2) ** (2 * k + order) / (math.factorial(k) * math.factorial(k + order)) for k in range(40))
    return z * math.exp(-abs(x)) if scaled else z


def of(name, reference, domain=real):
    return Case(name, np.vectorize(reference, otypes=[float]), (domain,), call=getattr(special, name))


CASES = [
    of("entr", lambda x: -x * math.log(x) if x > 0 else -math.inf, positive),
    Case("xlog1py", lambda x, y: x * np.log(1 + y), (real, positive), PAIRS, call=special.xlog1py),
    of("ndtr", normal.cdf, wide),
    of("log_ndtr", lambda x: math.log(normal.cdf(x)), between(-5.0, 5.0)),
    of("ndtri", normal.inv_cdf, probability),
    of("erfcx", lambda x: math.exp(x * x) * math.erfc(x)),
    *(of(f"i{n}{'e' * scaled}", partial(bessel, order=n, scaled=scaled), wide) for n in (0, 1) for scaled in (False, True)),
]
