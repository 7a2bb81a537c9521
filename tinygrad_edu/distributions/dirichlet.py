"""The Dirichlet distribution: of shares that are 1 together."""

from __future__ import annotations

from ..errors import ShapeError
from ..ops.arithmetic import xlogy
from ..ops.embedding import one_hot
from ..ops.indexing import where
from ..ops.softmax import softmax
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, inside
from .gamma import log_gamma


class Dirichlet(Distribution):
    """p(x) = Π xᵢ^(cᵢ-1)·Γ(Σ cᵢ) / Π Γ(cᵢ) for shares x, not negative and 1 together

    Args:
        concentration: c, greater than 0, (..., n).

    Source: https://pytorch.org/docs/stable/distributions.html#dirichlet
    """

    has_rsample = True
    parameters = ("concentration",)
    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ShapeError("Dirichlet: concentration needs a dim for the shares; it is one number.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        drawn = softmax(log_gamma(self.concentration.expand(shape)), -1).type_as(self.concentration)
        return inside(drawn)

    def log_prob(self, value: Tensor) -> Tensor:
        """Σ (cᵢ - 1)·log xᵢ + log Γ(Σ cᵢ) - Σ log Γ(cᵢ)"""
        return xlogy(self.concentration - 1, self._validate_sample(value)).sum(-1) - self._log_size()

    def entropy(self) -> Tensor:
        """Σ log Γ(cᵢ) - log Γ(c₀) + (c₀ - n)·ψ(c₀) - Σ (cᵢ - 1)·ψ(cᵢ), with c₀ = Σ cᵢ"""
        c = self.concentration
        total = c.sum(-1)
        return self._log_size() + (total - self.event_shape[0]) * total.digamma() - ((c - 1) * c.digamma()).sum(-1)

    def _log_size(self) -> Tensor:
        """By what the density is divided."""
        return self.concentration.lgamma().sum(-1) - self.concentration.sum(-1).lgamma()

    @property
    def mean(self) -> Tensor:
        """cᵢ / Σ c"""
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        """(cᵢ - 1) / Σ (c - 1); the first corner, if the density is infinite in all."""
        c = self.concentration
        above, outside = (c - 1).clamp(min=0), (c < 1).all(-1, keepdim=True)
        corner = one_hot(0 * c[..., 0].long(), self.event_shape[0]).type_as(c)
        return where(outside, corner, above / where(outside, 1.0, above.sum(-1, keepdim=True)))

    @property
    def variance(self) -> Tensor:
        """cᵢ·(c₀ - cᵢ) / (c₀²·(c₀ + 1)), with c₀ = Σ c"""
        c, total = self.concentration, self.concentration.sum(-1, keepdim=True)
        return c * (total - c) / (total**2 * (total + 1))
