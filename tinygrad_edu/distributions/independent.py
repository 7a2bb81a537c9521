"""Several random variables taken as one, whose log-probabilities add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution


class Independent(Distribution):
    """The last dims of a batch as one event: log p(x) = Σ log p(xᵢ).

    Args:
        base_distribution: one whose batch has at least so many dims.
        reinterpreted_batch_ndims: how many of its last dims are an event.

    >>> from tinygrad_edu import ones, zeros
    >>> from tinygrad_edu.distributions import Normal
    >>> Independent(Normal(zeros(5, 3), ones(5, 3)), 1).log_prob(zeros(5, 3)).shape
    (5,)

    Source: https://pytorch.org/docs/stable/distributions.html#independent
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        shape, dims = base_distribution.batch_shape, reinterpreted_batch_ndims
        if not 0 <= dims <= len(shape):
            raise ShapeError(f"Independent: a batch of shape {shape} has no {dims} last dims that could be an event.")
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, dims
        cut = len(shape) - dims
        super().__init__(shape[:cut], shape[cut:] + base_distribution.event_shape, validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)
    mean = property(lambda self: self.base_dist.mean)
    mode = property(lambda self: self.base_dist.mode)
    variance = property(lambda self: self.base_dist.variance)

    support = property(lambda self: constraints.independent(self.base_dist.support, self.reinterpreted_batch_ndims))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Σ log p(xᵢ)"""
        return sum_last(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        """Σ of the entropies"""
        return sum_last(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        inner = self.base_dist.batch_shape[len(self.batch_shape) :]
        return self._like(self.base_dist.expand((*batch_shape, *inner)), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


def sum_last(x: Any, dims: int) -> Any:
    """The sum over so many last dims."""
    return x.sum(tuple(range(-dims, 0))) if dims else x
