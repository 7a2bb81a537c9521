"""What comes of random numbers by a function of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..grad_mode import no_grad
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .independent import Independent, sum_last
from .transforms import ComposeTransform, Transform


class TransformedDistribution(Distribution):
    """y = t(x) with x of another distribution:  log p(y) = log p(x) - log |det ∂y/∂x|

    Args:
        base_distribution: of x.
        transforms: t, or several transforms, one after another.

    >>> from tinygrad_edu import tensor
    >>> from tinygrad_edu.distributions import Normal, transforms
    >>> y = TransformedDistribution(Normal(0.0, 1.0), [transforms.AffineTransform(1.0, 2.0), transforms.ExpTransform()])
    >>> y.log_prob(tensor(1.0))
    tensor(-1.7371)

    Source: https://pytorch.org/docs/stable/distributions.html#transformeddistribution
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if wrong := [t for t in self.transforms if not isinstance(t, Transform)]:
            raise TypeError(
                f"TransformedDistribution: a transform is a Transform of distributions.transforms, not {wrong[0]!r:.80}."
            )
        whole = ComposeTransform(self.transforms)
        base, dims = base_distribution, len(base_distribution.event_shape)
        shape = whole.forward_shape(base.batch_shape + base.event_shape)
        needed = whole.inverse_shape(shape)  # a transform may have a batch of its own
        if needed != base.batch_shape + base.event_shape:
            base = base.expand(needed[: len(needed) - dims])
        if whole.domain.event_dim > dims:
            base = Independent(base, whole.domain.event_dim - dims)
        self.base_dist = base
        cut = len(shape) - whole.codomain.event_dim - max(dims - whole.domain.event_dim, 0)
        super().__init__(shape[:cut], shape[cut:], validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)

    @property
    def support(self) -> constraints.Constraint:
        found = ComposeTransform(self.transforms).codomain if self.transforms else self.base_dist.support
        return constraints.independent(found, len(self.event_shape) - found.event_dim)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return ComposeTransform(self.transforms)(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return ComposeTransform(self.transforms)(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x) - log |det ∂y/∂x|"""
        y, stretched, dims = self._validate_sample(value), [], len(self.event_shape)
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            dims += transform.domain.event_dim - transform.codomain.event_dim
            stretched.append(sum_last(transform.log_abs_det_jacobian(x, y), dims - transform.domain.event_dim))
            y = x
        log_prob = sum_last(self.base_dist.log_prob(y), dims - len(self.base_dist.event_shape))
        for each in stretched:
            log_prob = log_prob - each
        return log_prob

    def cdf(self, value: Tensor) -> Tensor:
        """P(x ≤ t⁻¹(value)), or where t falls P(x ≥ t⁻¹(value))."""
        whole = ComposeTransform(self.transforms)
        return self._rising(self.base_dist.cdf(whole.inv(self._validate_sample(value))), whole)

    def icdf(self, value: Tensor) -> Tensor:
        """t of the quantile of x."""
        whole = ComposeTransform(self.transforms)
        return whole(self.base_dist.icdf(self._rising(value, whole)))

    @staticmethod
    def _rising(p: Any, transform: Transform) -> Any:
        """p, or 1 - p where the transform falls."""
        return transform.sign * (p - 0.5) + 0.5

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        whole = ComposeTransform(self.transforms)
        shape = whole.inverse_shape((*batch_shape, *self.event_shape))
        base = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        return self._like(base, self.transforms)

    def __repr__(self) -> str:
        return f"TransformedDistribution({self.base_dist}, {self.transforms})"
