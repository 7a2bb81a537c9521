"""The distribution of numbers whose logarithm is normal."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .normal import Normal


class LogNormal(Distribution):
    """x = exp(y), with y normal.

    Args:
        loc, scale: mean and standard deviation of log x.

    Source: https://pytorch.org/docs/stable/distributions.html#lognormal
    """

    has_rsample = True
    parameters = ("loc", "scale")
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self._logarithm = Normal(loc, scale, validate_args=False)
        super().__init__(self._logarithm.batch_shape, validate_args=validate_args)

    loc = property(lambda self: self._logarithm.loc)
    scale = property(lambda self: self._logarithm.scale)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return self._logarithm._draw(shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(log x) - log x"""
        y = self._validate_sample(value).log()
        return self._logarithm.log_prob(y) - y

    def entropy(self) -> Tensor:
        """That of log x, + loc"""
        return self._logarithm.entropy() + self.loc

    def cdf(self, value: Tensor) -> Tensor:
        """P(log x ≤ log value)"""
        return self._logarithm.cdf(self._validate_sample(value).log())

    def icdf(self, value: Tensor) -> Tensor:
        """exp(loc + scale·√2·erfinv(2p - 1))"""
        return self._logarithm.icdf(value).exp()

    mean = property(lambda self: (self.loc + self.scale**2 / 2).exp())
    mode = property(lambda self: (self.loc - self.scale**2).exp())
    variance = property(lambda self: (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp())
