"""Rows for ops/gamma.py."""

import math
from functools import partial

import numpy as np
from scipy.integrate import quad
from scipy.special import digamma

from tinygrad_edu.ops.gamma import _log_gammainc_slope, log_gammainc

from . import Case, between


def integral(a, y, factor=lambda u: 1.0):
    """Of the density of the logarithm of a gamma-distributed number, times a factor; for the logarithm y a little below it."""
    return quad(lambda u: math.exp(a * (u - y) - math.exp(u)) * factor(u), -np.inf, y, epsabs=1e-13, epsrel=1e-12)[0]


@partial(np.vectorize, otypes=[float])
def probability(a, y):
    return math.log(integral(a, y)) + a * y - math.lgamma(a)


@partial(np.vectorize, otypes=[float])
def slope(a, y):
    """∫ (u - ψ(a))·density / ∫ density: what is differentiated by a under the integral, where u has the mean ψ(a)."""
    mean = digamma(a)
    return integral(a, y, lambda u: u - mean) / integral(a, y)


CASES = [
    # PyTorch's gammainc has no derivative by the shape at all
    Case("log_gammainc", probability, (between(0.3, 4.0), between(-3.0, 2.0)), call=log_gammainc, second=False),
    Case("log_gammainc_slope", slope, (between(0.3, 4.0), between(-3.0, 2.0)),
         call=lambda a, y: _log_gammainc_slope(a.detach(), y.detach())),
]  # fmt: skip
