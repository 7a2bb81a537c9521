"""The negative binomial distribution: of how many trials succeed before so many have failed."""

from __future__ import annotations

from typing import Any

from ..ops.activation import logsigmoid
from ..ops.indexing import where
from ..ops.random import poisson
from ..tensor import Tensor
from . import constraints
from .coin import Coin
from .gamma import log_gamma


class NegativeBinomial(Coin):
    """P(x) = Γ(x + n) / (x!·Γ(n))·probs^x·(1 - probs)^n for x = 0, 1, 2 ...: counts that spread wider than `Poisson`'s

    Args:
        total_count: n, the failures that end it, at least 0; a fraction is allowed.
        probs: the probability of each trial to succeed, less than 1.
        logits: log(probs / (1 - probs)), in place of probs.

    Source: https://pytorch.org/docs/stable/distributions.html#negativebinomial
    """

    arg_constraints = {"total_count": constraints.nonnegative, **Coin.arg_constraints}
    support = constraints.nonnegative_integer

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args, total_count)
        self._require("probs", self.probs, self.probs < 1, "less than 1")

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        """Poisson's with a rate that is drawn from a gamma distribution."""
        n = self.total_count.expand(shape)
        rate = (log_gamma(where(n == 0, 1.0, n)) + self.logits).exp().type_as(self.probs)
        return poisson(where(n == 0, 0.0, rate))

    def log_prob(self, value: Tensor) -> Tensor:
        """log Γ(x + n) - log x! - log Γ(n) + x·log probs + n·log(1 - probs)"""
        value, n = self._validate_sample(value), self.total_count
        never = n + value == 0  # where Γ(x + n) / Γ(n) is ∞ / ∞, and x = 0 is sure
        ways = where(never, 1.0, n + value).lgamma() - (value + 1).lgamma() - where(never, 1.0, n).lgamma()
        return ways + n * logsigmoid(-self.logits) + value * logsigmoid(self.logits)

    mean = property(lambda self: self.total_count * self.logits.exp())
    mode = property(lambda self: ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0).detach())
    variance = property(lambda self: self.mean / (-self.logits).sigmoid())
