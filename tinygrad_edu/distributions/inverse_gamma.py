"""The inverse gamma distribution: of 1/y, where y has a gamma distribution."""

from __future__ import annotations

import math
from typing import Any

from ..ops.arithmetic import xlogy
from ..ops.indexing import where
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .gamma import Gamma


class InverseGamma(Distribution):
    """p(x) = rate^c·x^(-c-1)·exp(-rate / x) / Γ(c) for x > 0, with c = concentration

    Args:
        concentration: the shape c, greater than 0.
        rate: greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#inversegamma
    """

    has_rsample = True
    parameters = ("concentration", "rate")
    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._inverse = Gamma(concentration, rate, validate_args=False)
        super().__init__(self._inverse.batch_shape, validate_args=validate_args)

    concentration = property(lambda self: self._inverse.concentration)
    rate = property(lambda self: self._inverse.rate)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return 1 / self._inverse._draw(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """c·log rate - (c + 1)·log x - rate / x - log Γ(c)"""
        x, c = self._validate_sample(value), self.concentration
        return xlogy(c, self.rate) - (c + 1) * x.log() - self.rate / x - c.lgamma()

    def entropy(self) -> Tensor:
        """c + log rate + log Γ(c) - (1 + c)·ψ(c)"""
        c = self.concentration
        return c + self.rate.log() + c.lgamma() - (1 + c) * c.digamma()

    def cdf(self, value: Tensor) -> Tensor:
        """1 - P(c, rate / x), with the incomplete gamma function P."""
        return 1 - self._inverse.cdf(1 / self._validate_sample(value))

    mode = property(lambda self: self.rate / (self.concentration + 1))

    @property
    def mean(self) -> Tensor:
        """rate / (c - 1), and ∞ for c ≤ 1"""
        return where(self.concentration > 1, self.rate / (self.concentration - 1), math.inf)

    @property
    def variance(self) -> Tensor:
        """rate² / ((c - 1)²·(c - 2)), and ∞ for c ≤ 2"""
        c = self.concentration
        return where(c > 2, self.rate**2 / ((c - 1) ** 2 * (c - 2)), math.inf)
