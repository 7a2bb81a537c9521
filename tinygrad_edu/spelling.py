"""Other spellings of a call: NumPy's and PyTorch's names of arguments, and `out=`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from .dtypes import keeps_kind
from .errors import DtypeError, GraphError, ShapeError, describe, no_tensor
from .tensor import Tensor

ALIASES = {"axis": "dim", "keepdims": "keepdim", "axes": "dim", "axis0": "dim0", "axis1": "dim1"}  # NumPy's names
_FIRST = tuple((name,) for name in ("x", "A", "input", "tensor", "tensors", "x1", "y"))  # what `input` is called here


def take_other_names(names: dict[str, Any]) -> None:
    """Let the plain functions among a module's names take NumPy's names for dims, and `input` for what is x here, as operations do.

    It is done to the names that learners call. Between the operations the functions go by without it, which saves a call.
    """
    for name, function in list(names.items()):
        if isinstance(function, FunctionType) and function.__code__.co_varnames[:1] in _FIRST:
            names[name] = known = _with_other_names(function)
            if name == function.__name__ and "__name__" in names:
                known.__module__ = names["__name__"]  # where pickle finds it


@functools.cache  # so that two names of one function stay one
def _with_other_names(function: Callable) -> Callable:
    names = {**ALIASES, "input": function.__code__.co_varnames[0]}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = {names.get(name, name): value for name, value in kwargs.items()}
            if (out := kwargs.pop("out", None)) is not None:
                return put_into(out, function(*args, **kwargs))
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            raise no_tensor(function.__name__, (*args, *kwargs.values()), error) from None

    return call


def factor_first(function: Callable) -> Callable:
    """Take a function's factor where programs before 2020 write it, too: x.add_(0.5, y) is x.add_(y, alpha=0.5)."""
    *tensors, factor = inspect.signature(function).parameters

    @functools.wraps(function)
    def call(x: Any, *others: Any, **settings: Any) -> Any:
        if len(others) == len(tensors) and not settings and not isinstance(others[0], Tensor):
            others, settings = others[1:], {factor: others[0]}
        return function(x, *others, **settings)

    return call


def put_into(out: Any, result: Any) -> Tensor:
    """What `out=` asks for, in place of a new tensor: the result in one that is there, through which no gradient passes."""
    given, wanted = (describe(t) if isinstance(t, Tensor) else f"a {type(t).__name__}" for t in (out, result))
    if not isinstance(out, Tensor) or not isinstance(result, Tensor):
        raise TypeError(f"out= is one tensor, for a result that is one: the result is {wanted}, and out is {given}.")
    if out.shape != result.shape:
        raise ShapeError(f"out= must have the result's shape: the result is {wanted}, and out is {given}.")
    if not keeps_kind(result.dtype, out.dtype):
        raise DtypeError(f"out= would lose the kind of numbers: the result is {wanted}, and out is {given}.")
    if result.requires_grad:
        raise GraphError(
            "out= takes no part in gradients: use the tensor that is returned without it, or call it under no_grad()."
        )
    return out.copy_(result)
