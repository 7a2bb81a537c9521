"""The distribution of a choice: one of several classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..ops.creation import arange
from ..ops.random import multinomial
from ..ops.shape import broadcast_tensors
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, lazy_property, one_of


class Categorical(Distribution):
    """P(i) = probs[i] = softmax(logits)[i], for i = 0 ... n - 1 along the last dim

    Args:
        probs: at least 0; divided by their sum.
        logits: log(probs), up to a constant, in place of probs.

    >>> from tinygrad_edu import tensor
    >>> Categorical(probs=tensor([1.0, 3.0])).log_prob(tensor(1)).exp()
    tensor(0.7500)

    Source: https://pytorch.org/docs/stable/distributions.html#categorical
    """

    has_enumerate_support = True
    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        given = one_of("Categorical", probs, logits)
        if not given.ndim:
            raise ShapeError("Categorical: probs or logits need a dim for the classes; they are one number.")
        super().__init__(given.shape[:-1], validate_args=validate_args)
        self._num_events = given.shape[-1]
        if logits is None:
            self.parameters = ("probs",)
            self._require("probs", given, given >= 0, "at least 0")
            total = given.sum(-1, keepdim=True)
            self._require("the sum of probs", total, total > 0, "greater than 0")
            self.probs = given / total
        else:
            self.parameters = ("logits",)
            self._require("logits", given, given == given, "numbers, not NaN")
            self.logits = given.log_softmax(-1)

    @lazy_property
    def probs(self) -> Tensor:
        """softmax(logits)"""
        return self.logits.exp()

    @lazy_property
    def logits(self) -> Tensor:
        """log(probs); 0 and 1 as the numbers next to them, so that it is finite."""
        eps = float(np.finfo(self.probs.dtype).eps)
        return self.probs.clamp(eps, 1 - eps).log()

    @property
    def _given(self) -> Tensor:
        return getattr(self, self.parameters[0])

    @property
    def param_shape(self) -> tuple[int, ...]:
        return self._given.shape

    support = property(lambda self: constraints.integer_interval(0, self._num_events - 1))

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        count = math.prod(shape) // max(math.prod(self.batch_shape), 1)
        drawn = multinomial(self.probs.reshape(-1, self._num_events), count, replacement=True)
        return drawn.T.reshape(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """log probs[x]"""
        index, logits = broadcast_tensors(self._validate_sample(value).long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        """-Σ probs·log probs"""
        least = float(np.finfo(self.logits.dtype).min)  # so that a class that cannot be counts 0·least, not 0·∞
        return -(self.probs * self.logits.clamp(min=least)).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All classes."""
        values = arange(self._num_events, device=self._given.device).reshape(-1, *(1 for _ in self.batch_shape))
        return values.expand((self._num_events, *self.batch_shape)) if expand else values

    mode = property(lambda self: self.probs.argmax(-1))
    mean = variance = property(lambda self: self.probs.detach().sum(-1) * math.nan)  # classes are no numbers


class OfClasses(Distribution):
    """The base of distributions of vectors with a place for each class, which is chosen as `Categorical` chooses it."""

    arg_constraints = Categorical.arg_constraints

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._class = Categorical(probs, logits, validate_args)
        self.parameters = self._class.parameters
        super().__init__(self._class.batch_shape, self._class.param_shape[-1:], validate_args)

    probs = property(lambda self: self._class.probs)
    logits = property(lambda self: self._class.logits)
    param_shape = property(lambda self: self._class.param_shape)
