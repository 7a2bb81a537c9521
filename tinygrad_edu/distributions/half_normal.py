"""The half-normal distribution: of the size of a normal number."""

from __future__ import annotations

import math
from typing import Any

from ..ops.indexing import where
from ..ops.random import randn
from ..tensor import Tensor
from . import constraints
from .distribution import LOG_2_PI, Distribution, together


class HalfNormal(Distribution):
    """p(x) = 2·exp(-x² / (2·scale²)) / (scale·√(2π)) for x ≥ 0

    Args:
        scale: the standard deviation of the normal number around 0; greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#halfnormal
    """

    has_rsample = True
    parameters = ("scale",)
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        (self.scale,) = together(scale)
        super().__init__(self.scale.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.scale * randn(shape, dtype=self.scale.dtype, device=self.scale.device).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        """log 2 - (x / scale)² / 2 - log scale - log(2π) / 2, and -∞ below 0"""
        z = self._validate_sample(value) / self.scale
        return where(z >= 0, math.log(2) - 0.5 * (z * z) - self.scale.log() - 0.5 * LOG_2_PI, -math.inf)

    def entropy(self) -> Tensor:
        """(1 + log(2π)) / 2 + log scale - log 2"""
        return 0.5 * (1 + LOG_2_PI) - math.log(2) + self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """erf(x / (scale·√2))"""
        return (self._validate_sample(value) / (self.scale * math.sqrt(2))).erf()

    def icdf(self, value: Tensor) -> Tensor:
        """scale·√2·erfinv(p)"""
        return self.scale * math.sqrt(2) * value.erfinv()

    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))
    mode = property(lambda self: 0 * self.scale.detach())
    variance = property(lambda self: self.scale**2 * (1 - 2 / math.pi))
