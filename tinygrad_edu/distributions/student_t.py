"""Student's t-distribution, with more weight far out than the normal one, the more the fewer its degrees of freedom."""

from __future__ import annotations

import math
from typing import Any

from ..ops.indexing import where
from ..ops.random import randn
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, together
from .gamma import log_gamma


class StudentT(Distribution):
    """p(x) = Γ((df + 1) / 2) / (Γ(df / 2)·√(π·df)·scale)·(1 + z² / df)^(-(df + 1) / 2), with z = (x - loc) / scale

    Args:
        df: degrees of freedom, greater than 0.
        loc, scale: the middle, and the width, greater than 0.

    Source: https://pytorch.org/docs/stable/distributions.html#studentt
    """

    has_rsample = True
    parameters = ("df", "loc", "scale")
    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = together(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        """A normal number over √(χ² / df), with χ² = 2·Gamma(df / 2, 1)."""
        log_ratio = log_gamma(self.df.expand(shape) / 2) - (self.df.double() / 2).log()
        noise = randn(shape, dtype=self.df.dtype, device=self.df.device)
        return self.loc + self.scale * noise * (-0.5 * log_ratio).exp().type_as(noise)

    def log_prob(self, value: Tensor) -> Tensor:
        """-(df + 1) / 2·log(1 + z² / df) - log scale - log √df - log B(df / 2, 1 / 2)"""
        z = (self._validate_sample(value) - self.loc) / self.scale
        return -0.5 * (self.df + 1) * (z * z / self.df).log1p() - self.scale.log() - 0.5 * self.df.log() - self._log_beta()

    def entropy(self) -> Tensor:
        """log scale + (df + 1) / 2·(ψ((df + 1) / 2) - ψ(df / 2)) + log √df + log B(df / 2, 1 / 2)"""
        half = (self.df + 1) / 2
        spread = half * (half.digamma() - (self.df / 2).digamma())
        return self.scale.log() + spread + 0.5 * self.df.log() + self._log_beta()

    def _log_beta(self) -> Tensor:
        """log B(df / 2, 1 / 2)"""
        return (self.df / 2).lgamma() + 0.5 * math.log(math.pi) - ((self.df + 1) / 2).lgamma()

    mode = property(lambda self: self.loc)
    mean = property(lambda self: where(self.df > 1, self.loc, math.nan))

    @property
    def variance(self) -> Tensor:
        """scale²·df / (df - 2); ∞ up to df = 2, and none up to df = 1."""
        finite = self.scale**2 * self.df / where(self.df > 2, self.df - 2, 1.0)
        return where(self.df > 1, where(self.df > 2, finite, math.inf), math.nan)
