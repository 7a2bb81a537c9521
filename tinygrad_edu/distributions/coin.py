"""What the distributions of trials share, which succeed or fail as the toss of a coin does."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, lazy_property, one_of, together


class Coin(Distribution):
    """P(success) = probs = σ(logits) in each trial.

    Args:
        probs: between 0 and 1.
        logits: log(probs / (1 - probs)), in place of probs.
        total_count: how many trials there are, or failures, if that is a parameter, too.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    def __init__(self, probs: Any, logits: Any, validate_args: bool | None, total_count: Any = None) -> None:
        given = one_of(type(self).__name__, probs, logits)
        self.parameters = ("probs",) if logits is None else ("logits",)
        if total_count is not None:
            count, given = together(total_count, given)
            self.total_count = count.type_as(given)
            self.parameters = ("total_count", *self.parameters)
        setattr(self, self.parameters[-1], given)
        super().__init__(given.shape, validate_args=validate_args)

    @lazy_property
    def probs(self) -> Tensor:
        """σ(logits)"""
        return self.logits.sigmoid()

    @lazy_property
    def logits(self) -> Tensor:
        """log(probs / (1 - probs)); 0 and 1 as the numbers next to them, so that it is finite."""
        return self.probs.logit(eps=float(np.finfo(self.probs.dtype).eps))
