"""A choice as a vector of shares instead of a single 1, so that gradients pass through it."""

from __future__ import annotations

import math

import numpy as np

from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .categorical import OfClasses
from .distribution import inside
from .relaxed import Relaxed


class RelaxedOneHotCategorical(Relaxed, OfClasses):
    """x = softmax((logits + noise) / temperature), with Gumbel noise: the lower the temperature, the nearer to a single 1

    Args:
        temperature: greater than 0.
        probs, logits: as of `Categorical`.

    Source: Jang, Gu, Poole 2017; https://pytorch.org/docs/stable/distributions.html#relaxedonehotcategorical
    """

    support = constraints.simplex

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        noise = -(-inside(rand(shape, dtype=self.logits.dtype, device=self.logits.device)).log()).log()
        drawn = ((self.logits + noise) / self.temperature).softmax(-1)
        return drawn.clamp(min=float(np.finfo(drawn.dtype).tiny))  # in place of 0, whose logarithm log_prob could not take

    def log_prob(self, value: Tensor) -> Tensor:
        """log (n - 1)! + (n - 1)·log temperature + Σ log softmax(logits - temperature·log x) - Σ log x, for n classes"""
        log_x, n = self._validate_sample(value).log(), self.event_shape[0]
        scores = (self.logits - self.temperature * log_x).log_softmax(-1)
        return math.lgamma(n) + (n - 1) * self.temperature.log() + (scores - log_x).sum(-1)
