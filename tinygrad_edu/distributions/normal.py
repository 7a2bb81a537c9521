"""The normal distribution."""

from __future__ import annotations

import math

from ..ops.random import randn
from ..tensor import Tensor
from .distribution import LOG_2_PI, LocScale


class Normal(LocScale):
    """p(x) = exp(-(x - loc)² / (2·scale²)) / (scale·√(2π))

    Args:
        loc: the mean.
        scale: the standard deviation, greater than 0.

    >>> from tinygrad_edu import tensor
    >>> Normal(0.0, 1.0).log_prob(tensor(0.0))
    tensor(-0.9189)

    Source: https://pytorch.org/docs/stable/distributions.html#normal
    """

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.loc + self.scale * randn(shape, dtype=self.loc.dtype, device=self.loc.device)

    def log_prob(self, value: Tensor) -> Tensor:
        """-((x - loc) / scale)² / 2 - log scale - log(2π) / 2"""
        z = (self._validate_sample(value) - self.loc) / self.scale
        return -0.5 * (z * z) - self.scale.log() - 0.5 * LOG_2_PI

    def entropy(self) -> Tensor:
        """(1 + log(2π)) / 2 + log scale"""
        return 0.5 * (1 + LOG_2_PI) + self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        """(1 + erf((x - loc) / (scale·√2))) / 2"""
        return 0.5 * (1 + ((self._validate_sample(value) - self.loc) / (self.scale * math.sqrt(2))).erf())

    def icdf(self, value: Tensor) -> Tensor:
        """loc + scale·√2·erfinv(2p - 1)"""
        return self.loc + self.scale * math.sqrt(2) * (2 * value - 1).erfinv()

    stddev = property(lambda self: self.scale)
    variance = property(lambda self: self.scale**2)
