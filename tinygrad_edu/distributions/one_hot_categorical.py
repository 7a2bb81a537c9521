"""The distribution of a choice as a vector: 1 for the class, 0 for all others."""

from __future__ import annotations

from ..ops.creation import eye
from ..ops.embedding import one_hot
from ..tensor import Tensor
from . import constraints
from .categorical import OfClasses


class OneHotCategorical(OfClasses):
    """`Categorical`, whose values are vectors with a single 1.

    Args:
        probs, logits: as there.

    Source: https://pytorch.org/docs/stable/distributions.html#onehotcategorical
    """

    has_enumerate_support = True
    support = constraints.one_hot

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return one_hot(self._class._draw(shape[:-1]), shape[-1]).type_as(self.probs)

    def log_prob(self, value: Tensor) -> Tensor:
        """log probs[the class]"""
        return self._class.log_prob(self._validate_sample(value).argmax(-1))

    def entropy(self) -> Tensor:
        """-Σ probs·log probs"""
        return self._class.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All unit vectors."""
        n = self.event_shape[0]
        values = eye(n, dtype=self.probs.dtype, device=self.probs.device).reshape(n, *(1 for _ in self.batch_shape), n)
        return values.expand((n, *self.batch_shape, n)) if expand else values

    mean = property(lambda self: self.probs)
    mode = property(lambda self: one_hot(self.probs.argmax(-1), self.event_shape[0]).type_as(self.probs))
    variance = property(lambda self: self.probs * (1 - self.probs))


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical`, with gradients that pass its draws as if these were its probabilities: a rough estimate, but of a real choice.

    Source: Bengio, Léonard, Courville 2013; https://pytorch.org/docs/stable/distributions.html#onehotcategoricalstraightthrough
    """

    has_rsample = True

    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        return super()._draw(shape) + (self.probs - self.probs.detach())
