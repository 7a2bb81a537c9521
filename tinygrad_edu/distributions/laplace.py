"""The Laplace distribution, with more weight far out than the normal one."""

from __future__ import annotations

import math
from typing import Any

from ..ops.random import rand
from ..tensor import Tensor
from .distribution import Distribution, together


class Laplace(Distribution):
    """p(x) = exp(-|x - loc| / scale) / (2·scale)

    Args:
        loc: the mean.
        scale: greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#laplace
    """

    has_rsample = True
    parameters = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)
        self._require("loc", self.loc, self.loc == self.loc, "a number, not NaN")
        self._require("scale", self.scale, self.scale > 0, "greater than 0")

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        side = 1 - 2 * rand(shape, dtype=self.loc.dtype, device=self.loc.device)  # in (-1, 1], whose end 1 has no logarithm below
        return self.loc + self.scale * side.sign() * -(-side.abs().clamp(max=1 - 2**-24)).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        """-|x - loc| / scale - log(2·scale)"""
        return -(self._value(value) - self.loc).abs() / self.scale - (2 * self.scale).log()

    def entropy(self) -> Tensor:
        """1 + log(2·scale)"""
        return 1 + (2 * self.scale).log()

    def cdf(self, value: Tensor) -> Tensor:
        """(1 - sign(x - loc)·(exp(-|x - loc| / scale) - 1)) / 2"""
        beside = self._value(value) - self.loc
        return 0.5 - 0.5 * beside.sign() * (-beside.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """loc - scale·sign(p - 1/2)·log(1 - 2·|p - 1/2|)"""
        beside = value - 0.5
        return self.loc - self.scale * beside.sign() * (-2 * beside.abs()).log1p()

    mean = mode = property(lambda self: self.loc)
    stddev = property(lambda self: math.sqrt(2) * self.scale)
    variance = property(lambda self: 2 * self.scale**2)
