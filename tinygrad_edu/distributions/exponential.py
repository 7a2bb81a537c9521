"""The exponential distribution: of the time until something happens that happens at a constant rate."""

from __future__ import annotations

from typing import Any

from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, together


class Exponential(Distribution):
    """p(x) = rate·exp(-rate·x) for x ≥ 0

    Args:
        rate: greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#exponential
    """

    has_rsample = True
    parameters = ("rate",)
    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.icdf(rand(shape, dtype=self.rate.dtype, device=self.rate.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """log rate - rate·x"""
        return self.rate.log() - self.rate * self._validate_sample(value)

    def entropy(self) -> Tensor:
        """1 - log rate"""
        return 1 - self.rate.log()

    def cdf(self, value: Tensor) -> Tensor:
        """1 - exp(-rate·x)"""
        return -(-self.rate * self._validate_sample(value)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """-log(1 - p) / rate"""
        return -(-value).log1p() / self.rate

    mean = stddev = property(lambda self: 1 / self.rate)
    mode = property(lambda self: self.rate.detach() * 0)
    variance = property(lambda self: self.rate**-2)
