"""What all distributions share: shapes, checks of parameters and values, and how numbers are drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend import require
from ..dtypes import get_default_dtype
from ..errors import ShapeError, describe
from ..grad_mode import enable_grad, no_grad
from ..ops.creation import tensor
from ..ops.shape import broadcast_tensors
from ..tensor import Tensor
from . import constraints

LOG_2_PI = math.log(2 * math.pi)


class Distribution:
    """A batch of random variables, independent of each other, each of which is an event: a number, or a vector.

    What is drawn has the shape sample_shape + batch_shape + event_shape; log-probabilities have no event_shape.
    Which parameters and values are possible say the constraints in `arg_constraints`, by name, and `support`.

    Args:
        batch_shape, event_shape: these.
        validate_args: whether parameters and values are looked at (default: yes, see `set_default_validate_args`).

    Source: https://pytorch.org/docs/stable/distributions.html#distribution
    """

    has_rsample = False
    has_enumerate_support = False
    parameters: tuple[str, ...] = ()  # their names
    fixed: tuple[str, ...] = ()  # the names of arguments beside them that are one for the whole batch
    arg_constraints: dict[str, constraints.Constraint] = {}
    support: Any = constraints.real
    _validate_args = True

    def __init__(
        self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = tuple(batch_shape), tuple(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                lazy = name not in vars(self) and isinstance(getattr(type(self), name, None), lazy_property)
                if not lazy and constraint is not constraints.dependent:
                    x = getattr(self, name)
                    self._require(name, x, constraint.check(x), constraint.words)

    # read-only properties, so that a distribution of one's own may compute its own
    batch_shape = property(lambda self: self._batch_shape)
    event_shape = property(lambda self: self._event_shape)

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions that are not told look at parameters and values."""
        Distribution._validate_args = value

    # -- what each distribution defines
    def _draw(self, shape: tuple[int, ...]) -> Tensor:
        """Draw numbers of this shape; a distribution of one's own may define rsample or sample in its place."""
        for name in ("rsample", "sample"):
            if getattr(type(self), name) is not getattr(Distribution, name):
                return getattr(self, name)(shape[: len(shape) - len(self.batch_shape) - len(self.event_shape)])
        raise self._without("_draw, rsample or sample")

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value): of a density where values are continuous."""
        raise self._without("log_prob")

    def entropy(self) -> Tensor:
        """E[-log p(x)]"""
        raise self._without("entropy")

    def cdf(self, value: Tensor) -> Tensor:
        """P(x ≤ value)"""
        raise self._without("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The x for which P(x' ≤ x) = value."""
        raise self._without("icdf")

    @property
    def mean(self) -> Tensor:
        """E[x]"""
        raise self._without("mean")

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        raise self._without("mode")

    @property
    def variance(self) -> Tensor:
        """E[(x - E[x])²]"""
        raise self._without("variance")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All possible values, along a new first dim."""
        raise self._without("enumerate_support")

    # -- what follows from it
    @property
    def stddev(self) -> Tensor:
        """√variance"""
        return self.variance.sqrt()

    def perplexity(self) -> Tensor:
        """exp(entropy)"""
        return self.entropy().exp()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw; no gradient passes through."""
        with no_grad():
            return self._draw(self._extended_shape(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw as a differentiable function of the parameters and of noise that does not depend on them.

        Raises:
            NotImplementedError: the values are discrete.
        """
        if not self.has_rsample:
            raise NotImplementedError(
                f"{type(self).__name__} has no rsample: no gradient passes through its values to its parameters. Use sample(), and "
                "log_prob(value) times a reward as the loss (REINFORCE)."
            )
        return self._draw(self._extended_shape(sample_shape))

    def expand(self, batch_shape: Sequence[int]) -> Distribution:
        """The same with the parameters expanded to another batch_shape."""
        found = {name: getattr(self, name) for name in self.fixed}
        for name in self.parameters:
            x = getattr(self, name)
            found[name] = x.expand((*batch_shape, *x.shape[len(self.batch_shape) :]))
        return self._like(**found)

    def __repr__(self) -> str:
        found = {name: getattr(self, name) for name in self.parameters}
        inner = ", ".join(f"{name}: {x.item() if x.ndim == 0 else x.shape}" for name, x in found.items())
        return f"{type(self).__name__}({inner})"

    # -- helpers
    def _like(self, *args: Any, **named: Any) -> Distribution:
        """One of the same kind with other parameters, which come from this one and need no check.

        Raises:
            NotImplementedError: how to make one is not known, as a subclass has an `__init__` of its own.
        """
        new: Any = type(self)
        made_by = next(c for c in new.__mro__ if "__init__" in vars(c))
        of_the_library = made_by.__module__.startswith(__name__.rpartition(".")[0])
        if not of_the_library and "parameters" not in vars(made_by):
            raise NotImplementedError(
                f"{made_by.__name__} has an __init__ of its own, with which an expanded one cannot be made: define "
                f"{made_by.__name__}.expand(batch_shape) too."
            )
        found = new(*args, **named, validate_args=False)
        found._validate_args = self._validate_args
        return found

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> tuple[int, ...]:
        if isinstance(sample_shape, int):
            raise TypeError(f"sample_shape is a tuple of sizes: write ({sample_shape},).")
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    def _require(self, name: str, x: Tensor, holds: Tensor, expected: str) -> None:
        """Refuse a parameter or value unless `holds` everywhere."""
        if self._validate_args:
            holds = holds.detach()

            def error() -> Exception:
                wrong = x.detach()
                example = wrong.masked_select(~holds)[0].item() if holds.shape == wrong.shape else wrong.tolist()
                return ValueError(f"{type(self).__name__}: {name} must be {expected}; in {describe(x)} there is {example}.")

            require(holds.all().array, error)

    def _validate_sample(self, value: Any) -> Tensor:
        """A value to which a probability is asked, checked."""
        if not isinstance(value, Tensor):
            raise TypeError(f"{type(self).__name__}: the value must be a tensor, not {value!r:.80}: write tensor({value!r:.20}).")
        if self._validate_args:
            mine, given = (*self.batch_shape, *self.event_shape), value.shape
            if any(m != n and 1 not in (m, n) for m, n in zip(mine[::-1], given[::-1], strict=False)) or (
                self.event_shape and given[-len(self.event_shape) :] != self.event_shape
            ):
                raise ShapeError(f"{type(self).__name__} of shape {mine} has no probability for a value of shape {given}.")
            self._require("the value", value, self.support.check(value), self.support.words)
        return value

    def _without(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {name}.")


class lazy_property:
    """An attribute that is computed when it is first read, and with its graph: also where `sample` reads it, which records nothing."""

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            found = self.compute(instance)
        setattr(instance, self.compute.__name__, found)
        return found


def beside(*parameters: Any) -> list[Tensor]:
    """Parameters as tensors; Python's numbers take the dtype and device of the tensors beside them."""
    like = next((x for x in parameters if isinstance(x, Tensor)), None)
    how = {"dtype": get_default_dtype()} if like is None else {"dtype": like.dtype, "device": like.device}
    return [x if isinstance(x, Tensor) else tensor(x, **how) for x in parameters]


def together(*parameters: Any) -> tuple[Tensor, ...]:
    """The same, of one shape."""
    return broadcast_tensors(*beside(*parameters))


def inside(x: Tensor) -> Tensor:
    """Numbers from 0 to 1, these two as the numbers next to them: with what is drawn there, logarithms and quantiles stay finite."""
    limits = np.finfo(x.dtype)
    return x.clamp(float(limits.tiny), 1 - float(limits.epsneg))


class LocScale(Distribution):
    """A distribution of loc + scale·x, where x is distributed around 0 to both sides alike."""

    has_rsample = True
    parameters = ("loc", "scale")
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = mode = property(lambda self: self.loc)


def one_of(kind: str, probs: Any, logits: Any) -> Tensor:
    """The parameter that was given of these two, which say the same."""
    if (probs is None) == (logits is None):
        raise ValueError(f"{kind} needs either probs or logits, and not {'both' if probs is not None else 'neither'}.")
    (given,) = together(probs if logits is None else logits)
    return given if given.is_floating_point() else given.to(get_default_dtype())
