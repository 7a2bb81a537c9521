"""What a compiled function returns."""

from __future__ import annotations

from typing import Any

from ..autograd.engine import topological_order
from ..errors import GraphError
from ..tensor import Tensor
from ..trees import mapped
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
    """What a function returned, with operands in place of tensors that it made or was given."""

    def operand(x: Any) -> Any:
        if type(x) is Recorded:
            raise CompileError("the function returns an array. Return the tensor, and take its array outside.")
        if not isinstance(x, Tensor):
            return x
        recorded = tape.twin(x.__dict__["array"])
        return recorded.operand() if tape.effects.is_new(x) or any(recorded is given for given in tape.arguments) else x

    return mapped(operand, found)


def without_history(found: Any, operands: Any) -> Any:
    """The same with tensors that have no history, as replays return them."""
    return mapped(lambda x, operand: Tensor(x.array) if isinstance(operand, Operand) else x, found, operands)
