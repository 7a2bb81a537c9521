"""Which numbers are possible: values of a distribution, and what a transform takes and gives.

>>> from tinygrad_edu import tensor
>>> interval(0.0, 1.0).check(tensor([0.5, 2.0]))
tensor([ True, False])

Source: https://pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraints
"""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor


class Constraint:
    """A set of numbers, or with `event_dim` last dims of vectors or matrices; one of your own defines `check`."""

    is_discrete = False
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """For each value whether it is one of them."""
        raise NotImplementedError(f"{type(self).__name__} has no check(value).")

    def __repr__(self) -> str:
        return type(self).__name__.strip("_").lower() + "()"


class _Real(Constraint):
    def check(self, value: Tensor) -> Tensor:
        return value == value


class greater_than(Constraint):
    """Numbers above a bound."""

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Tensor) -> Tensor:
        return value > self.lower_bound

    def __repr__(self) -> str:
        return f"greater_than(lower_bound={self.lower_bound})"


class greater_than_eq(greater_than):
    """Numbers that are not below a bound."""

    def check(self, value: Tensor) -> Tensor:
        return value >= self.lower_bound

    def __repr__(self) -> str:
        return f"greater_than_eq(lower_bound={self.lower_bound})"


class interval(Constraint):
    """Numbers between two bounds, these included."""

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)

    def __repr__(self) -> str:
        return f"interval(lower_bound={self.lower_bound}, upper_bound={self.upper_bound})"


class independent(Constraint):
    """So many last dims of what another constraint describes, taken as one value.

    Args:
        base_constraint: the other one.
        reinterpreted_batch_ndims: how many dims.
    """

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        dims = self.reinterpreted_batch_ndims
        return self.base_constraint.check(value).all(tuple(range(-dims, 0))) if dims else self.base_constraint.check(value)

    def __repr__(self) -> str:
        return f"independent({self.base_constraint}, {self.reinterpreted_batch_ndims})"


def dependent_property(get: Any = None, *, is_discrete: bool = False, event_dim: int = 0) -> Any:
    """A decorator for the `support` of a distribution of one's own that depends on its parameters: a property.

    Args:
        is_discrete, event_dim: what PyTorch wants to know of it without an instance; they make no difference here.
    """
    return property if get is None else property(get)


real = _Real()
positive = greater_than(0.0)
nonnegative = greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
real_vector = independent(real, 1)
