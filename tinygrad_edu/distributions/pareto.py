"""The Pareto distribution: of sizes of which a few are far larger than the rest, as of cities or fortunes."""

from __future__ import annotations

from typing import Any

from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, together


class Pareto(Distribution):
    """p(x) = alpha·scale^alpha / x^(alpha + 1) for x ≥ scale

    Args:
        scale: the smallest value, greater than 0.
        alpha: how fast larger ones become rarer, greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#pareto
    """

    has_rsample = True
    parameters = ("scale", "alpha")
    arg_constraints = {"scale": constraints.positive, "alpha": constraints.positive}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = together(scale, alpha)
        super().__init__(self.scale.shape, validate_args=validate_args)

    support = property(lambda self: constraints.greater_than_eq(self.scale))

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self.icdf(rand(shape, dtype=self.scale.dtype, device=self.scale.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """log alpha - log scale - (alpha + 1)·log(x / scale)"""
        return (self.alpha / self.scale).log() - (self.alpha + 1) * (self._validate_sample(value) / self.scale).log()

    def entropy(self) -> Tensor:
        """log(scale / alpha) + 1 + 1 / alpha"""
        return (self.scale / self.alpha).log() + 1 + 1 / self.alpha

    def cdf(self, value: Tensor) -> Tensor:
        """1 - (scale / x)^alpha"""
        return -(-self.alpha * (self._validate_sample(value) / self.scale).log()).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        """scale / (1 - p)^(1 / alpha)"""
        return self.scale * (-(-value).log1p() / self.alpha).exp()

    mode = property(lambda self: self.scale)

    @property
    def mean(self) -> Tensor:
        """scale·alpha / (alpha - 1), and ∞ for alpha ≤ 1"""
        alpha = self.alpha.clamp(min=1)
        return alpha * self.scale / (alpha - 1)

    @property
    def variance(self) -> Tensor:
        """scale²·alpha / ((alpha - 1)²·(alpha - 2)), and ∞ for alpha ≤ 2"""
        alpha = self.alpha.clamp(min=2)
        return self.scale**2 * alpha / ((alpha - 1) ** 2 * (alpha - 2))
