"""The toss of a coin with a result between 0 and 1, so that gradients pass through it."""

from __future__ import annotations

from ..ops.activation import softplus
from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .coin import Coin
from .distribution import inside
from .relaxed import Relaxed


class RelaxedBernoulli(Relaxed, Coin):
    """x = σ((logits + noise) / temperature), with noise of the logistic distribution: the lower the temperature, the nearer to 0 or 1

    Args:
        temperature: greater than 0.
        probs: between 0 and 1.
        logits: log(probs / (1 - probs)), in place of probs.

    Source: Maddison, Mnih, Teh 2017; https://pytorch.org/docs/stable/distributions.html#relaxedbernoulli
    """

    support = constraints.unit_interval

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        noise = inside(rand(shape, dtype=self.logits.dtype, device=self.logits.device)).logit()
        return inside(((self.logits + noise) / self.temperature).sigmoid())

    def log_prob(self, value: Tensor) -> Tensor:
        """log temperature + d - 2·log(1 + eᵈ) - log(x·(1 - x)), with d = logits - temperature·log(x / (1 - x))"""
        score = inside(self._validate_sample(value)).logit()
        d = self.logits - self.temperature * score
        return self.temperature.log() + d - 2 * softplus(d) + softplus(score) + softplus(-score)
