"""The Weibull distribution: of the time until something breaks that ages, or that becomes more reliable."""

from __future__ import annotations

from typing import Any

from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, inside, together
from .gumbel import EULER


class Weibull(Distribution):
    """p(x) = c / scale·z^(c-1)·exp(-z^c) for x > 0, with z = x / scale and c = concentration

    Args:
        scale: by when 1 - 1/e of all are broken, greater than 0.
        concentration: greater than 0; above 1 what is old breaks more often.

    Source: https://pytorch.org/docs/stable/distributions.html#weibull
    """

    has_rsample = True
    parameters = ("scale", "concentration")
    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = together(scale, concentration)
        super().__init__(self.scale.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.icdf(inside(rand(shape, dtype=self.scale.dtype, device=self.scale.device)))

    def log_prob(self, value: Tensor) -> Tensor:
        """log(c / scale) + (c - 1)·log z - z^c"""
        log_z = (self._validate_sample(value) / self.scale).log()
        c = self.concentration
        return (c / self.scale).log() + (c - 1) * log_z - (c * log_z).exp()

    def entropy(self) -> Tensor:
        """γ·(1 - 1 / c) + log(scale / c) + 1, with Euler's constant γ = 0.577 ..."""
        return EULER * (1 - 1 / self.concentration) + (self.scale / self.concentration).log() + 1

    def cdf(self, value: Tensor) -> Tensor:
        """1 - exp(-z^c)"""
        return -(-((self._validate_sample(value) / self.scale) ** self.concentration)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """scale·(-log(1 - p))^(1 / c)"""
        return self.scale * (-(-value).log1p()) ** (1 / self.concentration)

    def _moment(self, n: int) -> Tensor:
        """E[xⁿ] / scaleⁿ = Γ(1 + n / c)"""
        return (1 + n / self.concentration).lgamma().exp()

    mean = property(lambda self: self.scale * self._moment(1))
    variance = property(lambda self: self.scale**2 * (self._moment(2) - self._moment(1) ** 2))

    @property
    def mode(self) -> Tensor:
        """scale·(1 - 1 / c)^(1 / c), and 0 for c ≤ 1"""
        return self.scale * (1 - 1 / self.concentration).clamp(min=0) ** (1 / self.concentration)
