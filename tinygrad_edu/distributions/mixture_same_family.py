"""Mixtures: one of several distributions of a kind is chosen, and drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..tensor import Tensor
from . import constraints
from .categorical import Categorical
from .distribution import Distribution


class _OfAll(constraints.Constraint):
    """What is possible in all components, which may have bounds of their own."""

    def __init__(self, each: constraints.Constraint) -> None:
        self.each, self.is_discrete, self.event_dim = each, each.is_discrete, each.event_dim

    words = property(lambda self: self.each.words)

    def check(self, value: Tensor) -> Tensor:
        return self.each.check(value.unsqueeze(-1 - self.event_dim)).all(-1)


class MixtureSameFamily(Distribution):
    """p(x) = Σ_k P(k)·p_k(x)

    Args:
        mixture_distribution: of the choice k, over n components.
        component_distribution: the n components, along the last dim of its batch.

    Source: https://pytorch.org/docs/stable/distributions.html#mixturesamefamily
    """

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise TypeError(f"MixtureSameFamily: the choice is a Categorical, not {mixture_distribution!r:.80}.")
        batch, count = component_distribution.batch_shape, mixture_distribution.param_shape[-1]
        fits = all(m in (1, n) for m, n in zip(mixture_distribution.batch_shape[::-1], batch[:-1][::-1], strict=False))
        if batch[-1:] != (count,) or len(mixture_distribution.batch_shape) >= len(batch) or not fits:
            raise ShapeError(
                f"MixtureSameFamily: a choice of shape {mixture_distribution.param_shape} does not fit components of shape {batch}: both must "
                "end in the number of components, and the choice be broadcast to the rest."
            )
        self.mixture_distribution, self.component_distribution = mixture_distribution, component_distribution
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    @property
    def support(self) -> constraints.Constraint:
        return _OfAll(self.component_distribution.support)

    def _for_each(self, x: Tensor) -> Tensor:
        """With a dim for the components."""
        return x.unsqueeze(-1 - len(self.event_shape))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw from all components, and choose."""
        drawn = self.component_distribution.sample(sample_shape)
        k = self.mixture_distribution.expand(self.batch_shape).sample(sample_shape)
        index = k.reshape(*k.shape, 1, *(1 for _ in self.event_shape)).expand((*k.shape, 1, *self.event_shape))
        return drawn.gather(k.ndim, index).squeeze(k.ndim)

    def log_prob(self, value: Tensor) -> Tensor:
        """log Σ_k exp(log P(k) + log p_k(x))"""
        each = self.component_distribution.log_prob(self._for_each(self._validate_sample(value)))
        return (each + self.mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def _weighted(self, x: Any) -> Any:
        weights = self.mixture_distribution.probs
        dim = -1 - len(self.event_shape)
        return (weights.reshape(*weights.shape, *(1 for _ in self.event_shape)) * x).sum(dim)

    @property
    def mean(self) -> Tensor:
        """Σ_k P(k)·mean_k"""
        return self._weighted(self.component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        """Σ_k P(k)·(variance_k + (mean_k - mean)²)"""
        apart = self.component_distribution.mean - self._for_each(self.mean)
        return self._weighted(self.component_distribution.variance + apart**2)

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        count = self.mixture_distribution.param_shape[-1]
        component = self.component_distribution.expand((*batch_shape, count))
        return self._like(self.mixture_distribution.expand(batch_shape), component)

    def __repr__(self) -> str:
        return f"MixtureSameFamily({self.mixture_distribution}, {self.component_distribution})"
