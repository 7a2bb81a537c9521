"""The multinomial distribution: of how often each class is chosen in several choices."""

from __future__ import annotations

from typing import Any

from ..errors import check_whole
from ..ops.arithmetic import xlogy
from ..ops.embedding import one_hot
from ..tensor import Tensor
from . import constraints
from .binomial import Binomial
from .categorical import OfClasses


class Multinomial(OfClasses):
    """P(x) = n! / Π xᵢ!·Π probs[i]^xᵢ for counts x, n together

    Args:
        total_count: n, how many choices there are: one number.
        probs, logits: of each choice, as `Categorical`'s.

    Source: https://pytorch.org/docs/stable/distributions.html#multinomial
    """

    fixed = ("total_count",)

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        check_whole("Multinomial: total_count", total_count, 0)
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)

    support = property(lambda self: constraints.multinomial(self.total_count))

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        chosen = self._class._draw((self.total_count, *shape[:-1]))
        return one_hot(chosen, shape[-1]).sum(0).type_as(self.probs)

    def log_prob(self, value: Tensor) -> Tensor:
        """log n! - Σ log xᵢ! + Σ xᵢ·log probs[i], with n = Σ xᵢ: as in PyTorch, counts may come of fewer choices than total_count."""
        value = self._validate_sample(value)
        return (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1) + xlogy(value, self.probs).sum(-1)

    def entropy(self) -> Tensor:
        """n·(that of one choice) - log n! + Σ E[log xᵢ!], where each xᵢ is binomial."""
        count = Binomial(self.total_count, self.probs, validate_args=False)
        values = count.enumerate_support()
        log_factorials = (values + 1).lgamma()
        expected = (count.log_prob(values).exp() * log_factorials).sum((0, -1))
        return self.total_count * self._class.entropy() - log_factorials[-1, ..., 0] + expected

    mean = property(lambda self: self.total_count * self.probs)
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))
