"""What `grad_fn` shows of a tensor: the recorded operation, in the words that PyTorch has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .callsite import source_line

if TYPE_CHECKING:
    from .tensor import Tensor


class GradFn:
    """A recorded operation, for reading: its name, its inputs and the inputs' own; at the end of the way, that a leaf gets its gradient."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def name(self) -> str:
        """PyTorch's style of name: `MulBackward`; of a leaf, `AccumulateGrad`."""
        if self._tensor.op is None:
            return "AccumulateGrad"
        return "".join(part.capitalize() for part in self._tensor.op.name.split("_")) + "Backward"

    @property
    def op(self) -> Any:
        return self._tensor.op

    @property
    def inputs(self) -> tuple:
        return self._tensor.inputs

    @property
    def variable(self) -> Tensor:
        """The leaf that gets its gradient here."""
        if self._tensor.op is not None:
            raise AttributeError(f"{self.name()} has no variable: it is no leaf's.")
        return self._tensor

    @property
    def next_functions(self) -> tuple:
        """As PyTorch gives them, (grad_fn, 0) for each input, plain numbers last; None for what needs no gradient."""
        if self._tensor.op is None:
            return ()
        tensors = [x for x in self.inputs if hasattr(x, "requires_grad")]
        numbers = len(self.inputs) - len(tensors)
        return (*((GradFn(x) if x.requires_grad else None, 0) for x in tensors), *((None, 0),) * numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other._tensor is self._tensor

    def __hash__(self) -> int:
        return hash(self._tensor)

    def __repr__(self) -> str:
        made = source_line(self._tensor.made_at)
        return f"<{self.name()}" + (f" at {made}>" if made else ">")
