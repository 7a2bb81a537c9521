"""The gamma distribution: of the time until something has happened several times that happens at a constant rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.arithmetic import xlogy
from ..ops.gamma import log_gammainc
from ..ops.random import log_standard_gamma
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, together


class Gamma(Distribution):
    """p(x) = rate^c·x^(c-1)·exp(-rate·x) / Γ(c) for x ≥ 0, with c = concentration

    Args:
        concentration: the shape c, greater than 0.
        rate: greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#gamma
    """

    has_rsample = True
    parameters: tuple[str, ...] = ("concentration", "rate")
    arg_constraints: dict = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = together(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        drawn = log_gamma(self.concentration.expand(shape)).exp().type_as(self.rate) / self.rate
        smallest = float(np.finfo(drawn.dtype).tiny)  # in place of 0, whose logarithm log_prob could not take
        return drawn.clamp(min=smallest)

    def log_prob(self, value: Tensor) -> Tensor:
        """c·log rate + (c - 1)·log x - rate·x - log Γ(c)"""
        value, c = self._validate_sample(value), self.concentration
        return xlogy(c, self.rate) + xlogy(c - 1, value) - self.rate * value - c.lgamma()

    def entropy(self) -> Tensor:
        """c - log rate + log Γ(c) + (1 - c)·ψ(c)"""
        c = self.concentration
        return c - self.rate.log() + c.lgamma() + (1 - c) * c.digamma()

    def cdf(self, value: Tensor) -> Tensor:
        """P(c, rate·x), the incomplete gamma function."""
        return log_gammainc(self.concentration, (self.rate * self._validate_sample(value)).log()).exp()

    mean = property(lambda self: self.concentration / self.rate)
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp(min=0))
    variance = property(lambda self: self.concentration / self.rate**2)


def log_gamma(concentration: Tensor) -> Tensor:
    """The logarithms of numbers drawn from gamma distributions of rate 1, in float64, with gradients for the concentration.

    A draw y stays at its place among all possible ones, log P(c, eʸ) = constant, when c changes: so dy/dc = -∂_c log P / ∂_y log P.

    Source: Figurnov, Mohamed, Mnih 2018, "Implicit reparameterization gradients"
    """
    y = log_standard_gamma(concentration)
    if not concentration.requires_grad:
        return y
    c = concentration.double()
    place = log_gammainc(c, y)
    slope = (c * y - y.exp() - c.lgamma() - place).exp().detach()  # ∂_y log P
    return y - (place - place.detach()) / slope
