"""The Gumbel distribution: of the largest of many numbers."""

from __future__ import annotations

import math

import numpy as np

from ..ops.random import rand
from ..tensor import Tensor
from .distribution import LocScale, inside

EULER = float(np.euler_gamma)


class Gumbel(LocScale):
    """p(x) = exp(-z - exp(-z)) / scale, with z = (x - loc) / scale

    With such noise added to logits, the largest is each class with the probability that softmax gives it.

    Args:
        loc: the likeliest value.
        scale: greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#gumbel
    """

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.icdf(inside(rand(shape, dtype=self.loc.dtype, device=self.loc.device)))

    def log_prob(self, value: Tensor) -> Tensor:
        """-z - exp(-z) - log scale"""
        z = (self._validate_sample(value) - self.loc) / self.scale
        return -z - (-z).exp() - self.scale.log()

    def entropy(self) -> Tensor:
        """log scale + 1 + γ, with Euler's constant γ = 0.577 ..."""
        return self.scale.log() + (1 + EULER)

    def cdf(self, value: Tensor) -> Tensor:
        """exp(-exp(-z))"""
        return (-((self.loc - self._validate_sample(value)) / self.scale).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        """loc - scale·log(-log p)"""
        return self.loc - self.scale * (-value.log()).log()

    mean = property(lambda self: self.loc + EULER * self.scale)
    mode = property(lambda self: self.loc)
    variance = property(lambda self: (math.pi * self.scale) ** 2 / 6)
