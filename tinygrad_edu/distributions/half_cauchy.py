"""The half-Cauchy distribution: of the size of a Cauchy number."""

from __future__ import annotations

import math
from typing import Any

from ..ops.creation import full_like
from ..ops.indexing import where
from ..tensor import Tensor
from . import constraints
from .cauchy import Cauchy
from .distribution import Distribution


class HalfCauchy(Distribution):
    """p(x) = 2 / (π·scale·(1 + (x / scale)²)) for x ≥ 0

    Args:
        scale: half of the numbers are below it; greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#halfcauchy
    """

    has_rsample = True
    parameters = ("scale",)
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._both_sides = Cauchy(0.0, scale, validate_args=False)
        super().__init__(self._both_sides.batch_shape, validate_args=validate_args)

    scale = property(lambda self: self._both_sides.scale)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self._both_sides._draw(shape).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        """log 2 + that of the Cauchy number, and -∞ below 0"""
        value = self._validate_sample(value)
        return where(value >= 0, math.log(2) + self._both_sides.log_prob(value), -math.inf)

    def entropy(self) -> Tensor:
        """log(2π) + log scale"""
        return self._both_sides.entropy() - math.log(2)

    def cdf(self, value: Tensor) -> Tensor:
        """2·atan(x / scale) / π"""
        return 2 * self._both_sides.cdf(self._validate_sample(value)) - 1

    def icdf(self, value: Tensor) -> Tensor:
        """scale·tan(π·p / 2)"""
        return self._both_sides.icdf((value + 1) / 2)

    mean = variance = property(lambda self: full_like(self.scale, math.inf))
    mode = property(lambda self: 0 * self.scale.detach())
