"""compile."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import grad_mode
from ..tensor import Tensor
from .plan import Changed, Plan, TooLate
from .record import CompileError, Tape, recording, strip

__all__ = ["CompileError", "compile"]


class Compiled:
    """A function with a plan for each signature of its arguments."""

    def __init__(self, function: Callable) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.plans: dict[Any, Plan] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arrays: list[np.ndarray] = []
        key: tuple = (grad_mode.enabled, *[_key(x, arrays) for x in args])
        if kwargs:
            key += (_key(kwargs, arrays),)
        plan = self.plans.get(key)
        if plan is None or not plan.fits():
            return self.record(key, arrays, args, kwargs)
        try:
            return plan.replay(arrays)
        except Changed:
            return self.function(*args, **kwargs)
        except TooLate as error:
            raise CompileError(
                f"{error}\n  a check that held when the plan was recorded does not hold for these numbers. Call the function without compile "
                "to see what is wrong with them."
            ) from None

    def record(self, key: Any, arrays: list[np.ndarray], args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the function, writing down what it does."""
        tape = Tape(arrays)
        with recording(tape):
            try:
                found = self.function(*args, **kwargs)
                operands, result = _results(found, tape)
                tape.finish()
            except Exception:
                if tape.refused is not None:
                    raise tape.refused from None
                raise
        names = _names(self.function)
        self.plans[key] = Plan(tape, getattr(self.function, "__name__", "function"), operands, names)
        return result


def _key(x: Any, arrays: list[np.ndarray]) -> Any:
    """What a plan is made for: shape and dtype of tensors, other arguments themselves. Collects the arrays."""
    if isinstance(x, Tensor | np.ndarray):
        array = x.array if isinstance(x, Tensor) else x
        arrays.append(array)
        return array.shape, array.dtype, getattr(x, "_requires_grad", None)
    if isinstance(x, tuple | list):
        return (type(x), *[_key(part, arrays) for part in x])
    if isinstance(x, dict):
        return tuple((name, _key(part, arrays)) for name, part in x.items())
    return (type(x), x) if x.__hash__ is not None else id(x)


def _results(tree: Any, tape: Tape) -> tuple[Any, Any]:
    """What a function returned, with operands in place of tensors; and with copies, as replays return them."""
    if isinstance(tree, Tensor):
        if not tape.is_new(tree):
            return tree, tree
        recorded = tape.twin(tree.__dict__["array"])
        return recorded.operand(), Tensor(recorded.held)
    if isinstance(tree, tuple | list):
        parts = [_results(x, tape) for x in tree]
        make = (lambda xs: type(tree)(*xs)) if hasattr(tree, "_fields") else type(tree)
        return make([p[0] for p in parts]), make([p[1] for p in parts])
    if isinstance(tree, dict):
        parts = {k: _results(x, tape) for k, x in tree.items()}
        return {k: p[0] for k, p in parts.items()}, {k: p[1] for k, p in parts.items()}
    return tree, strip(tree)


def _names(function: Any) -> dict[int, str]:
    return {}


def compile(function: Callable) -> Compiled:
    """Record a function once and replay it."""
    return Compiled(function)
