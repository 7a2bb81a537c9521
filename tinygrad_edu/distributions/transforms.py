"""Functions that make of one random variable another, with the factor by which they stretch: normalizing flows are made of them.

>>> from tinygrad_edu import tensor
>>> scaled = AffineTransform(1.0, 3.0)
>>> y = scaled(tensor(2.0))
>>> y, scaled.inv(y), scaled.log_abs_det_jacobian(tensor(2.0), y).exp()
(tensor(7.), tensor(2.), tensor(3.))

Source: https://pytorch.org/docs/stable/distributions.html#module-torch.distributions.transforms
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..grad_mode import is_grad_enabled
from ..ops.activation import softplus
from ..tensor import Tensor
from . import constraints
from .independent import sum_last


class Transform:
    """A function y = t(x) that can be inverted; one of your own defines `_call`, `_inverse` and `log_abs_det_jacobian`.

    Args:
        cache_size: 1 to remember the last x and y, so that inv(y) gives back that very x, with all its digits and its graph; or 0.
    """

    bijective = True
    domain: constraints.Constraint = constraints.real
    codomain: constraints.Constraint = constraints.real
    _cache_size = 0
    _cached_x_y: tuple[Any, Any] = (None, None)
    _recorded = False  # whether what is remembered has a graph

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError(f"{type(self).__name__}: cache_size must be 0 or 1, not {cache_size}.")
        self._cache_size = cache_size

    # -- what each transform defines
    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no _call(x).")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no _inverse(y), so there is no log-probability of given values.")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |det ∂y/∂x|"""
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian(x, y).")

    @property
    def sign(self) -> Any:
        """1 where it rises, -1 where it falls."""
        raise NotImplementedError(f"{type(self).__name__} has no sign.")

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of y for an x of this shape."""
        return tuple(shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of x for a y of this shape."""
        return tuple(shape)

    # -- what follows from it
    def __call__(self, x: Tensor) -> Tensor:
        before, y = self._cached_x_y
        known = self._cache_size and x is before and (self._recorded or not is_grad_enabled())
        return y if known else self._noted(x, self._call(x))[1]

    def _inv_call(self, y: Tensor) -> Tensor:
        x, before = self._cached_x_y
        return x if self._cache_size and y is before else self._noted(self._inverse(y), y)[0]

    def _noted(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if self._cache_size:
            self._cached_x_y, self._recorded = (x, y), is_grad_enabled()
        return x, y

    @property
    def inv(self) -> Transform:
        """The inverse, x = t⁻¹(y)."""
        return _InverseTransform(self)

    @property
    def event_dim(self) -> int:
        """How many last dims belong to one x."""
        return self.domain.event_dim

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _InverseTransform(Transform):
    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self._inv = transform

    bijective = property(lambda self: self._inv.bijective)
    domain = property(lambda self: self._inv.codomain)
    codomain = property(lambda self: self._inv.domain)
    sign = property(lambda self: self._inv.sign)
    inv = property(lambda self: self._inv)

    def __call__(self, x: Tensor) -> Tensor:
        return self._inv._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
        return self._inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self._inv.forward_shape(shape)

    def __repr__(self) -> str:
        return f"{self._inv}.inv"


class ComposeTransform(Transform):
    """One transform after another.

    Args:
        parts: the transforms, the first to be applied first.
        cache_size: as for `Transform`.
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)

    @property
    def domain(self) -> constraints.Constraint:  # type: ignore[override]
        found = self.parts[0].domain if self.parts else constraints.real
        dims = self.parts[-1].codomain.event_dim if self.parts else 0
        for part in reversed(self.parts):
            dims = max(dims + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return constraints.independent(found, dims - found.event_dim) if dims > found.event_dim else found

    @property
    def codomain(self) -> constraints.Constraint:  # type: ignore[override]
        found = self.parts[-1].codomain if self.parts else constraints.real
        dims = self.domain.event_dim
        for part in self.parts:
            dims += part.codomain.event_dim - part.domain.event_dim
        return constraints.independent(found, dims - found.event_dim) if dims > found.event_dim else found

    bijective = property(lambda self: all(part.bijective for part in self.parts))
    sign = property(lambda self: math.prod((part.sign for part in self.parts), start=1))

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Σ of the parts'"""
        dims = self.domain.event_dim
        total = x.new_zeros(x.shape[: x.ndim - dims])
        for part in self.parts:
            y = part(x)
            total = total + sum_last(part.log_abs_det_jacobian(x, y), dims - part.domain.event_dim)
            dims += part.codomain.event_dim - part.domain.event_dim
            x = y
        return total

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return tuple(shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return tuple(shape)

    def __repr__(self) -> str:
        return f"ComposeTransform({self.parts})"


class AffineTransform(Transform):
    """y = loc + scale·x

    Args:
        loc, scale: numbers or tensors; scale is not 0.
        event_dim: how many last dims belong to one x.
        cache_size: as for `Transform`.
    """

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale = loc, scale
        self.domain = self.codomain = constraints.independent(constraints.real, event_dim) if event_dim else constraints.real

    @property
    def sign(self) -> Any:
        return self.scale.sign() if isinstance(self.scale, Tensor) else math.copysign(1, self.scale)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |scale|"""
        scale = self.scale if isinstance(self.scale, Tensor) else x.new_full((), self.scale)
        return sum_last(scale.abs().log().expand(x.shape), self.domain.event_dim)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return np.broadcast_shapes(tuple(shape), *(x.shape for x in (self.loc, self.scale) if isinstance(x, Tensor)))

    inverse_shape = forward_shape


class ExpTransform(Transform):
    """y = exp(x)"""

    codomain = constraints.positive
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """x"""
        return x


class SigmoidTransform(Transform):
    """y = σ(x), kept away from 0 and 1 by the smallest step"""

    codomain = constraints.unit_interval
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return _inside(x.sigmoid())

    def _inverse(self, y: Tensor) -> Tensor:
        y = _inside(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log σ(x) + log σ(-x)"""
        return -softplus(-x) - softplus(x)


def _inside(y: Tensor) -> Tensor:
    of = np.finfo(y.dtype)
    return y.clamp(float(of.tiny), 1 - float(of.eps))


class SoftplusTransform(Transform):
    """y = log(1 + exp(x))"""

    codomain = constraints.positive
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log σ(x)"""
        return -softplus(-x)


class TanhTransform(Transform):
    """y = tanh(x). Give it cache_size=1 where y may come close to ±1: the inverse has no digits there."""

    codomain = constraints.interval(-1.0, 1.0)
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log(1 - tanh² x) = 2·(log 2 - x - log(1 + exp(-2x)))"""
        return 2 * (math.log(2) - x - softplus(-2 * x))


identity_transform = ComposeTransform([])
