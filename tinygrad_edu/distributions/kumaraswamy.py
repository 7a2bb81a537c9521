"""The Kumaraswamy distribution: of shares, much as the beta distribution, with formulas that have an inverse."""

from __future__ import annotations

import math
from typing import Any

from ..ops.arithmetic import xlogy
from ..ops.indexing import where
from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, inside, together
from .gumbel import EULER


class Kumaraswamy(Distribution):
    """p(x) = a·b·x^(a-1)·(1 - x^a)^(b-1) for 0 ≤ x ≤ 1, with a = concentration1 and b = concentration0

    Args:
        concentration1, concentration0: a and b, greater than 0.

    Source: Kumaraswamy 1980; https://pytorch.org/docs/stable/distributions.html#kumaraswamy
    """

    has_rsample = True
    parameters = ("concentration1", "concentration0")
    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = together(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        like = self.concentration1
        return inside(self.icdf(inside(rand(shape, dtype=like.dtype, device=like.device))))

    def log_prob(self, value: Tensor) -> Tensor:
        """log(a·b) + (a - 1)·log x + (b - 1)·log(1 - x^a)"""
        a, b, x = self.concentration1, self.concentration0, self._validate_sample(value)
        return (a * b).log() + xlogy(a - 1, x) + xlogy(b - 1, -(a * x.log()).expm1())

    def entropy(self) -> Tensor:
        """1 - 1 / b + (1 - 1 / a)·(ψ(b + 1) + γ) - log(a·b), with Euler's constant γ = 0.577 ..."""
        a, b = self.concentration1, self.concentration0
        return 1 - 1 / b + (1 - 1 / a) * ((b + 1).digamma() + EULER) - (a * b).log()

    def cdf(self, value: Tensor) -> Tensor:
        """1 - (1 - x^a)^b"""
        x = self._validate_sample(value)
        return -(self.concentration0 * (-(x**self.concentration1)).log1p()).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """(1 - (1 - p)^(1 / b))^(1 / a)"""
        return (-((-value).log1p() / self.concentration0).expm1()) ** (1 / self.concentration1)

    def _moment(self, n: int) -> Tensor:
        """E[xⁿ] = b·B(1 + n / a, b)"""
        b, c = self.concentration0, 1 + n / self.concentration1
        return b * (c.lgamma() + b.lgamma() - (b + c).lgamma()).exp()

    mean = property(lambda self: self._moment(1))
    variance = property(lambda self: self._moment(2) - self._moment(1) ** 2)

    @property
    def mode(self) -> Tensor:
        """((a - 1) / (a·b - 1))^(1 / a); NaN where a or b is below 1, and there is none inside."""
        a, b = self.concentration1, self.concentration0
        return where((a < 1) | (b < 1), math.nan, ((a - 1) / (a * b - 1)) ** (1 / a))
