"""What `grad_fn` shows of a tensor: the recorded operation, in the words that PyTorch has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .callsite import source_line

if TYPE_CHECKING:
    from .tensor import Tensor


class GradFn:
    """A recorded operation, for reading: its name, its inputs and the inputs' own `grad_fn`."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def name(self) -> str:
        """PyTorch's style of name: `MulBackward`."""
        assert self._tensor.op is not None
        return "".join(part.capitalize() for part in self._tensor.op.name.split("_")) + "Backward"

    @property
    def op(self) -> Any:
        return self._tensor.op

    @property
    def inputs(self) -> tuple:
        return self._tensor.inputs

    @property
    def next_functions(self) -> tuple:
        """The inputs' own operations, as PyTorch gives them: (grad_fn, 0) for each input, None for a constant or a leaf."""
        return tuple((getattr(x, "grad_fn", None), 0) for x in self.inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other._tensor is self._tensor

    def __hash__(self) -> int:
        return hash(self._tensor)

    def __repr__(self) -> str:
        made = source_line(self._tensor.made_at)
        return f"<{self.name()}" + (f" at {made}>" if made else ">")
