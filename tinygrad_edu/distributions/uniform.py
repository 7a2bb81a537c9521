"""The distribution in which all numbers of an interval are equally likely."""

from __future__ import annotations

import math
from typing import Any

from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, together


class Uniform(Distribution):
    """p(x) = 1 / (high - low) for low ≤ x < high

    Args:
        low, high: the ends of the interval.

    Source: https://pytorch.org/docs/stable/distributions.html#uniform
    """

    has_rsample = True
    parameters = ("low", "high")
    arg_constraints = {"low": constraints.dependent, "high": constraints.dependent}

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = together(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        self._require("high", self.high, self.high > self.low, "greater than low")

    support = property(lambda self: constraints.interval(self.low, self.high))

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.low + (self.high - self.low) * rand(shape, dtype=self.low.dtype, device=self.low.device)

    def log_prob(self, value: Tensor) -> Tensor:
        """-log(high - low), and -∞ outside"""
        value = self._validate_sample(value)
        inside = ((value >= self.low) & (value < self.high)).type_as(self.low)
        return inside.log() - (self.high - self.low).log()

    def entropy(self) -> Tensor:
        """log(high - low)"""
        return (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        """(x - low) / (high - low)"""
        return ((self._validate_sample(value) - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        """low + p·(high - low)"""
        return self.low + value * (self.high - self.low)

    mode = property(lambda self: self.low.detach() * math.nan)  # all are
    mean = property(lambda self: (self.low + self.high) / 2)
    variance = property(lambda self: (self.high - self.low) ** 2 / 12)
