"""The beta distribution: of a number between 0 and 1."""

from __future__ import annotations

from typing import Any

from ..ops.joining import stack
from ..tensor import Tensor
from . import constraints
from .dirichlet import Dirichlet
from .distribution import Distribution, together


class Beta(Distribution):
    """p(x) = x^(c₁-1)·(1 - x)^(c₀-1)·Γ(c₁ + c₀) / (Γ(c₁)·Γ(c₀)) for 0 ≤ x ≤ 1: one of two shares

    Args:
        concentration1, concentration0: c₁ and c₀, greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#beta
    """

    has_rsample = True
    parameters = ("concentration1", "concentration0")
    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = together(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)
        self._shares = Dirichlet(stack([self.concentration1, self.concentration0], -1), validate_args=False)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self._shares._draw((*shape, 2))[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        """(c₁ - 1)·log x + (c₀ - 1)·log(1 - x) + log Γ(c₁ + c₀) - log Γ(c₁) - log Γ(c₀)"""
        value = self._validate_sample(value)
        return self._shares.log_prob(stack([value, 1 - value], -1))

    def entropy(self) -> Tensor:
        """As `Dirichlet`'s."""
        return self._shares.entropy()

    mean = property(lambda self: self._shares.mean[..., 0])
    mode = property(lambda self: self._shares.mode[..., 0])
    variance = property(lambda self: self._shares.variance[..., 0])
