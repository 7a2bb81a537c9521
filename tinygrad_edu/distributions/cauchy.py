"""The Cauchy distribution: so many numbers far off that no mean settles."""

from __future__ import annotations

import math

from ..ops.creation import full_like
from ..ops.random import rand
from ..tensor import Tensor
from .distribution import LocScale


class Cauchy(LocScale):
    """p(x) = 1 / (π·scale·(1 + z²)), with z = (x - loc) / scale

    Args:
        loc: the middle.
        scale: half of the numbers are nearer to it than this; greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#cauchy
    """

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.icdf(rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """-log π - log scale - log(1 + z²)"""
        z = (self._validate_sample(value) - self.loc) / self.scale
        return -math.log(math.pi) - self.scale.log() - (z * z).log1p()

    def entropy(self) -> Tensor:
        """log(4π) + log scale"""
        return math.log(4 * math.pi) + self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """1/2 + atan(z) / π"""
        return 0.5 + ((self._validate_sample(value) - self.loc) / self.scale).atan() / math.pi

    def icdf(self, value: Tensor) -> Tensor:
        """loc + scale·tan(π·(p - 1/2))"""
        return self.loc + self.scale * (math.pi * (value - 0.5)).tan()

    mean = property(lambda self: full_like(self.loc, math.nan))
    mode = property(lambda self: self.loc)
    variance = property(lambda self: full_like(self.loc, math.inf))
