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

    @property
    def words(self) -> str:
        """What a number must be, for messages."""
        return f"in {self}"

    def check(self, value: Tensor) -> Tensor:
        """For each value whether it is one of them."""
        raise NotImplementedError(f"{type(self).__name__} has no check(value).")

    def __repr__(self) -> str:
        return type(self).__name__.strip("_").lower() + "()"


class _Real(Constraint):
    words = "a number, not NaN"

    def check(self, value: Tensor) -> Tensor:
        return value == value


class _Boolean(Constraint):
    is_discrete = True
    words = "0 or 1"

    def check(self, value: Tensor) -> Tensor:
        return (value == 0) | (value == 1)


class _NonnegativeInteger(Constraint):
    is_discrete = True
    words = "0 or 1 or 2 ..."

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0) & (value == value.floor())


class _Simplex(Constraint):
    event_dim = 1
    words = "shares, at least 0 and 1 together"

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1
    words = "a vector with a single 1, and 0 elsewhere"

    def check(self, value: Tensor) -> Tensor:
        return boolean.check(value).all(-1) & (value.sum(-1) == 1)


class _Dependent(Constraint):
    """What a parameter must be depends on the others; the distribution itself looks at it."""

    def __call__(self, *, is_discrete: bool = False, event_dim: int = 0) -> _Dependent:
        return self


class greater_than(Constraint):
    """Numbers above a bound."""

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    @property
    def words(self) -> str:
        return f"greater than {_shown(self.lower_bound, 'its bound')}"

    def check(self, value: Tensor) -> Tensor:
        return value > self.lower_bound

    def __repr__(self) -> str:
        return f"greater_than(lower_bound={self.lower_bound})"


class greater_than_eq(greater_than):
    """Numbers that are not below a bound."""

    @property
    def words(self) -> str:
        return f"at least {_shown(self.lower_bound, 'its bound')}"

    def check(self, value: Tensor) -> Tensor:
        return value >= self.lower_bound

    def __repr__(self) -> str:
        return f"greater_than_eq(lower_bound={self.lower_bound})"


class interval(Constraint):
    """Numbers between two bounds, these included."""

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    @property
    def words(self) -> str:
        return f"between {_shown(self.lower_bound, 'its lower')} and {_shown(self.upper_bound, 'its upper bound')}"

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lower_bound={self.lower_bound}, upper_bound={self.upper_bound})"


class integer_interval(interval):
    """Whole numbers between two bounds, these included."""

    is_discrete = True

    @property
    def words(self) -> str:
        return f"a whole number {super().words}"

    def check(self, value: Tensor) -> Tensor:
        return super().check(value) & (value == value.floor())


class multinomial(Constraint):
    """Counts, at most `upper_bound` together."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: int) -> None:
        self.upper_bound = upper_bound

    @property
    def words(self) -> str:
        return f"counts, at most {self.upper_bound} together"

    def check(self, value: Tensor) -> Tensor:
        return nonnegative_integer.check(value).all(-1) & (value.sum(-1) <= self.upper_bound)

    def __repr__(self) -> str:
        return f"multinomial(upper_bound={self.upper_bound})"


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

    words = property(lambda self: self.base_constraint.words)

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


def _shown(bound: Any, name: str) -> str:
    """A bound, or its name where it is not the same everywhere."""
    return f"{float(bound):g}" if not isinstance(bound, Tensor) or bound.numel() == 1 else name


real = _Real()
boolean = _Boolean()
nonnegative_integer = _NonnegativeInteger()
simplex = _Simplex()
one_hot = _OneHot()
dependent = _Dependent()
positive = greater_than(0.0)
nonnegative = greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
real_vector = independent(real, 1)
