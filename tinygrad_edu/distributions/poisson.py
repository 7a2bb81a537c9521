"""The Poisson distribution: of how often something happens that happens at a constant rate."""

from __future__ import annotations

from typing import Any

from ..ops.arithmetic import xlogy
from ..ops.random import poisson
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, together


class Poisson(Distribution):
    """P(x) = rate^x·exp(-rate) / x!  for x = 0, 1, 2 ...

    Args:
        rate: the mean, at least 0.

    Source: https://pytorch.org/docs/stable/distributions.html#poisson
    """

    parameters = ("rate",)
    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return poisson(self.rate.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """x·log rate - rate - log x!"""
        value = self._validate_sample(value)
        return xlogy(value, self.rate) - self.rate - (value + 1).lgamma()

    mean = variance = property(lambda self: self.rate)
    mode = property(lambda self: self.rate.floor())
