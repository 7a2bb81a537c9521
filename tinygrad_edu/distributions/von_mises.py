"""The von Mises distribution: of directions around the likeliest one, as the normal distribution is of numbers."""

from __future__ import annotations

import math
from typing import Any

from ..ops.creation import zeros
from ..ops.indexing import where
from ..ops.random import rand
from ..ops.special import i0e, i1e
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, inside, together


class VonMises(Distribution):
    """p(x) = exp(concentration·cos(x - loc)) / (2π·I₀(concentration)), for angles x in radians

    Args:
        loc: the likeliest angle.
        concentration: greater than 0; for large ones it is the reciprocal of a variance.

    Source: https://pytorch.org/docs/stable/distributions.html#vonmises
    """

    parameters = ("loc", "concentration")
    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = together(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        """Angles of a wrapped Cauchy distribution, each drawn again until one is kept, which the more probable are more often.

        Source: Best, Fisher 1979, "Efficient simulation of the von Mises distribution"
        """
        how: dict[str, Any] = {"dtype": "float64", "device": self.loc.device}
        k = self.concentration.detach().double().expand(shape)
        tau = 1 + (1 + 4 * k * k).sqrt()
        rho = 2 * k / (tau + (2 * tau).sqrt())
        r = (1 + rho * rho) / (2 * rho)
        angle, kept = zeros(shape, **how), zeros(shape, dtype="bool", device=self.loc.device)
        while not kept.all():
            z = (math.pi * rand(shape, **how)).cos()
            f = (1 + r * z) / (r + z)
            c, u = k * (r - f), inside(rand(shape, **how))
            angle = where(kept, angle, f.clamp(-1, 1).acos())
            kept = kept | (c * (2 - c) > u) | ((c / u).log() + 1 - c >= 0)
        angle = where(rand(shape, **how) < 0.5, -angle, angle) + self.loc.detach()
        return ((angle + math.pi) % (2 * math.pi) - math.pi).type_as(self.loc)

    def log_prob(self, value: Tensor) -> Tensor:
        """concentration·(cos(x - loc) - 1) - log(2π) - log(e^(-concentration)·I₀(concentration))"""
        k = self.concentration
        return k * ((self._validate_sample(value) - self.loc).cos() - 1) - math.log(2 * math.pi) - i0e(k).log()

    mean = mode = property(lambda self: self.loc)

    @property
    def variance(self) -> Tensor:
        """1 - I₁(concentration) / I₀(concentration): 0 where all angles are the same, 1 where each is as likely"""
        return 1 - i1e(self.concentration) / i0e(self.concentration)
