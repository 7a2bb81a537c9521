"""The Laplace distribution, with more weight far out than the normal one."""

from __future__ import annotations

import math

import numpy as np

from ..ops.random import rand
from ..tensor import Tensor
from .distribution import LocScale


class Laplace(LocScale):
    """p(x) = exp(-|x - loc| / scale) / (2·scale)

    Args:
        loc: the mean.
        scale: greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#laplace
    """

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        side = 1 - 2 * rand(shape, dtype=self.loc.dtype, device=self.loc.device)  # in (-1, 1], whose end 1 would become infinite
        inside = side.abs().clamp(max=1 - float(np.finfo(side.dtype).epsneg))
        return self.loc - self.scale * side.sign() * (-inside).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        """-|x - loc| / scale - log(2·scale)"""
        return -(self._validate_sample(value) - self.loc).abs() / self.scale - (2 * self.scale).log()

    def entropy(self) -> Tensor:
        """1 + log(2·scale)"""
        return 1 + (2 * self.scale).log()

    def cdf(self, value: Tensor) -> Tensor:
        """(1 - sign(x - loc)·(exp(-|x - loc| / scale) - 1)) / 2"""
        beside = self._validate_sample(value) - self.loc
        return 0.5 - 0.5 * beside.sign() * (-beside.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """loc - scale·sign(p - 1/2)·log(1 - 2·|p - 1/2|)"""
        beside = value - 0.5
        return self.loc - self.scale * beside.sign() * (-2 * beside.abs()).log1p()

    stddev = property(lambda self: math.sqrt(2) * self.scale)
    variance = property(lambda self: 2 * self.scale**2)
