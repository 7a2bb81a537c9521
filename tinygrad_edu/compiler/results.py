"""What a compiled function returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.engine import topological_order
from ..errors import GraphError
from ..tensor import Tensor, wrap
from ..trees import filled, mapped
from .lines import CompileError, Operand
from .recorded import Recorded
from .tape import Tape


def has_history(x: Tensor) -> bool:
    """Whether backward() can go back from a tensor, because nothing on the way was used up."""
    if not x._requires_grad:
        return False
    try:
        return bool(topological_order([x]))
    except GraphError:
        return False


def operands_of(found: Any, tape: Tape) -> Any:
    """What a function returned, with operands in place of tensors that it made."""

    def operand(x: Any) -> Any:
        if type(x) is Recorded:
            raise CompileError("the function returns an array. Return the tensor, and take its array outside.")
        if not isinstance(x, Tensor):
            return x
        return tape.twin(x.__dict__["array"]).operand() if tape.effects.is_new(x) else x

    return mapped(operand, found)


def without_history(found: Any, operands: Any) -> Any:
    """The same with tensors that have no history, as replays return them: of a tensor from outside a view, as ever, of others a copy."""

    def result(x: Any, operand: Any) -> Any:
        return (wrap if operand.value.kind == "outside" else copied)(x.array) if isinstance(operand, Operand) else x

    return mapped(result, found, operands)


# What the source of a plan calls to make them.
def copied(array: Any) -> Tensor:
    """A tensor that the next call does not overwrite."""
    return wrap(np.array(array))


def made(kind: type, **parts: Any) -> Any:
    """A dataclass with these fields."""
    return filled(object.__new__(kind), parts)
