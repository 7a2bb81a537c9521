"""The geometric distribution: of how often something fails before it succeeds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.arithmetic import xlogy
from ..ops.likelihood import binary_cross_entropy_with_logits
from ..ops.random import rand
from ..tensor import Tensor
from . import constraints
from .coin import Coin


class Geometric(Coin):
    """P(x) = (1 - probs)^x·probs for x = 0, 1, 2 ... failures before the first success

    Args:
        probs: the probability to succeed, greater than 0.
        logits: log(probs / (1 - probs)), in place of probs.

    Source: https://pytorch.org/docs/stable/distributions.html#geometric
    """

    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args)
        self._require("probs", self.probs, self.probs > 0, "greater than 0")

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        uniform = rand(shape, dtype=self.probs.dtype, device=self.probs.device).clamp(min=float(np.finfo(self.probs.dtype).tiny))
        return (uniform.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        """x·log(1 - probs) + log probs"""
        return xlogy(self._validate_sample(value), 1 - self.probs) + self.probs.log()

    def entropy(self) -> Tensor:
        """(-probs·log probs - (1 - probs)·log(1 - probs)) / probs"""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs

    mode = property(lambda self: 0 * self.probs.detach())
    mean = property(lambda self: 1 / self.probs - 1)
    variance = property(lambda self: (1 / self.probs - 1) / self.probs)
