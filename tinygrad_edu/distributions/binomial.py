"""The binomial distribution: of how many trials succeed."""

from __future__ import annotations

from typing import Any

from ..ops.activation import softplus
from ..ops.arithmetic import minimum
from ..ops.creation import arange
from ..ops.random import binomial
from ..tensor import Tensor
from . import constraints
from .coin import Coin


class Binomial(Coin):
    """P(x) = n! / (x!·(n - x)!)·probs^x·(1 - probs)^(n - x) for x = 0 ... n

    Args:
        total_count: n, how many trials there are.
        probs: the probability of each to succeed.
        logits: log(probs / (1 - probs)), in place of probs.

    Source: https://pytorch.org/docs/stable/distributions.html#binomial
    """

    has_enumerate_support = True
    arg_constraints = {"total_count": constraints.nonnegative_integer, **Coin.arg_constraints}

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args, total_count)

    support = property(lambda self: constraints.integer_interval(0, self.total_count))

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """log(n! / (x!·(n - x)!)) + x·log probs + (n - x)·log(1 - probs)"""
        value, n = self._validate_sample(value), self.total_count
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return ways + value * self.logits - n * softplus(self.logits)

    def entropy(self) -> Tensor:
        """-Σ P(x)·log P(x)"""
        log_probs = self.log_prob(self.enumerate_support(False))
        return -(log_probs.exp() * log_probs).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 to n, which must be one number for the whole batch."""
        most = int(self.total_count.max().item())
        if self.total_count.min() != most:
            raise NotImplementedError("Binomial: where total_count has several values, there is no list of all possible values.")
        values = arange(1 + most, dtype=self.probs.dtype, device=self.probs.device).reshape(-1, *(1 for _ in self.batch_shape))
        return values.expand((1 + most, *self.batch_shape)) if expand else values

    mean = property(lambda self: self.total_count * self.probs)
    mode = property(lambda self: minimum(((self.total_count + 1) * self.probs).floor(), self.total_count).detach())
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))
