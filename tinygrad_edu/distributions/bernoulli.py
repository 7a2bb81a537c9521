"""The distribution of a coin: 1 or 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.creation import arange
from ..ops.indexing import where
from ..ops.likelihood import binary_cross_entropy_with_logits
from ..ops.random import bernoulli
from ..tensor import Tensor
from . import constraints
from .coin import Coin


class Bernoulli(Coin):
    """P(1) = probs = σ(logits), P(0) = 1 - probs

    Args:
        probs: between 0 and 1.
        logits: log(probs / (1 - probs)), in place of probs.

    Source: https://pytorch.org/docs/stable/distributions.html#bernoulli
    """

    has_enumerate_support = True
    support = constraints.boolean

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        super().__init__(probs, logits, validate_args)

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return bernoulli(self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """x·log probs + (1 - x)·log(1 - probs)"""
        value = self._validate_sample(value)
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        logits = self.logits.expand(shape)
        return -binary_cross_entropy_with_logits(logits, value.expand(shape).type_as(logits), reduction="none")

    def entropy(self) -> Tensor:
        """-probs·log probs - (1 - probs)·log(1 - probs)"""
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """0 and 1."""
        values = arange(2, dtype=self.probs.dtype, device=self.probs.device).reshape(2, *(1 for _ in self.batch_shape))
        return values.expand((2, *self.batch_shape)) if expand else values

    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))

    @property
    def mode(self) -> Tensor:
        """1 or 0; NaN where both are as likely."""
        return where(self.probs == 0.5, math.nan, (self.probs > 0.5).type_as(self.probs))
